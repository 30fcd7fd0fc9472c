"""``samebody audit``: check the audit log, take it out as a file that others can check."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samebody.cli.store_common import FILE, StorePlace, store_options

if TYPE_CHECKING:
    from samebody.store.audit import Checkpoint, Report


@click.group("audit", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """The audit log: who did what, hash-chained and signed."""


@command.command()
@store_options
@click.option("--tenant", help="Only this tenant's log; by default all.")
@click.option("--file", "export", type=FILE, help="Check an exported log instead of a store.")
@click.option("--public-key", help="With --file: the key that was kept apart, 64 hexadecimal digits.")
@click.option(
    "--against",
    type=FILE,
    multiple=True,
    help="An older export: the log must still contain what its checkpoints attest.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(
    context: click.Context,
    place: StorePlace,
    tenant: str | None,
    export: Path | None,
    public_key: str | None,
    against: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Check every event, link, checkpoint and the end. Exits with 1 and names the place when something was changed."""
    if export is not None:
        from samebody.store.audit import verify_export

        report = verify_export(_read(export), public_key)
    else:
        from samebody.store.audit import verify_log

        trusted: list[Checkpoint] = [mark for path in against for mark in _read(path).checkpoints]
        with place.open() as store, store.read() as tx:
            report = verify_log(tx, store.audit, tenant, trusted)
    _say(report, as_json, kept_apart=export is None or public_key is not None)
    context.exit(0 if report.sound else 1)


@command.command()
@store_options
@click.option("--tenant", default="local", show_default=True, help="Whose log.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write, JSON lines."
)
def export(place: StorePlace, tenant: str, out: Path) -> None:
    """Sign the log as it stands and write it to a file; prints the key to check it with: keep that apart."""
    from samebody.store.audit import export_log
    from samebody.store.files import written

    with place.open() as store, written(out) as stream, store.write() as tx:
        count, public = export_log(tx, store.audit, tenant, stream)
    click.echo(f"{count} events of {tenant} written to {out}")
    click.echo(f"public key: {public}")


def _read(path: Path) -> Any:
    from samebody.store.audit import read_export
    from samebody.store.errors import AuditError

    try:
        with path.open(encoding="ascii") as lines:
            return read_export(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"{path} cannot be read as an audit export: {type(error).__name__}.") from None


def _say(report: Report, as_json: bool, *, kept_apart: bool) -> None:
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(report), "sound": report.sound}, indent=2))
        return
    click.echo(f"{report.tenants} tenants, {report.events} events, {report.checkpoints} checkpoints read")
    for each in report.problems:
        place = str(each.first) if each.first == each.last else f"{each.first} to {each.last}"
        click.echo(f"{each.tenant}: {each.table} {place}: {each.message}")
    if not kept_apart:
        click.echo("no --public-key was given: the file was checked against the key it carries itself")
    click.echo("sound" if report.sound else "NOT SOUND")
