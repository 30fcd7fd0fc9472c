"""``samebody evaluate pad``: attack detection from a table, per species, never pooled."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samebody.cli.evaluate_parts import FILE, hand_over

if TYPE_CHECKING:
    from samebody.lab.evaluate import PadResult


@click.command("pad", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--scores", type=FILE, required=True, help="Table with score and pai_species (empty: bona fide).")
@click.option("--development", type=FILE, help="Table of other people, for the threshold of the ACER.")
@click.option(
    "--unit",
    required=True,
    type=click.Choice(["frame", "video", "presentation", "subject"]),
    help="What one score stands for.",
)
@click.option(
    "--aggregation",
    default="none",
    show_default=True,
    type=click.Choice(["none", "mean", "median", "min", "max"]),
    help="How rows of one `presentation` become one score.",
)
@click.option("--threshold", "thresholds", multiple=True, type=float, help="Score to report at; several times.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder to write.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--algorithm", default="", help="Name of what made the scores.")
@click.option("--dataset", default="", help="Name of the data set.")
@click.option("--replicates", default=1000, show_default=True, type=click.IntRange(20), help="Of the bootstrap.")
@click.option("--seed", default=20260, show_default=True, type=int, help="Of the bootstrap.")
def command(**options: Any) -> None:
    """APCER of each species and their maximum, BPCER, non-responses, BPCER at APCER 5, 1 and 0.1 %."""

    from samebody.cli.evaluate_verification import typed
    from samebody.lab.evaluate import PadOptions, pad
    from samebody.measure import BootstrapOptions

    result = pad(
        options["scores"],
        unit=options["unit"],
        aggregation=options["aggregation"],
        development=options["development"],
        algorithm=options["algorithm"] or options["scores"].stem,
        dataset=options["dataset"],
        options=PadOptions(
            thresholds=options["thresholds"],
            bootstrap=BootstrapOptions(replicates=options["replicates"], seed=options["seed"]),
        ),
        command=typed(sys.argv[1:], "evaluate", "pad"),
    )
    hand_over(result, options["out"], options["as_json"], show)


def show(result: PadResult) -> None:
    """The figures on the terminal."""
    from rich.console import Console
    from rich.table import Table

    from samebody.cli.evaluate_verification import percent, rate

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(
        f"{result.algorithm.label} on {result.dataset.name} ({result.dataset.protocol}): {result.attacks:,} attack and "
        f"{result.bona_fide:,} bona fide presentations"
    )
    for rates in result.rates:
        table = Table(title=f"threshold {rates.threshold:.6g}")
        for column in ("species", "attack potential", "APCER [95 %]", "APNRR"):
            table.add_column(column)
        for entry in rates.species:
            table.add_row(
                str(entry.species),
                "-" if entry.attack_potential is None else str(entry.attack_potential),
                "-" if entry.apcer is None else rate(entry.apcer, percent),
                percent(entry.apnrr.rate),
            )
        console.print(table)
        for potential in rates.potentials:
            of = "" if potential.attack_potential is None else f" at attack potential {potential.attack_potential}"
            console.print(f"APCER{of}: {percent(potential.apcer)} (worst species: {potential.worst_species})")
        if rates.bpcer is not None and rates.bpnrr is not None:
            console.print(f"BPCER: {rate(rates.bpcer, percent)}, BPNRR {percent(rates.bpnrr.rate)}")
    for point in result.points:
        console.print(f"{point.name}: {rate(point.bpcer, percent)} at threshold {point.threshold:.6g}")
    if result.acer is not None:
        console.print(f"{result.acer.label}: {percent(result.acer.acer)} at the development set's threshold")
    for warning in result.warnings:
        console.print(f"note: {warning}", style="yellow")
