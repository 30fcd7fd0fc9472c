"""Everything that stands on the page of one case, read in one transaction and arranged for its template."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.service import views
from samebody.service.console.login import Visitor
from samebody.service.insight import answers, state_of
from samebody.store.errors import BlobError, KeyDestroyedError, NotFoundError
from samebody.store.lifecycle import State
from samebody.store.reviews import Opinion
from samebody.store.schema import ApiKeyRow, AuditEventRow, LabelRow, SessionRow
from samebody.store.store import Store
from samebody.store.vault import MediaView
from samebody.store.verdicts import VerdictView

FIELDS = (
    "surname", "given_names", "document_number", "nationality", "birth_date", "sex", "expiry_date", "issuing_state",
    "personal_number",
)  # fmt: skip
"""Order of the fields of a document; others follow."""
AGREEMENT = {
    "agree": ("pass", "agree"),
    "agree_but_for_confusable_characters": ("pass", "agree but for look-alike characters"),
    "unsure": ("unsure", "unsure"),
    "disagree": ("fail", "disagree"),
    "not_found": ("not_run", "not found on the page"),
}
HISTORY = 200


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of the document, side by side.

    Attributes:
        declared: what the integrator's metadata says under the same name; empty when it says nothing.
        outcome, words: how the two readings agree.
    """

    name: str
    mrz: str
    page: str
    declared: str
    outcome: str
    words: str


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A past case like this one; ``session`` is None once it was redacted."""

    case_id: str
    score: float
    session: SessionRow | None


@dataclass(frozen=True, slots=True)
class CaseFile:
    """What the template of a case reads.

    Attributes:
        session: see :class:`samebody.service.schemas.Session`.
        needed, agreed: people who must agree, and how many agree most.
        opinions: those the visitor may see: where two people must agree, one's own first, then the others'.
        hidden: opinions kept from the visitor until they have given theirs.
        maps: explanation by question (``match``, ``liveness``), with the ids of its pictures; None when nobody asked.
        similar, galleries: what the search for look-alikes found, None when nobody asked.
        states: by question: ``waiting``, the code of a fault, or empty.
        history: events of the session, oldest first.
        names: names of actors, as far as they have one.
    """

    session: dict[str, Any]
    assignee: str | None
    media: Sequence[MediaView]
    verdicts: Sequence[VerdictView]
    needed: int
    agreed: int
    opinions: Sequence[Opinion]
    hidden: int
    mine: bool
    labels: Sequence[LabelRow]
    repeats: Mapping[str, Sequence[str]]
    fields: Sequence[FieldRow]
    metadata: Mapping[str, Any]
    timings: Sequence[tuple[str, float, float]]
    maps: Mapping[str, Mapping[str, Any] | None]
    ids: Mapping[str, str]
    similar: Mapping[str, Any] | None
    lookalikes: Sequence[Lookalike]
    galleries: Sequence[Mapping[str, Any]] | None
    states: Mapping[str, str]
    history: Sequence[Mapping[str, Any]]
    names: Mapping[str, str]

    @property
    def latest(self) -> VerdictView | None:
        """The newest verdict."""
        return self.verdicts[-1] if self.verdicts else None

    @property
    def findings(self) -> Sequence[Mapping[str, Any]]:
        """Of the newest verdict; empty once it was redacted."""
        return _findings(self.latest)

    def has(self, check: str) -> bool:
        """Whether a check came to a score."""
        return any(each["check"] == check and each.get("score") is not None for each in self.findings)


def read(store: Store, tx: Session, visitor: Visitor, session_id: str) -> CaseFile:
    """The file of a case, as far as the visitor may see it.

    Raises:
        NotFoundError.
    """
    tenant = visitor.caller.tenant
    session = store.sessions.get(tx, tenant, session_id)
    row = store.sessions.row(tx, tenant, session_id)
    media = store.vault.of_case(tx, tenant, session.case_id)
    verdicts = store.verdicts.of_case(tx, tenant, session.case_id)
    opinions = store.reviews.of_case(tx, tenant, session.case_id)
    current = [each for each in opinions if each.attempt == session.attempt]
    mine = any(each.reviewer == visitor.caller.actor for each in current)
    shown = store.reviews.shown_to(tx, tenant, session, opinions, visitor.caller.actor)
    counts = [sum(other.decision == each.decision for other in current) for each in current]
    ids = answers(store, tx, tenant, session.case_id)
    try:
        metadata = store.sessions.metadata(tx, tenant, session_id)
    except KeyDestroyedError:
        metadata = {}
    may_look = visitor.can("reviews:read")
    similar = _kept(store, tenant, ids.get("similar")) if may_look else None
    latest = verdicts[-1] if verdicts else None
    return CaseFile(
        session=views.session(tx, session),
        assignee=row.assignee,
        media=media,
        verdicts=verdicts,
        needed=store.reviews.needed(tx, tenant, session.case_id),
        agreed=max(counts, default=0),
        opinions=shown,
        hidden=len(opinions) - len(shown),
        mine=mine,
        labels=store.reviews.labels(tx, tenant, session.case_id),
        repeats={
            each.id: [other for other in store.vault.with_same_hash(tx, tenant, each.id) if other != session.case_id]
            for each in media
        },
        fields=_fields(latest, metadata),
        metadata=metadata,
        timings=_timings(latest),
        maps={what: _kept(store, tenant, ids.get(f"{what}.words")) if may_look else None for what in _MAPS},
        ids=ids,
        similar=similar,
        lookalikes=_lookalikes(tx, tenant, similar),
        galleries=_galleries(store, tenant, ids) if visitor.can("galleries:read") else None,
        states={what: state_of(store, tx, tenant, session_id, what) for what in (*_MAPS, "similar")},
        history=_history(tx, tenant, session_id),
        names=names_of(tx, tenant),
    )


_MAPS = ("match", "liveness")


def names_of(tx: Session, tenant: str) -> dict[str, str]:
    """Actors in the audit log by name: holders of keys."""
    rows = tx.execute(select(ApiKeyRow.id, ApiKeyRow.name).filter_by(tenant=tenant))
    return {f"key:{key_id}": name for key_id, name in rows}


def reviewers(tx: Session, tenant: str) -> dict[str, str]:
    """Who may be given a case: actor and name of the holders of keys of reviewers and admins that stand."""
    query = select(ApiKeyRow).filter_by(tenant=tenant, revoked=None).where(ApiKeyRow.role.in_(("reviewer", "admin")))
    return {f"key:{row.id}": row.name for row in tx.scalars(query.order_by(ApiKeyRow.name, ApiKeyRow.id))}


def _findings(verdict: VerdictView | None) -> Sequence[Mapping[str, Any]]:
    if verdict is None or verdict.body is None:
        return ()
    found: Sequence[Mapping[str, Any]] = verdict.body.get("findings", ())
    return found


def _fields(verdict: VerdictView | None, declared: Mapping[str, Any]) -> list[FieldRow]:
    """What both zones of the document say, with what was declared; in the order of a passport."""
    compared: Mapping[str, Any] = next(
        (
            each.get("details", {}).get("fields", {})
            for each in _findings(verdict)
            if each["check"] == "document.consistency"
        ),
        {},
    )
    rows = []
    for name in sorted(compared, key=lambda each: (FIELDS.index(each) if each in FIELDS else len(FIELDS), each)):
        each = compared[name]
        outcome, words = AGREEMENT.get(each["agreement"], ("not_run", each["agreement"]))
        said = declared.get(name)
        rows.append(
            FieldRow(name, each["mrz"], each["visual_zone"], "" if said is None else str(said)[:200], outcome, words)
        )
    return rows


def _timings(verdict: VerdictView | None) -> list[tuple[str, float, float]]:
    """Stage, milliseconds, share of the longest stage; in order of their start."""
    if verdict is None or verdict.body is None:
        return []
    times: Mapping[str, float] = verdict.body.get("timings", {})
    longest = max([value for name, value in times.items() if name != "total"], default=0.0)
    return [(name, value, value / longest if longest > 0 and name != "total" else 0.0) for name, value in times.items()]


def _kept(store: Store, tenant: str, media_id: str | None) -> dict[str, Any] | None:
    if media_id is None:
        return None
    try:
        found: dict[str, Any] = json.loads(store.vault.read(tenant, media_id))
    except (NotFoundError, KeyDestroyedError, BlobError):  # deleted meanwhile: it can be asked again, or is erased
        return None
    return found


def _galleries(store: Store, tenant: str, ids: Mapping[str, str]) -> list[dict[str, Any]] | None:
    kept = _kept(store, tenant, ids.get("galleries"))
    return None if kept is None else kept["people"]


def _lookalikes(tx: Session, tenant: str, similar: Mapping[str, Any] | None) -> list[Lookalike]:
    if similar is None:
        return []
    wanted = [case_id for case_id, _ in similar["cases"]]
    rows = tx.scalars(select(SessionRow).where(SessionRow.tenant == tenant, SessionRow.case_id.in_(wanted)))
    held = {row.case_id: row for row in rows if row.state != State.REDACTED.value}
    return [Lookalike(case_id, score, held.get(case_id)) for case_id, score in similar["cases"]]


def _history(tx: Session, tenant: str, session_id: str) -> list[dict[str, Any]]:
    query = select(AuditEventRow).filter_by(tenant=tenant, kind="session", object=session_id)
    rows = tx.scalars(query.order_by(AuditEventRow.sequence).limit(HISTORY)).all()
    return [views.audit_event(row) for row in rows]
