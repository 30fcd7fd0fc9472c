"""`samebody document`: read a document's page, machine-readable zone and visual zone, or render a specimen."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samebody.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from rich.console import Console

    from samebody.document import DocumentReading


COMMANDS = {
    "read": ("samebody.cli.document", "read a document"),
    "specimen": ("samebody.cli.document_specimen", "render a specimen document"),
}


@click.group("document", cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Read documents, render specimens."""


@command.command("read")
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--mrz-only", is_flag=True, help="Leave out the visual zone.")
@click.option("--date", "today", type=click.DateTime(["%Y-%m-%d"]), help="Reading date; the current one by default.")
def read(picture: Path, as_json: bool, mrz_only: bool, today: date | None) -> None:
    """Read the document on PICTURE: every field, every check digit, and what stands behind each."""
    from rich.console import Console

    from samebody.capture import decode_image
    from samebody.config import load_settings
    from samebody.document import DocumentReader

    settings = load_settings()
    image = decode_image(picture, limits=settings.limits, role="document")
    day = date(today.year, today.month, today.day) if today is not None else None
    reading = DocumentReader(settings).read(image, today=day, visual_zone=not mrz_only)
    if as_json:
        import json

        from samebody.document.serialise import reading_to_dict

        click.echo(json.dumps(reading_to_dict(reading), indent=2, ensure_ascii=False))
        return
    _print(reading, Console())


def _print(reading: DocumentReading, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    if reading.document_class is not None:
        console.print(Text(reading.document_class.label, style="bold"))
    if reading.mrz is not None:
        console.print()
        for line in reading.mrz.lines:
            console.print(Text(f"  {line}"))
        console.print()
        digits = {check.name: check for check in reading.mrz.check_digits}
        table = Table("field", "value", "check digit", "confirmed by", "state")
        for name, entry in reading.mrz.fields.items():
            check = digits.get(name)
            shown = "" if check is None else check.printed if check.ok else f"{check.printed}, not {check.computed}"
            state = Text("unsure", style="yellow") if entry.unsure else Text("confirmed", style="green")
            confirmed = ", ".join(by.replace("_", " ") for by in entry.confirmed_by)
            table.add_row(Text(name.replace("_", " ")), Text(entry.value), Text(shown), Text(confirmed), state)
        composite = digits.get("composite")
        if composite is not None:
            shown = composite.printed if composite.ok else f"{composite.printed}, not {composite.computed}"
            state = Text("agrees", style="green") if composite.ok else Text("disagrees", style="red")
            table.add_row("all lines", "", Text(shown), "", state)
        console.print(table)
        for name, entry in reading.mrz.fields.items():
            for reason in entry.reasons if entry.unsure else ():
                console.print(Text(f"  {name.replace('_', ' ')}: {reason}", style="yellow"))
    styles = {"pass": "green", "fail": "red", "unsure": "yellow", "not_run": "dim"}
    for finding in reading.findings:
        console.print(Text(f"{finding.check}: {finding.outcome}", style=styles[finding.outcome]))
        for cause in finding.reasons:
            console.print(Text(f"  {cause.message} {cause.advice}".rstrip()))
