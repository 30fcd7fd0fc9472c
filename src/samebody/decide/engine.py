"""Turn findings into a verdict: what a policy makes of each check, and which consequence wins.

**Consequences.** Every finding has a consequence by the policy: accept, review, retry or reject.

**Precedence.** In this order:

1. A *reject* that stands makes the case ``reject``. It stands unless a check that judges the picture it rests on
   (:data:`JUDGES`) itself leads to *retry*: nobody is turned away because of a picture that was too bad to judge.
   So a face that does not match in a blurred selfie is ``retry``, and a forged document beside a blurred selfie is
   ``reject``, because the document's picture was good.
2. Otherwise any *retry* makes it ``retry``: a person who reviews a bad picture can only ask for a better one.
3. Otherwise any *review* makes it ``review``.
4. Otherwise ``accept``, provided that more than one layer passed on more than one model.

**Distance from accept.** accept 0, review 1, retry 2, reject 2: a retry starts a new case from nothing, so it
brings nobody closer to an accept than a rejection does. With that order a further failing finding never moves a
decision towards accept (held by a property test).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from samebody.decide import wording
from samebody.decide.policy import LAYERS, SEVERITY, Layer, Policy, layer_of
from samebody.types import (
    Decision,
    Finding,
    LayerAssurance,
    LayerStatus,
    OperatingPoint,
    Outcome,
    Reason,
    Verdict,
)

JUDGES: Mapping[str, tuple[str, ...]] = {
    "selfie.face": ("selfie.*", "face.match"),
    "selfie.quality": ("selfie.*", "face.match"),
    "reference.face": ("reference.*", "face.match"),
    "reference.quality": ("reference.*", "face.match"),
    "document.face": ("face.match",),
    "document.quality": ("face.match",),
    "document.page": ("document.*", "face.match"),
}
"""Checks that judge a picture, and the checks that rest on that picture."""

DISTANCE: Mapping[Decision, int] = {Decision.ACCEPT: 0, Decision.REVIEW: 1, Decision.RETRY: 2, Decision.REJECT: 2}
"""How far a decision is from accept."""

_LAYER_WEIGHT = {"forgery": 0, "face_match": 1, "liveness": 2, "document": 3, "capture": 4, None: 5}
_OUTCOME_WORDS = {
    Outcome.FAIL: "failed without saying why",
    Outcome.UNSURE: "abstained without saying why",
    Outcome.NOT_RUN: "was asked for and did not run",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding with what the policy makes of it.

    Attributes:
        finding: the finding, with what the policy itself had to object.
        layer: the layer it stands for, None when no layer knows the check.
        consequence: what it leads to.
        disputed: a reject that rests on a picture which has to be taken again.
        decides: False for informational checks.
    """

    finding: Finding
    layer: str | None
    consequence: Decision
    disputed: bool = False
    decides: bool = True

    @property
    def weight(self) -> int:
        """How heavy its reasons are: standing reject 4, retry 3, disputed reject 2, review 1, nothing 0."""
        if self.disputed:
            return 2
        return {Decision.REJECT: 4, Decision.RETRY: 3, Decision.REVIEW: 1, Decision.ACCEPT: 0}[self.consequence]


def decide(
    policy: Policy,
    findings: Iterable[Finding],
    *,
    case_id: str,
    model_ids: Iterable[str] = (),
    timings: Mapping[str, float] | None = None,
    created: datetime | None = None,
) -> Verdict:
    """The verdict of ``policy`` over ``findings``; their order does not matter.

    Checks that the policy asks for and that are missing count as ``not_run``. Deterministic but for ``created``,
    which is now (UTC) unless given.
    """
    judged = judge(policy, findings)
    decision = combine(judged)
    notes: list[Reason] = []
    if decision is Decision.ACCEPT and len(_sources(judged)) < 2:
        decision = Decision.REVIEW
        notes.append(
            Reason("decide.single_model", "Only one model stands behind this case, and none may accept alone.")
        )
    assurance = tuple(_assure(name, layer, judged) for name, layer in policy.layers.items())
    ordered = sorted((entry for entry in judged if entry.decides), key=_reason_order)
    reasons = [*notes, *(reason for entry in ordered for reason in _reasons(entry)), *_operating_point_notes(ordered)]
    deciding = [entry for entry in ordered if entry.weight > 0]
    heaviest = deciding[0].layer if deciding and not notes else None
    advice = [reason.advice for entry in deciding if _moves(entry, decision) for reason in entry.finding.reasons]
    return Verdict(
        decision=decision,
        headline=wording.headline(decision, assurance, heaviest),
        summary=wording.summary(decision, assurance),
        reasons=tuple(dict.fromkeys(reasons)),
        next_steps=wording.next_steps(decision, advice),
        assurance=assurance,
        findings=tuple(entry.finding for entry in judged),
        policy_id=policy.id,
        policy_version=policy.version,
        policy_sha256=policy.digest,
        model_ids=tuple(sorted({*model_ids, *(m for entry in judged for m in entry.finding.model_ids)})),
        timings=dict(timings or {}),
        case_id=case_id,
        created=created or datetime.now(UTC),
    )


def judge(policy: Policy, findings: Iterable[Finding]) -> tuple[Judged, ...]:
    """Every finding, and every check that was asked for and is missing, with its consequence; in a fixed order."""
    present = [_with_objections(policy, finding) for finding in findings]
    complete = [*present, *_missing(policy, present)]
    passed_layers = {
        policy.layer_for(finding.check)
        for finding in complete
        if finding.outcome is Outcome.PASS and not policy.is_informational(finding.check)
    }
    judged = [_judge_one(policy, finding, passed_layers) for finding in complete]
    disputed = {
        pattern
        for entry in judged
        if entry.decides and entry.consequence is Decision.RETRY
        for pattern in JUDGES.get(entry.finding.check, ())
    }
    settled = [
        replace(entry, disputed=True)
        if entry.consequence is Decision.REJECT and _fits(entry.finding.check, disputed)
        else entry
        for entry in judged
    ]
    return tuple(sorted(settled, key=_canonical_order))


def combine(judged: Iterable[Judged]) -> Decision:
    """The decision by precedence (see the module's first lines)."""
    weight = max((entry.weight for entry in judged if entry.decides), default=0)
    # A disputed reject never stands without the retry that disputes it, so weight 2 cannot be the heaviest.
    return {4: Decision.REJECT, 3: Decision.RETRY, 1: Decision.REVIEW, 0: Decision.ACCEPT}[weight]


def layers_that_accept_alone(policy: Policy) -> list[str]:
    """Layers of which one would suffice for an accept by itself.

    Played through with the same rules that decide a case: a layer *holds back* an accept when one of its checks, not
    run or abstaining (whichever is milder), leads to anything else. When a single layer holds back, that layer
    passing alone accepts, so it is the answer; when none does, ``"nothing"`` is. A usable policy gives an empty list.
    """
    mildest: dict[tuple[str | None, str], Decision] = {}
    for outcome in (Outcome.NOT_RUN, Outcome.UNSURE):
        checks = [check for _, layer in policy.layers.items() for check in layer.checks]
        for entry in judge(policy, [Finding(check.replace("*", "any"), outcome) for check in checks]):
            key = (entry.layer, entry.finding.check)
            mildest[key] = min(
                mildest.get(key, entry.consequence), entry.consequence, key=lambda decision: SEVERITY[decision]
            )
    holding = {layer for (layer, _), consequence in mildest.items() if consequence is not Decision.ACCEPT}
    return [name for name in LAYERS if name in holding] if len(holding) == 1 else [] if holding else ["nothing"]


def _with_objections(policy: Policy, finding: Finding) -> Finding:
    """Hold ``finding`` against what the policy asks beyond the check's own outcome."""
    if finding.check == "face.match" and finding.outcome is Outcome.PASS:
        objection = _operating_point_objection(policy, finding.operating_point)
        if objection:
            return replace(finding, outcome=Outcome.UNSURE, reasons=(objection, *finding.reasons))
    if _unvalidated_pass(finding) and not policy.allow_unvalidated_pad:
        return replace(finding, outcome=Outcome.UNSURE, reasons=(_NOT_VALIDATED, *finding.reasons))
    role, _, kind = finding.check.rpartition(".")
    minimum = policy.minimum_quality.get(role)
    below = kind == "quality" and minimum is not None and finding.score is not None and finding.score < minimum
    if below and finding.outcome in (Outcome.PASS, Outcome.UNSURE):
        message = f"The quality of the {role} is {finding.score:g} of 100; the policy asks for {minimum} at least."
        advice = "Take the picture again in even light, look straight into the camera and hold it still."
        reason = Reason("decide.quality_below_policy", message, advice)
        return replace(finding, outcome=Outcome.FAIL, reasons=(*finding.reasons, reason))
    return finding


_NOT_VALIDATED = Reason(
    "decide.pad_not_validated",
    "The picture passed the check for prints, screens and masks, whose error rates were not measured on real attacks.",
)


def _unvalidated_pass(finding: Finding) -> bool:
    """Whether a liveness check passed without error rates on real attacks behind it."""
    passed = layer_of(finding.check) == "liveness" and finding.outcome is Outcome.PASS
    return passed and finding.details.get("validated") != "real"


def _operating_point_objection(policy: Policy, point: OperatingPoint | None) -> Reason | None:
    wanted = policy.face_match
    if point is None:
        return Reason("decide.no_operating_point", "The face match passed without saying at which operating point.")
    if point.fmr > wanted.fmr * (1 + 1e-9):
        return Reason(
            "decide.operating_point_too_weak",
            f"The faces were compared at FMR {point.fmr:g}; the policy asks for {wanted.fmr:g}.",
        )
    if point.population != wanted.population:
        return Reason(
            "decide.operating_point_population",
            f"The operating point was measured on {point.population}; the policy asks for {wanted.population}.",
        )
    if point.extrapolated and not wanted.allow_extrapolated:
        return Reason(
            "decide.operating_point_not_allowed",
            "The operating point is extrapolated, which the policy does not allow.",
        )
    return None


def _missing(policy: Policy, findings: Sequence[Finding]) -> Iterator[Finding]:
    for name, layer in policy.layers.items():
        if layer.requirement == "waived":
            continue
        for check in layer.checks:
            if not any(fnmatch.fnmatchcase(finding.check, check) for finding in findings):
                noun = wording.LAYER_NOUNS[name]
                message = f"{check} ({noun}) was asked for by the policy and did not run."
                yield Finding(check, Outcome.NOT_RUN, reasons=(Reason(_code(check, Outcome.NOT_RUN), message),))


def _judge_one(policy: Policy, finding: Finding, passed_layers: set[str | None]) -> Judged:
    check, outcome = finding.check, finding.outcome
    layer_name = policy.layer_for(check)
    if policy.is_informational(check):
        return Judged(finding, layer_name, Decision.ACCEPT, decides=False)
    if layer_name is None:
        doubtful = outcome in (Outcome.FAIL, Outcome.UNSURE)
        return Judged(finding, None, Decision.REVIEW if doubtful else Decision.ACCEPT)
    layer: Layer = getattr(policy.layers, layer_name)
    consequence = _consequence(policy, layer, check, outcome, layer_name in passed_layers)
    counts = outcome is Outcome.FAIL or (outcome is Outcome.UNSURE and layer.requirement != "waived")
    if counts:
        by_reason = [policy.reasons[reason.code] for reason in finding.reasons if reason.code in policy.reasons]
        consequence = max([consequence, *by_reason], key=lambda decision: SEVERITY[decision])
    return Judged(finding, layer_name, consequence)


def _consequence(policy: Policy, layer: Layer, check: str, outcome: Outcome, layer_passed: bool) -> Decision:
    if outcome is Outcome.PASS:
        return Decision.ACCEPT
    rule = policy.rule_for(check)
    explicit = {
        Outcome.FAIL: rule.on_failure if rule else None,
        Outcome.UNSURE: rule.on_abstention if rule else None,
        Outcome.NOT_RUN: rule.on_absence if rule else None,
    }[outcome]
    if outcome is Outcome.FAIL:
        return explicit or layer.on_failure
    asked_for = _fits(check, layer.checks)
    if layer.requirement == "waived" or not asked_for:
        return Decision.ACCEPT
    if explicit is not None:
        return explicit
    if layer.requirement == "may_abstain" and layer_passed:
        return Decision.ACCEPT
    return layer.consequence(outcome)


def _assure(name: str, layer: Layer, judged: Sequence[Judged]) -> LayerAssurance:
    mine = [entry for entry in judged if entry.layer == name and entry.decides]
    ran = [entry for entry in mine if entry.finding.outcome is not Outcome.NOT_RUN]
    outcomes = {entry.finding.outcome for entry in ran}
    open_ends = any(entry.consequence is not Decision.ACCEPT for entry in mine)
    status: LayerStatus
    if Outcome.FAIL in outcomes:
        status = "failed"
    elif Outcome.PASS in outcomes and not open_ends and (layer.requirement != "waived" or outcomes == {Outcome.PASS}):
        status = "passed"
    elif layer.requirement == "waived":
        status = "waived"
    else:
        status = "unsure" if ran else "absent"
    return LayerAssurance(
        layer=name,
        status=status,
        checks=tuple(entry.finding.check for entry in ran),
        validated=_validated(name, ran),
        note=_note(name, status, layer, ran),
    )


def _validated(layer: str, ran: Sequence[Judged]) -> Literal["real", "synthetic", "none"]:
    """The weakest ground that the layer's checks were measured on.

    A finding may say it in ``details["validated"]``. Otherwise a face match is ``real`` when it carries a measured
    operating point, and document and forgery checks are ``synthetic``, as they were measured on rendered specimens.
    """
    ranked: tuple[Literal["none", "synthetic", "real"], ...] = ("none", "synthetic", "real")
    said = []
    for entry in ran:
        point = entry.finding.operating_point
        default = "synthetic" if layer in ("document", "forgery") else "none"
        if layer == "face_match":
            default = "real" if point is not None and not point.extrapolated else "none"
        value = entry.finding.details.get("validated", default)
        said.append(ranked.index(value) if value in ranked else 0)
    return ranked[min(said, default=0)]


def _note(name: str, status: LayerStatus, layer: Layer, ran: Sequence[Judged]) -> str:
    if status == "waived":
        return "The policy does not ask for this layer."
    if status == "absent":
        return "No check of this layer ran."
    if name == "liveness" and _validated(name, ran) != "real":
        return "Present, not validated on real attacks."
    points = [entry.finding.operating_point for entry in ran if entry.finding.operating_point is not None]
    if any(point.extrapolated for point in points):
        return "The operating point lies beyond the measured tail: it is extrapolated."
    if any(point.indicative for point in points):
        return "The operating point rests on few errors: it is indicative."
    tolerated = [
        e.finding.check for e in ran if e.finding.outcome is Outcome.UNSURE and e.consequence is Decision.ACCEPT
    ]
    if tolerated and status == "passed":
        return f"Abstained, as the policy allows: {', '.join(tolerated)}."
    return "Not asked for, but failed." if layer.requirement == "waived" and status == "failed" else ""


def _sources(judged: Sequence[Judged]) -> set[str]:
    """What stands behind the passed checks: the models they name, or the check itself where no model is used."""
    passed = [entry for entry in judged if entry.decides and entry.finding.outcome is Outcome.PASS]
    return {source for entry in passed for source in (entry.finding.model_ids or (entry.finding.check,))}


def _reasons(entry: Judged) -> tuple[Reason, ...]:
    finding = entry.finding
    if finding.outcome is Outcome.PASS or (finding.outcome is Outcome.NOT_RUN and entry.weight == 0):
        return ()
    if finding.reasons:
        return finding.reasons
    return (Reason(_code(finding.check, finding.outcome), f"{finding.check} {_OUTCOME_WORDS[finding.outcome]}."),)


def _operating_point_notes(ordered: Sequence[Judged]) -> Iterator[Reason]:
    for entry in ordered:
        if _unvalidated_pass(entry.finding):  # the policy allows it; the verdict still says so
            yield _NOT_VALIDATED
        point = entry.finding.operating_point
        if point is None:
            continue
        where = f"{entry.finding.check} was held against FMR {point.fmr:g} on {point.population}"
        if point.indicative:
            yield Reason(
                "decide.operating_point_indicative",
                f"{where}, a point measured with {point.effective_errors:.1f} effective errors: it is indicative.",
            )
        if point.extrapolated:
            yield Reason(
                "decide.operating_point_extrapolated", f"{where}, beyond the measured tail: it is extrapolated."
            )


def _moves(entry: Judged, decision: Decision) -> bool:
    """Whether advice of ``entry`` helps after ``decision``: it must have led there itself."""
    return entry.consequence is decision and not entry.disputed


def _code(check: str, outcome: Outcome) -> str:
    return f"{check.removesuffix('.*')}.{outcome}"


def _fits(check: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(check, pattern) for pattern in patterns)


def _reason_order(entry: Judged) -> tuple[int, int, int]:
    """Heavier consequences first; then what failed, what abstained, what is missing; then by layer.

    Sorting is stable, so that the rest stays in the canonical order that :func:`judge` gives.
    """
    outcome = (Outcome.FAIL, Outcome.UNSURE, Outcome.NOT_RUN, Outcome.PASS).index(entry.finding.outcome)
    return (-entry.weight, outcome, _LAYER_WEIGHT[entry.layer])


def _canonical_order(entry: Judged) -> tuple[int, str, str]:
    """A total order that does not depend on the order of the findings handed over."""
    place = LAYERS.index(entry.layer) if entry.layer in LAYERS else len(LAYERS)
    return (place, entry.finding.check, repr(entry.finding))
