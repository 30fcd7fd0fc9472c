"""Drift looked for by the housekeeper: once a day a tenant; silent in quiet days, an alarm when a shift is planted."""

from __future__ import annotations

import json

from sqlalchemy import select

from samebody.operate.watch import watch_daily
from samebody.store import Store
from samebody.store.schema import AuditEventRow
from tests.operate.conftest import fill
from tests.store.conftest import SetClock


def events(store: Store, action: str) -> list[AuditEventRow]:
    with store.read() as tx:
        return list(tx.scalars(select(AuditEventRow).filter_by(action=action).order_by(AuditEventRow.sequence)))


def test_the_housekeeper_looks_once_a_day_and_tells_a_planted_shift(store: Store, clock: SetClock) -> None:
    fill(store, clock, days=9, a_day=40, seed=3)
    for _ in range(2):  # quiet days
        fill(store, clock, days=1, a_day=40, seed=4)
        (report,) = watch_daily(store).values()
        assert report.window_cases == 40 and report.alarms == ()
        assert watch_daily(store) == {}  # the second housekeeper of the day
    fill(store, clock, days=1, a_day=40, seed=5, shift=-0.2)
    (report,) = watch_daily(store).values()
    assert {"face.match"} <= {each.check for each in report.alarms}
    assert len(events(store, "drift.watched")) == 3
    told = [json.loads(row.details) for row in events(store, "drift.alarmed") if row.object == "face.match"]
    assert told and all(each["window_cases"] == 40 for each in told)


def test_each_tenant_is_looked_at(store: Store, clock: SetClock) -> None:
    with store.write() as tx:
        store.tenants.create(tx, "other")
    assert set(watch_daily(store)) == {"local", "other"}
    clock.move(hours=23)
    assert watch_daily(store) == {}
    clock.move(hours=1)
    assert set(watch_daily(store)) == {"local", "other"}
