"""Detectors and segmenters: records with scores, masks and several inputs, and what runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from samebody.config import Settings
from samebody.models.check import check_record
from samebody.models.detection import Detection, DetectionPoint
from samebody.models.errors import ContractError, OutputError
from samebody.models.outputs import bona_fide_scores, masks
from samebody.models.record import ModelRecord
from tests.models.detectors import detector_record, grey_segmenter, segmenter_record, two_input_detector


def settings(tmp_path: Path) -> Settings:
    return Settings(models_dir=tmp_path / "models", records_dirs=(), threads=1)


def test_a_detector_with_two_inputs_runs_from_its_record(tmp_path: Path) -> None:
    record = detector_record(tmp_path)
    result = check_record(record, settings(tmp_path))
    assert result.status == "ok", result.error
    assert "batch equals single" in result.checks
    generator = np.random.default_rng(0)
    face = generator.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    patches = generator.integers(0, 256, (5, 8, 24, 3), dtype=np.uint8)
    scores = bona_fide_scores(record, {"face": face, "patches": patches}, settings(tmp_path))
    means = face.mean(axis=(1, 2, 3)) / 255 - patches.mean(axis=(1, 2, 3)) / 255
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-means)), atol=1e-5)


def test_the_way_round_and_the_range_are_the_records(tmp_path: Path) -> None:
    face = np.full((2, 16, 16, 3), 200, np.uint8)
    patches = np.zeros((2, 8, 24, 3), np.uint8)
    inputs = {"face": face, "patches": patches}
    high = bona_fide_scores(detector_record(tmp_path), inputs, settings(tmp_path))
    low = bona_fide_scores(detector_record(tmp_path, bona_fide="low"), inputs, settings(tmp_path))
    np.testing.assert_allclose(high + low, 1.0, atol=1e-6)
    wide = bona_fide_scores(detector_record(tmp_path, low=-1.0), inputs, settings(tmp_path))
    np.testing.assert_allclose(wide, (high + 1) / 2, atol=1e-6)
    with pytest.raises(OutputError, match=r"its record says 0 to 0\.5"):
        bona_fide_scores(detector_record(tmp_path, high=0.5), inputs, settings(tmp_path))


def test_log_odds_become_likelihoods(tmp_path: Path) -> None:
    face, patches = np.full((1, 16, 16, 3), 255, np.uint8), np.zeros((1, 8, 24, 3), np.uint8)
    inputs = {"face": face, "patches": patches}
    raw = 1 / (1 + np.exp(-1.0))
    high = bona_fide_scores(detector_record(tmp_path, scale="log-odds"), inputs, settings(tmp_path))
    low = bona_fide_scores(detector_record(tmp_path, scale="log-odds", bona_fide="low"), inputs, settings(tmp_path))
    assert high[0] == pytest.approx(1 / (1 + np.exp(-raw)), abs=1e-5)
    assert high[0] + low[0] == pytest.approx(1, abs=1e-6)


def test_names_counts_and_sizes_of_inputs_are_held(tmp_path: Path) -> None:
    record, where = detector_record(tmp_path), settings(tmp_path)
    face, patches = np.zeros((2, 16, 16, 3), np.uint8), np.zeros((2, 8, 24, 3), np.uint8)
    with pytest.raises(ContractError, match="takes face, patches; got face"):
        bona_fide_scores(record, {"face": face}, where)
    with pytest.raises(ContractError, match="takes face, patches; got face"):
        bona_fide_scores(record, face, where)
    with pytest.raises(ContractError, match="as many"):
        bona_fide_scores(record, {"face": face, "patches": patches[:1]}, where)
    with pytest.raises(ContractError, match="width is 16 pixels"):
        bona_fide_scores(record, {"face": face, "patches": face}, where)
    with pytest.raises(ContractError, match="does not return masks"):
        masks(record, face, where)


@pytest.mark.parametrize("values", ["probabilities", "logits"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_a_grey_segmenter_answers_probabilities(tmp_path: Path, values: str, exclusive: bool) -> None:
    record = segmenter_record(tmp_path, values=values, exclusive=exclusive)
    result = check_record(record, settings(tmp_path))
    assert result.status == "ok", result.error
    images = np.random.default_rng(1).integers(0, 256, (3, 12, 20), dtype=np.uint8)
    got = masks(record, images, settings(tmp_path))
    assert got.shape == (3, 2, 12, 20) and got.dtype == np.float32
    x = images[:, None] / np.float32(255)
    first, second = x, 1 - x
    if values == "logits":
        if exclusive:
            total = np.exp(first) + np.exp(second)
            first, second = np.exp(first) / total, np.exp(second) / total
        else:
            first, second = 1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second))
    np.testing.assert_allclose(got, np.concatenate([first, second], axis=1), atol=1e-5)


def test_a_mask_of_another_shape_is_refused(tmp_path: Path) -> None:
    record = segmenter_record(tmp_path, classes=("one", "two", "three"))
    assert check_record(record, settings(tmp_path)).status == "failed"
    with pytest.raises(OutputError, match="its record says"):
        masks(record, np.zeros((1, 12, 20), np.uint8), settings(tmp_path))
    with pytest.raises(ContractError, match="uint8 grey"):
        masks(record, np.zeros((1, 12, 20), np.float32), settings(tmp_path))


TENSOR = {"name": "score", "shape": [1], "meaning": "a score"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update(output={"kind": "tensors", "tensors": [TENSOR]}), "kind score"),
        (lambda f: f.update(task="face-landmarks"), "has no output of kind score"),
        (lambda f: f["more_inputs"][0].update(name=None), "needs the name"),
        (lambda f: f["more_inputs"][0].update(name="face"), "each once"),
        (lambda f: f["input"].update(colour="grey", mean=[1, 2, 3]), "one channel"),
        (lambda f: f["output"].update(low=2), "is not below high"),
        (lambda f: f.update(detection={"unsure": [0.6, 0.4]}), "begins at 0.6"),
    ],
)  # fmt: skip
def test_records_that_do_not_fit_together_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    fields = detector_record(tmp_path).model_dump(mode="json")
    change(fields)
    with pytest.raises(ValidationError, match=message):
        ModelRecord.model_validate(fields)


POINT: dict[str, Any] = {
    "bpcer": 0.05,
    "threshold": 0.6,
    "realised_bpcer": 0.04,
    "bpcer_interval": [0.03, 0.06],
    "apcer": 0.3,
    "species": [
        {"name": "print", "apcer": 0.1, "interval": [0.05, 0.2], "attacks": 100},
        {"name": "replay", "apcer": 0.3, "interval": [0.2, 0.4], "attacks": 100},
    ],
    "attacks": "synthetic",
    "bona_fide": 400,
    "subjects": 400,
    "dataset": "tests",
    "held_out": "species",
}


def test_a_band_abstains_and_real_attacks_validate() -> None:
    detection = Detection.model_validate({"unsure": (0.4, 0.6), "points": (POINT,)})
    assert [detection.outcome(x) for x in (0.0, 0.39, 0.4, 0.59, 0.6, 1.0)] == [
        "fail", "fail", "unsure", "unsure", "pass", "pass",
    ]  # fmt: skip
    assert not detection.validated
    assert detection.points[0].worst.name == "replay"
    assert Detection.model_validate({"unsure": (0.4, 0.6), "points": (POINT | {"attacks": "real"},)}).validated
    with pytest.raises(ValidationError, match=r"worst species has 0\.3"):
        DetectionPoint.model_validate(POINT | {"apcer": 0.2})
    with pytest.raises(ValidationError, match="same data set"):
        Detection.model_validate({"unsure": (0.4, 0.6), "points": (POINT, POINT)})


def test_the_commands_show_what_a_detector_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from samebody.cli.main import cli
    from samebody.lab.ship.toml import record_toml

    record = detector_record(tmp_path, detection={"unsure": (0.4, 0.6), "points": (POINT,)})
    (tmp_path / "detector.toml").write_text(record_toml(record))
    monkeypatch.setenv("SAMEBODY_RECORDS_DIRS", f'["{tmp_path}"]')
    shown = CliRunner().invoke(cli, ["models", "show", record.id], catch_exceptions=False, env={"COLUMNS": "200"})
    assert "unsure from 0.4000 to 0.6000" in shown.output and "not validated on real attacks" in shown.output
    assert "replay" in shown.output and "patches: RGB NCHW 24x8" in shown.output
    card = CliRunner().invoke(cli, ["models", "card", record.id], catch_exceptions=False)
    assert "APCER" in card.output and "replay" in card.output and "synthetic" in card.output


def test_networks_for_tests_are_valid() -> None:
    for data in (two_input_detector(), grey_segmenter()):
        onnx.checker.check_model(onnx.load_model_from_string(data))
