"""Erasing a subject: the bytes and everything measured of them, from every version; and the models that saw them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from samebody.durable import sync_folder
from samebody.errors import StorageError
from samebody.lab.data.data_set import SHORT, DataSet, Version
from samebody.lab.data.errors import UnknownSubjectError
from samebody.lab.data.faces import forget_faces
from samebody.lab.data.files import faults, write_bytes
from samebody.lab.data.ingest import blind, erased_samples
from samebody.lab.data.manifest import Manifest, text

MAX_RECORD = 8 << 20
"""Files larger than this are no run records."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was removed.

    Attributes:
        subject: who.
        samples: different files removed.
        rows: rows removed, over all versions.
        versions: names of the versions that held them.
        shared: files that also stand under other subjects; they were removed with all their rows.
        models: run records and model records that name one of these versions.
    """

    subject: str
    samples: int
    rows: int
    versions: tuple[str, ...]
    shared: int
    models: tuple[str, ...]


def erase(
    data_set: DataSet,
    subject: str,
    *,
    runs: Sequence[Path | str] = (),
    dry_run: bool = False,
) -> Erasure:
    """Remove every sample of ``subject`` from every version.

    Rows leave the manifests, bytes and what was measured of them leave the disk; the versions keep their names, and
    keep the digests of the rows that are gone, so that :meth:`DataSet.check` still proves the rest. The files are
    remembered by a digest of their digest, so that ingesting the same source again does not bring them back. A file
    that stands under other subjects too (a duplicate with another label) shows the same person and goes with all rows.

    An erasure that was interrupted is finished by running it again.

    Args:
        data_set: whose versions.
        subject: as in the column ``subject``.
        runs: folders with run records and model records to look through.
        dry_run: only say what would be removed.

    Raises:
        UnknownSubjectError: no version holds the subject.
        DataSetDamagedError, DataSetLockedError, StorageError.
    """
    with data_set.writing():
        data_set.sweep()
        versions = data_set.versions()
        manifests = {version.id: data_set.manifest(version) for version in versions}
        samples = {
            sha256
            for manifest in manifests.values()
            for sha256, name in zip(manifest["sha256"], manifest["subject"])
            if name == subject
        }
        if not samples:
            raise UnknownSubjectError(
                f"no version of {data_set.folder} holds the subject {subject!r}.",
                hint="It may have been erased before, or stand under another name.",
            )
        held = [v for v in versions if samples & set(manifests[v.id]["sha256"])]
        rows = sum(int(np.isin(manifests[v.id]["sha256"].astype(str), list(samples)).sum()) for v in held)
        shared = {
            sha256
            for v in held
            for sha256, name in zip(manifests[v.id]["sha256"], manifests[v.id]["subject"])
            if sha256 in samples and name != subject
        }
        models = models_trained_on([version.id for version in held], runs)
        done = Erasure(subject, len(samples), rows, tuple(v.id for v in held), len(shared), models)
        if dry_run:
            return done
        # first that they never come back, then the bytes, then the rows: a kill in between leaves rows to find them by
        known = sorted(erased_samples(data_set) | {blind(sha256) for sha256 in samples})
        write_bytes(data_set.folder / "erased.json", json.dumps({"samples": known}).encode())
        _remove_objects(data_set, samples)
        forget_faces(data_set, samples)
        _forget_journals(data_set)
        for version in held:
            _rewrite(data_set, version, manifests[version.id], samples)
        data_set.sweep()
        data_set.log("erase", samples=str(len(samples)), versions=str(len(held)))
    _require_gone(data_set, samples)
    return done


def models_trained_on(versions: Iterable[str], folders: Sequence[Path | str]) -> tuple[str, ...]:
    """Records below ``folders`` (``.json``, ``.toml``, ``.yaml``) that name one of the versions.

    A run names the versions it saw by their full name or by its first :data:`SHORT` digits or more.
    """
    wanted = [version.encode() for version in versions]
    found = []
    for folder in folders:
        root = Path(folder)
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.suffix not in (".json", ".toml", ".yaml", ".yml") or not path.is_file():
                continue
            if path.stat().st_size > MAX_RECORD:
                continue
            data = path.read_bytes()
            if any(name[:SHORT] in data and _names(data, name) for name in wanted):
                found.append(str(path))
    return tuple(dict.fromkeys(found))


def _names(data: bytes, version: bytes) -> bool:
    """Whether ``data`` holds a run of hex digits that is the version's name or a beginning of it."""
    return any(version.startswith(found) for found in re.findall(rb"(?<![0-9a-f])[0-9a-f]{%d,64}" % SHORT, data))


def _remove_objects(data_set: DataSet, samples: set[str]) -> None:
    folders = set()
    with faults(data_set.folder):
        for sha256 in samples:
            path = data_set.object_path(sha256)
            path.unlink(missing_ok=True)
            folders.add(path.parent)
        for folder in folders:
            if folder.is_dir():
                sync_folder(folder)


def _forget_journals(data_set: DataSet) -> None:
    """Journals of interrupted ingestions name samples; the ingestion begins anew."""
    with faults(data_set.folder):
        for path in (data_set.folder / "journal").glob("*.jsonl"):
            path.unlink(missing_ok=True)


def _rewrite(data_set: DataSet, version: Version, manifest: Manifest, samples: set[str]) -> None:
    gone = np.isin(manifest["sha256"].astype(str), list(samples))
    names = set(manifest["sample"][gone])
    before = manifest.row_digests()
    rest = _without_references(manifest.where(~gone), names)
    after = rest.row_digests()
    kept = [digest for digest, leaves in zip(before, gone) if not leaves]
    changed = [(old, new) for old, new in zip(kept, after) if old != new]
    amended = {digest for digest in version.amended if digest in set(after)} | {new for _, new in changed}
    erased = [digest for digest, leaves in zip(before, gone) if leaves] + [old for old, _ in changed]
    erased = [digest for digest in erased if digest not in version.amended]
    data = rest.to_parquet()
    made = replace(
        version,
        erased=tuple(sorted([*version.erased, *erased])),
        amended=tuple(sorted(amended)),
        manifest_sha256=hashlib.sha256(data).hexdigest(),
    )
    if not data_set.manifest_path(made).exists():
        write_bytes(data_set.manifest_path(made), data)
    data_set.store_version(made)


def _without_references(manifest: Manifest, names: set[str]) -> Manifest:
    """The manifest with no cell that names one of the samples ``names``."""
    cleared = {
        column: text("" if value in names else value for value in manifest[column])
        for column in ("duplicate_of", "group")
    }
    return manifest.with_columns(**cleared)


def _require_gone(data_set: DataSet, samples: set[str]) -> None:
    left = [sha256 for sha256 in samples if data_set.object_path(sha256).exists()]
    needles = [sha256.encode() for sha256 in samples]
    for path in data_set.folder.rglob("*"):
        if path.is_file() and path.suffix in (".jsonl", ".json", ".npz"):
            data = path.read_bytes()
            left += [str(path) for needle in needles if needle in data]
    for version in data_set.versions():
        if samples & set(data_set.manifest(version)["sha256"]):
            left.append(version.id)
    if left:
        raise StorageError(f"{left[0]} still holds an erased sample.", hint="Run the erasure again.")
