"""Headers that every answer carries unless its route says otherwise, and forms that another site sent.

An answer of the API is for a program: it is not kept, not shown in a frame, runs nothing, and is not read by other
sites (no CORS header is ever sent). Pages of the console and of capture name their own, wider policy.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import Scope

from samebody.service.errors import CrossSiteError

Raw = tuple[bytes, bytes]

CLOSED: tuple[Raw, ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
HSTS: Raw = (b"strict-transport-security", b"max-age=31536000")


def closed(headers: Iterable[Raw], *, https: bool) -> list[Raw]:
    """``headers`` of an answer, with what is missing of :data:`CLOSED`; over https also that it stays so."""
    given = [(name.lower(), value) for name, value in headers]
    names = {name for name, _ in given}
    return [*given, *(each for each in (*CLOSED, *((HSTS,) if https else ())) if each[0] not in names)]


def require_own_page(scope: Scope) -> None:
    """Return unless a form of the console was sent by a page of another site, as far as the browser says.

    The second line behind the form's token and the strict cookie; it also covers the login, which has no token yet
    (Fetch Metadata, W3C; every current browser sends it).

    Raises:
        CrossSiteError.
    """
    if scope["method"] in ("GET", "HEAD") or not scope["path"].startswith("/console"):
        return
    site = next((value for name, value in scope["headers"] if name == b"sec-fetch-site"), b"same-origin")
    if site not in (b"same-origin", b"none"):
        raise CrossSiteError("the form was sent by another site.", hint="Open the console itself.")
