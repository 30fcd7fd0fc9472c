"""The bundled policy that asks for a challenge: what it makes of one that was failed, missing, or hardly seen."""

from __future__ import annotations

import pytest

from samebody.decide import decide, load_policy
from samebody.decide.policy import Policy
from samebody.types import Decision, Finding, OperatingPoint, Outcome, Reason, Verdict

POLICY = "active-liveness"
ACTIVE = tuple(f"selfie.liveness.{name}" for name in ("pose", "parallax", "flash", "timing", "identity", "frames"))
OTHERS = (
    *("selfie.face", "selfie.quality", "document.face", "selfie.injection", "selfie.liveness"),
    *("document.page", "document.mrz", "document.dates", "document.consistency", "document.forgery.noise"),
)


def run(policy: Policy | str = POLICY, *replaced: Finding, left_out: tuple[str, ...] = ()) -> Verdict:
    point = OperatingPoint(1e-5, 0.5, 1e-5, "matched-adults", "set", 1000, 100, 50, 40.0, (0.0, 1e-3))
    findings = {
        check: Finding(check, Outcome.PASS, model_ids=(f"model/{check}@1",), details={"validated": "real"})
        for check in (*OTHERS, *ACTIVE)
        if check not in left_out
    }
    findings["face.match"] = Finding("face.match", Outcome.PASS, operating_point=point, model_ids=("face/x@1",))
    findings |= {each.check: each for each in replaced}
    rules = load_policy(policy) if isinstance(policy, str) else policy
    return decide(rules, findings.values(), case_id="case-1")


def because(check: str, outcome: Outcome, code: str) -> Finding:
    return Finding(check, outcome, reasons=(Reason(code, "."),), details={"validated": "synthetic"})


def test_everything_passed_is_accepted_and_default_does_not_ask_for_it() -> None:
    assert run().decision is Decision.ACCEPT
    assert not any("selfie.liveness." in check or "injection" in check for check in asked("default"))
    assert set(ACTIVE) | {"selfie.injection"} <= asked(POLICY)


def asked(name: str) -> set[str]:
    return {check for _, layer in load_policy(name).layers.items() for check in layer.checks}


def test_passes_that_rest_on_generated_motion_go_to_a_person_unless_the_policy_says_otherwise() -> None:
    passed = [Finding(check, Outcome.PASS, details={"validated": "synthetic"}) for check in ACTIVE]
    verdict = run(POLICY, *passed)
    assert verdict.decision is Decision.REVIEW
    assert {each.code for each in verdict.reasons} == {"decide.pad_not_validated"}
    trusting = load_policy(POLICY).model_copy(update={"allow_unvalidated_pad": True})
    assert run(trusting, *passed).decision is Decision.ACCEPT


@pytest.mark.parametrize("trusting", [False, True])
@pytest.mark.parametrize("name", ["pose", "parallax", "flash", "timing", "identity"])
def test_a_failed_challenge_is_rejected_with_its_reason(name: str, trusting: bool) -> None:
    policy = load_policy(POLICY).model_copy(update={"allow_unvalidated_pad": trusting})
    verdict = run(policy, because(f"selfie.liveness.{name}", Outcome.FAIL, f"attacks.{name}_failed"))
    assert verdict.decision is Decision.REJECT
    assert verdict.reasons[0].code == f"attacks.{name}_failed"


@pytest.mark.parametrize("check", ["selfie.liveness", "selfie.liveness.frames", "selfie.injection"])
def test_an_alarm_without_figures_from_real_attacks_calls_a_person(check: str) -> None:
    assert run(POLICY, because(check, Outcome.FAIL, "attacks.some")).decision is Decision.REVIEW


def test_a_challenge_that_is_missing_goes_to_a_person() -> None:
    never_drawn = run(left_out=ACTIVE)
    assert never_drawn.decision is Decision.REVIEW
    assert "selfie.liveness.pose.not_run" in [each.code for each in never_drawn.reasons]
    unanswered = run(POLICY, *(because(check, Outcome.NOT_RUN, "attacks.active_not_answered") for check in ACTIVE))
    assert unanswered.decision is Decision.REVIEW
    declined = run(POLICY, because("selfie.liveness.flash", Outcome.NOT_RUN, "attacks.flash_declined"))
    assert declined.decision is Decision.REVIEW


@pytest.mark.parametrize(
    ("check", "code"),
    [
        ("selfie.liveness.pose", "attacks.active_face_lost"),
        ("selfie.liveness.timing", "attacks.timing_incomplete"),
        ("selfie.liveness.timing", "attacks.timing_sparse"),
        ("selfie.liveness.flash", "attacks.flash_few_frames"),
    ],
)
def test_what_was_hardly_seen_is_asked_for_again(check: str, code: str) -> None:
    assert run(POLICY, because(check, Outcome.UNSURE, code)).decision is Decision.RETRY
    failed = because("selfie.liveness.parallax", Outcome.FAIL, "attacks.parallax_flat")
    assert run(POLICY, because(check, Outcome.UNSURE, code), failed).decision is Decision.REJECT
