"""Rule files of a product owner (gates, acceptance criteria): YAML read safely, every mistake at once with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from samebody.errors import InputError, UsageError

MAX_BYTES = 256 * 1024
_MAX_DEPTH = 8
_MAX_NODES = 20_000

Place = tuple[str | int, ...]
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


class _Loader(yaml.SafeLoader):
    """YAML with numbers as people write them: ``1e-4`` is a number here, in YAML 1.1 it is a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


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
    lines: dict[Place, int] = {}
    doubled: list[str] = []
    try:
        node = yaml.compose(text, Loader=_Loader)
        values = _plain(node, (), lines, doubled) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        raise RuleFileError(name, [f"{place}no YAML: {getattr(error, 'problem', None) or error}"]) from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise RuleFileError(name, [f"cannot be read: {error}"]) from None
    if not isinstance(values, dict):
        raise RuleFileError(name, ["holds no rules: it must be a mapping that starts with `schema_version: 1`"])
    try:
        found = kind.model_validate(values)
    except ValidationError as error:
        raise RuleFileError(name, [*doubled, *_described(error, lines, kind)]) from None
    if doubled:
        raise RuleFileError(name, doubled)
    return found


def _plain(node: yaml.Node, where: Place, lines: dict[Place, int], doubled: list[str]) -> Any:
    """Plain values of ``node``; notes the line of each and the keys that stand twice."""
    lines.setdefault(where, node.start_mark.line + 1)
    if len(where) > _MAX_DEPTH or len(lines) > _MAX_NODES:
        raise ValueError("nested too deeply, or too large")
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            if key in found:
                doubled.append(f"line {key_node.start_mark.line + 1}: {_dotted((*where, key))} stands twice")
            lines[(*where, key)] = key_node.start_mark.line + 1
            found[key] = _plain(value, (*where, key), lines, doubled)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*where, index), lines, doubled) for index, item in enumerate(node.value)]
    loader = _Loader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def _described(error: ValidationError, lines: dict[Place, int], kind: type[BaseModel]) -> list[str]:
    found = []
    entries = error.errors(include_url=False, include_context=False)
    for entry in entries:
        where: Place = tuple(entry["loc"])
        if entry["type"] == "too_short":
            if any(len(other["loc"]) > len(where) and other["loc"][: len(where)] == where for other in entries):
                continue  # the entries are there, and each has mistakes of its own
            entry["msg"] = "needs at least one entry"
        at = where
        while at and at not in lines:
            at = at[:-1]
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
        place = f"line {lines[at]}: " if at in lines else ""
        found.append((lines.get(at, 0), f"{place}{_dotted(where) + ': ' if where else ''}{message}{hint}"))
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


def _dotted(where: Place) -> str:
    return ".".join(str(step) for step in where)
