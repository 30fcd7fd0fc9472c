"""The master key changes while hosts run: one after the other is started again, and none fails to open a key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from samebody.jobs import Queue, Worker
from samebody.store import LocalMasterKey, Store
from samebody.store.errors import MasterKeyError
from tests.store.conftest import MASTER, SetClock, begin, conclusion, furnish

OLD, NEW = LocalMasterKey(MASTER), LocalMasterKey(bytes(range(32, 64)))


def work(writer: Store, *readers: Store) -> None:
    """A session made, filled and judged by one host, read by the others."""
    session_id, case_id = begin(writer, metadata={"a": 1})
    media = writer.vault.add("local", session_id, "selfie", b"picture", actor="c", perceptual_hash=b"h")
    with writer.write() as tx:
        writer.sessions.submit(tx, "local", session_id, actor="c")
    for reader in readers:
        assert reader.vault.read("local", media.id) == b"picture"
    Worker(Queue(readers[0] if readers else writer), lambda claim: conclusion("accept"), name="w").drain()
    with writer.read() as tx:
        assert [each.decision for each in writer.verdicts.of_case(tx, "local", case_id)] == ["accept"]


def test_hosts_change_the_master_key_one_after_the_other_without_a_pause(tmp_path: Path, clock: SetClock) -> None:
    def host(*keys: LocalMasterKey) -> Store:
        return Store.open(tmp_path / "store", master=keys, clock=clock)

    def both(one: Sequence[LocalMasterKey], other: Sequence[LocalMasterKey]) -> None:
        with host(*one) as a, host(*other) as b:
            work(a, b)
            work(b, a)

    with host(OLD) as first:
        furnish(first)
        work(first)
    both([OLD, NEW], [OLD])  # every host learns the new key, and still wraps with the old
    both([OLD, NEW], [OLD, NEW])
    both([NEW, OLD], [OLD, NEW])  # then wraps with the new, one host after the other
    both([NEW, OLD], [NEW, OLD])
    with host(NEW, OLD) as a, host(NEW, OLD) as b:
        while a.keys.rotate(a.database, 2):  # while both go on
            work(b, a)
        with a.read() as tx:
            assert a.keys.waiting(tx) == 0
    both([NEW], [NEW, OLD])  # and forgets the old
    both([NEW], [NEW])
    with host(OLD) as stale, pytest.raises(MasterKeyError, match="is not given"):
        work(stale)


def test_a_host_that_was_not_told_says_which_key_it_lacks(tmp_path: Path, clock: SetClock) -> None:
    with Store.open(tmp_path / "store", master=[OLD], clock=clock) as old:
        furnish(old)
        with Store.open(tmp_path / "store", master=[NEW, OLD], clock=clock) as new:
            session_id, _ = begin(new)
        with pytest.raises(MasterKeyError) as error:
            old.vault.add("local", session_id, "selfie", b"picture", actor="c")
    assert NEW.id in str(error.value) and "rotate-keys" in str(error.value)
    assert MASTER.hex() not in str(error.value)
