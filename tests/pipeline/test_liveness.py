"""The passive detector within a case: asked where the policy asks, never the reason of an accept until validated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from samebody.attacks.pad import PassivePad
from samebody.decide import load_policy
from samebody.face import FaceAnalysis
from samebody.pipeline.attacks import asks_for_liveness, selfie_liveness
from samebody.pipeline.verify import Verifier
from samebody.types import Outcome

pytestmark = pytest.mark.weights


def test_default_runs_the_check_and_sends_a_genuine_case_to_a_person(verifier: Verifier, pictures: Any) -> None:
    case = verifier.verify(selfie=pictures.selfie, document=pictures.document, policy="default")
    found = case.trace["selfie.liveness"]
    assert found.check == "selfie.liveness" and found.outcome is not Outcome.NOT_RUN
    assert found.details["validated"] == "synthetic"
    assert "attacks/pad-passive@1" in case.verdict.model_ids
    assert case.decision.value in ("review", "retry")
    layer = next(entry for entry in case.verdict.assurance if entry.layer == "liveness")
    assert layer.checks == ("selfie.liveness",) and layer.note == "Present, not validated on real attacks."
    assert "selfie.liveness" in case.verdict.timings


def test_a_policy_without_liveness_does_not_run_it(verifier: Verifier, pictures: Any) -> None:
    case = verifier.verify(selfie=pictures.selfie, document=pictures.document, policy="no-liveness")
    assert "selfie.liveness" not in case.trace
    assert not asks_for_liveness(load_policy("no-liveness")) and asks_for_liveness(load_policy("default"))


def test_without_a_face_the_check_is_not_run() -> None:
    analysis = FaceAnalysis((), None, None, None, None, None, (), {})
    image: Any = SimpleNamespace(pixels=None)
    found = selfie_liveness(PassivePad(), image, analysis)
    assert found.outcome is Outcome.NOT_RUN
    assert [reason.code for reason in found.reasons] == ["attacks.pad_no_face"]
