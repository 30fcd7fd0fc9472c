"""A policy makes of findings what it says, and nothing moves a decision towards accept that should not."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.decide import bundled_policies, decide, load_policy
from samebody.decide.engine import DISTANCE, combine, judge, layers_that_accept_alone
from samebody.decide.policy import Policy
from samebody.types import Decision, Finding, OperatingPoint, Outcome, Reason, Verdict

NOW = datetime(2026, 1, 2, tzinfo=UTC)
P, F, U, N = Outcome.PASS, Outcome.FAIL, Outcome.UNSURE, Outcome.NOT_RUN


def point(fmr: float = 1e-5, **changes: Any) -> OperatingPoint:
    base = OperatingPoint(fmr, 0.5, fmr, "matched-adults", "set", 1000, 100, 50, 40.0, (0.0, 1e-3))
    return replace(base, **changes)


MODELS = {"face.match": ("face/b@1",), "selfie.face": ("face/a@1",), "document.face": ("face/a@1",)}


def finding(check: str, outcome: Outcome = P, **changes: Any) -> Finding:
    reasons = () if outcome is P else (Reason(f"{check}.because", f"{check} says {outcome}.", f"Mend {check}."),)
    defaults: dict[str, Any] = {
        "reasons": reasons,
        "model_ids": MODELS.get(check, ()),
        "operating_point": point() if check == "face.match" else None,
        "score": 80.0 if check.endswith(".quality") else None,
        "details": {"validated": "real"} if check == "selfie.liveness" else {},
    }
    return Finding(check, outcome, **{**defaults, **changes})


DOCUMENT_CHECKS = (
    "selfie.face",
    "selfie.quality",
    "document.face",
    "document.page",
    "document.mrz",
    "document.dates",
    "document.consistency",
    "document.forgery.recapture",
    "document.forgery.ghost",
    "face.match",
)


def case(**outcomes: Outcome) -> list[Finding]:
    """A genuine case, with the outcomes of single checks changed (``face__match=F``)."""
    changed = {name.replace("__", "."): outcome for name, outcome in outcomes.items()}
    unknown = set(changed) - {*DOCUMENT_CHECKS, "selfie.liveness"}
    assert not unknown, unknown
    findings = [finding(check, changed.get(check, P)) for check in DOCUMENT_CHECKS]
    if "selfie.liveness" in changed:
        findings.append(finding("selfie.liveness", changed["selfie.liveness"]))
    return findings


def run(policy: str | Policy, findings: list[Finding], **arguments: Any) -> Verdict:
    rules = policy if isinstance(policy, Policy) else load_policy(policy)
    return decide(rules, findings, case_id="case-1", created=NOW, **arguments)


def test_a_genuine_pair_ends_in_review_because_liveness_is_missing() -> None:
    for name in ("default", "strict"):
        verdict = run(name, case())
        assert verdict.decision is Decision.REVIEW
        assert verdict.headline == "review, liveness missing"
        assert [reason.code for reason in verdict.reasons] == ["selfie.liveness.not_run"]
        assert verdict.finding("selfie.liveness").outcome is N
        assert {entry.layer: entry.status for entry in verdict.assurance} == {
            "capture": "passed",
            "document": "passed",
            "forgery": "passed",
            "face_match": "passed",
            "liveness": "absent",
        }


def test_only_no_liveness_accepts_and_says_what_it_left_out() -> None:
    accepted = {name: run(name, case()) for name in bundled_policies()}
    selfies = [finding(c) for c in ("selfie.face", "selfie.quality", "reference.face", "reference.quality")]
    accepted["selfie-to-selfie"] = run("selfie-to-selfie", [*selfies, finding("face.match")])
    assert [name for name, verdict in accepted.items() if verdict.decision is Decision.ACCEPT] == ["no-liveness"]
    verdict = accepted["no-liveness"]
    assert verdict.headline == "accept, without liveness"
    assert "not checked whether a living person" in verdict.summary
    assert verdict.reasons == ()
    assert verdict.next_steps == ("Nothing more is needed.",)
    assert accepted["selfie-to-selfie"].headline == "review, liveness missing"


def test_with_a_liveness_check_default_accepts_in_full() -> None:
    verdict = run("default", case(selfie__liveness=P))
    assert (verdict.decision, verdict.headline) == (Decision.ACCEPT, "accept")


@pytest.mark.parametrize("ground", ["synthetic", "none", None])
def test_a_liveness_check_not_validated_on_real_attacks_never_accepts_by_itself(ground: str | None) -> None:
    details = {} if ground is None else {"validated": ground}
    findings = [*case(), finding("selfie.liveness", P, details=details)]
    verdict = run("default", findings)
    assert verdict.decision is Decision.REVIEW
    assert [reason.code for reason in verdict.reasons] == ["decide.pad_not_validated"]
    assert verdict.finding("selfie.liveness").outcome is U
    layer = verdict.assurance[-1]
    assert (layer.status, layer.validated) == ("unsure", ground or "none")
    assert layer.note == "Present, not validated on real attacks."
    assert layer.checks == ("selfie.liveness",)
    assert run("strict", findings).decision is Decision.REVIEW

    allowing = load_policy("default").model_copy(update={"allow_unvalidated_pad": True})
    verdict = run(allowing, findings)
    assert (verdict.decision, verdict.headline) == (Decision.ACCEPT, "accept")
    assert [reason.code for reason in verdict.reasons] == ["decide.pad_not_validated"]
    assert verdict.assurance[-1].note == "Present, not validated on real attacks."
    attack = [*case(), finding("selfie.liveness", F, details=details)]
    assert run(allowing, attack).decision is run("default", attack).decision is Decision.REVIEW
    assert run("strict", attack).decision is Decision.REJECT


@pytest.mark.parametrize(
    ("outcomes", "decision", "headline"),
    [
        ({"face__match": F}, "reject", "reject, the faces do not match"),
        ({"face__match": U}, "review", "review, the faces could not be compared with certainty"),
        ({"face__match": N}, "review", "review, face match missing"),
        ({"selfie__face": F}, "retry", "retry, a picture cannot be used"),
        ({"selfie__quality": F}, "retry", "retry, a picture cannot be used"),
        ({"document__face": F}, "retry", "retry, a picture cannot be used"),
        # nobody is turned away because of a picture that was too bad to judge
        ({"selfie__quality": F, "face__match": F}, "retry", "retry, a picture cannot be used"),
        ({"document__page": F, "face__match": F}, "retry", "retry, the document is not in order"),
        ({"document__page": F, "document__dates": F}, "retry", "retry, the document is not in order"),
        # but a good picture of a bad document is enough, whatever the selfie looks like
        ({"selfie__quality": F, "document__dates": F}, "reject", "reject, the document is not in order"),
        ({"document__face": F, "document__dates": F}, "reject", "reject, the document is not in order"),
        ({"document__dates": F}, "reject", "reject, the document is not in order"),
        ({"document__dates": U}, "review", "review, the document was not read with certainty"),
        ({"document__mrz": F}, "review", "review, the document is not in order"),
        ({"document__page": U}, "accept", "accept, without liveness"),
        ({"document__consistency": F}, "review", "review, the document is not in order"),
        ({"document__forgery__recapture": F}, "review", None),
        ({"selfie__liveness": F}, "reject", "reject, no living person was shown"),
        ({"selfie__liveness": P}, "accept", "accept"),
        ({"selfie__liveness": U}, "accept", "accept, without liveness"),
    ],
)
def test_consequences_under_no_liveness(outcomes: dict[str, Outcome], decision: str, headline: str | None) -> None:
    verdict = run("no-liveness", case(**outcomes))
    assert verdict.decision == decision
    assert headline is None or verdict.headline == headline


@pytest.mark.parametrize(
    ("policy", "expected"), [("default", "review"), ("no-liveness", "review"), ("strict", "reject")]
)
@pytest.mark.parametrize("check", ["document.forgery.recapture", "document.consistency"])
def test_traces_of_a_forgery_never_accept(policy: str, expected: str, check: str) -> None:
    findings = [replace(entry, outcome=F) if entry.check == check else entry for entry in case()]
    verdict = run(policy, findings)
    assert verdict.decision == expected
    assert verdict.reasons[0].code == f"{check}.fail"


def test_a_single_forgery_check_may_abstain_but_not_all_of_them() -> None:
    one = [replace(f, outcome=U) if f.check == "document.forgery.ghost" else f for f in case()]
    assert run("no-liveness", one).decision is Decision.ACCEPT
    every = [replace(f, outcome=U) if f.check.startswith("document.forgery") else f for f in case()]
    verdict = run("no-liveness", every)
    assert (verdict.decision, verdict.headline) == (
        Decision.REVIEW,
        "review, the document could not be checked for changes",
    )
    none = [f for f in case() if not f.check.startswith("document.forgery")]
    assert run("no-liveness", none).headline == "review, forgery checks missing"


def test_one_table_over_every_outcome_of_five_layers() -> None:
    """All 4^5 combinations under ``default``, against precedence written down a second time, by layer."""
    checks = {
        "selfie.quality": {F: "retry", U: "review", N: "review"},
        "document.dates": {F: "reject", U: "review", N: "review"},
        "document.forgery.recapture": {F: "review", U: "review", N: "review"},
        "face.match": {F: "reject", U: "review", N: "review"},
        "selfie.liveness": {F: "review", U: "review", N: "review"},
    }
    others = [f for f in case() if f.check not in checks and f.check != "document.forgery.ghost"]
    seen = set()
    for outcomes in itertools.product((P, F, U, N), repeat=len(checks)):
        by_check = dict(zip(checks, outcomes, strict=True))
        effects = {check: checks[check][outcome] for check, outcome in by_check.items() if outcome is not P}
        if effects.get("document.dates") == "reject":
            expected = "reject"
        elif effects.get("selfie.quality") == "retry":
            expected = "retry"
        elif "reject" in effects.values():
            expected = "reject"
        else:
            expected = "review" if effects else "accept"
        verdict = run("default", [*others, *(finding(check, outcome) for check, outcome in by_check.items())])
        assert verdict.decision == expected, by_check
        assert bool(verdict.reasons) is bool(effects)
        seen.add(expected)
    assert seen == {"accept", "review", "retry", "reject"}


ANY_CHECK = st.sampled_from(
    [*DOCUMENT_CHECKS, "selfie.liveness", "reference.face", "reference.quality", "document.quality", "room.unheard_of"]
)
ANY_FINDING = st.builds(finding, ANY_CHECK, st.sampled_from(Outcome))
ANY_CASE = st.lists(ANY_FINDING, max_size=12).map(lambda extra: [*case(), *extra]) | st.lists(ANY_FINDING, max_size=14)
ANY_POLICY = st.sampled_from(bundled_policies())


@settings(max_examples=120, deadline=None)
@given(ANY_POLICY, ANY_CASE, ANY_CHECK)
def test_a_further_failing_finding_never_moves_towards_accept(name: str, findings: list[Finding], check: str) -> None:
    before = run(name, findings).decision
    after = run(name, [*findings, finding(check, F)]).decision
    assert DISTANCE[after] >= DISTANCE[before]


@settings(max_examples=120, deadline=None)
@given(ANY_POLICY, ANY_CASE, st.data())
def test_a_check_that_fails_instead_never_moves_towards_accept(
    name: str, findings: list[Finding], data: st.DataObject
) -> None:
    if not findings:
        return
    index = data.draw(st.integers(0, len(findings) - 1))
    worse = [*findings[:index], finding(findings[index].check, F), *findings[index + 1 :]]
    assert DISTANCE[run(name, worse).decision] >= DISTANCE[run(name, findings).decision]


@settings(max_examples=120, deadline=None)
@given(ANY_POLICY, ANY_CASE, st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_matter_and_the_same_case_ends_the_same(
    name: str, findings: list[Finding], random: Any
) -> None:
    shuffled = list(findings)
    random.shuffle(shuffled)
    assert run(name, findings) == run(name, shuffled)


@settings(max_examples=120, deadline=None)
@given(ANY_POLICY, ANY_CASE)
def test_every_verdict_explains_itself_in_plain_words(name: str, findings: list[Finding]) -> None:
    verdict = run(name, findings)
    assert verdict.headline.startswith(verdict.decision)
    assert verdict.next_steps
    assert (verdict.decision is Decision.ACCEPT) or verdict.reasons
    assert not re.search(r"\d", verdict.summary)
    assert not re.search(r"FMR|MRZ|template|threshold|score|embedding|cosine|liveness|\bid\b", verdict.summary, re.I)
    assert all(text.endswith(".") for text in (verdict.summary, *verdict.next_steps))
    assert len(set(verdict.reasons)) == len(verdict.reasons)
    assert [entry.layer for entry in verdict.assurance] == ["capture", "document", "forgery", "face_match", "liveness"]


def test_heavier_reasons_come_first_and_advice_follows_the_decision() -> None:
    verdict = run("default", case(face__match=F, document__dates=F, selfie__quality=F, document__mrz=U))
    assert verdict.decision is Decision.REJECT
    codes = [reason.code for reason in verdict.reasons]
    assert codes == [
        "document.dates.because",  # stands
        "selfie.quality.because",  # retry
        "face.match.because",  # disputed by the bad selfie
        "document.mrz.because",  # review, abstained
        "selfie.liveness.not_run",  # review, missing
    ]
    assert verdict.next_steps[0] == "Mend document.dates."
    assert "Mend face.match." not in verdict.next_steps
    retry = run("default", case(face__match=F, selfie__quality=F))
    assert retry.next_steps == ("Mend selfie.quality.",)


def test_quality_below_the_policy_fails_though_the_check_passed() -> None:
    findings = [replace(f, score=19.0) if f.check == "selfie.quality" else f for f in case()]
    verdict = run("no-liveness", findings)
    assert verdict.decision is Decision.RETRY
    assert verdict.reasons[0].code == "decide.quality_below_policy"
    assert verdict.next_steps[0].startswith("Take the picture again")
    at_limit = [replace(f, score=20.0) if f.check == "selfie.quality" else f for f in case()]
    assert run("no-liveness", at_limit).decision is Decision.ACCEPT


@pytest.mark.parametrize(
    ("operating_point", "code"),
    [
        (None, "decide.no_operating_point"),
        (point(1e-3), "decide.operating_point_too_weak"),
        (point(1e-4, population="all-pairs"), "decide.operating_point_population"),
        (point(1e-4, extrapolated=True), "decide.operating_point_not_allowed"),
    ],
)
def test_a_match_at_another_operating_point_than_asked_for_is_unsure(
    operating_point: OperatingPoint | None, code: str
) -> None:
    findings = [replace(f, operating_point=operating_point) if f.check == "face.match" else f for f in case()]
    verdict = run("no-liveness", findings)
    assert verdict.decision is Decision.REVIEW
    assert verdict.reasons[0].code == code
    assert verdict.finding("face.match").outcome is U


def test_an_indicative_or_extrapolated_point_is_said() -> None:
    findings = [
        replace(f, operating_point=point(1e-4, indicative=True)) if f.check == "face.match" else f for f in case()
    ]
    verdict = run("no-liveness", findings)
    assert verdict.decision is Decision.ACCEPT
    assert [reason.code for reason in verdict.reasons] == ["decide.operating_point_indicative"]
    match = next(entry for entry in verdict.assurance if entry.layer == "face_match")
    assert (match.validated, "indicative" in match.note) == ("real", True)

    rules = load_policy("no-liveness")
    allowing = rules.model_copy(update={"face_match": rules.face_match.model_copy(update={"allow_extrapolated": True})})
    stretched = [
        replace(f, operating_point=point(1e-4, extrapolated=True)) if f.check == "face.match" else f for f in case()
    ]
    verdict = run(allowing, stretched)
    assert verdict.decision is Decision.ACCEPT
    assert [reason.code for reason in verdict.reasons] == ["decide.operating_point_extrapolated"]
    match = next(entry for entry in verdict.assurance if entry.layer == "face_match")
    assert (match.validated, "extrapolated" in match.note) == ("none", True)


def test_one_model_behind_everything_never_accepts() -> None:
    findings = [replace(f, model_ids=("only/one@1",)) for f in case()]
    verdict = run("no-liveness", findings)
    assert verdict.decision is Decision.REVIEW
    assert verdict.reasons[0].code == "decide.single_model"


@pytest.mark.parametrize("name", bundled_policies())
def test_no_layer_suffices_alone(name: str) -> None:
    assert layers_that_accept_alone(load_policy(name)) == []


def test_a_layer_that_would_suffice_alone_is_found() -> None:
    rules = load_policy("no-liveness")
    waived = rules.layers.liveness
    layers = rules.layers.model_copy(update={"capture": waived, "document": waived, "forgery": waived})
    assert layers_that_accept_alone(rules.model_copy(update={"layers": layers})) == ["face_match"]
    layers = layers.model_copy(update={"face_match": waived})
    assert "nothing" in layers_that_accept_alone(rules.model_copy(update={"layers": layers}))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_layers_that_suffice_alone_agree_with_playing_every_combination(data: st.DataObject) -> None:
    rules = load_policy("no-liveness")
    consequences = st.sampled_from([Decision.ACCEPT, Decision.REVIEW])
    changes = {
        name: getattr(rules.layers, name).model_copy(
            update={
                "requirement": data.draw(st.sampled_from(["must_pass", "may_abstain", "waived"])),
                "on_abstention": data.draw(consequences),
                "on_absence": data.draw(consequences),
            }
        )
        for name, _ in rules.layers.items()
    }
    trial = rules.model_copy(update={"layers": rules.layers.model_copy(update=changes)})
    accepting = []
    for alone in ("nothing", *changes):
        others = [name for name in changes if name != alone]
        for outcomes in itertools.product((N, U), repeat=len(others)):
            by_layer = dict(zip(others, outcomes, strict=True))
            findings = [
                finding(check.replace("*", "any"), by_layer.get(name, P))
                for name, layer in changes.items()
                for check in layer.checks
            ]
            if combine(judge(trial, findings)) is Decision.ACCEPT:
                accepting.append(alone)
                break
    expected = ["nothing"] if "nothing" in accepting else accepting
    assert layers_that_accept_alone(trial) == expected


def test_a_failing_check_that_no_layer_knows_leads_to_review() -> None:
    verdict = run("no-liveness", [*case(), finding("room.unheard_of", F)])
    assert verdict.decision is Decision.REVIEW
    assert run("no-liveness", [*case(), finding("room.unheard_of", P)]).decision is Decision.ACCEPT


def test_an_informational_check_is_shown_and_decides_nothing() -> None:
    verdict = run("no-liveness", [*case(), finding("document.quality", F, score=1.0)])
    assert verdict.decision is Decision.ACCEPT
    assert verdict.finding("document.quality").outcome is F


@pytest.mark.parametrize("name", ["default", "strict", "no-liveness"])
def test_a_zone_that_could_not_be_read_asks_for_another_picture(name: str) -> None:
    advice = "Show the side with the lines."
    unread = finding("document.mrz", U, reasons=(Reason("document.mrz_not_found", "Not found.", advice),))
    others = [entry for entry in case(document__dates=N, document__consistency=N) if entry.check != "document.mrz"]
    verdict = run(name, [*others, unread])
    assert verdict.decision is Decision.RETRY
    assert verdict.next_steps == (advice,)
    wrong = finding("document.mrz", F, reasons=(Reason("document.check_digit", "Check digits disagree."),))
    assert run(name, [*others, wrong]).decision is Decision.REVIEW


def test_a_reason_code_can_weigh_more_than_its_check() -> None:
    rules = load_policy("no-liveness")
    heavier = rules.model_copy(update={"reasons": {"document.consistency.because": Decision.REJECT}})
    assert run(rules, case(document__consistency=F)).decision is Decision.REVIEW
    assert run(heavier, case(document__consistency=F)).decision is Decision.REJECT
    assert run(heavier, case(document__consistency=U)).decision is Decision.REJECT
    assert run(heavier, case()).decision is Decision.ACCEPT


def test_models_timings_and_policy_are_on_the_verdict() -> None:
    verdict = run("no-liveness", case(), model_ids=("z/last@1",), timings={"selfie.decode": 1.5})
    assert verdict.model_ids == ("face/a@1", "face/b@1", "z/last@1")
    assert dict(verdict.timings) == {"selfie.decode": 1.5}
    rules = load_policy("no-liveness")
    assert (verdict.policy_id, verdict.policy_version, verdict.policy_sha256) == ("no-liveness", 1, rules.digest)
    assert (verdict.case_id, verdict.created) == ("case-1", NOW)
    assert decide(rules, case(), case_id="x").created.tzinfo is UTC


def test_validated_is_the_weakest_ground_of_a_layer() -> None:
    findings = [
        replace(f, details={"validated": "real"}) if f.check in ("document.page", "document.mrz") else f for f in case()
    ]
    ground = {entry.layer: entry.validated for entry in run("default", findings).assurance}
    assert ground == {
        "capture": "none",
        "document": "synthetic",
        "forgery": "synthetic",
        "face_match": "real",
        "liveness": "none",
    }
