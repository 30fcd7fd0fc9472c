"""Find, read and check policies: every mistake of a file at once, each with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from samebody.config import Settings, load_settings
from samebody.decide.engine import layers_that_accept_alone
from samebody.decide.errors import Mistake, PolicyInvalidError, PolicyNotFoundError
from samebody.decide.policy import Policy, contradictions, field_names
from samebody.located_yaml import Located, NumberLoader, Place, UnreadableYamlError, dotted, read_located

_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ListedPolicy:
    """A policy that was found: ``origin`` is ``bundled`` or its path; ``policy`` is None when it has mistakes."""

    id: str
    origin: str
    policy: Policy | None
    mistakes: tuple[Mistake, ...] = ()


def bundled_policies() -> tuple[str, ...]:
    """Names of the policies that come with the package."""
    folder = resources.files("samebody.decide") / "policies"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def policy_text(name_or_path: str | Path, settings: Settings | None = None) -> tuple[str, str]:
    """Text and origin of a policy: a path, a bundled name, or a name in one of the settings' ``policies_dirs``.

    Bundled names go first, so that a file in a folder cannot quietly replace ``strict``.

    Raises:
        PolicyNotFoundError: when there is no such policy or the file cannot be read.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name:
        return _read(Path(name)), name
    if name in bundled_policies():
        return _bundled_text(name), "bundled"
    folders = (settings or load_settings()).policies_dirs
    for folder in folders:
        for suffix in (".yaml", ".yml"):
            path = folder / f"{name}{suffix}"
            if path.is_file():
                return _read(path), str(path)
    known = sorted({*bundled_policies(), *(path.stem for path in _files(folders))})
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."
    raise PolicyNotFoundError(f"There is no policy named {name!r}.", hint=hint)


def load_policy(name_or_path: str | Path, settings: Settings | None = None) -> Policy:
    """The policy of that name or path.

    Raises:
        PolicyNotFoundError: when there is none.
        PolicyInvalidError: with every mistake, when it has any.
    """
    if isinstance(name_or_path, str) and name_or_path in bundled_policies():
        return _load_bundled(name_or_path)
    text, origin = policy_text(name_or_path, settings)
    return read_policy(text, str(name_or_path) if origin == "bundled" else origin)


@lru_cache(maxsize=256)
def read_policy(text: str, name: str) -> Policy:
    """The policy in ``text``, called ``name`` in errors. The last 256 are kept: a policy does not change.

    Raises:
        PolicyInvalidError: with every mistake, when it has any.
    """
    policy, mistakes = parse_policy(text)
    if policy is None:
        raise PolicyInvalidError(name, mistakes)
    return policy


def check_policy(path: str | Path) -> list[Mistake]:
    """Every mistake of the policy file at ``path``, by line; an empty list means that it can be used.

    Raises:
        PolicyNotFoundError: when the file cannot be read.
    """
    return parse_policy(_read(Path(path)))[1]


def list_policies(settings: Settings | None = None) -> list[ListedPolicy]:
    """Bundled policies first, then those in the settings' folders, with what is wrong with them."""
    found = [ListedPolicy(name, "bundled", _load_bundled(name)) for name in bundled_policies()]
    for path in _files((settings or load_settings()).policies_dirs):
        policy, mistakes = parse_policy(_read(path))
        if path.stem in {entry.id for entry in found}:
            mistakes = [*mistakes, Mistake(0, 0, "", f"is hidden by {path.stem} found earlier.", "Rename the file.")]
        found.append(ListedPolicy(path.stem, str(path), policy, tuple(mistakes)))
    return found


def parse_policy(text: str) -> tuple[Policy | None, list[Mistake]]:
    """The policy in ``text`` and every mistake in it; the policy is None as soon as there is one.

    Contradictions are looked for even when other parts are wrong: a wrong part is then replaced by that of
    ``default`` for the time of the check.
    """
    try:
        found = read_located(text)
    except UnreadableYamlError as problem:
        what = f"is no YAML: {problem}" if problem.syntax else str(problem)
        return None, [Mistake(problem.line, problem.column, "", f"{what}.")]
    data = found.values
    if not isinstance(data, dict):
        return None, [
            Mistake(1, 1, "", "holds no policy.", "A policy is a mapping that starts with `schema_version: 1`.")
        ]
    mistakes = [
        Mistake(
            twice.line,
            twice.column,
            dotted(twice.where),
            f"stands twice; first in line {twice.first_line}.",
            "Keep one of them.",
        )
        for twice in found.doubled
    ]
    unknown = list(_unknown_keys(data, (), found))
    mistakes += unknown
    for mistake in unknown:
        _remove(data, tuple(mistake.where.split(".")))
    policy, problems = _validate(data)
    mistakes += [_from_pydantic(problem, found) for problem in problems]
    sound = policy or _repaired(data, problems)
    if sound is not None:
        mistakes += [_placed(where, message, hint, found) for where, message, hint in contradictions(sound)]
        mistakes += _accepts_alone(sound, found)
    unique = sorted(set(mistakes))
    return (None if unique else policy), unique


def _accepts_alone(policy: Policy, found: Located) -> Iterator[Mistake]:
    alone = layers_that_accept_alone(policy)
    if "nothing" in alone:
        message, alone = "the policy accepts without any check having passed.", []
        yield _placed("layers", message, "Let at least two layers be must_pass.", found)
    for layer in alone:
        yield _placed(
            f"layers.{layer}",
            "this layer alone is enough for an accept, and no single model may accept alone.",
            "Let another layer be must_pass.",
            found,
        )


def _validate(data: Any) -> tuple[Policy | None, list[dict[str, Any]]]:
    try:
        return Policy.model_validate(data), []
    except ValidationError as error:
        return None, [dict(problem) for problem in error.errors(include_url=False, include_context=False)]


def _repaired(data: Any, problems: list[dict[str, Any]]) -> Policy | None:
    """``data`` with every wrong part taken from ``default`` (or left out), to look for contradictions in the rest."""
    spare = yaml.load(_bundled_text("default"), Loader=NumberLoader)
    for problem in problems:
        where = tuple(step for step in problem["loc"] if step != "[key]")
        replacement: Any = spare
        for step in where:
            replacement = replacement.get(step) if isinstance(replacement, dict) else None
        _remove(data, where)
        if replacement is not None and not any(isinstance(step, int) for step in where):
            _put(data, where, replacement)
    return _validate(data)[0]


def _unknown_keys(data: Any, where: Place, found: Located) -> Iterator[Mistake]:
    if not isinstance(data, dict):
        return
    allowed = field_names(where)
    for key, value in data.items():
        here = (*where, key)
        if allowed and key not in allowed:
            close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(allowed)}."
            yield Mistake(*found.places[here], dotted(here), "is not known.", hint)
        else:
            yield from _unknown_keys(value, here, found)


def _from_pydantic(problem: Mapping[str, Any], found: Located) -> Mistake:
    where = tuple(step for step in problem["loc"] if step != "[key]")
    message = str(problem["msg"])
    hint = ""
    if problem["type"] == "missing":
        message, hint = "is missing.", "Every policy says it."
    else:
        message = message[0].lower() + message[1:] + "."
        value = problem.get("input")
        if isinstance(value, str | int | float | bool):
            message = f"{str(value)[:60]!r} does not fit: {message}"
            choices = re.findall(r"'([a-z_]+)'", str(problem["msg"]))
            close = difflib.get_close_matches(str(value), choices, n=1)
            hint = f"Did you mean {close[0]}?" if close else ""
    return Mistake(*found.place(where), dotted(where), message, hint)


def _placed(where: str, message: str, hint: str, found: Located) -> Mistake:
    """A mistake at the dotted path ``where``; keys of ``checks`` and ``reasons`` hold dots themselves."""
    head, _, rest = where.partition(".")
    if head in ("checks", "reasons") and rest:
        key, _, field = (
            rest.rpartition(".") if head == "checks" and "on_" in rest.rpartition(".")[2] else (rest, "", "")
        )
        steps: Place = (head, key, field) if field else (head, key)
    else:
        steps = tuple(where.split("."))
    return Mistake(*found.place(steps), where, message, hint)


def _remove(data: Any, where: Place) -> None:
    for step in where[:-1]:
        data = data.get(step) if isinstance(data, dict) else None
    if isinstance(data, dict):
        data.pop(where[-1], None)


def _put(data: Any, where: Place, value: Any) -> None:
    for step in where[:-1]:
        data = data.setdefault(step, {}) if isinstance(data, dict) else None
    if isinstance(data, dict):
        data[str(where[-1])] = value


@cache
def _load_bundled(name: str) -> Policy:
    return read_policy(_bundled_text(name), name)


def _bundled_text(name: str) -> str:
    return (resources.files("samebody.decide") / "policies" / f"{name}.yaml").read_text(encoding="utf-8")


def _files(folders: tuple[Path, ...]) -> list[Path]:
    return [path for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.y*ml")) if path.is_file()]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise PolicyNotFoundError(f"{str(path)!r} is too large to be a policy.", hint="The limit is 256 kB.")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise PolicyNotFoundError(
            f"There is no file {str(path)!r}.", hint="Give the name or the path of a policy."
        ) from None
    except (OSError, ValueError) as error:
        raise PolicyNotFoundError(f"{str(path)!r} cannot be read as text: {error}.") from None
