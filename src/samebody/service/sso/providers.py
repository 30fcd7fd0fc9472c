"""Which identity providers there are: a TOML file that the operator writes.

::

    [[provider]]
    name = "staff"                                   # in the address of the login and in the audit log
    title = "Staff account"                          # on the button
    issuer = "https://login.example/realms/staff"
    client_id = "samebody"
    client_secret_file = "/run/secrets/oidc-staff"   # left out for a public client
    tenant = "local"
    roles_claim = "realm_access.roles"               # dots lead into objects

    [provider.roles]                                 # the first line that fits counts
    kyc-leads = "admin"
    kyc-team = "reviewer"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from samebody.service.sso.errors import NoRoleError, SsoConfigError
from samebody.store.access import Role

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that may be asked for: asymmetric ones, so that no shared secret ever passes for the provider's key."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Provider(BaseModel):
    """One identity provider, and the tenant that its people come to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,23}$")
    title: str = Field(default="", max_length=100)
    issuer: str = Field(max_length=500)
    client_id: str = Field(min_length=1, max_length=200)
    client_secret_file: Path | None = None
    client_secret_env: str | None = None
    tenant: str = "local"
    roles_claim: str = Field(default="roles", min_length=1, max_length=200)
    roles: dict[str, Role] = Field(min_length=1)
    name_claim: str = Field(default="name", min_length=1, max_length=200)
    scopes: tuple[str, ...] = ("openid", "profile")
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "PS256", "ES256", "EdDSA"), min_length=1)
    origins: tuple[str, ...] = Field(default=(), description="further origins that its endpoints may have")
    ca_file: Path | None = None
    skew_seconds: int = Field(default=60, ge=0, le=300, description="how far its clock may be off")
    login_hours: float = Field(default=8, gt=0, le=24)
    timeout_seconds: float = Field(default=10, gt=0, le=60)

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.query or parts.fragment or parts.username or not parts.hostname:
            raise ValueError("is the plain https:// address of the provider")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("begins with https://")
        return value

    @field_validator("scopes")
    @classmethod
    def _scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("openid is one of the scopes")
        return value

    @model_validator(mode="after")
    def _one_secret(self) -> Provider:
        if self.client_secret_file is not None and self.client_secret_env is not None:
            raise ValueError("name a file or a variable of the secret, not both")
        return self

    @property
    def label(self) -> str:
        """What stands on the button."""
        return self.title or self.name

    def secret(self) -> str | None:
        """The client's secret; None for a public client.

        Raises:
            SsoConfigError: it is named and not there.
        """
        found = ""
        if self.client_secret_file is not None:
            try:
                found = self.client_secret_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise SsoConfigError(f"the client secret of {self.name} cannot be read from its file.") from None
        elif self.client_secret_env is not None:
            found = os.environ.get(self.client_secret_env, "")
        else:
            return None
        if not found:
            raise SsoConfigError(f"the client secret of {self.name} is empty.", hint="Set it, or leave it out.")
        return found

    def allows(self, url: str) -> bool:
        """Whether this service may ask ``url``: it has the issuer's origin, or one that the operator named."""
        return origin(url) in {origin(self.issuer), *map(origin, self.origins)}

    def role_of(self, claims: Mapping[str, Any]) -> Role:
        """The role of a person, by the first line of ``roles`` that they have.

        Raises:
            NoRoleError.
        """
        found = _claim(claims, self.roles_claim)
        held = {found} if isinstance(found, str) else {each for each in found or () if isinstance(each, str)}
        for theirs, role in self.roles.items():
            if theirs in held:
                return role
        raise NoRoleError("your account has no role here.", hint="Ask who runs the service to give it one.")

    def name_of(self, claims: Mapping[str, Any]) -> str:
        """What colleagues see; empty when the provider does not say."""
        found = _claim(claims, self.name_claim)
        return found[:200] if isinstance(found, str) and found.isprintable() else ""


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    if path in claims:  # some providers name claims by URLs, which have dots of their own
        found = claims[path]
    else:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, str | list) else None


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address; the port that goes without saying is said."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def load_providers(path: Path | None) -> dict[str, Provider]:
    """The providers of a file by name, in its order; none without a file.

    Raises:
        SsoConfigError: with every mistake named at once.
    """
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SsoConfigError(f"the file of identity providers cannot be read: {type(error).__name__}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SsoConfigError(f"the file of identity providers is not TOML: {error}.") from None
    tables = content.pop("provider", [])
    if content or not isinstance(tables, list) or not tables:
        raise SsoConfigError("the file of identity providers holds [[provider]] tables and nothing else.")
    found: dict[str, Provider] = {}
    mistakes = []
    for number, table in enumerate(tables, 1):
        try:
            each = Provider.model_validate(table)
        except ValidationError as error:
            mistakes += [f"provider {number}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            continue
        if each.name in found:
            mistakes.append(f"provider {number}: the name {each.name} is taken")
        found[each.name] = each
    if mistakes:
        raise SsoConfigError(f"the identity providers are not usable: {'; '.join(mistakes)}.")
    return found
