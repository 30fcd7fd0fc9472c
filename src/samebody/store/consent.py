"""Consent: the texts by version, who consented to which one for what, and its withdrawal."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from samebody.store.audit import AuditLog
from samebody.store.database import put_row
from samebody.store.errors import ConsentMissingError, ExistsError, NotFoundError
from samebody.store.ids import Clock, new_id, require_name
from samebody.store.lifecycle import Event, State, is_final, transition
from samebody.store.locks import hold_cases
from samebody.store.schema import ConsentRow, ConsentTextRow
from samebody.store.sessions import Sessions

PURPOSES = ("verification", "enrolment", "research")


@dataclass(frozen=True, slots=True)
class ConsentView:
    """A consent as its reader sees it."""

    tenant: str
    id: str
    case_id: str | None
    subject_id: str | None
    purpose: str
    text_version: str
    language: str
    text_sha256: str
    given: datetime
    expires: datetime | None
    withdrawn: datetime | None


@dataclass(frozen=True, slots=True)
class Consents:
    """The consents of all tenants; every method works inside the caller's transaction."""

    audit: AuditLog
    sessions: Sessions
    clock: Clock

    def add_text(self, tx: Session, tenant: str, version: str, language: str, text: str, *, actor: str) -> str:
        """Keep a text for good; returns its SHA-256. The same text again is no error.

        Raises:
            ExistsError: the version has another text in that language: take a new version.
            InvalidValueError.
        """
        require_name(version, "the version of a consent text")
        require_name(language, "the language of a consent text")
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = tx.get(ConsentTextRow, (tenant, version, language))
        if known is not None:
            if known.sha256 != digest:
                raise ExistsError("this version has another text already.", hint="Take a new version.")
            return digest
        row = {"tenant": tenant, "version": version, "language": language, "text": text, "sha256": digest}
        put_row(tx, ConsentTextRow, **row, created=self.clock())
        self.audit.append(
            tx, tenant, actor, "consent.text_added", "consent_text", version, language=language, sha256=digest
        )
        return digest

    def give(
        self,
        tx: Session,
        tenant: str,
        session_id: str,
        version: str,
        language: str,
        *,
        actor: str,
        purpose: str = "verification",
        expires: datetime | None = None,
    ) -> ConsentView:
        """Record that the person of a session consented to a text; the first for ``verification`` lets it collect.

        A consent that stands already is returned as it is.

        Raises:
            NotFoundError: no such session or text.
            IllegalTransitionError: the session is closed.
        """
        if purpose not in PURPOSES:
            raise NotFoundError(f"there is no purpose {purpose[:40]!r}.", hint=f"Known: {', '.join(PURPOSES)}.")
        text = tx.get(ConsentTextRow, (tenant, version, language))
        if text is None:
            raise NotFoundError("there is no consent text of that version and language.", hint="Add it first.")
        session = self.sessions.get(tx, tenant, session_id)
        if purpose == "verification" and is_final(session.state):
            transition(session.state, Event.CONSENT)  # says why not
        said = {"case_id": session.case_id, "purpose": purpose, "text_version": version, "language": language}
        standing = select(ConsentRow).filter_by(tenant=tenant, **said, expires=expires, withdrawn=None).limit(1)
        if (earlier := tx.scalars(standing).one_or_none()) is not None:
            return view(earlier)
        consent_id = new_id("con")
        put_row(
            tx,
            ConsentRow,
            tenant=tenant,
            id=consent_id,
            **said,
            text_sha256=text.sha256,
            given=self.clock(),
            expires=expires,
        )
        if purpose == "verification" and session.state is State.CREATED:
            self.sessions.advance(tx, tenant, session_id, Event.CONSENT, actor=actor, details={"consent": consent_id})
        self.audit.append(
            tx, tenant, actor, "consent.given", "consent", consent_id,
            case=session.case_id, purpose=purpose, text=version, language=language, sha256=text.sha256,
        )  # fmt: skip
        return self.get(tx, tenant, consent_id)

    def get(self, tx: Session, tenant: str, consent_id: str) -> ConsentView:
        """A consent.

        Raises:
            NotFoundError.
        """
        row = tx.get(ConsentRow, (tenant, consent_id), populate_existing=True)
        if row is None:
            raise NotFoundError("there is no such consent.")
        return view(row)

    def require_of_case(self, tx: Session, tenant: str, consent_id: str, case_id: str) -> ConsentView:
        """A consent, when it was given in that case.

        Raises:
            NotFoundError.
        """
        row = tx.get(ConsentRow, (tenant, consent_id))
        if row is None or row.case_id != case_id:
            raise NotFoundError("there is no such consent.")
        return view(row)

    def require(
        self, tx: Session, tenant: str, purpose: str, *, case_id: str | None = None, subject_id: str | None = None
    ) -> ConsentView:
        """The newest consent for a purpose that stands: neither withdrawn nor expired.

        Raises:
            ConsentMissingError.
        """
        now = self.clock()
        query = (
            select(ConsentRow)
            .filter_by(tenant=tenant, purpose=purpose, withdrawn=None)
            .where(or_(ConsentRow.expires.is_(None), ConsentRow.expires > now))
            .order_by(ConsentRow.given.desc())
            .limit(1)
        )
        query = query.filter_by(case_id=case_id) if case_id is not None else query.filter_by(subject_id=subject_id)
        found = tx.scalars(query).one_or_none()
        if found is None:
            raise ConsentMissingError(f"there is no consent for {purpose}.", hint="Ask the person, then record it.")
        return view(found)

    def of_subject(self, tx: Session, tenant: str, subject_id: str) -> list[ConsentView]:
        """Every consent of a subject, oldest first."""
        query = select(ConsentRow).filter_by(tenant=tenant, subject_id=subject_id).order_by(ConsentRow.given)
        return [view(row) for row in tx.scalars(query)]

    def withdraw(self, tx: Session, tenant: str, consent_id: str, *, actor: str) -> ConsentView:
        """Record that a consent was withdrawn. What rested on it is deleted by the caller's next step or the sweep.

        An open session of the case is cancelled. A second withdrawal changes nothing.

        Raises:
            NotFoundError.
        """
        consent = self.get(tx, tenant, consent_id)
        if consent.case_id is not None:
            hold_cases(tx, tenant, [consent.case_id])
            consent = self.get(tx, tenant, consent_id)
        if consent.withdrawn is not None:
            return consent
        tx.execute(
            update(ConsentRow)
            .where(ConsentRow.tenant == tenant, ConsentRow.id == consent_id)
            .values(withdrawn=self.clock())
        )
        if consent.purpose == "verification" and consent.case_id is not None:
            session = self.sessions.of_case(tx, tenant, consent.case_id)
            if not is_final(session.state):
                self.sessions.advance(
                    tx, tenant, session.id, Event.WITHDRAW, actor=actor, details={"consent": consent_id}
                )
        self.audit.append(tx, tenant, actor, "consent.withdrawn", "consent", consent_id, purpose=consent.purpose)
        return self.get(tx, tenant, consent_id)


def view(row: ConsentRow) -> ConsentView:
    """The row as its readers see it."""
    return ConsentView(**{name: getattr(row, name) for name in ConsentView.__slots__})
