"""``samebody gallery``: enrol people once, find them among many, find who is there twice."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import click

from samebody.cli.gallery_common import FOLDER, gallery_key, is_sealed, json_option, key_option, opened, progress, say

ELSEWHERE = {
    "create": "samebody.cli.gallery_create",
    "enrol": "samebody.cli.gallery_enrol",
    "identify": "samebody.cli.gallery_identify",
    "dedupe": "samebody.cli.gallery_dedupe",
    "bench": "samebody.cli.gallery_bench",
}


class Subcommands(click.Group):
    """Finds the larger commands' modules when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those of this module and the others."""
        return [*ELSEWHERE, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of ``cmd_name``."""
        if cmd_name in ELSEWHERE:
            command: click.Command = importlib.import_module(ELSEWHERE[cmd_name]).command
            return command
        return super().get_command(ctx, cmd_name)


@click.group("gallery", cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Galleries of enrolled people: enrol them once, find them among many, find who is there twice."""


@command.command()
@click.argument("path", type=FOLDER)
@key_option
@json_option
def stats(path: Path, key_file: Path | None, as_json: bool) -> None:
    """What a gallery holds: records, protection, files, snapshots. No block is read."""
    with opened(path, key_file) as gallery:
        found = gallery.stats()
        subjects = gallery.subject_count()
    result = {**dataclasses.asdict(found), "subjects": subjects, "synthetic": synthetic(found.modalities)}

    def lines(console: Any) -> None:
        marked = ", synthetic templates" if result["synthetic"] else ""
        console.print(f"{found.path}: [bold]{found.protection}[/] gallery{marked}, {subjects:,} subjects")
        for held in found.modalities:
            console.print(
                f"  {held.modality}: {held.records:,} records of size {held.size} in space {held.space} "
                f"({held.segments} segments, {held.logged:,} in the log, {held.dead:,} deleted and not compacted yet)"
            )
        console.print(
            f"  {found.disk_bytes:,} bytes on disk, generation {found.generation}, format {found.format}, "
            f"tenant {found.tenant}, snapshots {found.snapshots} ({found.snapshots_expired} expired)"
        )

    say(result, as_json, lines)


def synthetic(modalities: Any) -> bool:
    """Whether every space is one of generated templates."""
    from samebody.search.session import synthetic_iris_space
    from samebody.search.thresholds import synthetic_vector_space

    made = {"iris": synthetic_iris_space, "vector": synthetic_vector_space}
    return all(held.space == made[held.modality](held.size).digest for held in modalities)


@command.command()
@click.argument("path", type=FOLDER)
@click.argument("subjects", nargs=-1, required=True)
@click.option(
    "--keep-bytes", is_flag=True, help="Do not compact: the bytes stay on the disk until the next compaction."
)
@key_option
@json_option
@click.pass_context
def delete(
    context: click.Context,
    path: Path,
    subjects: tuple[str, ...],
    keep_bytes: bool,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Delete people: found no more from now on, and their bytes removed from every file.

    Exits with 1 when one of them is not enrolled; the others are deleted all the same.
    """
    with opened(path, key_file, writing=True) as gallery:
        counts = {subject: gallery.delete(subject) for subject in subjects}
        if not keep_bytes:
            with progress("compacting", as_json) as step:
                gallery.compact(step)
    missing = [subject for subject, count in counts.items() if count == 0]
    result = {"deleted": counts, "not_enrolled": missing, "compacted": not keep_bytes}

    def lines(console: Any) -> None:
        for subject, count in counts.items():
            console.print(f"{subject}: {count} records deleted" if count else f"{subject}: not enrolled", markup=False)
        console.print("their bytes are still on the disk" if keep_bytes else "their bytes are gone from every file")

    say(result, as_json, lines)
    context.exit(1 if missing else 0)


@command.command()
@click.argument("path", type=FOLDER)
@key_option
@json_option
def compact(path: Path, key_file: Path | None, as_json: bool) -> None:
    """Remove the bytes of deleted records from all files, and join small segments."""
    with opened(path, key_file, writing=True) as gallery, progress("compacting", as_json) as step:
        report = gallery.compact(step)
    result = dataclasses.asdict(report)
    say(result, as_json, lambda console: console.print(", ".join(f"{name}: {value}" for name, value in result.items())))


@command.command()
@click.argument("path", type=FOLDER)
@key_option
@json_option
@click.pass_context
def verify(context: click.Context, path: Path, key_file: Path | None, as_json: bool) -> None:
    """Read every byte and name each corruption by file, block and offset. Exits with 1 when there is one."""
    from samebody.search.gallery import verify_gallery

    key = gallery_key(key_file)
    with progress("verifying", as_json) as step:
        report = verify_gallery(path, key if key is not None and _sealed(path) else None, step)
    result = {**dataclasses.asdict(report), "sound": report.sound}

    def lines(console: Any) -> None:
        console.print(
            f"{report.files} files, {report.blocks} blocks, {report.bytes:,} bytes, {report.records:,} records read"
            f"{'' if report.seals_checked else '; checksums only: no key was given, or the gallery is plain'}"
        )
        for entry in report.corruptions:
            console.print(f"corrupt: {entry.file}, {entry.block}, offset {entry.offset}: {entry.reason}", markup=False)
        console.print("[green]sound[/]" if report.sound else "[red]corrupt[/]: restore a snapshot")

    say(result, as_json, lines)
    context.exit(0 if report.sound else 1)


def _sealed(path: Path) -> bool:
    from samebody.errors import SamebodyError

    try:
        return is_sealed(path)
    except SamebodyError:  # too broken to say: verify names it
        return True


@command.command()
@click.argument("path", type=FOLDER)
@click.argument("target", type=FOLDER)
@key_option
@json_option
def snapshot(path: Path, target: Path, key_file: Path | None, as_json: bool) -> None:
    """Copy a gallery to a new folder, without deleted records, every block checked; it is entered in the register."""
    with opened(path, key_file, writing=True) as gallery, progress("copying", as_json) as step:
        entry = gallery.snapshot(target, step)
    result = dataclasses.asdict(entry)
    say(result, as_json, lambda console: console.print(f"snapshot {entry.snapshot} at {target}", markup=False))


@command.command()
@click.argument("source", type=FOLDER)
@click.argument("path", type=FOLDER)
@key_option
@json_option
def restore(source: Path, path: Path, key_file: Path | None, as_json: bool) -> None:
    """Make a gallery in a new folder from a snapshot, every block checked."""
    from samebody.search.gallery import Gallery

    key = gallery_key(key_file) if is_sealed(source) else None
    with progress("restoring", as_json) as step:
        Gallery.restore(source, path, key=key, progress=step)
    say({"restored": str(path)}, as_json, lambda console: console.print(f"restored to {path}", markup=False))
