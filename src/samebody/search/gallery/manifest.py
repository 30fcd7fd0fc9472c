"""The manifest: which files make up the gallery, replaced as a whole.

Text of three lines, four when sealed: name and format version; JSON; when sealed, an empty plaintext sealed with the
gallery's key with the lines before as associated data (a MAC: only the holder of the key can have written the list of
files); SHA-256 of all lines before.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from samebody import crypto
from samebody.search.errors import LayoutError
from samebody.search.gallery.disk import Disk
from samebody.search.gallery.errors import (
    GalleryCorruptError,
    GalleryKeyError,
    GalleryNotFoundError,
    GalleryVersionError,
)
from samebody.search.gallery.sealing import FORMAT, canonical, check_key
from samebody.search.types import Kind, Layout

NAME = "MANIFEST"
_NEW = "MANIFEST.new"
LOCK = "LOCK"
T = TypeVar("T")
OWN_FILE = re.compile(r"(segment|log|state)-\d{9}\.sbg|MANIFEST\.new")
"""Files that a gallery makes and may remove when the manifest does not name them."""


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """An immutable file of records of one modality.

    Attributes:
        number: of the file.
        modality: of its records.
        rows: records in it, dead ones too.
        bytes: size of the file.
        first, last: lowest and highest record id.
        header: SHA-256 of the file's header.
    """

    number: int
    modality: Kind
    rows: int
    bytes: int
    first: int
    last: int
    header: str


@dataclass(frozen=True, slots=True)
class StateEntry:
    """The file with the ids of deleted records still in segments, and the requests answered."""

    number: int
    tombstones: int
    requests: int
    bytes: int
    header: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """The write-ahead log; its first ``acknowledged`` bytes were durable when the manifest was written."""

    number: int
    acknowledged: int
    header: str


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    """A snapshot that was made of this gallery.

    Attributes:
        snapshot: its id, 32 hexadecimal digits.
        path: where it was put.
        created: ISO 8601, UTC.
        below: record ids below this one may be in it.
        expired: it may hold records that were deleted since and could not be removed from it.
    """

    snapshot: str
    path: str
    created: str
    below: int
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """One state of a gallery.

    Attributes:
        gallery: random id, 32 hexadecimal digits; kept by snapshots and restored copies.
        tenant: who it belongs to.
        created: ISO 8601, UTC.
        sealed: blocks are sealed with the gallery's key.
        layouts: at most one of each modality.
        segments: in the order of their records, per modality.
        state: None before the first deletion or request was rolled.
        log: where new records go.
        next_record: lowest id that no record of the segments has; the log may have used more.
        next_file: lowest number that no file has had.
        generation: counts the manifests written.
        snapshots: made of this gallery and not forgotten.
        snapshot_of: id when this folder is itself a snapshot, which only restoring may write to.
    """

    gallery: str
    tenant: str
    created: str
    sealed: bool
    layouts: tuple[Layout, ...]
    segments: tuple[SegmentEntry, ...]
    state: StateEntry | None
    log: LogEntry
    next_record: int
    next_file: int
    generation: int
    snapshots: tuple[SnapshotEntry, ...] = ()
    snapshot_of: str | None = None

    def files(self) -> dict[str, int | None]:
        """Names of all files it refers to, with their sizes; None for the log, which grows."""
        names: dict[str, int | None] = {file_name("segment", each.number): each.bytes for each in self.segments}
        if self.state is not None:
            names[file_name("state", self.state.number)] = self.state.bytes
        names[file_name("log", self.log.number)] = None
        return names

    def layout(self, modality: str) -> Layout | None:
        """The layout of a modality, if the gallery has it."""
        return next((layout for layout in self.layouts if layout.modality == modality), None)

    def next(self, **changes: Any) -> Manifest:
        """The following generation, with these changes."""
        return replace(self, generation=self.generation + 1, **changes)


def file_name(kind: str, number: int) -> str:
    """Of a segment, log or state file."""
    return f"{kind}-{number:09d}.sbg"


def write_manifest(disk: Disk, folder: Path, manifest: Manifest, key: bytes | None) -> None:
    """Replace the manifest: another name, sync, rename, sync of the folder.

    Raises:
        NotPublishedError: nothing changed; its cause says why.
        OSError: renaming or syncing the folder failed, so which manifest will be found is not known.
    """
    head = f"samebody-gallery {FORMAT}\n".encode() + canonical(asdict(manifest)) + b"\n"
    text = head if key is None else head + f"seal {crypto.seal(key, b'', associated_data=head).hex()}\n".encode()
    text += f"sha256 {hashlib.sha256(text).hexdigest()}\n".encode()
    try:
        file = disk.create(folder / _NEW)
        try:
            file.write(0, text)
            file.sync()
        finally:
            file.close()
    except OSError as error:
        raise NotPublishedError from error
    disk.rename(folder / _NEW, folder / NAME)
    disk.sync_folder(folder)


class NotPublishedError(Exception):
    """The new manifest could not be written beside the old one, which stands."""


def read_manifest(folder: Path, key: bytes | None, *, checked: bool = True) -> Manifest:
    """The manifest of a gallery.

    Args:
        folder: of the gallery.
        key: of the gallery; None for a plain one.
        checked: False reads a sealed gallery's manifest without its key, for checks of checksums alone.

    Raises:
        GalleryNotFoundError, GalleryCorruptError, GalleryVersionError, GalleryKeyError.
    """

    def corrupt(reason: str) -> GalleryCorruptError:
        return GalleryCorruptError(NAME, "manifest", 0, reason)

    try:
        text = (folder / NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise GalleryNotFoundError(
            f"there is no gallery in {folder}.", hint="Make one with `samebody gallery create`."
        ) from None
    except OSError as error:
        raise GalleryNotFoundError(f"{folder / NAME} cannot be read: {error.strerror}.") from None
    lines = text.split(b"\n")
    if len(lines) < 4 or lines[-1]:
        raise corrupt("cut short")
    before = b"\n".join(lines[:-2]) + b"\n"
    if lines[-2] != f"sha256 {hashlib.sha256(before).hexdigest()}".encode():
        raise corrupt("the checksum does not fit")
    found = re.fullmatch(rb"samebody-gallery (\d{1,9})", lines[0])
    if not found:
        raise corrupt("not a manifest")
    if int(found[1]) != FORMAT:
        raise GalleryVersionError(
            f"the gallery is of format {int(found[1])}, known is {FORMAT}.", hint="Update samebody."
        )
    try:
        manifest = _parse(json.loads(lines[1]))
    except (KeyError, TypeError, ValueError, AttributeError, LayoutError):
        raise corrupt("not readable") from None
    if len(lines) != (5 if manifest.sealed else 4):
        raise corrupt("the seal is missing or misplaced")
    if not checked and key is None:
        return manifest
    check_key(key, manifest.sealed)
    if key is not None:
        head = b"\n".join(lines[:2]) + b"\n"
        try:
            crypto.unseal(key, bytes.fromhex(lines[2][5:].decode()), associated_data=head)
        except (crypto.UnsealError, crypto.SealVersionError, ValueError):
            raise GalleryKeyError(
                "the key does not open this gallery, or its manifest was written by somebody without the key.",
                hint="Check the key; if it is the right one, restore from a snapshot.",
            ) from None
    return manifest


def _parse(fields: dict[str, Any]) -> Manifest:
    fields = dict(fields)
    fields["layouts"] = tuple(_typed(Layout, each) for each in fields["layouts"])
    fields["segments"] = tuple(_typed(SegmentEntry, each) for each in fields["segments"])
    fields["state"] = None if fields["state"] is None else _typed(StateEntry, fields["state"])
    fields["log"] = _typed(LogEntry, fields["log"])
    fields["snapshots"] = tuple(_typed(SnapshotEntry, each) for each in fields["snapshots"])
    return _typed(Manifest, fields)


_KINDS: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "str": str,
    "bool": bool,
    "Kind": str,
    "str | None": (str, type(None)),
}


def _typed(kind: type[T], fields: dict[str, Any]) -> T:
    """An entry whose numbers are numbers and whose texts are texts; TypeError or ValueError otherwise."""
    for name, annotation in kind.__annotations__.items():
        wanted = _KINDS.get(str(annotation))
        if wanted is None or name not in fields:
            continue
        value: Any = fields[name]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise ValueError(name)
        if isinstance(value, int) and value < 0:
            raise ValueError(name)
    return kind(**fields)
