"""``samebody operate drift``: the last day against the weeks before it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import click

from samebody.cli.store_common import StorePlace, actor, store_options

if TYPE_CHECKING:
    from samebody.operate.drift import DriftReport

_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command("drift")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option("--until", type=_TIME, help="End of the window, UTC; now by default.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="Window.")
@click.option(
    "--reference-days", type=click.FloatRange(min=0, min_open=True), default=28.0, show_default=True,
    help="Reference: so many days right before the window.",
)  # fmt: skip
@click.option("--reference-until", type=_TIME, help="End of a fixed reference instead, UTC: it also sees slow drift.")
@click.option(
    "--monthly-alarms", type=float, default=0.05, show_default=True,
    help="Probability of any alarm in a month in which nothing changes.",
)  # fmt: skip
@click.option("--looks", type=click.IntRange(min=1), default=30, show_default=True, help="How often a month this runs.")
@click.option("--least-psi", type=float, default=0.1, show_default=True, help="A smaller difference does not matter.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    place: StorePlace,
    tenant: str,
    until: datetime | None,
    days: float,
    reference_days: float,
    reference_until: datetime | None,
    monthly_alarms: float,
    looks: int,
    least_psi: float,
    as_json: bool,
) -> None:
    """Compare scores, outcomes and decisions of a window with a reference. Exits with 1 and an audit event on alarm."""
    from samebody.operate.drift import DriftLimits
    from samebody.operate.watch import watch

    limits = DriftLimits(monthly_alarms=monthly_alarms, looks=looks, least_psi=least_psi)
    with place.open() as store:
        report = watch(
            store, tenant, limits, until=until, days=days, reference_days=reference_days,
            reference_until=reference_until, actor=actor(),
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _say(report)
    context.exit(1 if report.alarms else 0)


def _say(report: DriftReport) -> None:
    click.echo(f"{report.window_cases} cases against {report.reference_cases} of the reference")
    for each in report.alarms:
        click.echo(
            f"ALARM {each.check} ({each.kind}): PSI {each.psi:.2f}, p {each.p:.1e} (limit {each.p_limit:.1e}), "
            f"n {each.window_n} against {each.reference_n}"
        )
        for name in dict.fromkeys([*each.reference, *each.window]):
            click.echo(f"    {name}: {each.reference.get(name, 0):g} -> {each.window.get(name, 0):g}")
    few = sum(each.state == "too_few" for each in report.differences)
    click.echo(
        f"{len(report.differences)} comparisons, {len(report.alarms)} alarms, {few} with too few figures to tell"
    )
    if report.changed:
        click.echo("in one window only: " + ", ".join(report.changed))
