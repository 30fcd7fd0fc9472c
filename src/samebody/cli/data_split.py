"""``samebody data split``: by subject, with proof."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, data_set_argument, figures, json_option, pairs, say, version_option


@click.command("split", context_settings=SETTINGS)
@data_set_argument
@version_option
@click.option("--shares", default="train=0.8,test=0.2", show_default=True, help="Names and shares.")
@click.option("--stratify", multiple=True, metavar="COLUMN", help="Column to keep in proportion; several times.")
@click.option("--seed", default=0, show_default=True, type=int)
@click.option("--radius", default=23, show_default=True, type=click.IntRange(0, 35), help="Near pictures, bits of 256.")
@click.option("--check", is_flag=True, help="Only check the split that is there; exit 65 on a leak.")
@json_option
def command(
    data_set: Path,
    version: str | None,
    shares: str,
    stratify: tuple[str, ...],
    seed: int,
    radius: int,
    check: bool,
    as_json: bool,
) -> None:
    """Divide by subject; copies, near pictures and groups stay on one side. The proof is printed."""
    from dataclasses import asdict

    from samebody.lab.data import DataSet
    from samebody.lab.data.split import prove, split

    held = DataSet.open(data_set)
    if check:
        base = held.version(version)
        proof = prove(held, held.manifest(base), radius)
        lines = [
            *proof.leaks,
            f"version {base.short}: {len(proof.leaks)} leaks; samples: {figures(dict(proof.counts))}",
        ]
        say({"version": base.id, "proof": asdict(proof)}, as_json, lines)
        if proof.leaks:
            raise click.exceptions.Exit(65)
        return
    try:
        asked = {name: float(value) for name, value in pairs(tuple(shares.split(",")), "--shares").items()}
    except ValueError:
        raise click.BadParameter(f"{shares!r} holds a share that is no number.", param_hint="--shares") from None
    made, result = split(held, asked, stratify=stratify, seed=seed, radius=radius, version=version)
    proof = result.proof
    lines = [
        f"version {made.short}: {figures(dict(proof.counts))}",
        f"no leak: {proof.subjects:,} subjects, {proof.files:,} files, {proof.groups:,} groups and {proof.near:,} "
        f"pairs of near pictures (at most {proof.radius} bits apart) are each on one side",
    ]
    if stratify:
        lines.append(f"largest departure of a stratum from its share: {100 * result.strata:.1f} points")
    if result.without_subject:
        lines.append(f"note: {result.without_subject:,} samples name no subject; each counts as a person of its own")
    say({"version": made.id, **asdict(result)}, as_json, lines)
