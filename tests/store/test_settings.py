"""What a tenant sets for itself: bounds, versions, and that sessions and cases keep to it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from samebody.jobs import Queue, Worker
from samebody.store import State, Store
from samebody.store.errors import ConflictError, IllegalTransitionError, InvalidValueError
from samebody.store.schema import AuditEventRow, CaseRow
from samebody.store.settings import FIELDS, TenantSettings
from tests.store.conftest import SetClock, begin, conclusion, furnish, submit


def test_nothing_is_set_at_first_and_changes_are_versions(either: Store) -> None:
    with either.write() as tx:
        assert either.settings.get(tx, "local") == TenantSettings() and either.settings.version(tx, "local") == 0
        either.settings.change(tx, "local", {"submissions": 2, "rate": 60}, actor="key:a")
        found = either.settings.change(tx, "local", {"submissions": None}, actor="key:b")
        assert (found.submissions, found.rate) == (None, 60)
        latest = either.settings.latest(tx, "local")
        assert (latest.version, latest.author, latest.changed) == (2, "key:b", either.clock())
        either.settings.change(tx, "local", {"rate": 60}, actor="key:c")  # the same: no new version
        assert either.settings.version(tx, "local") == 2
        rows = tx.query(AuditEventRow).filter_by(action="tenant.settings_changed").order_by(AuditEventRow.sequence)
        assert ['"submissions":"unset"' in row.details.replace(" ", "") for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("name", "value"),
    [("submissions", 0), ("submissions", 11), ("submissions", 1.5), ("submissions", True), ("rate", "7"),
     ("longest_media_days", -1), ("longest_media_days", float("nan")), ("private_webhooks", 1)],
)  # fmt: skip
def test_what_is_out_of_bounds_is_not_written(store: Store, name: str, value: object) -> None:
    with pytest.raises(InvalidValueError), store.write() as tx:
        store.settings.change(tx, "local", {"token_minutes": 5, name: value}, actor="a")  # type: ignore[dict-item]
    with store.read() as tx:
        assert store.settings.version(tx, "local") == 0


def test_a_change_on_top_of_another_ones_is_refused(store: Store) -> None:
    with store.write() as tx:
        store.settings.change(tx, "local", {"rate": 5}, actor="a", expected=0)
    with pytest.raises(ConflictError), store.write() as tx:
        store.settings.change(tx, "local", {"rate": 6}, actor="b", expected=0)
    with store.read() as tx:
        assert store.settings.get(tx, "local").rate == 5


def test_every_setting_says_what_it_is() -> None:
    for name, about in FIELDS.items():
        assert set(about.metadata) == {"label", "unit", "lowest", "highest", "help"}, name


def test_sessions_keep_to_the_tenants_limits_and_other_tenants_do_not(store: Store, clock: SetClock) -> None:
    furnish(store, "other")
    with store.write() as tx:
        store.settings.change(
            tx, "local", {"submissions": 1, "session_minutes": 10, "longest_media_days": 3, "longest_case_days": 2},
            actor="a",
        )  # fmt: skip
    states, cases = {}, {}
    for tenant in ("local", "other"):
        session_id, case_id = submit(store, tenant)
        with store.read() as tx:
            cases[tenant] = tx.get_one(CaseRow, (tenant, case_id))
            states[tenant] = store.sessions.get(tx, tenant, session_id)
    Worker(Queue(store), lambda claim: conclusion("retry"), name="w").drain()
    with store.read() as tx:
        after = {tenant: store.sessions.get(tx, tenant, view.id).state for tenant, view in states.items()}
    assert after == {"local": State.REVIEW, "other": State.RETRY}
    lives = {tenant: view.expires - view.created for tenant, view in states.items()}
    assert lives == {"local": timedelta(minutes=10), "other": timedelta(hours=24)}
    kept = {tenant: (row.media_expires - row.created, row.expires - row.created) for tenant, row in cases.items()}
    assert kept["local"] == (timedelta(days=2), timedelta(days=2))
    assert kept["other"] == (timedelta(days=30), timedelta(days=365))


def test_the_life_after_a_retry_is_the_tenants(store: Store, clock: SetClock) -> None:
    with store.write() as tx:
        store.settings.change(tx, "local", {"session_minutes": 5, "retry_minutes": 90}, actor="a")
    session_id, _ = submit(store)
    clock.move(minutes=4)
    Worker(Queue(store), lambda claim: conclusion("retry"), name="w").drain()
    with store.read() as tx:
        assert store.sessions.get(tx, "local", session_id).expires == clock() + timedelta(minutes=90)


def test_nothing_is_taken_in_after_expiry_even_before_the_sweep(store: Store, clock: SetClock) -> None:
    session_id, _ = begin(store)
    clock.move(hours=24)
    with pytest.raises(IllegalTransitionError, match="expired"):
        store.vault.add("local", session_id, "selfie", b"late", actor="client")
    with pytest.raises(IllegalTransitionError, match="expired"), store.write() as tx:
        store.sessions.submit(tx, "local", session_id, actor="client")
    store.janitor.sweep()
    with store.read() as tx:
        assert store.sessions.get(tx, "local", session_id).state is State.EXPIRED
