"""Shards of JPEG pictures with their rows, and arrays: written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.durable import sync_folder
from samebody.errors import StorageError


def write_whole(path: Path, data: bytes) -> None:
    """Write through a temporary name, synced, so that the file is whole or not there.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            f"{path} cannot be written: {error.strerror}.", hint="Free some space or choose another place."
        ) from None


def write_shard(place: Path, number: int, rows: Sequence[Mapping[str, Any]], data: bytes) -> None:
    """``NNNNN.bin`` with the pictures one after the other, then ``NNNNN.jsonl`` with a row for each."""
    write_whole(place / f"{number:05d}.bin", data)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    write_whole(place / f"{number:05d}.jsonl", text.encode())


def read_shard(place: Path, number: int) -> list[dict[str, Any]]:
    """Rows of a shard, each with ``file``: the path of its pictures.

    Raises:
        StorageError: it is not there or not what :func:`write_shard` wrote.
    """
    path = place / f"{number:05d}.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {error}.", hint="Delete it; it is made again.") from None
    for row in rows:
        row["file"] = str(path.with_suffix(".bin"))
    return rows


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """``numpy.savez`` through a temporary name.

    Raises:
        StorageError: as :func:`write_whole`.
    """
    import io

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(path, buffer.getvalue())
