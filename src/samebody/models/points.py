"""Operating points and score histograms of a record: their schema, and the sidecar file that a measurement writes.

The sidecar ``<record>.points.json`` stands beside the record's TOML file, so that a command can rewrite figures
without touching what a person wrote, and so that figures never change an embedding space.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from samebody.errors import NotMeasuredError
from samebody.models.errors import DiskFullError, NotWritableError
from samebody.models.reliability import Reliability
from samebody.types import OperatingPoint

SIDECAR_SUFFIX = ".points.json"
SIDECAR_VERSION = 1
EXTRAPOLATION_LIMIT = 100.0
"""Beyond this many times the measured range an extrapolated point is refused (ARCHITECTURE, model record)."""

Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Score = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class PointFields(BaseModel):
    """The fields of :class:`samebody.types.OperatingPoint` with their bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fmr: float = Field(gt=0.0, lt=1.0)
    threshold: Score
    realised_fmr: Rate
    population: str = Field(min_length=1)
    dataset: str = Field(min_length=1)
    pairs: int = Field(gt=0)
    subjects: int = Field(gt=1)
    errors: Count
    effective_errors: float = Field(ge=0.0, allow_inf_nan=False)
    fmr_interval: tuple[Rate, Rate]
    fnmr: Rate | None = None
    fnmr_interval: tuple[Rate, Rate] | None = None
    mated_pairs: Count = 0
    mated_subjects: Count = 0
    indicative: bool = False
    extrapolated: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> PointFields:
        if self.realised_fmr > self.fmr and not self.extrapolated:
            raise ValueError(f"realised_fmr {self.realised_fmr:g} is above the target fmr {self.fmr:g}")
        for name, interval in (("fmr_interval", self.fmr_interval), ("fnmr_interval", self.fnmr_interval)):
            if interval is not None and interval[0] > interval[1]:
                raise ValueError(f"{name} has its lower end above its upper end")
        if self.fnmr is not None and self.mated_pairs == 0:
            raise ValueError("fnmr is given without mated_pairs")
        if self.effective_errors < 30 and not self.indicative and not self.extrapolated:
            raise ValueError("fewer than 30 effective errors: indicative must be true (rule of 30)")
        return self


def _point(value: object) -> object:
    if isinstance(value, OperatingPoint):
        value = {name: getattr(value, name) for name in PointFields.model_fields}
    try:
        fields = PointFields.model_validate(value)
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        raise ValueError("; ".join(f"{'.'.join(map(str, e['loc'])) or 'point'}: {e['msg']}" for e in entries)) from None
    return OperatingPoint(**{name: getattr(fields, name) for name in PointFields.model_fields})


MeasuredPoint = Annotated[OperatingPoint, BeforeValidator(_point)]


class ScoreHistogram(BaseModel):
    """How mated and non-mated scores lie, in bins of equal width.

    Attributes:
        start, stop, count: the first edge, the last edge and the number of bins.
        mated, non_mated: pairs in each bin; the last bin includes ``stop``.
        dataset, population: what was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Score
    stop: Score
    count: int = Field(ge=2, le=10_000)
    mated: tuple[Count, ...]
    non_mated: tuple[Count, ...]
    dataset: str = Field(min_length=1)
    population: str = Field(default="matched-adults", min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> ScoreHistogram:
        if self.start >= self.stop:
            raise ValueError(f"start {self.start:g} is not below stop {self.stop:g}")
        for name in ("mated", "non_mated"):
            if len(getattr(self, name)) != self.count:
                raise ValueError(f"{name} has {len(getattr(self, name))} bins, count says {self.count}")
        return self

    def edges(self) -> tuple[float, ...]:
        """The ``count + 1`` edges of the bins."""
        width = (self.stop - self.start) / self.count
        return (*(self.start + index * width for index in range(self.count)), self.stop)


class Sidecar(BaseModel):
    """The content of a ``.points.json`` file.

    Attributes:
        schema_version: of this file.
        space: digest of the embedding space that was measured; another space's points are refused.
        provenance: how, when and from what the points were measured; JSON-ready, free-form.
        operating_points, score_histogram: as in the record.
        reliability: what a single comparison says; optional, with a version of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=SIDECAR_VERSION, ge=SIDECAR_VERSION, le=SIDECAR_VERSION)
    space: str = Field(pattern=r"^[0-9a-f]{16}$")
    provenance: dict[str, Any] = Field(default_factory=dict)
    operating_points: tuple[MeasuredPoint, ...] = ()
    score_histogram: ScoreHistogram | None = None
    reliability: Reliability | None = None


def check_points(points: Iterable[OperatingPoint]) -> None:
    """Hold the rules that concern several points at once.

    Raises:
        ValueError: when two points answer one question, when thresholds fall as the error rate falls, or when an
            extrapolated point lies more than 100 times beyond the measured range of its population.
    """
    populations: dict[str, list[OperatingPoint]] = {}
    for point in points:
        populations.setdefault(point.population, []).append(point)
    for population, members in populations.items():
        ordered = sorted(members, key=lambda p: -p.fmr)
        for looser, stricter in pairwise(ordered):
            if same_rate(looser.fmr, stricter.fmr):
                raise ValueError(f"{population}: two points for FMR {looser.fmr:g}")
            if stricter.threshold < looser.threshold:
                raise ValueError(f"{population}: the threshold falls from FMR {looser.fmr:g} to {stricter.fmr:g}")
        measured = [p.fmr for p in members if not p.extrapolated]
        for point in members:
            if point.extrapolated and (not measured or point.fmr < min(measured) / EXTRAPOLATION_LIMIT * (1 - 1e-9)):
                raise ValueError(
                    f"{population}: FMR {point.fmr:g} lies more than {EXTRAPOLATION_LIMIT:g} times beyond what "
                    f"was measured"
                )


def same_rate(first: float, second: float) -> bool:
    """Whether two error rates are one and the same, however they were written."""
    return abs(first - second) <= 1e-6 * max(first, second)


def find_point(
    points: tuple[OperatingPoint, ...], *, label: str, fmr: float, population: str, allow_extrapolated: bool
) -> OperatingPoint:
    """The point of ``population`` at exactly ``fmr``.

    Raises:
        NotMeasuredError: when there is none, or when it is extrapolated and that was not allowed.
    """
    of_population = [point for point in points if point.population == population]
    for point in of_population:
        if same_rate(point.fmr, fmr):
            if point.extrapolated and not allow_extrapolated:
                raise NotMeasuredError(
                    f"{label} has only an extrapolated operating point at FMR {fmr:g} for {population}.",
                    hint="Ask for a measured rate, or let the policy allow extrapolated points.",
                )
            return point
    known = ", ".join(f"{p.fmr:g}{' (extrapolated)' if p.extrapolated else ''}" for p in of_population)
    others = ", ".join(sorted({p.population for p in points}))
    raise NotMeasuredError(
        f"{label} has no operating point at FMR {fmr:g} for {population}.",
        hint=f"Measured: {known}." if known else f"Populations measured: {others or 'none'}.",
    )


def sidecar_path(record_path: Path) -> Path:
    """Where the points of the record at ``record_path`` stand."""
    return record_path.with_name(record_path.stem + SIDECAR_SUFFIX)


def write_sidecar(record_path: Path, sidecar: Sidecar) -> Path:
    """Write the sidecar of a record atomically; returns its path.

    Raises:
        NotWritableError, DiskFullError: when the folder cannot take it; the old file is then untouched.
    """
    target = sidecar_path(record_path)
    text = json.dumps(sidecar.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        kind = DiskFullError if error.errno in (27, 28, 122) else NotWritableError
        raise kind(
            f"the operating points cannot be written to {target}: {error.strerror}.",
            hint="Free some space or choose a record in a folder of your own.",
        ) from None
    return target
