"""``samebody compare-runs``: what a new run does worse than the one in service, and whether it may replace it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from samebody.lab.evaluate.compare import Comparison
    from samebody.lab.evaluate.gates import GateReport

_WIDE = 120  # columns when the output goes to a file
RUN = click.Path(path_type=Path, file_okay=False)


@click.command("compare-runs", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("a", type=RUN)
@click.argument("b", type=RUN)
@click.option("--gate", "gate_file", type=click.Path(path_type=Path), help="Release criteria (YAML); see the how-to.")
@click.option("--out", type=RUN, help="Folder for comparison.html, .json and .csv.")
@click.option("--fmr", "targets", type=float, multiple=True, help="Only at this false match rate; several times.")
@click.option("--replicates", default=1000, show_default=True, type=click.IntRange(20), help="Of the bootstrap.")
@click.option("--seed", default=20260, show_default=True, type=int, help="Of the bootstrap.")
@click.option("--level", default=0.95, show_default=True, type=click.FloatRange(0.5, 0.999), help="Of the intervals.")
@click.option(
    "--common-only", is_flag=True, help="Compare what both runs share although other comparisons are missing."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    a: Path,
    b: Path,
    gate_file: Path | None,
    out: Path | None,
    targets: tuple[float, ...],
    replicates: int,
    seed: int,
    level: float,
    common_only: bool,
    as_json: bool,
) -> None:
    """Compare run B (the new one) with run A (the one in service) on the same comparisons, each at its own thresholds.

    Intervals come from common draws of people. Exit code 1 when a gate is broken, 65 when the runs do not fit together.
    """
    from samebody.lab.evaluate.compare import compare_runs, json_text
    from samebody.lab.evaluate.files import write_texts
    from samebody.lab.evaluate.gates import judge_gates, load_gates
    from samebody.lab.evaluate.runs import load_run
    from samebody.measure import BootstrapOptions

    gates = load_gates(gate_file) if gate_file else None  # its mistakes are said before anything is computed
    comparison = compare_runs(
        load_run(a),
        load_run(b),
        targets=targets,
        options=BootstrapOptions(replicates=replicates, seed=seed, level=level),
        common_only=common_only,
    )
    report = judge_gates(gates, comparison, str(gate_file)) if gates else None
    fields = {**comparison.to_dict(), "gates": report.to_dict() if report else None}
    if out:
        from samebody.lab.evaluate.report import render_comparison

        write_texts(
            out,
            {
                "comparison.json": json_text(fields),
                "comparison.csv": comparison.to_csv(),
                "comparison.html": render_comparison(comparison, report),
            },
        )
    if as_json:
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _show(comparison, report)
        if out:
            click.echo(f"written: {out / 'comparison.html'}, .json, .csv")
    if report is not None and not report.passed:
        context.exit(1)


def _show(comparison: Comparison, report: GateReport | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(f"[bold]A[/] {comparison.a} ({comparison.folder_a})", highlight=False)
    console.print(f"[bold]B[/] {comparison.b} ({comparison.folder_b})", highlight=False)
    table = Table(
        "figure", "group", "A", "B", "B - A, points", "interval", "subjects", "", box=None, header_style="bold"
    )
    for entry in comparison.differences:
        style = "" if not entry.real else "red" if entry.difference > 0 else "green"
        table.add_row(
            entry.name,
            entry.group,
            f"{100 * entry.a:.3g} %",
            f"{100 * entry.b:.3g} %",
            f"{100 * entry.difference:+.3g}",
            f"{100 * entry.interval[0]:+.3g} to {100 * entry.interval[1]:+.3g}",
            str(entry.subjects),
            f"[{style}]{entry.verdict}[/]" if style else entry.verdict,
        )
    console.print(table)
    for line in remarks(comparison):
        console.print(line, style="dim", highlight=False)
    if report is not None:
        for outcome in report.outcomes:
            style = {"kept": "green", "broken": "bold red", "not judged": "yellow"}[outcome.status]
            console.print(f"[{style}]{outcome.status}[/]", end=" ")
            console.print(f"{outcome.gate} ({outcome.group}): {outcome.why}", markup=False, highlight=False)
        console.print("gates: passed" if report.passed else f"gates: {len(report.broken)} broken", style="bold")


def remarks(comparison: Comparison) -> list[str]:
    """What a reader must know, in words."""
    from samebody.lab.evaluate.report import comparison_remarks

    return comparison_remarks(comparison)
