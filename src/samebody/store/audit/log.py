"""Writing the audit log: one event in the transaction of what it tells, checkpoints over all of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from samebody import crypto
from samebody.store.audit.chain import (
    Checkpoint,
    Detail,
    Event,
    canonical,
    checked_details,
    checked_text,
    digest_of,
    genesis,
)
from samebody.store.audit.merkle import Peaks
from samebody.store.database import put_row
from samebody.store.errors import NotFoundError
from samebody.store.ids import Clock
from samebody.store.keys import Keys
from samebody.store.schema import AuditCheckpointRow, AuditEventRow, AuditHeadRow

CHECKPOINT_EVERY = 1000
"""Events after which a checkpoint is signed by itself; sweeps sign one more often."""


@dataclass(slots=True)
class AuditLog:
    """The logs of all tenants; every method works inside the caller's transaction."""

    keys: Keys
    clock: Clock
    _mac_keys: dict[str, bytes] = field(default_factory=dict, repr=False)

    def begin(self, tx: Session, tenant: str) -> None:
        """Make the keys and the head of a new tenant's log."""
        private, _ = crypto.generate_signing_key()
        self.keys.create(tx, tenant, "audit", tenant, private)
        secret = self.keys.create(tx, tenant, "audit-mac", tenant).secret
        head = {"tenant": tenant, "sequence": 0, "digest": genesis(tenant), "checkpoints": 0, "peaks": ""}
        mac = head_mac(secret, tenant, 0, genesis(tenant), 0)
        put_row(tx, AuditHeadRow, **head, mac=mac)

    def append(
        self, tx: Session, tenant: str, actor: str, action: str, kind: str, object: str, /, **details: Detail
    ) -> Event:
        """Add one event. Do it last in a transaction: on PostgreSQL it holds the tenant's log until the commit.

        Args:
            details: short texts and numbers: ids and codes, never contents, names or scores of a person.

        Raises:
            InvalidValueError, NotFoundError.
        """
        head = self._head(tx, tenant)
        event = Event(
            tenant=tenant,
            sequence=head.sequence + 1,
            at=self.clock().astimezone(UTC).isoformat(timespec="microseconds"),
            actor=checked_text(actor, "actor"),
            action=checked_text(action, "action"),
            kind=checked_text(kind, "kind"),
            object=checked_text(object, "object"),
            details=checked_details(details),
            previous=head.digest,
            digest="",
        )
        event = replace(event, digest=digest_of(event))
        tree = Peaks.from_text(head.sequence, head.peaks)
        tree.add(bytes.fromhex(event.digest))
        put_row(tx, AuditEventRow, **asdict(event))
        self._move(tx, tenant, event.sequence, event.digest, head.checkpoints, tree)
        if event.sequence % CHECKPOINT_EVERY == 0:
            self.checkpoint(tx, tenant)
        return event

    def details(self, tx: Session, tenant: str, action: str, kind: str, object: str) -> list[dict[str, Detail]]:
        """The details of every event that tells ``action`` of one object, oldest first."""
        query = select(AuditEventRow.details).filter_by(tenant=tenant, kind=kind, object=object, action=action)
        return [json.loads(each) for each in tx.scalars(query.order_by(AuditEventRow.sequence))]

    def checkpoint(self, tx: Session, tenant: str) -> Checkpoint | None:
        """Sign the log as it stands; the last checkpoint when nothing was added since, None for an empty log.

        Raises:
            NotFoundError.
        """
        head = self._head(tx, tenant)
        last = last_checkpoint(tx, tenant)
        if head.sequence == 0 or (last is not None and last.size == head.sequence):
            return last
        private = self.keys.of(tx, tenant, "audit", tenant).secret
        tree = Peaks.from_text(head.sequence, head.peaks)
        unsigned = Checkpoint(
            tenant=tenant,
            number=head.checkpoints + 1,
            size=head.sequence,
            root=tree.root().hex(),
            at=self.clock().astimezone(UTC).isoformat(timespec="microseconds"),
            previous=last.digest if last else genesis(tenant),
            public_key=crypto.public_key(private).hex(),
            signature="",
        )
        signed = replace(unsigned, signature=crypto.sign(private, unsigned.statement).hex())
        put_row(tx, AuditCheckpointRow, **asdict(signed))
        self._move(tx, tenant, head.sequence, head.digest, signed.number, tree)
        return signed

    def public_key(self, tx: Session, tenant: str) -> str:
        """The key that checkpoints of the tenant verify with, 64 hexadecimal digits."""
        return crypto.public_key(self.keys.of(tx, tenant, "audit", tenant).secret).hex()

    def mac_key(self, tx: Session, tenant: str) -> bytes:
        """The key of the head's MAC; opened once a process, since every event needs it."""
        if tenant not in self._mac_keys:
            self._mac_keys[tenant] = self.keys.of(tx, tenant, "audit-mac", tenant).secret
        return self._mac_keys[tenant]

    def _head(self, tx: Session, tenant: str) -> AuditHeadRow:
        found = tx.scalars(
            select(AuditHeadRow)
            .filter_by(tenant=tenant)
            .with_for_update()
            .execution_options(populate_existing=True)  # what this transaction read before it had the lock is stale
        ).one_or_none()
        if found is None:
            raise NotFoundError("there is no such tenant.", hint="Create it first.")
        return found

    def _move(self, tx: Session, tenant: str, sequence: int, digest: str, checkpoints: int, tree: Peaks) -> None:
        mac = head_mac(self.mac_key(tx, tenant), tenant, sequence, digest, checkpoints)
        tx.execute(
            update(AuditHeadRow)
            .where(AuditHeadRow.tenant == tenant)
            .values(sequence=sequence, digest=digest, checkpoints=checkpoints, peaks=tree.to_text(), mac=mac)
        )


def head_mac(key: bytes, tenant: str, sequence: int, digest: str, checkpoints: int) -> str:
    """HMAC-SHA-256 over where a log ends, 64 hexadecimal digits: only a holder of the master key can move the end."""
    text = canonical(["samebody-audit-head/1", tenant, sequence, digest, checkpoints])
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()


def last_checkpoint(tx: Session, tenant: str) -> Checkpoint | None:
    """The newest checkpoint of the tenant."""
    row = tx.scalars(
        select(AuditCheckpointRow).filter_by(tenant=tenant).order_by(AuditCheckpointRow.number.desc()).limit(1)
    ).one_or_none()
    return None if row is None else checkpoint_of(row)


def checkpoint_of(row: AuditCheckpointRow) -> Checkpoint:
    """The checkpoint in a row."""
    return Checkpoint(**{name: getattr(row, name) for name in Checkpoint.__slots__})


def event_of(row: AuditEventRow) -> Event:
    """The event in a row."""
    return Event(**{name: getattr(row, name) for name in Event.__slots__})
