"""``samebody evaluate operating-points``: measure the scores that decisions rest on, and write them into a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from samebody.lab.evaluate.operating_points_run import Measurement

REPEATS = Path("benchmarks/operating_points/fairface-repeats.csv")


@click.command("operating-points", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--model", default="face/sface", show_default=True, help="Record id of the embedder.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with fairface/ (non-mated pairs) and orl/ (mated pairs); of eyes: PERSON/left/1.png ... or mmu1/.",
)
@click.option("--synthetic", type=click.IntRange(4, 2000), help="Iris: synthetic eyes of so many people, not --data.")
@click.option(
    "--repeats",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Reviewed list of pictures that show one person twice; {REPEATS} is taken when it is there.",
)
@click.option("--no-repeats", is_flag=True, help="Take every picture for a person of its own.")
@click.option("--write", is_flag=True, help="Write points and histogram into the model record.")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures as Markdown.")
@click.option("--points", type=click.Path(dir_okay=False, path_type=Path), help="Iris: write the points into a file.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--replicates", default=1000, show_default=True, type=click.IntRange(20), help="Of the bootstrap.")
@click.option("--seed", default=20260, show_default=True, type=int, help="Of the bootstrap.")
@click.option("--extrapolate", is_flag=True, help="Extrapolate rates beyond the measured tail, and mark them.")
@click.option("--fresh", is_flag=True, help="Embed all pictures again instead of using cached templates.")
def command(
    model: str,
    data: Path | None,
    synthetic: int | None,
    repeats: Path | None,
    no_repeats: bool,
    write: bool,
    page: Path | None,
    points: Path | None,
    as_json: bool,
    replicates: int,
    seed: int,
    extrapolate: bool,
    fresh: bool,
) -> None:
    """Measure thresholds at false match rates, with intervals, on matched adult pairs, all pairs and minors."""
    import json

    from rich.console import Console

    from samebody.errors import UsageError
    from samebody.lab.evaluate.operating_points_page import page as render
    from samebody.lab.evaluate.operating_points_run import measure
    from samebody.measure import BootstrapOptions
    from samebody.models import catalogue

    if catalogue()[model].task == "iris-code":
        from samebody.cli.iris_points import run_iris

        console = Console(stderr=True)
        with _progress(console) as show:
            run_iris(
                model,
                data,
                synthetic,
                write=write,
                page=page,
                points=points,
                as_json=as_json,
                replicates=replicates,
                seed=seed,
                extrapolate=extrapolate,
                progress=show,
                say=console.print,
            )
        return
    if data is None or synthetic is not None or points is not None:
        raise UsageError("a face embedder is measured on --data DIR; --synthetic and --points are for irises.")
    if repeats and no_repeats:
        raise UsageError("--repeats and --no-repeats contradict each other.")
    if repeats is None and not no_repeats and REPEATS.is_file():
        repeats = REPEATS
    console = Console(stderr=True)
    with _progress(console) as show:
        measurement = measure(
            model,
            data,
            repeats=repeats,
            options=BootstrapOptions(replicates=replicates, seed=seed),
            extrapolate=extrapolate,
            fresh=fresh,
            progress=show,
        )
    if write:
        console.print(f"written: {measurement.write()}")
    if page:
        _write(page, render(measurement, _command(model, repeats, no_repeats, extrapolate, replicates, seed)))
        console.print(f"written: {page}")
    if as_json:
        click.echo(json.dumps(measurement.to_dict(), indent=1))
        return
    _print(measurement)


def _command(model: str, repeats: Path | None, no_repeats: bool, extrapolate: bool, replicates: int, seed: int) -> str:
    words = ["samebody evaluate operating-points", f"--model {model}", "--data DIR"]
    words += [f"--repeats {repeats.as_posix()}"] if repeats else ["--no-repeats"] if no_repeats else []
    words += [f"--replicates {replicates}", f"--seed {seed}", *(["--extrapolate"] if extrapolate else []), "--write"]
    return " ".join(words)


def _write(path: Path, text: str) -> None:
    from samebody.errors import StorageError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from None


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yields a progress callback: one bar on the console, renamed with each step."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(what: str, done: int, whole: int) -> None:
            bar.update(task, description=what, completed=done, total=whole or None)

        yield show


def _print(measurement: Measurement) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a file or a pipe has no width of its own, and 80 columns fold every interval
    for summary in measurement.sets:
        console.print(
            f"{summary.name}: {summary.pictures:,} pictures, {summary.failed} failures to acquire "
            f"({100 * summary.failure_to_acquire:.2f} %)"
        )
    if measurement.repeats is None:
        console.print("no list of repeats: pictures of one person count as different people")
    for title, results in (("", measurement.results), (", as published", measurement.ungrouped)):
        for name, result in results.items():
            table = Table(title=f"{measurement.record.label}, {name}{title}: {result.pairs:,} non-mated pairs")
            for column in ("FMR", "threshold", "realised [95 %]", "errors", "effective", "FNMR [95 %]"):
                table.add_column(column, justify="right")
            table.add_column("mark", no_wrap=True, min_width=len("extrapolated"))
            for point in result.points:
                low, high = point.fmr.interval
                table.add_row(
                    f"{point.threshold.target:g}",
                    f"{point.threshold.value:.4f}",
                    f"{point.threshold.realised_fmr:.2e} [{low:.1e}, {high:.1e}]",
                    f"{point.fmr.errors:,}",
                    f"{point.fmr.effective_errors:.1f}" if point.fmr.estimable else "-",
                    f"{100 * point.fnmr.rate:.2f} % [{100 * point.fnmr.interval[0]:.2f}, "
                    f"{100 * point.fnmr.interval[1]:.2f}]",
                    "extrapolated" if point.extrapolation else "indicative" if point.indicative else "",
                )
            console.print(table)
            for target, why in result.refused:
                console.print(f"FMR {target:g} is not given: {why}.")
