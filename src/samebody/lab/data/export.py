"""Usable samples back into a plain folder, for tools that read folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from samebody.errors import UsageError
from samebody.lab.data.data_set import DataSet
from samebody.lab.data.files import write_bytes

SUFFIXES = {"jpeg": "jpg", "tiff": "tif", "heif": "heic"}
"""File endings of formats that are not called like their ending."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What :func:`export` did.

    Attributes:
        version: id of the version.
        files: samples in the folder now, ``kept`` of them since before.
        left_out: samples in quarantine, and copies of others.
    """

    version: str
    files: int
    kept: int
    left_out: int


def export(
    data_set: DataSet,
    out: Path | str,
    *,
    version: str | None = None,
    split: str | None = None,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> Exported:
    """Copy the usable samples to ``out/SPLIT/SUBJECT/SHA256.jpg``; what is there already stays.

    Samples in quarantine and copies of others are left out. A sample without split or subject goes to ``_``.

    Args:
        data_set, version: what to copy; the last version otherwise.
        out: folder, made if need be; it may hold files of an earlier export that was cut off.
        split: only this one, without its folder.

    Raises:
        UsageError: the split has no usable sample.
        UnknownVersionError, DataSetDamagedError, StorageError.
    """
    chosen = data_set.version(version)
    manifest = data_set.manifest(chosen)
    usable = manifest.usable
    wanted = usable & (manifest["split"] == split) if split is not None else usable
    rows = manifest.where(np.asarray(wanted, dtype=np.bool_))
    if not len(rows):
        known = ", ".join(sorted({str(name) for name in manifest["split"] if name})) or "none"
        raise UsageError(
            f"version {chosen.short} has no usable sample{f' in the split {split!r}' if split else ''}.",
            hint=f"Splits: {known}. Make them with `samebody data split`.",
        )
    kept = 0
    for number, row in enumerate(rows.rows(), start=1):
        sha256 = str(row["sha256"])
        name = f"{sha256}.{SUFFIXES.get(str(row['format']), str(row['format']) or 'bin')}"
        parts = [] if split is not None else [_folder(row["split"])]
        target = Path(out, *parts, _folder(row["subject"]), name)
        if target.is_file() and target.stat().st_size == row["bytes"]:
            kept += 1
        else:
            write_bytes(target, data_set.read(sha256), sync=False)
        progress(number, len(rows))
    return Exported(chosen.id, len(rows), kept, int((~usable).sum()))


def _folder(value: object) -> str:
    """A field as the name of one folder: no separators, no names that lead elsewhere."""
    text = "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in str(value or ""))
    return text.strip(". ") or "_"
