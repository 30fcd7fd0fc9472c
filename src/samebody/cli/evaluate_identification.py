"""``samebody evaluate identification``: FPIR, FNIR, selectivity and CMC of searches in a database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samebody.cli.evaluate_parts import FILE, hand_over

if TYPE_CHECKING:
    from samebody.lab.evaluate import IdentificationResult


@click.command("identification", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--scores", type=FILE, help="Candidates: probe_id, probe_subject, reference_subject, score.")
@click.option("--templates", type=FILE, help="Template set, with --enrol and --probes.")
@click.option("--metadata", type=FILE, help="Table with sample and subject for a .npy of templates.")
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Pictures, likewise.")
@click.option("--labels", type=FILE, help="Table with file and subject of the pictures.")
@click.option("--model", default="face/sface", show_default=True, help="Record of the embedder, with --images.")
@click.option("--aligned", is_flag=True, help="The pictures are aligned crops: no detection.")
@click.option("--enrol", type=FILE, help="Table with sample and subject of the database.")
@click.option("--probes", type=FILE, help="Table with sample and subject of the searches.")
@click.option("--enrolled", type=click.IntRange(1), help="N, where the table does not name everybody enrolled.")
@click.option("--list-length", type=click.IntRange(1), help="Longest candidate list that could be returned.")
@click.option("--fpir", "targets", multiple=True, type=float, help="FPIR to take a threshold for; several times.")
@click.option("--rank", "ranks", multiple=True, type=int, help="R of FNIR(N, R, T); several times.")
@click.option("--threshold", "thresholds", multiple=True, type=float, help="T to report at; several times.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder to write.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--algorithm", default="", help="Name of what made the scores.")
@click.option("--dataset", default="", help="Name of the data set.")
@click.option("--replicates", default=1000, show_default=True, type=click.IntRange(20), help="Of the bootstrap.")
@click.option("--seed", default=20260, show_default=True, type=int, help="Of the bootstrap.")
def command(**options: Any) -> None:
    """FPIR, FNIR, selectivity and CMC; every figure is for the number of subjects enrolled, which is printed."""
    from rich.console import Console

    from samebody.cli.evaluate_verification import progress_bar, typed
    from samebody.errors import UsageError
    from samebody.lab.evaluate import IdentificationOptions, identification, read_search_protocol, read_templates
    from samebody.lab.evaluate.identification import FPIR_TARGETS, RANKS
    from samebody.lab.evaluate.results import Algorithm
    from samebody.measure import BootstrapOptions

    if sum(bool(options[key]) for key in ("scores", "templates", "images")) != 1:
        raise UsageError("give exactly one of --scores, --templates, --images.")
    if bool(options["scores"]) == bool(options["enrol"] and options["probes"]):
        raise UsageError("--enrol and --probes go with --templates or --images, and are needed there.")
    console = Console(stderr=True)
    source: Any = options["scores"]
    algorithm = Algorithm(options["algorithm"])
    if options["templates"]:
        source = read_templates(options["templates"], options["metadata"])
    elif options["images"]:
        from samebody.lab.evaluate.images import embed_pictures, read_pictures

        with progress_bar(console) as step:
            pictures = read_pictures(options["images"], options["labels"])
            source, algorithm = embed_pictures(pictures, options["model"], aligned=options["aligned"], progress=step)
    result = identification(
        source,
        None if options["scores"] else read_search_protocol(options["enrol"], options["probes"]),
        enrolled=options["enrolled"],
        list_length=options["list_length"],
        algorithm=algorithm if algorithm.id else Algorithm("unnamed"),
        dataset=options["dataset"],
        options=IdentificationOptions(
            targets=options["targets"] or FPIR_TARGETS,
            ranks=options["ranks"] or RANKS,
            thresholds=options["thresholds"],
            bootstrap=BootstrapOptions(replicates=options["replicates"], seed=options["seed"]),
        ),
        command=typed(sys.argv[1:], "evaluate", "identification"),
    )
    hand_over(result, options["out"], options["as_json"], show)


def show(result: IdentificationResult) -> None:
    """The figures on the terminal."""
    from rich.console import Console
    from rich.table import Table

    from samebody.cli.evaluate_verification import percent, rate

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(
        f"{result.algorithm.label} on {result.dataset.name}: N = {result.enrolled:,} subjects enrolled, "
        f"{result.mated_searches:,} mated and {result.non_mated_searches:,} non-mated searches"
    )
    failed = result.failed_mated + result.failed_non_mated
    if failed:
        console.print(f"failures to acquire: {failed:,} searches, in no rate below")
    if result.rank_one is not None:
        console.print(f"rank 1: {rate(result.rank_one, percent)} of mated searches (closed set)")
    table = Table(title=f"N = {result.enrolled:,}")
    for column in ("FPIR asked", "T", "R", "FPIR [95 %]", "FNIR [95 %]", "selectivity"):
        table.add_column(column, justify="right")
    for point in result.points:
        for rates in point.rates:
            table.add_row(
                "-" if point.target is None else f"{point.target:g}",
                f"{point.threshold:.6g}",
                f"{rates.rank:,}",
                "-" if rates.fpir is None else rate(rates.fpir, percent),
                "-" if rates.fnir is None else rate(rates.fnir, percent),
                "-" if rates.selectivity is None else f"{rates.selectivity:.3f}",
            )
    if result.points:
        console.print(table)
    for warning in result.warnings:
        console.print(f"note: {warning}", style="yellow")
