"""``samebody train``: a recipe to trained weights."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samebody.cli.data_parts import SETTINGS, json_option, pairs, say

if TYPE_CHECKING:
    from samebody.lab.train.loop import Progress
    from samebody.lab.train.recipe import LoadedRecipe
    from samebody.lab.train.run import RunResult

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


def require_torch() -> None:
    """Fail with a typed error that names the extra when torch is not installed."""
    from samebody.lab.evaluate.errors import optional

    optional("torch", "training", "train")


@click.command("train", context_settings=SETTINGS)
@click.argument("recipe")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the run.")
@click.option("--set", "changes", multiple=True, metavar="PLACE=VALUE", help="Put in a value, e.g. optimiser.lr=1e-3.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda:0 ...")
@click.option("--threads", default=0, type=click.IntRange(0, 1024), help="Of the processor; 0 = the machine's choice.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes that train together.")
@click.option("--engine", default="local", show_default=True, type=click.Choice(["local", "ray"]))
@click.option("--address", help="Of a running Ray cluster.")
@click.option("--mlflow", "tracking", metavar="URI", help="Hand the run over to MLflow at its end.")
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), help="Where prepared data are kept.")
@json_option
def command(
    recipe: str,
    out: Path,
    changes: tuple[str, ...],
    device: str,
    threads: int,
    workers: int,
    engine: str,
    address: str | None,
    tracking: str | None,
    cache: Path | None,
    as_json: bool,
) -> int:
    """Train RECIPE (a file, or the name of a bundled recipe) in the folder --out.

    A run that was interrupted or killed goes on when the same command is given again; one that is done is left alone.
    Several processes: --workers N on this machine, --engine ray on a cluster, or start the command by torchrun.
    """
    require_torch()
    from samebody.lab.train.recipe import load_recipe

    result = _trained(
        load_recipe(recipe, values(changes)),
        out,
        {"cache": cache, "device": device, "threads": threads},
        {"workers": workers, "engine": engine, "address": address},
    )
    if result is None:
        return 0
    if tracking:
        from samebody.lab.train.mlflow_export import export_run

        click.echo(f"MLflow run {export_run(out, tracking)}", err=True)
    figures = ", ".join(f"{name} {value:.5g}" for name, value in result.best.items()) or "none"
    lines = [f"{result.status} at step {result.step:,} of {result.steps:,}; {result.rate:,.0f} samples a second"]
    if result.status == "interrupted":
        lines.append("give the same command again to go on")
    else:
        lines.append(f"best at step {result.best_step:,} by {result.monitor}: {figures}")
        lines += [f"{out / name}  sha256 {sha256}" for name, sha256 in sorted(result.weights.items())]
    lines.append(f"curves: {out / 'curves.html'}")
    say({**result.to_dict(), "folder": str(out)}, as_json, lines)
    return 130 if result.status == "interrupted" else 0


def _trained(loaded: LoadedRecipe, out: Path, options: dict[str, Any], several: dict[str, Any]) -> RunResult | None:
    """Train in this process, in several, or as one of those that a launcher started; None for all but its first."""
    from samebody.lab.train import cluster
    from samebody.lab.train.run import train

    if cluster.under_torchrun():
        with cluster.joined(options["device"]) as group:
            options["device"] = str(group.device)
            if group.rank:
                train(loaded, out, **options, group=group)
                return None
            with shown() as report:
                return train(loaded, out, **options, report=report, group=group)
    with shown() as report:
        if several["workers"] > 1 or several["engine"] == "ray":
            return cluster.train_together(loaded, out, **options, **several, report=report)
        return train(loaded, out, **options, report=report)


def values(changes: tuple[str, ...]) -> dict[str, Any]:
    """``place=value`` arguments, each value read as YAML (``1e-3`` is a number)."""
    from samebody.located_yaml import read_located

    return {place: read_located(text).values for place, text in pairs(changes, "--set").items()}


@contextmanager
def shown() -> Iterator[Callable[[Progress], None]]:
    """A progress line on a terminal; elsewhere a line now and then, on standard error."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("train", total=None, figures="")
        yield lambda at: bar.update(task, completed=at.step, total=at.steps, figures=_figures(at))


def _lines() -> Callable[[Progress], None]:
    last, held = 0.0, dict[str, float]()

    def line(at: Progress) -> None:
        nonlocal last, held
        if time.monotonic() - last < EVERY and dict(at.held) == held:
            return
        last, held = time.monotonic(), dict(at.held)
        click.echo(f"step {at.step:,} of {at.steps:,}: {_figures(at)}, {at.remaining:,.0f} s left", err=True)

    return line


def _figures(at: Progress) -> str:
    held = "".join(f", held {name} {value:.4g}" for name, value in at.held.items())
    return f"loss {at.loss:.4g}, {at.rate:,.0f} samples/s{held}"
