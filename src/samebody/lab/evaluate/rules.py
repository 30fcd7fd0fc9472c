"""Rule files of a product owner (gates, acceptance criteria): YAML read safely, every mistake at once with its line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from samebody.errors import InputError, UsageError
from samebody.located_yaml import Located, Place, UnreadableYamlError, dotted, read_located

MAX_BYTES = 256 * 1024
Model = TypeVar("Model", bound=BaseModel)


class RuleFileError(InputError):
    """A rule file has mistakes; ``mistakes`` holds every one of them, with its line."""

    code = "evaluate.rule_file"

    def __init__(self, name: str, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = "one mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__(f"{name} has {count}:" + "".join(f"\n  - {mistake}" for mistake in self.mistakes))


class RuleFileMissingError(UsageError):
    """There is no such rule file, or it cannot be read."""

    code = "evaluate.no_rule_file"


class Rules(BaseModel):
    """Base of all parts of a rule file: unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load_rules(path: Path | str, kind: type[Model]) -> Model:
    """The rule file at ``path`` as ``kind``.

    Raises:
        RuleFileMissingError: it is not there, too large, or no text.
        RuleFileError: it has mistakes; all of them are named, by line.
    """
    where = Path(path)
    try:
        with where.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise RuleFileMissingError(f"{where} is too large to be a rule file.", hint="The limit is 256 kB.")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise RuleFileMissingError(f"{where} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise RuleFileMissingError(f"{where} is no text.", hint="Write it as UTF-8.") from None
    return parse_rules(text, kind, str(where))


def parse_rules(text: str, kind: type[Model], name: str = "the rule file") -> Model:
    """The rules in ``text``.

    Raises:
        RuleFileError: with every mistake.
    """
    try:
        located = read_located(text)
    except UnreadableYamlError as problem:
        what = f"no YAML: {problem}" if problem.syntax else str(problem)
        raise RuleFileError(name, [f"line {problem.line}: {what}"]) from None
    values = located.values
    doubled = [f"line {twice.line}: {dotted(twice.where)} stands twice" for twice in located.doubled]
    if not isinstance(values, dict):
        raise RuleFileError(name, ["holds no rules: it must be a mapping that starts with `schema_version: 1`"])
    try:
        found = kind.model_validate(values)
    except ValidationError as error:
        raise RuleFileError(name, [*doubled, *_described(error, located, kind)]) from None
    if doubled:
        raise RuleFileError(name, doubled)
    return found


def _described(error: ValidationError, located: Located, kind: type[BaseModel]) -> list[str]:
    found = []
    entries = error.errors(include_url=False, include_context=False)
    for entry in entries:
        where: Place = tuple(entry["loc"])
        if entry["type"] == "too_short":
            if any(len(other["loc"]) > len(where) and other["loc"][: len(where)] == where for other in entries):
                continue  # the entries are there, and each has mistakes of its own
            entry["msg"] = "needs at least one entry"
        line, _ = located.place(where)
        message = entry["msg"].removeprefix("Value error, ")
        hint = ""
        if entry["type"] == "extra_forbidden":
            message = "is not known"
            close = difflib.get_close_matches(str(where[-1]), _field_names(kind), n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]}?" if close else ""
        elif entry["type"] == "missing":
            message = "is missing"
        elif isinstance(entry.get("input"), str | int | float | bool):
            message = f"{str(entry['input'])[:60]!r} does not fit: {message[0].lower()}{message[1:]}"
        place = f"line {line}: " if line else ""
        found.append((line, f"{place}{dotted(where) + ': ' if where else ''}{message}{hint}"))
    return [text for _, text in sorted(found)]


def _field_names(kind: type[BaseModel]) -> list[str]:
    """Names of the fields of a model and of the models within it."""
    names: list[str] = []
    waiting: list[Any] = [kind]
    while waiting:
        current = waiting.pop()
        if isinstance(current, type) and issubclass(current, BaseModel):
            for name, field in current.model_fields.items():
                names.append(name)
                waiting.append(field.annotation)
        else:
            waiting += [part for part in getattr(current, "__args__", ()) if part is not None]
    return names
