"""Workers are woken by hints, by PostgreSQL or Redis, and find their work without them."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from samebody.jobs import Claim, Queue, Worker
from samebody.store import LocalMasterKey, State, Store
from samebody.store.errors import StoreConfigError, StoreExtraMissingError, StoreUnavailableError
from samebody.store.wake import CHANNEL, Listener, NoWake, PostgresWake, open_wake
from samebody.store.wake_redis import RedisWake
from tests.store.conftest import MASTER, conclusion, furnish, submit
from tests.store.resp import FakeRedis, fake_redis

__all__ = ["fake_redis"]
LONG = 300.0
"""Seconds between two looks without a hint: longer than any test waits."""


def until(there: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@contextlib.contextmanager
def working(store: Store, without: float = LONG) -> Iterator[Listener]:
    """A worker that looks by itself only every ``LONG`` seconds, and every ``without`` while no hints come."""
    hints = Listener(store.wake, lambda: worker.hint())
    poll = lambda: LONG if hints.connected else without  # noqa: E731
    worker = Worker(Queue(store), lambda claim: conclusion(), poll=poll)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        with hints:
            yield hints
    finally:
        worker.stop()
        thread.join()


def accepted(store: Store, session_id: str) -> bool:
    with store.read() as tx:
        return store.sessions.get(tx, "local", session_id).state is State.ACCEPTED


class Failing(Queue):
    """A queue whose next look fails when it is told so; counts looks."""

    looks, fail = 0, False

    def claim(self, worker: str, *, tenant: str | None = None) -> Claim | None:
        self.looks += 1
        if self.fail:
            self.fail = False
            raise StoreUnavailableError("the connection was ended.")
        return super().claim(worker, tenant=tenant)


def test_a_hint_is_not_used_up_by_a_look_that_fails(store: Store) -> None:
    queue = Failing(store)
    worker = Worker(queue, lambda claim: conclusion(), poll=LONG)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        until(lambda: queue.looks == 1)
        session_id, _ = submit(store)
        queue.fail = True
        worker.hint()
        until(lambda: accepted(store, session_id))
    finally:
        worker.stop()
        thread.join()


@pytest.fixture(params=["postgresql", "redis"])
def hinted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    where: str | Path = tmp_path / "store"
    if request.param == "postgresql":
        where, wake = request.getfixturevalue("postgresql_database"), None
    else:
        wake = request.getfixturevalue("fake_redis").url
    with Store.open(where, media=tmp_path / "m", master=[LocalMasterKey(MASTER)], wake=wake) as opened:
        furnish(opened)
        yield opened


def test_a_submitted_session_wakes_a_worker(hinted: Store) -> None:
    with working(hinted) as hints:
        until(lambda: hints.connected)
        for _ in range(3):
            session_id, _ = submit(hinted)
            until(lambda: accepted(hinted, session_id))  # noqa: B023 - called at once


def test_what_is_not_committed_wakes_nobody(hinted: Store) -> None:
    heard = threading.Event()
    with Listener(hinted.wake, heard.set) as hints:
        until(lambda: hints.connected and heard.is_set())  # once on connecting
        heard.clear()
        with pytest.raises(RuntimeError), hinted.write() as tx:
            hinted.wake.tell(tx)
            raise RuntimeError
        assert not heard.wait(0.3)


def test_redis_hears_of_a_commit_once_it_is_one(tmp_path: Path, fake_redis: FakeRedis) -> None:
    heard = threading.Event()
    with Store.open(tmp_path / "store", master=[LocalMasterKey(MASTER)], wake=fake_redis.url) as store:
        with Listener(store.wake, heard.set) as hints:
            until(lambda: hints.connected and heard.is_set())
            heard.clear()
            with store.write() as tx:
                store.wake.tell(tx)
                store.wake.tell(tx)
                assert not heard.wait(0.1)
            assert heard.wait(30)
        assert len(fake_redis.published) == 1


def test_a_redis_that_dies_costs_nothing_but_time_and_is_used_again_when_it_is_back(
    tmp_path: Path, fake_redis: FakeRedis
) -> None:
    with Store.open(tmp_path / "store", master=[LocalMasterKey(MASTER)], wake=fake_redis.url) as store:
        furnish(store)
        with working(store, without=0.05) as hints:
            until(lambda: hints.connected)
            fake_redis.kill()
            until(lambda: not hints.connected)
            ids = [submit(store)[0] for _ in range(3)]
            until(lambda: all(accepted(store, each) for each in ids))
            assert isinstance(store.wake, RedisWake) and not store.wake.ping()
            fake_redis.start()
            until(lambda: hints.connected and store.wake.ping())
            session_id, _ = submit(store)
            until(lambda: accepted(store, session_id))
    assert {channel for channel, _ in fake_redis.published} == {CHANNEL.encode()}
    assert {payload for _, payload in fake_redis.published} == {b""}  # a hint names nobody


def test_a_redis_that_hangs_holds_up_no_request(tmp_path: Path, fake_redis: FakeRedis) -> None:
    fake_redis.hangs = True
    with Store.open(tmp_path / "store", master=[LocalMasterKey(MASTER)], wake=fake_redis.url) as store:
        furnish(store)
        started = time.monotonic()
        for _ in range(40):  # more than are kept
            submit(store)
        assert not fake_redis.published
        assert store.wake._waiting.qsize() <= 16  # type: ignore[attr-defined]
        took = time.monotonic() - started
        fake_redis.kill()
    assert took < 40 * 5, "each waited for the time-out of five seconds"


def test_a_listener_that_takes_over_a_used_connection_hears(tmp_path: Path, postgresql_database: str) -> None:
    with Store.open(postgresql_database, media=tmp_path / "m", master=[LocalMasterKey(MASTER)]) as store:
        furnish(store)  # its connection is in the pool now, and is asked whether it lives before it is taken again
        with PostgresWake(store.database).subscribed() as wait:
            assert wait(0) is False
            submit(store)
            assert wait(4) is True
            with store.read() as tx:
                waits = tx.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"))
            assert waits == 0


def test_a_listener_whose_connection_postgresql_ends_comes_back(tmp_path: Path, postgresql_database: str) -> None:
    with Store.open(postgresql_database, media=tmp_path / "m", master=[LocalMasterKey(MASTER)]) as store:
        furnish(store)
        end = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = :last OR query LIKE 'LISTEN%'")
        with working(store, without=0.05) as hints:
            until(lambda: hints.connected)
            with store.database.engine.connect() as connection:
                assert connection.execute(end, {"last": "SELECT 1"}).all()
            session_id, _ = submit(store)
            until(lambda: accepted(store, session_id))
            until(lambda: hints.connected)
            session_id, _ = submit(store)
            until(lambda: accepted(store, session_id))


def test_the_channel_is_the_databases_own_unless_another_is_named(
    tmp_path: Path, fake_redis: FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(tmp_path / "store", master=[LocalMasterKey(MASTER)]) as store:
        database = store.database
        assert isinstance(store.wake, NoWake)
        assert isinstance(open_wake("none", database), NoWake)
        assert isinstance(open_wake(fake_redis.url, database), RedisWake)
        for wrong in ("postgresql", "memcached://x", "redis", "redis://[x"):
            with pytest.raises(StoreConfigError):
                open_wake(wrong, database)
        monkeypatch.setattr(database, "is_sqlite", False)
        assert isinstance(open_wake(None, database), PostgresWake)
        monkeypatch.setitem(sys.modules, "redis", None)
        with pytest.raises(StoreExtraMissingError, match=r"redis-py"):
            open_wake(fake_redis.url, database)
