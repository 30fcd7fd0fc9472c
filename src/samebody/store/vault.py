"""Sealed samples: each file under its own key, that key wrapped by its case's key, or its subject's once enrolled.

Re-wrapping moves 32 bytes, never a sample. Destroying the key of a case or subject erases everything under it, also in
copies of the files; the files themselves are deleted right after, through a list that survives a crash.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from samebody import crypto
from samebody.errors import SamebodyError
from samebody.store.blobs import Blobs
from samebody.store.database import Database, put_row
from samebody.store.errors import (
    BlobError,
    InvalidValueError,
    KeyDestroyedError,
    NotFoundError,
    TooManySamplesError,
)
from samebody.store.ids import Clock, new_id, require_name
from samebody.store.keys import DataKey, Keys
from samebody.store.lifecycle import Event
from samebody.store.schema import CaseRow, GarbageRow, KeyRow, MediaRow, ReferenceRow
from samebody.store.sessions import Sessions

ORPHAN_AGE = timedelta(hours=1)
"""A file without a row is left alone for this long: its row may be about to be committed."""

_AT_ONCE = 500
"""Names of files looked up in the database at once."""

DERIVED = "derived:"
"""Roles that begin so are no samples but made from them when a reviewer asked: maps, templates. Sealed like them."""

ERASED = "erased"
"""Folder of empty files named after destroyed keys, so that a restored database destroys them again."""


@dataclass(frozen=True, slots=True)
class MediaView:
    """A sample as its reader sees it: what it is, never its content."""

    tenant: str
    id: str
    case_id: str | None
    subject_id: str | None
    attempt: int
    role: str
    content_type: str
    size: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Vault:
    """The sealed samples of all tenants."""

    database: Database
    keys: Keys
    blobs: Blobs
    sessions: Sessions
    clock: Clock

    def add(
        self,
        tenant: str,
        session_id: str,
        role: str,
        data: bytes,
        *,
        actor: str,
        content_type: str = "application/octet-stream",
        perceptual_hash: bytes | None = None,
    ) -> MediaView:
        """Seal a sample into the case of a session that collects.

        The sealed file is durable before its row is committed; a crash in between leaves an orphan, for the sweep.

        Args:
            role: what it is for: ``selfie``, ``document_front``, ``frame`` ...
            perceptual_hash: sealed with the sample's key, deleted with the sample.

        Raises:
            NotFoundError, IllegalTransitionError: no such session, or it does not collect (no consent yet, say).
            TooManySamplesError: the attempt has as many as it may have.
            ConflictError, InvalidValueError, BlobError.
        """
        require_name(role, "the role of a sample")
        if not data:
            raise InvalidValueError("an empty sample cannot be stored.")
        if len(content_type) > 64 or not content_type.isprintable():
            raise InvalidValueError("the content type of a sample is too long or not printable.")
        with self.database.read() as tx:
            session = self.sessions.get(tx, tenant, session_id)
            case_key = self.keys.of(tx, tenant, "case", session.case_id)
            exact = hmac.digest(self.keys.of(tx, tenant, "tenant", tenant).secret, data, hashlib.sha256).hex()
        media_id = new_id("med")
        own = DataKey(media_id, crypto.generate_key())
        blob = f"{session.case_id}/{media_id}"
        self.blobs.put(blob, own.seal(data, f"{tenant}/media/{media_id}/content"))
        try:
            with self.database.write() as tx:
                self.sessions.advance(
                    tx, tenant, session_id, Event.UPLOAD, actor=actor, details={"media": media_id, "role": role}
                )
                put_row(
                    tx,
                    MediaRow,
                    tenant=tenant,
                    id=media_id,
                    case_id=session.case_id,
                    attempt=session.attempt,
                    role=role,
                    content_type=content_type,
                    size=len(data),
                    blob=blob,
                    key_id=case_key.id,
                    wrapped_key=_wrap(case_key, tenant, media_id, own.secret),
                    exact_hash=exact,
                    sealed_hash=None
                    if perceptual_hash is None
                    else own.seal(perceptual_hash, f"{tenant}/media/{media_id}/hash"),
                    created=self.clock(),
                )
                row = self._row(tx, tenant, media_id)
                self._require_room(tx, row)
        except BaseException:
            with contextlib.suppress(SamebodyError):  # it would be swept later; the first fault is the one to tell
                self.blobs.delete(blob)
            raise
        return view(row)

    def _require_room(self, tx: Session, newest: MediaRow) -> None:
        """Raise when an attempt has more samples, with its newest one, than it may have."""
        limits = self.sessions.limits
        query = select(func.count(), func.sum(MediaRow.size)).where(MediaRow.role.not_like(f"{DERIVED}%"))
        count, size = tx.execute(
            query.filter_by(tenant=newest.tenant, case_id=newest.case_id, attempt=newest.attempt)
        ).one()
        if count > limits.samples or size > limits.sample_bytes:
            raise TooManySamplesError(
                f"an attempt has at most {limits.samples} samples, and {limits.sample_bytes >> 20} MiB of them.",
                hint="Submit the session, or cancel it.",
            )

    def derive(
        self, tenant: str, case_id: str, attempt: int, name: str, data: bytes, *, content_type: str = "application/json"
    ) -> MediaView:
        """Keep what was made from the samples of a case, sealed with the case's key and deleted with its samples.

        What was kept under the name and attempt before is replaced.

        Args:
            name: what it is; its role is ``derived:<name>``.

        Raises:
            NotFoundError: no such case, or its samples are not kept any more.
            KeyDestroyedError, InvalidValueError, BlobError.
        """
        role = require_name(f"{DERIVED}{name}", "the role of a sample")
        if len(role) > 32 or not data:
            raise InvalidValueError("what is derived has a name of at most 24 characters, and is not empty.")
        with self.database.read() as tx:
            self._require_kept(tx, tenant, case_id)
            case_key = self.keys.of(tx, tenant, "case", case_id)
            exact = hmac.digest(self.keys.of(tx, tenant, "tenant", tenant).secret, data, hashlib.sha256).hex()
        media_id = new_id("med")
        own = DataKey(media_id, crypto.generate_key())
        blob = f"{case_id}/{media_id}"
        self.blobs.put(blob, own.seal(data, f"{tenant}/media/{media_id}/content"))
        row = {"tenant": tenant, "id": media_id, "case_id": case_id, "attempt": attempt, "role": role}
        row |= {"content_type": content_type, "size": len(data), "blob": blob, "key_id": case_key.id}
        row |= {"wrapped_key": _wrap(case_key, tenant, media_id, own.secret), "exact_hash": exact, "sealed_hash": None}
        try:
            with self.database.write() as tx:
                self._require_kept(tx, tenant, case_id, hold=True)
                query = select(MediaRow.id).filter_by(tenant=tenant, case_id=case_id, attempt=attempt, role=role)
                self.discard(tx, tenant, list(tx.scalars(query)))
                put_row(tx, MediaRow, **row, created=self.clock())
                kept = self._row(tx, tenant, media_id)
        except BaseException:
            with contextlib.suppress(SamebodyError):
                self.blobs.delete(blob)
            raise
        return view(kept)

    def read(self, tenant: str, media_id: str) -> bytes:
        """A sample in plain.

        Raises:
            NotFoundError: there is none, or it was deleted.
            KeyDestroyedError: it was erased.
            BlobError: its file is missing, or is not the one that was written.
        """
        with self.database.read() as tx:
            row = self._row(tx, tenant, media_id)
            own = self._own_key(tx, row)
        sealed = self.blobs.get(row.blob)
        try:
            return own.unseal(sealed, f"{tenant}/media/{media_id}/content")
        except crypto.CryptoError:
            raise BlobError(
                f"the sealed file of {media_id} was changed.", hint="Restore it from a backup; do not use the case."
            ) from None

    def of_case(
        self, tx: Session, tenant: str, case_id: str, attempt: int | None = None, *, derived: bool = False
    ) -> list[MediaView]:
        """The samples of a case, oldest first; of one attempt when it is named.

        Args:
            derived: what :meth:`derive` kept instead.
        """
        query = select(MediaRow).filter_by(tenant=tenant, case_id=case_id).order_by(MediaRow.created, MediaRow.id)
        if attempt is not None:
            query = query.filter_by(attempt=attempt)
        return [view(row) for row in tx.scalars(query) if row.role.startswith(DERIVED) is derived]

    def same_bytes(self, tx: Session, tenant: str, data: bytes) -> list[MediaView]:
        """Samples of the tenant with exactly these bytes: a replayed upload."""
        key = self.keys.of(tx, tenant, "tenant", tenant).secret
        exact = hmac.digest(key, data, hashlib.sha256).hex()
        return [view(row) for row in tx.scalars(select(MediaRow).filter_by(tenant=tenant, exact_hash=exact))]

    def with_same_hash(self, tx: Session, tenant: str, media_id: str) -> list[str]:
        """Cases of the tenant with a sample of exactly the same bytes, oldest first; the sample's own among them."""
        row = self._row(tx, tenant, media_id)
        query = select(MediaRow.case_id).filter_by(tenant=tenant, exact_hash=row.exact_hash)
        return list(dict.fromkeys(found for found in tx.scalars(query.order_by(MediaRow.created)) if found is not None))

    def perceptual_hashes(self, tx: Session, tenant: str, role: str) -> Iterator[tuple[str, bytes]]:
        """Id and perceptual hash of every sample in a role that has one and is not erased, newest first."""
        query = (
            select(MediaRow)
            .filter_by(tenant=tenant, role=role)
            .where(MediaRow.sealed_hash.is_not(None))
            .order_by(MediaRow.created.desc())
        )
        for row in tx.scalars(query):
            assert row.sealed_hash is not None
            with contextlib.suppress(KeyDestroyedError):
                yield row.id, self._own_key(tx, row).unseal(row.sealed_hash, f"{tenant}/media/{row.id}/hash")

    def rewrap(self, tx: Session, tenant: str, media_id: str, subject_id: str, subject_key: DataKey) -> None:
        """Give a sample to a subject: its key, wrapped by the subject's instead of the case's.

        Raises:
            NotFoundError, KeyDestroyedError.
        """
        row = self._row(tx, tenant, media_id)
        wrapped = _wrap(subject_key, tenant, media_id, self._own_key(tx, row).secret)
        tx.execute(
            update(MediaRow)
            .where(MediaRow.tenant == tenant, MediaRow.id == media_id)
            .values(subject_id=subject_id, key_id=subject_key.id, wrapped_key=wrapped)
        )

    def discard(self, tx: Session, tenant: str, media_ids: Iterable[str]) -> int:
        """Remove the rows of samples and put their files on the list of those to delete; returns how many."""
        count = 0
        for media_id in media_ids:
            row = self._row(tx, tenant, media_id)
            put_row(tx, GarbageRow, tenant=tenant, id=new_id("gar"), blob=row.blob, since=self.clock())
            tx.execute(
                update(ReferenceRow)
                .where(ReferenceRow.tenant == tenant, ReferenceRow.media_id == media_id)
                .values(media_id=None)
            )
            tx.execute(delete(MediaRow).where(MediaRow.tenant == tenant, MediaRow.id == media_id))
            count += 1
        return count

    def collect_garbage(self) -> int:
        """Delete the files on the list; returns how many. Stopped at any moment, the next call goes on.

        Raises:
            BlobError: one cannot be deleted; it stays on the list.
        """
        with self.database.read() as tx:
            waiting = [(row.tenant, row.id, row.blob) for row in tx.scalars(select(GarbageRow))]
        for tenant, garbage_id, blob in waiting:
            self.blobs.delete(blob)
            with self.database.write() as tx:
                tx.execute(delete(GarbageRow).where(GarbageRow.tenant == tenant, GarbageRow.id == garbage_id))
        return len(waiting)

    def collect_orphans(self, age: timedelta = ORPHAN_AGE) -> int:
        """Delete files that no row names and that nobody can be about to name; returns how many.

        Raises:
            BlobError.
        """
        limit, count = self.clock() - age, 0
        found = self.blobs.names()
        old = (name for name, changed in found if changed < limit and not name.startswith(f"{ERASED}/"))
        while names := list(itertools.islice(old, _AT_ONCE)):
            with self.database.read() as tx:
                known = set(tx.scalars(select(MediaRow.blob).where(MediaRow.blob.in_(names))))
                known |= set(tx.scalars(select(GarbageRow.blob).where(GarbageRow.blob.in_(names))))
            for name in names:
                if name not in known:
                    self.blobs.delete(name)
                    count += 1
        return count

    def mark_erased(self, tenant: str, key_id: str) -> None:
        """Leave a mark beside the files that a key was destroyed, for databases restored from before."""
        self.blobs.put(f"{ERASED}/{tenant}.{key_id}", b"")

    def mark_all_erased(self) -> int:
        """Leave the marks that a crash prevented; returns how many."""
        there = {name for name, _ in self.blobs.names(ERASED)}
        with self.database.read() as tx:
            gone = tx.execute(select(KeyRow.tenant, KeyRow.id).where(KeyRow.wrapped.is_(None))).all()
        missing = [(tenant, key_id) for tenant, key_id in gone if f"{ERASED}/{tenant}.{key_id}" not in there]
        for tenant, key_id in missing:
            self.mark_erased(tenant, key_id)
        return len(missing)

    def erase_again(self) -> int:
        """Destroy every key that a mark names and that is there again after a restore; returns how many."""
        count = 0
        for name, _ in self.blobs.names(ERASED):
            tenant, _, key_id = name.removeprefix(f"{ERASED}/").rpartition(".")
            with self.database.write() as tx:
                count += self.keys.destroy(tx, tenant, key_id)
        return count

    def _require_kept(self, tx: Session, tenant: str, case_id: str, *, hold: bool = False) -> None:
        case = tx.get(CaseRow, (tenant, case_id), populate_existing=True, with_for_update=hold)
        if case is None:
            raise NotFoundError("there is no such case.")
        if case.media_deleted is not None or case.media_expires <= self.clock():
            raise NotFoundError("the samples of the case are not kept any more.")

    def _row(self, tx: Session, tenant: str, media_id: str) -> MediaRow:
        row = tx.get(MediaRow, (tenant, media_id), populate_existing=True)
        if row is None:
            raise NotFoundError("there is no such sample.", hint="It may have been deleted on time.")
        return row

    def _own_key(self, tx: Session, row: MediaRow) -> DataKey:
        holder = self.keys.open(tx, row.tenant, row.key_id)
        return DataKey(row.id, holder.unseal(row.wrapped_key, f"{row.tenant}/media/{row.id}/key"))


def _wrap(holder: DataKey, tenant: str, media_id: str, secret: bytes) -> bytes:
    return holder.seal(secret, f"{tenant}/media/{media_id}/key")


def view(row: MediaRow) -> MediaView:
    """The row as its readers see it."""
    return MediaView(**{name: getattr(row, name) for name in MediaView.__slots__})
