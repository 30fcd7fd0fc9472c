"""The harness of the load runs: rates, intervals, what it calls bounded, and that it notices what was lost."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra samebody[service] is not installed")

from benchmarks.service_load import aftermath, overload, page, throughput
from benchmarks.service_load.served import Receiver, Served
from samebody.jobs import Queue, Worker
from samebody.jobs.outbox import body_of
from samebody.store import LocalMasterKey, Store
from samebody.store.schema import OutboxRow
from tests.store.conftest import conclusion, furnish, submit


def test_a_rate_counts_what_came_after_the_first() -> None:
    assert throughput.rate([10.0, 12.0, 11.0, 14.0]) == pytest.approx(3 / 4)
    with pytest.raises(ValueError, match="too few"):
        throughput.rate([1.0, 2.0])


def test_the_interval_is_students_on_logarithms() -> None:
    found = throughput.ratio_with_interval([0.9, 0.8, 1.0], [1.0, 1.0, 1.0])
    assert found["ratio"] == pytest.approx((0.9 * 0.8) ** (1 / 3))
    assert found["low"] < 0.8 < found["ratio"] < 1.0 < found["high"]
    same = throughput.ratio_with_interval([2.0, 4.0], [4.0, 8.0])
    assert same["low"] == pytest.approx(0.5) == pytest.approx(same["high"])


def test_memory_that_goes_on_growing_is_not_bounded() -> None:
    def curve(*sums: float) -> list[dict[str, float]]:
        return [{"second": float(n), "api": value, "worker": 100.0} for n, value in enumerate(sums)]

    assert overload.bounded(curve(100, 300, 310, 290))["bounded"]
    assert not overload.bounded(curve(100, 300, 400, 500))["bounded"]


class Told(Receiver):
    """A receiver that was told what stands in the outbox."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        with store.read() as tx:
            for row in tx.query(OutboxRow):
                self.messages[row.id] = {"data": dict(row.payload)}
                assert body_of(row.kind, row.created, row.payload)


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Served, list[str], Told]:
    key = tmp_path / "store.key"
    LocalMasterKey.create_file(key)
    with Store.open(tmp_path / "store", master=[LocalMasterKey.from_file(key)]) as store:
        furnish(store)
        accepted = [submit(store)[0] for _ in range(2)]
        assert Worker(Queue(store), lambda claim: conclusion("accept"), name="w").drain() == 2
        told = Told(store)
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(aftermath, "audit", lambda _: done)
    return Served(tmp_path), accepted, told


def test_what_holds_has_no_faults(ended: tuple[Served, list[str], Told]) -> None:
    served, accepted, told = ended
    assert aftermath.faults(served, [told], accepted) == []
    assert aftermath.settle([told], accepted, seconds=0.2) < 0.2


def test_a_session_without_a_verdict_is_noticed(ended: tuple[Served, list[str], Told]) -> None:
    served, accepted, told = ended
    with Store.open(served.store, master=[LocalMasterKey.from_file(served.folder / "store.key")]) as store:
        lost = submit(store)[0]
    found = aftermath.faults(served, [told], [*accepted, lost])
    assert all(lost in each for each in found) and "0 verdicts" in found[0] and "told []" in found[1]
    assert aftermath.settle([told], [lost], seconds=0.2) >= 0.2


@pytest.mark.parametrize("change", ["never told", "told twice", "contradicted", "unverified"])
def test_what_an_endpoint_was_told_wrong_is_noticed(ended: tuple[Served, list[str], Told], change: str) -> None:
    served, accepted, told = ended
    name = next(n for n, m in told.messages.items() if m["data"]["session"] == accepted[0])
    message: dict[str, Any] = told.messages[name]["data"]
    if change == "never told":
        del told.messages[name]
    elif change == "told twice":
        told.messages["msg_2"] = {"data": {**message, "sequence": message["sequence"] + 1}}
    elif change == "contradicted":
        told.messages["msg_2"] = {"data": {**message, "state": "rejected"}}
    else:
        told.wrong.append("msg_1: no signature of the message fits")
    assert len(aftermath.faults(served, [told], accepted)) == 1


def test_an_audit_log_that_does_not_verify_is_a_fault(
    ended: tuple[Served, list[str], Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, accepted, told = ended
    monkeypatch.setattr(aftermath, "audit", lambda _: subprocess.CompletedProcess([], 1, "event 3 was changed", ""))
    (fault,) = aftermath.faults(served, [told], accepted)
    assert "event 3" in fault


def test_the_page_says_what_was_not_held() -> None:
    machine = {"processor": "x", "cores": 2, "memory_gib": 4.0, "python": "3.11", "commit": "abc"}
    part = {
        "workers": 2, "seconds_a_turn": 15.0, "ratio": 0.7, "low": 0.6, "high": 0.75, "turns": 1, "asked": 0.8,
        "met": False, "alone_per_second": [1.0], "service_per_second": [0.7],
        "cpu_seconds_each": {"alone": 1.5, "api": 0.1, "worker": 1.8, "housekeeper": 0.0, "clients": 0.1},
    }  # fmt: skip
    text = page.render({"command": "c", "minutes": 1.0, "machine": machine, "load_before": 0.1, "throughput": part})
    assert "**Ratio 0.700, 95 % interval 0.600 to 0.750**" in text and "**not held**" in text
    assert "1500 ms by the pipeline alone" in text and "0.750 of it is the pipeline's" in text
    assert "| 1 | 1.000 | 0.700 | 0.700 |" in text
