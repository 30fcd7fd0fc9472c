"""Labels: text and numbers, from lists and arrays; what is missing is said."""

from __future__ import annotations

import numpy as np
import pytest

from samebody.measure import InvalidScoresError, checked_labels
from samebody.measure.labels import checked_flags


def test_labels_become_numbers_and_come_back_by_rows():
    labels = checked_labels(["b", "a", "b"], 3, "group")
    assert labels.names == ("a", "b") and labels.codes.tolist() == [1, 0, 1]
    assert [(name, rows.tolist()) for name, rows in labels.rows()] == [("a", [1]), ("b", [0, 2])]
    assert checked_labels(np.array(["b", "a"], dtype=object), None, "group").names == ("a", "b")
    assert checked_labels([3, 1, 3], None, "group").names == (1, 3)
    assert len(checked_labels([], 0, "group")) == 0


def test_what_is_wrong_with_labels_is_said():
    with pytest.raises(InvalidScoresError, match="do not fit 3 rows"):
        checked_labels(["a"], 3, "group")
    with pytest.raises(InvalidScoresError, match="1 group labels are missing"):
        checked_labels(np.array(["a", None], dtype=object), None, "group")
    with pytest.raises(InvalidScoresError, match="missing"):
        checked_labels([1.0, float("nan")], None, "group")
    with pytest.raises(InvalidScoresError, match="mix"):
        checked_labels(np.array(["a", 1], dtype=object), None, "group")
    with pytest.raises(InvalidScoresError, match="one-dimensional"):
        checked_labels([["a"], ["b"]], None, "group")


def test_flags_are_truth_values_and_not_scores():
    assert checked_flags([1, 0, 1.0], 3, "outcomes").tolist() == [True, False, True]
    assert checked_flags([], None, "outcomes").dtype == bool
    for wrong in ([0.5, 1], ["yes", "no"], [[True]]):
        with pytest.raises(InvalidScoresError):
            checked_flags(wrong, None, "outcomes")
