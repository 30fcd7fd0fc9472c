"""A login from its beginning to its end: a signed cookie ties both to one browser, and each is answered once.

What must not be guessed (state, nonce, PKCE verifier) is derived from a random text in the cookie by keys of the
tenant, so the cookie tells none of it and the server keeps nothing until the answer comes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlencode

import httpx

from samebody import crypto
from samebody.service.sso.discovery import ProviderClient
from samebody.service.sso.errors import LoginDeniedError, LoginStateError, SsoConfigError
from samebody.service.sso.idtoken import check_id_token
from samebody.service.sso.providers import Provider
from samebody.service.tokens import Signer, url_safe
from samebody.store.errors import IdempotencyConflictError, NotFoundError
from samebody.store.logins import Identity
from samebody.store.store import Store

TIME_TO_LOG_IN = timedelta(minutes=10)
"""From the button to the provider's answer."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that was begun: where to send the browser, and what it keeps meanwhile."""

    url: str
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A person whom a provider logged in."""

    tenant: str
    who: Identity
    role: str
    life: timedelta


@dataclass(frozen=True, slots=True)
class _Secrets:
    state: str
    nonce: str
    verifier: str


class Sso:
    """The identity providers of a service.

    Args:
        public_url: how browsers reach the service.
        transport: of httpx, for tests.
    """

    def __init__(
        self, store: Store, providers: Mapping[str, Provider], public_url: str,
        *, transport: Callable[[], httpx.BaseTransport] | None = None,
    ) -> None:  # fmt: skip
        self._store, self.providers, self._public_url = store, dict(providers), public_url.rstrip("/")
        self._clients = {
            name: ProviderClient(each, transport=transport() if transport else None)
            for name, each in self.providers.items()
        }

    def client(self, name: str) -> ProviderClient:
        """The client of a provider.

        Raises:
            NotFoundError.
        """
        found = self._clients.get(name)
        if found is None:
            raise NotFoundError("there is no such identity provider.", hint="Begin at the login page.")
        return found

    def begin(self, name: str) -> Begun:
        """Begin a login.

        Raises:
            NotFoundError, ProviderUnavailableError.
            SsoConfigError: its tenant is not there.
        """
        client = self.client(name)
        provider, endpoint = client.provider, client.configuration().authorization_endpoint
        until = int((self._store.clock() + TIME_TO_LOG_IN).timestamp())
        random = secrets.token_urlsafe(32)
        try:
            with self._store.read() as tx:
                cookie = Signer(self._store, "sso").sign(tx, provider.tenant, {"n": random, "p": name, "e": until})
        except NotFoundError:
            raise SsoConfigError(f"the tenant of the identity provider {name} does not exist.") from None
        own = self._secrets(provider, random)
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self.redirect_uri(name),
            "scope": " ".join(provider.scopes),
            "state": own.state,
            "nonce": own.nonce,
            "code_challenge": url_safe(sha256(own.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return Begun(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", cookie)

    def finish(self, name: str, cookie: str | None, answer: Mapping[str, str]) -> Arrived:
        """The person that a provider's answer stands for.

        Args:
            answer: the query of the callback: ``code`` or ``error``, ``state``, maybe ``iss``.

        Raises:
            LoginStateError, LoginDeniedError, IdTokenError, NoRoleError, ProviderUnavailableError, NotFoundError.
        """
        client = self.client(name)
        provider = client.provider
        own = self._secrets(provider, self._random(name, provider, cookie))
        if not crypto.equal(answer.get("state", "").encode(), own.state.encode()):
            raise _not_ours()
        if answer.get("iss", provider.issuer) != provider.issuer:  # RFC 9207: the answer of another provider
            raise _not_ours()
        self._only_once(provider, own.state)
        if "error" in answer or not answer.get("code"):
            raise LoginDeniedError("the identity provider did not log you in.", hint="Log in again.")
        token = client.id_token(answer["code"], own.verifier, self.redirect_uri(name))
        claims = check_id_token(token, provider, client.keys, nonce=own.nonce, now=self._store.clock())
        role = provider.role_of(claims)
        who = Identity(provider.name, provider.issuer, claims["sub"], provider.name_of(claims))
        return Arrived(provider.tenant, who, role, timedelta(hours=provider.login_hours))

    def logout_url(self, name: str) -> str | None:
        """Where a person logs out of the provider too (OpenID Connect RP-Initiated Logout 1.0); None without a place.

        Raises:
            NotFoundError, ProviderUnavailableError.
        """
        client = self.client(name)
        endpoint = client.configuration().end_session_endpoint
        if endpoint is None:
            return None
        query = {
            "client_id": client.provider.client_id,
            "post_logout_redirect_uri": f"{self._public_url}/console/login",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def redirect_uri(self, name: str) -> str:
        """The address that is registered with the provider."""
        return f"{self._public_url}/console/sso/{name}/callback"

    def close(self) -> None:
        """Close the connections."""
        for each in self._clients.values():
            each.close()

    def _random(self, name: str, provider: Provider, cookie: str | None) -> str:
        with self._store.read() as tx:
            opened = Signer(self._store, "sso").open(tx, cookie or "")
        if opened is None or opened[0] != provider.tenant or opened[1].get("p") != name:
            raise _not_ours()
        if opened[1].get("e", 0) <= self._store.clock().timestamp():
            raise LoginStateError("the login took too long.", hint="Log in again.")
        return str(opened[1]["n"])

    def _secrets(self, provider: Provider, random: str) -> _Secrets:
        with self._store.read() as tx:
            return _Secrets(
                *(Signer(self._store, f"sso-{kind}").mac(tx, provider.tenant, random) for kind in _Secrets.__slots__)
            )

    def _only_once(self, provider: Provider, state: str) -> None:
        """The table of idempotency keys remembers a state for a day; the cookie that goes with it lives for minutes."""
        try:
            with self._store.write() as tx:
                self._store.idempotency.begin(tx, provider.tenant, f"sso:{provider.name}", state, state.encode())
        except IdempotencyConflictError:
            raise LoginStateError("this login was answered before.", hint="Log in again.") from None


def _not_ours() -> LoginStateError:
    return LoginStateError("the answer belongs to no login that was begun here.", hint="Log in again.")
