"""Logins of the console: they end when they should, and the audit log names no person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from samebody.store import Store
from samebody.store.errors import AccessDeniedError
from samebody.store.logins import KEPT, Identity
from samebody.store.schema import AuditEventRow, ConsoleLoginRow
from tests.store.conftest import SetClock

WHO = Identity("staff", "https://login.example", "248289761001", "Ada Lovelace")
LIFE = timedelta(hours=8)


def test_a_login_ends_by_its_person_and_by_time(either: Store, clock: SetClock) -> None:
    with either.write() as tx:
        one, two = (either.logins.by_identity(tx, "local", WHO, "reviewer", LIFE) for _ in range(2))
        assert either.logins.holder(tx, "local", one).role == "reviewer"
        either.logins.end(tx, "local", one)
        either.logins.end(tx, "local", one)
        with pytest.raises(AccessDeniedError):
            either.logins.holder(tx, "local", one)
        assert either.logins.holder(tx, "local", two).name == "Ada Lovelace"
        clock.move(hours=8)
        with pytest.raises(AccessDeniedError):
            either.logins.holder(tx, "local", two)
        logouts = select(func.count()).select_from(AuditEventRow).filter_by(action="console.logout")
        assert tx.scalar(logouts) == 1


def test_a_login_ends_with_its_key(store: Store) -> None:
    with store.write() as tx:
        _, text = store.api_keys.create(tx, "local", "r", "reviewer", ["sessions:read"], actor="a")
        key = store.api_keys.check(tx, text)
        login = store.logins.by_key(tx, key, LIFE)
        assert store.logins.holder(tx, "local", login).scopes == {"sessions:read"}
        store.api_keys.revoke(tx, "local", key.key_id, actor="a")
        with pytest.raises(AccessDeniedError):
            store.logins.holder(tx, "local", login)


def test_one_person_is_one_actor_and_the_log_does_not_name_them(store: Store) -> None:
    with store.write() as tx:
        store.logins.by_identity(tx, "local", WHO, "reviewer", LIFE)
        log = " ".join(f"{row.actor} {row.details} {row.object}" for row in tx.scalars(select(AuditEventRow)))
    assert WHO.actor in log and "Lovelace" not in log and WHO.subject not in log
    assert Identity("staff", WHO.issuer, WHO.subject, "Countess").actor == WHO.actor
    others = (("https://other.example", WHO.subject), (WHO.issuer, "7"))
    assert WHO.actor not in {Identity("staff", issuer, subject, "").actor for issuer, subject in others}
    assert "Lovelace" not in repr(WHO) and WHO.subject not in repr(WHO)


def test_who_it_was_is_forgotten_a_year_after(store: Store, clock: SetClock) -> None:
    with store.write() as tx:
        store.logins.by_identity(tx, "local", WHO, "reviewer", LIFE)
    clock.now += LIFE + KEPT - timedelta(seconds=1)
    assert store.janitor.sweep().logins_deleted == 0
    clock.move(seconds=1)
    assert store.janitor.sweep().logins_deleted == 1
    with store.read() as tx:
        assert tx.scalar(select(func.count()).select_from(ConsoleLoginRow)) == 0
