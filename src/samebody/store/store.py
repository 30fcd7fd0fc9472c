"""The store: one object that holds the database, the keys, the sealed files and everything that works on them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from sqlalchemy.orm import Session

from samebody.store.access import ApiKeys
from samebody.store.audit import AuditLog
from samebody.store.blobs import Blobs, open_blobs
from samebody.store.consent import Consents
from samebody.store.database import Database
from samebody.store.errors import SchemaError, StoreConfigError
from samebody.store.idempotency import Idempotency
from samebody.store.ids import Clock, utc_now
from samebody.store.keys import Keys
from samebody.store.lifecycle import Limits
from samebody.store.live_models import LiveModels
from samebody.store.logins import Logins
from samebody.store.master import Keyring, MasterKey, from_environment
from samebody.store.people import Elsewhere, People
from samebody.store.policies import Policies
from samebody.store.retention import Janitor
from samebody.store.reviews import Reviews
from samebody.store.sessions import Sessions
from samebody.store.settings import SettingsOfTenants
from samebody.store.tenants import Tenants
from samebody.store.upgrade import database_version, newest_version, upgrade
from samebody.store.vault import Vault
from samebody.store.verdicts import Verdicts
from samebody.store.wake import NoWake, Wake, open_wake

DATABASE_FILE = "samebody.db"
MEDIA_FOLDER = "media"


class Store:
    """Everything the service keeps.

    Args:
        database: connections.
        keyring: master keys, the current one first.
        blobs: sealed files.
        clock: the time now; tests set it.
        limits: of sessions; a tenant may set its own (:mod:`samebody.store.settings`).

    Attributes:
        elsewhere: what else holds something of people: galleries, when the service runs. Erasure reaches it first.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        blobs: Blobs,
        *,
        clock: Clock = utc_now,
        limits: Limits | None = None,
        wake: Wake | None = None,
    ) -> None:
        self.database, self.blobs, self.clock, self.limits = database, blobs, clock, limits or Limits()
        self.wake: Wake = wake or NoWake()
        self.elsewhere: list[Elsewhere] = []
        self.keys = Keys(keyring, clock)
        self.audit = AuditLog(self.keys, clock)
        self.policies = Policies(self.audit, clock)
        self.live_models = LiveModels(self.audit, clock)
        self.tenants = Tenants(self.keys, self.audit, clock)
        self.settings = SettingsOfTenants(self.audit, clock)
        self.sessions = Sessions(
            self.keys, self.audit, self.policies, self.settings, clock, self.limits, wake=self.wake
        )
        self.consents = Consents(self.audit, self.sessions, clock)
        self.vault = Vault(database, self.keys, blobs, self.sessions, clock)
        self.verdicts = Verdicts(self.keys, clock)
        self.reviews = Reviews(self.keys, self.audit, self.sessions, self.policies, clock)
        self.api_keys = ApiKeys(self.audit, clock)
        self.logins = Logins(self.audit, self.api_keys, clock)
        self.idempotency = Idempotency(self.keys, clock)

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        media: str | Path | None = None,
        master: Sequence[MasterKey] = (),
        create: bool = True,
        clock: Clock = utc_now,
        limits: Limits | None = None,
        wake: str | None = None,
    ) -> Store:
        """Open a store, made or upgraded to this release's tables.

        Args:
            where: a folder (SQLite and sealed files in it), or the URL of a database.
            media: folder or URL of a bucket for the sealed files; needed when ``where`` is a URL.
            master: master keys, the current one first; by default those of the environment.
            wake: what carries hints that work waits, see :func:`samebody.store.wake.open_wake`.
            create: False opens only what is there, in this release's version.

        Raises:
            StoreConfigError, MasterKeyError, SchemaError, StoreUnavailableError.
        """
        keyring = Keyring(list(master) or from_environment())
        text = str(where)
        if "://" not in text:
            folder = Path(where)
            if create:
                try:
                    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                except OSError as error:
                    raise StoreConfigError(f"{folder} cannot be made: {error.strerror}.") from None
            elif not (folder / DATABASE_FILE).is_file():
                raise StoreConfigError(f"there is no store at {folder}.", hint="Check the path.")
            text, media = f"sqlite:///{folder / DATABASE_FILE}", media or folder / MEDIA_FOLDER
        if media is None:
            raise StoreConfigError("where sealed files are kept is not named.", hint="Give the media folder or URL.")
        blobs, database = open_blobs(media), Database(text)
        try:
            if create:
                upgrade(database)
            elif (found := database_version(database)) != newest_version():
                raise SchemaError(f"the database is of version {found}.", hint="Run: samebody store upgrade")
            channel = open_wake(wake, database)
        except BaseException:
            database.close()
            raise
        return cls(database, keyring, blobs, clock=clock, limits=limits, wake=channel)

    @cached_property
    def people(self) -> People:
        """Subjects: enrolled, exported, erased."""
        return People(self)

    @cached_property
    def janitor(self) -> Janitor:
        """What deletes on time."""
        return Janitor(self)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """See :meth:`samebody.store.database.Database.read`."""
        with self.database.read() as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Session]:
        """See :meth:`samebody.store.database.Database.write`."""
        with self.database.write() as tx:
            yield tx

    def rotate_master(self, batch: int = 100) -> int:
        """Re-wrap every key that an older master key wrapped, a batch a transaction; returns how many.

        Raises:
            MasterKeyError: an older master key is not given.
        """
        total = 0
        while True:
            total += (count := self.keys.rotate(self.database, batch))
            with self.read() as tx:
                waiting = self.keys.waiting(tx)
            if not waiting:
                break
            if not count:
                time.sleep(0.05)  # another transaction holds what is left: an erasure, say
        if total:
            with self.write() as tx:
                for tenant in self.tenants.names(tx):
                    self.audit.append(tx, tenant, "system", "keys.rotated", "master_key", self.keys.keyring.current)
        return total

    def close(self) -> None:
        """Close every connection."""
        self.wake.close()
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
