"""What is made from samples: sealed with the case, no sample itself, gone with them."""

from __future__ import annotations

import pytest

from samebody.store import Store
from samebody.store.errors import InvalidValueError, NotFoundError
from samebody.store.lifecycle import Event
from samebody.store.redaction import redact_case
from tests.store.conftest import SetClock, begin

SECRET = b"a map of a face"


def kept(store: Store, case_id: str) -> list[tuple[str, int]]:
    with store.read() as tx:
        return [(each.role, each.attempt) for each in store.vault.of_case(tx, "local", case_id, derived=True)]


def test_it_is_sealed_apart_from_samples_and_replaced_by_name(store: Store) -> None:
    session_id, case_id = begin(store)
    store.vault.add("local", session_id, "selfie", b"selfie", actor="c")
    store.vault.derive("local", case_id, 1, "match.words", b"first")
    made = store.vault.derive("local", case_id, 1, "match.words", SECRET)
    store.vault.derive("local", case_id, 2, "match.words", SECRET)
    assert kept(store, case_id) == [("derived:match.words", 1), ("derived:match.words", 2)]
    assert store.vault.read("local", made.id) == SECRET
    with store.read() as tx:
        assert [each.role for each in store.vault.of_case(tx, "local", case_id)] == ["selfie"]
    assert all(SECRET not in store.blobs.get(name) for name, _ in store.blobs.names() if name.startswith(case_id))
    store.vault.collect_garbage()
    assert sum(name.startswith(case_id) for name, _ in store.blobs.names()) == 3


def test_it_goes_with_the_samples_and_cannot_come_back(store: Store, clock: SetClock) -> None:
    session_id, case_id = begin(store)
    store.vault.add("local", session_id, "selfie", b"selfie", actor="c")
    made = store.vault.derive("local", case_id, 1, "template", SECRET)
    with store.write() as tx:
        store.sessions.advance(tx, "local", session_id, Event.CANCEL, actor="t")
    clock.move(days=31)
    with pytest.raises(NotFoundError, match="not kept"):  # due, though nobody swept yet
        store.vault.derive("local", case_id, 1, "template", SECRET)
    store.janitor.sweep()
    assert kept(store, case_id) == []
    with pytest.raises(NotFoundError):
        store.vault.read("local", made.id)
    with pytest.raises(NotFoundError, match="not kept"):
        store.vault.derive("local", case_id, 1, "template", SECRET)


def test_a_redacted_or_unknown_case_keeps_nothing(store: Store) -> None:
    _, case_id = begin(store)
    store.vault.derive("local", case_id, 1, "template", SECRET)
    with store.write() as tx:
        redact_case(store, tx, "local", case_id, actor="t", reason="asked")
    assert kept(store, case_id) == []
    for name in (case_id, "case_nothing"):
        with pytest.raises(NotFoundError):
            store.vault.derive("local", name, 1, "template", SECRET)


@pytest.mark.parametrize(("name", "data"), [("x" * 25, b"x"), ("a b", b"x"), ("x", b"")])
def test_what_is_no_name_or_empty_is_refused(store: Store, name: str, data: bytes) -> None:
    _, case_id = begin(store)
    with pytest.raises(InvalidValueError):
        store.vault.derive("local", case_id, 1, name, data)
