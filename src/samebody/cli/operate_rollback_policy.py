"""``samebody operate rollback-policy``: the version before goes live again."""

from __future__ import annotations

import click

from samebody.cli.store_common import StorePlace, actor, store_options


@click.command("rollback-policy")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option("--to", type=click.IntRange(min=1), help="Version whose text goes live; else the last other one.")
@click.argument("name")
def command(place: StorePlace, tenant: str, to: int | None, name: str) -> None:
    """Make an older text of the policy NAME live again, as a new version. Asks nothing."""
    from samebody.operate.changes import rollback_policy

    with place.open() as store:
        row = rollback_policy(store, tenant, name, actor=actor(), to=to)
        click.echo(f"{name} version {row.version} is live for sessions made from now on")
