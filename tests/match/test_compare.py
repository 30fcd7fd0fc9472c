"""The score of two templates: a cosine, the same everywhere, and never across embedding spaces."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.errors import EmbeddingSpaceMismatchError
from samebody.match import InvalidTemplateError, compare
from samebody.measure import score_pairs
from samebody.types import EmbeddingSpace, Modality, Template

SPACE = EmbeddingSpace("test/model", "1", "0" * 64, "contract")


def template(vector, **changes) -> Template:
    array = np.asarray(vector, dtype=np.float32)
    return Template(array / np.float32(np.linalg.norm(array)), **{"space": SPACE, **changes})


vectors = st.lists(st.integers(-9, 9), min_size=6, max_size=6).filter(any)


@given(vectors, vectors)
def test_the_score_is_the_cosine_and_symmetric(one, two):
    score = compare(template(one), template(two)).score
    expected = np.dot(one, two) / np.linalg.norm(one) / np.linalg.norm(two)
    assert score == pytest.approx(expected, abs=1e-6)
    assert -1.0 <= score <= 1.0
    assert score == compare(template(two), template(one)).score


@given(vectors)
def test_a_template_is_most_like_itself_and_least_like_its_opposite(vector):
    assert compare(template(vector), template(vector)).score == pytest.approx(1.0, abs=1e-6)
    assert compare(template(vector), template([-value for value in vector])).score == pytest.approx(-1.0, abs=1e-6)


def test_the_score_is_the_one_that_thresholds_are_measured_on():
    matrix = np.random.default_rng(1).normal(size=(40, 128))
    rows = (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
    found = score_pairs(rows, np.arange(40), keep=1000)
    assert len(found.tail) == 40 * 39 // 2
    for score, first, second in zip(found.tail, found.first, found.second):
        assert compare(Template(rows[first], SPACE), Template(rows[second], SPACE)).score == float(score)


def test_the_comparison_remembers_its_space():
    found = compare(template([1, 2]), template([2, 1]))
    assert (found.space, found.modality) == (SPACE, Modality.FACE)


@pytest.mark.parametrize("field", ["model_id", "version", "weights_sha256", "preprocessing", "precision"])
def test_any_difference_of_the_space_forbids_comparing(field):
    other = dataclasses.replace(SPACE, **{field: "another"})
    with pytest.raises(EmbeddingSpaceMismatchError) as caught:
        compare(template([1, 2]), template([1, 2], space=other))
    assert caught.value.code == "match.space_mismatch"


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros(2, np.float32),
        np.full(2, np.nan, np.float32),
        np.array([np.inf, 0], np.float32),
        np.array([3, 4], np.float32),
        np.array([[1.0, 0.0]], np.float32),
    ],
)
def test_a_template_that_is_no_unit_vector_is_refused(bad):
    for pair in ((Template(bad, SPACE), template([1, 0])), (Template(bad, SPACE), Template(bad, SPACE))):
        with pytest.raises(InvalidTemplateError):
            compare(*pair)


def test_templates_of_another_length_or_modality_are_refused():
    with pytest.raises(InvalidTemplateError):
        compare(template([1, 0]), template([1, 0, 0]))
    with pytest.raises(InvalidTemplateError):
        compare(template([1, 0]), template([1, 0], modality=Modality.IRIS))
