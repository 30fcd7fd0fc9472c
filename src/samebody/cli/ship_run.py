"""``samebody ship run``: a release from one file."""

from __future__ import annotations

from pathlib import Path

import click

from samebody.cli.data_parts import SETTINGS, json_option, say


@click.command("run", context_settings=SETTINGS)
@click.argument("release_file", metavar="RELEASE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), help="Where prepared data are kept.")
@json_option
def command(release_file: Path, cache: Path | None, as_json: bool) -> None:
    """Take all steps that RELEASE (YAML) declares; paths in it start from its own folder.

    Exit code 65 when a gate refuses: the message names it with its figures, and nothing is shipped.
    """
    from samebody.lab.ship.release import load_release, release

    def told(step: str) -> None:
        click.echo(step, err=True)

    done = release(load_release(release_file), release_file.resolve().parent, progress=told, cache=cache)
    fields = {
        "bundle": str(done.folder),
        "id": done.record.id,
        "version": done.record.version,
        "kind": done.kind,
        "sha256": done.record.sha256,
        "bytes": done.record.bytes,
        "signer": done.signer,
        "archive": str(done.archive) if done.archive else None,
        "gates": done.report.to_dict() if done.report else None,
        "refused": done.refused.to_dict() if done.refused else None,
    }
    lines = [f"{done.record.label}, {done.kind}, {done.record.bytes:,} bytes: {done.archive or done.folder}"]
    if done.refused is not None:
        lines += [
            "int8 was refused:",
            *(f"  {o.gate}{f' [{o.group}]' if o.group else ''}: {o.why}" for o in done.refused.failed),
        ]
    if done.report is not None:
        lines += [f"{o.status}: {o.gate}{f' [{o.group}]' if o.group else ''}: {o.why}" for o in done.report.outcomes]
    lines.append(f"signed by: {done.signer or 'nobody'}")
    say(fields, as_json, lines)
