"""Enrolling the person of a session into a gallery: with their consent, once, and under nobody else's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.capture import decode_image
from samebody.match import compare, decide_match
from samebody.search.identify import Candidate, Identification, SearchPolicy
from samebody.service.errors import InvalidRequestError
from samebody.service.state import Service
from samebody.service.work import SELFIE
from samebody.store.errors import IllegalTransitionError, KeyDestroyedError, NotFoundError
from samebody.store.lifecycle import State
from samebody.store.people import NewReference
from samebody.store.schema import CaseRow, ReferenceRow
from samebody.types import Outcome, Template

SAME_PERSON_FMR = 1e-3
"""False match rate at which a reference is added to somebody who is enrolled under the same name already."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of an enrolment.

    Attributes:
        outcome: ``known``: the session was enrolled before; ``duplicate``: somebody enrolled looks the same;
            ``other_person``: the name is that of somebody who looks different.
        subject: None when it was refused.
        search: for people who look the same; None when it was not needed.
    """

    outcome: Literal["enrolled", "known", "duplicate", "other_person"]
    subject: str | None = None
    search: Identification | None = None


def search_policy(fpir: float) -> SearchPolicy:
    """What a search of a gallery decides by."""
    return SearchPolicy(fpir=fpir, review_fpir=max(0.1, fpir), undecided="list")


def template_in(service: Service, space: str, data: bytes) -> Template:
    """The template of the main face of an encoded picture, in an embedding space.

    Raises:
        InvalidRequestError: there is no usable face on it.
        EmbeddingSpaceMismatchError: no model here makes templates of that space.
        BusyError, InputError.
    """
    with service.check_slot() as verifiers:
        faces = verifiers.of_space(space).faces
        analysis = faces.template(decode_image(data, limits=service.runtime.limits, role="selfie"))
    if analysis.template is None:
        reasons = "; ".join(reason.message for finding in analysis.findings for reason in finding.reasons)
        raise InvalidRequestError(f"there is no usable face on the picture: {reasons}", hint="Send another picture.")
    return analysis.template


def enrol(
    service: Service,
    tenant: str,
    gallery_id: str,
    session_id: str,
    *,
    actor: str,
    external_id: str | None = None,
    fpir: float = 0.01,
    allow_duplicates: bool = False,
) -> Enrolled:
    """Enrol the person of an accepted session, unless somebody enrolled looks the same.

    Who is enrolled under ``external_id`` already gets a further reference, if they look the same: a name that was
    guessed or mistaken must not open one person's account to another's face.

    Args:
        fpir: of the search for duplicates, in (0, 1).
        allow_duplicates: enrol although somebody looks the same.

    Raises:
        NotFoundError, ConsentMissingError, IllegalTransitionError, KeyDestroyedError, BusyError, InvalidRequestError.
    """
    store = service.store
    with store.read() as tx:
        space = service.galleries.row(tx, tenant, gallery_id).space
        session = store.sessions.get(tx, tenant, session_id)
        store.consents.require(tx, tenant, "enrolment", case_id=session.case_id)
        if session.state is not State.ACCEPTED:
            raise IllegalTransitionError("only the person of an accepted session is enrolled.")
        media = store.vault.of_case(tx, tenant, session.case_id, session.attempt)
    selfie = next((each.id for each in reversed(media) if each.role == SELFIE), None)
    if selfie is None:
        raise NotFoundError("the selfie of the session is gone.", hint="It may have been deleted on time.")
    picture = store.vault.read(tenant, selfie)
    template = template_in(service, space, picture)
    with service.galleries.enrolling(tenant, gallery_id) as add:
        with store.read() as tx:
            known = _enrolled(tx, tenant, session.case_id, gallery_id)
            named = None if external_id is None else _named(service, tx, tenant, external_id)
        if known is not None:  # perhaps an earlier try ended between the two steps below
            add(known, template, session.case_id)
            return Enrolled("known", known)
        if named is not None and not _looks_like(service, tenant, named, picture):
            return Enrolled("other_person")
        found = service.galleries.identify(tenant, gallery_id, template, search_policy(fpir))
        if not allow_duplicates and any(each.subject != named for each in _alike(found)):
            return Enrolled("duplicate", search=found)
        person = store.people.enrol(
            tenant, session.case_id, [NewReference.of(template, media_id=selfie, gallery_id=gallery_id)],
            actor=actor, external_id=external_id, media_ids=[selfie],
        )  # fmt: skip
        add(person.id, template, session.case_id)
    with store.read() as tx:
        person = store.people.get(tx, tenant, person.id)
    if person.erased is not None:  # between the two steps above
        service.galleries.forget(tenant, person.id)
        raise KeyDestroyedError("the person was erased meanwhile.", hint="Enrol from a new session.")
    return Enrolled("enrolled", person.id, found)


def _alike(found: Identification) -> list[Candidate]:
    return [each for each in found.candidates if each.place != "below"]


def _enrolled(tx: Session, tenant: str, case_id: str, gallery_id: str) -> str | None:
    """The subject a case was enrolled as in a gallery already."""
    case = tx.get_one(CaseRow, (tenant, case_id))
    if case.subject_id is None:
        return None
    query = select(ReferenceRow.id).filter_by(tenant=tenant, subject_id=case.subject_id, gallery_id=gallery_id)
    return case.subject_id if tx.scalars(query).first() is not None else None


def _named(service: Service, tx: Session, tenant: str, external_id: str) -> str | None:
    try:
        return service.store.people.find(tx, tenant, external_id).id
    except NotFoundError:
        return None


def _looks_like(service: Service, tenant: str, subject_id: str, picture: bytes) -> bool:
    """Whether a picture shows a subject, by their newest references that a model here can be compared with."""
    with service.store.read() as tx:
        kept = service.store.people.references(tx, tenant, subject_id)
    if not kept:
        return True  # there is nothing to take over
    space = kept[-1].space
    template = template_in(service, space, picture)
    record = service.verifiers.of_space(space).record
    for each in kept:
        if each.space == space:
            held = Template(np.frombuffer(each.data, dtype="<f4").astype(np.float32), template.space)
            if decide_match(compare(template, held), record, SAME_PERSON_FMR).outcome is Outcome.PASS:
                return True
    return False
