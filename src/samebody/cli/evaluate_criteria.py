"""``samebody evaluate criteria``: does a run meet what was asked for, or are there not enough data to say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from samebody.lab.evaluate.criteria import CriteriaReport

EXIT = {"met": 0, "not met": 1, "not enough data": 3}


@click.command("criteria", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.argument("criteria_file", metavar="CRITERIA.YAML", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the outcome as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, run: Path, criteria_file: Path, out: Path | None, as_json: bool) -> None:
    """Check RUN against CRITERIA.YAML.

    Exit code 0 when all are met, 1 when one is not, 3 when there are not enough data to say.
    """
    from samebody.lab.evaluate.compare import json_text
    from samebody.lab.evaluate.criteria import judge_criteria, load_criteria
    from samebody.lab.evaluate.files import write_text
    from samebody.lab.evaluate.results import VerificationResult
    from samebody.lab.evaluate.runs import load_figures

    criteria = load_criteria(criteria_file)
    report = judge_criteria(criteria, VerificationResult.from_dict(load_figures(run)), str(criteria_file))
    text = json_text(report.to_dict())
    if out:
        write_text(out, text)
    if as_json:
        click.echo(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    else:
        _show(report)
    context.exit(EXIT[report.status])


def _show(report: CriteriaReport) -> None:
    from rich.console import Console

    console = Console()
    console.print(f"[bold]{report.title or 'criteria'}[/]: {report.algorithm} on {report.dataset}", highlight=False)
    styles = {"met": "green", "not met": "bold red", "not enough data": "yellow"}
    for outcome in report.outcomes:
        group = "" if outcome.group == "all" else f" ({outcome.group})"
        console.print(f"[{styles[outcome.status]}]{outcome.status}[/] {outcome.criterion}", end="", highlight=False)
        console.print(f"{group}: {outcome.why}", markup=False, highlight=False)
        if outcome.needed is not None:
            needed = outcome.needed
            console.print(
                f"    about {needed.subjects:,} subjects (now {outcome.subjects:,}) with {needed.comparisons:,} "
                f"comparisons would say: {needed.outcome}",
                style="dim",
                highlight=False,
            )
    console.print(f"all in all: {report.status}", style="bold")
