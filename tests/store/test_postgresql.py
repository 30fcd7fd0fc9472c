"""Where PostgreSQL differs from SQLite: many writers at once, errors with values in them, types that are held to."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from samebody.errors import SamebodyError
from samebody.jobs import Deliveries, Delivery, Queue, Receipt, Worker, new_endpoint
from samebody.store import Event, LocalMasterKey, State, Store
from samebody.store.audit import verify_log
from samebody.store.errors import (
    ConflictError,
    InvalidValueError,
    KeyDestroyedError,
    NotFoundError,
    StillRunningError,
    StoreUnavailableError,
)
from samebody.store.people import NewReference
from samebody.store.schema import (
    KeyRow,
    MediaRow,
    PolicyRow,
    ReferenceRow,
    ReviewRow,
    SessionRow,
    SubjectRow,
    TenantRow,
    WebhookDeliveryRow,
)
from tests.store.conftest import MASTER, begin, conclusion, furnish, submit

SECRET_TEXT = "order of a person who must not be named"


@pytest.fixture
def store(postgresql_database: str, tmp_path: Path) -> Iterator[Store]:
    with Store.open(postgresql_database, media=tmp_path / "media", master=[LocalMasterKey(MASTER)]) as opened:
        furnish(opened)
        yield opened


def at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """What each of ``count`` threads returned or raised, started together."""
    gate = threading.Barrier(count)

    def run(number: int) -> object:
        gate.wait()
        try:
            return work(number)
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_errors_are_typed_by_their_code_and_name_no_values(store: Store) -> None:
    session_id, _ = begin(store, reference=SECRET_TEXT)
    caught: list[BaseException] = []

    def fails(kind: type[BaseException], statement: object) -> None:
        with pytest.raises(kind) as found, store.write() as tx:
            tx.execute(statement)  # type: ignore[call-overload]
        caught.append(found.value)

    row = update(SessionRow).where(SessionRow.id == session_id)
    fails(IntegrityError, row.values(case_id=SECRET_TEXT))  # refers to nothing
    fails(IntegrityError, row.values(state=None, reference=SECRET_TEXT))  # not null: prints the whole row
    fails(ConflictError, insert(TenantRow).values(id="local", name=SECRET_TEXT, created=store.clock()))
    fails(InvalidValueError, row.values(state=SECRET_TEXT))  # longer than the column
    fails(InvalidValueError, row.values(reference=f"{SECRET_TEXT}\x00"))
    fails(InvalidValueError, row.values(reference=f"{SECRET_TEXT}\ud800"))
    fails(InvalidValueError, row.values(priority=2**40))
    fails(DBAPIError, text(f"SELECT '{SECRET_TEXT}' FROM nowhere"))
    fails(StoreUnavailableError, text("SELECT pg_terminate_backend(pg_backend_pid())"))
    for error in caught[:-2]:
        assert SECRET_TEXT[:12] not in "".join(traceback.format_exception(error)), error
    with store.read() as tx:  # a connection that was closed is not given out again
        assert store.sessions.get(tx, "local", session_id).reference == SECRET_TEXT


def test_a_transaction_that_reads_cannot_write_and_sees_one_state(store: Store) -> None:
    with pytest.raises(DBAPIError), store.read() as tx:
        tx.execute(update(SessionRow).values(priority=1))
    with store.read() as tx:
        before = tx.scalar(select(func.count()).select_from(SessionRow))
        begin(store)
        assert tx.scalar(select(func.count()).select_from(SessionRow)) == before
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            begin(store)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):  # head, events and checkpoints are read one after the other
            with store.read() as tx:
                report = verify_log(tx, store.audit)
            assert report.sound, report.problems
    finally:
        stop.set()
        writer.join()


def test_transactions_that_wait_for_each_other_end_in_a_typed_error(store: Store) -> None:
    ids = sorted(begin(store)[0] for _ in range(2))
    both = threading.Barrier(2)

    def cross(number: int) -> None:
        with store.write() as tx:
            for step, session_id in enumerate(ids if number == 0 else reversed(ids)):
                tx.execute(update(SessionRow).where(SessionRow.id == session_id).values(priority=number))
                if step == 0:
                    both.wait()

    errors = [error for error in at_once(2, cross) if error is not None]
    assert [type(error) for error in errors] == [StoreUnavailableError]
    assert "40P01" in str(errors[0])


def test_a_worker_waits_for_no_other_worker(store: Store) -> None:
    first, second = submit(store)[0], submit(store)[0]
    with store.write() as tx:
        tx.execute(select(SessionRow).where(SessionRow.id == first).with_for_update())
        started = time.monotonic()
        claim = Queue(store).claim("w")
        assert claim is not None and claim.session_id == second
        assert Queue(store).claim("w") is None
        assert time.monotonic() - started < 10
    assert (claim := Queue(store).claim("w")) is not None and claim.session_id == first


def test_a_verdict_survives_a_database_that_is_away_for_a_moment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id, _ = submit(store)
    queue, left = Queue(store), [2]
    conclude = queue.conclude

    def unsteady(*arguments: object) -> object:
        left[0] -= 1
        if left[0] >= 0:
            with store.write() as tx:
                tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return conclude(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(queue, "conclude", unsteady)
    monkeypatch.setattr("samebody.jobs.worker.AGAIN", (0.01, 0.01, 0.01))
    assert Worker(queue, lambda claim: conclusion()).drain() == 1
    with store.read() as tx:
        assert store.sessions.get(tx, "local", session_id).state is State.ACCEPTED


def test_two_who_decide_at_once_see_each_other(store: Store) -> None:
    with store.write() as tx:
        store.policies.put(tx, "local", "default", "layers: []", actor="t", retention={"second_person": True})
    for _ in range(4):
        session_id, _ = submit(store)
        Worker(Queue(store), lambda claim: conclusion("review")).drain()

        def decide(number: int, session_id: str = session_id) -> State:
            with store.write() as tx:
                opinion = {"reviewer": f"r{number}", "decision": "accept", "code": "looks.same"}
                return store.reviews.decide(tx, "local", session_id, **opinion).state

        assert sorted(map(str, at_once(2, decide))) == ["accepted", "review"]
    with store.read() as tx:
        assert tx.scalar(select(func.count()).select_from(ReviewRow)) == 8


def test_names_that_two_take_at_once_are_given_once(store: Store) -> None:
    def policy(number: int) -> int:
        with store.write() as tx:
            return store.policies.put(tx, "local", "default", f"layers: [] # {number}", actor="t").version

    def tenant(number: int) -> None:
        with store.write() as tx:
            store.tenants.ensure(tx, "new")

    made = at_once(5, policy)
    versions = sorted(each for each in made if isinstance(each, int))
    assert versions == list(range(2, 2 + len(versions))) and versions
    assert all(isinstance(each, int | ConflictError) for each in made)
    assert at_once(4, tenant) == [None] * 4
    with store.read() as tx:
        assert sorted(tx.scalars(select(PolicyRow.version))) == [1, *versions]
        assert verify_log(tx, store.audit).sound


def test_one_of_many_equal_requests_does_the_work(store: Store) -> None:
    done: list[int] = []

    def request(number: int) -> str:
        with store.write() as tx:
            earlier = store.idempotency.begin(tx, "local", "key:x", "order-7", b"same")
            if earlier is not None:
                return str(earlier.body["made"])
            done.append(number)
            time.sleep(0.05)
            store.idempotency.answer(tx, "local", "key:x", "order-7", 200, {"made": number})
            return str(number)

    answers = at_once(6, request)
    assert len(done) == 1
    assert set(map(str, answers)) == {str(done[0])}
    with pytest.raises(StillRunningError), store.write() as outer:
        store.idempotency.begin(outer, "local", "key:x", "other", b"a")
        outer.commit()
        with store.write() as tx:
            store.idempotency.begin(tx, "local", "key:x", "other", b"a")


def test_several_senders_hand_out_each_message_once(store: Store) -> None:
    with store.write() as tx:
        for number in range(2):
            new_endpoint(store, tx, "local", f"https://example.org/{number}", actor="t")
    for _ in range(6):
        submit(store)
    Worker(Queue(store), lambda claim: conclusion()).drain()
    sent: list[tuple[str, str]] = []

    def send(delivery: Delivery) -> Receipt:
        sent.append((delivery.message_id, delivery.endpoint_id))
        return Receipt(True, 200)

    def housekeeper(number: int) -> None:
        deliveries = Deliveries(store, send)
        while deliveries.fan_out(2) or deliveries.deliver_due(3):
            pass

    assert at_once(3, housekeeper) == [None] * 3
    while Deliveries(store, send).deliver_due():
        pass
    assert len(sent) == len(set(sent)) == 12
    with store.read() as tx:
        assert set(tx.scalars(select(WebhookDeliveryRow.state))) == {"delivered"}


def enrolled(store: Store, name: str) -> tuple[str, str]:
    """A person with a sample; ids of subject and case."""
    session_id, case_id = begin(store)
    media = store.vault.add("local", session_id, "selfie", b"picture", actor="c")
    with store.write() as tx:
        store.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="enrolment")
        store.sessions.submit(tx, "local", session_id, actor="c")
    Worker(Queue(store), lambda claim: conclusion()).drain()
    reference = NewReference("face", "s", b"template", media.id)
    subject = store.people.enrol("local", case_id, [reference], actor="k", external_id=name, media_ids=[media.id])
    return subject.id, case_id


def test_who_is_erased_while_they_are_enrolled_again_leaves_nothing(store: Store) -> None:
    for round_number in range(2):
        subject_id, _ = enrolled(store, f"p{round_number}")

        def work(number: int, subject_id: str = subject_id, name: str = f"p{round_number}") -> object:
            return store.people.erase("local", subject_id, actor="k") if number == 0 else enrolled(store, name)

        for result in at_once(2, work):
            assert not isinstance(result, Exception) or isinstance(result, KeyDestroyedError | StoreUnavailableError)
    store.vault.collect_garbage()
    with store.read() as tx:
        gone = select(SubjectRow.id).where(SubjectRow.erased.is_not(None))
        assert len(tx.scalars(gone).all()) >= 1
        assert tx.scalars(select(ReferenceRow).where(ReferenceRow.subject_id.in_(gone))).all() == []
        assert tx.scalars(select(MediaRow).where(MediaRow.subject_id.in_(gone))).all() == []
        kept = tx.scalars(select(MediaRow)).all()
    for row in kept:
        assert store.vault.read("local", row.id) == b"picture"


def life(store: Store, seed: int, steps: int) -> list[str]:
    """Do what a service does, in a random order, beside others who do the same; codes of what was refused."""
    draw, refused = random.Random(seed), []
    people: list[str] = []
    for _ in range(steps):
        try:
            match draw.randrange(7):
                case 0:
                    people.append(enrolled(store, f"person {draw.randrange(4)}")[0])
                case 1 if people:
                    store.people.erase("local", draw.choice(people), actor="k")
                case 2:
                    store.janitor.sweep(orphans=False)
                case 3:
                    Queue(store).requeue_expired()
                    Deliveries(store, lambda delivery: Receipt(True)).fan_out()
                case 4:
                    session_id, _ = submit(store)
                    with store.write() as tx:
                        store.sessions.advance(tx, "local", session_id, draw.choice(ENDS), actor="k")
                case 5:
                    with store.write() as tx:
                        store.policies.put(tx, "local", "default", "layers: []", actor="t")
                case _:
                    submit(store)
                    Worker(Queue(store), lambda claim: conclusion(draw.choice(["accept", "reject"]))).drain()
        except SamebodyError as error:
            refused.append(error.code)
    return refused


def lives(store: Store, threads: int, steps: int) -> None:
    with store.write() as tx:
        new_endpoint(store, tx, "local", "https://example.org", actor="t")
    results = at_once(threads, lambda number: life(store, number, steps))
    for result in results:
        assert isinstance(result, list), result  # nothing but typed errors
    refused = [code for result in results if isinstance(result, list) for code in result]
    print(f"{threads} threads, {threads * steps} steps, refused: {sorted(set(refused))} {len(refused)}")
    assert "store.unavailable" not in refused, "two transactions waited for each other"
    assert len(refused) < threads * steps / 3
    Worker(Queue(store), lambda claim: conclusion()).drain()
    with store.read() as tx:
        assert verify_log(tx, store.audit).sound
        waiting = tx.scalars(select(SessionRow).where(SessionRow.state.in_(["submitted", "processing"]))).all()
        destroyed = tx.scalars(select(KeyRow.id).where(KeyRow.wrapped.is_(None))).all()
        assert not waiting
        assert tx.scalars(select(MediaRow).where(MediaRow.key_id.in_(destroyed))).all() == []


ENDS = (Event.CANCEL, Event.WITHDRAW)


def test_many_lives_at_once_meet_no_untyped_error(store: Store) -> None:
    lives(store, threads=3, steps=8)


@pytest.mark.slow
def test_many_lives_at_once_for_longer(store: Store) -> None:
    lives(store, threads=8, steps=150)


def test_master_keys_rotate_while_people_are_erased(store: Store) -> None:
    subjects = [enrolled(store, f"p{number}")[0] for number in range(3)]
    new = LocalMasterKey(bytes(range(1, 33)))
    where, media = store.database.url, Path(store.blobs.folder)  # type: ignore[attr-defined]
    with Store.open(
        where.render_as_string(hide_password=False), media=media, master=[new, LocalMasterKey(MASTER)]
    ) as rotating:

        def work(number: int) -> object:
            if number < 2:
                return rotating.rotate_master(batch=3)
            return [rotating.people.erase("local", each, actor="k") for each in subjects[number - 2 :: 2]]

        for result in at_once(4, work):
            assert not isinstance(result, Exception), result
        with rotating.read() as tx:
            assert rotating.keys.waiting(tx) == 0
            assert verify_log(tx, rotating.audit).sound
            for subject_id in subjects:
                with pytest.raises((KeyDestroyedError, NotFoundError)):
                    rotating.people.references(tx, "local", subject_id)
