"""Identifiers and time: random sortable ids, a clock that tests can set, and what names may look like."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from samebody.store.errors import InvalidValueError

Clock = Callable[[], datetime]
"""Returns the time now, aware, in UTC."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """``prefix_`` and 26 characters: 48 bits of milliseconds, then 80 random bits, in Crockford's base 32.

    Ids sort by the millisecond they were made in, so that an index grows at its end.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    return f"{prefix}_" + "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def require_name(value: str, what: str) -> str:
    """``value`` when it is 1 to 64 letters, digits or ``. _ : -`` and begins with a letter or digit.

    Raises:
        InvalidValueError: it does not; the value is not repeated in the message.
    """
    if not _NAME.fullmatch(value):
        raise InvalidValueError(
            f"{what} has characters or a length that are not allowed.",
            hint="Use 1 to 64 letters, digits, dots, colons, dashes or underscores.",
        )
    return value
