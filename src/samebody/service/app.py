"""The API as one ASGI application: OpenAPI 3.1, everything under ``/v1``."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI, Response

from samebody.config import Settings, load_settings
from samebody.service import problems
from samebody.service.capture import pages as capture
from samebody.service.console import pages as console
from samebody.service.limits import Gate
from samebody.service.routes import (
    challenges,
    checks,
    keys,
    media,
    models,
    people,
    policies,
    records,
    reviews,
    sessions,
    system,
    webhooks,
)
from samebody.service.routes import (
    settings as tenant_settings,
)
from samebody.service.schemas import Problem
from samebody.service.settings import ServiceSettings
from samebody.service.state import Service
from samebody.store.store import Store

API_VERSION = "1.0"
_SCHEMAS = "#/components/schemas/"
_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, **_PROBLEM}
    for status, text in (
        (400, "The request cannot be fulfilled."),
        (401, "No valid key or token."),
        (403, "The key lacks a scope."),
        (404, "There is no such thing, or another tenant has it."),
        (408, "The body did not arrive in time."),
        (409, "It conflicts with the state, or with an earlier request of the same Idempotency-Key."),
        (410, "It was erased."),
        (413, "The body is too large."),
        (422, "The request is not valid."),
        (429, "The key has used up its requests; Retry-After says how long."),
        (503, "Not now; Retry-After says how long."),
    )
}


class _Application(FastAPI):
    """Problems are described once, not with every answer of every route."""

    def openapi(self) -> dict[str, Any]:
        found = super().openapi()
        schema = Problem.model_json_schema(ref_template=_SCHEMAS + "{model}")
        found["components"]["schemas"] |= {**schema.pop("$defs", {}), "Problem": schema}
        return found


def create_app(store: Store, settings: ServiceSettings | None = None, runtime: Settings | None = None) -> FastAPI:
    """The application around an open store; whoever opened the store closes it."""
    service = Service(store, settings or ServiceSettings(), runtime or load_settings())

    @asynccontextmanager
    async def bounded(app: FastAPI) -> AsyncIterator[None]:
        # forty by default, which leave the event loop too small a share of the interpreter when all are busy
        current_default_thread_limiter().total_tokens = service.settings.threads
        yield

    app = _Application(
        title="samebody",
        version=API_VERSION,
        summary="Is this the same, real, unique person, and does the document belong to them?",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=bounded,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    problems.install(app)
    api = APIRouter(prefix="/v1")
    secured = (
        sessions,
        media,
        challenges,
        checks,
        people,
        reviews,
        policies,
        webhooks,
        keys,
        models,
        records,
        tenant_settings,
    )
    for module in secured:
        api.include_router(module.router, responses=_PROBLEMS)
    api.include_router(system.router)
    app.include_router(api)

    @functools.cache  # it is large, and anybody may ask for it
    def described() -> bytes:
        return json.dumps(app.openapi(), separators=(",", ":"), ensure_ascii=False).encode()

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def openapi_document() -> Response:
        return Response(described(), media_type="application/json")

    app.include_router(capture.router)
    console.install(app)
    app.add_middleware(Gate, settings=service.settings, requests=service.requests)
    return app
