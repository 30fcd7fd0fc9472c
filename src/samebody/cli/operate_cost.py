"""``samebody operate cost``: what 1,000 verifications cost."""

from __future__ import annotations

import json
from pathlib import Path

import click

from samebody.cli.store_common import FILE, StorePlace, store_options


@click.command("cost")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option("--prices", "prices_file", type=FILE, required=True, help="YAML file of prices; see the guide.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(place: StorePlace, tenant: str, prices_file: Path, days: float, as_json: bool) -> None:
    """Cost per 1,000 verifications, from what the store measured and prices that you state."""
    from samebody.operate.cost import cost, read_prices

    prices = read_prices(prices_file)
    with place.open() as store, store.read() as tx:
        found = cost(tx, tenant, prices, now=store.clock(), days=days)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
        return
    low, high = found.interval
    click.echo(
        f"1,000 verifications: {found.per_thousand:.2f} {found.currency} "
        f"(95 % interval {low:.2f} to {high:.2f}, from {found.cases} cases)"
    )
    for name, part in found.items.items():
        click.echo(f"    {name:<9} {part:.2f}")
    if found.per_accepted is not None:
        click.echo(f"1,000 accepted people: {found.per_accepted:.2f} {found.currency}")
    click.echo("measured by case: " + ", ".join(f"{name} {value:.3g}" for name, value in found.rates.items()))
    click.echo(f"stated, not measured: {found.prices.minutes_per_review:g} minutes a review")
    if found.untimed:
        click.echo(f"{found.untimed} cases have an attempt without a measured time")
