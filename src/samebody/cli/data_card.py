"""``samebody data card``: the data sheet."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, pairs, version_option


@click.command("card", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--by", multiple=True, metavar="COLUMN", help="Columns for the table of coverage.")
@click.option("--say", "said", multiple=True, metavar="FIELD=TEXT", help="What only people know; kept with the set.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File; standard output otherwise.")
def command(data_set: Path, version: str | None, by: tuple[str, ...], said: tuple[str, ...], out: Path | None) -> None:
    """Write the data sheet in Markdown: composition, terms, groups, what was left out, splits, history."""
    from samebody.lab.data import DataSet
    from samebody.lab.data.card import ABOUT, card
    from samebody.lab.evaluate.files import write_text

    held = DataSet.open(data_set)
    fields = pairs(said, "--say")
    unknown = [name for name in fields if name not in ABOUT]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)} is none of {', '.join(ABOUT)}.", param_hint="--say")
    if fields:
        with held.writing():
            held = held.describe(**fields)
    text = card(held, held.version(version), by)
    if out:
        click.echo(f"written: {write_text(out, text)}", err=True)
    else:
        click.echo(text)
