"""``/v1/healthz``, ``readyz`` and ``metrics``: alive, able to work, and how much of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from samebody.service import schemas
from samebody.service.metrics import exposition
from samebody.service.ready import readiness
from samebody.service.state import service_of

router = APIRouter(tags=["system"])


class Alive(schemas.Answer):
    """The process answers."""

    status: str


class Part(schemas.Answer):
    """One thing the service needs."""

    ok: bool
    detail: str


class Ready(schemas.Answer):
    """Whether everything needed to reach verdicts is there, part by part."""

    ready: bool
    parts: dict[str, Part]


@router.get("/healthz", response_model=Alive)
async def healthz() -> dict[str, Any]:
    """The process answers; nothing else is looked at."""
    # on the event loop: it waits for no thread that is busy with a picture
    return {"status": "ok"}


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
def readyz(request: Request) -> Response:
    """Whether verdicts can be reached now: store, sealed files, models, workers, queue. 503 when not."""
    parts = readiness(service_of(request))
    ready = all(ok for ok, _ in parts.values())
    body = {"ready": ready, "parts": {name: {"ok": ok, "detail": detail} for name, (ok, detail) in parts.items()}}
    return JSONResponse(
        body, 200 if ready else 503, headers={"Cache-Control": "no-store", **({} if ready else {"Retry-After": "5"})}
    )


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> PlainTextResponse:
    """Figures in Prometheus' text format: counts and times, nothing about a person."""
    return PlainTextResponse(exposition(service_of(request)), media_type="text/plain; version=0.0.4; charset=utf-8")
