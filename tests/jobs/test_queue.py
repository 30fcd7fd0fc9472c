"""A lease holds a session for one worker; what is lost is given on; a verdict is written once."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from samebody.errors import InputError
from samebody.jobs import Claim, Deliveries, Delivery, LeaseLostError, Queue, Receipt, Worker, new_endpoint
from samebody.jobs.outbox import BACKOFF, disable_endpoint, resend, rotate_secret
from samebody.store import State, Store
from samebody.store.audit import verify_log
from samebody.store.errors import ConflictError, IllegalTransitionError, InvalidValueError, NotFoundError
from samebody.store.lifecycle import Event
from samebody.store.schema import OutboxRow, VerdictRow, WebhookDeliveryRow, WebhookEndpointRow
from samebody.store.verdicts import Conclusion
from tests.store.conftest import SetClock, conclusion, furnish, submit


def state(store: Store, session_id: str) -> tuple[State, str]:
    with store.read() as tx:
        found = store.sessions.get(tx, "local", session_id)
    return found.state, found.reason


def test_a_claimed_session_is_not_claimed_again_until_its_lease_ends(either: Store, clock: SetClock) -> None:
    queue = Queue(either, lease=timedelta(seconds=60))
    session_id, _ = submit(either)
    first = queue.claim("w1")
    assert first is not None
    assert first.session_id == session_id
    assert queue.claim("w2") is None
    clock.move(seconds=50)
    queue.heartbeat(first)
    clock.move(seconds=50)
    assert queue.requeue_expired() == 0
    clock.move(seconds=11)
    assert queue.requeue_expired() == 1
    assert state(either, session_id) == (State.SUBMITTED, "work.lease_lost")
    assert queue.claim("w2") is None  # it waits a little: what killed one worker may kill the next
    clock.move(seconds=2)
    second = queue.claim("w2")
    assert second is not None
    for late in (
        queue.heartbeat,
        queue.release,
        lambda c: queue.conclude(c, conclusion()),
        lambda c: queue.fault(c, "x"),
    ):
        with pytest.raises(LeaseLostError):
            late(first)
    assert queue.conclude(second, conclusion("reject")).state is State.REJECTED
    with pytest.raises(LeaseLostError):
        queue.conclude(second, conclusion("accept"))
    with either.read() as tx:
        assert tx.scalar(select(func.count()).select_from(VerdictRow)) == 1
        assert verify_log(tx, either.audit).sound


def test_priority_goes_first_then_who_waits_longest(either: Store, clock: SetClock) -> None:
    ids = []
    for priority in (0, 5, 0, 5):
        ids.append(submit(either, priority=priority)[0])
        clock.move(seconds=1)
    queue = Queue(either)
    claims = [queue.claim("w") for _ in range(5)]
    assert [claim.session_id for claim in claims if claim] == [ids[1], ids[3], ids[0], ids[2]]
    assert claims[-1] is None
    assert queue.waiting() == {"submitted": 0, "processing": 4}


def test_many_workers_at_once_conclude_each_session_once(either: Store) -> None:
    ids = {submit(either)[0] for _ in range(12)}
    done: list[str] = []

    def handler(claim: Claim) -> Conclusion:
        done.append(claim.session_id)
        return conclusion()

    workers = [Worker(Queue(either), handler, name=f"w{number}") for number in range(4)]
    threads = [threading.Thread(target=worker.drain) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(ids)
    with either.read() as tx:
        assert tx.scalar(select(func.count()).select_from(VerdictRow)) == 12
        assert verify_log(tx, either.audit).sound


def test_a_fault_is_tried_again_later_and_given_up_in_the_end(store: Store, clock: SetClock) -> None:
    class DecoderError(InputError):
        code = "capture.broken"

    calls: list[str] = []

    def handler(claim: Claim) -> Conclusion:
        calls.append(claim.session_id)
        raise DecoderError("no") if len(calls) % 2 else RuntimeError("fault")

    session_id, _ = submit(store)
    worker = Worker(Queue(store), handler, name="w")
    waits = []
    for _ in range(5):
        waits.append(0)
        while worker.run_once() is None:
            clock.move(seconds=1)
            waits[-1] += 1
    assert waits == [0, 2, 4, 8, 16]
    assert state(store, session_id) == (State.FAILED, "work.given_up")
    clock.move(days=1)
    assert worker.run_once() is None
    with store.write() as tx:
        store.sessions.advance(
            tx, "local", session_id, Event.REQUEUE, actor="user:op", failures=0, not_before=None, submitted=clock()
        )
    assert Worker(Queue(store), lambda claim: conclusion(), name="w").drain() == 1
    assert state(store, session_id)[0] is State.ACCEPTED


def test_a_session_that_kills_its_workers_is_given_up(store: Store, clock: SetClock) -> None:
    queue = Queue(store)
    session_id, _ = submit(store)
    for _ in range(store.limits.failures):
        clock.move(hours=1)
        assert queue.claim("w") is not None
        clock.move(hours=1)
        assert queue.requeue_expired() == 1
    assert state(store, session_id)[0] is State.FAILED


def test_retry_begins_another_attempt_until_the_limit_and_then_a_person_decides(store: Store) -> None:
    session_id, case_id = submit(store)
    worker = Worker(Queue(store), lambda claim: conclusion("retry"), name="w")
    for attempt in (1, 2, 3):
        assert worker.drain() == 1
        if attempt < 3:
            assert state(store, session_id) == (State.RETRY, "verdict.retry")
            with store.write() as tx:
                assert store.sessions.resume(tx, "local", session_id, actor="c").attempt == attempt + 1
                store.sessions.submit(tx, "local", session_id, actor="c")
    assert state(store, session_id) == (State.REVIEW, "session.resubmissions_exhausted")
    with store.read() as tx:
        assert [each.attempt for each in store.verdicts.of_case(tx, "local", case_id)] == [1, 2, 3]


def test_what_was_cancelled_meanwhile_gets_no_verdict(either: Store) -> None:
    queue = Queue(either)
    session_id, case_id = submit(either)
    claim = queue.claim("w")
    assert claim is not None
    with either.write() as tx:
        either.sessions.advance(tx, "local", session_id, Event.CANCEL, actor="key:k")
    with pytest.raises(LeaseLostError):
        queue.conclude(claim, conclusion())
    with either.read() as tx:
        assert either.verdicts.of_case(tx, "local", case_id) == []
        with pytest.raises(NotFoundError):
            either.verdicts.get(tx, "local", case_id, 1)


def test_a_worker_that_is_interrupted_gives_its_session_back(store: Store) -> None:
    session_id, _ = submit(store)

    def interrupted(claim: Claim) -> Conclusion:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Worker(Queue(store), interrupted, name="w").run_once()
    assert state(store, session_id) == (State.SUBMITTED, "work.released")


def test_a_running_worker_wakes_on_a_hint_and_stops_when_told(store: Store) -> None:
    seen = threading.Event()

    def handler(claim: Claim) -> Conclusion:
        seen.set()
        return conclusion()

    worker = Worker(Queue(store), handler, name="w", poll=60)
    thread = threading.Thread(target=worker.run)
    thread.start()
    submit(store)
    worker.hint()
    assert seen.wait(20)
    worker.stop()
    thread.join(20)
    assert not thread.is_alive()


def test_a_long_work_keeps_its_lease(store: Store) -> None:
    beats: list[Claim] = []
    queue = Queue(store, lease=timedelta(seconds=0.15))
    queue.heartbeat = lambda claim: beats.append(claim) or store.clock()  # type: ignore[method-assign, func-returns-value]
    submit(store)

    def handler(claim: Claim) -> Conclusion:
        for _ in range(200):
            if len(beats) >= 2:
                break
            threading.Event().wait(0.05)
        return conclusion()

    assert Worker(queue, handler, name="w").drain() == 1
    assert len(beats) >= 2


def test_an_unknown_decision_is_refused() -> None:
    with pytest.raises(InvalidValueError):
        conclusion("maybe")


def test_tenants_do_not_see_each_other(either: Store) -> None:
    furnish(either, "other")
    session_id, case_id = submit(either)
    with either.read() as tx:
        for ask in (
            lambda: either.sessions.get(tx, "other", session_id),
            lambda: either.sessions.of_case(tx, "other", case_id),
            lambda: either.keys.of(tx, "other", "case", case_id),
        ):
            with pytest.raises(NotFoundError):
                ask()
    assert Queue(either).claim("w", tenant="other") is None
    assert Queue(either).claim("w", tenant="local") is not None


# ---------------------------------------------------------------------------------------------------------- outbox


def hooked(store: Store, *kinds: str) -> str:
    with store.write() as tx:
        return new_endpoint(store, tx, "local", "https://example.org/hook", actor="t", kinds=kinds)[0]


def finish(store: Store, decision: str = "accept") -> str:
    session_id, _ = submit(store)
    Worker(Queue(store), lambda claim: conclusion(decision), name="w").drain()
    return session_id


def test_a_message_is_tried_with_growing_waits_until_it_is_taken(either: Store, clock: SetClock) -> None:
    hooked(either)
    finish(either)
    tries: list[Delivery] = []

    def send(delivery: Delivery) -> Receipt:
        tries.append(delivery)
        if len(tries) == 2:
            raise OSError("connection refused")
        return Receipt(len(tries) == 4, 200 if len(tries) == 4 else 500)

    deliveries = Deliveries(either, send)
    assert deliveries.fan_out() == 1
    assert deliveries.fan_out() == 0
    assert deliveries.deliver_due() == 1
    for wait in BACKOFF[:3]:
        assert deliveries.deliver_due() == 0
        clock.move(seconds=wait.total_seconds())
        assert deliveries.deliver_due() == 1
    assert deliveries.pending() == 0
    assert len({delivery.message_id for delivery in tries}) == 1
    assert len({delivery.body for delivery in tries}) == 1
    assert [delivery.tries for delivery in tries] == [0, 1, 2, 3]


def test_a_delivery_is_given_up_after_the_last_wait_and_sent_again_on_request(store: Store, clock: SetClock) -> None:
    hooked(store)
    finish(store)
    deliveries = Deliveries(store, lambda delivery: Receipt(False, 503), backoff=(timedelta(seconds=1),))
    deliveries.fan_out()
    for _ in range(2):
        assert deliveries.deliver_due() == 1
        clock.move(seconds=1)
    assert deliveries.deliver_due() == 0
    with store.write() as tx:
        row = tx.scalars(select(WebhookDeliveryRow)).one()
        assert (row.state, row.tries, row.last_status) == ("given_up", 2, 503)
        resend(deliveries.store, tx, "local", row.id, actor="key:k")
        with pytest.raises(NotFoundError):
            resend(deliveries.store, tx, "local", "del_x", actor="key:k")
    assert Deliveries(store, lambda delivery: Receipt(True, 200)).deliver_due() == 1


def test_a_disabled_endpoint_is_told_nothing_that_waits(either: Store, clock: SetClock) -> None:
    endpoint = hooked(either)
    finish(either)
    sent: list[Delivery] = []
    deliveries = Deliveries(either, lambda delivery: sent.append(delivery) or Receipt(False, 500))  # type: ignore[func-returns-value]
    deliveries.fan_out()
    assert deliveries.deliver_due() == 1
    with either.write() as tx:
        disable_endpoint(either, tx, "local", endpoint, actor="key:k")
        disable_endpoint(either, tx, "local", endpoint, actor="key:k")
        with pytest.raises(NotFoundError):
            disable_endpoint(either, tx, "other", endpoint, actor="key:k")
    with either.read() as tx:
        row = tx.scalars(select(WebhookDeliveryRow)).one()
        assert (row.state, row.last_error) == ("given_up", "webhook.endpoint_disabled")
        assert len(either.audit.details(tx, "local", "webhook.endpoint_disabled", "webhook_endpoint", endpoint)) == 1
    with either.write() as tx, pytest.raises(ConflictError):
        resend(either, tx, "local", row.id, actor="key:k")
    with either.write() as tx:  # as a process would that made it at the same moment
        tx.execute(update(WebhookDeliveryRow).values(state="waiting", next_try=clock()))
    clock.move(days=2)
    assert deliveries.deliver_due() == 0 and deliveries.pending() == 0 and len(sent) == 1


def test_a_process_that_dies_while_sending_leaves_the_delivery_to_the_next(store: Store, clock: SetClock) -> None:
    hooked(store)
    finish(store)

    def killed(delivery: Delivery) -> Receipt:
        raise KeyboardInterrupt

    deliveries = Deliveries(store, killed)
    deliveries.fan_out()
    with pytest.raises(KeyboardInterrupt):
        deliveries.deliver_due()
    sent: list[Delivery] = []
    other = Deliveries(store, lambda delivery: sent.append(delivery) or Receipt(True, 200))  # type: ignore[func-returns-value]
    assert other.deliver_due() == 0
    clock.move(seconds=61)
    assert other.deliver_due() == 1
    assert json.loads(sent[0].body)["data"]["state"] == "accepted"


def test_an_endpoint_that_does_not_answer_holds_up_nobody_else(store: Store, clock: SetClock) -> None:
    with store.write() as tx:
        for name in ("dead", "good"):
            new_endpoint(store, tx, "local", f"https://{name}.test/hook", actor="t")
    for _ in range(3):
        submit(store)
    Worker(Queue(store), lambda claim: conclusion(), name="w").drain()
    sent, hanging, over = list[str](), threading.Event(), threading.Event()

    def send(delivery: Delivery) -> Receipt:
        if "dead" in delivery.url:
            assert not hanging.is_set()  # one at a time
            hanging.set()
            assert over.wait(30)
            hanging.clear()
        sent.append(delivery.url)
        return Receipt(True, 204)

    deliveries = Deliveries(store, send)
    deliveries.fan_out()
    threads = [threading.Thread(target=deliveries.deliver_due) for _ in range(3)]
    threads[0].start()
    deadline = time.monotonic() + 30
    while not hanging.is_set() or sent.count("https://good.test/hook") < 3:
        assert time.monotonic() < deadline
        for thread in threads[1:]:
            if not thread.ident:
                thread.start()
        time.sleep(0.01)
    assert sent.count("https://dead.test/hook") == 0
    over.set()
    for thread in threads:
        thread.join(30)
    while deliveries.deliver_due():
        pass
    assert sent.count("https://dead.test/hook") == 3


def test_endpoints_get_the_kinds_they_want_and_a_gone_one_is_disabled(store: Store) -> None:
    wants = hooked(store, "session.rejected")
    other = hooked(store)
    finish(store, "reject")
    finish(store, "accept")
    got: list[tuple[str, str]] = []

    def send(delivery: Delivery) -> Receipt:
        got.append((delivery.endpoint_id, json.loads(delivery.body)["type"]))
        return Receipt(False, 410, gone=True) if delivery.endpoint_id == wants else Receipt(True, 200)

    deliveries = Deliveries(store, send)
    deliveries.fan_out()
    deliveries.deliver_due()
    assert sorted(got) == sorted(
        [(wants, "session.rejected"), (other, "session.rejected"), (other, "session.accepted")]
    )
    with store.read() as tx:
        assert tx.get_one(WebhookEndpointRow, ("local", wants)).disabled is not None
        assert verify_log(tx, store.audit).sound


def test_a_rotated_secret_signs_beside_the_new_one_for_a_while(store: Store, clock: SetClock) -> None:
    with store.write() as tx:
        endpoint, old = new_endpoint(store, tx, "local", "https://example.org", actor="t")
        new = rotate_secret(store, tx, "local", endpoint, actor="t", overlap=timedelta(hours=1))
        for bad in ("ftp://x", "javascript:alert(1)", "https://" + "x" * 2000):
            with pytest.raises(InvalidValueError):
                new_endpoint(store, tx, "local", bad, actor="t")
    seen: list[tuple[bytes, ...]] = []
    deliveries = Deliveries(store, lambda delivery: seen.append(delivery.secrets) or Receipt(True, 200))  # type: ignore[func-returns-value]
    for _ in range(2):
        finish(store)
        deliveries.fan_out()
        deliveries.deliver_due()
        clock.move(hours=2)
    assert seen == [(new, old), (new,)]


def test_a_message_is_written_only_with_its_state(store: Store) -> None:
    session_id, _ = submit(store)
    with pytest.raises(RuntimeError), store.write() as tx:
        store.sessions.advance(tx, "local", session_id, Event.CANCEL, actor="k")
        raise RuntimeError
    with store.read() as tx:
        assert tx.scalar(select(func.count()).select_from(OutboxRow)) == 0
    with store.write() as tx:
        store.sessions.advance(tx, "local", session_id, Event.CANCEL, actor="k")
        with pytest.raises(IllegalTransitionError):
            store.sessions.advance(tx, "local", session_id, Event.CANCEL, actor="k")
    with store.read() as tx:
        assert tx.scalars(select(OutboxRow.kind)).all() == ["session.cancelled"]
