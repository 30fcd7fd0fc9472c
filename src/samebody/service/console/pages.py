"""The console put together: its pages, its style sheet, logging in and out."""

from __future__ import annotations

from importlib import resources
from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from samebody.errors import SamebodyError
from samebody.service import problems
from samebody.service.console import cases, changes, settings, sso, watch
from samebody.service.console.login import (
    ForgedFormError,
    LoginNeededError,
    Visitor,
    end_earlier,
    keep,
    log_in,
    log_out,
    posts,
)
from samebody.service.console.render import back, page
from samebody.service.state import service_of

router = APIRouter(prefix="/console", include_in_schema=False)


def install(app: FastAPI) -> None:
    """Add the console to the application; whoever is not logged in is sent to the login."""
    for each in (router, cases.router, changes.router, watch.router, settings.router, sso.router):
        app.include_router(each)

    @app.exception_handler(LoginNeededError)
    def to_login(request: Request, error: LoginNeededError) -> Response:
        return RedirectResponse("/console/login", 303)

    @app.exception_handler(ForgedFormError)
    def forged(request: Request, error: ForgedFormError) -> JSONResponse:
        return problems.problem(problems.request_id_of(request), 403, error.code, str(error))


@router.get("/style.css")
def style() -> Response:
    """The style sheet."""
    text = (resources.files("samebody.service.console") / "static" / "style.css").read_text("utf-8")
    return Response(text, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


@router.get("/icon.svg")
def icon() -> Response:
    """The mark in a browser's tab."""
    data = (resources.files("samebody.service.console") / "static" / "icon.svg").read_bytes()
    return Response(data, media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


@router.get("/login")
def login_page(request: Request) -> Response:
    """Where a key is given, or an identity provider chosen."""
    return page("login.html", None, error="", providers=sso.offered(service_of(request)))


@router.post("/login")
def login(request: Request, key: Annotated[str, Form(max_length=500)]) -> Response:
    """Log in with an API key."""
    service = service_of(request)
    service.rates.take("console/login")
    try:
        cookie = log_in(service, key.strip())
    except SamebodyError as error:
        return sso.refused(service, error)
    end_earlier(request)
    answer = back("/console/")
    keep(service, answer, cookie)
    return answer


@router.post("/logout")
def logout(request: Request, visitor: Annotated[Visitor, posts("sessions:read")]) -> Response:
    """Log out: the login ends here and now, also for a copy of its cookie."""
    service = service_of(request)
    log_out(service, visitor)
    return sso.goodbye(service, visitor.provider)
