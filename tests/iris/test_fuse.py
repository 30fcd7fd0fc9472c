from __future__ import annotations

import pytest

from samebody.errors import EmbeddingSpaceMismatchError
from samebody.iris import compare_irises, fuse_eyes
from samebody.iris.compare import IrisComparison
from samebody.iris.errors import EyeMismatchError, TooFewBitsError
from tests.iris.codes import noisy, random_template


def comparison(eye: str, share: float, space: str = "s") -> IrisComparison:
    reference = random_template(1 if eye == "left" else 2, 200, eye=eye, space=space)
    return compare_irises(noisy(reference, share), reference)


def test_two_eyes_give_one_score_by_the_rule_named() -> None:
    left, right = comparison("left", 0.1), comparison("right", 0.3)
    fused = fuse_eyes(left, right)
    assert fused.rule == "mean" and fused.eyes == ("left", "right")
    assert fused.score == pytest.approx((left.score + right.score) / 2)
    assert fuse_eyes(left, right, "max").score == left.score
    assert fuse_eyes(left, right, "min").score == right.score


def test_a_missing_eye_is_said_and_nothing_is_assumed_of_it() -> None:
    left = comparison("left", 0.1)
    for rule in ("mean", "max", "min"):
        fused = fuse_eyes(left, None, rule)  # type: ignore[arg-type]
        assert (fused.score, fused.rule, fused.eyes) == (left.score, "single", ("left",))
    with pytest.raises(TooFewBitsError):
        fuse_eyes(None, None)


def test_eyes_are_not_mistaken_for_each_other() -> None:
    left, right = comparison("left", 0.1), comparison("right", 0.1)
    with pytest.raises(EyeMismatchError):
        fuse_eyes(right, left)
    with pytest.raises(EmbeddingSpaceMismatchError):
        fuse_eyes(left, comparison("right", 0.1, "t"))
