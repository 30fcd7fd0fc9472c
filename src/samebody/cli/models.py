"""``samebody models``: list, show, pull, check and add model records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samebody.cli.models_add import command as add_command
from samebody.cli.models_card import command as card_command
from samebody.cli.models_promote import promote, rollback

if TYPE_CHECKING:
    from rich.console import Console


_WIDE = 110


@click.group()
def command() -> None:
    """List, show, pull, check and add the records of models, example photographs and fonts; write model cards."""


command.add_command(add_command)
command.add_command(card_command)
command.add_command(promote)
command.add_command(rollback)


@command.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Also list example photographs and fonts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(everything: bool, as_json: bool) -> None:
    """List the records: licence of the weights, commercial use, size, whether pulled."""
    from samebody.config import load_settings
    from samebody.models import catalogue
    from samebody.models.describe import summary

    settings = load_settings()
    known = catalogue(settings)
    records = list(known.values()) if everything else list(known.models())
    rows = [summary(record, settings) for record in records]
    if as_json:
        click.echo(json.dumps({"schema_version": "1.0", "records": rows}, indent=2, ensure_ascii=False))
        return
    _print_table(rows)
    hidden = len(known) - len(records)
    if hidden:
        click.echo(f"{hidden} example photographs and fonts not shown; see them with --all.")


@command.command(name="show")
@click.argument("identifier", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_command(identifier: str, as_json: bool) -> None:
    """Show one record: licence, origin, contracts, limits, operating points."""
    from samebody.config import load_settings
    from samebody.models import catalogue
    from samebody.models.describe import details

    settings = load_settings()
    fields = details(catalogue(settings)[identifier], settings)
    if as_json:
        click.echo(json.dumps({"schema_version": "1.0", **fields}, indent=2, ensure_ascii=False))
    else:
        _print_details(fields)


@command.command(name="pull")
@click.argument("identifiers", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Also pull example photographs, fonts and your own records.")
@click.option("--quiet", is_flag=True, help="Print nothing unless something fails.")
@click.option(
    "--mirror",
    type=click.Path(path_type=Path, file_okay=False),
    help="Fill this folder with source files instead, to carry it to a machine without a network.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def pull_command(
    identifiers: tuple[str, ...], everything: bool, quiet: bool, mirror: Path | None, as_json: bool
) -> None:
    """Bring weights to this machine, verified by SHA-256. Without ID: every model, no examples, no fonts."""
    from samebody.config import load_settings
    from samebody.models import catalogue
    from samebody.models.pulling import pull, require_all

    settings = load_settings()
    known = catalogue(settings)
    if identifiers:
        records = [known[identifier] for identifier in dict.fromkeys(identifiers)]
    else:
        records = list(known.values()) if everything else list(known.models())
    with _progress(quiet or as_json, len(records)) as observer:
        results = pull(records, settings, mirror=mirror, observer=observer)
    if as_json:
        rows = [
            {
                "id": result.id,
                "action": result.action,
                "source": result.source,
                "path": str(result.path) if result.path else None,
                "error": result.error.to_dict() if result.error else None,
            }
            for result in results
        ]
        click.echo(json.dumps({"schema_version": "1.0", "results": rows}, indent=2, ensure_ascii=False))
    require_all(results)


@command.command(name="check")
@click.argument("identifiers", metavar="[ID]...", nargs=-1)
@click.option(
    "--records",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Check the records below this folder instead of the installed ones.",
)
@click.option("--all", "everything", is_flag=True, help="Also check example photographs and fonts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check_command(identifiers: tuple[str, ...], folder: Path | None, everything: bool, as_json: bool) -> int:
    """Verify local files and run each model once. Exit code 0 when all hold, 69 when one does not."""
    from rich.console import Console

    from samebody.config import load_settings
    from samebody.models import catalogue, read_records
    from samebody.models.check import check_record

    settings = load_settings()
    known = read_records(folder) if folder else catalogue(settings)
    if identifiers:
        records = [known[identifier] for identifier in dict.fromkeys(identifiers)]
    else:
        records = list(known.values()) if everything or folder else list(known.models())
    results = []
    for record in records:
        if record.task == "iris-code":
            from samebody.iris.record import check_iris_record

            results.append(check_iris_record(record, settings))
        else:
            results.append(check_record(record, settings))
    if as_json:
        rows = [
            {
                "id": result.id,
                "status": result.status,
                "checks": list(result.checks),
                "error": result.error.to_dict() if result.error else None,
            }
            for result in results
        ]
        click.echo(json.dumps({"schema_version": "1.0", "results": rows}, indent=2, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        colours = {"ok": "green", "not pulled": "yellow", "failed": "red"}
        for result in results:
            console.print(f"[{colours[result.status]}]{result.status:<10}[/] {result.id}  ", end="")
            console.print(str(result.error) if result.error else ", ".join(result.checks), markup=False, soft_wrap=True)
    return 0 if all(result.status == "ok" for result in results) else 69


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    wide = console.width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "licence", "commercial", "size", "pulled", "points", "title")[: 7 if wide else 6]:
        table.add_column(name, justify="right" if name == "size" else "left", no_wrap=True)
    for row in rows:
        points = row["operating_points"]
        table.add_row(
            row["id"],
            row["licence"].removeprefix("LicenseRef-"),
            _coloured_use(row["commercial_use"]),
            "-" if row["weightless"] else _size(row["bytes"]),
            "-" if row["weightless"] else "yes" if row["pulled"] else "[yellow]no[/]",
            str(points) if points else ("[yellow]none[/]" if row["makes_templates"] else ""),
            *([row["title"]] if wide else []),
        )
    console.print(table)
    console.print("commercial: whether commercial use is allowed; `samebody models show ID` says why.", style="dim")


def _print_details(fields: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"[bold]{fields['id']}[/]@{fields['version']}  {fields['title']}")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    licence, provenance = fields["licence"], fields["provenance"]
    grid.add_row("licence of weights", licence["spdx"])
    grid.add_row("commercial use", f"{_coloured_use(licence['commercial_use'])}: {licence['why']}")
    grid.add_row("notice", licence["notice"])
    if fields["weightless"]:
        grid.add_row("weights", f"none: the pipeline {fields['filename']} of this package")
        grid.add_row("sha256", fields["sha256"] + " (stages and parameters of the pipeline)")
    else:
        grid.add_row("size", _size(fields["bytes"]))
        grid.add_row("pulled", fields["path"] or f"no; run: samebody models pull {fields['id']}")
        grid.add_row("sha256", fields["sha256"] + (" (published file)" if fields["derived"] else ""))
    if fields["derived"]:
        grid.add_row("", f"{fields['derived']['sha256']} (run, made by {', '.join(fields['derived']['steps'])})")
    for name in ("origin", "paper", "training_data", "intended_use"):
        if provenance[name]:
            grid.add_row(name.replace("_", " "), provenance[name])
    if fields["training"]:
        made = fields["training"]
        grid.add_row("trained by", f"recipe {made['recipe']} ({made['recipe_digest'][:12]}), seed {made['seed']}")
        grid.add_row("run", made["run"])
        for name, value in made["data"].items():
            grid.add_row(f"data, {name}", value)
    for limit in provenance["known_limits"]:
        grid.add_row("known limit", limit)
    if fields["credit"]:
        grid.add_row("credit", "; ".join(f"{k}: {v}" for k, v in fields["credit"].items() if v is not None))
    for source in fields["sources"]:
        grid.add_row("source", source)
    if fields["input"]:
        grid.add_row("input", fields["input"])
    if fields["output"]:
        grid.add_row("output", fields["output"])
    if fields["embedding_space"]:
        grid.add_row("embedding space", fields["embedding_space"])
    console.print(grid)
    if fields["detection"]:
        _print_detection(console, fields["detection"])
    if fields["embedding_space"]:
        _print_points(console, fields["operating_points"])


def _print_detection(console: Console, detection: dict[str, Any]) -> None:
    from rich.table import Table

    low, high = detection["unsure"]
    console.print(f"unsure from {low:.4f} to {high:.4f}; fail below, pass from {high:.4f} on (likelihood of bona fide)")
    if not detection["validated"]:
        console.print("[yellow]not validated on real attacks[/]: a policy must allow that before it accepts.")
    if not detection["points"]:
        console.print("error rates: none measured.")
        return
    table = Table(title="error rates", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in (
        "attacks",
        "held out",
        "threshold",
        "BPCER (95 %)",
        "worst species",
        "APCER (95 %)",
        "data set",
        "note",
    ):
        table.add_column(name)
    for point in detection["points"]:
        worst = max(point["species"], key=lambda species: species["apcer"])
        table.add_row(
            point["attacks"],
            point["held_out"],
            f"{point['threshold']:.4f}",
            "{:.3g} ({:.2g}-{:.2g})".format(point["realised_bpcer"], *point["bpcer_interval"]),
            worst["name"],
            "{:.3g} ({:.2g}-{:.2g})".format(worst["apcer"], *worst["interval"]),
            point["dataset"],
            "indicative" if point["indicative"] else "",
        )
    console.print(table)


def _print_points(console: Console, points: list[dict[str, Any]]) -> None:
    from rich.table import Table

    if not points:
        console.print("operating points: none measured; a policy that asks for an error rate will refuse this model.")
        return
    table = Table(title="operating points", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in ("population", "FMR", "threshold", "FMR realised (95 %)", "FNMR (95 %)", "pairs", "subjects", "note"):
        table.add_column(name)
    for point in points:
        notes = [name for name in ("indicative", "extrapolated") if point[name]]
        low, high = point["fmr_interval"]
        miss = "not measured" if point["fnmr"] is None else f"{point['fnmr']:.3g}"
        if point["fnmr_interval"]:
            miss += " ({:.2g}-{:.2g})".format(*point["fnmr_interval"])
        table.add_row(
            point["population"],
            f"{point['fmr']:g}",
            f"{point['threshold']:.4f}",
            f"{point['realised_fmr']:.3g} ({low:.2g}-{high:.2g})",
            miss,
            f"{point['pairs']:,}",
            f"{point['subjects']:,}",
            ", ".join(notes),
        )
    console.print(table)


def _coloured_use(value: str) -> str:
    return {"yes": "[green]yes[/]", "no": "[red]no[/]", "unclear": "[yellow]unclear[/]"}[value]


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _progress(quiet: bool, count: int) -> Any:
    """The context manager that shows how far a pull is, and gives the observer."""
    from samebody.cli.models_progress import PullProgress, Quiet

    return Quiet() if quiet else PullProgress(count)
