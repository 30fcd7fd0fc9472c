"""Data keys in the database: made, opened, re-wrapped when the master key changes, destroyed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from samebody import crypto
from samebody.store.database import Database, changed_rows, put_row
from samebody.store.errors import KeyDestroyedError, NotFoundError
from samebody.store.ids import Clock, new_id
from samebody.store.master import Keyring
from samebody.store.schema import KeyRow

Kind = Literal["case", "subject", "tenant", "gallery", "audit", "audit-mac"]


@dataclass(frozen=True, slots=True)
class DataKey:
    """An open data key. ``repr`` never prints its bytes."""

    id: str
    secret: bytes = field(repr=False)

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """``plaintext`` sealed and bound to ``context`` (tenant, table, id, column)."""
        return crypto.seal(self.secret, plaintext, associated_data=f"samebody/store/1/{context}".encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """What :meth:`seal` was given.

        Raises:
            samebody.crypto.UnsealError: changed, moved, or sealed with another key.
        """
        return crypto.unseal(self.secret, sealed, associated_data=f"samebody/store/1/{context}".encode())


@dataclass(frozen=True, slots=True)
class Keys:
    """The data keys of all tenants. Every method works inside the caller's transaction but :meth:`rotate`."""

    keyring: Keyring
    clock: Clock

    def create(self, tx: Session, tenant: str, kind: Kind, owner: str, secret: bytes | None = None) -> DataKey:
        """A new random key of ``owner`` (or the given one), wrapped by the current master key."""
        key = DataKey(new_id("key"), secret or crypto.generate_key())
        master, wrapped = self.keyring.wrap(key.secret, _context(tenant, key.id, kind, owner))
        row = {"tenant": tenant, "id": key.id, "kind": kind, "owner": owner, "master": master, "wrapped": wrapped}
        put_row(tx, KeyRow, **row, created=self.clock())
        return key

    def open(self, tx: Session, tenant: str, key_id: str) -> DataKey:
        """The key named ``key_id``.

        Raises:
            NotFoundError, KeyDestroyedError, MasterKeyError.
        """
        return self._opened(tx.get(KeyRow, (tenant, key_id)))

    def of(self, tx: Session, tenant: str, kind: Kind, owner: str) -> DataKey:
        """The key of ``owner``; errors as :meth:`open`."""
        found = tx.scalars(select(KeyRow).filter_by(tenant=tenant, kind=kind, owner=owner)).one_or_none()
        return self._opened(found)

    def destroy(self, tx: Session, tenant: str, key_id: str) -> bool:
        """Forget the key: what it sealed cannot be read again, here and in every copy. False when it was gone."""
        done = tx.execute(
            update(KeyRow)
            .where(KeyRow.tenant == tenant, KeyRow.id == key_id, KeyRow.wrapped.is_not(None))
            .values(wrapped=None, destroyed=self.clock())
        )
        return changed_rows(done) > 0

    def rotate(self, database: Database, batch: int = 100) -> int:
        """Re-wrap up to ``batch`` keys that an older master key wrapped; returns how many, 0 when none is left to take.

        One transaction a batch: stopped at any moment, the next call goes on. Readers and writers go on meanwhile.

        Raises:
            MasterKeyError: an older master key is not given.
        """
        current = self.keyring.current
        with database.write() as tx:
            rows = tx.scalars(
                select(KeyRow)
                .where(KeyRow.master != current, KeyRow.wrapped.is_not(None))
                .limit(batch)
                .with_for_update(skip_locked=True)  # an erasure that holds one of them is not waited for
            ).all()
            for row in rows:
                secret = self._opened(row).secret
                master, wrapped = self.keyring.wrap(secret, _context(row.tenant, row.id, row.kind, row.owner))
                tx.execute(
                    update(KeyRow)  # not when it was destroyed or re-wrapped by another in between
                    .where(KeyRow.tenant == row.tenant, KeyRow.id == row.id, KeyRow.wrapped == row.wrapped)
                    .values(master=master, wrapped=wrapped)
                    .execution_options(synchronize_session=False)
                )
        return len(rows)

    def waiting(self, tx: Session) -> int:
        """How many keys an older master key still wraps."""
        stale = select(func.count()).where(KeyRow.master != self.keyring.current, KeyRow.wrapped.is_not(None))
        return tx.scalar(stale) or 0

    def _opened(self, row: KeyRow | None) -> DataKey:
        if row is None:
            raise NotFoundError("there is no such key.")
        if row.wrapped is None:
            raise KeyDestroyedError("the key was destroyed: the data is erased.", hint="It cannot be brought back.")
        context = _context(row.tenant, row.id, row.kind, row.owner)
        return DataKey(row.id, self.keyring.unwrap(row.master, row.wrapped, context))


def _context(tenant: str, key_id: str, kind: str, owner: str) -> bytes:
    return "/".join((tenant, key_id, kind, owner)).encode()
