"""``/v1/subjects`` and ``/v1/galleries``: people who are enrolled, found again among many, erased."""

from __future__ import annotations

import io
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session as Tx

from samebody.models import catalogue
from samebody.search.gallery.errors import GalleryCorruptError, GalleryNotFoundError
from samebody.search.identify import Identification
from samebody.service import enrolment, schemas, views
from samebody.service.access import Caller, needs
from samebody.service.errors import InvalidRequestError
from samebody.service.galleries import identification_to_dict
from samebody.service.once import OnceOnly
from samebody.service.pages import Cursor, Limit, page, position
from samebody.service.routes.checks import Picture
from samebody.service.state import Service, service_of
from samebody.store.people import SubjectView
from samebody.store.schema import GalleryRow, ReferenceRow, SubjectRow

router = APIRouter()
SUBJECTS, GALLERIES = "subjects", "galleries"


class Subject(schemas.Answer):
    """A person who is enrolled; after erasure only the id stays."""

    id: str
    external_id: str | None
    created: str
    expires: str | None
    erased: str | None


class SubjectPage(schemas.Answer):
    """Subjects, newest first."""

    items: list[Subject]
    next: str | None


class NewGallery(schemas.Request):
    """A gallery to make."""

    id: schemas.Name
    model: str | None = Field(
        default=None, max_length=100, description="the record whose templates it holds; by default what is live"
    )


class GalleryView(schemas.Answer):
    """A gallery."""

    id: str
    modality: str
    space: str
    references: int
    created: str


class GalleryList(schemas.Answer):
    """The galleries of a tenant."""

    items: list[GalleryView]


class NewEnrolment(schemas.Request):
    """A person to enrol from a session that was accepted, with their consent to it."""

    session_id: str = Field(max_length=64)
    external_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="your name for the person; who has it already must look the same",
    )
    fpir: float = Field(default=0.01, gt=0, lt=1, description="of the search for duplicates before")
    allow_duplicates: bool = Field(default=False, description="enrol although somebody who is enrolled looks the same")


class Candidate(schemas.Answer):
    """An enrolled person that a search returned."""

    rank: int
    subject_id: str
    external_id: str | None
    place: str = Field(description="match, review or below")
    score: float | None
    fpir: float = Field(description="how often a search for a stranger returns something like this")
    reasons: list[dict[str, str]]


class Found(schemas.Answer):
    """The answer to a search."""

    answer: str = Field(description="match, review, none or undecided")
    comparisons: int
    fpir: float
    extrapolated: bool
    candidates: list[Candidate]


class EnrolmentAnswer(schemas.Answer):
    """What became of an enrolment; ``subject`` is null when it was refused."""

    outcome: str = Field(
        description="enrolled; known: it was before; duplicate: somebody enrolled looks the same; "
        "other_person: your name is that of somebody who looks different"
    )
    subject: Subject | None
    search: Found | None


class Probe(schemas.Request):
    """A picture to search with."""

    picture: Picture
    fpir: float = Field(default=0.01, gt=0, lt=1, description="false positive identification rate to decide at")


class Removed(schemas.Answer):
    """How many references were deleted."""

    references: int


@router.get("/subjects", response_model=SubjectPage, tags=[SUBJECTS])
def list_subjects(
    request: Request,
    who: Annotated[Caller, needs("subjects:read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    external_id: Annotated[str | None, Query(max_length=200, description="Only the one of this name.")] = None,
) -> dict[str, Any]:
    """The subjects of the tenant, newest first."""
    service = service_of(request)
    kind = f"subjects/{external_id}"
    with service.store.read() as tx:
        query = select(SubjectRow).filter_by(tenant=who.tenant)
        if external_id is not None:
            query = query.filter_by(external_id=external_id)
        if (before := position(service, tx, who.tenant, kind, cursor)) is not None:
            query = query.where(SubjectRow.id < before)
        rows = tx.scalars(query.order_by(SubjectRow.id.desc()).limit(limit + 1)).all()
        items = [_subject(service.store.people.get(tx, who.tenant, row.id)) for row in rows]
        return page(service, tx, who.tenant, kind, items, limit, [row.id for row in rows])


@router.get("/subjects/{subject_id}", response_model=Subject, tags=[SUBJECTS])
def get_subject(request: Request, subject_id: str, who: Annotated[Caller, needs("subjects:read")]) -> dict[str, Any]:
    """A subject."""
    store = service_of(request).store
    with store.read() as tx:
        return _subject(store.people.get(tx, who.tenant, subject_id))


@router.get(
    "/subjects/{subject_id}/export",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}, "description": "All that is held about the person."}},
    tags=[SUBJECTS],
)
def export_subject(request: Request, subject_id: str, who: Annotated[Caller, needs("subjects:write")]) -> Response:
    """All that is held about a person, in plain, as a ZIP; it stands in the audit log."""
    out = io.BytesIO()
    service_of(request).store.people.export(who.tenant, subject_id, out, actor=who.actor)
    return Response(out.getvalue(), media_type="application/zip", headers={"Cache-Control": "no-store"})


@router.delete("/subjects/{subject_id}", response_model=Subject, tags=[SUBJECTS])
def erase_subject(request: Request, subject_id: str, who: Annotated[Caller, needs("subjects:write")]) -> dict[str, Any]:
    """Erase a person: their key, samples, templates, cases, and their references in every gallery."""
    service = service_of(request)
    service.store.people.erase(who.tenant, subject_id, actor=who.actor)
    with service.store.read() as tx:
        return _subject(service.store.people.get(tx, who.tenant, subject_id))


@router.post("/galleries", status_code=201, response_model=GalleryView, tags=[GALLERIES])
def create_gallery(
    request: Request, wanted: NewGallery, once: OnceOnly, who: Annotated[Caller, needs("galleries:write")]
) -> Response:
    """Make an empty gallery, pinned to the embedding space of a model."""
    service = service_of(request)
    if wanted.model is None:
        record = service.verifiers.of_tenant(who.tenant).record
    else:
        record = catalogue(service.runtime)[wanted.model]
    if record.task != "face-embedding":
        raise InvalidRequestError("that model makes no face templates.")

    def work() -> dict[str, Any]:
        row = service.galleries.create(who.tenant, wanted.id, record, actor=who.actor)
        return _gallery(service, row)

    return once.outside(who, 201, work)


@router.get("/galleries", response_model=GalleryList, tags=[GALLERIES])
def list_galleries(request: Request, who: Annotated[Caller, needs("galleries:read")]) -> dict[str, Any]:
    """The galleries of the tenant."""
    service = service_of(request)
    with service.store.read() as tx:
        rows = service.galleries.of_tenant(tx, who.tenant)
    return {"items": [_gallery(service, row) for row in rows]}


@router.delete("/galleries/{gallery_id}", response_model=Removed, tags=[GALLERIES])
def delete_gallery(
    request: Request, gallery_id: schemas.Name, who: Annotated[Caller, needs("galleries:write")]
) -> dict[str, Any]:
    """Destroy a gallery, key and files; subjects stay."""
    service = service_of(request)
    try:
        count = service.galleries.size(who.tenant, gallery_id)
    except (GalleryNotFoundError, GalleryCorruptError):
        count = 0  # its files are lost; the key and the rest of it still go
    service.galleries.delete(who.tenant, gallery_id, actor=who.actor)
    return {"references": count}


@router.post("/galleries/{gallery_id}/enrol", response_model=EnrolmentAnswer, tags=[GALLERIES])
def enrol(
    request: Request, gallery_id: schemas.Name, wanted: NewEnrolment, once: OnceOnly,
    who: Annotated[Caller, needs("galleries:write")],
) -> Response:  # fmt: skip
    """Enrol the person of an accepted session who consented to it, unless somebody enrolled looks the same."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        made = enrolment.enrol(
            service, who.tenant, gallery_id, wanted.session_id, actor=who.actor, external_id=wanted.external_id,
            fpir=wanted.fpir, allow_duplicates=wanted.allow_duplicates,
        )  # fmt: skip
        with service.store.read() as tx:
            subject = None if made.subject is None else _subject(service.store.people.get(tx, who.tenant, made.subject))
            search = None if made.search is None else _found(tx, who.tenant, made.search)
        return {"outcome": made.outcome, "subject": subject, "search": search}

    return once.outside(who, 200, work)


@router.post("/galleries/{gallery_id}/identify", response_model=Found, tags=[GALLERIES])
def identify(
    request: Request, gallery_id: schemas.Name, wanted: Probe, once: OnceOnly,
    who: Annotated[Caller, needs("galleries:read")],
) -> Response:  # fmt: skip
    """Who of the gallery a picture shows, if anybody, at a false positive identification rate; nothing is kept."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        with service.store.read() as tx:
            space = service.galleries.row(tx, who.tenant, gallery_id).space
        template = enrolment.template_in(service, space, wanted.picture)
        policy = enrolment.search_policy(wanted.fpir)
        found = service.galleries.identify(who.tenant, gallery_id, template, policy)
        with service.store.write() as tx:
            service.store.audit.append(
                tx, who.tenant, who.actor, "gallery.searched", "gallery", gallery_id, answer=found.answer
            )
            return _found(tx, who.tenant, found)

    return once.outside(who, 200, work)


@router.delete("/galleries/{gallery_id}/subjects/{subject_id}", response_model=Removed, tags=[GALLERIES])
def remove_from_gallery(
    request: Request, gallery_id: schemas.Name, subject_id: str, who: Annotated[Caller, needs("galleries:write")]
) -> dict[str, Any]:
    """Take a person out of a gallery; they stay enrolled elsewhere."""
    service = service_of(request)
    with service.store.read() as tx:
        service.galleries.row(tx, who.tenant, gallery_id)
        service.store.people.get(tx, who.tenant, subject_id)
    count = service.galleries.remove(who.tenant, gallery_id, subject_id)
    with service.store.write() as tx:
        for row in tx.scalars(
            select(ReferenceRow).filter_by(tenant=who.tenant, gallery_id=gallery_id, subject_id=subject_id)
        ):
            row.gallery_id = None
        service.store.audit.append(
            tx, who.tenant, who.actor, "gallery.subject_removed", "gallery", gallery_id, subject=subject_id
        )
    return {"references": count}


def _found(tx: Tx, tenant: str, found: Identification) -> dict[str, Any]:
    subjects = [each.subject for each in found.candidates]
    rows = tx.scalars(select(SubjectRow).where(SubjectRow.tenant == tenant, SubjectRow.id.in_(subjects)))
    return identification_to_dict(found, {row.id: row.external_id for row in rows})


def _subject(view: SubjectView) -> dict[str, Any]:
    return {
        "id": view.id,
        "external_id": view.external_id,
        "created": views.at(view.created),
        "expires": views.at(view.expires),
        "erased": views.at(view.erased),
    }


def _gallery(service: Service, row: GalleryRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "modality": row.modality,
        "space": row.space,
        "references": service.galleries.size(row.tenant, row.id),
        "created": views.at(row.created),
    }
