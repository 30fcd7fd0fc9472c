"""Errors as the API tells them: RFC 9457 problem documents with a stable code and the id of the request."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from samebody.decide.errors import PolicyInvalidError
from samebody.errors import InputError, NotMeasuredError, ResourceError, SamebodyError, UsageError
from samebody.operate.errors import GuardRailError, NothingToDoError
from samebody.service import errors as own
from samebody.service.headers import CLOSED
from samebody.store import errors as store

logger = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[SamebodyError], int], ...] = (
    (own.UnauthenticatedError, 401),
    (store.AccessDeniedError, 403),
    (own.LinkError, 403),
    (store.NotFoundError, 404),
    (own.BodyTooSlowError, 408),
    (store.ExistsError, 409),
    (store.ConflictError, 409),
    (store.IllegalTransitionError, 409),
    (store.ConsentMissingError, 409),
    (store.TooManySamplesError, 409),
    (own.IncompleteSessionError, 409),
    (own.IncompleteUploadError, 409),
    (store.IdempotencyConflictError, 409),
    (store.KeyDestroyedError, 410),
    (own.BodyTooLargeError, 413),
    (PolicyInvalidError, 422),
    (NotMeasuredError, 422),
    (GuardRailError, 409),
    (NothingToDoError, 409),
    (own.RateLimitedError, 429),
    (store.StoreUnavailableError, 503),
    (store.BlobsAwayError, 503),
    (InputError, 422),
    (ResourceError, 503),
    (UsageError, 400),
)
"""Status of each family, the narrower one first; what is not in it is 500."""

_TITLES = {
    400: "The request cannot be fulfilled",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "The resource has no such method",
    408: "The request came too slowly",
    409: "The request conflicts with the state",
    410: "Erased",
    413: "The request is too large",
    422: "The request is not valid",
    429: "Too many requests",
    500: "Internal error",
    503: "Not now",
}


def status_of(error: SamebodyError) -> int:
    """The HTTP status of a typed error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(
    request_id: str, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """A problem document (RFC 9457) with two members of our own: ``code`` and ``request_id``."""
    body = {
        "type": f"urn:samebody:problem:{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **more,
    }
    return JSONResponse(
        body, status, headers={"Cache-Control": "no-store", **(headers or {})}, media_type="application/problem+json"
    )


def of_error(request_id: str, error: SamebodyError) -> JSONResponse:
    """The problem that tells a typed error; of an internal one only its code."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, own.RateLimitedError | store.StillRunningError):
        headers["Retry-After"] = str(max(1, math.ceil(error.wait)))
    elif status == 503:
        headers["Retry-After"] = "2"
    detail = str(error) if status != 500 else "Something went wrong on our side; tell its operator the request id."
    return problem(request_id, status, error.code, detail, headers=headers)


def install(app: FastAPI) -> None:
    """Let every error of ``app`` leave as a problem document."""

    @app.exception_handler(SamebodyError)
    def typed(request: Request, error: SamebodyError) -> JSONResponse:
        if status_of(error) == 500:
            logger.error("internal error: %s", error.code, extra={"request_id": request_id_of(request)})
        return of_error(request_id_of(request), error)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # what was sent is never repeated, names of fields that the API does not have neither
        found = [{"where": _place(each), "what": _said(each)} for each in error.errors()[:MOST_MISTAKES]]
        return problem(
            request_id_of(request), 422, "request.invalid", "The request has not the form the API describes.",
            errors=found,
        )  # fmt: skip

    @app.exception_handler(HTTPException)
    def plain(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "request.no_such_path", 405: "request.no_such_method"}
        code = codes.get(error.status_code, "request.refused")
        title = _TITLES.get(error.status_code, "The request is refused")
        return problem(request_id_of(request), error.status_code, code, f"{title}.", headers=error.headers)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        # no message and no locals in the log: they may hold pixels or names
        logger.error("internal error: %s", type(error).__name__, extra={"request_id": request_id_of(request)})
        # answered outside of the gate, which would have added these
        added = {name.decode().title(): value.decode() for name, value in CLOSED}
        added["X-Request-Id"] = request_id_of(request)
        return problem(
            request_id_of(request), 500, "internal",
            "Something went wrong on our side; tell its operator the request id.", headers=added,
        )  # fmt: skip


MOST_MISTAKES = 20
"""Of a request's form that are told at once."""


def _place(mistake: Mapping[str, Any]) -> str:
    """Where a mistake is, by the API's own names: not by one that was invented, nor by a key of a mapping."""
    where = [str(part) for part in mistake["loc"]]
    if mistake["type"] == "extra_forbidden":
        where[-1] = "(unknown)"
    told = ".".join("(key)" if "[key]" in where[at + 1 : at + 2] else part for at, part in enumerate(where))
    return told.encode("ascii", "replace").decode()


def _said(mistake: Mapping[str, Any]) -> str:
    """What is wrong; a message of our own validators or of the decoder may hold what was sent, that of pydantic not."""
    if mistake["type"] == "json_invalid":
        return "The body is no JSON."
    return "The value is not allowed." if mistake["type"] in ("value_error", "assertion_error") else str(mistake["msg"])


def request_id_of(request: Request) -> str:
    """The id that the outermost layer gave the request."""
    return str(request.scope.get("samebody.request_id", ""))
