"""Entry point: finds the command's module only when that command runs, so that ``--help`` stays fast."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from samebody.cli.lazy import LazyGroup

COMMANDS = {
    "verify": ("samebody.cli.verify", "verify a person against their document"),
    "demo": ("samebody.cli.demo", "run the main job on example photographs"),
    "face": ("samebody.cli.face", "compare faces, assess face image quality"),
    "iris": ("samebody.cli.iris", "encode and compare irises, show what was seen"),
    "document": ("samebody.cli.document", "read documents, render specimens"),
    "gallery": ("samebody.cli.gallery", "enrol people once, find them among many (1:N)"),
    "models": ("samebody.cli.models", "list, show, pull, check, promote and roll back models"),
    "data": ("samebody.cli.data", "data sets: ingest, check, clean, divide, describe, erase, label"),
    "synth": ("samebody.cli.synth", "make attacks from bona fide pictures, to train and test with"),
    "train": ("samebody.cli.train", "train a recipe: data to weights, repeatable and resumable"),
    "tune": ("samebody.cli.tune", "search for better values in a recipe"),
    "compress": ("samebody.cli.compress", "make a trained network smaller: prune, train for int8"),
    "ship": ("samebody.cli.ship", "export, quantise, gate, record and sign a model"),
    "evaluate": ("samebody.cli.evaluate", "measure scores, templates or models to the field's standards"),
    "explain": ("samebody.cli.explain", "why a score is what it is: maps in words, judged; worst errors on one page"),
    "compare-runs": ("samebody.cli.compare_runs", "compare two evaluation runs, check release gates"),
    "policy": ("samebody.cli.policy", "list and check policies"),
    "serve": ("samebody.cli.serve", "run the service: API, workers, webhooks"),
    "operate": ("samebody.cli.operate", "watch and change what runs: drift, shadows, rollback, labels, cost"),
    "doctor": ("samebody.cli.doctor", "look whether everything needed is here"),
    "store": ("samebody.cli.store", "the service's database: upgrade, keys, retention, backup, erasure"),
    "audit": ("samebody.cli.audit", "check and export the audit log"),
}

MOVED = {"match": "samebody evaluate operating-points"}
"""Commands that have another name now; they answer with it."""


class _Commands(LazyGroup):
    """The commands, and those that were here once."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of ``cmd_name`` and return its ``command``; a moved command says where it went."""
        if cmd_name in MOVED:
            from samebody.cli.moved import moved

            return moved(cmd_name, MOVED[cmd_name])
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="samebody", prog_name="samebody")
def cli() -> None:
    """Is this the same, real, unique person, and does the document belong to them?

    Exit codes: 0 accept, 1 reject, 3 review, 4 retry, 64 usage, 65 input, 69 resource missing, 70 internal, 74 I/O.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; typed errors become one line on standard error and an exit code, never a stack trace."""
    from samebody.errors import SamebodyError

    try:
        result = cli.main(args=arguments, prog_name="samebody", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except SamebodyError as error:
        click.echo(f"samebody: {error.code}: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(64)
    except (click.Abort, KeyboardInterrupt):
        click.echo("samebody: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:  # the last wall: a fault of ours reaches the user as one line, the trace only on request
        if os.environ.get("SAMEBODY_DEBUG"):
            raise
        click.echo(
            f"samebody: internal: {type(error).__name__}. Set SAMEBODY_DEBUG=1 to see where, and please report it.",
            err=True,
        )
        sys.exit(70)
