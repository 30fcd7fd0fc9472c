"""``samebody compress``: a finished run to the recipe that makes it smaller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from samebody.cli.data_parts import SETTINGS, json_option, say
from samebody.cli.train import require_torch, values

if TYPE_CHECKING:
    from samebody.lab.train.compress.prune import Importance


@click.command("compress", context_settings=SETTINGS)
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New folder.")
@click.option(
    "--prune", "ratio", default=0.0, type=click.FloatRange(0, 1, max_open=True), help="Share of channels to cut."
)
@click.option(
    "--importance",
    default="l1",
    show_default=True,
    type=click.Choice(["l1", "norm", "taylor"]),
    help="What channels are ranked by.",
)
@click.option("--together", is_flag=True, help="Take the share over all channels together, not in each layer alike.")
@click.option("--quantise", is_flag=True, help="Train with fake quantisation, for int8.")
@click.option("--skip", multiple=True, metavar="NAME", help="Layer that stays in floating point; may repeat.")
@click.option(
    "--set", "changes", multiple=True, metavar="PLACE=VALUE", help="Put into the new recipe, e.g. steps=2000."
)
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), help="Where prepared data are kept.")
@json_option
def command(
    run: Path,
    out: Path,
    ratio: float,
    importance: str,
    together: bool,
    quantise: bool,
    skip: tuple[str, ...],
    changes: tuple[str, ...],
    cache: Path | None,
    as_json: bool,
) -> int:
    """Make the network of RUN (a folder of samebody train) smaller: prune it, prepare it for int8, or both.

    Writes a recipe with the weights to start from; samebody train fine-tunes it.
    """
    require_torch()
    from samebody.lab.train.compress.begin import begin

    begun = begin(
        run,
        out,
        ratio=ratio,
        importance=cast("Importance", importance),
        everywhere_alike=not together,
        quantise=quantise,
        skip=skip,
        changes=values(changes),
        cache=cache,
    )
    lines = []
    if begun.report is not None:
        (weights, fewer), (macs, less) = begun.report.parameters, begun.report.macs
        lines.append(f"weights {weights:,} -> {fewer:,} ({fewer / weights:.0%})")
        lines.append(f"multiplications {macs:,} -> {less:,} ({less / macs:.0%})")
    lines.append(f"next: samebody train {begun.recipe} --out DIR")
    report = begun.report.to_dict() if begun.report is not None else None
    say({"recipe": str(begun.recipe), "pruned": report, "quantised": quantise}, as_json, lines)
    return 0
