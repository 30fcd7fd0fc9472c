"""A content-addressed data set: samples by SHA-256 in a folder, immutable versions with parents, one writer at a time.

Layout of the folder::

    dataset.json          name, description, format version
    objects/ab/abcd...    the bytes of a sample, named by their SHA-256
    manifests/<sha256>    Parquet, named by the SHA-256 of the file
    versions/<id>.json    digest over the rows, parents, step; named by the digest over these
    HEAD                  the version that was made last
    log.jsonl             when each version was made
    facts/ journal/       what was measured of samples; how far an interrupted ingestion came: may be deleted

The digest over the rows is one over the digests of single rows, so that a version whose subjects were erased still
proves that the rest is as it was (docs/adr/0300).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from samebody.lab.data.errors import DataSetDamagedError, DataSetError, UnknownVersionError
from samebody.lab.data.files import faults, locked, write_bytes
from samebody.lab.data.manifest import Manifest, content_digest

FORMAT = 1
SHORT = 12
"""Hex digits of a version's name that people are shown."""


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable state of a data set.

    Attributes:
        id: 64 hex digits: SHA-256 over content, parents and step.
        content: digest over the rows, see :func:`samebody.lab.data.manifest.content_digest`.
        parents: versions this one was made from.
        step: what made it: ``name``, ``options``, ``figures``; JSON-ready, the same whenever it is repeated.
        rows: samples at the time it was made.
        erased: digests that rows had before erasure removed or amended them.
        amended: digests of rows that erasure amended, because they named a sample that is gone.
        manifest_sha256: of the manifest's file as it stands.
    """

    id: str
    content: str
    parents: tuple[str, ...]
    step: Mapping[str, Any]
    rows: int
    erased: tuple[str, ...] = ()
    amended: tuple[str, ...] = ()
    manifest_sha256: str = ""

    @property
    def short(self) -> str:
        """The first :data:`SHORT` hex digits."""
        return self.id[:SHORT]

    def to_dict(self) -> dict[str, Any]:
        """As it stands in its file."""
        return {
            "format": FORMAT,
            "id": self.id,
            "content": self.content,
            "parents": list(self.parents),
            "step": self.step,
            "rows": self.rows,
            "erased": list(self.erased),
            "amended": list(self.amended),
            "manifest_sha256": self.manifest_sha256,
        }


def version_id(content: str, parents: Sequence[str], step: Mapping[str, Any]) -> str:
    """The name of a version: SHA-256 over canonical JSON of what it holds, what it was made from, and how."""
    whole = {"format": FORMAT, "content": content, "parents": list(parents), "step": step}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set's folder. Reading needs no lock: versions never change, except when a subject is erased.

    Attributes:
        folder: where it stands.
        name: of the set.
        about: further fields of ``dataset.json`` (description, contact ...) for the data sheet.
    """

    folder: Path
    name: str
    about: Mapping[str, str] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------------------ opening

    @classmethod
    def create(cls, folder: Path | str, name: str = "", about: Mapping[str, str] | None = None) -> DataSet:
        """A new, empty data set; an existing one is opened.

        Raises:
            DataSetError: the folder holds something else.
            StorageError: it cannot be written.
        """
        root = Path(folder)
        if (root / "dataset.json").exists():
            return cls.open(root)
        if root.exists() and (not root.is_dir() or any(entry.name != ".lock" for entry in root.iterdir())):
            raise DataSetError(f"{root} exists and is no data set.", hint="Choose an empty folder.")
        made = cls(root, name or root.resolve().name, dict(about or {}))
        made._write_about()
        return made

    @classmethod
    def open(cls, folder: Path | str) -> DataSet:
        """The data set in ``folder``.

        Raises:
            DataSetError: there is none, or it is of another format version.
        """
        root = Path(folder)
        try:
            fields = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
            found, name = fields.pop("format"), str(fields.pop("name"))
        except (OSError, ValueError, KeyError, AttributeError):
            raise DataSetError(
                f"{root} is no data set.", hint="Make one with `samebody data ingest SOURCE --into DIR`."
            ) from None
        if found != FORMAT:
            raise DataSetError(f"{root} has format {found!r}; this samebody reads {FORMAT}.", hint="Update samebody.")
        return cls(root, name, {str(key): str(value) for key, value in fields.items()})

    def describe(self, **fields: str) -> DataSet:
        """Set fields of ``dataset.json`` (description, contact ...); returns the data set with them."""
        described = replace(self, about={**self.about, **fields})
        described._write_about()
        return described

    def _write_about(self) -> None:
        fields = {"format": FORMAT, "name": self.name, **self.about}
        write_bytes(self.folder / "dataset.json", (json.dumps(fields, indent=1, ensure_ascii=False) + "\n").encode())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer.

        Raises:
            DataSetLockedError: another process is.
        """
        with locked(self.folder):
            yield

    # ------------------------------------------------------------------------------------------------------ samples

    def object_path(self, sha256: str) -> Path:
        """Where the bytes with this hash stand, whether they are there or not."""
        return self.folder / "objects" / sha256[:2] / sha256

    def read(self, sha256: str) -> bytes:
        """The bytes of a sample, checked against their name.

        Raises:
            DataSetDamagedError: they are missing or changed.
        """
        path = self.object_path(sha256)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataSetDamagedError(
                f"the sample {sha256[:SHORT]} cannot be read from {path}: {error.strerror}.",
                hint="Ingest its source again.",
            ) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DataSetDamagedError(
                f"the bytes of the sample {sha256[:SHORT]} have changed ({path}).",
                hint="Delete the file and ingest its source again.",
            )
        return data

    # ----------------------------------------------------------------------------------------------------- versions

    def versions(self) -> list[Version]:
        """All versions, parents before children; unrelated ones by name."""
        found = {path.stem: self._load(path) for path in sorted((self.folder / "versions").glob("*.json"))}
        ordered: dict[str, Version] = {}
        waiting = list(found)
        while waiting:
            ready = [name for name in waiting if all(p in ordered or p not in found for p in found[name].parents)]
            ordered.update({name: found[name] for name in ready or waiting})
            waiting = [name for name in waiting if name not in ordered]
        return list(ordered.values())

    def head(self) -> Version | None:
        """The version that was made last; None in an empty data set."""
        try:
            name = (self.folder / "HEAD").read_text(encoding="ascii").strip()
        except OSError:
            return None
        return self.version(name)

    def version(self, name: str | None = None) -> Version:
        """A version by its name, by an unambiguous beginning of it, or the last one.

        Raises:
            UnknownVersionError: there is none, or several.
        """
        if name is None or name == "HEAD":
            last = self.head()
            if last is None:
                raise UnknownVersionError(f"{self.folder} has no version yet.", hint="Run `samebody data ingest`.")
            return last
        folder = self.folder / "versions"
        wellformed = len(name) >= 4 and all(letter in "0123456789abcdef" for letter in name)
        found = sorted(folder.glob(f"{name}*.json")) if wellformed else []
        if len(found) != 1:
            count = "no version" if not found else f"{len(found)} versions"
            raise UnknownVersionError(
                f"{self.folder} has {count} of the name {name!r}.", hint="`samebody data log DIR` lists them."
            )
        return self._load(found[0])

    def manifest(self, version: Version | str | None = None) -> Manifest:
        """The rows of a version (the last one by default), checked against the version's record of the file.

        Raises:
            DataSetDamagedError: missing or changed.
            UnknownVersionError: there is no such version.
        """
        chosen = version if isinstance(version, Version) else self.version(version)
        path = self.manifest_path(chosen)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataSetDamagedError(f"{path} cannot be read: {error.strerror}.", hint=_RESTORE) from None
        if hashlib.sha256(data).hexdigest() != chosen.manifest_sha256:
            raise DataSetDamagedError(f"{path} has changed since its version was made.", hint=_RESTORE)
        return Manifest.from_parquet(data, str(path))

    def commit(
        self,
        manifest: Manifest,
        name: str,
        *,
        options: Mapping[str, Any] | None = None,
        figures: Mapping[str, Any] | None = None,
        parents: Iterable[str] | None = None,
    ) -> Version:
        """Make a version and let HEAD point to it. The caller holds :meth:`writing`.

        A step that changes nothing, repeated on the version it made, gives that version again.

        Args:
            manifest: its rows.
            name: of the step.
            options: what the step was told, JSON-ready.
            figures: what it found, JSON-ready and the same whenever it is repeated.
            parents: names of the versions it was made from; the last one by default.

        Raises:
            StorageError: nothing is left half-written; HEAD points where it did.
        """
        last = self.head()
        made_from = tuple(parents) if parents is not None else ((last.id,) if last else ())
        step = {"name": name, "options": dict(options or {}), "figures": dict(figures or {})}
        content = content_digest(manifest.row_digests())
        if last is not None and last.content == content and last.step == step and made_from in ((last.id,), ()):
            return last
        data = manifest.to_parquet()
        version = Version(
            version_id(content, made_from, step),
            content,
            made_from,
            step,
            len(manifest),
            manifest_sha256=hashlib.sha256(data).hexdigest(),
        )
        if not self.manifest_path(version).exists():
            write_bytes(self.manifest_path(version), data)
        self.store_version(version)
        write_bytes(self.folder / "HEAD", f"{version.id}\n".encode())
        self.log("version", version=version.id, step=name)
        return version

    def store_version(self, version: Version) -> None:
        """Write a version's file (also when erasure changed what stands in it)."""
        text = json.dumps(version.to_dict(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_bytes(self._version_path(version.id), text.encode())

    def check(self, version: Version) -> list[str]:
        """What contradicts a version's name: its rows, its parents, its step; empty when all is as it was."""
        problems = []
        if version_id(version.content, version.parents, version.step) != version.id:
            problems.append(f"version {version.short}: its file does not give its name")
        amended = set(version.amended)
        digests = [digest for digest in self.manifest(version).row_digests() if digest not in amended]
        if content_digest([*digests, *version.erased]) != version.content:
            problems.append(f"version {version.short}: its rows do not give its content digest")
        return problems

    def log(self, action: str, **fields: str) -> None:
        """Append a line with the time (UTC) to ``log.jsonl``."""
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), "action": action, **fields})
        with faults(self.folder), (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def made(self) -> dict[str, str]:
        """When each version was first made, by name, as far as the log says."""
        times: dict[str, str] = {}
        try:
            lines = (self.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
        except OSError:
            return times
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("action") == "version":
                times.setdefault(entry.get("version", ""), entry.get("at", ""))
        return times

    def manifest_path(self, version: Version) -> Path:
        """The file of a version's rows."""
        return self.folder / "manifests" / f"{version.manifest_sha256}.parquet"

    def sweep(self) -> None:
        """Remove manifests that no version names: what an interrupted commit or an erasure left. Under the lock."""
        named = {self.manifest_path(version).name for version in self.versions()}
        with faults(self.folder):
            for path in (self.folder / "manifests").glob("*"):
                if path.name not in named:
                    path.unlink()

    def _version_path(self, name: str) -> Path:
        return self.folder / "versions" / f"{name}.json"

    def _load(self, path: Path) -> Version:
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return Version(
                str(fields["id"]),
                str(fields["content"]),
                tuple(fields["parents"]),
                fields["step"],
                int(fields["rows"]),
                tuple(fields["erased"]),
                tuple(fields["amended"]),
                str(fields["manifest_sha256"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            raise DataSetDamagedError(f"{path} is damaged.", hint=_RESTORE) from None


_RESTORE = "Restore the folder from a copy, or ingest the sources again."
