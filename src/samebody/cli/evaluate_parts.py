"""What several commands of ``samebody evaluate`` share: options, and what is done with a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

Command = TypeVar("Command", bound=Callable[..., Any])


class Result(Protocol):
    """Figures that can be written as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON values."""


R = TypeVar("R", bound=Result)


def model_option(command: Command) -> Command:
    """``--model``: the embedder."""
    return click.option("--model", default="face/sface", show_default=True, help="Record id of the embedder.")(command)


def repeats_option(command: Command) -> Command:
    """``--repeats``: the reviewed list."""
    text = "Reviewed list of pictures of fairface that show one person twice."
    return click.option("--repeats", type=FILE, help=text)(command)


def hand_over(result: R, out: Path | None, as_json: bool, show: Callable[[R], None]) -> None:
    """Write ``result`` as a run folder ``out`` if asked for, then print it as JSON or by ``show``."""
    from samebody.lab.evaluate.runs import RUN, write_folder

    text = json.dumps(result.to_dict(), indent=1, ensure_ascii=False)
    if out:
        content = (text + "\n").encode()
        click.echo(f"written: {write_folder(out, {RUN: content}, {})}", err=True)
    if as_json:
        click.echo(text)
    else:
        show(result)
