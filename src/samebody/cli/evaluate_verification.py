"""``samebody evaluate verification``: scores, templates or pictures in, a run folder out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from samebody.lab.evaluate import TemplateSet, VerificationResult
    from samebody.lab.evaluate.results import Algorithm
    from samebody.lab.evaluate.verification import GivenThreshold

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("verification", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--scores", type=FILE, help="Score table: .csv, .parquet or .npz.")
@click.option("--templates", type=FILE, help="Template set: .npz with vectors, sample, subject; or .npy.")
@click.option("--metadata", type=FILE, help="Table with sample and subject for a .npy of templates.")
@click.option("--images", type=FOLDER, help="Pictures; a folder of its own for each subject, or --labels.")
@click.option("--model", default="face/sface", show_default=True, help="Record of the embedder, with --images.")
@click.option("--aligned", is_flag=True, help="The pictures are aligned crops: no detection.")
@click.option("--labels", type=FILE, help="Table with file (or subject) and label columns.")
@click.option("--group", "group_by", default="", help="Label columns that make the groups, with commas: race,gender.")
@click.option("--quality", is_flag=True, help="Assess the quality of each picture too (slower).")
@click.option("--pairs", type=FILE, help="Pairs to compare: LFW's pairs.txt, or a table.")
@click.option("--all-pairs", is_flag=True, help="Compare all with all; the default without --pairs.")
@click.option("--column", "columns", multiple=True, metavar="NAME=ITS_NAME", help="The table's name for a column.")
@click.option("--distance", "direction", flag_value="distance", help="Scores are distances: negate them.")
@click.option("--similarity", "direction", flag_value="similarity", help="Scores are similarities; do not check.")
@click.option("--no-mated", is_flag=True, help="Non-mated comparisons only: leave mated ones out, give FMR.")
@click.option("--fmr", "targets", multiple=True, type=float, help="False match rate of the table; several times.")
@click.option("--threshold", "thresholds", multiple=True, type=float, help="Score to report at; several times.")
@click.option(
    "--thresholds-from",
    help="Run folder of another set; or `record` (or record:POPULATION) for the model's own points.",
)
@click.option("--split", type=FILE, help="Table with subject and split (dev, test): thresholds from dev.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder to write.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one row for each threshold and group.")
@click.option("--algorithm", default="", help="Name of what made the scores.")
@click.option("--dataset", default="", help="Name of the data set.")
@click.option("--replicates", default=1000, show_default=True, type=click.IntRange(20), help="Of the bootstrap.")
@click.option("--seed", default=20260, show_default=True, type=int, help="Of the bootstrap.")
@click.option("--keep", default=0.01, show_default=True, type=float, help="FMR down to which counted scores are exact.")
@click.option("--listed", type=click.IntRange(1), help="Comparisons held one by one; more are counted.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="For counting.")
@click.option("--workers", type=click.IntRange(1), help="Threads, or workers of Ray.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="File to resume the counting from.")
@click.option("--fresh", is_flag=True, help="Embed all pictures again instead of using cached templates.")
def command(**options: Any) -> None:
    """Thresholds at false match rates, FMR and FNMR with intervals, DET, groups, quality, calibration.

    Input is one of --scores, --templates, --images. Thresholds come from the same data unless --thresholds-from or
    --split says otherwise; subjects in both sets are refused.
    """
    import json

    from rich.console import Console

    console = Console(stderr=True)
    result, scores = run(options, console)
    if options["out"]:
        from samebody.lab.evaluate.runs import save_run

        console.print(f"written: {save_run(options['out'], result, scores)}")
    if options["as_json"]:
        click.echo(json.dumps(result.to_dict(), indent=1, ensure_ascii=False))
    elif options["as_csv"]:
        import csv

        writer = csv.DictWriter(sys.stdout, fieldnames=list(result.rows()[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.rows())
    else:
        show(result)


def run(options: dict[str, Any], console: Console) -> tuple[VerificationResult, Any]:
    """The evaluation that the options ask for."""
    from samebody.errors import UsageError
    from samebody.lab.evaluate import CompareOptions, TableOptions, VerificationOptions, evaluate_verification
    from samebody.lab.evaluate.protocols import read_pairs, read_split
    from samebody.lab.evaluate.results import Algorithm, DataSet
    from samebody.lab.evaluate.score_tables import read_labels
    from samebody.lab.evaluate.templates import LISTED
    from samebody.lab.evaluate.verification import TARGETS
    from samebody.measure import BootstrapOptions

    sources = [key for key in ("scores", "templates", "images") if options[key]]
    if len(sources) != 1:
        raise UsageError("give exactly one of --scores, --templates, --images.")
    if options["pairs"] and (options["all_pairs"] or options["scores"]):
        raise UsageError("--pairs goes with --templates or --images, and not with --all-pairs.")
    sourced = [key for key in ("thresholds_from", "split", "thresholds") if options[key]]
    if len(sourced) > 1:
        raise UsageError("give one of --thresholds-from, --split, --threshold.")
    group_by = [name for name in options["group_by"].split(",") if name]
    algorithm, dataset = Algorithm(options["algorithm"]), DataSet(options["dataset"])
    pairs = read_pairs(options["pairs"]) if options["pairs"] else None
    with progress_bar(console) as show_progress:
        source: Any = options["scores"]
        groups = None
        if options["scores"]:
            groups = read_labels(options["labels"], group_by) if options["labels"] else None
        else:
            source, algorithm = _templates(options, group_by, algorithm, show_progress)
            if pairs is not None:
                pairs = _named_as(pairs, source)
        given: Any = options["thresholds_from"]
        if given and given.partition(":")[0] == "record":
            given = _record_points(options["model"], given.partition(":")[2] or "matched-adults")
        elif options["thresholds"]:
            given = list(options["thresholds"])
        listed = options["listed"]
        return evaluate_verification(
            source,
            pairs=pairs,
            thresholds_from=given,
            split=read_split(options["split"]) if options["split"] else None,
            table=TableOptions(
                columns=_columns(options["columns"]),
                direction=options["direction"] or "auto",
                groups=groups,
                need_mated=not options["no_mated"],
                keep_fmr=options["keep"],
                **({"listed": listed} if listed else {}),
            ),
            compare=CompareOptions(
                listed=listed or LISTED,
                keep_fmr=options["keep"],
                engine=options["engine"],
                workers=options["workers"],
                checkpoint=options["checkpoint"],
            ),
            options=VerificationOptions(
                targets=options["targets"] or TARGETS,
                bootstrap=BootstrapOptions(replicates=options["replicates"], seed=options["seed"]),
            ),
            algorithm=algorithm if algorithm.id else Algorithm(Path(options[sources[0]]).stem),
            dataset=dataset,
            non_mated_only=options["no_mated"],
            command=typed(sys.argv[1:], "evaluate", "verification"),
            progress=show_progress,
        )


def _templates(
    options: dict[str, Any],
    group_by: Sequence[str],
    algorithm: Algorithm,
    progress: Callable[[str, int, int], None],
) -> tuple[TemplateSet, Algorithm]:
    """The template set of --templates or --images."""
    from dataclasses import replace

    import numpy as np

    from samebody.lab.evaluate.score_tables import read_labels
    from samebody.lab.evaluate.templates import read_templates

    if options["images"]:
        from samebody.lab.evaluate.images import embed_pictures, read_pictures

        pictures = read_pictures(options["images"], options["labels"], group_by)
        found, made_by = embed_pictures(
            pictures,
            options["model"],
            aligned=options["aligned"],
            quality=options["quality"],
            fresh=options["fresh"],
            progress=progress,
        )
        return found, replace(made_by, id=algorithm.id or made_by.id)
    found = read_templates(options["templates"], options["metadata"])
    if options["labels"]:
        labels = read_labels(options["labels"], group_by)
        named = np.array([labels.get(subject, "") for subject in found.subjects.tolist()], dtype=np.str_)
        found = replace(
            found, groups=named, failed_groups=tuple(labels.get(subject, "") for subject in found.failed_subjects)
        )
    return found, algorithm


def _named_as(pairs: Any, templates: TemplateSet) -> Any:
    """LFW's lists leave the suffix out: name samples as the set does, where that is clear."""
    from dataclasses import replace

    from samebody.lab.evaluate.images import by_stem

    known = {*templates.samples.tolist(), *templates.failed}
    stems = by_stem(sorted(known))

    def full(name: str) -> str:
        return name if name in known else stems.get(name, name)

    return replace(pairs, probe=tuple(map(full, pairs.probe)), reference=tuple(map(full, pairs.reference)))


def _record_points(model: str, population: str) -> list[GivenThreshold]:
    """The measured points of a record."""
    from samebody.errors import NotMeasuredError
    from samebody.lab.evaluate.verification import GivenThreshold
    from samebody.models import catalogue

    record = catalogue()[model]
    points = [p for p in record.operating_points if p.population == population and not p.extrapolated]
    if not points:
        raise NotMeasuredError(
            f"{record.label} has no measured operating point for {population}.",
            hint="Measure them with `samebody evaluate operating-points`.",
        )
    return [
        GivenThreshold(p.threshold, p.fmr, f"{record.label}, {population}, {p.dataset}")
        for p in sorted(points, key=lambda point: -point.fmr)
    ]


def _columns(pairs: Sequence[str]) -> dict[str, str]:
    from samebody.errors import UsageError

    found = {}
    for pair in pairs:
        name, equals, own = pair.partition("=")
        if not equals or not name or not own:
            raise UsageError(f"--column takes NAME=ITS_NAME, got {pair!r}.")
        found[name] = own
    return found


def typed(arguments: Sequence[str], *expected: str) -> str:
    """The command as it would be typed; empty where something else runs in this process."""
    import shlex

    if list(arguments[: len(expected)]) != list(expected):
        return "samebody " + " ".join(expected)
    return "samebody " + shlex.join(arguments)


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yields a progress callback: one bar on the console, renamed with each step."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show_step(what: str, done: int, whole: int) -> None:
            bar.update(task, description=what, completed=done, total=whole or None)

        yield show_step


def show(result: VerificationResult) -> None:
    """The figures on the terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    counts = result.counts
    console.print(
        f"{result.algorithm.label} on {result.dataset.name} ({result.dataset.protocol}): {counts.mated:,} mated "
        f"comparisons of {counts.mated_subjects:,} subjects, {counts.non_mated:,} non-mated of "
        f"{counts.non_mated_subjects:,}"
    )
    failures = result.failures
    if failures.fta is not None:
        low, high = failures.fta.interval
        console.print(
            f"failures to acquire: {failures.fta.errors:,} of {failures.fta.trials:,} samples "
            f"({percent(failures.fta.rate)} [{percent(low)}, {percent(high)}])"
        )
    table = Table(title="thresholds")
    for column in ("FMR", "threshold", "realised [95 %]", "errors", "effective", "FNMR [95 %]"):
        table.add_column(column, justify="right")
    table.add_column("mark")
    for row in result.thresholds:
        mark = "not estimable" if not row.fmr.estimable else "indicative" if row.indicative else ""
        table.add_row(
            "-" if row.target is None else f"{row.target:g}",
            f"{row.value:.6g}",
            rate(row.fmr),
            f"{row.fmr.errors:,}",
            f"{row.fmr.effective_errors:.1f}" if row.fmr.estimable else "-",
            "-" if row.fnmr is None else rate(row.fnmr, percent),
            mark,
        )
    console.print(table)
    if result.eer is not None:
        console.print(f"EER {percent(result.eer.value)} ({result.eer.convention}; for comparison with papers only)")
    if result.groups:
        show_groups(console, result)
    if result.calibration is not None:
        console.print(
            f"Cllr {result.calibration.cllr:.4f} bits, at best {result.calibration.cllr_min:.4f} "
            f"({result.calibration.method}, disjoint subjects)"
        )
    for warning in result.warnings:
        console.print(f"note: {warning}", style="yellow")


def show_groups(console: Console, result: VerificationResult) -> None:
    """Groups at the strictest threshold with 30 effective false matches, or the loosest one."""
    from rich.table import Table

    solid = [index for index, row in enumerate(result.thresholds) if not row.indicative]
    index = solid[-1] if solid else 0
    table = Table(title=f"groups at the threshold of {result.thresholds[index].name}")
    for column in ("group", "subjects", "non-mated", "FMR [95 %]", "mated", "FNMR [95 %]"):
        table.add_column(column, justify="right" if column != "group" else "left")
    for group in result.groups:
        rates = group.rates[index]
        table.add_row(
            group.name,
            f"{group.subjects:,}",
            f"{group.non_mated:,}",
            "-" if rates.fmr is None else rate(rates.fmr),
            f"{group.mated:,}",
            "-" if rates.fnmr is None else rate(rates.fnmr, percent),
        )
    console.print(table)
    threshold = result.thresholds[index]
    for figures in result.fairness:
        if figures.target == threshold.target and figures.value == threshold.value:
            shown = [f"{name} {'not estimable' if v is None else f'{v:.3g}'}" for name, v in figures.figures.items()]
            console.print(f"differences (alpha {figures.alpha:g}): {', '.join(shown)}")


def percent(value: float) -> str:
    """A share as a percentage."""
    return f"{100 * value:.2f} %"


def rate(estimate: Any, form: Callable[[float], str] = lambda value: f"{value:.2e}") -> str:
    """A rate with its interval; none seen is a bound."""
    if not estimate.estimable:
        return f"none seen, below {form(estimate.interval[1])}"
    if not estimate.replicates and estimate.effective_trials == 0:
        return f"{form(estimate.rate)} [no interval]"
    return f"{form(estimate.rate)} [{form(estimate.interval[0])}, {form(estimate.interval[1])}]"
