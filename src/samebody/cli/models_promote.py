"""``samebody models promote | rollback``: which embedder is live for a tenant."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.store_common import FILE, StorePlace, actor, store_options


@click.command("promote")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option("--limits", "limits_file", type=FILE, help="YAML file of limits; the defaults are in the guide.")
@click.option("--force", default="", metavar="REASON", help="Do it without a comparison that keeps the limits.")
@click.argument("identifier", metavar="ID")
def promote(place: StorePlace, tenant: str, limits_file: Path | None, force: str, identifier: str) -> None:
    """Make the embedder ID live for a tenant. Compare first: samebody operate shadow --model ID."""
    from samebody.config import load_settings
    from samebody.operate.changes import promote_model
    from samebody.operate.limits import read_limits

    limits = read_limits(limits_file) if limits_file else None
    with place.open() as store:
        live = promote_model(store, tenant, identifier, load_settings(), actor=actor(), limits=limits, force=force)
        click.echo(f"{live.model_id} is live for {tenant} (change {live.number})")


@click.command("rollback")
@store_options
@click.option("--tenant", default="local", show_default=True)
def rollback(place: StorePlace, tenant: str) -> None:
    """Make the embedder live again that was live before. Asks nothing."""
    from samebody.config import load_settings
    from samebody.operate.changes import rollback_model

    with place.open() as store:
        live = rollback_model(store, tenant, load_settings(), actor=actor())
        click.echo(f"{live.model_id} is live for {tenant} (change {live.number})")
