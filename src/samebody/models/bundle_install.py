"""Install a bundle, and hold what was installed against its signature when it is opened."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from samebody.config import Settings, load_settings
from samebody.durable import sync_folder
from samebody.models.bundle import (
    MANIFEST,
    SIGNATURE,
    Bundle,
    BundleManifest,
    check_signature,
    entry_of,
    parse_record,
    read_bundle,
    sidecar_name,
)
from samebody.models.errors import (
    BundleChangedError,
    BundleError,
    ModelExistsError,
    NotWritableError,
    SignatureError,
)
from samebody.models.record import ModelRecord
from samebody.models.store import Store

_PART = ".adding-"
_trusted: dict[tuple[object, ...], ModelRecord] = {}


@dataclass(frozen=True, slots=True)
class Added:
    """What :func:`add_bundle` did.

    Attributes:
        record: as the catalogue now has it.
        folder: where it stands.
        action: ``added``, ``replaced``, or ``there`` when exactly this bundle was installed before.
        signer: public key, 64 hex digits; empty when it is not signed.
        checks: what was held on the installed files.
    """

    record: ModelRecord
    folder: Path
    action: Literal["added", "replaced", "there"]
    signer: str
    checks: tuple[str, ...]


def add_bundle(place: Path, settings: Settings | None = None, *, signed: bool = True, replace: bool = False) -> Added:
    """Verify a bundle, run its model once, and install it into the first of ``settings.records_dirs``.

    The files are written into a hidden folder beside their place, flushed, checked there, and take their place in one
    rename: whatever fails leaves nothing behind.

    Args:
        place: folder or archive.
        settings: folders and trusted keys.
        signed: refuse a bundle without a signature.
        replace: exchange an installed record of the same id for this one.

    Raises:
        As :func:`samebody.models.bundle.read_bundle`.
        ModelExistsError: a record of that id is there, bundled or with other files.
        SamebodyError: the error of the check that did not hold (contract, output, format).
        NotWritableError, DiskFullError, LockTimeoutError: the folder cannot take it.
    """
    from samebody.models.catalogue import catalogue
    from samebody.models.check import check_record

    settings = settings or load_settings()
    bundle = read_bundle(place, settings, signed=signed or settings.require_signed_models)
    record = bundle.record
    if not settings.records_dirs:
        raise NotWritableError("there is no folder for records of your own.", hint="Set SAMEBODY_RECORDS_DIRS.")
    root = settings.records_dirs[0].expanduser()
    target = root / record.id
    store = Store(root)
    with store.locked(), store.faults():
        for leftover in root.glob(f"{_PART}*"):
            shutil.rmtree(leftover)
        known = catalogue(settings)
        there = known[record.id] if record.id in known else None  # noqa: SIM401 (an unknown id is no KeyError)
        if there is not None and (_same(target, bundle) and there.path == target / bundle.manifest.record):
            return Added(there, target, "there", bundle.signer, ())
        if there is not None and (not replace or there.bundled or there.path != target / _record_name(there)):
            raise _exists(there, record)
        if there is None and target.exists():
            raise ModelExistsError(
                f"{target} is there already and holds no record {record.id}.", hint="Move it away; it is left alone."
            )
        fresh = Path(tempfile.mkdtemp(prefix=_PART, dir=root))
        try:
            _write(fresh, bundle)
            result = check_record(record.located(fresh / bundle.manifest.record, bundled=False), settings)
            if result.error is not None:
                raise result.error
            fresh.chmod(0o755)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                old = Path(tempfile.mkdtemp(prefix=_PART, dir=root))
                target.rename(old / "old")
                fresh.rename(target)
                shutil.rmtree(old)
            else:
                fresh.rename(target)
            sync_folder(target.parent)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            if target.parent.is_dir() and not any(target.parent.iterdir()):
                target.parent.rmdir()
            raise
    installed = record.located(target / bundle.manifest.record, bundled=False)
    return Added(installed, target, "added" if there is None else "replaced", bundle.signer, result.checks)


def _record_name(record: ModelRecord) -> str:
    return record.path.name if record.path else ""


def _same(target: Path, bundle: Bundle) -> bool:
    """Whether exactly these files stand at ``target``."""
    if not target.is_dir() or {path.name for path in target.iterdir()} != set(bundle.files):
        return False
    return all((target / name).read_bytes() == data for name, data in bundle.files.items())


def _exists(there: ModelRecord, record: ModelRecord) -> ModelExistsError:
    if there.bundled:
        return ModelExistsError(f"{record.id} is a record of samebody itself.", hint="Choose another id.")
    weights = "the same weights" if there.run_sha256 == record.run_sha256 else "other weights"
    return ModelExistsError(
        f"{there.label} is there already, with {weights} ({there.path}).",
        hint="Add it with --replace, give the model another id, or remove the record that is there.",
    )


def _write(folder: Path, bundle: Bundle) -> None:
    for name, data in bundle.files.items():
        with (folder / name).open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    sync_folder(folder)


def require_trusted(record: ModelRecord, settings: Settings) -> None:
    """Hold a record of one's own against the signed manifest beside it; bundled records belong to the package.

    What is held: the signature over the manifest, the record's file, its sidecar and its weights. The record in hand
    must be the one in the file, so that operating points cannot be changed after signing.

    Raises:
        SignatureError: there is no manifest or signature beside the record.
        UntrustedKeyError: the key is not trusted.
        BundleChangedError: record, sidecar or weights are not the signed ones.
    """
    if record.bundled:
        return
    if record.path is None or not (record.path.parent / MANIFEST).is_file():
        raise SignatureError(
            f"{record.id} is not signed, and the settings ask for signed models.",
            hint="Install it as a signed bundle (`samebody ship sign`, `samebody models add`).",
        )
    folder, name = record.path.parent, record.path.name
    names = (MANIFEST, SIGNATURE, name, sidecar_name(name))
    files = {key: _bytes(folder / key) for key in names if (folder / key).is_file()}
    key = (record.path, tuple(sorted(files.items())), settings.trusted_keys)
    if _trusted.get(key) is record:
        return
    check_signature(files.get(SIGNATURE), files[MANIFEST], settings, str(folder))
    try:
        manifest = BundleManifest.model_validate_json(files[MANIFEST])
    except ValueError:
        raise BundleChangedError(f"{folder / MANIFEST} does not hold.") from None
    held = {entry: data for entry, data in files.items() if entry not in (MANIFEST, SIGNATURE)}
    for entry, data in held.items():
        if manifest.files.get(entry) != entry_of(data):
            raise BundleChangedError(
                f"{folder / entry} is not the file that was signed.",
                hint="Add the bundle again, or sign the record as it is now.",
            )
    if sidecar_name(name) in manifest.files and sidecar_name(name) not in held:
        raise BundleChangedError(f"{folder / sidecar_name(name)} was signed and is gone.", hint="Add the bundle again.")
    if name not in held or parse_record(held, name, str(folder)).model_dump() != record.model_dump():
        raise BundleChangedError(f"{record.id} is not the record that was signed.", hint="Read the catalogue again.")
    if record.run_sha256 not in {entry.sha256 for entry in manifest.files.values()}:
        raise BundleChangedError(f"the weights of {record.id} are not those that were signed.")
    _trusted[key] = record  # the record itself is kept: it cannot change, and another one is looked at anew


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from None
