"""Why a login through an identity provider is not taken. No message repeats a token, a code or a claim."""

from __future__ import annotations

from samebody.errors import ConfigError, ResourceError, UsageError


class SsoConfigError(ConfigError):
    """The file of identity providers is missing or wrong."""

    code = "sso.config"


class ProviderUnavailableError(ResourceError):
    """The identity provider does not answer, or not as OpenID Connect says."""

    code = "sso.provider_unavailable"


class LoginStateError(UsageError):
    """The answer belongs to no login that was begun in this browser, or to one that was answered before."""

    code = "sso.state_invalid"


class LoginDeniedError(UsageError):
    """The identity provider did not log the person in."""

    code = "sso.denied"


class IdTokenError(UsageError):
    """The ID token is not one to rely on.

    Attributes:
        check: what failed, in a word or two: ``signature``, ``issuer``, ``audience``, ``time``, ``nonce`` ...
    """

    code = "sso.token_invalid"

    def __init__(self, check: str) -> None:
        super().__init__(
            f"the identity provider's answer is not valid: {check}.",
            hint="Log in again; if it stays, tell the operator.",
        )
        self.check = check


class NoRoleError(UsageError):
    """The person is known, and has no role here."""

    code = "sso.no_role"
