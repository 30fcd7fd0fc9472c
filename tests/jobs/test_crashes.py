"""kill -9 at random moments loses no accepted session, repeats no verdict, sends no contradiction."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import func, select

from samebody.jobs import Deliveries, Queue, new_endpoint
from samebody.store import State, Store
from samebody.store.audit import verify_log
from samebody.store.schema import AuditEventRow, OutboxRow, SessionRow, VerdictRow, WebhookDeliveryRow
from tests.jobs.crashing import open_store
from tests.store.conftest import furnish, submit

ROOT = Path(__file__).parents[2]


class Children:
    """Processes that work until they are killed, and are started again."""

    def __init__(self, *arguments: str, count: int) -> None:
        self._command = [sys.executable, "-m", "tests.jobs.crashing", *arguments]
        self.running = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        return subprocess.Popen(self._command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)

    def kill_one(self, index: int | None = None) -> None:
        """kill -9 one of them (a random one unless it is named), and start another."""
        index = random.randrange(len(self.running)) if index is None else index
        child = self.running[index]
        alive = child.poll() is None
        child.send_signal(signal.SIGKILL)
        _, errors = child.communicate()
        assert alive, errors.decode()
        self.running[index] = self._start()

    def check_alive(self) -> None:
        """Nobody ended by themselves: that would be a fault, not a kill."""
        for child in self.running:
            assert child.poll() is None, child.communicate()[1].decode()

    def stop(self) -> None:
        for child in self.running:
            child.kill()
            child.communicate()


def settled(store: Store, deliveries: Deliveries) -> bool:
    waiting = Queue(store).waiting()
    return waiting == {"submitted": 0, "processing": 0} and deliveries.pending() == 0


def check(store: Store, received: Path, ids: set[str], endpoints: int) -> None:
    with store.read() as tx:
        states = {row.id: row for row in tx.scalars(select(SessionRow))}
        verdicts = tx.scalars(select(VerdictRow)).all()
        messages = tx.scalars(select(OutboxRow)).all()
        delivered = tx.scalar(select(func.count()).select_from(WebhookDeliveryRow).filter_by(state="delivered"))
        lost = tx.scalar(select(func.count()).select_from(AuditEventRow).filter_by(action="session.lease_lost"))
        report = verify_log(tx, store.audit)
    print(f"{len(ids)} sessions, {lost} leases lost to kills, {report.events} audit events")
    assert lost, "no kill hit a session at work: the test proves nothing"
    assert report.sound, report.problems
    assert set(states) == ids, "an accepted session was lost"
    expected = {"accept": State.ACCEPTED, "reject": State.REJECTED, "review": State.REVIEW}
    by_case = {row.case_id: row for row in states.values()}
    assert len(verdicts) == len({row.case_id for row in verdicts}) == len(ids), "not one verdict a session"
    for verdict in verdicts:
        assert by_case[verdict.case_id].state == expected[verdict.decision].value
    assert len(messages) == len(ids)
    assert delivered == endpoints * len(ids)
    told = defaultdict(set)
    for line in received.read_text().splitlines():
        message, session_id, state = json.loads(line)
        told[session_id].add((message, state))
    assert set(told) == ids
    for session_id, heard in told.items():
        assert {state for _, state in heard} == {states[session_id].state}, "a contradictory webhook"
        assert len(heard) == 1, "two messages for one verdict"


def strike(store: Store, children: Children, *, at_work: bool, pause: float) -> None:
    """Kill a child: one that is working on a session, or any of them at a random moment."""
    end, victim = time.monotonic() + 20, None  # a child that was just started may take long on a busy machine
    while at_work and victim is None and time.monotonic() < end:
        time.sleep(0.01)
        with store.read() as tx:
            owners = tx.scalars(select(SessionRow.lease_owner).filter_by(state=State.PROCESSING.value)).all()
        pids = {int(owner.split(":")[1]) for owner in owners if owner}
        victim = next((index for index, child in enumerate(children.running) if child.pid in pids), None)
    if victim is None or random.random() < 0.5:  # else at once, or a quick one is done before it is killed
        time.sleep(random.uniform(0, 0.15) if at_work else random.uniform(0, 2 * pause))
    children.kill_one(victim)


def run(where: str, folder: Path, *, sessions: int, kills: int, pause: float, endpoints: int = 2) -> None:
    random.seed(7)
    received = folder / "received"
    with open_store(where, str(folder / "media")) as store:
        furnish(store)
        with store.write() as tx:
            for number in range(endpoints):
                new_endpoint(store, tx, "local", f"https://example.org/{number}", actor="t")
        children = Children(where, str(folder / "media"), str(received), count=2)
        deliveries = Deliveries(store, lambda delivery: pytest.fail("the parent sends nothing"))
        ids: set[str] = set()
        try:
            for number in range(max(sessions, kills)):
                if number < sessions:
                    ids.add(submit(store)[0])
                if number < kills:
                    strike(store, children, at_work=number % 4 != 0, pause=pause)
            end = time.monotonic() + 300
            while not settled(store, deliveries):
                children.check_alive()
                assert time.monotonic() < end, f"not settled: {Queue(store).waiting()}, {deliveries.pending()}"
                time.sleep(0.05)
        finally:
            children.stop()
        check(store, received, ids, endpoints)


def test_kill_9_loses_and_repeats_nothing(tmp_path: Path) -> None:
    run(str(tmp_path / "store"), tmp_path, sessions=12, kills=5, pause=0.5)


@pytest.mark.slow
def test_kill_9_loses_and_repeats_nothing_hundreds_of_times(tmp_path: Path) -> None:
    run(str(tmp_path / "store"), tmp_path, sessions=300, kills=200, pause=0.8)


@pytest.mark.slow
def test_kill_9_loses_and_repeats_nothing_on_postgresql(tmp_path: Path, postgresql_database: str) -> None:
    run(postgresql_database, tmp_path, sessions=100, kills=60, pause=0.8)
