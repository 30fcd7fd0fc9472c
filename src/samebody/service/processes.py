"""The processes of one machine: the API, workers and the housekeeper, started again when one dies.

The parent holds no state: everything that must survive is in the store, and every child may be killed at any moment.
When the parent itself is killed, its children end too, so that the next start finds the port free.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from samebody.config import Settings
from samebody.errors import SamebodyError
from samebody.jobs import Deliveries, Queue, Worker
from samebody.jobs.worker import worker_name
from samebody.operate.watch import watch_daily
from samebody.service.galleries import Galleries
from samebody.service.insight import Insight
from samebody.service.settings import ServiceSettings
from samebody.service.verifiers import Verifiers
from samebody.service.webhooks import Sender
from samebody.service.work import VerifySession
from samebody.service.workers import SignOfLife
from samebody.store.store import Store
from samebody.store.wake import Listener

logger = logging.getLogger(__name__)

GRACE = 30.0
"""Seconds that a child has to finish what it holds before it is killed; its lease then runs out by itself."""
LONGEST_WAIT = 30.0
"""Seconds at most before a child that keeps dying is started again."""
POLL = 0.1
"""Seconds between two looks of an idle worker at the queue: a read of a fraction of a millisecond."""
HINTED_POLL = 2.0
"""The same while hints come through: what is due by its time alone, after a fault, is found that late."""
GIVES_WAY = 5
"""How much nicer workers are than the API on the same cores."""
STEADY = 10.0
"""A child that lived this long has not died at its start: the next wait is the shortest again."""


@dataclass(slots=True)
class _Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    not_before: float = 0.0
    born: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs children until it is told to stop.

    Attributes:
        commands: command line of each child, by name.
        poll: seconds between two looks.
    """

    commands: Mapping[str, Sequence[str]]
    environment: Mapping[str, str] | None = None
    poll: float = 0.2
    _children: list[_Child] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Let :meth:`run` end its children and return."""
        self._stop.set()

    def run(self) -> None:
        """Start the children, start again those that die, end them all when stopped."""
        self._children = [_Child(name, command) for name, command in self.commands.items()]
        try:
            while not self._stop.is_set():
                for child in self._children:
                    self._look_after(child)
                self._stop.wait(self.poll)
        finally:
            self._end()

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            status = child.process.poll()
            if status is None:
                return
            child.deaths = 1 if now - child.born > STEADY else child.deaths + 1
            wait = min(LONGEST_WAIT, 0.5 * 2 ** (child.deaths - 1))
            child.process, child.not_before = None, now + wait
            logger.warning("%s ended with status %s; started again in %.1f s", child.name, status, wait)
        if now >= child.not_before:
            # a session of its own, so that Ctrl-C reaches the parent alone and children finish what they hold
            # the pipe is never written to: its end tells the child that this process is gone
            child.process = subprocess.Popen(
                child.command, env=self.environment, start_new_session=True, stdin=subprocess.PIPE
            )
            child.born = now

    def _end(self) -> None:
        alive = [
            child.process for child in self._children if child.process is not None and child.process.poll() is None
        ]
        for process in alive:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for process in alive:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def on_signals(stop: object) -> Iterator[None]:
    """Call ``stop`` on SIGTERM and SIGINT while the block runs."""
    assert callable(stop)
    before = {each: signal.signal(each, lambda *_: stop()) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def give_way() -> None:
    """Let others of this machine go first: whoever asks the API waits for it, and a verdict takes seconds anyway.

    Linux may share a processor between sessions first (``autogroup``, sched(7)), and a worker has a session of its own:
    then the niceness that counts is the session's.
    """
    if hasattr(os, "nice"):
        os.nice(GIVES_WAY)
    if hasattr(os, "getsid") and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # another system, or a kernel without it
            Path("/proc/self/autogroup").write_text(str(GIVES_WAY))


def run_worker(store: Store, settings: ServiceSettings, runtime: Settings) -> int:
    """Work on sessions until SIGTERM; the session in hand is finished first. Returns how many were concluded."""
    name = worker_name()
    verifiers = Verifiers(store, runtime)
    verifiers.of_model(runtime.embedder)  # before the first session comes
    queue = Queue(store, lease=timedelta(seconds=settings.lease_seconds))
    insight = Insight(store, runtime, verifiers.of_tenant)
    hints = Listener(store.wake, lambda: worker.hint())
    worker = Worker(
        queue, VerifySession(store, verifiers), name=name, poll=lambda: HINTED_POLL if hints.connected else POLL,
        idle=lambda: insight.run_once(name),
    )  # fmt: skip
    with on_signals(worker.stop), SignOfLife(store, name), hints:
        return worker.run()


def run_housekeeper(store: Store, settings: ServiceSettings) -> None:
    """Give back lost leases, send webhooks, delete on time, until SIGTERM. Several may run; they do not disturb."""
    stop = threading.Event()
    Galleries(store, settings.galleries)  # erasures of the sweep reach them
    sender = Sender.of(settings)
    waits = [timedelta(seconds=each) for each in settings.webhook_waits]
    lease = timedelta(seconds=2 * settings.webhook_seconds + 5)
    deliveries, queue = Deliveries(store, sender, backoff=waits, lease=lease), Queue(store)
    # threads of their own: an endpoint that does not answer must not hold up the leases
    senders = [
        threading.Thread(target=_repeat, args=(stop, deliveries.deliver_due), name=f"samebody-sender-{number}")
        for number in range(settings.webhook_senders)
    ]
    swept = 0.0

    def keep() -> int:
        nonlocal swept
        queue.requeue_expired()
        if time.monotonic() - swept >= settings.sweep_seconds:
            swept = time.monotonic()
            store.janitor.sweep()
            watch_daily(store)
        return deliveries.fan_out()

    with on_signals(stop.set), contextlib.closing(sender):
        for thread in senders:
            thread.start()
        _repeat(stop, keep)
        for thread in senders:
            thread.join()


def _repeat(stop: threading.Event, work: Callable[[], int]) -> None:
    """Do ``work`` again and again, with a rest when it found nothing to do."""
    while not stop.is_set():
        busy = 0
        try:
            busy = work()
        except SamebodyError as error:
            logger.warning("housekeeping: %s", error.code)
        except Exception as error:  # a thread that ended would be missed by nobody
            logger.error("housekeeping: internal error: %s", type(error).__name__)
        if not busy:
            stop.wait(0.5)


def child_command(role: str, options: Sequence[str]) -> list[str]:
    """The command line of a child process."""
    return [sys.executable, "-m", "samebody", "serve", "--role", role, "--with-parent", *options]


def end_with_parent() -> None:
    """Let this process end as by SIGTERM when its parent is gone: the pipe that is its standard input ends then."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="samebody-parent", daemon=True).start()
