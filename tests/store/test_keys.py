"""Keys open what they sealed and nothing else; a new master key takes over while all goes on; erasure is for good."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from samebody import crypto
from samebody.store import LocalMasterKey, Store
from samebody.store.backup import backup, check_backup, missing_files, restore
from samebody.store.blobs import FolderBlobs
from samebody.store.errors import BackupError, BlobError, KeyDestroyedError, MasterKeyError, NotFoundError
from samebody.store.master import ENVIRONMENT, Keyring, from_environment
from samebody.store.schema import KeyRow, MediaRow
from tests.store.conftest import MASTER, SetClock, begin, submit

OLD, NEW = LocalMasterKey(MASTER), LocalMasterKey(bytes(range(1, 33)))


class RemoteMasterKey:
    """What an adapter to a key management service looks like; counts its calls."""

    def __init__(self) -> None:
        self._inner, self.calls = LocalMasterKey(b"r" * 32), 0

    @property
    def id(self) -> str:
        return "kms:alias/samebody"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        self.calls += 1
        return self._inner.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        self.calls += 1
        return self._inner.unwrap(wrapped, context)


def reopened(store: Store, *keys: object) -> Store:
    assert store.database.url.database is not None
    folder = Path(store.database.url.database).parent
    return Store.open(folder, master=keys, clock=store.clock, create=False)  # type: ignore[arg-type]


def test_rotation_goes_on_where_it_stopped_and_nothing_is_closed_meanwhile(store: Store) -> None:
    session_id, _ = begin(store)
    media = store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    for _ in range(10):
        begin(store)
    with reopened(store, NEW, OLD) as both:
        with both.read() as tx:
            before = both.keys.waiting(tx)
        assert both.keys.rotate(both.database, batch=4) == 4
        assert both.vault.read("local", media.id) == b"picture"  # half-way
    with reopened(store, NEW, OLD) as again:
        later, _ = begin(again)  # new keys are wrapped by the new master key
        assert again.rotate_master(batch=4) == before - 4
        assert again.rotate_master() == 0
    with reopened(store, NEW) as done:
        assert done.vault.read("local", media.id) == b"picture"
        with done.read() as tx:
            assert set(tx.scalars(select(KeyRow.master))) == {NEW.id}
            done.keys.of(tx, "local", "case", done.sessions.get(tx, "local", later).case_id)
    with reopened(store, OLD) as late, pytest.raises(MasterKeyError):
        late.vault.read("local", media.id)


def test_a_key_service_plugs_in_and_takes_over(store: Store) -> None:
    session_id, _ = begin(store)
    media = store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    remote = RemoteMasterKey()
    with reopened(store, remote, OLD) as moving:
        assert moving.rotate_master() > 0
    with reopened(store, remote) as moved:
        calls = remote.calls
        assert moved.vault.read("local", media.id) == b"picture"
        assert remote.calls == calls + 1


def test_a_wrapped_key_cannot_be_moved_to_another_owner(store: Store) -> None:
    (_, one), (_, other) = begin(store), begin(store)
    with store.write() as tx:
        wrapped = tx.scalars(select(KeyRow.wrapped).filter_by(owner=one)).one()
        tx.execute(update(KeyRow).where(KeyRow.owner == other).values(wrapped=wrapped))
    with store.read() as tx, pytest.raises(MasterKeyError):
        store.keys.of(tx, "local", "case", other)


def test_a_sealed_file_cannot_stand_in_for_another(store: Store) -> None:
    session_id, _ = begin(store)
    one = store.vault.add("local", session_id, "selfie", b"one", actor="c")
    other = store.vault.add("local", session_id, "document", b"other", actor="c")
    with store.read() as tx:
        blobs = {row.id: row.blob for row in tx.scalars(select(MediaRow))}
    store.blobs.put(blobs[one.id], store.blobs.get(blobs[other.id]))
    with pytest.raises(BlobError):
        store.vault.read("local", one.id)


def test_an_erased_person_stays_erased_when_a_backup_is_restored(store: Store, tmp_path: Path, clock: SetClock) -> None:
    session_id, case_id = submit(store)
    with store.write() as tx:
        store.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="enrolment")
    subject = store.people.enrol("local", case_id, [], actor="k")
    made = backup(store, tmp_path / "backup")
    assert made["files"] >= 1
    store.people.erase("local", subject.id, actor="k")
    restore(tmp_path / "backup", tmp_path / "again", marks=FolderBlobs(tmp_path / "store" / "media"))
    with Store.open(tmp_path / "again", master=[OLD], clock=clock) as restored:
        with restored.read() as tx:
            restored.keys.of(tx, "local", "subject", subject.id)
        assert restored.vault.erase_again() == 2  # the case's and the subject's
        with restored.read() as tx, pytest.raises(KeyDestroyedError):
            restored.keys.of(tx, "local", "subject", subject.id)


def test_a_backup_is_complete_or_refused(store: Store, tmp_path: Path, clock: SetClock) -> None:
    session_id, _ = begin(store)
    media = store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    backup(store, tmp_path / "backup")
    with pytest.raises(BackupError):
        backup(store, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "again")
    with Store.open(tmp_path / "again", master=[OLD], clock=clock) as restored:
        assert restored.vault.read("local", media.id) == b"picture"
        assert missing_files(restored) == []
    with pytest.raises(BackupError):
        restore(tmp_path / "backup", tmp_path / "again")
    (sealed,) = (tmp_path / "backup" / "media").rglob("med_*")
    sealed.write_bytes(sealed.read_bytes()[:-1])
    with pytest.raises(BackupError, match="missing or changed"):
        check_backup(tmp_path / "backup")
    (tmp_path / "backup" / "backup.json").unlink()
    with pytest.raises(BackupError, match="no backup"):
        restore(tmp_path / "backup", tmp_path / "third")


def test_master_keys_come_from_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = LocalMasterKey.create_file(tmp_path / "key")
    assert LocalMasterKey.from_file(tmp_path / "key").id == made.id
    (tmp_path / "raw").write_bytes(MASTER)
    (tmp_path / "raw").chmod(0o600)
    assert LocalMasterKey.from_file(tmp_path / "raw").id == OLD.id
    monkeypatch.setenv(ENVIRONMENT, f"{NEW._key.hex()}, {MASTER.hex()}")
    assert [key.id for key in from_environment()] == [NEW.id, OLD.id]
    monkeypatch.delenv(ENVIRONMENT)
    assert from_environment() == []
    (tmp_path / "open").write_text(MASTER.hex())
    (tmp_path / "open").chmod(0o644)
    for name, reason in (("open", "others"), ("none", "cannot be read")):
        with pytest.raises(MasterKeyError, match=reason):
            LocalMasterKey.from_file(tmp_path / name)
    with pytest.raises(MasterKeyError, match="cannot be made"):
        LocalMasterKey.create_file(tmp_path / "key")
    for text in ("", "zz" * 32, "00" * 31, "é" * 64):
        with pytest.raises(MasterKeyError):
            LocalMasterKey.from_text(text, "a test")
    for keys in ([], [OLD, OLD]):
        with pytest.raises(MasterKeyError):
            Keyring(keys)


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=20), st.binary(max_size=20))
def test_a_wrapped_key_opens_in_its_context_only(key: bytes, context: bytes, other: bytes) -> None:
    wrapped = OLD.wrap(key, context)
    assert OLD.unwrap(wrapped, context) == key
    if other != context:
        with pytest.raises(MasterKeyError):
            OLD.unwrap(wrapped, other)
    with pytest.raises(MasterKeyError):
        NEW.unwrap(wrapped, context)


def test_a_sample_that_could_not_be_entered_leaves_no_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id, _ = begin(store)
    monkeypatch.setattr(type(store.sessions), "advance", lambda *a, **k: (_ for _ in ()).throw(NotFoundError("gone")))
    with pytest.raises(NotFoundError):
        store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    assert list(store.blobs.names()) == []


def test_crypto_of_the_samples_is_that_of_the_crypto_module(store: Store) -> None:
    session_id, _ = begin(store)
    media = store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    with store.read() as tx:
        row = tx.get_one(MediaRow, ("local", media.id))
        holder = store.keys.open(tx, "local", row.key_id)
    own = crypto.unseal(
        holder.secret, row.wrapped_key, associated_data=f"samebody/store/1/local/media/{media.id}/key".encode()
    )
    sealed = store.blobs.get(row.blob)
    bound = f"samebody/store/1/local/media/{media.id}/content".encode()
    assert crypto.unseal(own, sealed, associated_data=bound) == b"picture"
