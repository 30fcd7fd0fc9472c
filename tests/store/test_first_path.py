"""From an empty folder to a verdict: created, consented, uploaded, submitted, worked on, told, erased."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from samebody.jobs import Deliveries, Delivery, Queue, Receipt, Worker, new_endpoint
from samebody.store import State, Store
from samebody.store.audit import verify_log
from samebody.store.errors import KeyDestroyedError, NotFoundError
from samebody.store.people import NewReference
from samebody.types import EmbeddingSpace, Template
from tests.store.conftest import begin, conclusion


def test_a_person_is_verified_enrolled_exported_and_erased(either: Store) -> None:
    store = either
    sent: list[Delivery] = []
    with store.write() as tx:
        new_endpoint(store, tx, "local", "https://example.org/hook", actor="test")
    session_id, case_id = begin(store, reference="order 7", metadata={"channel": "web"})
    selfie = store.vault.add(
        "local", session_id, "selfie", b"picture bytes", actor="client", perceptual_hash=b"12345678"
    )
    with store.write() as tx:
        store.consents.give(tx, "local", session_id, "2026-01", "en", actor="client", purpose="enrolment")
        store.sessions.submit(tx, "local", session_id, actor="client")

    worker = Worker(Queue(store), lambda claim: conclusion("accept", name="A B"), name="w1")
    assert worker.drain() == 1
    with store.read() as tx:
        assert store.sessions.get(tx, "local", session_id).state is State.ACCEPTED
        verdict = store.verdicts.get(tx, "local", case_id, 1)
        assert (verdict.decision, verdict.body) == ("accept", {"decision": "accept", "name": "A B"})
        assert [each.check for each in store.verdicts.findings(tx, "local", case_id, 1)] == [
            "document.mrz",
            "face.match",
        ]

    deliveries = Deliveries(store, lambda delivery: sent.append(delivery) or Receipt(True, 200))
    deliveries.fan_out()
    assert deliveries.deliver_due() == 1
    told = json.loads(sent[0].body)
    assert told["type"] == "session.accepted"
    assert told["data"]["reference"] == "order 7"
    assert deliveries.pending() == 0

    template = Template(np.full(4, 0.5, np.float32), EmbeddingSpace("face/x", "1", "0" * 64, "p"))
    subject = store.people.enrol(
        "local",
        case_id,
        [NewReference.of(template, selfie.id)],
        actor="key:test",
        external_id="anna",
        media_ids=[selfie.id],
    )
    with store.read() as tx:
        (kept,) = store.people.references(tx, "local", subject.id)
    assert np.frombuffer(kept.data, "<f4").tolist() == [0.5] * 4

    out = io.BytesIO()
    assert store.people.export("local", subject.id, out, actor="key:test") == 3
    with zipfile.ZipFile(out) as archive:
        data = json.loads(archive.read("data.json"))
        assert archive.read(f"media/selfie-{selfie.id}") == b"picture bytes"
    assert data["cases"][0]["metadata"] == {"channel": "web"}
    assert data["cases"][0]["verdicts"][0]["body"]["name"] == "A B"

    assert store.people.erase("local", subject.id, actor="key:test")
    assert not store.people.erase("local", subject.id, actor="key:test")
    with pytest.raises(NotFoundError):
        store.vault.read("local", selfie.id)
    with store.read() as tx:
        session = store.sessions.get(tx, "local", session_id)
        assert (session.state, session.reference) == (State.REDACTED, None)
        assert store.verdicts.get(tx, "local", case_id, 1).body is None
        with pytest.raises(KeyDestroyedError):
            store.keys.of(tx, "local", "subject", subject.id)
        report = verify_log(tx, store.audit)
    assert report.sound, report.problems
    assert report.events > 10
    assert not [name for name, _ in store.blobs.names() if not name.startswith("erased/")]
