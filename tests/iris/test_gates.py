from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from samebody.iris import IrisPipeline
from samebody.iris.gates import gates
from samebody.iris.results import CodeBits, IrisMeasures
from samebody.types import Outcome
from tests.iris.eyes import PLAIN, synthetic

GOOD = IrisMeasures(
    iris_radius=60,
    pupil_ratio=0.4,
    gaze=8,
    visible=0.8,
    visible_sides=0.9,
    sharpness=80,
    contrast=50,
    inside=1,
    evidence=0.95,
)
BAD = [
    ("eye_found", {"evidence": 0.3}, "iris.not_an_eye"),
    ("iris_size", {"iris_radius": 12.0}, "iris.too_small"),
    ("iris_inside", {"inside": 0.3}, "iris.cut_off"),
    ("eye_open", {"visible_sides": 0.1}, "iris.eye_closed"),
    ("occlusion", {"visible": 0.1}, "iris.occluded"),
    ("focus", {"sharpness": 5.0}, "iris.out_of_focus"),
    ("pupil_width", {"pupil_ratio": 0.05}, "iris.pupil_constricted"),
    ("pupil_width", {"pupil_ratio": 0.9}, "iris.pupil_dilated"),
    ("gaze", {"gaze": 70.0}, "iris.off_gaze"),
]


@pytest.mark.parametrize(("name", "change", "code"), BAD)
def test_each_gate_passes_good_measures_and_names_bad_ones_with_advice(
    name: str, change: dict[str, float], code: str
) -> None:
    gate = gates[name]()
    assert gate.judge(GOOD).outcome is Outcome.PASS
    finding = gate.judge(replace(GOOD, **change))
    assert finding.outcome is Outcome.FAIL
    assert finding.reasons[0].code == code
    assert finding.reasons[0].advice
    assert finding.check == f"iris.{name}"


def test_gaze_that_cannot_be_measured_is_unsure() -> None:
    assert gates["gaze"]().judge(replace(GOOD, gaze=float("nan"))).outcome is Outcome.UNSURE


def test_too_few_usable_bits_fail() -> None:
    empty = np.zeros((16, 200, 2, 2), np.bool_)
    finding = gates["usable_bits"]().judge(CodeBits(empty, empty))
    assert [reason.code for reason in finding.reasons] == ["iris.too_little_texture"]


def refused(picture: np.ndarray) -> set[str]:
    encoding = IrisPipeline.load().encode(picture)
    assert (encoding.template is None) == any(f.outcome is Outcome.FAIL for f in encoding.findings)
    return {reason.code for f in encoding.findings if f.outcome is Outcome.FAIL for reason in f.reasons}


def test_a_usable_eye_is_not_refused() -> None:
    assert not any(refused(synthetic(person).image) for person in range(1, 6))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_are_not_eyes(level: int) -> None:
    assert "iris.not_an_eye" in refused(np.full((240, 320), level, np.uint8))


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_refused(seed: int) -> None:
    assert refused(np.random.default_rng(seed).integers(0, 256, (240, 320), dtype=np.uint8))


def test_a_closed_eye_is_refused() -> None:
    for person in (1, 2, 3):
        assert refused(synthetic(person, 0, PLAIN.with_(openness=0.0)).image)


def test_a_blurred_picture_is_out_of_focus() -> None:
    blurred = cv2.GaussianBlur(synthetic().image, (0, 0), 9.0)
    assert refused(blurred) & {"iris.out_of_focus", "iris.not_an_eye"}


def test_a_small_iris_is_too_small() -> None:
    assert "iris.too_small" in refused(synthetic(1, 0, PLAIN.with_(radius=22.0, blur=0.5)).image)


def test_sharpness_falls_with_blur() -> None:
    values = []
    for blur in (0.0, 1.5, 3.0, 4.5):
        picture = synthetic().image if blur == 0 else cv2.GaussianBlur(synthetic().image, (0, 0), blur)
        measures = IrisPipeline.load().encode(picture).measures
        assert measures is not None
        values.append(measures.sharpness)
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 20
