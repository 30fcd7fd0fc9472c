"""Batches use the same leases: added once, done once, given on when a worker dies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from samebody.jobs import LeaseLostError, Task, Tasks
from samebody.store import Store
from samebody.store.errors import InvalidValueError, NotFoundError
from tests.store.conftest import SetClock


def add(store: Store, tasks: Tasks, *names: str) -> int:
    with store.write() as tx:
        return tasks.add(tx, "local", "enrol", "b1", {name: {"name": name} for name in names}, actor="key:k")


def test_a_batch_is_worked_through_and_sent_again_without_repeats(either: Store) -> None:
    tasks = Tasks(either)
    assert add(either, tasks, "one", "two") == 2
    assert add(either, tasks, "two", "three") == 1
    while tasks.run_once("w", "enrol", lambda task: {"got": task.input["name"]}) is not None:
        pass
    assert tasks.run_once("w", "dedupe", lambda task: {}) is None
    assert add(either, tasks, "one", "two", "three") == 0
    with either.read() as tx:
        assert tasks.progress(tx, "local", "b1") == {"waiting": 0, "running": 0, "done": 3, "failed": 0}
        assert tasks.results(tx, "local", "b1") == {name: {"got": name} for name in ("one", "two", "three")}
        with pytest.raises(NotFoundError):
            tasks.progress(tx, "local", "b2")


def test_a_dead_workers_item_goes_to_the_next_and_its_late_result_is_refused(either: Store, clock: SetClock) -> None:
    tasks = Tasks(either, lease=timedelta(seconds=30))
    add(either, tasks, "one")
    first = tasks.claim("w1", "enrol")
    assert first is not None
    assert tasks.claim("w2", "enrol") is None
    clock.move(seconds=20)
    tasks.heartbeat(first)
    clock.move(seconds=20)
    assert tasks.claim("w2", "enrol") is None
    clock.move(seconds=11)
    second = tasks.claim("w2", "enrol")
    assert second is not None
    assert second.failures == 1
    for late in (lambda: tasks.finish(first, {}), lambda: tasks.fault(first, "x"), lambda: tasks.heartbeat(first)):
        with pytest.raises(LeaseLostError):
            late()
    tasks.finish(second, {"done": True})
    with either.read() as tx:
        assert tasks.results(tx, "local", "b1") == {"one": {"done": True}}


@pytest.mark.parametrize("dies", [True, False])
def test_an_item_that_always_fails_is_given_up(store: Store, clock: SetClock, dies: bool) -> None:
    tasks = Tasks(store, failures=3)
    add(store, tasks, "one")
    tried: list[Task] = []

    def fails(task: Task) -> dict[str, object]:
        tried.append(task)
        raise RuntimeError("planted name")

    for _ in range(6):
        clock.move(hours=1)
        if dies:
            claim = tasks.claim("w", "enrol")
            tried += [claim] if claim else []
        else:
            tasks.run_once("w", "enrol", fails)
    assert len(tried) == 3
    with store.read() as tx:
        assert tasks.progress(tx, "local", "b1")["failed"] == 1


def test_names_and_inputs_are_checked(store: Store) -> None:
    tasks = Tasks(store)
    for items in ({"no spaces": {}}, {"x": {"a": float("nan")}}, {"x": {"a": b"bytes"}}):
        with pytest.raises(InvalidValueError), store.write() as tx:
            tasks.add(tx, "local", "enrol", "b1", items, actor="k")
