"""Commands that were renamed: whoever calls one under its old name is told the new one."""

from __future__ import annotations

import click

from samebody.errors import UsageError


class MovedCommandError(UsageError):
    """A command was called under a name it no longer has."""

    code = "usage.moved"


def moved(old: str, new: str) -> click.Command:
    """A command that takes anything and answers with the new name."""

    @click.command(old, context_settings={"ignore_unknown_options": True, "help_option_names": []}, hidden=True)
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def command(rest: tuple[str, ...]) -> None:
        raise MovedCommandError(f"`samebody {old}` has moved.", hint=f"Use `{new}` with the same options.")

    return command
