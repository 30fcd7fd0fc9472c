"""Serves the built page, and the weights it runs on the person's device: from the same records as everywhere."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as UrlPath
from fastapi.responses import HTMLResponse

from samebody.models import catalogue, weights_path
from samebody.service.state import service_of
from samebody.store.errors import NotFoundError

router = APIRouter(prefix="/capture", include_in_schema=False)
PAGE = Path(__file__).parent / "page"
MODELS = {"face-detector.onnx": "face/yunet"}
"""Files the page may load, and the records they come from."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>samebody</title>
<p>The capture page is not part of this installation. Build it with <code>make web</code>, which needs Node.js;
the API works without it."""


@router.get("/")
def index() -> Response:
    """The page; it finds its session in the part of the link after ``#``, which no server sees."""
    path = PAGE / "index.html"
    if not path.is_file():
        return HTMLResponse(_NOT_BUILT, 503)
    return HTMLResponse(path.read_text("utf-8"), headers={**HEADERS, "Cache-Control": "no-cache"})


@router.get("/assets/{name}")
def asset(name: Annotated[str, UrlPath(pattern=r"^[A-Za-z0-9._-]{1,100}$")]) -> Response:
    """A file of the page; its name holds its hash, so that it may be kept for good."""
    path = PAGE / "assets" / name
    if name.startswith(".") or not path.is_file():
        raise NotFoundError("the page has no such file.")
    kind = "application/wasm" if name.endswith(".wasm") else mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(
        path.read_bytes(), media_type=kind, headers={**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
    )


@router.get("/models/{name}")
def model(request: Request, name: Annotated[str, UrlPath(max_length=100)]) -> Response:
    """Verified weights for the person's device."""
    if name not in MODELS:
        raise NotFoundError("the page has no such model.")
    settings = service_of(request).runtime
    data = _weights(weights_path(catalogue(settings)[MODELS[name]], settings))
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {**HEADERS, "Cache-Control": "public, max-age=3600", "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/octet-stream", headers=headers)


@cache
def _weights(path: Path) -> bytes:
    return path.read_bytes()
