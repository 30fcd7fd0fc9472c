"""``samebody data ingest``: sources into a content-addressed data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from samebody.cli.data_parts import SETTINGS, bar, figures, json_option, pairs, say


@click.command("ingest", context_settings=SETTINGS)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--into", required=True, type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option("--name", default="", help="Name of the samples' source; its own otherwise.")
@click.option("--pattern", default="", help="Fields in the path, for example '{subject}/{session}/*'.")
@click.option("--labels", default="", type=click.Path(), help="Table with `file` and columns of the manifest.")
@click.option("--set", "constants", multiple=True, metavar="FIELD=VALUE", help="Field of every sample.")
@click.option("--column", "aliases", multiple=True, metavar="FIELD=COLUMN", help="Column of a table that is a field.")
@click.option("--root", default="", type=click.Path(), help="Folder that the files of a list are below.")
@click.option("--every", default=10, show_default=True, type=click.IntRange(1), help="Frames of a video per sample.")
@click.option("--workers", type=click.IntRange(1), help="Processes; one a core otherwise.")
@click.option("--engine", default="local", show_default=True, type=click.Choice(["local", "ray"]))
@click.option("--address", help="Of a running Ray cluster.")
@click.option("--broken-sources", is_flag=True, help="Go on without what cannot be read, and report it.")
@json_option
def command(sources: tuple[str, ...], into: Path, as_json: bool, **options: Any) -> None:
    """Take pictures from folders, lists (.csv, .parquet), tar shards, videos or URLs into a data set.

    A run that was cut off goes on where it was when the same command is given again. Pictures that cannot be decoded
    are taken in too: `samebody data clean` puts them into quarantine.
    """
    from dataclasses import asdict

    from samebody.lab.data import SourceOptions, ingest

    aliases = {column: field for field, column in pairs(options["aliases"], "--column").items()}
    told = SourceOptions(
        name=options["name"],
        pattern=options["pattern"],
        labels=options["labels"],
        constants=pairs(options["constants"], "--set"),
        root=options["root"],
        every=options["every"],
        aliases=aliases,
    )
    with bar("ingesting") as progress:
        result = ingest(
            sources,
            into,
            options=told,
            workers=options["workers"],
            engine=options["engine"],
            address=options["address"],
            broken_sources=options["broken_sources"],
            progress=progress,
        )
    lines = [
        f"version {result.version.short}: {result.version.rows:,} samples "
        f"({result.new:,} new, {result.changed:,} changed, {result.unchanged:,} unchanged)",
    ]
    if result.unreadable:
        lines.append(f"{result.unreadable:,} cannot be decoded; `samebody data clean` puts them into quarantine")
    if result.erased_before:
        lines.append(f"{result.erased_before:,} were erased before and are left out")
    if result.resumed:
        lines.append(f"{result.resumed:,} taken over from a run that was cut off")
    if result.skipped:
        lines.append(f"skipped as no pictures: {figures(dict(result.skipped))}")
    lines += [f"left out: {problem}" for problem in result.problems]
    say(asdict(result), as_json, lines)
