"""``samebody evaluate report``: run folders as one self-contained HTML file, JSON and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from samebody.errors import UsageError

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("report", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=FOLDER)
@click.option(
    "--out", type=FOLDER, help="Folder for report.html, .json and .csv; the run folder when there is one run."
)
@click.option(
    "--worst", default=20, show_default=True, type=click.IntRange(0, 1000), help="Errors of each kind to list."
)
@click.option("--pictures", type=FOLDER, help="Embed the pictures of the worst errors, from this folder of samples.")
@click.option("--cost-false-accept", type=float, help="Of one false accept.")
@click.option("--cost-false-reject", type=float, help="Of one false reject, in the same unit.")
@click.option("--cost-review", type=float, help="Of one review by a person.")
@click.option("--impostors", type=click.FloatRange(0, 1), help="Share of transactions that are an impostor's.")
def command(runs: tuple[Path, ...], out: Path | None, worst: int, pictures: Path | None, **costs: Any) -> None:
    """Write a report of one or several runs of `samebody evaluate verification`."""
    from samebody.lab.evaluate.files import write_texts
    from samebody.lab.evaluate.report import ReportOptions, report_files
    from samebody.lab.evaluate.runs import load_run

    if out is None and len(runs) > 1:
        raise UsageError("several runs were given.", hint="Say with --out where their report goes.")
    files = report_files(
        [load_run(run) for run in runs], ReportOptions(costs=_costs(costs), worst=worst, pictures=pictures)
    )
    folder = write_texts(out or runs[0], files)
    click.echo(f"written: {folder / 'report.html'}, .json, .csv")


def _costs(given: dict[str, Any]) -> Any:
    """The costs, or None when none was given."""
    from samebody.measure import Costs

    wanted = ("cost_false_accept", "cost_false_reject", "impostors")
    missing = [name for name in wanted if given[name] is None]
    if len(missing) == len(wanted) and given["cost_review"] is None:
        return None
    if missing:
        names = ", ".join("--" + name.replace("_", "-") for name in missing)
        raise UsageError("costs belong together.", hint=f"Give {names} too.")
    return Costs(
        given["cost_false_accept"], given["cost_false_reject"], given["impostors"], review=given["cost_review"]
    )
