"""The differential morph check: what it compares, when it abstains, and that its graph is the model that was fitted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.morph_fit import Law, MorphModel, fit_law, fit_morph, morph_graph
from samebody.attacks.morph import RECORD, MorphCheck
from samebody.attacks.morph_features import SHAPE_SIZE, head_shape
from samebody.errors import ConfigError
from samebody.face.pose import POSE_POINTS, reference_head
from samebody.face.results import FaceAnalysis, FaceDetection, FaceMesh, FaceQuality
from samebody.models import catalogue
from samebody.models.errors import ContractError
from samebody.types import Box, EmbeddingSpace, Outcome, Template


def head(seed: int = 0, *, noise: float = 0.15) -> NDArray[np.float64]:
    """A (478, 3) mesh in pixels, seen from the front: the reference head where it is known, random elsewhere."""
    random = np.random.default_rng(seed)
    points = random.normal(0, 0.5, (478, 3))
    points[list(POSE_POINTS)] = reference_head() + random.normal(0, noise * 0.1, (len(POSE_POINTS), 3))
    return np.asarray(120 + 90 * points * np.array([1.0, -1.0, -1.0]))


def turned(points: NDArray[np.float64], yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    a, b, c = (math.radians(v) for v in (yaw, pitch, roll))
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    about_z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    middle = points.mean(axis=0)
    return np.asarray((points - middle) @ (about_z @ about_y @ about_x).T + middle)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 50),
    angles=st.tuples(*[st.floats(-40, 40)] * 3),
    scale=st.floats(0.3, 4),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_place_size_and_pose_of_a_head_do_not_change_its_shape(
    seed: int, angles: tuple[float, float, float], scale: float, shift: tuple[float, float]
) -> None:
    points = head(seed)
    moved = scale * turned(points, *angles) + np.array([*shift, 0.0])
    np.testing.assert_allclose(head_shape(moved), head_shape(points), atol=2e-4)


def test_another_head_has_another_shape() -> None:
    points = head(1)
    wider = points * np.array([1.1, 1.0, 1.0])
    assert np.abs(head_shape(wider) - head_shape(points)).max() > 0.02
    assert head_shape(points).shape == (SHAPE_SIZE,)
    assert head_shape(points).dtype == np.float32


# ------------------------------------------------------------------------------------------------------------- fitting


def test_the_law_finds_the_direction_in_which_morphs_differ() -> None:
    random = np.random.default_rng(3)
    fair = random.normal(0, 1, (4000, 6))
    bad = random.normal(0, 1, (4000, 6)) * np.array([1, 1, 3.0, 1, 1, 1])
    law = fit_law(fair, bad, shrink=0.0, most=1)
    direction = law.directions[:, 0] / np.linalg.norm(law.directions[:, 0])
    assert abs(direction[2]) > 0.99
    assert law.ratios[0] == pytest.approx(9, rel=0.1)
    # the ratio of two normal laws, by its own formula
    x = np.array([[0.0, 0, 2.0, 0, 0, 0]])
    white = (x @ law.directions)[0, 0] ** 2
    expected = -0.5 * white + 0.5 * white / law.ratios[0] + 0.5 * math.log(law.ratios[0])
    assert law.ratio(x)[0] == pytest.approx(expected)


def pairs(
    count: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Pairs where a morph's template leans halfway to somebody else and its shape as well."""
    random = np.random.default_rng(seed)
    people = np.repeat(np.arange(count // 4), 4)
    morph = np.arange(count) % 2 == 1
    own, own_shape = random.normal(0, 1, (count // 4, 16))[people], random.normal(0, 1, (count // 4, 30))[people]
    other, other_shape = random.normal(0, 1, (count, 16)), random.normal(0, 1, (count, 30))
    share = np.where(morph, 0.5, 0.0)[:, None]

    def unit(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(v / np.linalg.norm(v, axis=1, keepdims=True))

    portrait = unit((1 - share) * own + share * other + random.normal(0, 0.4, own.shape))
    selfie = unit(own + random.normal(0, 0.4, own.shape))
    shapes = np.stack(
        [
            (1 - share) * own_shape + share * other_shape + random.normal(0, 0.3, own_shape.shape),
            own_shape + random.normal(0, 0.3, own_shape.shape),
        ],
        axis=1,
    )
    return np.stack([portrait, selfie], axis=1), shapes, morph, people


def test_the_graph_answers_what_the_model_answers() -> None:
    vectors, shapes, morph, people = pairs(400, 5)
    model, _ = fit_morph(vectors, shapes, morph, people)
    session = onnxruntime.InferenceSession(morph_graph(model, "space", 16), providers=["CPUExecutionProvider"])
    (found,) = session.run(["bona_fide"], {"vectors": vectors.astype(np.float32), "shapes": shapes.astype(np.float32)})
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-model.logit(vectors, shapes))), atol=1e-4)
    assert session.get_modelmeta().custom_metadata_map["embedding_space"] == "space"


def test_morphs_of_people_not_learnt_from_score_lower() -> None:
    vectors, shapes, morph, people = pairs(800, 6)
    model, crossed = fit_morph(vectors, shapes, morph, people)
    fresh = pairs(400, 7)
    logit = model.logit(fresh[0], fresh[1])
    assert np.median(logit[fresh[2]]) < 0 < np.median(logit[~fresh[2]])
    # scores by models that did not see the person are no better than those of fresh people
    assert abs(np.median(crossed[morph]) - np.median(logit[fresh[2]])) < 1.0


def test_the_less_both_sides_differ_the_likelier_is_one_person() -> None:
    vectors, shapes, morph, people = pairs(800, 6)
    model, _ = fit_morph(vectors, shapes, morph, people)
    fair = ~morph
    nearer = np.stack([shapes[:, 1] + 0.5 * (shapes[:, 0] - shapes[:, 1]), shapes[:, 1]], axis=1)
    assert (model.logit(vectors[fair], nearer[fair]) >= model.logit(vectors[fair], shapes[fair])).all()
    same = np.stack([vectors[:, 1], vectors[:, 1]], axis=1)
    assert (model.logit(same, nearer) >= model.logit(vectors, nearer)).all()


def test_without_the_shape_the_cosine_alone_is_weighed() -> None:
    vectors, shapes, morph, people = pairs(400, 8)
    model, _ = fit_morph(vectors, shapes, morph, people, use_shape=False)
    assert model.weights[1] == 0
    assert model.weights[0] > 0


def test_a_law_of_one_direction_is_a_one_dimensional_ratio() -> None:
    law = Law(np.array([[2.0]]), np.array([4.0]))
    model = MorphModel(law, np.array([0.0, 1.0]), 0.5)
    vectors, shapes = np.ones((1, 2, 1)), np.array([[[1.0], [0.5]]])
    white = (0.5 * 2.0) ** 2
    assert model.logit(vectors, shapes)[0] == pytest.approx(0.5 * ((1 / 4 - 1) * white + math.log(4)) + 0.5)


# --------------------------------------------------------------------------------------------------------------- check


@pytest.fixture(scope="module")
def check() -> MorphCheck:
    return MorphCheck()


def analysis(
    seed: int, *, points: NDArray[np.float64] | None = None, yaw: float = 0.0, eyes: float = 80.0
) -> FaceAnalysis:
    space = catalogue()["face/sface"].embedding_space()
    vector = np.random.default_rng(seed).normal(0, 1, 128).astype(np.float32)
    template = Template(vector / np.linalg.norm(vector), space)
    mesh = FaceMesh((head(0) if points is None else points).astype(np.float32), {}, yaw, 0.0, 0.0, 1.0)
    landmarks = ((100.0, 100.0), (100.0 + eyes, 100.0), (140.0, 140.0), (110.0, 170.0), (170.0, 170.0))
    chosen = FaceDetection(Box(60, 40, 160, 200), landmarks, 0.9)
    return FaceAnalysis((chosen,), chosen, None, template, mesh, FaceQuality(70, ()), ())


def test_two_pictures_that_agree_in_everything_pass(check: MorphCheck) -> None:
    finding = check.check(analysis(1), analysis(1))
    assert finding.check == "face.morph"
    assert finding.outcome is Outcome.PASS
    assert finding.score is not None and finding.score > 0.9
    assert finding.model_ids == (check.record.label,)


def test_a_portrait_of_somebody_else_fails_and_says_why(check: MorphCheck) -> None:
    finding = check.check(analysis(1), analysis(2))
    assert finding.outcome is Outcome.FAIL
    assert finding.reasons[0].code == "morph.suspected"
    assert "synthetic" in finding.reasons[0].message


def test_between_both_ends_the_score_falls_as_the_portrait_leans_away(check: MorphCheck) -> None:
    own, other = analysis(1).template, analysis(2).template
    assert own is not None and other is not None
    scores = []
    for share in (0.0, 0.3, 0.5, 0.7):
        mixed = (1 - share) * own.vector + share * other.vector
        portrait = replace(analysis(1), template=Template(mixed / np.linalg.norm(mixed), own.space))
        scores.append(check.check(portrait, analysis(1)).score)
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("change", "outcome", "code"),
    [
        ({"template": None}, Outcome.NOT_RUN, "morph.no_template"),
        ({"chosen": None}, Outcome.NOT_RUN, "morph.no_template"),
        ({"mesh": None}, Outcome.NOT_RUN, "morph.no_mesh"),
        ({"quality": FaceQuality(3, ())}, Outcome.UNSURE, "morph.quality"),
    ],
)
def test_what_is_missing_or_too_bad_is_a_finding(
    check: MorphCheck, change: dict[str, object], outcome: Outcome, code: str
) -> None:
    finding = check.check(analysis(1), replace(analysis(1), **change))  # type: ignore[arg-type]
    assert finding.outcome is outcome
    assert finding.reasons[0].code == code


def test_it_abstains_on_turned_heads_and_small_faces(check: MorphCheck) -> None:
    assert check.check(analysis(1), analysis(1, yaw=45)).reasons[0].code == "morph.turned"
    small = check.check(analysis(1, eyes=9), analysis(1))
    assert (small.outcome, small.reasons[0].code) == (Outcome.UNSURE, "morph.too_small")


def test_templates_of_another_model_are_not_judged(check: MorphCheck) -> None:
    other = EmbeddingSpace("face/own", "1", "0" * 64, "x")
    vector = np.ones(128, np.float32) / np.float32(math.sqrt(128))
    foreign = replace(analysis(1), template=Template(vector, other))
    for portrait, selfie in ((foreign, foreign), (foreign, analysis(1))):
        finding = check.check(portrait, selfie)
        assert (finding.outcome, finding.reasons[0].code) == (Outcome.NOT_RUN, "morph.other_model")


def test_parameters_and_record_are_checked() -> None:
    with pytest.raises(ConfigError):
        MorphCheck(least_quality=200)
    with pytest.raises(ContractError):
        MorphCheck(record="face/sface")


def test_the_record_says_that_it_was_never_validated() -> None:
    record = catalogue()[RECORD]
    assert record.detection is not None and not record.detection.validated
    assert {point.attacks for point in record.detection.points} == {"synthetic"}
    assert any("not validated" in limit for limit in record.provenance.known_limits)
    names = {species.name for point in record.detection.points for species in point.species}
    assert {"second.spline", "second.clone"} <= names
