"""What several commands of ``samebody data`` share: options, progress, pairs of name and value."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

SETTINGS = {"help_option_names": ["-h", "--help"]}
SET = click.Path(exists=True, file_okay=False, path_type=Path)

Command = TypeVar("Command", bound=Callable[..., Any])


def data_set_argument(command: Command) -> Command:
    """``DATA_SET``: the folder."""
    return click.argument("data_set", type=SET)(command)


def version_option(command: Command) -> Command:
    """``--version``: which version; the last one by default."""
    text = "Version to start from (its name or the beginning of it); the last one otherwise."
    return click.option("--version", "version", metavar="ID", help=text)(command)


def json_option(command: Command) -> Command:
    """``--json``: print the result as JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def pairs(values: tuple[str, ...], option: str) -> dict[str, str]:
    """``name=value`` arguments as a dictionary; raises a usage error for anything else."""
    found = {}
    for value in values:
        name, equals, content = value.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE.", param_hint=option)
        found[name.strip()] = content.strip()
    return found


def say(result: Any, as_json: bool, lines: list[str]) -> None:
    """Print ``result`` as JSON, or lines for people."""
    click.echo(json.dumps(result, indent=1, ensure_ascii=False, default=str) if as_json else "\n".join(lines))


def figures(counts: dict[str, Any]) -> str:
    """Counts in one line."""
    return ", ".join(f"{name} {value}" for name, value in counts.items()) or "nothing"


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress function that shows a bar on a terminal and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, whole: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, whole: shown.update(task, completed=done, total=whole)
