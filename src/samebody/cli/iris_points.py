"""The iris side of ``samebody evaluate operating-points``: eyes of a folder or synthetic ones, rates, record, page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from samebody.lab.evaluate.iris_run import IrisMeasurement


def run_iris(
    model: str,
    data: Path | None,
    synthetic: int | None,
    *,
    write: bool,
    page: Path | None,
    points: Path | None,
    as_json: bool,
    replicates: int,
    seed: int,
    extrapolate: bool,
    progress: Callable[[str, int, int], None],
    say: Callable[[str], None],
) -> None:
    """Measure an iris encoder; see the options of the command."""
    from samebody.errors import UsageError
    from samebody.lab.evaluate.files import write_text
    from samebody.lab.evaluate.iris_page import iris_page
    from samebody.lab.evaluate.iris_run import measure_irises
    from samebody.lab.evaluate.iris_sets import read_eye_folder, synthetic_eyes
    from samebody.measure import BootstrapOptions

    if (data is None) == (synthetic is None):
        raise UsageError("an iris encoder is measured on --data DIR or on --synthetic PEOPLE.")
    if synthetic is not None and write:
        raise UsageError("synthetic irises do not go into a model record.", hint="Write them with --points FILE.")
    source = read_eye_folder(data) if data is not None else synthetic_eyes(synthetic or 0)
    measurement = measure_irises(
        model,
        source,
        options=BootstrapOptions(replicates=replicates, seed=seed),
        extrapolate=extrapolate,
        progress=progress,
    )
    words = ["samebody evaluate operating-points", f"--model {model}"]
    words += ["--data DIR"] if data is not None else [f"--synthetic {synthetic}"]
    words += [f"--replicates {replicates}", f"--seed {seed}", *(["--extrapolate"] if extrapolate else [])]
    if write:
        say(f"written: {measurement.write()}")
    if points:
        say(f"written: {measurement.write_points(points)}")
    if page:
        command = " ".join([*words, *(["--write"] if write else [])])
        say(f"written: {write_text(page, iris_page(measurement, command))}")
    if as_json:
        click.echo(json.dumps(measurement.to_dict(), indent=1))
    else:
        _print(measurement)


def _print(measurement: IrisMeasurement) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    encoded, eer = measurement.encoded, measurement.main.eer
    low, high = encoded.failure_interval()
    console.print(
        f"{encoded.source.name}: {len(encoded.templates):,} pictures of {len(encoded.source.people)} people, "
        f"{encoded.failed} refused ({100 * encoded.failed / len(encoded.templates):.2f} % "
        f"[{100 * low:.2f}, {100 * high:.2f}]), {encoded.failed_eyes} eyes never enrolled"
    )
    console.print(
        f"EER {100 * eer.rate.value:.2f} % [{100 * eer.interval[0]:.2f}, {100 * eer.interval[1]:.2f}] "
        f"({eer.rate.convention}); refused pictures as non-matches: {100 * eer.generalised:.2f} %"
    )
    groups = [("thresholds of one half, rates on the other", measurement.folds)]
    groups += [(variant.trials.name, variant.rates) for variant in (measurement.main, *measurement.variants)]
    for name, rates in groups:
        table = Table(title=f"{measurement.record.label}, {name}", title_justify="left")
        for column in ("FMR", "threshold", "realised [95 %]", "errors", "FNMR [95 %]", "GFRR [95 %]"):
            table.add_column(column, justify="right")
        for found in rates:
            table.add_row(
                f"{found.target:g}",
                " / ".join(f"{threshold.value:.4f}" for threshold in found.thresholds),
                f"{found.fmr.rate:.2e} [{found.fmr.interval[0]:.1e}, {found.fmr.interval[1]:.1e}]",
                f"{found.fmr.errors}",
                *(
                    f"{100 * r.rate:.2f} % [{100 * r.interval[0]:.2f}, {100 * r.interval[1]:.2f}]"
                    for r in (found.fnmr, found.gfrr)
                ),
            )
        console.print(table)
