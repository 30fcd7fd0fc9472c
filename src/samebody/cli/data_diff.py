"""``samebody data diff``: two versions."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, figures, json_option, say


@click.command("diff", context_settings=SETTINGS)
@data_set_argument
@click.argument("before")
@click.argument("after", default="HEAD")
@click.option("--show", default=20, show_default=True, type=click.IntRange(0), help="Samples printed of each kind.")
@json_option
def command(data_set: Path, before: str, after: str, show: int, as_json: bool) -> None:
    """What changed from version BEFORE to version AFTER (the last one by default)."""
    from dataclasses import asdict

    from samebody.lab.data import DataSet
    from samebody.lab.data.diff import diff

    held = DataSet.open(data_set)
    one, two = held.version(before), held.version(after)
    found = diff(held.manifest(one), held.manifest(two))
    lines = [f"+ {name}" for name in found.added[:show]] + [f"- {name}" for name in found.removed[:show]]
    for name, cells in list(found.changed.items())[:show]:
        lines.append(f"~ {name}: " + ", ".join(f"{key} {old!r} -> {new!r}" for key, (old, new) in cells.items()))
    lines.append(
        f"{one.short} -> {two.short}: {len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} "
        f"changed ({figures(dict(found.columns))}), {found.unchanged} the same"
    )
    say(asdict(found), as_json, lines)
