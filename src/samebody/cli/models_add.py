"""``samebody models add``: install a signed bundle."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("add", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--unsigned", is_flag=True, help="Also take a bundle without a signature; one that is there must hold.")
@click.option("--replace", is_flag=True, help="Exchange the installed model of the same id for this one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(bundle: Path, unsigned: bool, replace: bool, as_json: bool) -> None:
    """Verify BUNDLE (a folder, .zip or .tar), run its model once, and install it among your own records.

    Keys whose bundles are accepted stand in the setting trusted_keys (SAMEBODY_TRUSTED_KEYS).
    """
    from samebody.models.bundle_install import add_bundle

    added = add_bundle(bundle, signed=not unsigned, replace=replace)
    if as_json:
        fields = {
            "id": added.record.id,
            "version": added.record.version,
            "action": added.action,
            "folder": str(added.folder),
            "signer": added.signer,
            "sha256": added.record.sha256,
            "checks": list(added.checks),
        }
        click.echo(json.dumps({"schema_version": "1.0", **fields}, indent=2))
        return
    click.echo(f"{added.action}: {added.record.label} in {added.folder}")
    click.echo(f"signed by: {added.signer or 'nobody'}")
    if added.checks:
        click.echo(f"checked: {', '.join(added.checks)}")
