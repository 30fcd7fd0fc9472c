"""Samples of a session: taken in sealed, shown through links that live for seconds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from samebody.attacks.injection import perceptual_hash
from samebody.capture import decode_image
from samebody.service import schemas, views
from samebody.service.access import Caller, anyone, needs
from samebody.service.challenges import CONTENT_TYPE as RECORDING_TYPE
from samebody.service.errors import InvalidRequestError, LinkError
from samebody.service.links import new_link
from samebody.service.once import OnceOnly
from samebody.service.state import service_of
from samebody.service.uploads import LIFE, MOST_PARTS
from samebody.service.work import ROLES, SELFIE
from samebody.types import Image

router = APIRouter(tags=["media"])
SessionId = Annotated[str, Path(max_length=64)]
PICTURES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/bmp",
    "image/tiff",
    "image/heic",
    "application/octet-stream",
)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in PICTURES},
    }
}


async def _raw(request: Request) -> bytes:
    return await request.body()


@router.post("/sessions/{session_id}/media", status_code=201, response_model=schemas.Media, openapi_extra=_BODY)
def upload_media(
    request: Request,
    session_id: SessionId,
    role: Annotated[str, Query(description=f"What it is for: {', '.join(ROLES)}.")],
    data: Annotated[bytes, Depends(_raw)],
    once: OnceOnly,
    who: Annotated[Caller, anyone()],
) -> Response:
    """Take in one picture: the body is the encoded file, kept as it is; what cannot be decoded is refused."""
    who.require_session(session_id, "sessions:write")
    service = service_of(request)
    content_type = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    _check(role, content_type)
    with service.decode_slot():
        looks = _looks(decode_image(data, limits=service.runtime.limits, role=role), role)

    def work() -> dict[str, Any]:
        kept = service.store.vault.add(
            who.tenant, session_id, role, data, actor=who.actor, content_type=content_type, perceptual_hash=looks
        )
        return views.media(kept)

    return once.outside(who, 201, work)


class NewUpload(schemas.Request):
    """A picture that comes in parts."""

    role: schemas.Name = Field(description=f"what it is for: {', '.join(ROLES)}")
    content_type: str = Field(default="application/octet-stream", max_length=64)
    parts: int = Field(ge=1, le=MOST_PARTS, description="of about one size: each at most twice its share of `max_body`")


class UploadView(schemas.Answer):
    """An upload that was begun: send the parts, then complete it."""

    upload: str = Field(description="names it in the paths below")
    parts: int
    seconds: int = Field(description="until it must be complete")


class PartView(schemas.Answer):
    """A part that was kept."""

    part: int
    size: int


@router.post("/sessions/{session_id}/uploads", status_code=201, response_model=UploadView)
def begin_upload(
    request: Request, session_id: SessionId, wanted: NewUpload, once: OnceOnly, who: Annotated[Caller, anyone()]
) -> Response:
    """Begin an upload in parts, for lines that break."""
    who.require_session(session_id, "sessions:write")
    service = service_of(request)
    _check(wanted.role, wanted.content_type)

    def work(tx: Any) -> dict[str, Any]:
        text = service.uploads.begin(
            tx, who.tenant, session_id, wanted.role, wanted.content_type, wanted.parts, actor=who.actor
        )
        return {"upload": text, "parts": wanted.parts, "seconds": int(LIFE.total_seconds())}

    return once.inside(who, 201, work)


@router.put(
    "/uploads/{upload}/parts/{number}",
    response_model=PartView,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def put_part(
    request: Request,
    upload: Annotated[str, Path(max_length=1000)],
    number: Annotated[int, Path(ge=1, le=MOST_PARTS)],
    data: Annotated[bytes, Depends(_raw)],
    who: Annotated[Caller, anyone()],
) -> dict[str, Any]:
    """Send one part, from 1; in any order, and again when in doubt."""
    service = service_of(request)
    found = service.uploads.open(who.tenant, upload)
    who.require_session(found.session_id, "sessions:write")
    if number > found.parts:
        raise InvalidRequestError(f"the upload has {found.parts} parts.")
    service.uploads.put(who.tenant, found, number, data)
    return {"part": number, "size": len(data)}


@router.post("/uploads/{upload}/complete", status_code=201, response_model=schemas.Media)
def complete_upload(
    request: Request, upload: Annotated[str, Path(max_length=1000)], once: OnceOnly, who: Annotated[Caller, anyone()]
) -> Response:
    """Join the parts into a sample; what cannot be decoded is refused."""
    service = service_of(request)
    found = service.uploads.open(who.tenant, upload)
    who.require_session(found.session_id, "sessions:write")

    def work() -> dict[str, Any]:
        data = service.uploads.joined(who.tenant, found)
        with service.decode_slot():
            looks = _looks(decode_image(data, limits=service.runtime.limits, role=found.role), found.role)
        kept = service.store.vault.add(
            who.tenant, found.session_id, found.role, data, actor=who.actor, content_type=found.content_type,
            perceptual_hash=looks,
        )  # fmt: skip
        service.uploads.discard(found)
        return views.media(kept)

    return once.outside(who, 201, work)


def _looks(image: Image, role: str) -> bytes | None:
    """The perceptual hash of a selfie: replays are looked for by it. Other samples come again rightly."""
    return perceptual_hash(image.pixels) if role == SELFIE else None


def _check(role: str, content_type: str) -> None:
    """Return when a sample may have the role and type."""
    if role not in ROLES:
        raise InvalidRequestError("a sample has no such role.", hint=f"Known: {', '.join(ROLES)}.")
    if content_type not in PICTURES:
        raise InvalidRequestError("a sample is sent as a picture.", hint=f"Content-Type: {', '.join(PICTURES)}.")


@router.get("/sessions/{session_id}/media", response_model=schemas.MediaList)
def list_media(request: Request, session_id: SessionId, who: Annotated[Caller, anyone()]) -> dict[str, Any]:
    """The samples of a session, oldest first: what they are, never their content."""
    who.require_session(session_id, "sessions:read")
    store = service_of(request).store
    with store.read() as tx:
        session = store.sessions.get(tx, who.tenant, session_id)
        return {"items": [views.media(each) for each in store.vault.of_case(tx, who.tenant, session.case_id)]}


@router.post("/sessions/{session_id}/media/{media_id}/link", response_model=schemas.Link)
def media_link(
    request: Request, session_id: SessionId, media_id: str, once: OnceOnly, who: Annotated[Caller, needs("media:read")]
) -> Response:
    """A link to a sample in plain, for one person's eyes; asking for it stands in the audit log."""
    service = service_of(request)

    def work(tx: Any) -> dict[str, Any]:
        text, seconds = new_link(service, tx, who, session_id, media_id)
        return {"url": f"{service.settings.public_url}/v1/media/{text}", "seconds": seconds}

    return once.inside(who, 200, work)


@router.get(
    "/media/{link}",
    response_class=Response,
    responses={
        200: {
            "content": {name: {} for name in (*PICTURES, RECORDING_TYPE)},
            "description": "The sample.",
        }
    },
)
def show_media(request: Request, link: Annotated[str, Path(max_length=1000)]) -> Response:
    """What a signed link shows, until it expires; no key is needed, nothing may keep it."""
    service = service_of(request)
    with service.store.read() as tx:
        opened = service.links.open(tx, link)
    if opened is None or not isinstance(opened[1].get("e"), int | float):
        raise LinkError("the link is not one of this service.", hint="Ask for another one.")
    tenant, content = opened
    if content["e"] <= service.store.clock().timestamp():
        raise LinkError("the link has expired.", hint="Ask for another one.")
    return Response(
        service.store.vault.read(tenant, content["m"]),
        media_type=content["c"],
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": "inline",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )
