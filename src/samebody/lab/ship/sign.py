"""Keys of a publisher, and the signed bundle of a release."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from samebody import crypto
from samebody.config import Settings
from samebody.durable import sync_folder
from samebody.lab.data.files import faults, write_bytes
from samebody.lab.ship.errors import KeyExposedError, KeyFileError, ShipError
from samebody.models.bundle import (
    MANIFEST,
    SIGNATURE,
    Bundle,
    make_manifest,
    manifest_bytes,
    parse_record,
    read_bundle,
    sidecar_name,
    signature_bytes,
)

PUBLIC_SUFFIX = ".pub"
_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every member of an archive, so that the same files give the same archive to the byte."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Files of a new key and the public part, 64 hex digits."""

    private_path: Path
    public_path: Path
    public: str


def make_key(path: Path) -> KeyPair:
    """A new Ed25519 pair: the private seed in ``path`` (readable by its owner alone), the public key in ``path.pub``.

    Both files hold 64 hex digits. An existing file is never overwritten.

    Raises:
        KeyFileError: one of the files exists.
        StorageError: they cannot be written; no half of a pair is left.
    """
    public_path = path.with_name(path.name + PUBLIC_SUFFIX)
    for existing in (path, public_path):
        if existing.exists():
            raise KeyFileError(f"{existing} exists; a key is never overwritten.", hint="Choose another --out.")
    private, public = crypto.generate_signing_key()
    with faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(private.hex() + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            write_bytes(public_path, (public.hex() + "\n").encode())
            public_path.chmod(0o644)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return KeyPair(path, public_path, public.hex())


def read_key(path: Path) -> bytes:
    """The private seed in a file of :func:`make_key`.

    Raises:
        KeyFileError: it is not there or is no key; its content is never shown.
        KeyExposedError: others than its owner may read it.
    """
    try:
        text, mode = path.read_text(encoding="ascii").strip(), path.stat().st_mode
    except OSError as error:
        raise KeyFileError(
            f"the key {path} cannot be read: {error.strerror}.", hint="Make one: samebody ship keygen --out KEY"
        ) from None
    except UnicodeDecodeError:
        text, mode = "", 0
    try:
        seed = bytes.fromhex(text)
        crypto.public_key(seed)
    except (ValueError, crypto.CryptoError):
        raise KeyFileError(f"{path} holds no private key of samebody.") from None
    if os.name == "posix" and mode & 0o077:
        raise KeyExposedError(f"others than its owner may use the key {path}.", hint=f"Run: chmod 600 {path}")
    return seed


def sign_folder(folder: Path, key: bytes, *, record: str = "record.toml", created: str = "") -> Bundle:
    """Write ``manifest.json`` and ``manifest.sig`` over the files of a bundle's folder, and read it back.

    Args:
        folder: with the record, its weights and its papers; an older manifest and signature are replaced.
        key: private seed, 32 bytes.
        record: name of the record's file.
        created: ISO 8601; empty for a bundle that repeats itself to the byte.

    Raises:
        ShipError: there is no record.
        BundleError, UnsafeWeightsError: the folder does not make a bundle; manifest and signature are then not left.
        StorageError: the folder cannot be written.
    """
    if not (folder / record).is_file():
        raise ShipError(f"{folder} has no {record}.", hint="Make it with `samebody ship record`.")
    with faults(folder):
        files = {
            path.name: path.read_bytes()
            for path in sorted(folder.iterdir())
            if path.is_file() and path.name not in (MANIFEST, SIGNATURE) and not path.name.startswith(".")
        }
    texts = {name: files[name] for name in (record, sidecar_name(record)) if name in files}
    manifest = manifest_bytes(make_manifest(parse_record(texts, record, str(folder)), record, files, created))
    old = {name: (folder / name).read_bytes() for name in (MANIFEST, SIGNATURE) if (folder / name).is_file()}
    try:
        write_bytes(folder / MANIFEST, manifest)
        write_bytes(folder / SIGNATURE, signature_bytes(key, manifest))
        return read_bundle(folder, _trusting(key))
    except BaseException:
        for name in (MANIFEST, SIGNATURE):
            if name in old:
                write_bytes(folder / name, old[name])
            else:
                (folder / name).unlink(missing_ok=True)
        raise


def _trusting(key: bytes) -> Settings:
    return Settings(trusted_keys=(crypto.public_key(key).hex(),), records_dirs=())


def write_archive(folder: Path, target: Path, key: bytes) -> Path:
    """The signed bundle in ``folder`` as one ``.zip``, ``.tar`` or ``.tar.gz`` file, the same bytes every time.

    Raises:
        ShipError: ``target`` has another suffix.
        BundleError: the folder is no bundle signed with ``key``.
        StorageError: it cannot be written; what stood there before is untouched.
    """
    files = read_bundle(folder, _trusting(key)).files
    name = target.name.lower()
    if name.endswith(".zip"):
        data = _zip(files)
    elif name.endswith((".tar", ".tar.gz", ".tgz")):
        data = _tar(files, compressed=not name.endswith(".tar"))
    else:
        raise ShipError(f"{target.name} is neither .zip nor .tar nor .tar.gz.", hint="Name the archive accordingly.")
    write_bytes(target, data)
    return target


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            information = zipfile.ZipInfo(name, _TIME)
            information.external_attr = 0o100644 << 16
            information.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(information, data)
    return buffer.getvalue()


def _tar(files: Mapping[str, bytes], *, compressed: bool) -> bytes:
    import gzip

    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            information = tarfile.TarInfo(name)
            information.size, information.mode = len(data), 0o644
            archive.addfile(information, BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0) if compressed else buffer.getvalue()


def fresh_folder(target: Path, files: Mapping[str, bytes], *, replaces: str) -> Path:
    """Write ``files`` as the new folder ``target`` in one rename; an older one that holds ``replaces`` gives way.

    Raises:
        ShipError: ``target`` holds something else.
        StorageError: it cannot be written; nothing half-written is left.
    """
    if target.exists() and not (target.is_dir() and ((target / replaces).is_file() or not any(target.iterdir()))):
        raise ShipError(f"{target} exists and is none of ours (no {replaces}).", hint="Choose another --out.")
    with faults(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            for name, data in files.items():
                with (fresh / name).open("xb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
            fresh.chmod(0o755)
            if target.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
                target.rename(old / "old")
                fresh.rename(target)
                shutil.rmtree(old)
            else:
                fresh.rename(target)
            sync_folder(target.parent)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return target
