"""The typed errors of the operate room."""

from __future__ import annotations

from samebody.errors import InputError, UsageError


class PricesInvalidError(InputError):
    """A file of prices does not say what it must, or says something that is not known."""

    code = "operate.prices_invalid"


class LimitsInvalidError(InputError):
    """A file of limits for promotions does not say what it must, or says something that is not known."""

    code = "operate.limits_invalid"


class WindowError(UsageError):
    """A window of time is empty, or runs into the one it is compared with."""

    code = "operate.window"


class GuardRailError(UsageError):
    """A promotion was refused: a limit is exceeded, or nothing shows that it is kept."""

    code = "operate.guard_rail"


class NothingToDoError(UsageError):
    """There is nothing to roll back to, nothing to export, or no case to compare on."""

    code = "operate.nothing"
