"""``samebody data validate``: a version against rules."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, figures, json_option, say, version_option


@click.command("validate", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="YAML file of rules.")
@click.option("--deep", is_flag=True, help="Read and hash all bytes.")
@click.option("--show", default=50, show_default=True, type=click.IntRange(1), help="Problems that are printed.")
@click.option("--example", is_flag=True, help="Print an example of a rules file.")
@json_option
def command(
    data_set: Path, version: str | None, rules: Path | None, deep: bool, show: int, example: bool, as_json: bool
) -> None:
    """Hold a version against rules: columns, bytes, classes, retention, leakage. Exit 65 when one is broken."""
    from samebody.lab.data import DataSet
    from samebody.lab.data.validate import load_rules, rules_template, validate

    if example:
        click.echo(rules_template(), nl=False)
        return
    held = DataSet.open(data_set)
    base = held.version(version)
    result = validate(held, held.manifest(base), load_rules(rules) if rules else None, deep=deep)
    lines = [str(problem) for problem in result.problems[:show]]
    if len(result.problems) > show:
        lines.append(f"... and {len(result.problems) - show} more")
    lines.append(f"version {base.short}: {result.samples:,} samples, problems: {figures(dict(result.counts()))}")
    found = [{"rule": p.rule, "sample": p.sample, "message": p.message} for p in result.problems]
    say({"version": base.id, "valid": result.valid, "problems": found}, as_json, lines)
    if not result.valid:
        raise click.exceptions.Exit(65)
