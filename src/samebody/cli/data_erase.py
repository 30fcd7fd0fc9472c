"""``samebody data erase``: a subject out of every version."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, json_option, say


@click.command("erase", context_settings=SETTINGS)
@data_set_argument
@click.argument("subject")
@click.option("--runs", multiple=True, type=click.Path(exists=True, path_type=Path), help="Folder with run records.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(data_set: Path, subject: str, runs: tuple[Path, ...], dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove the bytes of SUBJECT from every version, and list the models trained on them.

    Run records and model records below --runs are searched for the names of the versions that held the subject.
    """
    from dataclasses import asdict

    from samebody.lab.data import DataSet
    from samebody.lab.data.erase import erase

    held = DataSet.open(data_set)
    plan = erase(held, subject, runs=runs, dry_run=True)
    if not dry_run:
        if not yes:
            click.confirm(f"Remove {plan.samples} files of {subject!r} from {len(plan.versions)} versions?", abort=True)
        plan = erase(held, subject, runs=runs)
    lines = [
        f"{'would remove' if dry_run else 'removed'} {plan.samples} files and {plan.rows} rows of {subject!r} from "
        f"{len(plan.versions)} versions"
    ]
    if plan.shared:
        lines.append(f"{plan.shared} of the files also stand under other subjects")
    lines += [f"trained on them: {path}" for path in plan.models]
    if not plan.models:
        lines.append("no record of a model trained on them was found" if runs else "no --runs given: no models listed")
    say(asdict(plan), as_json, lines)
