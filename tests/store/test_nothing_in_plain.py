"""Planted biometric bytes are found nowhere: not in database, write-ahead log, files, backups, logs or tracebacks."""

from __future__ import annotations

import base64
import logging
import traceback
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from samebody.errors import InputError
from samebody.jobs import Queue, Worker, new_endpoint
from samebody.store import Store
from samebody.store.backup import backup
from samebody.store.people import NewReference
from samebody.store.schema import MediaRow, ReferenceRow
from samebody.store.verdicts import Conclusion
from samebody.types import EmbeddingSpace, Template
from tests.store.conftest import MASTER, SetClock, begin, conclusion

PICTURE = b"\xff\xd8\xff\xe0 planted picture, never in plain " + bytes(range(64))
HASH = b"planted perceptual hash"
METADATA = "planted metadata of the person"
DOCUMENT = "PLANTED<<DOCUMENT<FIELD"
VECTOR = np.linspace(-0.31, 0.29, 128, dtype=np.float32)
SECRET = b"planted webhook secret 32 bytes!"


def needles() -> dict[str, bytes]:
    """What must not be found, in the forms in which it could leak."""
    found = {
        "picture": PICTURE[:24],
        "picture, middle": PICTURE[40:64],
        "picture, base64": base64.b64encode(PICTURE)[:24],
        "picture, hex": PICTURE.hex().encode()[:32],
        "picture, repr": repr(PICTURE[:24]).encode()[2:-1],
        "hash": HASH,
        "metadata": METADATA.encode(),
        "document": DOCUMENT.encode(),
        "secret": SECRET,
        "master key": MASTER,
        "master key, hex": MASTER.hex().encode(),
    }
    for index in (0, 40, 100):
        found[f"template float32 at {index}"] = VECTOR[index : index + 2].tobytes()
        found[f"template float32 at {index}, hex"] = VECTOR[index : index + 3].tobytes().hex().encode()
        found[f"template text at {index}"] = str(float(VECTOR[index]))[:8].encode()
    return found


def leaks(data: bytes) -> list[str]:
    return [name for name, needle in needles().items() if needle in data]


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_search_would_find_what_is_planted() -> None:
    planted = PICTURE + HASH + SECRET + MASTER + VECTOR.tobytes() + METADATA.encode() + DOCUMENT.encode()
    assert len(leaks(planted)) >= 9
    assert leaks(str(VECTOR.tolist()).encode())


def fill(store: Store) -> tuple[str, str]:
    """A case with everything that is biometric or personal in it; ids of session and subject."""
    with store.write() as tx:
        new_endpoint(store, tx, "local", "https://example.org", actor="t", secret=SECRET)
    session_id, case_id = begin(store, metadata={"note": METADATA})
    media = store.vault.add("local", session_id, "selfie", PICTURE, actor="c", perceptual_hash=HASH)
    with store.write() as tx:
        store.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="enrolment")
        store.sessions.submit(tx, "local", session_id, actor="c")
    Worker(Queue(store), lambda claim: conclusion("accept", mrz=DOCUMENT), name="w").drain()
    template = Template(VECTOR, EmbeddingSpace("face/x", "1", "0" * 64, "p"))
    subject = store.people.enrol("local", case_id, [NewReference.of(template)], actor="k", media_ids=[media.id])
    return session_id, subject.id


def test_database_log_files_and_backup_hold_nothing_in_plain(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
    try:
        _, subject_id = fill(store)
        files = everything(tmp_path)
        assert "store/samebody.db-wal" in files
        assert sum(len(data) for data in files.values()) > 100_000
        assert {name: found for name, data in files.items() if (found := leaks(data))} == {}
        backup(store, tmp_path / "backup")
        assert {name: found for name, data in everything(tmp_path).items() if (found := leaks(data))} == {}
        with store.read() as tx:  # it is all there for who has the key
            assert store.people.references(tx, "local", subject_id)[0].data == VECTOR.tobytes()
            assert [found for _, found in store.vault.perceptual_hashes(tx, "local", "selfie")] == [HASH]
        store.people.erase("local", subject_id, actor="k")
        assert {name: found for name, data in everything(tmp_path).items() if (found := leaks(data))} == {}
    finally:
        logging.getLogger("sqlalchemy").setLevel(logging.NOTSET)
    text = "\n".join(record.getMessage() + str(record.__dict__) for record in caplog.records)
    assert text
    assert leaks(text.encode()) == []


def test_a_failing_statement_names_no_values(store: Store) -> None:
    session_id, _ = begin(store)
    row = {"tenant": "local", "id": "x", "case_id": "no such case", "attempt": 1, "role": "selfie", "size": 1}
    row |= {"content_type": "", "blob": METADATA, "key_id": "no", "wrapped_key": PICTURE, "exact_hash": DOCUMENT}
    with pytest.raises(IntegrityError) as caught, store.write() as tx:
        tx.execute(insert(MediaRow).values(**row, created=store.clock()))
    text = "".join(traceback.format_exception(caught.value))
    assert "parameters" in text
    assert leaks(text.encode()) == []
    with pytest.raises(IntegrityError) as caught, store.write() as tx:
        reference = ReferenceRow(
            tenant="local",
            id="r",
            subject_id="no",
            modality="face",
            space="s",
            sealed=VECTOR.tobytes(),
            created=store.clock(),
        )
        tx.add(reference)
        tx.flush()
    assert leaks("".join(traceback.format_exception(caught.value)).encode()) == []
    assert session_id


def test_a_fault_of_the_work_is_kept_by_its_code_only(
    store: Store, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)

    class PictureError(InputError):
        code = "capture.unreadable"

    session_id, _ = begin(store)
    with store.write() as tx:
        store.sessions.submit(tx, "local", session_id, actor="c")

    def handler(claim: object) -> Conclusion:
        raise PictureError(f"cannot read {PICTURE!r} of {METADATA}")

    assert Worker(Queue(store), handler, name="w").drain() == 0
    text = "\n".join(record.getMessage() + str(record.__dict__) for record in caplog.records)
    assert "capture.unreadable" in text
    assert leaks(text.encode()) == []
    assert {name: found for name, data in everything(tmp_path).items() if (found := leaks(data))} == {}


def test_keys_and_templates_are_not_printed(store: Store, clock: SetClock) -> None:
    fill(store)
    with store.read() as tx:
        key = store.keys.of(tx, "local", "tenant", "local")
    printed = f"{store.keys!r} {store.keys.keyring!r} {key!r} {store.audit!r} {conclusion(mrz=DOCUMENT)!r} {clock!r}"
    assert leaks(printed.encode()) == []
    assert key.secret.hex() not in printed
    assert repr(key.secret)[2:-1] not in printed
