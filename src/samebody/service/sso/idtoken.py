"""ID tokens, checked (OpenID Connect Core 1.0, 3.1.3.7): signature, algorithm, issuer, audience, times, nonce."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from samebody import crypto
from samebody.service.sso.errors import IdTokenError
from samebody.service.sso.providers import Provider

LONGEST = 64 * 1024
"""Characters of a token."""
LEAST_RSA_BITS = 2048

Jwk = Mapping[str, Any]
Keys = Callable[[str | None], Sequence[Jwk]]
"""From a key's id to the provider's keys of that id; None: all of them."""
_KINDS = {"R": "RSA", "P": "RSA", "E": "EC"}


def check_id_token(token: str, provider: Provider, keys: Keys, *, nonce: str, now: datetime) -> dict[str, Any]:
    """The claims of an ID token that this provider made for this login.

    Args:
        keys: the provider's public keys; may fetch them again for an id that is not known yet.
        nonce: that this login was begun with.

    Raises:
        IdTokenError: with the name of the first check that failed.
        ProviderUnavailableError: from ``keys``.
    """
    if len(token) > LONGEST:
        raise IdTokenError("form")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise IdTokenError("form") from None
    if "crit" in header:  # asks for something that is not understood here (RFC 7515, 4.1.11)
        raise IdTokenError("form")
    algorithm = header.get("alg")
    if algorithm not in provider.algorithms:
        raise IdTokenError("algorithm")
    claims = _verified(token, provider, _key(header, str(algorithm), keys))
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if (several or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise IdTokenError("authorised party")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise IdTokenError("subject")
    _check_times(claims, provider.skew_seconds, now.timestamp())
    if not isinstance(claims["nonce"], str) or not crypto.equal(claims["nonce"].encode(), nonce.encode()):
        raise IdTokenError("nonce")
    return claims


def _verified(token: str, provider: Provider, key: jwt.PyJWK) -> dict[str, Any]:
    # times are checked below, by the clock of the service and with its own leeway
    options: Any = {
        "require": ["iss", "aud", "sub", "exp", "iat", "nonce"],
        "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_sub": False,
    }  # fmt: skip
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=provider.client_id,
            issuer=provider.issuer,
            options=options,
        )
    except jwt.InvalidSignatureError:
        raise IdTokenError("signature") from None
    except jwt.InvalidIssuerError:
        raise IdTokenError("issuer") from None
    except jwt.InvalidAudienceError:
        raise IdTokenError("audience") from None
    except jwt.MissingRequiredClaimError as error:
        raise IdTokenError(f"{error.claim} is missing") from None
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise IdTokenError("form") from None
    return claims


def _key(header: Mapping[str, Any], algorithm: str, keys: Keys) -> jwt.PyJWK:
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise IdTokenError("key")
    kind = "OKP" if algorithm == "EdDSA" else _KINDS[algorithm[0]]
    fitting = [
        each
        for each in keys(kid)
        if each.get("kty") == kind and each.get("use", "sig") == "sig" and each.get("alg", algorithm) == algorithm
    ]
    if len(fitting) != 1:  # without an id only a provider with a single key is clear
        raise IdTokenError("key")
    try:
        found = jwt.PyJWK(dict(fitting[0]), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise IdTokenError("key") from None
    if isinstance(found.key, RSAPublicKey) and found.key.key_size < LEAST_RSA_BITS:
        raise IdTokenError("key")
    return found


def _check_times(claims: Mapping[str, Any], skew: float, now: float) -> None:
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    for value in times.values():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise IdTokenError("time")
    if times["exp"] + skew <= now or any(times.get(name, now) - skew > now for name in ("iat", "nbf")):
        raise IdTokenError("time")
