"""Every error samebody raises on purpose: one base, a stable code each, a message that says what to do next.

A *bad picture* is not an error but a :class:`samebody.types.Finding`. An error is a fault of the caller
(a file that is no picture, a policy that does not parse) or of the system (weights missing, disk full).
"""

from __future__ import annotations

from typing import ClassVar


class SamebodyError(Exception):
    """Base of all typed errors.

    Attributes:
        code: stable, dotted, machine-readable; never reworded once released.
        message: one sentence that says what is wrong. Never holds biometric data.
        hint: one sentence that says what to do next.
        exit_code: what the command line exits with (64 usage, 65 input, 69 resource missing, 70 internal, 74 I/O).
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def to_dict(self) -> dict[str, str]:
        """The error as JSON-ready fields: ``code``, ``message``, ``hint``."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class UsageError(SamebodyError):
    """The caller asked for something that does not exist or does not fit together."""

    code = "usage"
    exit_code = 64


class ConfigError(UsageError):
    """A setting is missing or out of its bounds."""

    code = "config.invalid"


class InputError(SamebodyError):
    """What the caller handed over cannot be used; rooms subclass this with codes of their own."""

    code = "input"
    exit_code = 65


class ResourceError(SamebodyError):
    """Something the system needs is not there (weights, a decoder, a folder)."""

    code = "resource"
    exit_code = 69


class StorageError(SamebodyError):
    """Reading or writing failed (disk full, read-only folder, permission)."""

    code = "storage"
    exit_code = 74


class EmbeddingSpaceMismatchError(UsageError):
    """Two templates come from different embedding spaces and must never be compared."""

    code = "match.space_mismatch"


class NotMeasuredError(ResourceError):
    """A policy asks for an error rate at which the model record has no measured operating point."""

    code = "models.not_measured"
