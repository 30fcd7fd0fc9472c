"""Recall counts what it says."""

from __future__ import annotations

import numpy as np
import pytest

from samebody.search.engines.recall import recall
from samebody.search.types import Hits


def hits(ids, scores):
    return Hits(np.array(ids, dtype=np.int64), np.array(scores, dtype=np.float32), "e")


def test_recall_is_the_share_of_the_exact_list():
    exact = hits([[1, 2, 3], [4, 5, -1]], [[0.9, 0.8, 0.7], [0.6, 0.5, -np.inf]])
    found = hits([[1, 3, 9], [4, -1, -1]], [[0.9, 0.7, 0.2], [0.6, -np.inf, -np.inf]])
    result = recall(exact, found)
    assert result.share == 3 / 5 and result.first == 1.0 and (result.probes, result.k) == (2, 3)
    assert result.low <= result.share <= result.high
    assert recall(exact, exact).share == recall(exact, exact).low == 1.0


def test_a_tie_with_the_last_counts():
    exact, found = hits([[1, 2]], [[0.9, 0.8]]), hits([[1, 7]], [[0.9, 0.8]])
    assert recall(exact, found).share == 1.0
    assert recall(exact, hits([[7, 8]], [[0.8, 0.8]])).first == 0.0


def test_an_empty_result_is_complete_and_other_searches_are_refused():
    nothing = hits([[-1]], [[-np.inf]])
    assert recall(nothing, nothing).share == 1.0
    with pytest.raises(ValueError):
        recall(nothing, hits([[-1, -1]], [[-np.inf, -np.inf]]))
