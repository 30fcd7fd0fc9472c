"""``samebody explain``: why a score is what it is; each command in a module of its own."""

from __future__ import annotations

import click

from samebody.cli.lazy import LazyGroup

COMMANDS = {
    "pair": ("samebody.cli.explain_pair", "why two faces are alike or not: maps of both, and in words"),
    "picture": ("samebody.cli.explain_picture", "why a detector scores a picture as it does"),
    "judge": ("samebody.cli.explain_judge", "judge the explanations: deletion and insertion against random maps"),
    "sanity": ("samebody.cli.explain_sanity", "does a method find planted evidence, does it look at the model"),
    "run": ("samebody.cli.explain_run", "Grad-CAM or integrated gradients of a training run"),
    "errors": ("samebody.cli.explain_errors", "the worst errors of an evaluation, clustered, on one page"),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Explain scores, judge the explanations, look into errors."""
