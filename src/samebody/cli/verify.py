"""``samebody verify``: one case to a readable verdict, or a table of cases to one JSON line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from samebody.types import Verdict

EXIT_CODES = {"accept": 0, "reject": 1, "review": 3, "retry": 4}
COLOURS = {"accept": "green", "reject": "red", "review": "yellow", "retry": "yellow"}
MARKS = {
    "passed": ("✔", "green"),
    "failed": ("✘", "red"),
    "unsure": ("?", "yellow"),
    "absent": ("–", "dim"),
    "waived": ("·", "dim"),
}


@click.command("verify")
@click.option("--selfie", type=click.Path(path_type=Path), help="Photograph of the person.")
@click.option("--document", type=click.Path(path_type=Path), help="Photograph of their identity document.")
@click.option("--reference", type=click.Path(path_type=Path), help="Earlier photograph, for policies without document.")
@click.option("--policy", default="default", show_default=True, help="Name or path of the policy.")
@click.option("--embedder", metavar="ID", help="Record that compares the faces; default: the setting `embedder`.")
@click.option("--case-id", help="How you know this case; random by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON (docs/reference/verdict.md).")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a self-contained HTML report.")
@click.option("--show-pictures", is_flag=True, help="Embed pictures in the report as they are, not blurred.")
@click.option("--cases", type=click.Path(path_type=Path), help="CSV table: case_id, selfie, document[, policy].")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Results of --cases, JSON lines; resumed.")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes for --cases; default: half the cores.")
@click.option("--case-timeout", type=click.FloatRange(1), default=120.0, show_default=True, help="Seconds a case.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def command(
    context: click.Context,
    selfie: Path | None,
    document: Path | None,
    reference: Path | None,
    policy: str,
    embedder: str | None,
    case_id: str | None,
    as_json: bool,
    report: Path | None,
    show_pictures: bool,
    cases: Path | None,
    out: Path | None,
    workers: int | None,
    case_timeout: float,
    quiet: bool,
) -> int:
    """Verify a person against their document.

    Exit code: 0 accept, 1 reject, 3 review, 4 retry; with --cases 0 when every case has a result, 130 when interrupted.
    """
    if cases is not None:
        if out is None:
            raise click.UsageError("--cases needs --out.", context)
        if any(value is not None for value in (selfie, document, reference, case_id, report)):
            raise click.UsageError("--cases takes its pictures from the table; leave out the others.", context)
        return _many(cases, out, policy, embedder, workers, case_timeout, quiet)
    if selfie is None:
        raise click.UsageError("give --selfie and --document, or --cases and --out.", context)
    from samebody.config import load_settings
    from samebody.pipeline.verify import verify

    settings = load_settings(embedder=embedder)
    case = verify(selfie, document, reference=reference, policy=policy, case_id=case_id, settings=settings)
    if report is not None:
        case.write_report(report, show_pictures=show_pictures)
    if as_json:
        click.echo(json.dumps(case.to_dict(), indent=2, ensure_ascii=False))
    else:
        from rich.console import Console

        print_verdict(Console(), case.verdict)
        if report is not None:
            click.echo(f"Report: {report}")
    return EXIT_CODES[case.decision.value]


def print_verdict(console: Console, verdict: Verdict) -> None:
    """The verdict for a person at a terminal: headline, why, layers, what to do next."""
    from rich.markup import escape
    from rich.panel import Panel
    from rich.table import Table

    colour = COLOURS[verdict.decision.value]
    headline = verdict.headline[:1].upper() + verdict.headline[1:]
    console.print(Panel(escape(verdict.summary), title=f"[b]{escape(headline)}[/b]", border_style=colour))
    layers = Table(box=None, pad_edge=False, show_header=False)
    for layer in verdict.assurance:
        mark, style = MARKS[layer.status]
        layers.add_row(
            f"[{style}]{mark}[/]", layer.layer.replace("_", " "), layer.status, f"[dim]{escape(layer.note)}[/]"
        )
    console.print(layers)
    if verdict.reasons:
        console.print("\n[b]Why[/b]")
        for reason in verdict.reasons:
            console.print(f"  • {escape(reason.message)} [dim]{reason.code}[/]")
    match = next((finding for finding in verdict.findings if finding.check == "face.match"), None)
    if match is not None and "reliability" in match.details:
        console.print(f"\n[dim]{escape(match.details['reliability']['sentence'])}[/]")
    if verdict.next_steps:
        console.print("\n[b]What the person can do now[/b]")
        for step in verdict.next_steps:
            console.print(f"  • {escape(step)}")
    total = verdict.timings.get("total", 0.0)
    console.print(
        f"\n[dim]case {verdict.case_id} · policy {verdict.policy_id} v{verdict.policy_version} · {total:.0f} ms[/]"
    )


def _many(
    table: Path, out: Path, policy: str, embedder: str | None, workers: int | None, case_timeout: float, quiet: bool
) -> int:
    import os

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from samebody.config import load_settings
    from samebody.decide import load_policy
    from samebody.pipeline.cases import read_cases, run_cases

    settings = load_settings(embedder=embedder)
    rows = read_cases(table)
    for name in {policy, *(row.policy for row in rows if row.policy)}:
        load_policy(name, settings)  # a policy that does not parse stops the run before its first case
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    count = workers or max(1, cores // 2)
    settings = settings.model_copy(update={"threads": settings.threads or max(1, cores // count)})
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task("verifying", total=len(rows))
        summary = run_cases(
            rows,
            out,
            policy=policy,
            workers=count,
            settings=settings,
            case_timeout=case_timeout,
            on_start=lambda total, finished: progress.update(task, completed=finished),
            progress=lambda case_id, decision: progress.advance(task),
        )
    counts = ", ".join(f"{count} {name}" for name, count in sorted(summary.decisions.items())) or "no decisions"
    click.echo(f"{counts}, {summary.errors} errors, {summary.skipped} finished before: {out}")
    return 130 if summary.interrupted else 0
