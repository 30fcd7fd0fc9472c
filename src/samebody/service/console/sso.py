"""Logging in at the console through an identity provider, and out again."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from samebody.errors import ConfigError, SamebodyError
from samebody.service.console.login import COOKIE, by_identity, keep
from samebody.service.console.render import page
from samebody.service.problems import status_of
from samebody.service.sso.flow import TIME_TO_LOG_IN
from samebody.service.state import Service, service_of
from samebody.store.errors import NotFoundError

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/console/sso", include_in_schema=False)
BEGUN = "samebody_sso"
"""The cookie of a login that was begun; the provider sends the browser back from another site, so it is Lax."""
_PATH = "/console/sso"
Name = Annotated[str, Path(max_length=24)]


@router.get("/{provider}/start")
def start(request: Request, provider: Name) -> Response:
    """Send the browser to the provider."""
    service = service_of(request)
    try:
        service.rates.take(f"console/sso/{provider}")
        begun = service.sso.begin(provider)
    except SamebodyError as error:
        return refused(service, error)
    answer = RedirectResponse(begun.url, 303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    answer.set_cookie(
        BEGUN, begun.cookie, max_age=int(TIME_TO_LOG_IN.total_seconds()), path=_PATH, httponly=True, samesite="lax",
        secure=service.settings.public_url.startswith("https://"),
    )  # fmt: skip
    return answer


@router.get("/{provider}/callback")
def callback(request: Request, provider: Name) -> Response:
    """Take the provider's answer. Always a new login with a new cookie, whatever the browser held before.

    The answer is a page that goes on by itself, not a redirect: a browser that was sent here by another site would not
    send the new cookie (SameSite=Strict) with the request a redirect leads to.
    """
    service = service_of(request)
    given = {name: value[:4096] for name, value in request.query_params.items()}
    try:
        service.rates.take(f"console/sso/{provider}")
        arrived = service.sso.finish(provider, request.cookies.get(BEGUN), given)
        cookie = by_identity(service, arrived)
    except SamebodyError as error:
        answer = refused(service, error)
    else:
        answer = page("arrived.html", None)
        keep(service, answer, cookie, arrived.life)
    answer.delete_cookie(BEGUN, path=_PATH)
    return answer


def refused(service: Service, error: SamebodyError) -> Response:
    """The login page, saying why not; the log has the code."""
    logger.warning("login refused: %s", error.code)
    status = 500 if isinstance(error, ConfigError) else status_of(error)  # the operator's mistake, not the visitor's
    return page(
        "login.html", None, 403 if status in (400, 401) else status, error=str(error), providers=offered(service)
    )


def offered(service: Service) -> list[tuple[str, str]]:
    """Name and label of each provider."""
    return [(name, each.label) for name, each in service.sso.providers.items()]


def goodbye(service: Service, provider: str | None) -> Response:
    """What is shown after logging out: with the way to log out of the provider too, where there is one."""
    url, label = None, ""
    if provider is not None:
        try:
            url, label = service.sso.logout_url(provider), service.sso.client(provider).provider.label
        except (NotFoundError, SamebodyError) as error:  # logged out here all the same
            logger.warning("no logout at the provider: %s", error.code)
    answer = page("goodbye.html", None, url=url, label=label)
    answer.delete_cookie(COOKIE, path="/console")
    return answer
