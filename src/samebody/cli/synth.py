"""``samebody synth``: synthetic input for training and tests, made from pictures of one's own."""

from __future__ import annotations

import click

from samebody.cli.lazy import LazyGroup

COMMANDS = {
    "attacks": (
        "samebody.cli.synth_attacks",
        "presentation attacks, swaps, morphs and injections from bona fide pictures",
    ),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Make synthetic input: seeded, labelled, never used by the runtime."""
