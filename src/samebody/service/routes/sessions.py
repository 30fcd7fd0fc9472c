"""``/v1/sessions``: created by the integrator, filled by the person, judged by the workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import select, tuple_

from samebody.service import schemas, views
from samebody.service.access import Caller, anyone, issue_client_token, needs
from samebody.service.challenges import Challenges, asks_for_challenge
from samebody.service.errors import BusyError, IncompleteSessionError
from samebody.service.once import OnceOnly
from samebody.service.pages import Cursor, Limit, page, position
from samebody.service.state import Service, service_of
from samebody.service.work import case_policy, missing_roles
from samebody.store.lifecycle import Event, State
from samebody.store.redaction import redact_case
from samebody.store.schema import AuditEventRow, ConsentTextRow, SessionRow

router = APIRouter(prefix="/sessions", tags=["sessions"])
SessionId = Annotated[str, Path(max_length=64)]


def _require_room(service: Service, hint: str) -> None:
    if service.queue.waiting()["submitted"] >= service.settings.max_waiting:
        raise BusyError("too many sessions wait for a worker.", hint=hint)


@router.post("", status_code=201, response_model=schemas.CreatedSession)
def create_session(
    request: Request, wanted: schemas.NewSession, once: OnceOnly, who: Annotated[Caller, needs("sessions:write")]
) -> Response:
    """Create a session; the answer holds its person's client token. 503 while too many wait for a worker."""
    service = service_of(request)
    # better at the door than after all pictures were taken
    _require_room(service, "Create it in a moment.")

    def work(tx: Any) -> dict[str, Any]:
        made = service.store.sessions.create(
            tx, who.tenant, wanted.policy, actor=who.actor, reference=wanted.reference, metadata=wanted.metadata,
            purpose=wanted.purpose, subject_id=wanted.subject_id, priority=wanted.priority,
            lifetime=None if wanted.lifetime_minutes is None else timedelta(minutes=wanted.lifetime_minutes),
        )  # fmt: skip
        return {**views.session(tx, made), **_token(service, tx, who.tenant, made.id)}

    return once.inside(who, 201, work)


@router.get("", response_model=schemas.SessionPage)
def list_sessions(
    request: Request,
    who: Annotated[Caller, needs("sessions:read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    reference: Annotated[str | None, Query(max_length=200, description="Only those with your id.")] = None,
) -> dict[str, Any]:
    """The sessions of the tenant, newest first."""
    service = service_of(request)
    kind = f"sessions/{state}/{reference}"
    with service.store.read() as tx:
        query = select(SessionRow).filter_by(tenant=who.tenant)
        if state is not None:
            query = query.filter_by(state=state.value)
        if reference is not None:
            query = query.filter_by(reference=reference)
        if (before := position(service, tx, who.tenant, kind, cursor)) is not None:
            query = query.where(tuple_(SessionRow.id) < tuple_(before))
        rows = tx.scalars(query.order_by(SessionRow.id.desc()).limit(limit + 1)).all()
        items = views.sessions(tx, rows)
        return page(service, tx, who.tenant, kind, items, limit, [row.id for row in rows])


@router.get("/{session_id}", response_model=schemas.SessionDetail)
def get_session(request: Request, session_id: SessionId, who: Annotated[Caller, anyone()]) -> dict[str, Any]:
    """A session as it is now, and what it still needs."""
    who.require_session(session_id, "sessions:read")
    store = service_of(request).store
    with store.read() as tx:
        session = store.sessions.get(tx, who.tenant, session_id)
        open_still = session.state in (State.CREATED, State.COLLECTING)
        needs = missing_roles(store, tx, session) if open_still else []
        _, policy = case_policy(store, tx, who.tenant, session.case_id)
        challenge = None
        if open_still and asks_for_challenge(policy):
            standing = Challenges(store).standing(tx, who.tenant, session_id, session.attempt)
            challenge = {"answered": standing.answered, "draws_left": standing.draws_left}
        own = who.session is None and session.state is not State.REDACTED  # not for the person's page
        metadata = store.sessions.metadata(tx, who.tenant, session_id) if own else None
        return {**views.session(tx, session), "needs": needs, "challenge": challenge, "metadata": metadata}


@router.post("/{session_id}/client-token", response_model=schemas.ClientToken)
def new_client_token(
    request: Request, session_id: SessionId, once: OnceOnly, who: Annotated[Caller, needs("sessions:write")]
) -> Response:
    """Another client token, when the first one has expired."""
    service = service_of(request)

    def work(tx: Any) -> dict[str, Any]:
        service.store.sessions.get(tx, who.tenant, session_id)
        return _token(service, tx, who.tenant, session_id)

    return once.inside(who, 200, work)


@router.get("/{session_id}/consent-texts", response_model=list[schemas.ConsentText])
def list_consent_texts(
    request: Request, session_id: SessionId, who: Annotated[Caller, anyone()]
) -> list[dict[str, Any]]:
    """The texts a person may be shown: of each language the newest version."""
    who.require_session(session_id, "sessions:read")
    store = service_of(request).store
    with store.read() as tx:
        store.sessions.get(tx, who.tenant, session_id)
        rows = tx.scalars(select(ConsentTextRow).filter_by(tenant=who.tenant).order_by(ConsentTextRow.created)).all()
        newest = {row.language: row for row in rows}
        return [
            {"version": row.version, "language": row.language, "text": row.text, "sha256": row.sha256}
            for row in newest.values()
        ]


@router.post("/{session_id}/consents", status_code=201, response_model=schemas.Consent)
def give_consent(
    request: Request,
    session_id: SessionId,
    wanted: schemas.NewConsent,
    once: OnceOnly,
    who: Annotated[Caller, anyone()],
) -> Response:
    """Record the person's consent; nothing is taken in before it."""
    who.require_session(session_id, "sessions:write")
    store = service_of(request).store

    def work(tx: Any) -> dict[str, Any]:
        given = store.consents.give(
            tx, who.tenant, session_id, wanted.version, wanted.language, actor=who.actor, purpose=wanted.purpose
        )
        return views.consent(given)

    return once.inside(who, 201, work)


@router.post("/{session_id}/consents/{consent_id}/withdraw", response_model=schemas.Consent)
def withdraw_consent(
    request: Request, session_id: SessionId, consent_id: str, once: OnceOnly, who: Annotated[Caller, anyone()]
) -> Response:
    """Withdraw a consent: an open session ends, and the next sweep erases what rested on it."""
    who.require_session(session_id, "sessions:write")
    store = service_of(request).store

    def work(tx: Any) -> dict[str, Any]:
        session = store.sessions.get(tx, who.tenant, session_id)
        store.consents.require_of_case(tx, who.tenant, consent_id, session.case_id)
        return views.consent(store.consents.withdraw(tx, who.tenant, consent_id, actor=who.actor))

    return once.inside(who, 200, work)


@router.post("/{session_id}/submit", status_code=202, response_model=schemas.Session)
def submit_session(
    request: Request, session_id: SessionId, once: OnceOnly, who: Annotated[Caller, anyone()]
) -> Response:
    """Hand the session over: once this is answered, it reaches a verdict whatever happens to the service."""
    who.require_session(session_id, "sessions:write")
    service = service_of(request)
    _require_room(service, "Submit again in a moment; nothing is lost.")

    def work(tx: Any) -> dict[str, Any]:
        session = store.sessions.get(tx, who.tenant, session_id)
        if session.state is State.COLLECTING and (missing := missing_roles(store, tx, session)):
            raise IncompleteSessionError(
                f"the session lacks: {', '.join(missing)}.", hint="Upload it, then submit again."
            )
        return views.session(tx, store.sessions.submit(tx, who.tenant, session_id, actor=who.actor))

    store = service.store
    return once.inside(who, 202, work)


@router.post("/{session_id}/resume", response_model=schemas.Session)
def resume_session(
    request: Request, session_id: SessionId, once: OnceOnly, who: Annotated[Caller, anyone()]
) -> Response:
    """Begin the next attempt after a ``retry``; new samples are needed."""
    who.require_session(session_id, "sessions:write")
    store = service_of(request).store
    return once.inside(
        who, 200, lambda tx: views.session(tx, store.sessions.resume(tx, who.tenant, session_id, actor=who.actor))
    )


@router.post("/{session_id}/cancel", response_model=schemas.Session)
def cancel_session(
    request: Request, session_id: SessionId, once: OnceOnly, who: Annotated[Caller, anyone()]
) -> Response:
    """End a session before its verdict."""
    who.require_session(session_id, "sessions:write")
    store = service_of(request).store
    return once.inside(
        who, 200,
        lambda tx: views.session(tx, store.sessions.advance(tx, who.tenant, session_id, Event.CANCEL, actor=who.actor)),
    )  # fmt: skip


@router.post("/{session_id}/redact", response_model=schemas.Session)
def redact_session(
    request: Request, session_id: SessionId, once: OnceOnly, who: Annotated[Caller, needs("sessions:write")]
) -> Response:
    """Erase the session's case now: samples, document fields, your reference. Decision and audit log stay."""
    service = service_of(request)
    store = service.store

    def work() -> dict[str, Any]:
        with store.write() as tx:
            session = store.sessions.get(tx, who.tenant, session_id)
            key_id = redact_case(store, tx, who.tenant, session.case_id, actor=who.actor, reason="request")
        if key_id is not None:
            store.vault.mark_erased(who.tenant, key_id)
            store.vault.collect_garbage()
        with store.read() as tx:
            return views.session(tx, store.sessions.get(tx, who.tenant, session_id))

    return once.outside(who, 200, work)


@router.get("/{session_id}/verdict", response_model=schemas.Verdict)
def get_verdict(
    request: Request,
    session_id: SessionId,
    who: Annotated[Caller, needs("sessions:read")],
    attempt: Annotated[int | None, Query(ge=1, description="By default the newest that was judged.")] = None,
) -> dict[str, Any]:
    """The verdict of an attempt, with every finding."""
    store = service_of(request).store
    with store.read() as tx:
        session = store.sessions.get(tx, who.tenant, session_id)
        return views.verdict(session_id, store.verdicts.get(tx, who.tenant, session.case_id, attempt))


@router.get("/{session_id}/events", response_model=schemas.AuditPage)
def session_events(
    request: Request,
    session_id: SessionId,
    who: Annotated[Caller, needs("sessions:read")],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """What happened to the session, oldest first, as the audit log has it."""
    service = service_of(request)
    kind = f"events/{session_id}"
    with service.store.read() as tx:
        service.store.sessions.get(tx, who.tenant, session_id)
        query = select(AuditEventRow).filter_by(tenant=who.tenant, kind="session", object=session_id)
        if (after := position(service, tx, who.tenant, kind, cursor)) is not None:
            query = query.where(AuditEventRow.sequence > after)
        rows = tx.scalars(query.order_by(AuditEventRow.sequence).limit(limit + 1)).all()
        items = [views.audit_event(row) for row in rows]
        return page(service, tx, who.tenant, kind, items, limit, [row.sequence for row in rows])


def _token(service: Service, tx: Any, tenant: str, session_id: str) -> dict[str, Any]:
    token, seconds = issue_client_token(service, tx, tenant, session_id)
    # after '#', so that it is in no log of a server or proxy on the way
    url = f"{service.settings.public_url}/capture/#{token}"
    return {"client_token": token, "client_token_seconds": seconds, "capture_url": url}
