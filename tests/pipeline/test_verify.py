"""The main job on real photographs: who passes, who does not, and what the verdict says."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

import samebody
from samebody.capture import decode_image
from samebody.errors import InputError, NotMeasuredError, UsageError
from samebody.pipeline.verify import Verification, Verifier
from samebody.types import Decision, Image, Outcome
from tests.pipeline.conftest import Pictures

pytestmark = [pytest.mark.weights, pytest.mark.xdist_group("pipeline")]


def test_a_genuine_pair_is_accepted_where_liveness_is_waived_and_says_so(genuine: Verification) -> None:
    verdict = genuine.verdict
    assert verdict.decision is Decision.ACCEPT, [f for f in verdict.findings if f.outcome is not Outcome.PASS]
    assert verdict.headline == "accept, without liveness"
    assert verdict.finding("face.match").operating_point is not None
    assert {layer.layer: layer.status for layer in verdict.assurance}["liveness"] in ("waived", "absent")


def test_the_default_policy_leaves_a_genuine_pair_to_a_person(verifier: Verifier, pictures: Pictures) -> None:
    verdict = verifier.verify(selfie=pictures.selfie, document=pictures.document).verdict
    assert verdict.decision is Decision.REVIEW
    assert verdict.finding("face.match").outcome is Outcome.PASS
    assert any(".pad_" in reason.code for reason in verdict.reasons)
    assert verdict.finding("selfie.liveness").outcome is not Outcome.PASS


def test_an_impostor_is_rejected(verifier: Verifier, pictures: Pictures) -> None:
    verdict = verifier.verify(selfie=pictures.impostor, document=pictures.document, policy="no-liveness").verdict
    assert verdict.decision is Decision.REJECT
    assert verdict.finding("face.match").outcome is Outcome.FAIL


def test_every_stage_ran_once_and_is_timed(genuine: Verification) -> None:
    stages = [entry.stage for entry in genuine.trace]
    assert len(stages) == len(set(stages))
    assert {"selfie.decode", "selfie.face", "document.read", "document.forgery", "face.match"} <= set(stages)
    assert genuine.verdict.timings["total"] > 0
    assert any(model.startswith("face/sface@") for model in genuine.verdict.model_ids)
    assert any(model.startswith("document/") for model in genuine.verdict.model_ids)


def test_the_same_case_gives_the_same_findings(verifier: Verifier, pictures: Pictures, genuine: Verification) -> None:
    again = verifier.verify(selfie=pictures.selfie, document=pictures.document, policy="no-liveness")
    first = [(f.check, f.outcome, f.score, f.reasons) for f in genuine.verdict.findings]
    assert sorted(map(str, first)) == sorted(
        map(str, ((f.check, f.outcome, f.score, f.reasons) for f in again.verdict.findings))
    )


def test_bytes_arrays_and_paths_mean_the_same(verifier: Verifier, pictures: Pictures, genuine: Verification) -> None:
    selfie = decode_image(pictures.selfie)
    for given in (pictures.selfie.read_bytes(), selfie.pixels, selfie):
        case = verifier.verify(selfie=given, document=pictures.document.read_bytes(), policy="no-liveness")
        assert case.verdict.finding("face.match").score == pytest.approx(genuine.verdict.finding("face.match").score)


def test_a_selfie_without_a_face_asks_for_another_picture(verifier: Verifier, pictures: Pictures) -> None:
    blank = Image(np.full((600, 500, 3), 128, np.uint8))
    verdict = verifier.verify(selfie=blank, document=pictures.document, policy="no-liveness").verdict
    assert verdict.decision is Decision.RETRY
    assert verdict.next_steps
    assert verdict.finding("face.match").outcome is Outcome.NOT_RUN


def test_a_picture_that_is_no_document_never_accepts(verifier: Verifier, pictures: Pictures) -> None:
    verdict = verifier.verify(selfie=pictures.selfie, document=pictures.selfie, policy="no-liveness").verdict
    assert verdict.decision in (Decision.RETRY, Decision.REVIEW, Decision.REJECT)


def test_two_selfies_compare_without_a_document(verifier: Verifier, pictures: Pictures) -> None:
    case = verifier.verify(selfie=pictures.selfie, reference=pictures.selfie, policy="selfie-to-selfie")
    assert case.verdict.finding("face.match").score == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(UsageError):
        verifier.verify(selfie=pictures.selfie, document=pictures.document, policy="selfie-to-selfie")
    with pytest.raises(UsageError):
        verifier.verify(selfie=pictures.selfie)


def test_an_error_rate_that_was_not_measured_is_an_error_before_any_work(
    verifier: Verifier, pictures: Pictures, tmp_path: Path
) -> None:
    from samebody.decide import load_policy

    policy = load_policy("no-liveness")
    impossible = policy.model_copy(update={"face_match": policy.face_match.model_copy(update={"fmr": 1e-12})})
    with pytest.raises(NotMeasuredError):
        verifier.verify(selfie=pictures.selfie, document=pictures.document, policy=impossible)


def test_a_file_that_is_no_picture_is_an_input_error(verifier: Verifier, pictures: Pictures) -> None:
    with pytest.raises(InputError):
        verifier.verify(selfie=b"not a picture", document=pictures.document)


def test_the_verdict_is_json_and_holds_no_pixels_and_no_template(genuine: Verification) -> None:
    text = json.dumps(genuine.to_dict())
    template = genuine.trace["selfie.face"].template.vector
    assert f"{float(template[0]):.6f}"[:8] not in text
    assert len(text) < 200_000
    assert json.loads(text)["schema_version"] == genuine.verdict.schema_version


def test_nothing_biometric_is_logged(
    verifier: Verifier, pictures: Pictures, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        case = verifier.verify(selfie=pictures.selfie, document=pictures.document, policy="no-liveness")
    mrz = case.trace["document.read"].mrz
    written = caplog.text + "".join(capfd.readouterr())
    assert mrz is not None
    for secret in (*mrz.lines, mrz.fields["document_number"].value, mrz.fields["surname"].value):
        assert secret not in written


def test_the_library_function_is_what_the_command_line_calls(pictures: Pictures, genuine: Verification) -> None:
    case = samebody.verify(selfie=pictures.selfie, document=pictures.document, policy="no-liveness")
    assert case.decision is genuine.decision


def test_a_shallow_look_never_accepts(verifier: Verifier, pictures: Pictures) -> None:
    case = verifier.verify(selfie=pictures.selfie, document=pictures.document, policy="no-liveness", depth="mrz")
    assert "document.forgery" not in case.trace
    assert case.decision is not Decision.ACCEPT
