"""``samebody ship keygen``: make a signing key."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS


@click.command("keygen", context_settings=SETTINGS)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File of the private key.")
def command(out: Path) -> None:
    """Make an Ed25519 key: the private part in --out, readable by you alone, the public part beside it, in .pub."""
    from samebody.lab.ship.sign import make_key

    made = make_key(out)
    click.echo(f"private key: {made.private_path} (keep it to yourself)")
    click.echo(f"public key:  {made.public_path}: {made.public}")
    click.echo(f"whoever trusts it sets SAMEBODY_TRUSTED_KEYS='[\"{made.public}\"]' or trusted_keys in samebody.toml")
