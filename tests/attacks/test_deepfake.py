"""The single-picture check: its traces against naive oracles and planted evidence, and when it abstains."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from benchmarks.morph_fit import layered_graph
from samebody.attacks.deepfake import RECORD, DeepfakeCheck
from samebody.attacks.deepfake_features import FACE_SIDE, FaceCrop, crop_face, features, names
from samebody.errors import ConfigError
from samebody.face.results import FaceMesh
from samebody.face.topology import FACE_OVAL
from samebody.models import catalogue
from samebody.models.errors import ContractError
from samebody.types import Image, Outcome, SourceInfo

ANGLES = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)


def mesh(side: float = 160.0, centre: tuple[float, float] = (112.0, 112.0), *, yaw: float = 0.0) -> FaceMesh:
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = centre
    points[list(FACE_OVAL), 0] = centre[0] + 0.4 * side * np.sin(ANGLES)
    points[list(FACE_OVAL), 1] = centre[1] - 0.5 * side * np.cos(ANGLES)
    return FaceMesh(points, {}, yaw, 0.0, 0.0, 1.0)


def noisy(seed: int = 0, size: int = 224, deviation: float = 6.0) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    base = cv2.GaussianBlur(random.normal(0, 60, (size, size, 3)).astype(np.float32), (0, 0), 9) * 6 + 128
    return np.asarray(np.clip(base + random.normal(0, deviation, base.shape), 0, 255), np.uint8)


def measured(pixels: NDArray[np.uint8], **options: float) -> dict[str, float]:
    return dict(zip(names(), features(crop_face(pixels, mesh(**options).points)).tolist(), strict=True))


def test_every_trace_has_one_name() -> None:
    assert len(names()) == len(set(names())) == len(features(crop_face(noisy(), mesh().points)))


@pytest.mark.parametrize("pixels", [np.zeros((224, 224, 3), np.uint8), np.full((224, 224, 3), 255, np.uint8), noisy()])
@pytest.mark.parametrize("side", [40.0, 160.0, 215.0, 400.0])
def test_traces_are_finite_whatever_is_shown(pixels: NDArray[np.uint8], side: float) -> None:
    assert np.isfinite(features(crop_face(pixels, mesh(side).points))).all()


def test_a_face_that_reaches_beyond_the_picture_gives_zeros_for_what_is_not_there() -> None:
    found = measured(noisy(), side=400.0)
    assert found["noise.0.y.outer"] == 0 and found["channels.outer.rg"] == 0


def test_tall_faces_are_averaged_down_and_others_are_taken_as_they_are() -> None:
    small = crop_face(noisy(), mesh(150.0).points)
    assert small.shrunk == 1.0 and small.side == pytest.approx(150, rel=0.01)
    tall = crop_face(noisy(size=900), mesh(700.0, (450.0, 450.0)).points)
    assert tall.side == pytest.approx(FACE_SIDE, rel=0.01)


def test_co_occurrences_are_those_of_a_naive_count() -> None:
    crop = crop_face(noisy(3), mesh(120.0).points)
    found = dict(zip(names(), features(crop).tolist(), strict=True))
    luma = cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2YCrCb)[..., 0].astype(float)
    inside = np.zeros(luma.shape, np.uint8)
    centre = crop.oval.mean(axis=0)
    cv2.fillPoly(inside, [np.rint(centre + 0.8 * (crop.oval - centre)).astype(np.int32)], (1,))
    counts: dict[tuple[int, ...], int] = {}
    for line_of, mask_of in ((luma, inside), (luma.T, inside.T)):
        padded = np.pad(line_of, ((0, 0), (1, 1)), mode="reflect")
        second = padded[:, :-2] - 2 * line_of + padded[:, 2:]
        levels = np.clip(np.rint(second / 2), -2, 2).astype(int)
        for row in range(levels.shape[0]):
            for column in range(1, levels.shape[1] - 1):
                if mask_of[row, column]:
                    triple = levels[row, column - 1 : column + 2].tolist()
                    same = [triple, triple[::-1], [-v for v in triple], [-v for v in triple[::-1]]]
                    key = tuple(min(same))
                    counts[key] = counts.get(key, 0) + 1
    naive = sorted(np.sqrt(np.array(list(counts.values())) / sum(counts.values())).tolist())
    ours = sorted(value for name, value in found.items() if name.startswith("co.inner.second") and value > 0)
    np.testing.assert_allclose(ours, naive, atol=1e-6)


def test_a_checkerboard_stands_out_in_the_spectrum() -> None:
    clean = noisy(5)
    board = (np.indices(clean.shape[:2]).sum(axis=0) % 2 * 2 - 1)[..., None] * 6
    marked = np.clip(clean.astype(int) + board, 0, 255).astype(np.uint8)
    assert measured(marked)["spectrum.luma.nyquist"] > measured(clean)["spectrum.luma.nyquist"] + 0.1
    assert measured(marked)["lag.inner.y.2"] > measured(clean)["lag.inner.y.2"] + 0.1


def test_a_face_smoother_than_what_is_around_it_is_seen() -> None:
    pixels = noisy(6)
    soft = cv2.GaussianBlur(pixels, (0, 0), 1.5)
    outline = mesh().points[list(FACE_OVAL), :2]
    inside = cv2.fillPoly(np.zeros(pixels.shape[:2], np.uint8), [np.rint(outline).astype(np.int32)], (1,))
    pasted = np.where(inside[..., None] > 0, soft, pixels)
    assert measured(pasted)["noise.0.y.inner-outer"] < measured(pixels)["noise.0.y.inner-outer"] - 0.5


def test_a_hard_seam_stands_out_along_the_outline() -> None:
    pixels = noisy(7, deviation=1.0)
    outline = mesh().points[list(FACE_OVAL), :2]
    inside = cv2.fillPoly(np.zeros(pixels.shape[:2], np.uint8), [np.rint(outline).astype(np.int32)], (1,))
    pasted = np.clip(pixels.astype(int) + 30 * inside[..., None], 0, 255).astype(np.uint8)
    middle = [f"seam.y.{number}" for number in (6, 7)]
    before, after = measured(pixels), measured(pasted)
    assert max(after[name] for name in middle) > max(before[name] for name in middle) + 0.5


def test_the_layered_graph_is_its_layers() -> None:
    random = np.random.default_rng(1)
    layers = [
        (random.normal(0, 1, (7, 4)), random.normal(0, 1, 4)),
        (random.normal(0, 1, (4, 1)), random.normal(0, 1, 1)),
    ]
    mean, spread = random.normal(0, 1, 7), random.uniform(0.1, 2, 7)
    x = random.normal(0, 4, (30, 7))
    session = onnxruntime.InferenceSession(layered_graph(layers, mean, spread, 5.0), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"features": x.astype(np.float32)})
    hidden = np.maximum(np.clip((x - mean) / spread, -5, 5) @ layers[0][0] + layers[0][1], 0)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-(hidden @ layers[1][0] + layers[1][1])[:, 0])), atol=1e-5)


# --------------------------------------------------------------------------------------------------------------- check


@pytest.fixture(scope="module")
def check() -> DeepfakeCheck:
    return DeepfakeCheck()


def test_a_judgement_points_at_the_face_and_repeats_itself(check: DeepfakeCheck) -> None:
    image = Image(noisy(8))
    first, second = check.check(image, mesh()), check.check(image, mesh())
    assert first.check == "selfie.deepfake"
    assert first.score == second.score and first.score is not None and 0 <= first.score <= 1
    assert first.regions[0].name == "face"
    assert first.outcome in (Outcome.PASS, Outcome.UNSURE, Outcome.FAIL)
    assert check.record.detection is not None
    assert first.outcome == Outcome(check.record.detection.outcome(first.score))


@pytest.mark.parametrize(
    ("image", "face", "code"),
    [
        (Image(noisy(9)), mesh(60.0), "deepfake.too_small"),
        (Image(noisy(9)), mesh(20.0), "deepfake.too_small"),
        (Image(noisy(9)), mesh(yaw=50.0), "deepfake.turned"),
        (Image(noisy(9), replace(SourceInfo(), jpeg_quality=20)), mesh(), "deepfake.compressed"),
        (Image(np.full((224, 224, 3), 90, np.uint8)), mesh(), "deepfake.no_detail"),
    ],
)
def test_it_abstains_outside_of_what_was_measured(
    check: DeepfakeCheck, image: Image, face: FaceMesh, code: str
) -> None:
    finding = check.check(image, face)
    assert finding.outcome is Outcome.UNSURE
    assert code in [reason.code for reason in finding.reasons]


def test_without_a_face_it_does_not_run(check: DeepfakeCheck) -> None:
    finding = check.check(Image(noisy()), None)
    assert (finding.outcome, finding.reasons[0].code) == (Outcome.NOT_RUN, "deepfake.no_face")


def test_parameters_and_record_are_checked() -> None:
    with pytest.raises(ConfigError):
        DeepfakeCheck(least_jpeg=0)
    with pytest.raises(ContractError):
        DeepfakeCheck(record="face/sface")


def test_the_record_says_that_it_was_never_validated() -> None:
    record = catalogue()[RECORD]
    assert record.detection is not None and not record.detection.validated
    assert {point.attacks for point in record.detection.points} == {"synthetic"}
    assert any("not validated on real deepfakes" in limit for limit in record.provenance.known_limits)
    assert "generator families" in {point.held_out for point in record.detection.points}


def test_a_crop_is_what_the_record_takes() -> None:
    crop = FaceCrop(noisy(), mesh().points[list(FACE_OVAL), :2].astype(np.float64), 160.0, 1.0)
    assert getattr(catalogue()[RECORD].input, "shape", ())[1] == len(features(crop))
