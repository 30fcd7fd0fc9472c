"""A worker: claims a session, hands it to a callable, writes the verdict; holds the lease meanwhile."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from samebody import tracing
from samebody.errors import SamebodyError
from samebody.jobs.queue import Claim, LeaseLostError, Queue
from samebody.store.errors import BlobsAwayError, StoreUnavailableError
from samebody.store.verdicts import Conclusion

logger = logging.getLogger(__name__)

AGAIN = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try to write a verdict; the lease is held meanwhile."""
AWAY, STORE_AWAY = 5.0, 0.5
"""Seconds between two tries while the storage of sealed files, or the database, is away."""

Handler = Callable[[Claim], Conclusion]
"""Works on a claimed session and returns its conclusion; reads samples through the store it was made with."""


def worker_name() -> str:
    """A name of this process: machine, process id, and a random part."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"


class Worker:
    """One loop of work; run as many as there are cores, in processes of their own.

    Args:
        queue: where work comes from.
        handler: what is done; a typed error counts as a fault by its code, any other exception as ``internal``.
        name: for leases and the audit log.
        poll: seconds between two looks at an empty queue, when nobody hints; or what says how many.
        idle: other work, done while no session is due: True or False when something was, None when there is nothing.
    """

    def __init__(
        self,
        queue: Queue,
        handler: Handler,
        *,
        name: str = "",
        poll: float | Callable[[], float] = 0.5,
        idle: Callable[[], bool | None] | None = None,
    ) -> None:
        self.queue, self._handler, self.name, self._poll = queue, handler, name or worker_name(), poll
        self._idle = idle
        self._stop, self._hint = threading.Event(), threading.Event()

    def hint(self) -> None:
        """Look at the queue now; forgotten hints cost ``poll`` seconds, nothing else."""
        self._hint.set()

    def stop(self) -> None:
        """Finish the session in hand and return from :meth:`run`."""
        self._stop.set()
        self._hint.set()

    def run(self) -> int:
        """Work until :meth:`stop`; returns how many sessions were concluded. A database that is away is waited for."""
        count = 0
        while not self._stop.is_set():
            try:
                worked = self.run_once()
                if worked is None and self._idle is not None and self._idle() is not None:
                    continue
            except StoreUnavailableError as error:
                logger.warning("the store is away: %s", error.code)
                self._stop.wait(STORE_AWAY)  # not for a hint: the look that failed has used up the one that came
                continue
            except BlobsAwayError as error:
                logger.warning("the sealed files are away: %s", error.code)
                self._stop.wait(AWAY)
                continue
            count += worked is True
            if worked is None:
                self._hint.wait(self._poll() if callable(self._poll) else self._poll)
                self._hint.clear()
        return count

    def drain(self) -> int:
        """Work until nothing is due; returns how many sessions were concluded."""
        count = 0
        while (worked := self.run_once()) is not None:
            count += worked
        return count

    def run_once(self) -> bool | None:
        """Work on one session: True when it was concluded, False when it failed or was lost, None when none is due.

        Raises:
            StoreUnavailableError.
        """
        claim = self.queue.claim(self.name)
        if claim is None:
            return None
        with tracing.span(
            "work session", kind="consumer", parent=claim.traceparent, tenant=claim.tenant, session=claim.session_id,
            attempt=claim.attempt, failures=claim.failures,
        ) as span:  # fmt: skip
            return self._work(claim, span)

    def _work(self, claim: Claim, span: tracing.Span) -> bool:
        try:
            with self._holding(claim):
                conclusion = self._handler(claim)
                span.set(outcome=conclusion.decision)
                self._concluded(claim, conclusion)
        except LeaseLostError as error:
            span.fail(error.code)
            logger.info("lease lost", extra={"session": claim.session_id})
            return False
        except StoreUnavailableError:
            raise  # the lease runs out by itself
        except BlobsAwayError as error:  # no fault of the session: it waits for the storage, not for a later try
            span.fail(error.code)
            self._returned(claim)
            raise
        except Exception as error:
            code = error.code if isinstance(error, SamebodyError) else "internal"
            logger.warning("work failed: %s (%s)", code, type(error).__name__, extra={"session": claim.session_id})
            span.fail(code)
            self._failed(claim, code)
            return False
        except BaseException:  # interrupted: give it back at once instead of when the lease ends
            self._returned(claim)
            raise
        return True

    def _concluded(self, claim: Claim, conclusion: Conclusion) -> None:
        """Write the verdict; a database that is away or busy for some seconds does not cost the work.

        A first try that was committed without its answer coming back makes the next one lose the lease, which is true.
        """
        for wait in AGAIN:
            try:
                self.queue.conclude(claim, conclusion)
                return
            except StoreUnavailableError as error:
                logger.warning("the verdict waits for the store: %s", error.code, extra={"session": claim.session_id})
                time.sleep(wait)
        self.queue.conclude(claim, conclusion)

    @contextmanager
    def _holding(self, claim: Claim) -> Iterator[None]:
        """A thread that renews the lease three times in its length."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self.queue.lease.total_seconds() / 3):
                try:
                    self.queue.heartbeat(claim)
                except LeaseLostError:
                    return
                except SamebodyError as error:
                    logger.warning("heartbeat failed: %s", error.code)

        thread = threading.Thread(target=renew, name="samebody-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _failed(self, claim: Claim, code: str) -> None:
        try:
            self.queue.fault(claim, code)
        except LeaseLostError:
            logger.info("lease lost", extra={"session": claim.session_id})

    def _returned(self, claim: Claim) -> None:
        try:
            self.queue.release(claim)
        except SamebodyError:
            logger.info("lease lost", extra={"session": claim.session_id})
