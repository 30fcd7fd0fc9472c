"""Logins of the console: an API key once, then a signed cookie; a token against forged forms in every form.

The cookie holds no secret: it names the key, and is signed with a key of the tenant. Revoking the
API key ends the login at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Form, Request

from samebody import crypto
from samebody.errors import UsageError
from samebody.service.access import Caller, caller_of
from samebody.service.state import Service, service_of
from samebody.service.tokens import Signer
from samebody.store.errors import AccessDeniedError
from samebody.store.ids import new_id

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
    """

    caller: Caller
    form: str

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
        service.store.audit.append(
            tx, principal.tenant, principal.actor, "console.login", "api_key", principal.key_id, role=principal.role
        )
        until = int((service.store.clock() + LIFE).timestamp())
        content = {"k": principal.key_id, "e": until, "n": new_id("log")}
        return Signer(service.store, "console").sign(tx, principal.tenant, content)


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
        opened = Signer(service.store, "console").open(tx, cookie)
        if opened is None or opened[1].get("e", 0) <= service.store.clock().timestamp():
            raise needed
        tenant, content = opened
        try:
            principal = service.store.api_keys.holder(tx, tenant, str(content["k"]))
        except AccessDeniedError:
            raise needed from None
        form = Signer(service.store, "form").sign(tx, tenant, {"n": content["n"]}).rpartition(".")[2]
    return Visitor(caller_of(principal), form)


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
