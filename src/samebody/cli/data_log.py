"""``samebody data log``: the versions of a data set."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, figures, json_option, say


@click.command("log", context_settings=SETTINGS)
@data_set_argument
@click.option("--check", is_flag=True, help="Count all digests anew; exit 65 when something has changed.")
@json_option
def command(data_set: Path, check: bool, as_json: bool) -> None:
    """List the versions with their parents, what made them and when."""
    from samebody.lab.data import DataSet

    held = DataSet.open(data_set)
    times, last = held.made(), held.head()
    versions = held.versions()
    lines = []
    for version in versions:
        parents = ", ".join(name[:12] for name in version.parents) or "-"
        mark = "*" if last is not None and version.id == last.id else " "
        erased = f", {len(version.erased)} erased since" if version.erased else ""
        found = figures(dict(version.step["figures"]))
        made = times.get(version.id, "")
        lines.append(f"{mark} {version.short}  {made:25}  {version.step['name']:9} from {parents}: {found}{erased}")
    problems = [problem for version in versions for problem in held.check(version)] if check else []
    if check:
        lines += problems or [f"{len(versions)} versions are as they were made"]
    say({"versions": [version.to_dict() for version in versions], "problems": problems}, as_json, lines)
    if problems:
        raise click.exceptions.Exit(65)
