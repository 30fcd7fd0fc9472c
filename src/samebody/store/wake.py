"""Hints that work waits, so that workers need not look all the time; nothing rests on them.

The session table is the truth: a hint that is lost, late or repeated costs a look at it, or the wait for the next one.
PostgreSQL carries hints by itself (``LISTEN``/``NOTIFY``, given out with the commit that made them true); Redis may do
it instead; with SQLite there are none by default, and workers look often.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.orm import Session

from samebody.store.database import Database
from samebody.store.errors import StoreConfigError

logger = logging.getLogger(__name__)

CHANNEL = "samebody_sessions"
_LONGEST_WAIT = 10.0
"""Seconds at most until a channel that is away is tried again."""
_STEP = 0.5
"""Seconds at most until a listener that is to end notices it."""
_ALIVE_EVERY = 5.0
"""Seconds after which a connection is asked whether it still is one; what came together with an answer is seen then."""

Wait = Callable[[float], bool]
"""Waits for a hint, so many seconds at most; whether there was one. Raises whatever its connection does."""


class Wake(Protocol):
    """A channel for hints."""

    @property
    def name(self) -> str:
        """What carries the hints; "" when nothing does."""
        ...

    def tell(self, tx: Session) -> None:
        """Hint, once the transaction is committed, that a session waits. Never fails, never waits."""
        ...

    def subscribed(self) -> AbstractContextManager[Wait]:
        """A connection that hears hints."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class NoWake:
    """No channel: workers look by themselves."""

    name = ""

    def tell(self, tx: Session) -> None:
        """Does nothing."""

    @contextlib.contextmanager
    def subscribed(self) -> Iterator[Wait]:
        """Hears nothing."""
        yield lambda seconds: threading.Event().wait(seconds)

    def close(self) -> None:
        """Does nothing."""


class PostgresWake:
    """Hints by the database itself: no further service, and none is given for what was not committed."""

    name = "PostgreSQL"

    def __init__(self, database: Database) -> None:
        self._database = database

    def tell(self, tx: Session) -> None:
        """See :class:`Wake`; a part of the transaction, so that it is not heard before the commit."""
        tx.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})

    @contextlib.contextmanager
    def subscribed(self) -> Iterator[Wait]:
        """See :class:`Wake`; holds one connection. Not through a pooler that shares connections by transaction."""
        options = {"isolation_level": "AUTOCOMMIT", "samebody_write": True}
        with self._database.engine.connect().execution_options(**options) as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.rollback()  # the pool's ping began a transaction; what listens in one hears nothing before its end
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            asked = time.monotonic()

            def wait(seconds: float) -> bool:
                nonlocal asked
                ready, _, _ = select.select([driver._usock], [], [], seconds)
                if ready or time.monotonic() - asked >= _ALIVE_EVERY:
                    connection.exec_driver_sql("SELECT 1")  # takes in what the server has sent
                    asked = time.monotonic()
                heard = bool(driver.notifications)
                driver.notifications.clear()
                return heard

            try:
                yield wait
            finally:
                connection.invalidate()  # it listens: nobody else gets it from the pool

    def close(self) -> None:
        """The database closes its connections."""


class Listener:
    """A thread that calls ``heard`` for every hint, and whenever it has connected again; a context manager.

    Attributes:
        connected: hints come through now; while they do not, look more often.
    """

    def __init__(self, wake: Wake, heard: Callable[[], None]) -> None:
        self._wake, self._heard = wake, heard
        self._stop = threading.Event()
        self.connected = False
        self._thread = threading.Thread(target=self._run, name="samebody-wake", daemon=True)

    def _run(self) -> None:
        pause = 0.1
        while not self._stop.is_set():
            try:
                with self._wake.subscribed() as wait:
                    self.connected, pause = True, 0.1
                    self._heard()  # what was hinted at meanwhile was not heard
                    while not self._stop.is_set():
                        if wait(_STEP):
                            self._heard()
            except Exception as error:  # of a driver, of any kind: hints are not worth a worker
                if self.connected or pause == 0.1:
                    logger.warning("hints by %s are away: %s", self._wake.name, type(error).__name__)
                self.connected = False
                self._heard()  # whoever waits for the next hint looks at once, and more often from now on
                self._stop.wait(pause)
                pause = min(_LONGEST_WAIT, 2 * pause)
        self.connected = False

    def __enter__(self) -> Listener:
        if self._wake.name:
            self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._wake.name:
            self._thread.join(5)


def open_wake(where: str | None, database: Database) -> Wake:
    """The channel that is asked for: ``redis://...``, ``postgresql``, ``none``; by default the database's own, if any.

    Raises:
        StoreConfigError: an unknown one. StoreExtraMissingError: redis is not installed.
    """
    if where is None or where == "":
        return NoWake() if database.is_sqlite else PostgresWake(database)
    if where == "none":
        return NoWake()
    if where == "postgresql" and not database.is_sqlite:
        return PostgresWake(database)
    if where.startswith(("redis://", "rediss://", "unix://")):
        from samebody.store.wake_redis import RedisWake

        return RedisWake(where)
    raise StoreConfigError(
        "the channel for hints is not one that samebody knows.", hint="SAMEBODY_WAKE: redis://host:6379, or none."
    )
