"""A little OpenID provider over HTTP, with keys of its own, that can be told to misbehave."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.store.conftest import SetClock

CLIENT, SECRET = "samebody", "a secret of the client/+"
Claims = dict[str, Any]


@dataclass
class SigningKey:
    """A key pair with its id."""

    kid: str
    algorithm: str = "ES256"
    private: Any = None

    def __post_init__(self) -> None:
        if self.private is None and self.algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
        elif self.private is None:
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, Any]:
        kind = jwt.algorithms.ECAlgorithm if self.algorithm == "ES256" else jwt.algorithms.RSAAlgorithm
        found = json.loads(kind.to_jwk(self.private.public_key()))
        return {**found, "kid": self.kid, "use": "sig", "alg": self.algorithm}


@dataclass
class IdentityProvider:
    """What it is and how it behaves.

    Attributes:
        person: claims of whoever logs in.
        published: keys that anybody can read; ``signs`` is used.
        change: applied to the claims of a token before it is signed.
        make: replaces the signing of claims.
    """

    clock: SetClock
    person: Claims = field(
        default_factory=lambda: {"sub": "248289761001", "name": "Ada Lovelace", "roles": ["kyc-team"]}
    )
    published: list[SigningKey] = field(default_factory=list)
    signs: SigningKey = field(default_factory=lambda: SigningKey("one"))
    change: Callable[[Claims], Claims] = lambda claims: claims
    make: Callable[[Claims], str] | None = None
    configuration: dict[str, Any] = field(default_factory=dict)
    refuses: bool = False
    issuer: str = ""
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.published = self.published or [self.signs]

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "code_challenge_methods_supported": ["S256"],
            **self.configuration,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Log the person in at once; where to send the browser."""
        assert query["response_type"] == "code" and query["client_id"] == CLIENT and "openid" in query["scope"].split()
        assert query["code_challenge_method"] == "S256"
        back = {"state": query["state"], "iss": self.issuer}
        if self.refuses:
            return f"{query['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}"
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({**back, 'code': code})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """An ID token for a code; codes, clients and verifiers are really checked."""
        asked = self._codes.pop(form.get("code", ""), None)
        expected = base64.b64encode(b"samebody:a%20secret%20of%20the%20client%2F%2B").decode()
        if authorization != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        challenge = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if asked is None or asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        return 200, {"token_type": "Bearer", "access_token": "x", "id_token": self.signed(self.change(claims))}

    def signed(self, claims: Claims) -> str:
        if self.make is not None:
            return self.make(claims)
        return jwt.encode(claims, self.signs.private, self.signs.algorithm, headers={"kid": self.signs.kid})


def _handler(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if parts.path == "/.well-known/openid-configuration":
                self.answer(200, provider.discovery())
            elif parts.path == "/keys":
                self.answer(200, {"keys": [each.jwk() for each in provider.published]})
            elif parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(query))
                self.end_headers()
            else:
                self.answer(404, {})

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            self.answer(*provider.token(form, self.headers.get("Authorization", "")))

        def answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def running(clock: SetClock) -> Iterator[IdentityProvider]:
    """A provider that listens on a port of this machine."""
    provider = IdentityProvider(clock)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider))
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
