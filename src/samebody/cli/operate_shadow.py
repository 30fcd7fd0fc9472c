"""``samebody operate shadow``: a candidate beside what is live, on the same cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samebody.cli.store_common import FILE, StorePlace, actor, store_options

if TYPE_CHECKING:
    from samebody.operate.shadow import Shadow


@click.command("shadow")
@store_options
@click.option("--tenant", default="local", show_default=True)
@click.option("--policy", "candidate", type=FILE, help="File of a candidate policy; needs no pictures.")
@click.option("--model", help="Record of a candidate embedder; verifies kept samples again, twice each.")
@click.option("--name", default="default", show_default=True, help="The live policy whose cases are looked at.")
@click.option("--last", type=click.IntRange(min=1), default=1000, show_default=True, help="So many newest verdicts.")
@click.option(
    "--purpose", default="research", show_default=True,
    help="With --model: the consent that a case needs for its samples to be used.",
)  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write the result here, JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    place: StorePlace,
    tenant: str,
    candidate: Path | None,
    model: str | None,
    name: str,
    last: int,
    purpose: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare decisions of a candidate with the live ones; the figures go to the audit log, where promotions look."""
    from samebody.config import load_settings
    from samebody.decide import read_policy
    from samebody.decide.load import policy_text
    from samebody.operate.changes import live_record
    from samebody.operate.shadow import record_shadow, shadow_model, shadow_policy, verifying
    from samebody.store.files import written

    if (candidate is None) == (model is None):
        raise click.UsageError("Give either --policy or --model.")
    settings = load_settings()
    with place.open() as store:
        with store.read() as tx:
            record = live_record(store, tx, tenant, settings)
            live = store.policies.get(tx, tenant, name)
        if candidate is not None:
            text, _ = policy_text(candidate)
            with store.read() as tx:
                found = shadow_policy(
                    store, tx, tenant, read_policy(text, str(candidate)), text, record, last=last, name=name
                )
        else:
            from samebody.pipeline import Verifier

            assert model is not None
            policy = read_policy(live.text, name)
            own, other = (Verifier(settings, embedder=each) for each in (record.id, model))
            found = shadow_model(
                store, tenant, verifying(own, policy), verifying(other, policy), other.record,
                policy_id=name, last=last, purpose=purpose, actor=actor(),
            )  # fmt: skip
        with store.write() as tx:
            record_shadow(store, tx, tenant, found, actor=actor())
    text = json.dumps(found.to_dict(), indent=2)
    if out is not None:
        with written(out) as stream:
            stream.write(text + "\n")
    click.echo(text) if as_json else say(found)


def say(found: Shadow) -> None:
    """Print a comparison."""
    low, high = found.changed_interval
    click.echo(f"{found.cases} cases of {found.cases + found.left_out}; {found.left_out} could not be compared")
    click.echo(f"decided otherwise: {found.changed:.1%} (95 % interval {low:.1%} to {high:.1%})")
    for name, each in found.shifts.items():
        click.echo(
            f"{name:<7} {each.live:>6} -> {each.candidate:>6}   {each.difference:+.1%} "
            f"({each.low:+.1%} to {each.high:+.1%})"
        )
    for move, count in found.moves.items():
        before, after = move.split(">")
        if before != after:
            click.echo(f"    {before} -> {after}: {count}")
