"""``samebody data export``: usable samples back into a folder."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, bar, data_set_argument, json_option, say, version_option


@click.command("export", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write.")
@click.option("--split", help="Only this one.")
@json_option
def command(data_set: Path, version: str | None, out: Path, split: str | None, as_json: bool) -> None:
    """Copy the usable samples into a plain folder, by split and subject, for tools that read folders.

    Samples in quarantine and copies of others stay behind. Given again, it goes on where it was.
    """
    from dataclasses import asdict

    from samebody.lab.data import DataSet
    from samebody.lab.data.export import export

    with bar("exporting") as progress:
        result = export(DataSet.open(data_set), out, version=version, split=split, progress=progress)
    lines = [f"{out}: {result.files:,} samples of version {result.version[:12]}; {result.left_out:,} left out"]
    say({**asdict(result), "folder": str(out)}, as_json, lines)
