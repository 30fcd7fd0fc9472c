"""``samebody data clean``: quarantine with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from samebody.cli.data_parts import SETTINGS, bar, data_set_argument, figures, json_option, say, version_option


@click.command("clean", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--min-side", type=click.IntRange(1), help="Shorter side of a picture, pixels.")
@click.option("--min-inter-eye", type=float, help="Distance between the eyes, pixels.")
@click.option("--min-sharpness", type=float, help="Fine over coarse detail of the face.")
@click.option("--max-roll", type=float, help="Tilt of the head, degrees.")
@click.option("--no-faces", is_flag=True, help="Do not look for faces.")
@json_option
def command(data_set: Path, version: str | None, no_faces: bool, as_json: bool, **limits: Any) -> None:
    """Put into quarantine what is unreadable, tiny, flat, blurred, turned, without a face or with several.

    Nothing is deleted: the reasons stand in the column `quarantine`, and later steps leave these samples out.
    """
    from samebody.lab.data import DataSet
    from samebody.lab.data.clean import CleanRules, clean

    given = {name: value for name, value in limits.items() if value is not None}
    with bar("looking for faces") as progress:
        made, result = clean(
            DataSet.open(data_set), CleanRules(**given, faces=not no_faces), version=version, progress=progress
        )
    lines = [
        f"version {made.short}: {len(result.reasons):,} of {result.samples:,} samples in quarantine: "
        f"{figures(dict(result.counts))}"
    ]
    say({"version": made.id, "reasons": result.reasons, "counts": result.counts}, as_json, lines)
