"""A command group that imports a command when it is invoked, so that ``--help`` of the whole stays fast."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

CommandTable = Mapping[str, tuple[str, str]]
"""Module and one line of help by name; the module's ``command`` is the command."""


class LazyGroup(click.Group):
    """A group made of a table; ``--help`` prints the table and imports nothing.

    Args:
        table: the commands, in the order in which they are printed. Commands added by decorator stand in it too if
            they are to be printed.
    """

    def __init__(self, *arguments: Any, table: CommandTable, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command ``cmd_name``, imported on demand; None when there is none."""
        added = super().get_command(ctx, cmd_name)
        if added is not None or cmd_name not in self.table:
            return added
        command: click.Command = importlib.import_module(self.table[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
