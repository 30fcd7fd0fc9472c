"""Cost: counted by hand, an interval that widens with variation, prices that are no prices refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from samebody.cli.main import cli
from samebody.jobs import Queue, Worker
from samebody.operate.cost import Prices, cost, read_prices
from samebody.operate.errors import NothingToDoError, PricesInvalidError
from samebody.store import Store
from tests.operate.conftest import concluded
from tests.store.conftest import SetClock, begin

PRICES = """
currency: CHF
start: 0.1
attempt: 0.02
compute_second: 0.001
review_minute: 0.5
minutes_per_review: 4
message: 0.0001
megabyte_day: 0.01
"""


def filled(store: Store) -> None:
    """Four cases: two accepted at once, one by a reviewer, one at the second attempt after a retry."""
    decisions = iter(("accept", "accept", "review", "retry", "accept"))

    def handler(claim: object) -> object:
        return replace(concluded(0.9, "x"), decision=next(decisions), timings={"total": 2000.0, "face.match": 5.0})

    worker = Worker(Queue(store), handler, name="w")  # type: ignore[arg-type]
    for number in range(4):
        session_id, _ = begin(store)
        store.vault.add("local", session_id, "selfie", bytes([number]) * 500_000, actor="c")
        with store.write() as tx:
            store.sessions.submit(tx, "local", session_id, actor="c")
        worker.drain()
        if number == 2:
            with store.write() as tx:
                store.reviews.decide(
                    tx, "local", session_id, reviewer="r", decision="accept", code="review.person_matches"
                )
    with store.write() as tx:
        store.sessions.resume(tx, "local", session_id, actor="c")
    store.vault.add("local", session_id, "selfie", b"second", actor="c")
    with store.write() as tx:
        store.sessions.submit(tx, "local", session_id, actor="c")
    worker.drain()


def test_the_cost_is_what_is_counted_by_hand(store: Store, clock: SetClock, where: list[str], tmp_path: Path) -> None:
    filled(store)
    clock.move(days=1)
    path = tmp_path / "prices.yaml"
    path.write_text(PRICES)
    with store.read() as tx:
        found = cost(tx, "local", read_prices(path), now=clock())
    assert found.cases == 4 and found.untimed == 0
    assert found.items["start"] == pytest.approx(100.0)
    assert found.items["attempts"] == pytest.approx(1000 * 5 / 4 * 0.02)
    assert found.items["compute"] == pytest.approx(1000 * 10.0 / 4 * 0.001)
    assert found.items["reviews"] == pytest.approx(1000 / 4 * 4 * 0.5)
    assert found.items["storage"] == pytest.approx(1000 * (2_000_006 / 4e6) * 30 * 0.01)
    assert found.items["messages"] == pytest.approx(1000 * found.rates["messages"] * 0.0001)
    assert found.rates["messages"] >= 1  # each conclusion leaves one
    assert found.per_thousand == pytest.approx(sum(found.items.values()))
    assert found.rates["accept"] == 1.0 and found.per_accepted == pytest.approx(found.per_thousand)
    assert found.interval[0] < found.per_thousand < found.interval[1]
    with store.read() as tx:
        plain = cost(tx, "local", Prices(start=0.1), now=clock())
    assert plain.interval == pytest.approx((100.0, 100.0))  # nothing varies

    options = ["operate", "cost", *where, "--prices", str(path), "--days", "36500"]
    told = CliRunner().invoke(cli, [*options, "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.output)["per_thousand"] == pytest.approx(found.per_thousand)
    words = CliRunner().invoke(cli, options)
    assert f"{found.per_thousand:.2f} CHF" in words.output and "stated, not measured: 4 minutes" in words.output


def test_nothing_concluded_is_said(store: Store, clock: SetClock) -> None:
    begin(store)
    with store.read() as tx, pytest.raises(NothingToDoError):
        cost(tx, "local", Prices(start=1.0), now=clock() + timedelta(days=1))


@pytest.mark.parametrize(
    "text",
    ["attempt: -1", "attempt: true", "atempt: 1", "currency: EUR", "- 1", "", "attempt: .inf", "currency: 3", "{"],
)
def test_prices_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(PricesInvalidError):
        read_prices(path)
