"""People: enrolled from a case, found again by the integrator's name for them, exported, erased."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from samebody.store.database import put_row
from samebody.store.errors import InvalidValueError, KeyDestroyedError, NotFoundError
from samebody.store.ids import new_id, require_name
from samebody.store.locks import hold_cases, hold_subject
from samebody.store.redaction import redact_case
from samebody.store.schema import (
    AuditEventRow,
    CaseRow,
    ConsentRow,
    MediaRow,
    ReferenceRow,
    SessionRow,
    SubjectRow,
)
from samebody.store.sessions import view as session_view
from samebody.store.vault import view as media_view
from samebody.types import Template

if TYPE_CHECKING:
    from samebody.store.store import Store


class Elsewhere(Protocol):
    """A place outside this room that holds something of people, such as the galleries on disk."""

    def forget(self, tenant: str, subject_id: str) -> int:
        """Take a person out, so that nothing finds them any more; how many references there were."""
        ...

    def tidy(self) -> int:
        """Remove from the disk what was taken out; how many references."""
        ...


@dataclass(frozen=True, slots=True)
class NewReference:
    """A template to keep. ``repr`` never prints it.

    Attributes:
        modality, space: what it is, and the digest of its embedding space.
        data: the template's bytes, in the form of its room.
        media_id: the sample it was made from.
        gallery_id: the gallery it is enrolled in too.
    """

    modality: str
    space: str
    data: bytes = field(repr=False)
    media_id: str | None = None
    gallery_id: str | None = None

    @classmethod
    def of(cls, template: Template, media_id: str | None = None, gallery_id: str | None = None) -> NewReference:
        """From a feature vector; kept as little-endian float32."""
        data = np.ascontiguousarray(template.vector, dtype="<f4").tobytes()
        return cls(template.modality.value, template.space.digest, data, media_id, gallery_id)


@dataclass(frozen=True, slots=True)
class SubjectView:
    """A subject as their reader sees them."""

    tenant: str
    id: str
    external_id: str | None
    created: datetime
    expires: datetime | None
    erased: datetime | None


class People:
    """The subjects of all tenants."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def enrol(
        self,
        tenant: str,
        case_id: str,
        references: Sequence[NewReference],
        *,
        actor: str,
        external_id: str | None = None,
        media_ids: Sequence[str] = (),
        expires: datetime | None = None,
    ) -> SubjectView:
        """Make a subject of a case's person, or add to the one of that name; what is kept moves to the subject's key.

        Args:
            references: templates to keep, sealed with the subject's key.
            media_ids: samples of the case to keep beyond it, to embed again when a model changes.
            expires: when the subject is erased by itself.

        Raises:
            NotFoundError: no such case, or a sample is not one of it.
            ConsentMissingError: the person did not consent to enrolment in this case.
            KeyDestroyedError: the case was redacted.
        """
        store = self._store
        if external_id is not None and not 0 < len(external_id) <= 200:
            raise InvalidValueError("the integrator's name of a subject has 1 to 200 characters.")
        with store.write() as tx:
            if external_id is not None:
                hold_subject(tx, tenant, external_id=external_id)
            hold_cases(tx, tenant, [case_id])
            case = tx.get(CaseRow, (tenant, case_id))
            if case is None:
                raise NotFoundError("there is no such case.")
            if case.redacted is not None:
                raise KeyDestroyedError("the case was redacted.", hint="Enrol from a new case.")
            consent = store.consents.require(tx, tenant, "enrolment", case_id=case_id)
            held = {each.id for each in store.vault.of_case(tx, tenant, case_id)}
            named = {*media_ids, *(each.media_id for each in references if each.media_id is not None)}
            if not named <= held:
                raise NotFoundError("a sample to keep is not one of this case.")
            subject_id = self._subject(tx, tenant, external_id, expires)
            key = store.keys.of(tx, tenant, "subject", subject_id)
            for media_id in media_ids:
                store.vault.rewrap(tx, tenant, media_id, subject_id, key)
            for each in references:
                reference_id = new_id("ref")
                put_row(
                    tx,
                    ReferenceRow,
                    tenant=tenant,
                    id=reference_id,
                    subject_id=subject_id,
                    gallery_id=each.gallery_id,
                    media_id=each.media_id,
                    modality=require_name(each.modality, "the modality"),
                    space=require_name(each.space, "the embedding space"),
                    sealed=key.seal(each.data, f"{tenant}/references/{reference_id}"),
                    created=store.clock(),
                )
            tx.execute(
                update(CaseRow).where(CaseRow.tenant == tenant, CaseRow.id == case_id).values(subject_id=subject_id)
            )
            tx.execute(
                update(ConsentRow)
                .where(ConsentRow.tenant == tenant, ConsentRow.case_id == case_id)
                .values(subject_id=subject_id)
            )
            store.audit.append(
                tx, tenant, actor, "subject.enrolled", "subject", subject_id,
                case=case_id, consent=consent.id, references=len(references), media=len(media_ids),
            )  # fmt: skip
            return self.get(tx, tenant, subject_id)

    def get(self, tx: Session, tenant: str, subject_id: str) -> SubjectView:
        """A subject.

        Raises:
            NotFoundError.
        """
        row = tx.get(SubjectRow, (tenant, subject_id), populate_existing=True)
        if row is None:
            raise NotFoundError("there is no such subject.")
        return SubjectView(**{name: getattr(row, name) for name in SubjectView.__slots__})

    def find(self, tx: Session, tenant: str, external_id: str) -> SubjectView:
        """The subject of that name.

        Raises:
            NotFoundError: there is none, or they were erased.
        """
        query = select(SubjectRow.id).filter_by(tenant=tenant, external_id=external_id)
        found = tx.scalars(query).one_or_none()
        if found is None:
            raise NotFoundError("there is no subject of that name.")
        return self.get(tx, tenant, found)

    def references(self, tx: Session, tenant: str, subject_id: str) -> list[NewReference]:
        """The templates of a subject, in plain, oldest first.

        Raises:
            KeyDestroyedError: they were erased.
        """
        rows = tx.scalars(
            select(ReferenceRow).filter_by(tenant=tenant, subject_id=subject_id).order_by(ReferenceRow.created)
        ).all()
        key = self._store.keys.of(tx, tenant, "subject", subject_id)
        return [
            NewReference(
                row.modality,
                row.space,
                key.unseal(row.sealed, f"{tenant}/references/{row.id}"),
                row.media_id,
                row.gallery_id,
            )
            for row in rows
        ]

    def erase(self, tenant: str, subject_id: str, *, actor: str, reason: str = "request") -> bool:
        """Erase a person: their key destroyed, templates and samples deleted, every case of theirs redacted.

        What stays names nobody: the subject's own id, consents, verdicts' decisions, the audit log. What holds them
        elsewhere (:attr:`samebody.store.store.Store.elsewhere`) is told first: should the process die in between, the
        person is still there to be erased again.

        Returns:
            False when they were erased before.

        Raises:
            NotFoundError: nothing was erased. An error of a place elsewhere: they are not erased in the store yet.
        """
        store = self._store
        with store.read() as tx:
            if self.get(tx, tenant, subject_id).erased is not None:
                return False
        for place in store.elsewhere:
            place.forget(tenant, subject_id)
        with store.write() as tx:
            hold_subject(tx, tenant, subject_id=subject_id)
            row = tx.get(SubjectRow, (tenant, subject_id), populate_existing=True)
            if row is None:
                raise NotFoundError("there is no such subject.")
            if row.erased is not None:
                return False
            destroyed = [row.key_id]
            cases = list(tx.scalars(select(CaseRow.id).filter_by(tenant=tenant, subject_id=subject_id)))
            hold_cases(tx, tenant, cases)
            for case_id in cases:
                key_id = redact_case(store, tx, tenant, case_id, actor=actor, reason=reason)
                destroyed += [] if key_id is None else [key_id]
            held = list(tx.scalars(select(MediaRow.id).filter_by(tenant=tenant, subject_id=subject_id)))
            count = store.vault.discard(tx, tenant, held)
            for reference in tx.scalars(select(ReferenceRow).filter_by(tenant=tenant, subject_id=subject_id)).all():
                tx.delete(reference)
            tx.flush()
            store.keys.destroy(tx, tenant, row.key_id)
            tx.execute(
                update(SubjectRow)
                .where(SubjectRow.tenant == tenant, SubjectRow.id == subject_id)
                .values(external_id=None, erased=store.clock())
            )
            store.audit.append(tx, tenant, actor, "subject.erased", "subject", subject_id, reason=reason, media=count)
        for key_id in destroyed:
            store.vault.mark_erased(tenant, key_id)
        store.database.checkpoint()
        store.vault.collect_garbage()
        return True

    def export(self, tenant: str, subject_id: str, out: IO[bytes], *, actor: str) -> int:
        """Write everything held about a person as a ZIP: ``data.json``, and samples and templates in plain.

        Returns:
            How many files it holds.

        Raises:
            NotFoundError, KeyDestroyedError: they were erased.
        """
        store = self._store
        with store.read() as tx:
            subject = self.get(tx, tenant, subject_id)
            if subject.erased is not None:
                raise KeyDestroyedError("the person was erased: there is nothing to export.")
            cases = list(tx.scalars(select(CaseRow).filter_by(tenant=tenant, subject_id=subject_id)))
            media = self._media(tx, tenant, subject_id, [case.id for case in cases])
            references = self.references(tx, tenant, subject_id)
            data = {
                "subject": asdict(subject),
                "consents": [asdict(each) for each in store.consents.of_subject(tx, tenant, subject_id)],
                "cases": [self._case(tx, tenant, case) for case in cases],
                "media": [asdict(media_view(row)) for row in media],
                "references": [
                    {"modality": each.modality, "space": each.space, "gallery": each.gallery_id} for each in references
                ],
                "events": self._events(tx, tenant, subject_id, cases),
            }
        files = 1
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data.json", json.dumps(data, indent=2, default=_plain, ensure_ascii=False))
            for row in media:
                archive.writestr(f"media/{row.role}-{row.id}", store.vault.read(tenant, row.id))
                files += 1
            for number, each in enumerate(references, start=1):
                archive.writestr(f"references/{number}-{each.modality}.bin", each.data)
                files += 1
        with store.write() as tx:
            store.audit.append(tx, tenant, actor, "subject.exported", "subject", subject_id, files=files)
        return files

    def _subject(self, tx: Session, tenant: str, external_id: str | None, expires: datetime | None) -> str:
        store = self._store
        if external_id is not None:
            known = tx.scalars(select(SubjectRow.id).filter_by(tenant=tenant, external_id=external_id)).one_or_none()
            if known is not None:
                return known
        subject_id = new_id("sub")
        key = store.keys.create(tx, tenant, "subject", subject_id)
        row = {"tenant": tenant, "id": subject_id, "external_id": external_id, "key_id": key.id}
        put_row(tx, SubjectRow, **row, created=store.clock(), expires=expires)
        return subject_id

    @staticmethod
    def _events(tx: Session, tenant: str, subject_id: str, cases: Sequence[CaseRow]) -> list[dict[str, Any]]:
        """What the audit log says was done with the person: when, what, by whom."""
        ids = [case.id for case in cases]
        sessions = tx.scalars(select(SessionRow.id).where(SessionRow.tenant == tenant, SessionRow.case_id.in_(ids)))
        objects = [subject_id, *ids, *sessions]
        query = select(AuditEventRow).where(AuditEventRow.tenant == tenant, AuditEventRow.object.in_(objects))
        return [
            {"at": row.at, "actor": row.actor, "action": row.action, "kind": row.kind, "object": row.object}
            for row in tx.scalars(query.order_by(AuditEventRow.sequence))
        ]

    @staticmethod
    def _media(tx: Session, tenant: str, subject_id: str, cases: list[str]) -> list[MediaRow]:
        query = (
            select(MediaRow)
            .filter_by(tenant=tenant)
            .where((MediaRow.subject_id == subject_id) | MediaRow.case_id.in_(cases))
            .order_by(MediaRow.created)
        )
        return list(tx.scalars(query))

    def _case(self, tx: Session, tenant: str, case: CaseRow) -> dict[str, Any]:
        store = self._store
        session = tx.scalars(select(SessionRow).filter_by(tenant=tenant, case_id=case.id)).one_or_none()
        readable = session is not None and case.redacted is None
        return {
            "id": case.id,
            "purpose": case.purpose,
            "policy": [case.policy_id, case.policy_version],
            "created": case.created,
            "session": None if session is None else asdict(session_view(session)),
            "metadata": store.sessions.metadata(tx, tenant, session.id) if readable and session is not None else {},
            "verdicts": [asdict(each) for each in store.verdicts.of_case(tx, tenant, case.id)],
            "opinions": [asdict(each) for each in store.reviews.of_case(tx, tenant, case.id)],
            "labels": [
                {"name": each.name, "value": each.value, "media_id": each.media_id, "created": each.created}
                for each in store.reviews.labels(tx, tenant, case.id)
            ],
        }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
