"""``samebody operate export-labels``: what reviewers said, as pictures and a list for the lab."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.store_common import StorePlace, actor, store_options


@click.command("export-labels")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True,
    help="New folder, samples in plain: keep it as the lab's data is kept.",
)  # fmt: skip
def command(place: StorePlace, tenant: str, out: Path) -> None:
    """Write labelled samples of people who consent to research, and their list; then: samebody data ingest."""
    from samebody.operate.labels import export_labels

    with place.open() as store:
        made = export_labels(store, tenant, out, actor=actor())
    click.echo(f"{made.samples} samples of {made.cases} cases written to {out}")
    click.echo(
        f"left out: {made.without_consent} cases without consent to research, {made.contradicted} on which people "
        f"differ, {made.purged} without samples"
    )
    click.echo(f"next: samebody data ingest {out / 'samples.csv'} --root {out} --into SET")
