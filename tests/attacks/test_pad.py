"""The passive detector at run time: how views become one score, and when it abstains."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import helper

from samebody.attacks import pad
from samebody.attacks.pad import PassivePad, tight_box
from samebody.models.errors import ContractError, UnknownModelError
from samebody.models.record import ModelRecord
from samebody.types import Box, Image, Outcome, Pixels, SourceInfo
from tests.models.detectors import _model, _record, _values, segmenter_record

SPECIES = {"name": "print", "apcer": 0.1, "interval": (0.05, 0.2), "attacks": 60}


def bright_is_bona_fide() -> bytes:
    """sigmoid(8 (mean - 0.5)), pixels already divided by 255."""
    half = helper.make_node("Constant", [], ["half"], value_float=0.5)
    eight = helper.make_node("Constant", [], ["eight"], value_float=8.0)
    nodes = [
        half,
        eight,
        helper.make_node("ReduceMean", ["views"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["mean", "half"], ["away"]),
        helper.make_node("Mul", ["away", "eight"], ["odds"]),
        helper.make_node("Sigmoid", ["odds"], ["likelihood"]),
    ]
    return _model(nodes, [_values("views", ["batch", 3, 32, 32])], [_values("likelihood", ["batch"])], [])


def tiny(folder: Path, **detection: Any) -> ModelRecord:
    image = {"kind": "image", "colour": "rgb", "layout": "nchw", "scale": 1 / 255, "width": 32, "height": 32}
    return _record(
        folder,
        bright_is_bona_fide(),
        id="own/pad",
        task="presentation-attack-detection",
        input=image | {"name": "views"},
        output={"kind": "score", "meaning": "likelihood of bona fide"},
        detection={"unsure": (0.3, 0.7), **detection},
    )


def measured(attacks: str) -> dict[str, Any]:
    return {
        "bpcer": 0.05,
        "threshold": 0.5,
        "realised_bpcer": 0.05,
        "bpcer_interval": (0.03, 0.08),
        "apcer": 0.1,
        "species": (SPECIES,),
        "attacks": attacks,
        "bona_fide": 100,
        "subjects": 100,
        "dataset": "a set",
        "held_out": "subjects",
    }


def noise(level: int, side: int = 200, spread: int = 40) -> Pixels:
    random = np.random.default_rng(level)
    return np.clip(random.normal(level, spread, (side, side, 3)), 0, 255).astype(np.uint8)


def image(pixels: Pixels) -> Image:
    return Image(pixels, SourceInfo(width=pixels.shape[1], height=pixels.shape[0]))


def test_the_score_is_the_mean_of_the_log_odds_of_the_views(tmp_path: Path) -> None:
    detector = PassivePad(record=tiny(tmp_path))
    pixels = noise(120)
    pixels[60:140, 60:140] //= 2
    found = detector.score(pixels, Box(50, 50, 100, 100))
    assert len(found.by_view) == len(pad.PLACES) and len(set(found.by_view)) > 1
    odds = [math.log(v / (1 - v)) for v in found.by_view]
    assert found.likelihood == pytest.approx(1 / (1 + math.exp(-sum(odds) / len(odds))), abs=1e-6)
    assert detector.score(pixels, Box(50, 50, 100, 100)) == found


@pytest.mark.parametrize(
    ("level", "outcome", "code"),
    [(200, Outcome.PASS, None), (128, Outcome.UNSURE, "attacks.pad_unsure"), (60, Outcome.FAIL, "attacks.pad_attack")],
)
def test_the_band_decides(tmp_path: Path, level: int, outcome: Outcome, code: str | None) -> None:
    found = PassivePad(record=tiny(tmp_path)).check(image(noise(level)), Box(40, 40, 120, 120))
    assert (found.check, found.outcome) == ("selfie.liveness", outcome)
    assert [reason.code for reason in found.reasons] == ([] if code is None else [code])
    assert found.model_ids == ("own/pad@1",) and found.milliseconds > 0
    assert found.regions[0].name == "face"


def test_a_small_or_blurred_face_is_unsure_whatever_the_score(tmp_path: Path) -> None:
    detector = PassivePad(record=tiny(tmp_path))
    small = detector.check(image(noise(220)), Box(80, 80, 40, 50))
    assert small.outcome is Outcome.UNSURE
    assert [r.code for r in small.reasons] == ["attacks.pad_face_small"]
    flat = cv2.GaussianBlur(noise(220), (0, 0), 9)
    blurred = detector.check(image(flat), Box(20, 20, 160, 160))
    assert blurred.outcome is Outcome.UNSURE
    assert [r.code for r in blurred.reasons] == ["attacks.pad_face_blurred"]
    assert blurred.score is not None and blurred.score > 0.7


def test_a_picture_without_a_box_is_taken_for_a_tight_crop(tmp_path: Path) -> None:
    detector = PassivePad(record=tiny(tmp_path))
    pixels = noise(150, side=128)
    assert detector.score(pixels) == detector.score(pixels, tight_box(128, 128))
    assert detector.check(image(pixels)).outcome is not Outcome.NOT_RUN


def test_details_say_what_the_figures_rest_on(tmp_path: Path) -> None:
    for points, ground in (((), "none"), ((measured("synthetic"),), "synthetic"), ((measured("real"),), "real")):
        detector = PassivePad(record=tiny(tmp_path, points=points))
        assert detector.check(image(noise(200)), Box(20, 20, 120, 120)).details["validated"] == ground
        assert detector.validated is (ground == "real")


def test_records_of_something_else_and_other_pixels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="task iris-segmentation"):
        PassivePad(record=segmenter_record(tmp_path))
    with pytest.raises(UnknownModelError):
        PassivePad(record="attacks/none-such")
    detector = PassivePad(record=tiny(tmp_path))
    bad: list[Any] = [np.zeros((50, 50), np.uint8), np.zeros((50, 50, 3), np.float32), np.zeros((8, 8, 3), np.uint8)]
    for pixels in bad:
        with pytest.raises(ContractError, match="expected"):
            detector.score(pixels)
