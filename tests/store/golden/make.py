"""Write a golden store of this release's version: synthetic content, sealed with the tests' master key.

Run once before a release that changes the tables, and keep what it writes for good:
``python -m tests.store.golden.make``.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from samebody.jobs import Queue, Worker, new_endpoint
from samebody.store import LocalMasterKey, Store
from samebody.store.people import NewReference
from samebody.store.upgrade import newest_version
from tests.store.conftest import MASTER, SetClock, begin, conclusion, furnish, submit

HERE = Path(__file__).parent


def fill(store: Store) -> None:
    """A tenant with an accepted and enrolled person, a session in review, one that waits, and an erased person."""
    furnish(store)
    with store.write() as tx:
        new_endpoint(store, tx, "local", "https://example.org/hook", actor="golden")
    decisions = iter(("accept", "accept", "review"))
    for name in ("anna", "erased", None):
        session_id, case_id = begin(store, reference=name, metadata={"made": "golden"})
        media = store.vault.add(
            "local", session_id, "selfie", b"golden sample", actor="c", perceptual_hash=b"golden hash"
        )
        with store.write() as tx:
            store.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="enrolment")
            store.sessions.submit(tx, "local", session_id, actor="c")
        Worker(Queue(store), lambda claim: conclusion(next(decisions), made="golden"), name="golden").drain()
        if name:
            reference = NewReference("face", "golden-space", b"golden template", media.id)
            subject = store.people.enrol(
                "local", case_id, [reference], actor="k", external_id=name, media_ids=[media.id]
            )
            if name == "erased":
                store.people.erase("local", subject.id, actor="k")
    submit(store, reference="waits")
    with store.write() as tx:
        store.audit.checkpoint(tx, "local")


def main() -> None:
    """Write ``v<version>``: the database as SQL, the sealed files as they are."""
    target = HERE / f"v{newest_version()}"
    with tempfile.TemporaryDirectory() as folder:
        with Store.open(folder, master=[LocalMasterKey(MASTER)], clock=SetClock()) as store:
            fill(store)
        target.mkdir()
        with closing(sqlite3.connect(Path(folder) / "samebody.db")) as database:
            (target / "samebody.sql").write_text("\n".join(database.iterdump()) + "\n")
        shutil.copytree(Path(folder) / "media", target / "media")


if __name__ == "__main__":
    main()
