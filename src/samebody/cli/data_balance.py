"""``samebody data balance``: even cells."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, json_option, say, version_option


@click.command("balance", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--by", multiple=True, required=True, metavar="COLUMN", help="Column; several times for combinations.")
@click.option("--method", default="weights", show_default=True, type=click.Choice(["weights", "leave-out"]))
@click.option("--per-cell", type=click.IntRange(1), help="Samples left in a cell; the smallest cell's otherwise.")
@click.option("--seed", default=0, show_default=True, type=int)
@json_option
def command(
    data_set: Path,
    version: str | None,
    by: tuple[str, ...],
    method: Literal["weights", "leave-out"],
    per_cell: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Write weights, or leave samples out, so that every combination of the columns counts alike."""
    from dataclasses import asdict

    from samebody.lab.data import DataSet
    from samebody.lab.data.balance import balance

    made, result = balance(DataSet.open(data_set), by, method, per_cell=per_cell, seed=seed, version=version)
    lines = [f"{cell}: {count:,} -> {result.after.get(cell, 0):,}" for cell, count in result.before.items()]
    lines.append(f"version {made.short}: effective number of samples {result.effective:,.0f}")
    say({"version": made.id, **asdict(result)}, as_json, lines)
