"""``samebody ship record``: record and model card of a release."""

from __future__ import annotations

import json
from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS


@click.command("record", context_settings=SETTINGS)
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--declare",
    "declaration",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="What people say of the model (YAML): id, contracts, licence, intended use, limits.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the bundle.")
@click.option("--export", "export_folder", type=click.Path(path_type=Path, file_okay=False), help="Of `ship export`.")
@click.option("--quantised", type=click.Path(path_type=Path, dir_okay=False), help="The .json of `ship quantise`.")
@click.option("--gates", type=click.Path(path_type=Path, dir_okay=False), help="The report of `ship gate`.")
def command(
    model: Path,
    declaration: Path,
    out: Path,
    export_folder: Path | None,
    quantised: Path | None,
    gates: Path | None,
) -> None:
    """Write the folder of a bundle for MODEL: record.toml, weights, card.md, and the papers of the steps before.

    The papers must be about these weights, and the gates must have passed them. The model is run once.
    """
    from samebody.lab.ship.folder import EXPORT, RUN
    from samebody.lab.ship.graph import read_graph
    from samebody.lab.ship.record import Papers, load_declaration, write_bundle_folder

    papers = Papers(
        _json(export_folder / EXPORT) if export_folder else None,
        _json(quantised) if quantised else None,
        _json(gates) if gates else None,
        _bytes(export_folder / RUN) if export_folder else None,
    )
    record = write_bundle_folder(load_declaration(declaration), read_graph(model), papers, out)
    click.echo(f"{record.label} in {out}; sign it: samebody ship sign {out} --key KEY")


def _bytes(path: Path) -> bytes:
    from samebody.lab.ship.errors import ShipError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ShipError(f"{path} cannot be read: {error.strerror}.") from None


def _json(path: Path) -> dict[str, object]:
    from samebody.lab.ship.errors import ShipError

    try:
        found = json.loads(_bytes(path))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ShipError(f"{path} is no report of `samebody ship`.")
    return found
