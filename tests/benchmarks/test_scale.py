"""The arithmetic of `benchmarks.scale`, by hand and by its laws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import scale
from benchmarks.scale import Engine, Machine, engines, need, page

ENGINE = Engine("e", 1e6, 2e6, 100.0, 100.0, 400.0, "work", "nothing")
MACHINE = Machine(10, 1000 / 2**30 * 1e6, 2.0, 0.5)  # memory of 1 GB


def test_one_case_by_hand() -> None:
    held = need(ENGINE, 10**8, MACHINE, latency=1.0, searches=10.0)
    assert held.seconds == pytest.approx(100.0) and held.memory == 1e10 and held.disk == 4e10
    assert held.cores == pytest.approx(500.0)  # 10 searches of 1e8 at 2e6 a second
    assert (held.machines, held.bound) == (100, "throughput")  # 500 cores, 5 usable each
    assert held.month == pytest.approx(100 * 2.0 * 730)
    assert held.all_pairs_hours == pytest.approx(1e16 / 2 / 2e6 / 3600, rel=1e-6)
    assert need(ENGINE, 10**8, MACHINE, latency=0.01, searches=1.0).bound == "latency"
    few = Machine(1000, 1000 / 2**30 * 1e6, 2.0, 0.5)
    assert need(ENGINE, 10**8, few, latency=1.0, searches=1.0).bound == "memory"


@given(st.integers(1, 10**9), st.floats(0.01, 100), st.floats(0.01, 1000))
def test_more_is_never_cheaper(people: int, latency: float, searches: float) -> None:
    one = need(ENGINE, people, MACHINE, latency=latency, searches=searches)
    for held in (
        need(ENGINE, 2 * people, MACHINE, latency=latency, searches=searches),
        need(ENGINE, people, MACHINE, latency=latency / 2, searches=searches),
        need(ENGINE, people, MACHINE, latency=latency, searches=2 * searches),
    ):
        assert held.machines >= one.machines >= 1 and held.month >= one.month


def speed() -> dict[str, object]:
    rows = {
        "exact, above the threshold": {"rate": 1e6},
        "cascade at 1e-6, above the threshold": {"rate": 4e6},
        "cascade, 16 probes": {"rate": 5e6},
    }
    single, batch = {"samebody int8": {"rate": 30.0}}, {"samebody int8": {"rate": 300.0}}
    return {
        "machine": {"processor": "made up", "commit": "0" * 12},
        "iris": [{"threads": 1, scale.REALISTIC: {"rows": rows}}],
        "vectors": [
            {
                "threads": 2,
                "references": 10**6,
                "dimension": 512,
                "bytes_per_dimension": 1.1,
                "batch 1": {"rows": single},
                "batch 64": {"rows": batch},
            }
        ],
    }


def test_rates_are_those_of_one_core() -> None:
    exact, cascade, vectors = engines(speed())
    assert (exact.rate, exact.batched, cascade.batched) == (1e6, 1e6, 5e6)
    assert (vectors.rate, vectors.batched) == (15e6, 150e6)
    assert exact.scanned == 3200 and vectors.disk == 2048
    with pytest.raises(SystemExit, match="search_speed"):
        engines({})


def test_the_page_is_written_from_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "speed.json"
    results.write_text(json.dumps(speed()))
    out = tmp_path / "scale.md"
    arguments = ["scale", "--speed", str(results), "--out", str(out), "--cores", "32", "--price", "1.5"]
    monkeypatch.setattr("sys.argv", arguments)
    scale.main()
    text = out.read_text()
    assert "1,000,000,000 people" in text and "32 such cores" in text and "1.5 an hour" in text and "1.0e-11" in text
    assert text == page(engines(speed()), speed(), Machine(32, 512, 1.5, 0.7), 1.0, 10.0)
    monkeypatch.setattr("sys.argv", ["scale", "--speed", str(tmp_path / "none.json")])
    with pytest.raises(SystemExit, match="--measure"):
        scale.main()
