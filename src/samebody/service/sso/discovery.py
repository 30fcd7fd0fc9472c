"""What is asked of an identity provider: its configuration, its keys, and a token for a code. Nobody else is asked.

Every address has the issuer's origin, or one that the operator named; redirects are not followed, answers are bounded.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from samebody.service.sso.errors import LoginDeniedError, ProviderUnavailableError
from samebody.service.sso.idtoken import Jwk
from samebody.service.sso.providers import Provider

LARGEST = 1 << 20
"""Bytes of an answer."""
CONFIGURATION_KEPT, KEYS_KEPT = 3600.0, 900.0
"""Seconds. A key that the provider withdrew is refused after the second at the latest."""
ASKED_AGAIN = 5.0
"""Seconds between two looks for a key that is not known: tokens with invented ids do not become requests."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the provider says of itself (OpenID Connect Discovery 1.0, 3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    post_secret: bool


class ProviderClient:
    """One provider, with what it said last.

    Args:
        transport: of httpx, for tests.
    """

    def __init__(self, provider: Provider, *, transport: httpx.BaseTransport | None = None) -> None:
        self.provider = provider
        trusted: ssl.SSLContext | bool = True
        if provider.ca_file is not None:
            try:
                trusted = ssl.create_default_context(cafile=str(provider.ca_file))
            except (OSError, ssl.SSLError):
                raise ProviderUnavailableError(
                    f"the certificates in the ca_file of {provider.name} cannot be read."
                ) from None
        self._http = httpx.Client(
            timeout=provider.timeout_seconds, follow_redirects=False, trust_env=False, verify=trusted,
            transport=transport, headers={"User-Agent": "samebody-sso/1", "Accept": "application/json"},
        )  # fmt: skip
        self._lock = threading.Lock()
        self._configuration: tuple[float, Configuration] | None = None
        self._keys: tuple[float, list[Jwk]] | None = None

    def configuration(self) -> Configuration:
        """Its configuration, asked for once an hour.

        Raises:
            ProviderUnavailableError.
        """
        with self._lock:
            if self._configuration is None or time.monotonic() - self._configuration[0] > CONFIGURATION_KEPT:
                self._configuration = time.monotonic(), self._ask_configuration()
            return self._configuration[1]

    def keys(self, kid: str | None) -> Sequence[Jwk]:
        """Its keys of an id, or all; an id that is not known yet is looked for again.

        Raises:
            ProviderUnavailableError.
        """
        uri = self.configuration().jwks_uri
        with self._lock:
            age = float("inf") if self._keys is None else time.monotonic() - self._keys[0]
            known = self._keys is not None and any(each.get("kid") == kid for each in self._keys[1])
            if age > KEYS_KEPT or (not known and kid is not None and age > ASKED_AGAIN):
                found = self._ask("GET", uri).get("keys")
                if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
                    raise self._wrong("its keys are not a list")
                self._keys = time.monotonic(), found
            assert self._keys is not None
            return [each for each in self._keys[1] if kid is None or each.get("kid") == kid]

    def id_token(self, code: str, verifier: str, redirect_uri: str) -> str:
        """The ID token for a code (RFC 6749, 4.1.3; RFC 7636, 4.5).

        Raises:
            LoginDeniedError: the provider does not take the code.
            ProviderUnavailableError.
        """
        found, provider = self.configuration(), self.provider
        secret = provider.secret()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        form |= {"client_id": provider.client_id, "code_verifier": verifier}
        basic: tuple[str, str] | None = None
        if secret is not None and found.post_secret:
            form["client_secret"] = secret
        elif secret is not None:  # form-encoded first (RFC 6749, 2.3.1)
            basic = quote(provider.client_id, safe=""), quote(secret, safe="")
        token = self._ask("POST", found.token_endpoint, form=form, basic=basic).get("id_token")
        if not isinstance(token, str):
            raise self._wrong("it sends no ID token")
        return token

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask_configuration(self) -> Configuration:
        provider = self.provider
        found = self._ask("GET", f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != provider.issuer:
            raise self._wrong("it calls itself by another issuer")
        methods = found.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise self._wrong("it does not know PKCE with S256")
        auth = found.get("token_endpoint_auth_methods_supported")
        post = isinstance(auth, list) and "client_secret_post" in auth and "client_secret_basic" not in auth
        return Configuration(
            authorization_endpoint=self._endpoint(found, "authorization_endpoint"),
            token_endpoint=self._endpoint(found, "token_endpoint"),
            jwks_uri=self._endpoint(found, "jwks_uri"),
            end_session_endpoint=self._endpoint(found, "end_session_endpoint")
            if "end_session_endpoint" in found
            else None,
            post_secret=post,
        )

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str:
        url = found.get(name)
        if not isinstance(url, str) or not self.provider.allows(url):
            raise self._wrong(f"its {name} is at another origin", "Name that origin under `origins` if it is right.")
        return url

    def _ask(
        self, method: str, url: str, *, form: Mapping[str, str] | None = None, basic: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        content = None if form is None else urlencode(form).encode()
        headers = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
        auth = None if basic is None else httpx.BasicAuth(*basic)
        data = bytearray()
        try:
            with self._http.stream(method, url, content=content, headers=headers, auth=auth) as answer:
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > LARGEST:
                        raise self._wrong("its answer is too long")
        except httpx.HTTPError as error:
            raise self._wrong(f"it cannot be reached ({type(error).__name__})") from None
        if form is not None and answer.status_code in (400, 401, 403):
            raise LoginDeniedError("the identity provider does not take the login's code.", hint="Log in again.")
        try:
            found = json.loads(data) if answer.status_code == 200 else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self._wrong(f"it answers with status {answer.status_code} and no object")
        return found

    def _wrong(
        self, what: str, hint: str = "Try again; if it stays, run `samebody doctor`."
    ) -> ProviderUnavailableError:
        return ProviderUnavailableError(
            f"the identity provider {self.provider.name} is of no use now: {what}.", hint=hint
        )
