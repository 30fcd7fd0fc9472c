"""Which model is live for a tenant, and every change of it: the worker reads here what a promotion wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from samebody.store.audit import AuditLog
from samebody.store.database import put_row
from samebody.store.errors import ConflictError, InvalidValueError, ModelChangedError
from samebody.store.ids import Clock
from samebody.store.schema import ModelChangeRow

FACE_EMBEDDER = "face.embedder"
"""The slot of the model that makes templates of faces."""
SLOTS = (FACE_EMBEDDER,)
KINDS = ("promoted", "rolled_back")


@dataclass(frozen=True, slots=True)
class LiveModel:
    """One change of what is live; the fields of :class:`samebody.store.schema.ModelChangeRow`."""

    tenant: str
    slot: str
    number: int
    model_id: str
    sha256: str
    kind: str
    reason: str
    author: str
    created: datetime

    def require_same(self, sha256: str) -> None:
        """Refuse weights that are not those that were promoted.

        Raises:
            ModelChangedError.
        """
        if sha256 != self.sha256:
            raise ModelChangedError(
                f"{self.model_id} names other weights than those that were promoted.",
                hint="Bring the record back, or compare and promote the new one.",
            )


@dataclass(frozen=True, slots=True)
class LiveModels:
    """The live models of all tenants; every method works inside the caller's transaction."""

    audit: AuditLog
    clock: Clock

    def history(self, tx: Session, tenant: str, slot: str) -> list[LiveModel]:
        """Every change, oldest first; empty where the release's own model was never replaced."""
        query = select(ModelChangeRow).filter_by(tenant=tenant, slot=slot).order_by(ModelChangeRow.number)
        return [_view(row) for row in tx.scalars(query)]

    def current(self, tx: Session, tenant: str, slot: str) -> LiveModel | None:
        """What is live; None: the model that the release names."""
        query = select(ModelChangeRow).filter_by(tenant=tenant, slot=slot).order_by(ModelChangeRow.number.desc())
        row = tx.scalars(query.limit(1)).one_or_none()
        return None if row is None else _view(row)

    def everywhere(self, tx: Session) -> set[str]:
        """The records that are live for any tenant: what readiness looks at beside the release's own."""
        newest = (
            select(ModelChangeRow.tenant, ModelChangeRow.slot, func.max(ModelChangeRow.number).label("number"))
            .group_by(ModelChangeRow.tenant, ModelChangeRow.slot)
            .subquery()
        )
        same = (
            (ModelChangeRow.tenant == newest.c.tenant)
            & (ModelChangeRow.slot == newest.c.slot)
            & (ModelChangeRow.number == newest.c.number)
        )
        return set(tx.scalars(select(ModelChangeRow.model_id).join(newest, same)))

    def put(
        self,
        tx: Session,
        tenant: str,
        slot: str,
        model_id: str,
        sha256: str,
        *,
        kind: str,
        actor: str,
        reason: str = "",
    ) -> LiveModel:
        """Make a model live from the next session on. Nothing is checked about it here: :mod:`samebody.operate` does.

        Args:
            kind: ``promoted`` or ``rolled_back``.

        Raises:
            InvalidValueError: an unknown slot or kind, or a reason of more than 200 characters.
            ConflictError: somebody else changed it at the same time.
        """
        if slot not in SLOTS or kind not in KINDS:
            raise InvalidValueError(f"a slot is one of {SLOTS}, a change one of {KINDS}.")
        if len(reason) > 200 or not reason.isprintable():
            raise InvalidValueError("a reason has at most 200 printable characters.")
        before = self.current(tx, tenant, slot)
        number = 1 if before is None else before.number + 1
        row = {"tenant": tenant, "slot": slot, "number": number, "model_id": model_id, "sha256": sha256}
        row |= {"kind": kind, "reason": reason, "author": actor, "created": self.clock()}
        try:
            with tx.begin_nested():
                put_row(tx, ModelChangeRow, **row)
        except IntegrityError:
            raise ConflictError("another model went live meanwhile.", hint="Look at it, then decide again.") from None
        self.audit.append(
            tx, tenant, actor, f"model.{kind}", "model", model_id,
            slot=slot, number=number, before=before.model_id if before else "the release's own", sha256=sha256,
            reason=reason,
        )  # fmt: skip
        return _view(tx.get_one(ModelChangeRow, (tenant, slot, number)))


def _view(row: ModelChangeRow) -> LiveModel:
    return LiveModel(**{name: getattr(row, name) for name in LiveModel.__slots__})
