"""API keys, repeated requests and reviews keep their promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from samebody.jobs import Queue, Worker
from samebody.store import State, Store
from samebody.store.errors import (
    AccessDeniedError,
    ExistsError,
    IdempotencyConflictError,
    IllegalTransitionError,
    InvalidValueError,
    NotFoundError,
    StillRunningError,
)
from samebody.store.idempotency import Answer
from samebody.store.schema import ApiKeyRow
from tests.store.conftest import SetClock, conclusion, submit


def test_a_key_is_known_by_its_secret_only(either: Store, clock: SetClock) -> None:
    keys = either.api_keys
    with either.write() as tx:
        key_id, text = keys.create(
            tx, "local", "shop", "integrator", ["sessions:write"], actor="t", expires=clock() + timedelta(days=1)
        )
    with either.write() as tx:
        principal = keys.check(tx, text)
        assert (principal.tenant, principal.key_id, principal.actor) == ("local", key_id, f"key:{key_id}")
        principal.require("sessions:write")
        with pytest.raises(AccessDeniedError):
            principal.require("tenants:write")
        keys.note_use(tx, principal)
        (row,) = keys.of_tenant(tx, "local")
        assert row.last_used == clock()
        assert text.rpartition(".")[2] not in str(vars(tx.scalars(select(ApiKeyRow)).one()))
        wrong = [
            text[:-1],
            text[:-2] + "aa",
            text.replace("local", "other"),
            "",
            "x",
            "sb...",
            f"xx{text[2:]}",
            text + "é",
        ]
        for bad in wrong:
            with pytest.raises(AccessDeniedError, match="not valid"):
                keys.check(tx, bad)
    clock.move(days=1)
    with either.write() as tx, pytest.raises(AccessDeniedError):
        keys.check(tx, text)


def test_a_revoked_key_is_refused_at_once(store: Store) -> None:
    with store.write() as tx:
        key_id, text = store.api_keys.create(tx, "local", "shop", "auditor", [], actor="t")
        store.api_keys.check(tx, text)
        for _ in range(2):
            store.api_keys.revoke(tx, "local", key_id, actor="t")
        with pytest.raises(AccessDeniedError):
            store.api_keys.check(tx, text)
        with pytest.raises(NotFoundError):
            store.api_keys.revoke(tx, "local", "ak_x", actor="t")
        with pytest.raises(InvalidValueError):
            store.api_keys.create(tx, "local", "x", "root", [], actor="t")  # type: ignore[arg-type]


def test_a_repeated_request_gets_its_first_answer(either: Store, clock: SetClock) -> None:
    kept = either.idempotency
    ask = ("local", "ak_1", "key 1", b"POST /v1/sessions {}")
    with either.write() as tx:
        assert kept.begin(tx, *ask) is None
        with pytest.raises(IdempotencyConflictError, match="still runs"):
            kept.begin(tx, *ask)
        kept.answer(tx, *ask[:3], 201, {"id": "ses_1"})
    with either.write() as tx:
        assert kept.begin(tx, *ask) == Answer(201, {"id": "ses_1"})
        with pytest.raises(IdempotencyConflictError, match="other parameters"):
            kept.begin(tx, *ask[:3], b"POST /v1/sessions {1}")
        assert kept.begin(tx, "local", "ak_2", "key 1", b"other") is None
        kept.forget(tx, "local", "ak_2", "key 1")
        assert kept.begin(tx, "local", "ak_2", "key 1", b"another") is None
        with pytest.raises(InvalidValueError):
            kept.begin(tx, "local", "ak_1", "", b"")
    clock.move(hours=24)
    assert either.janitor.sweep(orphans=False).answers_deleted == 2
    with either.write() as tx:
        assert kept.begin(tx, *ask) is None


def test_a_request_whose_process_died_may_be_done_again(either: Store, clock: SetClock) -> None:
    kept = either.idempotency
    ask = ("local", "ak_1", "key 1", b"POST /v1/sessions/ses_1/media")
    with either.write() as tx:
        assert kept.begin(tx, *ask) is None  # and never answered
    clock.move(seconds=24)
    with either.write() as tx, pytest.raises(StillRunningError) as told:
        kept.begin(tx, *ask)
    assert told.value.wait == 1
    clock.move(seconds=1)
    with either.write() as tx:
        assert kept.begin(tx, *ask) is None
        kept.answer(tx, *ask[:3], 201, {"id": "med_2"})
        kept.answer(tx, *ask[:3], 201, {"id": "med_1"})  # the first was slow, not dead: who answered first is kept
    clock.move(hours=23)
    with either.write() as tx:
        assert kept.begin(tx, *ask) == Answer(201, {"id": "med_2"})


def in_review(store: Store) -> tuple[str, str]:
    session_id, case_id = submit(store)
    Worker(Queue(store), lambda claim: conclusion("review"), name="w").drain()
    return session_id, case_id


def test_a_reviewer_settles_a_case_with_a_reason(store: Store) -> None:
    session_id, case_id = in_review(store)
    with store.write() as tx:
        assert [each.id for each in store.reviews.queue(tx, "local")] == [session_id]
        done = store.reviews.decide(
            tx, "local", session_id, reviewer="rita", decision="accept", code="looks_alike", note="same scar"
        )
        assert (done.state, done.reason) == (State.ACCEPTED, "review.accept")
        (opinion,) = store.reviews.of_case(tx, "local", case_id)
        assert (opinion.reviewer, opinion.decision, opinion.note) == ("rita", "accept", "same scar")
        assert "scar" not in repr(opinion)
        with pytest.raises(IllegalTransitionError):
            store.reviews.decide(tx, "local", session_id, reviewer="rob", decision="reject", code="x")
        store.reviews.label(tx, "local", case_id, "mated", "yes", author="user:rita")
        assert [(each.name, each.value) for each in store.reviews.labels(tx, "local", case_id)] == [("mated", "yes")]
        with pytest.raises(NotFoundError):
            store.reviews.label(tx, "local", "case_x", "mated", "yes", author="user:rita")


def test_where_the_policy_asks_two_people_must_agree(either: Store) -> None:
    store = either
    with store.write() as tx:
        store.policies.put(tx, "local", "default", "x", actor="t", retention={"second_person": True})
    session_id, _ = in_review(store)

    def decide(reviewer: str, decision: str) -> State:
        with store.write() as tx:
            return store.reviews.decide(
                tx, "local", session_id, reviewer=reviewer, decision=decision, code="seen"
            ).state

    assert decide("rita", "accept") is State.REVIEW
    with pytest.raises(ExistsError):
        decide("rita", "accept")
    assert decide("rob", "reject") is State.REVIEW
    with pytest.raises(InvalidValueError):
        decide("ruth", "perhaps")
    assert decide("ruth", "reject") is State.REJECTED
