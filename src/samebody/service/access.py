"""Who asks: API keys with roles and scopes, and client tokens that open one session only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from samebody.service.errors import UnauthenticatedError
from samebody.service.limits import RATE
from samebody.service.misuse import NEEDS_KEY, OTHER_SESSION, note
from samebody.service.state import Service, service_of
from samebody.store.access import Principal
from samebody.store.errors import AccessDeniedError, InvalidValueError, NotFoundError

CLIENT_SCOPES = frozenset({"client"})
"""What a client token may do: consent, upload, submit, cancel and look, in its own session."""

ROLE_SCOPES: dict[str, frozenset[str]] = {
    "integrator": frozenset(
        {
            "sessions:read", "sessions:write", "media:read", "checks:write", "subjects:read", "subjects:write",
            "galleries:read", "galleries:write", "policies:read", "webhooks:read", "webhooks:write", "models:read",
            "settings:read",
        }
    ),
    "reviewer": frozenset(
        {"sessions:read", "media:read", "reviews:read", "reviews:write", "policies:read", "models:read"}
    ),
    "auditor": frozenset(
        {"sessions:read", "audit:read", "policies:read", "models:read", "webhooks:read", "settings:read"}
    ),
}  # fmt: skip
ROLE_SCOPES["admin"] = frozenset().union(
    *ROLE_SCOPES.values(), {"policies:write", "models:write", "keys:read", "keys:write", "settings:write"}
)
"""What each role may do at most; a key may hold fewer."""

_bearer = HTTPBearer(auto_error=False, description="An API key, or the client token of one session.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request.

    Attributes:
        actor: name in the audit log.
        session: the only session a client token opens; None for a key.
    """

    tenant: str
    actor: str
    role: str
    scopes: frozenset[str]
    session: str | None = None

    def require(self, scope: str) -> None:
        """Return when the caller has the scope.

        Raises:
            AccessDeniedError.
        """
        if scope not in self.scopes:
            raise AccessDeniedError(f"this needs the scope {scope}.", hint="Use a key that has it.")

    def require_session(self, session_id: str, scope: str) -> None:
        """Return when the caller may reach this session: a token its own, a key with the scope any of its tenant.

        Raises:
            NotFoundError: a token of another session: the same as one that is not there.
            AccessDeniedError.
        """
        if self.session is None:
            self.require(scope)
        elif self.session != session_id:
            raise NotFoundError("there is no such session.", hint="Check its id, and whose it is.")


def scopes_for(role: str, wanted: list[str] | None) -> list[str]:
    """The scopes of a new key: those wanted, by default all of its role.

    Raises:
        InvalidValueError: one is not of the role.
    """
    allowed = ROLE_SCOPES.get(role, frozenset())
    known = ", ".join(sorted(allowed))
    unknown = sorted(set(wanted or ()) - allowed)
    if unknown:
        raise InvalidValueError(f"the role {role} has no scope {unknown[0]}.", hint=f"Its scopes: {known}.")
    return sorted(wanted if wanted is not None else allowed)


def issue_client_token(service: Service, tx: Any, tenant: str, session_id: str) -> tuple[str, int]:
    """A token that opens one session, and the seconds it lives."""
    life = service.tenancy.bounded(service.store.settings.get(tx, tenant)).token_minutes * 60
    until = int((service.store.clock() + timedelta(seconds=life)).timestamp())
    return "sct." + service.client_tokens.sign(tx, tenant, {"s": session_id, "e": until}), life


def authenticate(request: Request, given: HTTPAuthorizationCredentials | None) -> Caller:
    """The caller of a request; counts it against the rate of its key.

    Raises:
        UnauthenticatedError, RateLimitedError.
    """
    service = service_of(request)
    if given is None:
        raise UnauthenticatedError("no key was given.", hint="Send it as: Authorization: Bearer KEY")
    text = given.credentials
    caller = _client(service, text) if text.startswith("sct.") else _key(service, text)
    _count(service, request, caller)
    return caller


def _count(service: Service, request: Request, caller: Caller) -> None:
    """Count a request against the rate of its key; what is left goes out with the answer, whatever that is.

    The headers are those of draft-ietf-httpapi-ratelimit-headers: quota and window, what is left and the seconds until
    all of it is there again.

    Raises:
        RateLimitedError.
    """
    rate = service.tenancy.effective(caller.tenant).rate
    left, full = 0, 60.0
    try:
        left, full = service.rates.take(f"{caller.tenant}/{caller.actor}", rate=rate)
    finally:
        request.scope[RATE] = (
            (b"ratelimit-policy", f'"key";q={int(rate)};w=60'.encode()),
            (b"ratelimit", f'"key";r={left};t={math.ceil(full)}'.encode()),
        )


def _key(service: Service, text: str) -> Caller:
    store = service.store
    try:
        with store.read() as tx:
            principal = store.api_keys.check(tx, text)
            due = store.api_keys.use_is_due(tx, principal)
    except AccessDeniedError as error:
        raise UnauthenticatedError(error.message, hint=error.hint) from None
    if due:
        with store.write() as tx:
            store.api_keys.note_use(tx, principal)
    return caller_of(principal)


def caller_of(principal: Principal) -> Caller:
    """The holder of a key: its scopes, as far as its role has them."""
    scopes = principal.scopes & ROLE_SCOPES.get(principal.role, frozenset())
    return Caller(principal.tenant, principal.actor, principal.role, scopes)


def _client(service: Service, text: str) -> Caller:
    with service.store.read() as tx:
        opened = service.client_tokens.open(tx, text.removeprefix("sct."))
    denied = UnauthenticatedError("the client token is not valid any more.", hint="Ask for another one.")
    if opened is None:
        raise denied
    tenant, content = opened
    if not isinstance(content.get("e"), int) or content["e"] <= service.store.clock().timestamp():
        raise denied
    session_id = str(content.get("s", ""))
    return Caller(tenant, f"client:{session_id}", "client", CLIENT_SCOPES, session_id)


def needs(scope: str) -> Any:
    """A route's dependency: a caller with an API key that has ``scope``."""

    def dependency(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        caller = authenticate(request, given)
        if caller.session is not None and scope not in caller.scopes:
            note(service_of(request).store, caller.tenant, caller.session, NEEDS_KEY)
        caller.require(scope)
        return caller

    return Depends(dependency)


def anyone() -> Any:
    """A route's dependency: any caller; the route asks for the session with :meth:`Caller.require_session`."""

    def dependency(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        caller = authenticate(request, given)
        if caller.session is not None and request.path_params.get("session_id", caller.session) != caller.session:
            note(service_of(request).store, caller.tenant, caller.session, OTHER_SESSION)
        return caller

    return Depends(dependency)
