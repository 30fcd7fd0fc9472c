"""What has to go goes on time, with its reason in the audit log; what has to stay stays."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from samebody.jobs import Queue, Worker
from samebody.store import State, Store
from samebody.store.audit import verify_log
from samebody.store.audit.verify import stored_events
from samebody.store.errors import (
    ConsentMissingError,
    ExistsError,
    IllegalTransitionError,
    InvalidValueError,
    KeyDestroyedError,
    NotFoundError,
)
from samebody.store.people import NewReference
from samebody.store.policies import Retention
from samebody.store.retention import Swept
from samebody.store.schema import GarbageRow, MediaRow, OutboxRow
from tests.store.conftest import SetClock, begin, conclusion, furnish


def finished(store: Store, decision: str = "accept", tenant: str = "local", **options: object) -> tuple[str, str, str]:
    """A session with a verdict and a sample; ids of session, case and sample."""
    session_id, case_id = begin(store, tenant, **options)
    media = store.vault.add(tenant, session_id, "selfie", b"picture", actor="c", perceptual_hash=b"hash")
    with store.write() as tx:
        store.consents.give(tx, tenant, session_id, "2026-01", "en", actor="c", purpose="enrolment")
        store.sessions.submit(tx, tenant, session_id, actor="c")
    Worker(Queue(store), lambda claim: conclusion(decision), name="w").drain()
    return session_id, case_id, media.id


def reasons(store: Store, action: str) -> list[str]:
    with store.read() as tx:
        return [json.loads(each.details)["reason"] for each in stored_events(tx, "local") if each.action == action]


def sealed_files(store: Store) -> list[str]:
    return [name for name, _ in store.blobs.names() if not name.startswith("erased/")]


def test_samples_go_after_their_days_and_the_case_after_its_own(either: Store, clock: SetClock) -> None:
    store = either
    session_id, case_id, media_id = finished(store, reference="order 7")
    clock.move(days=29)
    assert store.janitor.sweep(orphans=False) == Swept()
    clock.move(days=1)
    assert store.janitor.sweep(orphans=False) == Swept(media_deleted=1, files_deleted=1)
    assert sealed_files(store) == []
    with pytest.raises(NotFoundError):
        store.vault.read("local", media_id)
    with store.read() as tx:
        assert list(store.vault.perceptual_hashes(tx, "local", "selfie")) == []
        assert store.verdicts.get(tx, "local", case_id, 1).body is not None
    clock.move(days=335)
    assert store.janitor.sweep(orphans=False) == Swept(cases_redacted=1)
    assert store.janitor.sweep(orphans=False) == Swept()
    with store.read() as tx:
        session = store.sessions.get(tx, "local", session_id)
        assert (session.state, session.reference) == (State.REDACTED, None)
        verdict = store.verdicts.get(tx, "local", case_id, 1)
        assert (verdict.decision, verdict.body) == ("accept", None)
        with pytest.raises(KeyDestroyedError):
            store.keys.of(tx, "local", "case", case_id)
        assert all(row.payload["reference"] is None for row in tx.scalars(select(OutboxRow)))
        assert verify_log(tx, store.audit).sound
    assert reasons(store, "case.media_deleted") == ["retention.media", "retention.case"]
    assert reasons(store, "case.redacted") == ["retention.case"]


def test_a_session_that_nobody_submits_expires_and_is_then_swept(store: Store, clock: SetClock) -> None:
    session_id, _ = begin(store)
    store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    clock.move(hours=23)
    assert store.janitor.sweep(orphans=False).sessions_expired == 0
    clock.move(hours=1)
    assert store.janitor.sweep(orphans=False).sessions_expired == 1
    with store.read() as tx:
        assert store.sessions.get(tx, "local", session_id).state is State.EXPIRED
    with pytest.raises(IllegalTransitionError):
        store.vault.add("local", session_id, "selfie", b"picture", actor="c")


def test_retention_is_the_policys_and_zero_means_once_it_is_judged(store: Store, clock: SetClock) -> None:
    with store.write() as tx:
        store.policies.put(tx, "local", "default", "layers: []", actor="t", retention={"media_days": 0, "case_days": 0})
    session_id, _ = begin(store)
    store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    with store.write() as tx:
        store.sessions.submit(tx, "local", session_id, actor="c")
    assert store.janitor.sweep(orphans=False) == Swept()
    Worker(Queue(store), lambda claim: conclusion(), name="w").drain()
    assert store.janitor.sweep(orphans=False) == Swept(media_deleted=1, cases_redacted=1, files_deleted=1)


def test_a_review_expires_with_its_case(store: Store, clock: SetClock) -> None:
    session_id, _, _ = finished(store, "review")
    clock.move(days=366)
    swept = store.janitor.sweep(orphans=False)
    assert (swept.sessions_expired, swept.cases_redacted) == (1, 1)
    with store.read() as tx:
        assert store.sessions.get(tx, "local", session_id).state is State.REDACTED


def test_enrolled_samples_stay_when_their_case_goes(store: Store, clock: SetClock) -> None:
    _, case_id, media_id = finished(store)
    subject = store.people.enrol(
        "local", case_id, [NewReference("face", "s", b"t", media_id)], actor="k", media_ids=[media_id]
    )
    clock.move(days=366)
    assert store.janitor.sweep(orphans=False).cases_redacted == 1
    assert store.vault.read("local", media_id) == b"picture"
    with store.read() as tx:
        assert store.people.references(tx, "local", subject.id)[0].data == b"t"


def test_a_subject_is_erased_when_their_time_or_their_consent_ends(store: Store, clock: SetClock) -> None:
    subjects = []
    for number, days in enumerate((10, None)):
        _, case_id, media_id = finished(store)
        expires = None if days is None else clock() + timedelta(days=days)
        subjects.append(
            store.people.enrol(
                "local", case_id, [], actor="k", media_ids=[media_id], expires=expires, external_id=f"p{number}"
            )
        )
    clock.move(days=10)
    assert store.janitor.sweep(orphans=False).subjects_erased == 1
    with store.write() as tx:
        (consent,) = [
            each for each in store.consents.of_subject(tx, "local", subjects[1].id) if each.purpose == "enrolment"
        ]
        store.consents.withdraw(tx, "local", consent.id, actor="c")
        store.consents.withdraw(tx, "local", consent.id, actor="c")
    assert store.janitor.sweep(orphans=False).subjects_erased == 1
    assert reasons(store, "subject.erased") == ["retention.subject", "consent.ended"]
    assert sealed_files(store) == []
    with store.read() as tx:
        with pytest.raises(NotFoundError):
            store.people.find(tx, "local", "p1")
        assert verify_log(tx, store.audit).sound


def test_a_withdrawn_consent_cancels_and_takes_everything(store: Store) -> None:
    session_id, _ = begin(store)
    store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    with store.write() as tx:
        session = store.sessions.get(tx, "local", session_id)
        consent = store.consents.require(tx, "local", "verification", case_id=session.case_id)
        assert consent.text_version == "2026-01"
        store.consents.withdraw(tx, "local", consent.id, actor="c")
        assert store.sessions.get(tx, "local", session_id).state is State.CANCELLED
        with pytest.raises(ConsentMissingError):
            store.consents.require(tx, "local", "verification", case_id=session.case_id)
    assert store.janitor.sweep(orphans=False) == Swept(cases_redacted=1, files_deleted=1)
    assert reasons(store, "case.redacted") == ["consent.withdrawn"]
    assert sealed_files(store) == []


def test_nothing_is_taken_before_consent_and_nobody_is_enrolled_without(store: Store) -> None:
    with store.write() as tx:
        session = store.sessions.create(tx, "local", "default", actor="k")
    with pytest.raises(IllegalTransitionError):
        store.vault.add("local", session.id, "selfie", b"picture", actor="c")
    _, case_id = begin(store)
    with pytest.raises(ConsentMissingError):
        store.people.enrol("local", case_id, [], actor="k")
    with store.write() as tx:
        with pytest.raises(NotFoundError):
            store.consents.give(tx, "local", session.id, "1999", "en", actor="c")
        with pytest.raises(ExistsError):
            store.consents.add_text(tx, "local", "2026-01", "en", "Another text.", actor="t")


def test_files_are_deleted_by_the_next_sweep_when_the_first_was_stopped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, case_id, media_id = finished(store)
    subject = store.people.enrol("local", case_id, [], actor="k", media_ids=[media_id])
    with monkeypatch.context() as patch:
        patch.setattr(type(store.vault), "mark_erased", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.people.erase("local", subject.id, actor="k")
    with store.read() as tx:
        assert tx.scalars(select(GarbageRow)).all()
        assert not tx.scalars(select(MediaRow)).all()
    assert store.janitor.sweep(orphans=False).files_deleted == 1
    assert [name for name, _ in store.blobs.names() if name.startswith("erased/")]
    assert sealed_files(store) == []


def test_an_orphan_is_deleted_once_it_is_old_and_a_known_file_never(
    store: Store, clock: SetClock, tmp_path: Path
) -> None:
    _, _, media_id = finished(store)
    (tmp_path / "store" / "media" / "case_x").mkdir()
    (tmp_path / "store" / "media" / "case_x" / "med_x.1234.part").write_bytes(b"half")
    clock.now = clock.now.replace(year=2000)
    assert store.vault.collect_orphans() == 0
    clock.now = clock.now.replace(year=2090)
    assert store.vault.collect_orphans() == 1
    assert store.vault.read("local", media_id) == b"picture"


@pytest.mark.parametrize(
    "value",
    [{"media_days": -1}, {"media_days": 40, "case_days": 30}, {"days": 1}, {"case_days": True}, {"media_days": "30"},
     {"second_person": 1}, {"case_days": 1e9}],
)  # fmt: skip
def test_retention_out_of_its_bounds_is_refused(store: Store, value: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError):
        Retention.of(value)
    with pytest.raises(InvalidValueError), store.write() as tx:
        store.policies.put(tx, "local", "other", "", actor="t", retention=value)


def test_policies_are_added_never_changed(store: Store) -> None:
    with store.write() as tx:
        second = store.policies.put(tx, "local", "default", "two", actor="t")
        assert (second.version, store.policies.get(tx, "local", "default", 1).text) == (2, "layers: []")
        with pytest.raises(NotFoundError):
            store.policies.get(tx, "local", "default", 3)


def test_a_sweep_of_one_tenant_leaves_the_other(store: Store, clock: SetClock) -> None:
    furnish(store, "other", media_days=100)
    finished(store)
    _, _, kept = finished(store, tenant="other")
    clock.move(days=31)
    assert store.janitor.sweep(orphans=False).media_deleted == 1
    assert store.vault.read("other", kept) == b"picture"
