"""``samebody ship sign``: sign a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS


@click.command("sign", context_settings=SETTINGS)
@click.argument("bundle", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--key", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Of `samebody ship keygen`."
)
@click.option("--archive", type=click.Path(path_type=Path, dir_okay=False), help="Also pack it: .zip, .tar or .tar.gz.")
def command(bundle: Path, key: Path, archive: Path | None) -> None:
    """Sign the files of BUNDLE, a folder of `samebody ship record`, with an Ed25519 key."""
    from samebody.lab.ship.sign import read_key, sign_folder, write_archive

    seed = read_key(key)
    signed = sign_folder(bundle, seed)
    click.echo(f"{signed.record.label}: {len(signed.manifest.files)} files signed by {signed.signer}")
    if archive is not None:
        click.echo(f"written: {write_archive(bundle, archive, seed)}")
