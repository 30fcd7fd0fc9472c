"""One event of the audit log, the bytes that are hashed, and the statement that a checkpoint signs.

The digest of an event is SHA-256 over ``samebody-audit-event/1`` , a line feed, and the canonical JSON of its fields,
with the digest of the event before it: whoever changes one event has to change all that follow, and then the signed
checkpoints tell.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from samebody.store.errors import InvalidValueError

Detail = str | int | float | bool | None
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,200}")


@dataclass(frozen=True, slots=True)
class Event:
    """Who did what to which thing, and when. It names ids of ours only, so that erasing a person leaves it true.

    Attributes:
        sequence: from 1, without gaps, by tenant.
        at: ISO 8601 in UTC with microseconds.
        actor: who: ``key:<id>``, ``user:<id>``, ``worker:<name>``, ``system``.
        action: what, dotted: ``session.accepted``, ``subject.erased``.
        kind, object: which thing.
        details: canonical JSON of a flat object.
        previous, digest: of the event before, and of this one; 64 hexadecimal digits.
    """

    tenant: str
    sequence: int
    at: str
    actor: str
    action: str
    kind: str
    object: str
    details: str
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The root of the Merkle tree (RFC 9162, 2.1) over the digests of the first ``size`` events, signed (Ed25519)."""

    tenant: str
    number: int
    size: int
    root: str
    at: str
    previous: str
    public_key: str
    signature: str

    @property
    def statement(self) -> bytes:
        """What is signed: every field but the signature."""
        fields = asdict(self)
        del fields["signature"]
        return b"samebody-audit-checkpoint/1\n" + canonical(fields).encode()

    @property
    def digest(self) -> str:
        """SHA-256 of the statement: what the next checkpoint names as ``previous``."""
        return hashlib.sha256(self.statement).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces, ASCII only, no NaN: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def genesis(tenant: str) -> str:
    """What the first event of a tenant names as ``previous``."""
    return hashlib.sha256(f"samebody-audit-genesis/1\n{tenant}".encode()).hexdigest()


def digest_of(event: Event) -> str:
    """The digest that ``event`` should carry, 64 hexadecimal digits."""
    fields = asdict(event)
    del fields["digest"]
    return hashlib.sha256(b"samebody-audit-event/1\n" + canonical(fields).encode()).hexdigest()


def checked_details(details: Mapping[str, Detail]) -> str:
    """Canonical JSON of ``details``: flat, short, no control characters, no bytes.

    Raises:
        InvalidValueError: something else; the value is not repeated.
    """
    for name, value in details.items():
        allowed = _TEXT.fullmatch(value) is not None if isinstance(value, str) else _is_plain(value)
        if not allowed:
            raise InvalidValueError(
                f"the audit detail {name!r} is not a short text or a number.", hint="Name ids and codes, not contents."
            )
    try:
        return canonical(dict(details))
    except ValueError:
        raise InvalidValueError("an audit detail is not a finite number.") from None


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, int | float)


def checked_text(value: str, what: str) -> str:
    """``value`` when it is 1 to 200 printable characters.

    Raises:
        InvalidValueError.
    """
    if not value or not _TEXT.fullmatch(value):
        raise InvalidValueError(f"the {what} of an audit event is empty, too long or not printable.")
    return value
