"""Whatever is done to a row of the audit log is found, and named where it was done."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.store import LocalMasterKey, Store
from samebody.store.audit import Report, digest_of, export_log, last_checkpoint, read_export, verify_export, verify_log
from samebody.store.audit.chain import genesis
from samebody.store.audit.log import AuditLog, event_of
from samebody.store.audit.verify import stored_events
from samebody.store.errors import AuditError, InvalidValueError, StoreUnavailableError
from samebody.store.schema import AuditEventRow
from tests.store.conftest import MASTER, furnish, submit

EVENTS = 14


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Path]]:
    """A store with two tenants' logs and checkpoints at 4, 8 and 11; and its database file."""
    folder = tmp_path_factory.mktemp("audit")
    with Store.open(folder, master=[LocalMasterKey(MASTER)]) as store:
        with store.write() as tx:
            for tenant in ("one", "two"):
                store.tenants.create(tx, tenant)
                for number in range(2, EVENTS + 1):
                    store.audit.append(tx, tenant, "key:k", "thing.done", "thing", f"t{number}", number=number)
                    if number in (4, 8, 11):
                        store.audit.checkpoint(tx, tenant)
        yield store, folder / "samebody.db"


def checked(store: Store) -> Report:
    fresh = AuditLog(store.keys, store.clock)
    with store.read() as tx:
        return verify_log(tx, fresh)


class Tampering:
    """Direct access to the file, triggers off; everything is put back afterwards."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA synchronous=OFF")

    def __enter__(self) -> sqlite3.Connection:
        run = self.connection.execute
        tables = ("audit_events", "audit_heads", "audit_checkpoints")
        self.saved = {table: run(f"SELECT * FROM {table}").fetchall() for table in tables}
        self.triggers = [row[0] for row in run("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
        for (name,) in run("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            run(f"DROP TRIGGER {name}")
        return self.connection

    def __exit__(self, *exc: object) -> None:
        run = self.connection.execute
        run("BEGIN")
        for table, rows in self.saved.items():
            run(f"DELETE FROM {table}")
            for row in rows:
                run(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        for trigger in self.triggers:
            run(trigger)
        run("COMMIT")
        self.connection.close()


def test_an_untouched_log_is_sound(logged: tuple[Store, Path]) -> None:
    report = checked(logged[0])
    assert report == Report(2, 2 * EVENTS, 6, ())


def test_the_database_itself_refuses_to_change_the_log(logged: tuple[Store, Path]) -> None:
    connection = sqlite3.connect(logged[1])
    for statement in (
        "UPDATE audit_events SET actor = 'x'",
        "DELETE FROM audit_events",
        "DELETE FROM audit_checkpoints",
    ):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute(statement)
    connection.close()


HEAD_FIELDS = ["sequence", "digest", "checkpoints", "peaks", "mac"]
HEAD_FIELDS += ["size", "root", "at", "previous", "public_key", "signature"]
TEXT_FIELDS = ("at", "actor", "action", "kind", "object", "details", "previous", "digest")


@settings(max_examples=80)
@given(
    st.sampled_from(["one", "two"]),
    st.integers(1, EVENTS),
    st.sampled_from(TEXT_FIELDS),
    st.text(st.characters(codec="ascii", exclude_characters="\x00"), max_size=12),
)
def test_a_changed_field_of_an_event_is_located(
    logged: tuple[Store, Path], tenant: str, sequence: int, field: str, value: str
) -> None:
    store, path = logged
    with Tampering(path) as db:
        where = "WHERE tenant = ? AND sequence = ?"
        (before,) = db.execute(f"SELECT {field} FROM audit_events {where}", (tenant, sequence)).fetchone()
        if before == value:
            return
        db.execute(f"UPDATE audit_events SET {field} = ? {where}", (value, tenant, sequence))
        problems = checked(store).problems
    assert problems[0].tenant == tenant
    assert problems[0].table == "events"
    assert problems[0].first == problems[0].last == sequence


@settings(max_examples=30)
@given(st.integers(1, EVENTS), st.sampled_from(["sequence", "tenant"]), st.integers(31, 2000))
def test_a_moved_event_is_located(logged: tuple[Store, Path], sequence: int, field: str, other: int) -> None:
    store, path = logged
    with Tampering(path) as db:
        if field == "tenant":  # below the other's events there is no free place: it goes behind them
            db.execute(
                "UPDATE audit_events SET tenant = 'two', sequence = ? WHERE tenant = 'one' AND sequence = ?",
                (other, sequence),
            )
        else:
            db.execute("UPDATE audit_events SET sequence = ? WHERE tenant = 'one' AND sequence = ?", (other, sequence))
        problems = checked(store).problems
    assert any(p.tenant == "one" and p.first <= sequence <= p.last for p in problems)
    assert any(p.first <= other <= p.last for p in problems)


@settings(max_examples=30)
@given(st.sets(st.integers(1, EVENTS), min_size=1, max_size=5))
def test_deleted_events_are_located(logged: tuple[Store, Path], gone: set[int]) -> None:
    store, path = logged
    with Tampering(path) as db:
        for sequence in gone:
            db.execute("DELETE FROM audit_events WHERE tenant = 'one' AND sequence = ?", (sequence,))
        problems = checked(store).problems
    assert {p.tenant for p in problems} == {"one"}
    for sequence in gone:
        assert any(p.first <= sequence <= p.last for p in problems), sequence


@settings(max_examples=30)
@given(st.integers(0, EVENTS - 1))
def test_a_cut_end_is_located(logged: tuple[Store, Path], kept: int) -> None:
    store, path = logged
    with Tampering(path) as db:
        db.execute("DELETE FROM audit_events WHERE tenant = 'two' AND sequence > ?", (kept,))
        problems = checked(store).problems
    assert any(p.tenant == "two" and p.table == "events" and (p.first, p.last) == (kept + 1, EVENTS) for p in problems)


@settings(max_examples=30)
@given(st.integers(1, EVENTS), st.integers(1, EVENTS))
def test_swapped_events_are_located(logged: tuple[Store, Path], one: int, other: int) -> None:
    store, path = logged
    if one == other:
        return
    with Tampering(path) as db:
        move = "UPDATE audit_events SET sequence = ? WHERE tenant = 'one' AND sequence = ?"
        for pair in ((1000, one), (one, other), (other, 1000)):
            db.execute(move, pair)
        problems = checked(store).problems
    assert {one, other} <= {p.first for p in problems}


def test_an_inserted_event_is_located(logged: tuple[Store, Path]) -> None:
    store, path = logged
    with store.read() as tx:
        last = event_of(tx.get_one(AuditEventRow, ("one", EVENTS)))
    forged = replace(last, sequence=EVENTS + 1, actor="mallory", previous=last.digest, digest="")
    forged = replace(forged, digest=digest_of(forged))
    with Tampering(path) as db:
        db.execute(
            "INSERT INTO audit_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            tuple(getattr(forged, name) for name in type(forged).__slots__),
        )
        (problem,) = checked(store).problems
    assert (problem.table, problem.first, problem.last) == ("events", EVENTS + 1, EVENTS + 1)


@settings(max_examples=30)
@given(st.integers(1, EVENTS))
def test_a_change_with_all_digests_made_to_fit_is_located_between_checkpoints(
    logged: tuple[Store, Path], sequence: int
) -> None:
    """Somebody who can write to the database, but has no master key, computes the whole chain again."""
    store, path = logged
    with store.read() as tx:
        events = list(stored_events(tx, "one"))
    with Tampering(path) as db:
        previous = genesis("one")
        for event in events:
            actor = "mallory" if event.sequence == sequence else event.actor
            changed = replace(event, actor=actor, previous=previous)
            previous = digest_of(changed)
            db.execute(
                "UPDATE audit_events SET actor = ?, previous = ?, digest = ? WHERE tenant = 'one' AND sequence = ?",
                (actor, changed.previous, previous, event.sequence),
            )
        db.execute("UPDATE audit_heads SET digest = ? WHERE tenant = 'one'", (previous,))
        problems = checked(store).problems
    assert any(p.table == "head" for p in problems)
    if sequence <= 11:
        low, high = next(pair for pair in ((1, 4), (5, 8), (9, 11)) if pair[0] <= sequence <= pair[1])
        assert any((p.table, p.first, p.last) == ("events", low, high) for p in problems)


@settings(max_examples=30)
@given(
    st.sampled_from(["audit_heads", "audit_checkpoints"]),
    st.sampled_from(HEAD_FIELDS),
    st.integers(1, 3),
    st.sampled_from(["", "00" * 32, "7", "zz"]),
)  # fmt: skip
def test_a_changed_field_of_head_or_checkpoint_is_found(
    logged: tuple[Store, Path], table: str, field: str, number: int, value: str
) -> None:
    store, path = logged
    with Tampering(path) as db:
        columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        if field not in columns:
            return
        if field in ("sequence", "checkpoints", "size"):
            value = "7"
        where = "tenant = 'one'" + (f" AND number = {number}" if table == "audit_checkpoints" else "")
        db.execute(f"UPDATE {table} SET {field} = ? WHERE {where}", (value,))
        report = checked(store)
    assert not report.sound
    expected = "head" if table == "audit_heads" else "checkpoints"
    assert any(p.table == expected and (expected == "head" or p.first == number) for p in report.problems)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_deleted_checkpoint_is_found(logged: tuple[Store, Path], number: int) -> None:
    store, path = logged
    with Tampering(path) as db:
        db.execute("DELETE FROM audit_checkpoints WHERE tenant = 'two' AND number = ?", (number,))
        assert any(p.table == "checkpoints" for p in checked(store).problems)


def test_a_rolled_back_database_is_found_by_a_checkpoint_kept_elsewhere(store: Store) -> None:
    with store.write() as tx:
        kept = store.audit.checkpoint(tx, "local")
    assert kept is not None
    older = replace(kept, size=kept.size + 5, root="11" * 32)  # attests more than is there
    with store.read() as tx:
        assert verify_log(tx, store.audit, trusted=[kept]).sound
        assert not verify_log(tx, store.audit, trusted=[older]).sound


def test_an_export_verifies_without_the_database_and_finds_every_change(logged: tuple[Store, Path]) -> None:
    store, _ = logged
    out = io.StringIO()
    with store.write() as tx:
        count, public = export_log(tx, store.audit, "one", out)
    lines = out.getvalue().splitlines()
    assert count == EVENTS
    assert verify_export(read_export(lines), public).sound
    assert not verify_export(read_export(lines), "22" * 32).sound
    for number in range(1, len(lines)):
        cut = lines[:number] + lines[number + 1 :]
        assert not verify_export(read_export(cut), public).sound, number
        changed = lines.copy()
        changed[number] = changed[number].replace('"at":"20', '"at":"30')
        assert not verify_export(read_export(changed), public).sound, number
    assert not verify_export(read_export(lines[: EVENTS + 1]), public).sound
    for bad in ("", "{", "[]", '{"event": 1}', '{"event": {"sequence": "1"}}'):
        with pytest.raises(AuditError):
            read_export([*lines[:1], bad])
    with pytest.raises(AuditError):
        read_export([])


def test_details_hold_ids_and_numbers_only(store: Store) -> None:
    for bad in ({"a": b"x"}, {"a": [1]}, {"a": "x" * 201}, {"a": "line\nbreak"}, {"a": float("nan")}):
        with pytest.raises(InvalidValueError), store.write() as tx:
            store.audit.append(tx, "local", "a", "b", "c", "d", **bad)  # type: ignore[arg-type]
    for bad in ("", "x" * 201, "\x00"):
        with pytest.raises(InvalidValueError), store.write() as tx:
            store.audit.append(tx, "local", bad, "b", "c", "d")


def test_an_event_is_taken_back_with_its_transaction(store: Store) -> None:
    with store.read() as tx:
        before = verify_log(tx, store.audit).events
    with pytest.raises(RuntimeError), store.write() as tx:
        store.audit.append(tx, "local", "a", "b", "c", "d")
        raise RuntimeError
    with store.read() as tx:
        report = verify_log(tx, store.audit)
    assert report.sound
    assert report.events == before


def test_a_checkpoint_is_signed_by_itself_now_and_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samebody.store.audit.log.CHECKPOINT_EVERY", 50)
    with store.write() as tx:
        for number in range(70):
            store.audit.append(tx, "local", "a", "b", "c", str(number))
    with store.read() as tx:
        last = last_checkpoint(tx, "local")
        assert last is not None
        assert last.size == 50
        assert verify_log(tx, store.audit).sound


def test_erasing_a_person_leaves_the_chain_valid(store: Store) -> None:
    with store.write() as tx:
        store.audit.checkpoint(tx, "local")
    session_id, case_id = submit(store)
    with store.write() as tx:
        store.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="enrolment")
    subject = store.people.enrol("local", case_id, [], actor="k", external_id="anna")
    assert store.people.erase("local", subject.id, actor="k")
    with store.read() as tx:
        report = verify_log(tx, store.audit)
        actions = [event.action for event in stored_events(tx, "local")]
    assert report.sound
    assert actions[-1] == "subject.erased"


def test_the_wrong_master_key_cannot_verify(store: Store, tmp_path: Path) -> None:
    with Store.open(tmp_path / "store", master=[LocalMasterKey(bytes(32))], create=False) as other:
        report = checked(other)
    assert not report.sound
    assert "keys.master" in report.problems[0].message


def test_a_missing_database_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        Store.open("sqlite:////nowhere/at/all.db", media=tmp_path, master=[LocalMasterKey(MASTER)])


def test_two_tenants_have_keys_of_their_own(store: Store) -> None:
    furnish(store, "other")
    with store.read() as tx:
        assert store.audit.public_key(tx, "local") != store.audit.public_key(tx, "other")
