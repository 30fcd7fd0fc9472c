"""The catalogue: all model records that this installation knows, bundled ones first, then those of your own folders."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from samebody.config import Settings, load_settings
from samebody.models.errors import RecordError, UnknownModelError
from samebody.models.points import ScoreHistogram, Sidecar, sidecar_path, write_sidecar
from samebody.models.record import FILE_TASKS, ModelRecord
from samebody.models.reliability import Reliability
from samebody.types import OperatingPoint

BUNDLED_RECORDS = Path(__file__).parent / "records"


class Catalogue(Mapping[str, ModelRecord]):
    """Model records by id, in the order of their ids. An unknown id is a typed error, not a KeyError."""

    def __init__(self, records: Mapping[str, ModelRecord]) -> None:
        self._records = dict(sorted(records.items()))

    def __getitem__(self, identifier: str) -> ModelRecord:
        try:
            return self._records[identifier]
        except KeyError:
            known = ", ".join(self._records) or "none"
            raise UnknownModelError(f"there is no model record {identifier!r}.", hint=f"Known: {known}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._records

    def of_task(self, task: str) -> tuple[ModelRecord, ...]:
        """The records of one task, in the order of their ids."""
        return tuple(record for record in self._records.values() if record.task == task)

    def models(self) -> tuple[ModelRecord, ...]:
        """Everything that is run: no examples, no fonts."""
        return tuple(record for record in self._records.values() if record.task not in FILE_TASKS)


def catalogue(settings: Settings | None = None) -> Catalogue:
    """All records: the bundled ones and those below ``settings.records_dirs``.

    Raises:
        RecordError: when a record does not hold; every mistake of every file is named at once.
    """
    folders = (settings or load_settings()).records_dirs
    present = tuple(folder.expanduser() for folder in folders if folder.expanduser().is_dir())
    bundled = _bundled(_stamp(BUNDLED_RECORDS))
    if not present:
        return bundled
    own, mistakes = _read_folders(present, bundled=False)
    for identifier in own:
        if identifier in bundled:
            mistakes.append(f"{own[identifier].path}: id: {identifier} is the id of a bundled record; choose another")
    _raise_on(mistakes)
    return Catalogue({**bundled, **own})


def read_records(folder: Path) -> Catalogue:
    """The records below one folder, without the bundled ones.

    Raises:
        RecordError: when the folder is missing, holds no record, or a record does not hold.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder} is not a folder.", hint="Name a folder with record files (*.toml).")
    records, mistakes = _read_folders((folder,), bundled=folder.resolve() == BUNDLED_RECORDS.resolve())
    _raise_on(mistakes)
    if not records:
        raise RecordError(f"{folder} holds no model record.", hint="A record is a file that ends in .toml.")
    return Catalogue(records)


def write_operating_points(
    record: str | Path | ModelRecord,
    points: tuple[OperatingPoint, ...] | list[OperatingPoint],
    histogram: ScoreHistogram | None = None,
    provenance: Mapping[str, Any] | None = None,
    *,
    settings: Settings | None = None,
) -> Path:
    """Write measured operating points beside an embedder's record, atomically; returns the sidecar's path.

    The points are bound to the record's embedding space, and the space does not change by writing them. What the old
    sidecar says of single comparisons stays, as long as it was measured in the same space.

    Args:
        record: id, path of the record's TOML file, or the record itself.
        points: any order; they are sorted by population and falling error rate.
        histogram: of mated and non-mated scores.
        provenance: JSON-ready: command, date, data sets, versions.
        settings: where an id is looked up.

    Raises:
        RecordError: when the points contradict each other or the record; nothing is written then.
        UnknownModelError, ContractError: when there is no such record, or it is no embedder.
        NotWritableError, DiskFullError: when the folder cannot take the file.
    """
    if isinstance(record, Path):
        found, mistakes = _read_record(
            record, bundled=record.resolve().is_relative_to(BUNDLED_RECORDS.resolve()), with_sidecar=False
        )
        _raise_on(mistakes)
        assert found is not None
    else:
        found = catalogue(settings)[record] if isinstance(record, str) else record
    if found.path is None:
        raise RecordError(f"{found.id} was not read from a file.", hint="Write the record to a TOML file first.")
    ordered = tuple(sorted(points, key=lambda p: (p.population, -p.fmr)))
    try:
        found.with_points(ordered, histogram)
        sidecar = Sidecar(
            space=found.embedding_space().digest,
            provenance=dict(provenance or {}),
            operating_points=ordered,
            score_histogram=histogram,
            reliability=_kept_reliability(found),
        )
    except ValidationError as error:
        _raise_on(_mistakes(found.path, error))
        raise
    written = write_sidecar(found.path, sidecar)
    _bundled.cache_clear()
    return written


def write_reliability(
    record: str | ModelRecord, reliability: Reliability | None, *, settings: Settings | None = None
) -> Path:
    """Write what a single comparison says into the sidecar of a record; its operating points stay as they are.

    Args:
        record: id, or the record itself.
        reliability: the measured part; None takes it out.
        settings: where an id is looked up.

    Raises:
        RecordError: the record was not read from a file, or has no sidecar of its own space to write it into.
        NotWritableError, DiskFullError: when the folder cannot take the file.
    """
    found = catalogue(settings)[record] if isinstance(record, str) else record
    if found.path is None or not sidecar_path(found.path).is_file():
        raise RecordError(
            f"{found.id} has no measured operating points to write beside.",
            hint=f"Run: samebody evaluate operating-points --model {found.id} --data DIR --write",
        )
    old = Sidecar.model_validate_json(sidecar_path(found.path).read_text(encoding="utf-8"))
    if old.space != found.embedding_space().digest:
        raise RecordError(f"{found.id} has operating points of another embedding space.", hint="Measure them again.")
    written = write_sidecar(found.path, old.model_copy(update={"reliability": reliability}))
    _bundled.cache_clear()
    return written


def _kept_reliability(record: ModelRecord) -> Reliability | None:
    """The part of the old sidecar that a measurement of operating points leaves alone."""
    assert record.path is not None
    try:
        old = Sidecar.model_validate_json(sidecar_path(record.path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
    return old.reliability if old.space == record.embedding_space().digest else None


def read_provenance(record: ModelRecord) -> dict[str, Any]:
    """How the record's operating points were measured; empty when they have no sidecar."""
    if record.path is None or not sidecar_path(record.path).is_file():
        return {}
    provenance: dict[str, Any] = json.loads(sidecar_path(record.path).read_text(encoding="utf-8"))["provenance"]
    return provenance


@lru_cache(maxsize=2)
def _bundled(stamp: tuple[tuple[str, int, int], ...]) -> Catalogue:
    records, mistakes = _read_folders((BUNDLED_RECORDS,), bundled=True)
    _raise_on(mistakes)
    return Catalogue(records)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes below ``folder``: another process may have written operating points since."""
    files = sorted(folder.rglob("*.toml")) + sorted(folder.rglob("*.json"))
    return tuple((str(path), (stat := path.stat()).st_mtime_ns, stat.st_size) for path in files)


def _read_folders(folders: tuple[Path, ...], *, bundled: bool) -> tuple[dict[str, ModelRecord], list[str]]:
    records: dict[str, ModelRecord] = {}
    mistakes: list[str] = []
    for folder in folders:
        for path in sorted(folder.rglob("*.toml")):
            if any(part.startswith(".") for part in path.relative_to(folder).parts):
                continue  # a bundle that is being added
            record, found = _read_record(path, bundled=bundled)
            mistakes += found
            if record is None:
                continue
            if record.id in records:
                mistakes.append(f"{path}: id: {record.id} is taken by {records[record.id].path}")
            else:
                records[record.id] = record
    return records, mistakes


def _read_record(path: Path, *, bundled: bool, with_sidecar: bool = True) -> tuple[ModelRecord | None, list[str]]:
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
        record = ModelRecord.model_validate(fields).located(path, bundled=bundled)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return None, [f"{path}: {error}"]
    except RecursionError:
        return None, [f"{path}: nested too deeply"]
    except ValidationError as error:
        return None, _mistakes(path, error)
    sidecar_file = sidecar_path(path)
    if not with_sidecar or not sidecar_file.is_file():
        return record, []
    try:
        sidecar = Sidecar.model_validate_json(sidecar_file.read_text(encoding="utf-8"))
        if record.operating_points or record.score_histogram:
            return None, [f"{path}: operating_points: stand in the record and in {sidecar_file.name}; remove one"]
        if record.makes_templates and sidecar.space != record.embedding_space().digest:
            return None, [
                f"{sidecar_file}: space: measured in {sidecar.space}, the record's space is "
                f"{record.embedding_space().digest}; measure again"
            ]
        return record.with_points(sidecar.operating_points, sidecar.score_histogram, sidecar.reliability), []
    except (OSError, UnicodeDecodeError) as error:
        return None, [f"{sidecar_file}: {error}"]
    except ValidationError as error:
        return None, _mistakes(sidecar_file, error)


def _mistakes(path: Path, error: ValidationError) -> list[str]:
    lines = []
    for entry in error.errors(include_url=False, include_input=False):
        field = ".".join(str(part) for part in entry["loc"]) or "record"
        lines.append(f"{path}: {field}: {entry['msg'].removeprefix('Value error, ')}")
    return lines


def _raise_on(mistakes: list[str]) -> None:
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise RecordError(f"{count} in model records:\n  " + "\n  ".join(mistakes))
