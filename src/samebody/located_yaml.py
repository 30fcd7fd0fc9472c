"""YAML that people write: plain values with the line of each, keys that stand twice, limits against nested bombs.

Policies, rule files and pipelines are checked with every mistake named by its line; this is where the lines come from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Place = tuple[str | int, ...]
"""Keys and positions from the top of the file down to a value."""

MAX_DEPTH = 16
MAX_PARTS = 10_000


class UnreadableYamlError(ValueError):
    """The text cannot be read as plain values.

    Attributes:
        line, column: where, from 1.
        syntax: whether it is no YAML at all.
    """

    def __init__(self, message: str, line: int = 1, column: int = 1, *, syntax: bool = False) -> None:
        super().__init__(message)
        self.line, self.column, self.syntax = line, column, syntax


@dataclass(frozen=True, slots=True)
class Doubled:
    """A key that stands a second time: its place, line and column, and the line of the first."""

    where: Place
    line: int
    column: int
    first_line: int


@dataclass(frozen=True, slots=True)
class Located:
    """The values of a text.

    Attributes:
        values: mappings with text keys, lists, texts, numbers, booleans, dates, None.
        places: (line, column) of each key and item, from 1; the top is ``()``.
        doubled: keys that stand twice; the first counts.
    """

    values: Any
    places: dict[Place, tuple[int, int]] = field(default_factory=dict)
    doubled: list[Doubled] = field(default_factory=list)

    def place(self, where: Place) -> tuple[int, int]:
        """Where ``where`` stands, or the nearest thing around it that does; (0, 0) for the file as a whole."""
        while where and where not in self.places:
            where = where[:-1]
        return self.places[where] if where else (0, 0)


class NumberLoader(yaml.SafeLoader):
    """YAML with numbers as people write them: ``1e-4`` is a number here, in YAML 1.1 it is a text."""


NumberLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_located(text: str) -> Located:
    """The values in ``text`` with their places; ``values`` is None for an empty text.

    Raises:
        UnreadableYamlError: no YAML, a value that cannot be built, nested more than :data:`MAX_DEPTH` deep, more than
            :data:`MAX_PARTS` parts (aliases counted as what they stand for).
    """
    try:
        _refuse_bombs(text)
        node = yaml.compose(text, Loader=NumberLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise UnreadableYamlError(_one_line(error), line, column, syntax=True) from None
    found = Located(None)
    if node is None:
        return found
    try:
        return Located(_build(node, (), found), found.places, found.doubled)
    except UnreadableYamlError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise UnreadableYamlError(f"holds a value that cannot be read: {_one_line(error)}", line, column) from None


def dotted(where: Place) -> str:
    """``layers.face.fmr``."""
    return ".".join(map(str, where))


def _refuse_bombs(text: str) -> None:
    """Stop where the nesting or the number of parts gets out of hand; event by event, so that it costs little."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=NumberLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or count > MAX_PARTS:
            mark = event.start_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise UnreadableYamlError("is nested too deeply, or too large", line, column)


def _build(node: yaml.Node, where: Place, found: Located) -> Any:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    found.places.setdefault(where, (line, column))
    if len(where) > MAX_DEPTH or len(found.places) > MAX_PARTS:  # an alias that holds itself, or many that hold many
        raise UnreadableYamlError("has aliases that make it too large", line, column)
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = (*where, key)
            place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in values:
                found.doubled.append(Doubled(here, *place, found.places[here][0]))
                continue
            found.places[here] = place
            values[key] = _build(value_node, here, found)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*where, index), found) for index, item in enumerate(node.value)]
    loader = NumberLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


def _one_line(error: Exception) -> str:
    text = getattr(error, "problem", None) or str(error).splitlines()[0]
    return str(text).strip().rstrip(".")
