"""What the gallery commands share: the key, opening, engines, progress, tables."""

from __future__ import annotations

import binascii
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from samebody.errors import UsageError

if TYPE_CHECKING:
    from samebody.search.gallery import Gallery
    from samebody.search.session import Session

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
KEY_VARIABLE = "SAMEBODY_GALLERY_KEY"
F = TypeVar("F", bound=Callable[..., Any])


class KeyFileError(UsageError):
    """A gallery key is neither 32 bytes nor 64 hexadecimal digits, or its file cannot be read."""

    code = "gallery.key_file"


def key_option(command: F) -> F:
    """``--key-file``."""
    text = f"File with the gallery's key (32 bytes, or 64 hexadecimal digits); else the variable {KEY_VARIABLE}."
    return click.option("--key-file", type=FILE, help=text)(command)


def json_option(command: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def rates_options(command: F) -> F:
    """``--rates``, ``--model``, ``--population``, ``--allow-extrapolated``."""
    for option in (
        click.option("--allow-extrapolated", is_flag=True, help="Accept points beyond the measured tail; it is named."),
        click.option("--population", help="Population of non-mated pairs; by default the record's."),
        click.option("--model", "models", multiple=True, help="MODALITY=RECORD; by default found by its space."),
        click.option("--rates", "rates", multiple=True, help="MODALITY=FILE of operating points instead of a record."),
    ):
        command = option(command)
    return command


def engine_options(command: F) -> F:
    """``--engine``, ``--threads``, ``--shards``, ``--replicas``, ``--address``."""
    for option in (
        click.option("--address", help="Ray cluster to use, with --engine ray; by default one on this machine."),
        click.option("--replicas", type=click.IntRange(1, 16), default=1, show_default=True, help="Of each shard."),
        click.option("--shards", type=click.IntRange(1, 4096), default=2, show_default=True, help="With --engine ray."),
        click.option("--threads", type=click.IntRange(1, 256), help="Of an engine; by default all cores."),
        click.option("--engine", default="exact", show_default=True, help="exact, ray, or the name of an engine."),
    ):
        command = option(command)
    return command


def gallery_key(key_file: Path | None) -> bytes | None:
    """The key from the file, else from the environment, else None.

    Raises:
        KeyFileError.
    """
    if key_file is None:
        text = os.environ.get(KEY_VARIABLE)
        return None if not text else _parsed(text.encode(), f"the variable {KEY_VARIABLE}")
    try:
        return _parsed(key_file.read_bytes(), key_file.name)
    except OSError as error:
        raise KeyFileError(f"{key_file} cannot be read: {error.strerror}.") from None


def _parsed(data: bytes, source: str) -> bytes:
    if len(data) == 32:
        return data
    try:
        key = binascii.unhexlify(data.strip())
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise KeyFileError(
            f"{source} holds no key of 32 bytes or 64 hexadecimal digits.",
            hint="Make one with: openssl rand -hex 32",
        )
    return key


def opened(path: Path, key_file: Path | None, *, writing: bool = False) -> Gallery:
    """The gallery, open; the key is used only when it is sealed."""
    from samebody.search.gallery import Gallery

    key = gallery_key(key_file)
    return Gallery.open(path, key=key if is_sealed(path) else None, mode="w" if writing else "r")


def is_sealed(path: Path) -> bool:
    """Whether the gallery in the folder is sealed; True when that cannot be said, so that a key is asked for."""
    from samebody.search.gallery.errors import GalleryKeyError
    from samebody.search.gallery.manifest import read_manifest

    try:
        return read_manifest(path, None, checked=False).sealed
    except GalleryKeyError:
        return True


def session(gallery: Gallery, options: dict[str, Any]) -> Session:
    """The session that the options describe; with ``--engine ray`` its shards are started when they are needed."""
    from samebody.search.session import Session

    held = Session(
        gallery,
        engine=options.get("engine", "exact"),
        threads=options.get("threads"),
        rates_files={name: Path(value) for name, value in pairs(options.get("rates", ()), "--rates").items()},
        models=pairs(options.get("models", ()), "--model"),
        population=options.get("population"),
    )
    if held.engine == "ray":
        from samebody.search.shards import GalleryOpener, ShardedEngine

        key = gallery_key(options.get("key_file")) if gallery.sealed else None

        def cluster(modality: str) -> Any:
            return ShardedEngine(
                GalleryOpener(gallery.path, modality, key),
                shards=options["shards"],
                replicas=options["replicas"],
                threads=held.threads,
                address=options["address"],
            )

        held.cluster = cluster
    return held


def pairs(values: tuple[str, ...], option: str) -> dict[str, str]:
    """``MODALITY=VALUE`` options as a dictionary; ``face`` may be written for ``vector``."""
    found = {}
    for value in values:
        name, sign, rest = value.partition("=")
        name = {"face": "vector"}.get(name, name)
        if not sign or name not in ("vector", "iris") or not rest:
            raise UsageError(f"{option} takes vector=... or iris=..., not {value!r}.")
        found[name] = rest
    return found


@contextmanager
def progress(label: str, quiet: bool) -> Iterator[Callable[..., None]]:
    """A bar on standard error; call it with (done, in all), optionally a description first."""
    if quiet:
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None)

        def step(*now: Any) -> None:
            text, done, every = (label, *now) if len(now) == 2 else (f"{label} {now[0]}", now[1], now[2])
            bar.update(task, description=text, completed=done, total=every)

        yield step


def say(result: dict[str, Any], as_json: bool, lines: Callable[[Any], None]) -> None:
    """JSON, or what ``lines`` prints on a console."""
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    lines(console)


def written(path: Path, text: str) -> None:
    """Write a text file whole, or leave what stood there."""
    from samebody.lab.evaluate.files import write_text

    write_text(path, text)
