"""Logins of the console: by API key or through an identity provider; then a signed cookie, and a token in every form.

The cookie holds no secret: it names a login that the store keeps, and is signed with a key of the tenant. Logging out,
revoking the API key or taking the provider out of the configuration ends the login at once, wherever its cookie is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Form, Request, Response

from samebody import crypto
from samebody.errors import UsageError
from samebody.service.access import ROLE_SCOPES, Caller, caller_of
from samebody.service.sso.flow import Arrived
from samebody.service.state import Service, service_of
from samebody.service.tokens import Signer
from samebody.store.errors import AccessDeniedError
from samebody.store.logins import Login

COOKIE = "samebody_console"
LIFE = timedelta(hours=8)


class LoginNeededError(UsageError):
    """The page is for people who are logged in."""

    code = "console.login_needed"


class ForgedFormError(UsageError):
    """A form came without the token of its page."""

    code = "console.forged_form"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is logged in.

    Attributes:
        form: goes into every form of the page, and has to come back with it.
        login: id of the login; ``provider``: the identity provider it came through, if any.
        name: of the person, for the page alone; the audit log has ``caller.actor``.
    """

    caller: Caller
    form: str
    login: str = ""
    provider: str | None = None
    name: str = field(default="", repr=False)

    def can(self, scope: str) -> bool:
        """Whether the visitor has the scope."""
        return scope in self.caller.scopes


def log_in(service: Service, key: str) -> str:
    """The cookie for a key.

    Raises:
        AccessDeniedError.
    """
    with service.store.write() as tx:
        principal = service.store.api_keys.check(tx, key)
        if "sessions:read" not in caller_of(principal).scopes:
            raise AccessDeniedError("the key has no scope for the console.", hint="Use a reviewer's key.")
        login = service.store.logins.by_key(tx, principal, LIFE)
        return _cookies(service).sign(tx, principal.tenant, {"l": login})


def by_identity(service: Service, arrived: Arrived) -> str:
    """The cookie for a person whom an identity provider logged in."""
    with service.store.write() as tx:
        login = service.store.logins.by_identity(tx, arrived.tenant, arrived.who, arrived.role, arrived.life)
        return _cookies(service).sign(tx, arrived.tenant, {"l": login})


def log_out(service: Service, visitor: Visitor) -> None:
    """End the login of a visitor."""
    with service.store.write() as tx:
        service.store.logins.end(tx, visitor.caller.tenant, visitor.login)


def keep(service: Service, answer: Response, cookie: str, life: timedelta = LIFE) -> None:
    """Let the browser keep a login: away from scripts, and from requests that other sites cause."""
    secure = service.settings.public_url.startswith("https://")
    seconds = int(life.total_seconds())
    answer.set_cookie(COOKIE, cookie, max_age=seconds, path="/console", httponly=True, samesite="strict", secure=secure)


def end_earlier(request: Request) -> None:
    """End the login that the browser holds, before it gets another."""
    try:
        visitor = visitor_of(request)
    except LoginNeededError:
        return
    log_out(service_of(request), visitor)


def visitor_of(request: Request) -> Visitor:
    """Who is logged in.

    Raises:
        LoginNeededError.
    """
    service = service_of(request)
    needed = LoginNeededError("log in first.")
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise needed
    with service.store.read() as tx:
        opened = _cookies(service).open(tx, cookie)
        if opened is None:
            raise needed
        tenant, content = opened
        try:
            login = service.store.logins.holder(tx, tenant, str(content.get("l")))
        except AccessDeniedError:
            raise needed from None
        form = Signer(service.store, "form").mac(tx, tenant, login.id)
    if not _still_offered(service, login):
        raise needed
    allowed = ROLE_SCOPES.get(login.role, frozenset())
    scopes = allowed if login.scopes is None else login.scopes & allowed
    caller = Caller(tenant, login.actor, login.role, scopes)
    return Visitor(caller, form, login.id, login.provider, login.name)


def _still_offered(service: Service, login: Login) -> bool:
    """A login through a provider ends when the operator takes that out, or gives it another tenant."""
    if login.provider is None:
        return True
    provider = service.sso.providers.get(login.provider)
    return provider is not None and provider.tenant == login.tenant


def _cookies(service: Service) -> Signer:
    return Signer(service.store, "console")


def needs(scope: str) -> Any:
    """A page's dependency: a visitor with the scope."""

    def dependency(request: Request) -> Visitor:
        visitor = visitor_of(request)
        visitor.caller.require(scope)
        return visitor

    return Depends(dependency)


def posts(scope: str) -> Any:
    """A form's dependency: a visitor with the scope, and the form is one of our pages.

    Raises:
        ForgedFormError.
    """

    def dependency(request: Request, token: Annotated[str, Form()] = "") -> Visitor:
        visitor = visitor_of(request)
        if not crypto.equal(token.encode(), visitor.form.encode()):
            raise ForgedFormError("the form is not one of this page.", hint="Open the page again.")
        visitor.caller.require(scope)
        return visitor

    return Depends(dependency)
