"""Errors of the service itself; the store's and the pipeline's pass through with their own codes."""

from __future__ import annotations

from samebody.errors import InputError, ResourceError, UsageError
from samebody.store.errors import AccessDeniedError


class UnauthenticatedError(AccessDeniedError):
    """No key or token was given, or it is not valid."""

    code = "access.unauthenticated"


class CrossSiteError(AccessDeniedError):
    """A form of the console was sent by a page of another site."""

    code = "request.cross_site"


class RateLimitedError(UsageError):
    """The key has used up its requests for now.

    Attributes:
        wait: seconds until the next one is answered.
    """

    code = "rate.limited"

    def __init__(self, wait: float) -> None:
        super().__init__("this key has used up its requests for now.", hint="Wait as Retry-After says.")
        self.wait = wait


class BusyError(ResourceError):
    """The service has as much work as it can bear; nothing was accepted."""

    code = "service.busy"


class BodyTooLargeError(InputError):
    """The body has more bytes than the service takes."""

    code = "request.too_large"


class BodyTooSlowError(InputError):
    """The body did not arrive in time."""

    code = "request.too_slow"


class InvalidRequestError(InputError):
    """A parameter or the body has not the form that the API describes."""

    code = "request.invalid"


class IncompleteSessionError(UsageError):
    """The session lacks a sample that its policy needs."""

    code = "session.incomplete"


class IncompleteUploadError(UsageError):
    """Parts of an upload are missing."""

    code = "upload.incomplete"


class CursorError(InputError):
    """A cursor was changed, or belongs to another list."""

    code = "request.cursor"


class LinkError(UsageError):
    """A signed link has expired, or was changed."""

    code = "link.invalid"
