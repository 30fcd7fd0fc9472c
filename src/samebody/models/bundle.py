"""Bundles: a record, its weights and the papers of its release in one folder or archive, named by hash and signed.

``manifest.json`` lists every other file with its size and SHA-256; ``manifest.sig`` holds an Ed25519 signature
(RFC 8032) over the bytes of the manifest. Nothing is unpacked before its name, size and place are known to be harmless,
and nothing is believed before its hash fits a manifest whose signature fits a trusted key.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from samebody import crypto
from samebody.config import Settings
from samebody.models.errors import (
    BundleChangedError,
    BundleError,
    SignatureError,
    UnsafeWeightsError,
    UntrustedKeyError,
)
from samebody.models.points import SIDECAR_SUFFIX, Sidecar
from samebody.models.record import ModelRecord, Sha256
from samebody.models.sniff import looks_like_pickle
from samebody.models.sources import PICKLE_SUFFIXES, FileSource

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
CONTEXT = b"samebody model bundle 1\n"
"""Stands before the manifest under the signature, so that a signature made for something else never fits."""
MAX_FILES = 32
MAX_BYTES = 4 * 2**30
_MAX_TEXT = 8 * 2**20
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
_TEXTS = frozenset({".toml", ".json", ".md", ".html", ".yaml", ".sig"})
_WEIGHTS = frozenset({".onnx", ".tflite"})


class Entry(BaseModel):
    """One file of a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Sha256
    bytes: int = Field(ge=0, le=MAX_BYTES)


def entry_of(data: bytes) -> Entry:
    """The entry of a file with this content."""
    return Entry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


class BundleManifest(BaseModel):
    """What a bundle says it holds.

    Attributes:
        bundle: version of the format.
        id, version: of the model.
        record: name of the record's file.
        created: ISO 8601, UTC; empty where a build must repeat itself to the byte.
        files: every other file by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: int = Field(ge=1, le=1)
    id: str
    version: str
    record: str
    created: str = ""
    files: dict[str, Entry] = Field(min_length=2, max_length=MAX_FILES)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are all there, harmless by name, and as its manifest says.

    Attributes:
        manifest: what it says.
        files: content by name, manifest and signature included.
        record: the record in it, not yet written anywhere.
        signer: public key, 64 hex digits; empty when it is not signed.
    """

    manifest: BundleManifest
    files: Mapping[str, bytes]
    record: ModelRecord
    signer: str = ""

    @property
    def weights(self) -> str:
        """Name of the file with the weights."""
        source = self.record.sources[0]
        assert isinstance(source, FileSource)
        return source.path


def manifest_bytes(manifest: BundleManifest) -> bytes:
    """The canonical text of a manifest: sorted keys, no spaces, UTF-8, one line."""
    text = json.dumps(manifest.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{text}\n".encode()


def signature_bytes(private_key: bytes, manifest: bytes) -> bytes:
    """The content of ``manifest.sig`` for these bytes of a manifest.

    Raises:
        samebody.crypto.KeyInvalidError.
    """
    fields = {
        "algorithm": "ed25519",
        "key": crypto.public_key(private_key).hex(),
        "signature": crypto.sign(private_key, CONTEXT + manifest).hex(),
    }
    return (json.dumps(fields, indent=1) + "\n").encode()


def trusted_keys(settings: Settings) -> dict[str, str]:
    """The public keys of the settings: hex digits, and where each was named.

    Raises:
        UntrustedKeyError: an entry is neither 64 hex digits nor a file that holds them.
    """
    found: dict[str, str] = {}
    for entry in settings.trusted_keys:
        text = entry.strip()
        if not _is_key(text):
            try:
                text = Path(entry).expanduser().read_text(encoding="utf-8").split()[0]
            except (OSError, UnicodeDecodeError, IndexError):
                text = ""
        if not _is_key(text):
            raise UntrustedKeyError(
                f"the trusted key {entry!r} is neither 64 hex digits nor a file that begins with them.",
                hint="Correct trusted_keys in the settings.",
            )
        found[text.lower()] = entry
    return found


def _is_key(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{64}", text) is not None


def read_bundle(place: Path, settings: Settings, *, signed: bool = True) -> Bundle:
    """Read a bundle into memory and hold every file against its manifest, and that against its signature.

    Args:
        place: a folder, or a ``.zip`` or ``.tar`` (also ``.tar.gz``) archive of its files.
        settings: the keys that are trusted.
        signed: refuse a bundle without a signature. A signature that is there must hold in any case.

    Raises:
        BundleError: it is no bundle, a name leads out of it, it is too large, or its record does not hold together.
        BundleChangedError: a file is not the one in the manifest, not in it, or missing.
        SignatureError, UntrustedKeyError: it is not signed, the signature does not fit, or the key is not trusted.
        UnsafeWeightsError: a file is a pickle.
    """
    with _opened(place) as listed:
        files = {n: _read(n, size, stream, _MAX_TEXT) for n, size, stream in listed if n in (MANIFEST, SIGNATURE)}
    if MANIFEST not in files:
        raise BundleError(f"{place} is no bundle: it has no {MANIFEST}.", hint="Make one with `samebody ship sign`.")
    try:
        manifest = BundleManifest.model_validate_json(files[MANIFEST])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or MANIFEST
        raise BundleError(f"{MANIFEST} of {place} does not hold: {where}: {first['msg']}.") from None
    signer = check_signature(files.get(SIGNATURE), files[MANIFEST], settings, str(place), required=signed)
    with _opened(place) as listed:  # nothing large is read before somebody trusted has said how large it is
        for name, size, stream in listed:
            if name not in files:
                files[name] = _read(name, size, stream, _stated(manifest, name, size, place))
    _check_files(manifest, files, place)
    return Bundle(manifest, files, _record(manifest, files, place), signer)


def check_signature(
    signature: bytes | None, manifest: bytes, settings: Settings, name: str, *, required: bool = True
) -> str:
    """The key that signed a manifest, 64 hex digits; empty when it is not signed and need not be.

    Raises:
        SignatureError, UntrustedKeyError: as :func:`read_bundle`.
    """
    if signature is None:
        if required:
            raise SignatureError(
                f"{name} is not signed.", hint="Sign it with `samebody ship sign`, or add it with --unsigned."
            )
        return ""
    try:
        fields = json.loads(signature)
        algorithm, key, value = fields["algorithm"], fields["key"], bytes.fromhex(fields["signature"])
        if algorithm != "ed25519" or not _is_key(key):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise SignatureError(f"{SIGNATURE} of {name} is no Ed25519 signature.") from None
    try:
        crypto.verify(bytes.fromhex(key), CONTEXT + manifest, value)
    except crypto.CryptoError:
        raise SignatureError(
            f"the signature of {name} does not fit its manifest.", hint="Get the bundle again from its publisher."
        ) from None
    if key.lower() not in trusted_keys(settings):
        raise UntrustedKeyError(
            f"{name} is signed by the key {key.lower()}, which the settings do not trust.",
            hint="If that is your publisher's key, add it to trusted_keys (SAMEBODY_TRUSTED_KEYS).",
        )
    return str(key).lower()


# ---------------------------------------------------------------------------------------------------------- reading


Listed = Iterator[tuple[str, int, BinaryIO]]


@contextmanager
def _opened(place: Path) -> Iterator[Listed]:
    """The files of a folder or archive: name, size, stream; every name looked at before anything is read."""
    try:
        if place.is_dir():
            yield _of_folder(place)
        elif zipfile.is_zipfile(place):
            with zipfile.ZipFile(place) as archive:
                yield _of_zip(archive)
        elif place.is_file() and tarfile.is_tarfile(place):
            with tarfile.open(place) as tape:
                yield _of_tar(tape)
        elif place.exists():
            raise BundleError(f"{place} is neither a folder nor a zip or tar archive.")
        else:
            raise BundleError(f"{place} is not there.", hint="Name the bundle's folder or archive.")
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError, NotImplementedError) as error:
        raise BundleError(f"{place} cannot be read: {error}.", hint="Get the bundle again.") from None
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma", "_lzma"):
            raise BundleError(f"{place} cannot be unpacked: {error}.", hint="Get the bundle again.") from None
        raise


def _of_folder(place: Path) -> Listed:
    entries = sorted(place.iterdir())
    _check_names([entry.name for entry in entries], place)
    for entry in entries:
        if entry.is_symlink() or not entry.is_file():
            raise BundleError(f"{entry.name} in {place} is no plain file.")
        with entry.open("rb") as stream:
            yield entry.name, entry.stat().st_size, stream


def _of_zip(archive: zipfile.ZipFile) -> Listed:
    entries = archive.infolist()
    _check_names([entry.filename for entry in entries], archive.filename)
    for entry in entries:
        kind = entry.external_attr >> 28
        if kind not in (0, 8):  # neither unknown nor a plain file: a link, a device, a folder
            raise BundleError(f"{entry.filename} in {archive.filename} is no plain file.")
        with archive.open(entry) as stream:
            yield entry.filename, entry.file_size, stream  # type: ignore[misc]  # reads like a binary file


def _of_tar(tape: tarfile.TarFile) -> Listed:
    entries = []
    for entry in tape:
        entries.append(entry)
        if len(entries) > MAX_FILES + 2:
            break
    _check_names([entry.name for entry in entries], tape.name)
    for entry in entries:
        stream = tape.extractfile(entry) if entry.isreg() else None
        if stream is None:
            raise BundleError(f"{entry.name} in {tape.name!s} is no plain file.")
        with stream:
            yield entry.name, entry.size, stream  # type: ignore[misc]  # reads like a binary file


def _check_names(names: list[str], place: object) -> None:
    if len(names) > MAX_FILES + 2:
        raise BundleError(f"{place} holds more than {MAX_FILES} files.")
    seen: set[str] = set()
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        if not _NAME.match(name):
            raise BundleError(f"{place} holds {name!r}: a bundle has plain file names only, and no folders.")
        if suffix in PICKLE_SUFFIXES:
            raise UnsafeWeightsError(
                f"{place} holds {name}, whose name announces a pickle.", hint="Export the model to ONNX."
            )
        if suffix not in _TEXTS | _WEIGHTS:
            raise BundleError(f"{place} holds {name}: not a kind of file that belongs into a bundle.")
        if name.lower() in seen:
            raise BundleError(f"{place} holds {name} twice.")
        seen.add(name.lower())


def _stated(manifest: BundleManifest, name: str, size: int, place: object) -> int:
    """The size that the manifest states for a file, which must be the one it has."""
    entry = manifest.files.get(name)
    if entry is None:
        raise BundleChangedError(f"{place} is not what its manifest says: {name} is not listed.")
    if entry.bytes != size:
        raise BundleChangedError(f"{name} in {place} is not the file that the manifest names.", hint="Get it again.")
    return entry.bytes if PurePosixPath(name).suffix.lower() in _WEIGHTS else min(entry.bytes, _MAX_TEXT)


def _read(name: str, size: int, stream: BinaryIO, limit: int) -> bytes:
    if size > limit:
        raise BundleError(f"{name} is too large for a bundle: {size:,} bytes, the limit is {limit:,}.")
    data = stream.read(size + 1)
    if len(data) != size:
        raise BundleError(f"{name} is not as long as the archive says.")
    if looks_like_pickle(data):
        raise UnsafeWeightsError(
            f"{name} is a pickle, and a pickle runs code when it is read.", hint="Export the model to ONNX."
        )
    return data


def _check_files(manifest: BundleManifest, files: Mapping[str, bytes], place: object) -> None:
    there, listed = set(files) - {MANIFEST, SIGNATURE}, set(manifest.files)
    if there != listed:
        missing, foreign = sorted(listed - there), sorted(there - listed)
        what = [f"{name} is missing" for name in missing] + [f"{name} is not listed" for name in foreign]
        raise BundleChangedError(f"{place} is not what its manifest says: {'; '.join(what)}.")
    for name, entry in manifest.files.items():
        if entry_of(files[name]) != entry:
            raise BundleChangedError(
                f"{name} in {place} is not the file that the manifest names.", hint="Get the bundle again."
            )


def _record(manifest: BundleManifest, files: Mapping[str, bytes], place: object) -> ModelRecord:
    if manifest.record not in manifest.files or not manifest.record.endswith(".toml"):
        raise BundleError(f"{place} has no record {manifest.record!r}.")
    record = parse_record(files, manifest.record, str(place))
    problems = []
    if (record.id, record.version) != (manifest.id, manifest.version):
        problems.append(f"the record is of {record.label}, the manifest of {manifest.id}@{manifest.version}")
    source = record.sources[0] if len(record.sources) == 1 else None
    if not isinstance(source, FileSource) or record.derived is not None:
        problems.append("the record must have one source of kind file, and no derived part")
    elif source.path not in manifest.files:
        problems.append(f"the weights {source.path} are not in it")
    elif manifest.files[source.path] != Entry(sha256=record.sha256, bytes=record.bytes):
        problems.append(f"{source.path} is not the file that the record names")
    if problems:
        raise BundleError(f"{place} does not hold together: {'; '.join(problems)}.")
    return record


def parse_record(files: Mapping[str, bytes], name: str, place: str) -> ModelRecord:
    """The record in these bytes, with its sidecar when there is one.

    Raises:
        BundleError: it does not hold.
    """
    try:
        record = ModelRecord.model_validate(tomllib.loads(files[name].decode("utf-8")))
        sidecar = sidecar_name(name)
        if sidecar not in files:
            return record
        measured = Sidecar.model_validate_json(files[sidecar])
        if not record.makes_templates or measured.space != record.embedding_space().digest:
            raise BundleError(f"{sidecar} of {place} was measured in another embedding space than the record's.")
        located = record.located(Path(name), bundled=False)
        return located.with_points(measured.operating_points, measured.score_histogram, measured.reliability)
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        what = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg']}" for e in entries)
        raise BundleError(f"{name} of {place} does not hold: {what}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BundleError(f"{name} of {place} cannot be read: {error}.") from None


def sidecar_name(record: str) -> str:
    """The name of a record's sidecar."""
    return record.removesuffix(".toml") + SIDECAR_SUFFIX


def make_manifest(record: ModelRecord, name: str, files: Mapping[str, bytes], created: str = "") -> BundleManifest:
    """The manifest of these files (without manifest and signature)."""
    return BundleManifest(
        bundle=1,
        id=record.id,
        version=record.version,
        record=name,
        created=created,
        files={key: entry_of(data) for key, data in sorted(files.items())},
    )
