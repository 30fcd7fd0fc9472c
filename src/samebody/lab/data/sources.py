"""Where samples come from: folders, lists in CSV or Parquet, tar shards, videos, object storage through fsspec.

A source lists *items*; an item is small, can be sent to another process, and hands out pictures when it is read there.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from samebody.capture import open_video
from samebody.config import Limits
from samebody.errors import InputError
from samebody.lab.data.errors import SourceError
from samebody.lab.data.manifest import COLUMNS, DECIDED, DESCRIBED, MEASURED
from samebody.lab.evaluate.errors import optional
from samebody.lab.evaluate.sources import open_table, text_cells

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".pgm", ".heic", ".heif", ".avif"})
VIDEOS = frozenset({".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v"})
TABLES = frozenset({".csv", ".tsv", ".parquet", ".pq"})
SHARDS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded picture with what its source says about it."""

    name: str
    data: bytes = field(repr=False)
    fields: Fields


class Item(Protocol):
    """A piece of work for one process."""

    @property
    def key(self) -> str:
        """Names the item and the state of its file (size and time), so that a changed file is read again."""
        ...

    def read(self, limits: Limits) -> Iterator[Picture]:
        """The pictures of the item.

        Raises:
            SourceError: it cannot be read any more.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileItem:
    """A picture file."""

    path: str
    name: str
    stamp: str
    fields: Fields

    @property
    def key(self) -> str:
        """Name and stamp."""
        return f"{self.name}\t{self.stamp}"

    def read(self, limits: Limits) -> Iterator[Picture]:
        """The file."""
        yield Picture(self.name, _bounded(Path(self.path), limits), self.fields)


@dataclass(frozen=True, slots=True)
class MemberItem:
    """A picture inside an uncompressed tar shard on this machine."""

    path: str
    offset: int
    size: int
    name: str
    stamp: str
    fields: Fields

    @property
    def key(self) -> str:
        """Name, stamp of the shard, and place in it."""
        return f"{self.name}\t{self.stamp}:{self.offset}"

    def read(self, limits: Limits) -> Iterator[Picture]:
        """The member's bytes."""
        try:
            with Path(self.path).open("rb") as stream:
                stream.seek(self.offset)
                data = stream.read(self.size)
        except OSError as error:
            raise SourceError(self.path, [f"it cannot be read: {error.strerror}"]) from None
        yield Picture(self.name, data, self.fields)


@dataclass(frozen=True, slots=True)
class ShardItem:
    """A whole tar shard that must be read from its beginning: compressed, or in object storage."""

    url: str
    name: str
    stamp: str
    fields: Fields
    pattern: str = ""

    @property
    def key(self) -> str:
        """Name and stamp."""
        return f"{self.name}\t{self.stamp}"

    def read(self, limits: Limits) -> Iterator[Picture]:
        """Its members; a sidecar ``name.json`` beside a picture gives fields."""
        stream: Any = (
            optional("fsspec", "object storage").open(self.url, "rb")
            if "://" in self.url
            else Path(self.url).open("rb")  # noqa: SIM115 - closed below
        )
        try:
            with stream as opened, tarfile.open(fileobj=opened, mode="r|*") as archive:
                yield from _paired(self, archive, limits)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise SourceError(self.url, [f"the shard cannot be read to its end: {error}"], hint=_BROKEN) from None


@dataclass(frozen=True, slots=True)
class VideoItem:
    """A video: every ``every``-th frame, encoded as PNG; all frames are one capture session."""

    path: str
    name: str
    stamp: str
    every: int
    fields: Fields

    @property
    def key(self) -> str:
        """Name, stamp and step."""
        return f"{self.name}\t{self.stamp}:{self.every}"

    def read(self, limits: Limits) -> Iterator[Picture]:
        """Frames; what comes after a broken frame is left out."""
        import cv2

        fields = {"session": self.name, **self.fields}
        try:
            with open_video(self.path, limits=limits) as video:
                for frame in video:
                    if frame.index % self.every == 0:
                        done, data = cv2.imencode(".png", frame.image.pixels[:, :, ::-1])
                        if done:
                            yield Picture(f"{self.name}#{frame.index:06d}", data.tobytes(), fields)
        except InputError as error:
            raise SourceError(self.path, [f"{error.code}: {error.message}"]) from None


@dataclass(frozen=True, slots=True)
class UrlItem:
    """A picture in object storage."""

    url: str
    name: str
    stamp: str
    fields: Fields

    @property
    def key(self) -> str:
        """Name and stamp."""
        return f"{self.name}\t{self.stamp}"

    def read(self, limits: Limits) -> Iterator[Picture]:
        """The object."""
        try:
            with optional("fsspec", "object storage").open(self.url, "rb") as stream:
                data = stream.read(limits.max_bytes + 1)
        except (OSError, ValueError) as error:
            raise SourceError(self.url, [f"it cannot be read: {error}"]) from None
        yield Picture(self.name, data, self.fields)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source holds.

    Attributes:
        items: work to do.
        skipped: files that are neither pictures nor videos, by suffix.
        problems: shards and rows that cannot be read; ingestion refuses unless told to go on.
    """

    items: tuple[Item, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How names and tables become fields.

    Attributes:
        name: put before the samples' names; the source's own otherwise.
        pattern: a path with fields in braces, ``{subject}/{session}/*``; ``*`` is any part.
        labels: a table with ``file`` and columns of the manifest, for folders, shards and object storage.
        constants: fields of every sample.
        root: folder that the files of a list are below; the list's own otherwise.
        every: frames of a video from one sample to the next.
        aliases: column of a table to column of the manifest (``image_path`` to ``file``).
    """

    name: str = ""
    pattern: str = ""
    labels: str = ""
    constants: Fields = field(default_factory=dict)
    root: str = ""
    every: int = 10
    aliases: Fields = field(default_factory=dict)


def list_source(source: str, options: SourceOptions | None = None) -> Listing:
    """The items of a folder, list, tar shard, video or URL, in a stable order.

    Raises:
        SourceError: there is no such source, its kind is unknown, or a pattern, label or field cannot be used.
        MissingExtraError: a URL without fsspec, Parquet without pyarrow.
    """
    options = options or SourceOptions()
    check_fields(options.constants, "the constants")
    matcher = compile_pattern(options.pattern)
    labels = _read_labels(options) if options.labels else {}
    if "://" in source:
        found = _list_url(source, options)
    else:
        path = Path(source)
        if not path.exists():
            raise SourceError(source, ["there is no such file or folder"])
        kind = "".join(path.suffixes[-2:]).lower()
        if path.is_dir():
            found = _list_folder(path, options)
        elif path.suffix.lower() in TABLES:
            return _list_table(path, options)
        elif kind.endswith(SHARDS):
            found = _list_shard(path, options, matcher)
        elif path.suffix.lower() in VIDEOS:
            name = options.name or path.name
            found = Listing((VideoItem(str(path), name, _stamp(path), options.every, {}),))
        else:
            raise SourceError(source, [f"{path.suffix or 'a file without suffix'} is no kind of source"], hint=_KINDS)
    prefix = f"{options.name or source_name(source)}/"
    items, problems = [], list(found.problems)
    unused = set(labels)
    for item in found.items:
        inner = _inner(item, prefix)
        fields = {**options.constants, **_matched(matcher, inner, problems)}
        if labels:
            if inner in labels:
                unused.discard(inner)
                fields.update(labels[inner])
            elif isinstance(item, (FileItem, UrlItem, MemberItem)):
                problems.append(f"{inner} is not in {options.labels}")
        items.append(_with_fields(item, fields))
    problems += [f"{name} of {options.labels} is not in {source}" for name in sorted(unused)]
    return Listing(tuple(items), found.skipped, tuple(problems))


def check_fields(fields: Fields, where: str) -> None:
    """Raise :class:`SourceError` unless all names may be described by a caller."""
    wrong = [name for name in fields if name in (*MEASURED, *DECIDED) and name not in ("split",)]
    wrong += [name for name in fields if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)]
    if wrong:
        raise SourceError(
            where,
            [f"{name!r} is no field that can be given" for name in wrong],
            hint=f"Fields: {', '.join(DESCRIBED)}.",
        )


def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """``{subject}/{session}/*`` as a regular expression over the path below the source; None for no pattern.

    Raises:
        SourceError: a field is unknown or named twice.
    """
    if not pattern:
        return None
    names = re.findall(r"\{(\w+)\}", pattern)
    check_fields(dict.fromkeys(names, ""), f"the pattern {pattern!r}")
    if len(set(names)) < len(names):
        raise SourceError(f"the pattern {pattern!r}", ["it names a field twice"])
    parts = re.split(r"(\{\w+\}|\*)", pattern)
    found = [
        f"(?P<{part[1:-1]}>[^/]+?)" if part.startswith("{") else "[^/]*" if part == "*" else re.escape(part)
        for part in parts
    ]
    return re.compile("".join(found))


def source_name(source: str) -> str:
    """What samples of a source are called by: the last part of its path without suffix."""
    last = PurePosixPath(source.split("://")[-1].rstrip("/")).name if "://" in source else Path(source).resolve().name
    for suffix in SHARDS:
        last = last.removesuffix(suffix)
    return last or "source"


# ------------------------------------------------------------------------------------------------------------- kinds


def _list_folder(root: Path, options: SourceOptions) -> Listing:
    prefix, skipped = f"{options.name or source_name(str(root))}/", dict[str, int]()
    items: list[Item] = []
    for path in sorted(root.rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        name, suffix = prefix + path.relative_to(root).as_posix(), path.suffix.lower()
        if suffix in PICTURES:
            items.append(FileItem(str(path), name, _stamp(path), {}))
        elif suffix in VIDEOS:
            items.append(VideoItem(str(path), name, _stamp(path), options.every, {}))
        else:
            skipped[suffix or "without suffix"] = skipped.get(suffix or "without suffix", 0) + 1
    return Listing(tuple(items), skipped, () if items else (f"there is no picture below {root}",))


def _list_table(path: Path, options: SourceOptions) -> Listing:
    root = Path(options.root) if options.root else path.parent
    prefix = f"{options.name or source_name(str(path.with_suffix('')))}/"
    items: list[Item] = []
    problems = []
    for file, fields in _table_rows(path, options):
        whole = {**options.constants, **fields}
        if "://" in file:
            items.append(UrlItem(file, prefix + file.split("://", 1)[1], "", whole))
            continue
        target = root / file
        if not target.is_file():
            problems.append(f"{file} is not below {root}")
        elif target.suffix.lower() in VIDEOS:
            items.append(VideoItem(str(target), prefix + file, _stamp(target), options.every, whole))
        else:
            items.append(FileItem(str(target), prefix + file, _stamp(target), whole))
    return Listing(tuple(items), {}, tuple(problems or (() if items else [f"{path} names no file"])))


def _list_shard(path: Path, options: SourceOptions, matcher: re.Pattern[str] | None) -> Listing:
    prefix, stamp = f"{options.name or source_name(str(path))}/", _stamp(path)
    if not tarfile_is_plain(path):
        return Listing((ShardItem(str(path), prefix.rstrip("/"), stamp, {}, options.pattern),))
    items: list[Item] = []
    sidecars: dict[str, Fields] = {}
    skipped: dict[str, int] = {}
    problems: list[str] = []
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                suffix = PurePosixPath(member.name).suffix.lower()
                if not member.isreg():
                    continue
                if suffix in PICTURES:
                    items.append(
                        MemberItem(str(path), member.offset_data, member.size, prefix + member.name, stamp, {})
                    )
                elif suffix == ".json":
                    handle = archive.extractfile(member)
                    fields = _sidecar(handle.read(1 << 20) if handle else b"", member.name, problems)
                    sidecars[member.name[: -len(suffix)]] = fields
                else:
                    skipped[suffix or "without suffix"] = skipped.get(suffix or "without suffix", 0) + 1
        end = max((item.offset + item.size for item in items if isinstance(item, MemberItem)), default=0)
        if end > path.stat().st_size:
            raise tarfile.ReadError("unexpected end of data")
    except (tarfile.TarError, EOFError, OSError) as error:
        size = path.stat().st_size
        items = [item for item in items if isinstance(item, MemberItem) and item.offset + item.size <= size]
        problems.append(f"{path} cannot be read to its end: {error} ({len(items)} pictures before that)")
    named = [_with_fields(item, sidecars.get(_stem(_inner(item, prefix)), {})) for item in items]
    return Listing(tuple(named), skipped, tuple(problems or (() if items else [f"{path} holds no picture"])))


def tarfile_is_plain(path: Path) -> bool:
    """Whether a tar file is uncompressed, by its first bytes."""
    with path.open("rb") as stream:
        head = stream.read(6)
    return not (head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")))


def _list_url(url: str, options: SourceOptions) -> Listing:
    fsspec = optional("fsspec", "object storage")
    prefix = f"{options.name or source_name(url)}/"
    if url.lower().endswith(SHARDS):
        return Listing((ShardItem(url, prefix.rstrip("/"), "", {}, options.pattern),))
    try:
        system, root = fsspec.core.url_to_fs(url)
        found = system.find(root, detail=True)
    except (OSError, ValueError, ImportError) as error:
        raise SourceError(url, [f"it cannot be listed: {error}"], hint="Check the address and the access.") from None
    items: list[Item] = []
    skipped: dict[str, int] = {}
    for name, about in sorted(found.items()):
        suffix = PurePosixPath(name).suffix.lower()
        inner = name[len(root) :].lstrip("/") or PurePosixPath(name).name
        stamp = ":".join(str(about.get(key, "")) for key in ("size", "mtime", "ETag"))
        if suffix in PICTURES:
            items.append(UrlItem(system.unstrip_protocol(name), prefix + inner, stamp, {}))
        else:
            skipped[suffix or "without suffix"] = skipped.get(suffix or "without suffix", 0) + 1
    return Listing(tuple(items), skipped, () if items else (f"there is no picture below {url}",))


# ------------------------------------------------------------------------------------------------------------- fields


def _paired(item: ShardItem, archive: tarfile.TarFile, limits: Limits) -> Iterator[Picture]:
    """Pictures of a stream, each held back until its sidecar had the chance to come next, as WebDataset writes them."""
    matcher = compile_pattern(item.pattern)
    waiting: tuple[str, bytes] | None = None
    sidecars: dict[str, Fields] = {}

    def out(name: str, data: bytes) -> Picture:
        fields = {**item.fields, **_matched(matcher, name, []), **sidecars.pop(_stem(name), {})}
        return Picture(f"{item.name}/{name}", data, fields)

    for member in archive:
        suffix = PurePosixPath(member.name).suffix.lower()
        if not member.isreg() or suffix not in (*PICTURES, ".json"):
            continue
        handle = archive.extractfile(member)
        data = handle.read(limits.max_bytes + 1) if handle else b""
        if suffix == ".json":
            sidecars[_stem(member.name)] = _sidecar(data, member.name, [])
            continue
        if waiting:
            yield out(*waiting)
        waiting = (member.name, data)
    if waiting:
        yield out(*waiting)


def _sidecar(data: bytes, name: str, problems: list[str]) -> Fields:
    try:
        content = json.loads(data)
        fields = {str(key): str(value) for key, value in content.items() if isinstance(value, (str, int, float))}
        check_fields(fields, name)
    except SourceError as error:
        problems += [f"{name}: {problem}" for problem in error.problems]
        return {}
    except (ValueError, AttributeError):
        problems.append(f"{name} is no JSON object")
        return {}
    return fields


def _read_labels(options: SourceOptions) -> dict[str, Fields]:
    return dict(_table_rows(Path(options.labels), options))


def _table_rows(path: Path, options: SourceOptions) -> Iterator[tuple[str, Fields]]:
    table = open_table(path)
    names = {column: options.aliases.get(column, column) for column in table.columns}
    wanted = {column: name for column, name in names.items() if name == "file" or name in (*DESCRIBED, "split")}
    wanted.update({column: name for column, name in names.items() if column in options.aliases})
    # further columns travel along when their names can stand in a manifest
    wanted.update(
        {
            column: name
            for column, name in names.items()
            if column not in wanted and name not in COLUMNS and re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)
        }
    )
    if "file" not in wanted.values():
        raise SourceError(
            str(path), ["column 'file' is missing"], hint=f"It has {', '.join(table.columns)}; --column file=NAME."
        )
    check_fields({name: "" for name in wanted.values() if name != "file"}, str(path))
    seen: set[str] = set()
    repeated: list[str] = []
    for chunk in table.chunks(list(wanted)):
        cells = {name: text_cells(chunk[column]) for column, name in wanted.items()}
        files = cells.pop("file")
        for row, file in enumerate(files):
            if file in seen:
                repeated.append(str(file))
            seen.add(file)
            yield str(file), {name: str(values[row]) for name, values in cells.items()}
    if repeated:
        raise SourceError(str(path), [f"{file} is named twice" for file in repeated])


def _matched(matcher: re.Pattern[str] | None, inner: str, problems: list[str]) -> dict[str, str]:
    if matcher is None:
        return {}
    found = matcher.fullmatch(inner)
    if found is None:
        problems.append(f"{inner} does not fit the pattern")
        return {}
    return found.groupdict()


def _inner(item: Item, prefix: str) -> str:
    name = str(getattr(item, "name", ""))
    return name.removeprefix(prefix)


def _with_fields(item: Item, fields: Fields) -> Item:
    from dataclasses import replace

    own: Fields = getattr(item, "fields", {})
    return replace(item, fields={**own, **fields})  # type: ignore[type-var]  # every item is a dataclass


def _stem(name: str) -> str:
    return name[: len(name) - len(PurePosixPath(name).suffix)]


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


def _bounded(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as stream:
            return _head(stream, limits)
    except OSError as error:
        raise SourceError(str(path), [f"it cannot be read: {error.strerror}"]) from None


def _head(stream: BinaryIO | io.BufferedReader, limits: Limits) -> bytes:
    return stream.read(limits.max_bytes + 1)


def merged(listings: Sequence[Listing]) -> Listing:
    """Several listings as one."""
    skipped: dict[str, int] = {}
    for listing in listings:
        for suffix, count in listing.skipped.items():
            skipped[suffix] = skipped.get(suffix, 0) + count
    items = tuple(item for listing in listings for item in listing.items)
    return Listing(items, skipped, tuple(problem for listing in listings for problem in listing.problems))


_BROKEN = "Get the shard again, or go on without the rest of it (--broken-sources)."
_KINDS = "Give a folder, .csv, .parquet, .tar, a video, or a URL."
