"""Samplers: exact balance, whole passes, the same choice after a resume, mining of what is hard."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.errors import ConfigError, UsageError
from samebody.lab.train.parts import samplers

ALL = {
    "uniform": {},
    "balanced": {},
    "group-aware": {},
    "hard-negative": {},
    "hard-positive": {},
    "identities": {"column": "subject"},
}


def columns_of(n=60):
    rng = np.random.default_rng(0)
    return {
        "label": (np.arange(n) % 5 == 0).astype(np.int64),
        "group": rng.choice(["a", "b", "c"], n),
        "subject": np.arange(n) % 12,
    }


@pytest.mark.parametrize("name", ALL)
def test_a_step_is_a_function_of_its_arguments(name):
    first, second = (samplers[name](columns_of(), **ALL[name]) for _ in range(2))
    for step in (5, 0, 17):
        found = first.indices(step, 8, 3)
        assert found.dtype == np.int64
        assert found.shape == (8,)
        np.testing.assert_array_equal(found, second.indices(step, 8, 3))
    assert any((first.indices(step, 8, 3) != first.indices(step, 8, 4)).any() for step in range(5))


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**40))
def test_uniform_gives_each_sample_once_per_pass(count, size, seed):
    sampler = samplers["uniform"]({"label": np.zeros(count, np.int64)})
    steps = -(-3 * count // size)
    drawn = np.concatenate([sampler.indices(step, size, seed) for step in range(steps)])
    for start in range(0, 3 * count, count):
        assert sorted(drawn[start : start + count]) == list(range(count))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=3, max_size=60), st.integers(1, 20), st.integers(0, 1000))
def test_balanced_classes_differ_by_one_at_most(label, size, seed):
    label = np.array(label)
    sampler = samplers["balanced"]({"label": label})
    counts, seen = Counter(), []
    for step in range(12):
        drawn = sampler.indices(step, size, seed)
        counts.update(label[drawn].tolist())
        seen.extend(drawn.tolist())
        found = [counts[value] for value in np.unique(label)]
        assert max(found) - min(found) <= 1
    for value in np.unique(label):
        repeats = Counter(index for index in seen if label[index] == value)
        times = [repeats[index] for index in np.flatnonzero(label == value).tolist()]
        assert max(times) - min(times) <= 1


def test_groups_are_balanced_with_classes():
    columns = columns_of(200)
    sampler = samplers["group-aware"](columns)
    drawn = np.concatenate([sampler.indices(step, 12, 0) for step in range(10)])
    cells = Counter(zip(columns["group"][drawn], columns["label"][drawn], strict=True))
    assert len(cells) == 6
    assert set(cells.values()) == {20}


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"'race'.*label"):
        samplers["balanced"]({"label": np.zeros(3)}, by=["race"])


def test_identities_are_whole_and_distinct():
    columns = columns_of(96)
    sampler = samplers["identities"](columns, column="subject", samples=4)
    seen = Counter()
    for step in range(24):
        drawn = sampler.indices(step, 16, 1)
        people = columns["subject"][drawn].reshape(4, 4)
        assert (people == people[:, :1]).all()
        assert len(set(people[:, 0])) == 4
        assert len(set(drawn.tolist())) == 16
        seen.update(drawn.tolist())
    assert set(seen.values()) == {4}


def test_small_identities_repeat_and_smaller_ones_are_left_out():
    columns = {"label": np.array([0, 0, 1, 1, 1, 1, 2])}
    sampler = samplers["identities"](columns, samples=4)
    drawn = np.concatenate([sampler.indices(step, 8, 0) for step in range(4)])
    assert set(columns["label"][drawn].tolist()) == {0, 1}
    with pytest.raises(UsageError, match="3 identities"):
        sampler.indices(0, 12, 0)
    with pytest.raises(UsageError, match="whole number"):
        sampler.indices(0, 7, 0)
    with pytest.raises(UsageError, match="no identity"):
        samplers["identities"]({"label": np.arange(5)})


# -------------------------------------------------------------------------------------------------------------- mining


def observe_all(sampler, losses):
    sampler.observe(np.arange(len(losses)), np.asarray(losses, np.float32))


def test_hard_negatives_are_the_negatives_with_the_largest_loss():
    label = np.array([0] * 50 + [1] * 50)
    sampler = samplers["hard-negative"]({"label": label}, share=0.5, pool=0.1)
    loss = np.arange(100, dtype=np.float32)
    observe_all(sampler, loss)
    drawn = sampler.indices(0, 8, 0)
    assert set(drawn[:4].tolist()) <= set(range(45, 50))
    assert len(set(drawn[:4].tolist())) == 4
    mined = samplers["hard-positive"]({"label": label}, share=0.5, pool=0.1)
    observe_all(mined, -loss)
    assert set(mined.indices(0, 8, 0)[:4].tolist()) <= set(range(50, 55))


def test_until_enough_is_seen_a_step_is_balanced():
    columns = columns_of()
    sampler, plain = samplers["hard-negative"](columns), samplers["balanced"](columns)
    np.testing.assert_array_equal(sampler.indices(4, 8, 0), plain.indices(4, 8, 0))


def test_running_losses_forget_and_pass_over_what_is_no_number():
    sampler = samplers["hard-negative"]({"label": np.zeros(3, np.int64)}, memory=0.75)
    sampler.observe(np.array([0, 1]), np.array([4.0, np.nan], np.float32))
    sampler.observe(np.array([0]), np.array([8.0], np.float32))
    state = sampler.state()
    assert state["loss"].tolist() == [5.0, 0.0, 0.0]
    assert state["seen"].tolist() == [True, False, False]


@settings(max_examples=25)
@given(st.lists(st.floats(0, 10, width=32), min_size=60, max_size=60), st.integers(0, 50))
def test_a_resumed_miner_chooses_alike(values, step):
    first = samplers["hard-negative"](columns_of())
    observe_all(first, values)
    second = samplers["hard-negative"](columns_of())
    second.restore(first.state())
    np.testing.assert_array_equal(first.indices(step, 16, 9), second.indices(step, 16, 9))
    first.observe(np.array([1]), np.array([99.0], np.float32))
    assert second.state()["loss"][1] != 99.0


def test_a_state_of_other_data_is_refused():
    sampler = samplers["hard-negative"](columns_of(60))
    with pytest.raises(UsageError, match="60"):
        sampler.restore(samplers["hard-negative"](columns_of(50)).state())
    with pytest.raises(UsageError, match="label"):
        samplers["hard-negative"]({"label": np.ones(4, np.int64)})


@pytest.mark.parametrize("name", ALL)
def test_unknown_parameters_are_refused(name):
    with pytest.raises(ConfigError, match="surprise"):
        samplers[name](columns_of(), surprise=1)
