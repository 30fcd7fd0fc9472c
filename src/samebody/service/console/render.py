"""What every page of the console shares: templates, headers, the way back after a form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import jinja2
from fastapi.responses import HTMLResponse, RedirectResponse

from samebody.service import views
from samebody.service.console.login import Visitor

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def when(value: datetime | str | None) -> str:
    """A time for people, to the minute, in UTC."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else views.at(value) or ""
    return text[:16].replace("T", " ")


_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("samebody.service.console", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["when"] = when


def page(template: str, visitor: Visitor | None, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A template filled; ``visitor`` and ``at`` are known in all of them."""
    text = _templates.get_template(template).render(visitor=visitor, at=views.at, **values)
    return HTMLResponse(text, status, headers=HEADERS)


def back(path: str) -> RedirectResponse:
    """To a page after a form was taken: loading that again sends nothing twice."""
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})
