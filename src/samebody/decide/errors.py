"""Typed errors of the decide room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samebody.errors import InputError, SamebodyError, UsageError


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake in a policy file.

    Attributes:
        line, column: where, counted from 1; 0 when the mistake is about something that is not there at all.
        where: dotted path in the policy, e.g. ``layers.capture.on_failure``; empty for the file as a whole.
        message: what is wrong.
        hint: what to write instead; may be empty.
    """

    line: int
    column: int
    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        where = f"{self.where}: " if self.where else ""
        return f"{place}{where}{self.message}" + (f" {self.hint}" if self.hint else "")


class PolicyNotFoundError(UsageError):
    """There is no policy of that name, and no file."""

    code = "decide.no_such_policy"


class PolicyInvalidError(InputError):
    """A policy file has mistakes; ``mistakes`` holds every one of them."""

    code = "decide.policy_invalid"

    def __init__(self, name: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = "one mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__(
            f"The policy {name} has {count}: " + " | ".join(str(mistake) for mistake in self.mistakes),
            hint="Run `samebody policy check FILE` to see them one by one.",
        )


class NotSerialisableError(SamebodyError):
    """A finding carries something that must not leave the process: pixels, an array, a template, an object."""

    code = "decide.not_serialisable"
