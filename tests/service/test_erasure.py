"""Erasure reaches galleries too, whoever erases; what may not outlive the case does not; an export is whole."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from samebody.cli.main import main
from samebody.jobs import Queue, Worker
from samebody.models import ModelRecord, catalogue
from samebody.search.identify import SearchPolicy
from samebody.service import galleries as rooms
from samebody.service.errors import BusyError
from samebody.service.galleries import Galleries
from samebody.store import Store
from samebody.store.audit import verify_log
from samebody.store.people import NewReference, SubjectView
from samebody.store.schema import MediaRow
from samebody.types import Template
from tests.service.conftest import Running
from tests.store.conftest import MASTER, SetClock, conclusion

POLICY = SearchPolicy(fpir=0.01, review_fpir=0.1, undecided="list")


def template_of(record: ModelRecord, number: int) -> Template:
    vector = np.random.default_rng(number).normal(size=record.embedding_output.dimensions).astype(np.float32)
    return Template(vector / np.linalg.norm(vector), record.embedding_space())


@dataclass
class Enrolled:
    """A service with one gallery, and the folder its files lie in."""

    service: Running
    record: ModelRecord
    folder: Path

    @property
    def store(self) -> Store:
        return self.service.store

    @property
    def galleries(self) -> Galleries:
        """Those of the API's process."""
        found = self.service.app.state.service.galleries
        assert isinstance(found, Galleries)
        return found

    def person(self, number: int, *, days: float | None = None) -> tuple[SubjectView, Template]:
        """A person who was verified, consented and is enrolled under ``person-<number>``."""
        api, store = self.service.client(), self.store
        made = api.create_session(
            policy="no-liveness", reference=f"order-{number}", metadata={"note": f"note-{number}"}
        )
        person = self.service.client(made["client_token"])
        for purpose in ("verification", "enrolment"):
            person.give_consent(made["id"], version="2026-1", language="en", purpose=purpose)
        media = store.vault.add("local", made["id"], "selfie", b"selfie %d" % number, actor="c", perceptual_hash=b"h")
        store.vault.add("local", made["id"], "document_front", b"document %d" % number, actor="c")
        with store.write() as tx:
            store.sessions.submit(tx, "local", made["id"], actor="c")
        Worker(Queue(store), lambda claim: conclusion("accept", surname=f"NAME{number}"), name="w").drain()
        template = template_of(self.record, number)
        subject = store.people.enrol(
            "local", made["case_id"], [NewReference.of(template, media.id, "staff")], actor="k",
            external_id=f"person-{number}", media_ids=[media.id],
            expires=None if days is None else store.clock() + timedelta(days=days),
        )  # fmt: skip
        with self.galleries.enrolling("local", "staff") as add:
            add(subject.id, template, made["case_id"])
        return subject, template

    def found(self, template: Template) -> str:
        return self.galleries.identify("local", "staff", template, POLICY, threads=1).answer

    def bytes_on_disk(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*.sb*"))


@pytest.fixture
def enrolled(service: Running, tmp_path: Path) -> Enrolled:
    record = catalogue()["face/sface"]
    made = Enrolled(service, record, tmp_path / "store0" / "galleries")
    made.galleries.create("local", "staff", record, actor="t")
    return made


def test_a_sweep_in_another_process_takes_people_out_of_galleries(enrolled: Enrolled, clock: SetClock) -> None:
    (leaving, one), (_, two) = enrolled.person(1, days=10), enrolled.person(2)
    assert [enrolled.found(one), enrolled.found(two)] == ["match", "match"]
    # the housekeeper's own view of the same folders, while the API's process has the gallery open
    Galleries(enrolled.store, enrolled.folder)
    clock.move(days=10)
    swept = enrolled.store.janitor.sweep(orphans=False)
    assert (swept.subjects_erased, swept.references_removed) == (1, 1)
    assert [enrolled.found(one), enrolled.found(two)] == ["none", "match"]
    with enrolled.store.read() as tx:
        assert enrolled.store.people.get(tx, "local", leaving.id).erased is not None
        assert verify_log(tx, enrolled.store.audit).sound
    assert enrolled.store.janitor.sweep(orphans=False).references_removed == 0


def test_the_bytes_of_an_erased_person_leave_the_gallery(enrolled: Enrolled) -> None:
    (subject, _), _ = enrolled.person(1), enrolled.person(2)
    gallery_bytes = {path.name: path.read_bytes() for path in enrolled.folder.rglob("*") if path.is_file()}
    enrolled.store.people.erase("local", subject.id, actor="t")
    enrolled.store.janitor.sweep(orphans=False)
    key = enrolled.galleries._key("local", "staff")[1]
    from samebody.search.gallery import Gallery

    path = next(each.parent for each in enrolled.folder.rglob("MANIFEST"))
    with Gallery.open(path, key=key) as gallery:
        (stats,) = gallery.stats().modalities
    assert (stats.records, stats.dead) == (1, 0)
    left = {name: path.read_bytes() for path in enrolled.folder.rglob("*") if path.is_file() for name in [path.name]}
    old_log = next(data for name, data in gallery_bytes.items() if name.startswith("log-"))
    sealed = old_log[-64:]  # the end of what was written for the first people, as ciphertext
    assert len(old_log) > 64 and not any(sealed in data for data in left.values())


def test_erasing_by_command_and_by_withdrawn_consent_reaches_galleries_too(
    enrolled: Enrolled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    people = [enrolled.person(number) for number in range(3)]
    monkeypatch.setenv("SAMEBODY_MASTER_KEY", MASTER.hex())
    where, media = tmp_path / "store0", tmp_path / "store0" / "media"
    if not enrolled.store.database.is_sqlite:
        where = enrolled.store.database.url.render_as_string(hide_password=False)
        monkeypatch.setenv("SAMEBODY_SERVICE_GALLERIES", str(enrolled.folder))

    def command(*arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(["store", *arguments, "--store", str(where), "--media", str(media)])
        out, errors = capsys.readouterr()
        assert not left.value.code, errors
        return out

    command("erase-person", "--yes", "person-0")
    assert [enrolled.found(template) for _, template in people] == ["none", "match", "match"]
    with enrolled.store.write() as tx:
        for consent in enrolled.store.consents.of_subject(tx, "local", people[1][0].id):
            enrolled.store.consents.withdraw(tx, "local", consent.id, actor="c")
    enrolled.store.janitor.sweep()  # by the clock of the test; the command has the machine's
    assert "references removed: 0" in command("sweep")
    assert [enrolled.found(template) for _, template in people] == ["none", "none", "match"]
    answer = enrolled.service.http(enrolled.service.admin_key).delete(f"/v1/subjects/{people[2][0].id}")
    assert answer.json()["erased"] is not None
    assert [enrolled.found(template) for _, template in people] == ["none", "none", "none"]


def test_a_gallery_that_cannot_be_reached_keeps_the_person_to_be_erased_later(
    enrolled: Enrolled, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    (subject, template), path = enrolled.person(1, days=1), next(enrolled.folder.rglob("MANIFEST")).parent
    away = path.rename(path.with_name("away"))
    clock.move(days=1)
    assert enrolled.store.janitor.sweep(orphans=False).subjects_erased == 0
    assert "gallery.not_found" in caplog.text
    with enrolled.store.read() as tx:
        assert enrolled.store.people.get(tx, "local", subject.id).erased is None
    away.rename(path)
    assert enrolled.store.janitor.sweep(orphans=False).subjects_erased == 1
    assert enrolled.found(template) == "none"


def test_two_processes_enrol_into_one_gallery_and_wait_for_each_other(
    enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Galleries(enrolled.store, enrolled.folder)
    templates = [template_of(enrolled.record, number) for number in range(12)]

    def enrol(galleries: Galleries, numbers: range) -> None:
        for number in numbers:
            with galleries.enrolling("local", "staff") as add:
                add(f"sub_{number}", templates[number], str(number))

    threads = [
        threading.Thread(target=enrol, args=(each, range(first, 12, 2)))
        for first, each in enumerate((enrolled.galleries, other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert enrolled.galleries.size("local", "staff") == other.size("local", "staff") == 12
    monkeypatch.setattr(rooms, "LOCK_SECONDS", 0.05)
    with other._writing("local", "staff"), pytest.raises(BusyError):
        enrolled.galleries.remove("local", "staff", "sub_1")


def test_perceptual_hashes_end_with_the_case_also_of_samples_that_stay(enrolled: Enrolled, clock: SetClock) -> None:
    _, template = enrolled.person(1)
    with enrolled.store.read() as tx:
        assert len(list(enrolled.store.vault.perceptual_hashes(tx, "local", "selfie"))) == 1
    clock.move(days=366)
    enrolled.store.janitor.sweep(orphans=False)
    with enrolled.store.read() as tx:
        rows = tx.scalars(select(MediaRow)).all()
        assert [row.role for row in rows] == ["selfie"] and all(row.sealed_hash is None for row in rows)
        assert list(enrolled.store.vault.perceptual_hashes(tx, "local", "selfie")) == []
    assert enrolled.found(template) == "match"


def test_an_export_holds_everything_about_one_person_and_nothing_about_others(
    enrolled: Enrolled, make_review: Callable[[str], None]
) -> None:
    (subject, template), _ = enrolled.person(1), enrolled.person(2)
    make_review(subject.id)
    out = io.BytesIO()
    enrolled.store.people.export("local", subject.id, out, actor="t")
    with zipfile.ZipFile(out) as archive:
        data = json.loads(archive.read("data.json"))
        files = {name: archive.read(name) for name in archive.namelist() if name != "data.json"}
    text = json.dumps(data)
    for mine in (
        "person-1",
        "order-1",
        "note-1",
        "NAME1",
        "staff",
        "the seam of the photo",
        "attack",
        "session.created",
    ):
        assert mine in text, mine
    assert len(data["consents"]) == 2 and data["cases"][0]["verdicts"][0]["decision"] == "accept"
    assert {b"selfie 1", b"document 1", np.asarray(template.vector, "<f4").tobytes()} == set(files.values())
    assert not any(other in text for other in ("person-2", "order-2", "note-2", "NAME2"))


@pytest.fixture
def make_review(enrolled: Enrolled) -> Callable[[str], None]:
    def made(subject_id: str) -> None:
        """A reviewer's note and label on the person's case."""
        from sqlalchemy import insert

        from samebody.store.schema import CaseRow, ReviewRow

        store = enrolled.store
        with store.write() as tx:
            case_id = tx.scalars(select(CaseRow.id).filter_by(subject_id=subject_id)).one()
            store.reviews.label(tx, "local", case_id, "attack", "bona_fide", author="key:x")
            key = store.keys.of(tx, "local", "case", case_id)
            row = {"tenant": "local", "id": "rev_1", "case_id": case_id, "attempt": 1, "reviewer": "user:r"}
            note = key.seal(b"the seam of the photo", "local/reviews/rev_1/note")
            row |= {"decision": "accept", "code": "review.other", "sealed_note": note, "created": store.clock()}
            tx.execute(insert(ReviewRow).values(**row))

    return made
