"""What every place for sealed files must do, on a folder, in memory and in a bucket; and how each one fails."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from samebody.jobs import Claim, Queue, Worker
from samebody.store import LocalMasterKey, State, Store
from samebody.store.blobs import Blobs, FolderBlobs, FsspecBlobs, open_blobs
from samebody.store.errors import (
    BlobError,
    IllegalTransitionError,
    NotFoundError,
    StoreConfigError,
    StoreExtraMissingError,
)
from samebody.store.objects import ObjectBlobs
from samebody.store.people import NewReference
from samebody.store.schema import MediaRow
from samebody.store.verdicts import Conclusion
from tests.store.conftest import MASTER, SetClock, begin, conclusion, furnish
from tests.store.s3 import Bucket, bucket

__all__ = ["bucket"]
BAD_NAMES = ("../x", "/etc/passwd", "a/../b", "", "a b", "a//b", "a/", "a/\x00", "a\n", "ä")


@pytest.fixture(params=["folder", "memory", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return open_blobs(tmp_path)
    if request.param == "memory":
        pytest.importorskip("fsspec")
        return open_blobs(f"memory://{tmp_path.name}")
    return open_blobs(request.getfixturevalue("bucket").url)


def test_the_address_says_what_it_is(tmp_path: Path, bucket: Bucket) -> None:
    assert isinstance(open_blobs(tmp_path), FolderBlobs)
    assert isinstance(open_blobs(bucket.url), ObjectBlobs)
    assert isinstance(open_blobs("memory://x"), FsspecBlobs)
    with pytest.raises(StoreConfigError):
        open_blobs("s3://")
    with pytest.raises(StoreConfigError):
        open_blobs("nothing-that-is-known://x")


def test_what_is_put_is_read_listed_and_deleted(blobs: Blobs) -> None:
    assert list(blobs.names()) == list(blobs.names("case_1")) == []
    blobs.put("case_1/med_1", b"one")
    blobs.put("case_1/med_1", b"one again")
    blobs.put("case_1/med_2", bytes(range(256)) * 40)
    blobs.put("case_10/med_3", b"")
    assert blobs.get("case_1/med_1") == b"one again"
    assert blobs.get("case_1/med_2") == bytes(range(256)) * 40
    assert blobs.get("case_10/med_3") == b""
    listed = dict(blobs.names())
    assert list(listed) == ["case_1/med_1", "case_1/med_2", "case_10/med_3"]
    for changed in listed.values():
        assert abs((datetime.now(UTC) - changed).total_seconds()) < 60
    assert [name for name, _ in blobs.names("case_1")] == ["case_1/med_1", "case_1/med_2"]  # a folder, not a prefix
    for _ in range(2):
        blobs.delete("case_1/med_1")
    with pytest.raises(BlobError, match="no such"):
        blobs.get("case_1/med_1")
    assert [name for name, _ in blobs.names()] == ["case_1/med_2", "case_10/med_3"]


def test_more_names_than_a_page(blobs: Blobs) -> None:
    names = [f"case/med_{number:02d}" for number in range(11)]
    for name in names:
        blobs.put(name, b"x")
    assert [name for name, _ in blobs.names("case")] == names


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_could_lead_elsewhere_are_refused(blobs: Blobs, name: str) -> None:
    for work in (lambda: blobs.put(name, b"x"), lambda: blobs.get(name), lambda: blobs.delete(name)):
        with pytest.raises(BlobError, match="not allowed"):
            work()
    assert list(blobs.names()) == []


def test_a_reader_sees_the_old_or_the_new_and_nothing_between(blobs: Blobs) -> None:
    old, new = b"o" * 300_000, b"n" * 400_000
    blobs.put("case/med", old)
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(blobs.get("case/med"))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(10):
        blobs.put("case/med", new if number % 2 == 0 else old)
    done.set()
    reader.join()
    assert seen and seen <= {old, new}


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FolderBlobs(tmp_path)
    blobs.put("case/med", b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BlobError, match="no space"):
        blobs.put("case/med", b"after")
    monkeypatch.undo()
    assert [name for name, _ in blobs.names()] == ["case/med"]
    assert blobs.get("case/med") == b"before"


def only_first(answer: int | str) -> Callable[[str, str], int | str | None]:
    """A fault of the first request alone."""
    left = [answer]
    return lambda method, key: left.pop() if left else None


@pytest.mark.parametrize("fault", [500, 503, "drop"])
def test_a_fault_that_passes_is_not_seen(bucket: Bucket, fault: int | str) -> None:
    blobs = open_blobs(bucket.url)
    bucket.fault = only_first(fault)
    blobs.put("case/med", b"data")
    bucket.fault = only_first(fault)
    assert blobs.get("case/med") == b"data"


@pytest.mark.parametrize("fault", [403, 503, "drop", "truncate"])
def test_a_fault_that_stays_is_a_typed_error_without_a_name_in_it(bucket: Bucket, fault: int | str) -> None:
    blobs = open_blobs(bucket.url)
    blobs.put("case/med", b"data of some length")
    bucket.fault = lambda method, key: fault
    writes = () if fault == "truncate" else (lambda: blobs.put("case/med", b"new"), lambda: list(blobs.names()))
    for work in (lambda: blobs.get("case/med"), *writes):
        with pytest.raises(BlobError) as caught:
            work()
        assert bucket.name not in str(caught.value) and "127.0.0.1" not in str(caught.value)
        assert caught.value.__suppress_context__  # the storage's own text stays out of tracebacks
    bucket.fault = lambda method, key: None
    assert blobs.get("case/med") == b"data of some length"


def test_wrong_credentials_and_a_missing_bucket(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BlobError):
        open_blobs("s3://another").put("case/med", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(BlobError):
        open_blobs(bucket.url).put("case/med", b"x")
    assert bucket.objects == {}


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreExtraMissingError, match="obstore") as caught:
        open_blobs("s3://bucket/prefix")
    assert "samebody[objects]" in str(caught.value.hint)


@pytest.fixture
def stored(bucket: Bucket, tmp_path: Path, clock: SetClock) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with Store.open(url, media=bucket.url, master=[LocalMasterKey(MASTER)], clock=clock) as opened:
        furnish(opened)
        yield opened


def test_an_erased_person_leaves_no_byte_in_the_bucket(stored: Store, bucket: Bucket) -> None:
    session_id, case_id = begin(stored)
    kept = stored.vault.add("local", session_id, "selfie", b"planted picture", actor="c")
    stored.vault.add("local", session_id, "document_front", b"planted document", actor="c")
    with stored.write() as tx:
        stored.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="enrolment")
        stored.sessions.submit(tx, "local", session_id, actor="c")
    assert Worker(Queue(stored), lambda claim: conclusion("accept"), name="w").drain() == 1
    reference = NewReference("face", "s", b"template", kept.id)
    subject = stored.people.enrol("local", case_id, [reference], actor="k", media_ids=[kept.id])
    assert len(bucket.objects) == 2
    assert not [key for key, (data, _) in bucket.objects.items() if b"planted" in data]
    assert stored.vault.read("local", kept.id) == b"planted picture"
    stored.people.erase("local", subject.id, actor="k")
    assert {key for key in bucket.objects if "/erased/" not in key} == set()
    assert all(data == b"" for data, _ in bucket.objects.values())
    with pytest.raises(NotFoundError):
        stored.vault.read("local", kept.id)


def test_a_put_that_fails_leaves_no_row_and_a_row_that_fails_leaves_no_object(stored: Store, bucket: Bucket) -> None:
    session_id, _ = begin(stored)
    bucket.fault = lambda method, key: 403
    with pytest.raises(BlobError):
        stored.vault.add("local", session_id, "selfie", b"picture", actor="c")
    bucket.fault = lambda method, key: None
    with stored.read() as tx:
        assert tx.scalars(select(MediaRow)).all() == []
    with stored.write() as tx:
        stored.sessions.submit(tx, "local", session_id, actor="c")
    with pytest.raises(IllegalTransitionError, match="cannot 'upload'"):
        stored.vault.add("local", session_id, "selfie", b"picture", actor="c")
    assert bucket.objects == {}


def test_work_waits_for_a_storage_that_is_away_and_is_not_given_up(
    stored: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id, _ = begin(stored)
    media = stored.vault.add("local", session_id, "selfie", b"picture", actor="c")
    with stored.write() as tx:
        stored.sessions.submit(tx, "local", session_id, actor="c")
    tries: list[str] = []

    def handler(claim: Claim) -> Conclusion:
        tries.append(claim.session_id)
        if len(tries) > 2 * stored.limits.failures:
            bucket.fault = lambda method, key: None
        assert stored.vault.read("local", media.id) == b"picture"
        return conclusion("accept")

    monkeypatch.setattr("samebody.jobs.worker.AWAY", 0.0)
    bucket.fault = lambda method, key: 403
    worker = Worker(Queue(stored), handler, name="w", poll=0.01)
    thread = threading.Thread(target=worker.run)
    thread.start()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with stored.read() as tx:
            session = stored.sessions.get(tx, "local", session_id)
        if session.state is State.ACCEPTED:
            break
        time.sleep(0.05)
    worker.stop()
    thread.join()
    assert session.state is State.ACCEPTED and session.failures == 0 and len(tries) > stored.limits.failures


def test_what_cannot_be_deleted_now_is_deleted_by_a_later_sweep(stored: Store, bucket: Bucket, clock: SetClock) -> None:
    session_id, _ = begin(stored)
    stored.vault.add("local", session_id, "selfie", b"picture", actor="c")
    with stored.write() as tx:
        stored.sessions.submit(tx, "local", session_id, actor="c")
    Worker(Queue(stored), lambda claim: conclusion("reject"), name="w").drain()
    clock.move(days=31)
    bucket.fault = lambda method, key: 403 if method in ("DELETE", "POST") else None
    with pytest.raises(BlobError):
        stored.janitor.sweep(orphans=False)
    assert len(bucket.objects) == 1
    bucket.fault = lambda method, key: None
    assert stored.janitor.sweep(orphans=False).files_deleted == 1
    assert bucket.objects == {}


def test_an_object_that_was_changed_or_lost_is_found_when_it_is_read(stored: Store, bucket: Bucket) -> None:
    session_id, _ = begin(stored)
    media = stored.vault.add("local", session_id, "selfie", b"picture", actor="c")
    (key,) = bucket.objects
    data, changed = bucket.objects[key]
    bucket.objects[key] = (data[:-1] + bytes([data[-1] ^ 1]), changed)
    with pytest.raises(BlobError, match="was changed"):
        stored.vault.read("local", media.id)
    del bucket.objects[key]
    with pytest.raises(BlobError, match="no such"):
        stored.vault.read("local", media.id)


def test_orphans_are_looked_up_in_the_database_many_at_a_time(stored: Store, bucket: Bucket, clock: SetClock) -> None:
    session_id, _ = begin(stored)
    media = stored.vault.add("local", session_id, "selfie", b"picture", actor="c")
    for number in range(20):
        stored.blobs.put(f"case_lost/med_{number}", b"sealed")
    clock.now = datetime.now(UTC) + timedelta(hours=2)  # objects have the real time
    assert stored.vault.collect_orphans() == 20
    assert stored.vault.read("local", media.id) == b"picture"


def test_a_bucket_that_keeps_versions_is_noticed(bucket: Bucket) -> None:
    blobs = open_blobs(bucket.url)
    assert isinstance(blobs, ObjectBlobs) and blobs.keeps_versions is None
    blobs.put("case/med", b"x")
    assert blobs.keeps_versions is False
    bucket.versioned = True
    blobs.put("case/med", b"y")
    assert blobs.keeps_versions is True
