"""What is made from samples: sealed with the case, no sample itself, gone with them."""

from __future__ import annotations

import pytest

from samebody.store import Store
from samebody.store.errors import InvalidValueError, NotFoundError
from samebody.store.lifecycle import Event
from samebody.store.redaction import redact_case
from tests.store.conftest import SetClock, begin

SECRET = b"a map of a face"


def kept(either: Store, case_id: str) -> list[tuple[str, int]]:
    with either.read() as tx:
        return [(each.role, each.attempt) for each in either.vault.of_case(tx, "local", case_id, derived=True)]


def test_it_is_sealed_apart_from_samples_and_replaced_by_name(either: Store) -> None:
    session_id, case_id = begin(either)
    either.vault.add("local", session_id, "selfie", b"selfie", actor="c")
    either.vault.derive("local", case_id, 1, "match.words", b"first")
    made = either.vault.derive("local", case_id, 1, "match.words", SECRET)
    either.vault.derive("local", case_id, 2, "match.words", SECRET)
    assert kept(either, case_id) == [("derived:match.words", 1), ("derived:match.words", 2)]
    assert either.vault.read("local", made.id) == SECRET
    with either.read() as tx:
        assert [each.role for each in either.vault.of_case(tx, "local", case_id)] == ["selfie"]
    assert all(SECRET not in either.blobs.get(name) for name, _ in either.blobs.names() if name.startswith(case_id))
    either.vault.collect_garbage()
    assert sum(name.startswith(case_id) for name, _ in either.blobs.names()) == 3


def test_it_goes_with_the_samples_and_cannot_come_back(either: Store, clock: SetClock) -> None:
    session_id, case_id = begin(either)
    either.vault.add("local", session_id, "selfie", b"selfie", actor="c")
    made = either.vault.derive("local", case_id, 1, "template", SECRET)
    with either.write() as tx:
        either.sessions.advance(tx, "local", session_id, Event.CANCEL, actor="t")
    clock.move(days=31)
    with pytest.raises(NotFoundError, match="not kept"):  # due, though nobody swept yet
        either.vault.derive("local", case_id, 1, "template", SECRET)
    either.janitor.sweep()
    assert kept(either, case_id) == []
    with pytest.raises(NotFoundError):
        either.vault.read("local", made.id)
    with pytest.raises(NotFoundError, match="not kept"):
        either.vault.derive("local", case_id, 1, "template", SECRET)


def test_a_redacted_or_unknown_case_keeps_nothing(either: Store) -> None:
    _, case_id = begin(either)
    either.vault.derive("local", case_id, 1, "template", SECRET)
    with either.write() as tx:
        redact_case(either, tx, "local", case_id, actor="t", reason="asked")
    assert kept(either, case_id) == []
    for name in (case_id, "case_nothing"):
        with pytest.raises(NotFoundError):
            either.vault.derive("local", name, 1, "template", SECRET)


@pytest.mark.parametrize(("name", "data"), [("x" * 25, b"x"), ("a b", b"x"), ("x", b"")])
def test_what_is_no_name_or_empty_is_refused(either: Store, name: str, data: bytes) -> None:
    _, case_id = begin(either)
    with pytest.raises(InvalidValueError):
        either.vault.derive("local", case_id, 1, name, data)
