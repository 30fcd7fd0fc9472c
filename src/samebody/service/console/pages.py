"""The console put together: its pages, its style sheet, logging in and out."""

from __future__ import annotations

from importlib import resources
from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from samebody.errors import SamebodyError
from samebody.service import problems
from samebody.service.console import cases, changes, watch
from samebody.service.console.login import COOKIE, LIFE, ForgedFormError, LoginNeededError, Visitor, log_in, posts
from samebody.service.console.render import back, page
from samebody.service.state import service_of

router = APIRouter(prefix="/console", include_in_schema=False)


def install(app: FastAPI) -> None:
    """Add the console to the application; whoever is not logged in is sent to the login."""
    for each in (router, cases.router, changes.router, watch.router):
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


@router.get("/login")
def login_page() -> Response:
    """Where a key is given."""
    return page("login.html", None, error="")


@router.post("/login")
def login(request: Request, key: Annotated[str, Form(max_length=500)]) -> Response:
    """Log in with an API key."""
    service = service_of(request)
    service.rates.take("console/login")
    try:
        cookie = log_in(service, key.strip())
    except SamebodyError as error:
        return page("login.html", None, 403, error=str(error))
    answer = back("/console/")
    secure = service.settings.public_url.startswith("https://")
    seconds = int(LIFE.total_seconds())
    answer.set_cookie(COOKIE, cookie, max_age=seconds, path="/console", httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout")
def logout(visitor: Annotated[Visitor, posts("sessions:read")]) -> Response:
    """Log out."""
    answer = back("/console/login")
    answer.delete_cookie(COOKIE, path="/console")
    return answer
