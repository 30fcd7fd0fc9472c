"""Stages: small classes with declared parameters, found through an allow-listed registry.

A stage is pure: same input, same output; a batch agrees with one at a time. Stages are never looked up by
importing a string from a configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from samebody.errors import ConfigError, UsageError


class Parameters(BaseModel):
    """Base of a stage's declared parameters: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


P = TypeVar("P", bound=BaseModel)


def checked(owner: str, model: type[P], parameters: Mapping[str, Any]) -> P:
    """The declared parameters of ``owner`` (a stage, a network, a loss), checked.

    Raises:
        ConfigError: when a parameter is unknown or out of bounds; names every mistake at once.
    """
    try:
        return model(**parameters)
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{owner} refuses its parameters: {mistakes}.") from None


class Stage:
    """Base of all stages. A subclass nests ``class Parameters(stage.Parameters)`` and has one public method.

    Raises:
        ConfigError: when a parameter is unknown or out of bounds; names every mistake at once.
    """

    class Parameters(Parameters):
        """No parameters."""

    def __init__(self, **parameters: Any) -> None:
        self.parameters = checked(type(self).__name__, self.Parameters, parameters)


S = TypeVar("S", bound=type)


class Registry(Generic[S]):
    """An allow-list of stages of one kind, filled by decorator: ``@detectors.register("yunet")``."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, S] = {}

    def register(self, name: str) -> Callable[[S], S]:
        """Class decorator that lists the class under ``name``; a name can be taken once."""

        def add(entry: S) -> S:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered already")
            self._entries[name] = entry
            return entry

        return add

    def __getitem__(self, name: str) -> S:
        try:
            return self._entries[name]
        except KeyError:
            known = ", ".join(sorted(self._entries)) or "none"
            raise UsageError(f"there is no {self.kind} named {name!r}.", hint=f"Known: {known}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))
