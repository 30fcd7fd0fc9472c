"""``samebody policy``: list, show and check policies, and print the schema of a verdict."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.group(help="List, show and check policies.")
def command() -> None:
    """Group of the policy commands."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(as_json: bool) -> None:
    """List the bundled policies and those in your policy folders."""
    from rich.console import Console
    from rich.table import Table

    from samebody.decide import list_policies

    entries = list_policies()
    if as_json:
        rows = [
            {
                "id": entry.id,
                "origin": entry.origin,
                "version": entry.policy.version if entry.policy else None,
                "title": entry.policy.title if entry.policy else None,
                "fmr": entry.policy.face_match.fmr if entry.policy else None,
                "sha256": entry.policy.digest if entry.policy else None,
                "mistakes": [str(mistake) for mistake in entry.mistakes],
            }
            for entry in entries
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("policy", "version", "FMR", "asks for", "what it is for", "origin", box=None, header_style="bold")
    for entry in entries:
        if entry.policy is None:
            table.add_row(entry.id, "", "", "", f"[red]{len(entry.mistakes)} mistakes[/]", entry.origin)
            continue
        layers = [name for name, layer in entry.policy.layers.items() if layer.requirement != "waived"]
        note = f" [yellow]({entry.mistakes[0]})[/]" if entry.mistakes else ""
        table.add_row(
            entry.id,
            str(entry.policy.version),
            f"{entry.policy.face_match.fmr:g}",
            ", ".join(layers),
            entry.policy.title + note,
            entry.origin,
        )
    Console().print(table)


@command.command("show")
@click.argument("policy", default="default")
@click.option("--json", "as_json", is_flag=True, help="Print the policy with all defaults filled in as JSON.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print the file as it is, to start your own from.")
def show_command(policy: str, as_json: bool, as_yaml: bool) -> None:
    """Show what POLICY (a name or a file) asks for and what follows from what."""
    from rich.console import Console
    from rich.table import Table

    from samebody.decide import load_policy
    from samebody.decide.load import policy_text

    if as_yaml:
        click.echo(policy_text(policy)[0], nl=False)
        return
    loaded = load_policy(policy)
    if as_json:
        click.echo(json.dumps({**loaded.model_dump(mode="json"), "sha256": loaded.digest}, indent=2))
        return
    console = Console()
    console.print(f"[bold]{loaded.id}[/] version {loaded.version}: {loaded.title}", highlight=False)
    console.print(loaded.description.strip(), style="dim")
    demand = loaded.face_match
    extra = "extrapolated points allowed" if demand.allow_extrapolated else "measured points only"
    console.print(f"face match at FMR {demand.fmr:g} on {demand.population}, {extra}", highlight=False)
    for role, minimum in loaded.minimum_quality.items():
        console.print(f"quality of the {role}: at least {minimum} of 100", highlight=False)
    table = Table("layer", "check", "requirement", "fails", "abstains", "absent", box=None, header_style="bold")
    for name, layer in loaded.layers.items():
        if layer.requirement == "waived":
            table.add_row(name, ", ".join(layer.checks), "waived", str(layer.on_failure), "-", "-")
            continue
        for check in layer.checks:
            rule = loaded.rule_for(check)
            table.add_row(
                name,
                check,
                layer.requirement.replace("_", " "),
                str((rule.on_failure if rule else None) or layer.on_failure),
                str((rule.on_abstention if rule else None) or layer.on_abstention),
                str((rule.on_absence if rule else None) or layer.on_absence),
            )
    console.print(table)
    if loaded.informational:
        console.print(f"reported, decides nothing: {', '.join(loaded.informational)}", highlight=False)
    console.print(f"sha256 {loaded.digest}", style="dim", highlight=False)


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check_command(context: click.Context, file: Path, as_json: bool) -> None:
    """Report every mistake in the policy FILE at once; exit code 65 when there is one."""
    from dataclasses import asdict

    from samebody.decide import check_policy

    mistakes = check_policy(file)
    if as_json:
        click.echo(json.dumps([asdict(mistake) for mistake in mistakes], indent=2))
    elif not mistakes:
        click.echo(f"{file}: fine")
    else:
        for mistake in mistakes:
            click.echo(f"{file}: {mistake}")
        click.echo(f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}", err=True)
    if mistakes:
        context.exit(65)


@command.command("schema")
def schema_command() -> None:
    """Print the JSON schema of a verdict."""
    from samebody.decide import verdict_schema

    click.echo(json.dumps(verdict_schema(), indent=2, ensure_ascii=False))
