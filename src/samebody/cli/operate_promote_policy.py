"""``samebody operate promote-policy``: a new version goes live, behind guard rails."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.operate_shadow import say
from samebody.cli.store_common import FILE, StorePlace, actor, store_options


@click.command("promote-policy")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option("--name", default="default", show_default=True, help="The policy that gets a new version.")
@click.option("--limits", "limits_file", type=FILE, help="YAML file of limits; the defaults are in the guide.")
@click.option("--last", type=click.IntRange(min=1), default=1000, show_default=True, help="Verdicts to compare on.")
@click.option("--force", default="", metavar="REASON", help="Do it although a limit is exceeded; the reason is kept.")
@click.argument("policy", type=FILE)
def command(
    place: StorePlace,
    tenant: str,
    name: str,
    limits_file: Path | None,
    last: int,
    force: str,
    policy: Path,
) -> None:
    """Compare POLICY with the live version on the newest cases, and make it live if the limits are kept."""
    from samebody.config import load_settings
    from samebody.decide.load import policy_text
    from samebody.operate.changes import promote_policy
    from samebody.operate.limits import read_limits

    limits = read_limits(limits_file) if limits_file else None
    with place.open() as store:
        row, found = promote_policy(
            store, tenant, name, policy_text(policy)[0], load_settings(),
            actor=actor(), limits=limits, last=last, force=force,
        )  # fmt: skip
        if found is not None:
            say(found)
        click.echo(f"{name} version {row.version} is live for sessions made from now on")
