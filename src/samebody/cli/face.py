"""``samebody face``: compare two faces, assess the quality of one face image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from samebody.types import Finding

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """Compare faces and assess face image quality."""


@command.command()
@click.argument("first", type=PICTURE)
@click.argument("second", type=PICTURE)
@click.option("--fmr", type=float, default=1e-4, show_default=True, help="False match rate to decide at.")
@click.option("--population", default="matched-adults", show_default=True, help="Population the rate was measured on.")
@click.option("--allow-extrapolated", is_flag=True, help="Accept an operating point beyond the measured tail.")
@click.option("--model", default="face/sface", show_default=True, help="Record that makes the templates.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def compare(
    context: click.Context,
    first: Path,
    second: Path,
    fmr: float,
    population: str,
    allow_extrapolated: bool,
    model: str,
    as_json: bool,
) -> None:
    """Compare the main faces of two pictures.

    Exits with 0 when they match at the false match rate, 1 when they do not, 3 when that cannot be said, 4 when one of
    the pictures shows no usable face.
    """
    from samebody.capture import decode_image
    from samebody.config import load_settings
    from samebody.errors import NotMeasuredError
    from samebody.face import FaceAnalyser
    from samebody.match import compare as compare_templates
    from samebody.match import decide_match
    from samebody.types import Outcome

    settings = load_settings()
    analyser = FaceAnalyser(settings, embedder=model)
    images = [decode_image(path, limits=settings.limits) for path in (first, second)]
    analyses = analyser.templates(images, "face")
    findings = [finding for analysis in analyses for finding in analysis.findings]
    result: dict[str, Any] = {"pictures": [str(first), str(second)], "model": analyser.embedder.label}
    result["faces"] = [finding_json(finding) for finding in findings]
    one, two = (analysis.template for analysis in analyses)
    if one is None or two is None:
        result |= {"score": None, "outcome": "not_run"}
        _print_comparison(result, findings, None, as_json)
        context.exit(4)
    comparison = compare_templates(one, two)
    result["score"] = round(comparison.score, 6)
    try:
        match = decide_match(
            comparison, analyser.embedder, fmr, population=population, allow_extrapolated=allow_extrapolated
        )
    except NotMeasuredError as error:
        result |= {"outcome": "not_run", "error": error.to_dict()}
        _print_comparison(result, findings, None, as_json)
        context.exit(3)
    result |= {"outcome": match.outcome.value, "match": finding_json(match)}
    _print_comparison(result, findings, match, as_json)
    context.exit({Outcome.PASS: 0, Outcome.FAIL: 1}.get(match.outcome, 3))


@command.command()
@click.argument("picture", type=PICTURE)
@click.option("--role", type=click.Choice(["selfie", "document"]), default="selfie", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def quality(context: click.Context, picture: Path, role: str, as_json: bool) -> None:
    """Assess the main face of a picture: each component, the unified score, and what would improve it.

    Exits with 0 when the picture passes, 3 when it is doubtful, 4 when it should be taken again.
    """
    from samebody.capture import decode_image
    from samebody.config import load_settings
    from samebody.face import FaceAnalyser
    from samebody.types import Outcome

    settings = load_settings()
    analysis = FaceAnalyser(settings).analyse(decode_image(picture, limits=settings.limits, role=role), role)
    result: dict[str, Any] = {
        "picture": str(picture),
        "unified": analysis.quality.unified if analysis.quality else None,
        "findings": [finding_json(finding) for finding in analysis.findings],
    }
    if analysis.mesh:
        result["head_pose"] = {name: round(getattr(analysis.mesh, name), 1) for name in ("yaw", "pitch", "roll")}
    if analysis.quality:
        result["not_assessed"] = list(analysis.quality.not_assessed)
        result["components"] = [
            {
                "name": component.name,
                "value": component.value,
                "raw": round(component.raw, 5),
                "unit": component.unit,
                "message": component.message,
                "advice": component.advice,
            }
            for component in analysis.quality.components
        ]
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        _print_quality(result, analysis.findings)
    outcomes = {finding.outcome for finding in analysis.findings}
    context.exit(4 if Outcome.FAIL in outcomes else 3 if Outcome.UNSURE in outcomes else 0)


def finding_json(finding: Finding) -> dict[str, Any]:
    """The fields of a finding that the face commands print."""
    fields: dict[str, Any] = {
        "check": finding.check,
        "outcome": finding.outcome.value,
        "score": finding.score,
        "reasons": [
            {"code": reason.code, "message": reason.message, "advice": reason.advice} for reason in finding.reasons
        ],
        "models": list(finding.model_ids),
        "details": dict(finding.details),
    }
    if finding.operating_point is not None:
        point = finding.operating_point
        fields["operating_point"] = {
            "fmr": point.fmr,
            "threshold": point.threshold,
            "population": point.population,
            "indicative": point.indicative,
            "extrapolated": point.extrapolated,
        }
    return fields


def _print_comparison(result: dict[str, Any], findings: list[Finding], match: Finding | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    for path, finding in zip(result["pictures"], findings, strict=True):
        _print_reasons(console, finding, escape(path))
    if result["score"] is None:
        console.print("[bold]Not compared:[/] one of the pictures shows no usable face.")
        return
    console.print(f"similarity [bold]{result['score']:.3f}[/] ({escape(result['model'])})")
    if match is not None and match.operating_point is not None:
        point = match.operating_point
        verdict = {"pass": "[green]match[/]", "fail": "[red]no match[/]"}.get(match.outcome.value, "[yellow]unsure[/]")
        console.print(
            f"{verdict} at a false match rate of {point.fmr:g} ({escape(point.population)}; "
            f"threshold {point.threshold:.3f}{', indicative' if point.indicative else ''}"
            f"{', extrapolated' if point.extrapolated else ''})"
        )
    if "error" in result:
        console.print(f"[yellow]no decision:[/] {escape(result['error']['message'])} {escape(result['error']['hint'])}")


def _print_quality(result: dict[str, Any], findings: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for finding in findings:
        _print_reasons(console, finding, finding.check)
    if result["unified"] is None:
        return
    table = Table(title=f"unified quality {result['unified']} of 100 (samebody's own score)", title_justify="left")
    table.add_column("component")
    table.add_column("value", justify="right")
    table.add_column("measured")
    table.add_column("advice")
    for component in result["components"]:
        value = component["value"]
        colour = "green" if value >= 70 else "yellow" if value >= 40 else "red"
        advice = component["advice"] if value < 70 else ""
        shown = component["message"].rsplit(" (quality", 1)[0]
        table.add_row(component["name"].replace("_", " "), f"[{colour}]{value}[/]", escape(shown), escape(advice))
    console.print(table)
    if result["not_assessed"]:
        console.print(f"not assessed: {', '.join(result['not_assessed'])}")


def _print_reasons(console: Any, finding: Finding, label: str) -> None:
    colour = {"pass": "green", "fail": "red"}.get(finding.outcome.value, "yellow")
    console.print(f"{label}: [{colour}]{finding.outcome.value}[/]")
    for reason in finding.reasons:
        console.print(f"  {reason.code}: {reason.message} {reason.advice}".rstrip(), markup=False)
