"""``samebody tune``: search for better values in a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, json_option, say
from samebody.cli.train import require_torch, shown


@click.command("tune", context_settings=SETTINGS)
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the study.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda:0 ...")
@click.option("--threads", default=0, type=click.IntRange(0, 1024), help="Of the processor; 0 = the machine's choice.")
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), help="Where prepared data are kept.")
@click.option("--storage", default="", metavar="URL", help="Database that several machines share; a file otherwise.")
@click.option("--engine", default="local", show_default=True, type=click.Choice(["local", "ray"]))
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1), help="Trials at once, with --engine ray."
)
@click.option("--address", help="Of a running Ray cluster.")
@json_option
def command(
    study: Path,
    out: Path,
    device: str,
    threads: int,
    cache: Path | None,
    storage: str,
    engine: str,
    workers: int,
    address: str | None,
    as_json: bool,
) -> int:
    """Try values in a recipe as the file STUDY says, in the folder --out; hopeless trials are given up early.

    A study that was interrupted or killed goes on when the same command is given again.
    """
    require_torch()
    from dataclasses import asdict

    from samebody.lab.train.run import asked_to_end
    from samebody.lab.train.tune import tune

    with shown() as report, asked_to_end() as stop:
        result = tune(
            study,
            out,
            cache=cache,
            device=device,
            threads=threads,
            storage=storage,
            workers=workers,
            engine=engine,
            address=address,
            report=lambda name, at: report(at),
            stop=stop,
        )
        ended = stop()
    best = f"{result.best:.5g}" if result.best is not None else "none yet"
    values = ", ".join(f"{place} {value}" for place, value in result.values.items())
    lines = [
        f"{result.trials} trials: {result.completed} completed, {result.pruned} given up early, {result.failed} failed",
        f"best {result.monitor} {best}: {values}" if values else f"best {result.monitor} {best}",
    ]
    if result.recipe is not None:
        lines.append(f"best recipe: {result.recipe}")
    lines.append(f"trials: {out / 'trials.html'}")
    if ended:
        lines.append("interrupted; give the same command again to go on")
    say(asdict(result), as_json, lines)
    return 130 if ended else 0
