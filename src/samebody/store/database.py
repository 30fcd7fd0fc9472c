"""Connections and transactions: SQLite in WAL by default, PostgreSQL by URL; one way to read, one to write."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Insert, Table, create_engine, event, insert, text
from sqlalchemy.engine import URL, Connection, CursorResult, Engine, Result, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.orm import DeclarativeBase, Session

from samebody.store import faults
from samebody.store.errors import (
    ConflictError,
    InvalidValueError,
    StoreConfigError,
    StoreExtraMissingError,
    StoreUnavailableError,
)

PATIENCE = 0.1
"""Seconds after which a thread that waits to write goes first."""
BUSY_SECONDS = 30
"""How long a writer waits for another one before it gives up."""
_AFTER_COMMIT = "samebody_after_commit"
_AT_HAND = 256
"""Rows that a reading transaction keeps."""


class Snapshot(Session):
    """A reading transaction. The rows that it loaded last stay at hand: it sees one state, so looking again is no use.

    A plain session forgets a row as soon as nobody holds it, and would ask the database for it again.
    """

    def hold(self, row: object) -> None:
        """Keep a row that was loaded."""
        self.info.setdefault("samebody_at_hand", deque(maxlen=_AT_HAND)).append(row)


event.listen(Snapshot, "loaded_as_persistent", Snapshot.hold)


class Database:
    """An engine and its two kinds of transaction.

    Parameters never appear in error messages or logs (``hide_parameters``). On SQLite every writing transaction takes
    the write lock when it begins, so that none fails half-way because another was first; a commit is on the disk when
    it returns (``synchronous=FULL``) and deleted content is overwritten (``secure_delete``).

    Args:
        url: an SQLAlchemy URL; ``postgresql://`` is taken to the driver pg8000.

    Raises:
        StoreConfigError: the URL is not one.
        StoreExtraMissingError: the driver is not installed.
    """

    def __init__(self, url: str | URL) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreConfigError(
                "the database's URL is not one.",
                hint="Write sqlite:///folder/samebody.db or postgresql://user@host/db.",
            ) from None
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+pg8000")
        self.url = parsed
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if not self.is_sqlite and parsed.get_backend_name() != "postgresql":
            raise StoreConfigError(f"{parsed.get_backend_name()} is not a database that samebody knows.")
        options: dict[str, Any] = {"hide_parameters": True}
        if self.is_sqlite:
            if not parsed.database or parsed.database == ":memory:":
                raise StoreConfigError("a database in memory would lose what it accepted.", hint="Name a file.")
            options["connect_args"] = {"timeout": BUSY_SECONDS}
        else:
            options |= {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20}
        try:
            self.engine: Engine = create_engine(parsed, **options)
        except (ModuleNotFoundError, NoSuchModuleError):
            raise StoreExtraMissingError(
                f"the driver of {parsed.drivername} is not installed.", hint="pip install 'samebody[postgresql]'"
            ) from None
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "begin", _begin_postgresql)
        faults.install(self.engine)
        self._writer = self.engine.execution_options(samebody_write=True)
        self._turn: Turns | None = Turns() if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads, from one consistent state: what commits meanwhile is not seen.

        Raises:
            StoreUnavailableError, InvalidValueError.
        """
        with _told(), Snapshot(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes: all of it is there afterwards, or nothing when an exception leaves it.

        Raises:
            StoreUnavailableError: also when two transactions on PostgreSQL waited for each other; try again.
            ConflictError: another transaction wrote a row of the same name at the same time.
            InvalidValueError: the database cannot hold a value: too long, out of range, or not text.
        """
        with _told(), Session(self._writer, expire_on_commit=False) as session:
            with self._in_turn(), session.begin():
                yield session
            for call in session.info.pop(_AFTER_COMMIT, ()):
                call()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """On SQLite the threads of this process queue for its one writer here.

        SQLite itself makes them look again and again with growing pauses: with many at once some never get their turn,
        and other processes neither.
        """
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(BUSY_SECONDS):
            raise StoreUnavailableError("the database has too much to write.", hint="Try again in a moment.")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A bare connection inside a writing transaction, for migrations."""
        with _told(), self._writer.begin() as connection:
            yield connection

    def checkpoint(self) -> None:
        """On SQLite: move the write-ahead log into the database and empty it, so that deleted content leaves it too.

        Where a reader holds the log it is emptied at the next call. Does nothing on PostgreSQL.
        """
        if self.is_sqlite:
            with _told(), self.engine.connect() as connection:
                cursor = connection.connection.cursor()  # below SQLAlchemy, which would begin a transaction first
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.fetchall()
                cursor.close()

    def ping(self) -> None:
        """Return when the database answers.

        Raises:
            StoreUnavailableError.
        """
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@dataclass(slots=True, eq=False)
class _Waiting:
    since: float
    woken: threading.Event = field(default_factory=threading.Event)
    given: bool = False


class Turns:
    """A lock under which nobody waits much longer than others; ``threading.Lock`` promises nothing of that.

    Who comes while it is free takes it, which costs no switch between threads; but when the one that waits longest has
    waited for :data:`PATIENCE`, it is given the lock before anybody else.
    """

    def __init__(self) -> None:
        self._own, self._held, self._waiting = threading.Lock(), False, deque[_Waiting]()

    def acquire(self, seconds: float) -> bool:
        """Wait for the turn, at most ``seconds``; whether it came."""
        with self._own:
            if not self._held:
                self._held = True
                return True
            mine = _Waiting(time.monotonic())
            self._waiting.append(mine)
        while True:
            left = mine.since + seconds - time.monotonic()
            mine.woken.wait(max(0.0, left))
            with self._own:
                if mine.given:
                    return True
                mine.woken.clear()
                free = self._is_free()
                if free or left <= 0:
                    self._waiting.remove(mine)
                    self._held = True
                    return free

    def _is_free(self) -> bool:
        return not self._held

    def release(self) -> None:
        """Let the one that waits longest try; give it the turn when it has waited long."""
        with self._own:
            self._held = False
            if self._waiting:
                first = self._waiting[0]
                if time.monotonic() - first.since > PATIENCE:
                    self._held = first.given = True
                    self._waiting.popleft()
                first.woken.set()


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions late and commit before DDL
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("samebody_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if not connection.get_execution_options().get("samebody_write", False):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def after_commit(tx: Session, call: Callable[[], None]) -> None:
    """Call something once a writing transaction is committed, and not at all when it is not; once a transaction."""
    waiting = tx.info.setdefault(_AFTER_COMMIT, [])
    if call not in waiting:
        waiting.append(call)


def put_row(tx: Session, kind: type[DeclarativeBase], /, **values: Any) -> None:
    """Insert one row. The statement is made once for each table, which is most of what an insert costs.

    Raises:
        sqlalchemy.exc.IntegrityError: there is one of its name; :meth:`Database.write` tells it as ConflictError.
    """
    tx.execute(_insert_into(kind), values)


@cache
def _insert_into(kind: type[DeclarativeBase]) -> Insert:
    table = kind.__table__
    assert isinstance(table, Table)
    return insert(table)


def changed_rows(result: Result[Any]) -> int:
    """How many rows an update or delete changed."""
    assert isinstance(result, CursorResult)
    return result.rowcount


@contextmanager
def _told() -> Iterator[None]:
    """Turn faults of the connection into one typed error; mistakes of ours pass as they are."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        reason = str(error.orig).splitlines()[0][:120] if error.orig and error.orig.args else type(error).__name__
        raise StoreUnavailableError(
            f"the database cannot be used now: {reason}.", hint="Try again; check that it runs and its disk has room."
        ) from None
    except ConnectionError:  # pg8000 lets some errors of the socket through as they are
        raise StoreUnavailableError("the database closed the connection.", hint="Try again.") from None
    except DataError:
        raise InvalidValueError(
            "the database cannot hold a value: it is too long, out of range, or no text.", hint="Shorten or change it."
        ) from None
    except IntegrityError as error:
        if faults.code_of(error) == faults.UNIQUE:  # on PostgreSQL two writers may find the same name free
            raise ConflictError("somebody else wrote the same at the same time.", hint="Read it again.") from None
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailableError("the database closed the connection.", hint="Try again.") from None
        raise
