"""``samebody data coverage``: cells missing or thin."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, json_option, say, version_option


@click.command("coverage", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--by", multiple=True, required=True, metavar="COLUMN", help="Column; several times for combinations.")
@click.option("--least", default=30, show_default=True, type=click.IntRange(1), help="Samples a cell should have.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="HTML file for the heat map.")
@json_option
def command(
    data_set: Path, version: str | None, by: tuple[str, ...], least: int, out: Path | None, as_json: bool
) -> None:
    """Count every combination of the columns and name those that are missing or thin."""
    from dataclasses import asdict

    from samebody.lab.data import DataSet
    from samebody.lab.data.coverage import coverage, heat_map
    from samebody.lab.evaluate.files import write_text

    held = DataSet.open(data_set)
    base = held.version(version)
    found = coverage(held.manifest(base), by, least)
    if out:
        write_text(out, heat_map(found, f"{held.name}, version {base.short}"))
    lines = [f"missing: {' / '.join(cell.values)}" for cell in found.missing]
    lines += [f"thin: {' / '.join(cell.values)}: {cell.samples}" for cell in found.thin]
    lines.append(
        f"version {base.short}: {len(found.cells)} cells of {' x '.join(by)}, {len(found.missing)} missing, "
        f"{len(found.thin)} with fewer than {least} samples"
    )
    say(asdict(found), as_json, lines)
