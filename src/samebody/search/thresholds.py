"""From an error rate of a whole search to a score: the larger the gallery, the stricter the comparison has to be.

A search of N references makes N comparisons, so with false match rate FMR a person who is not enrolled finds somebody
with ``FPIR = 1 - (1 - FMR)^N`` (ISO/IEC 19795-1:2021, annex on identification; comparisons taken as independent). A
caller names the FPIR; the FMR follows from N, and the model record says at which score it was measured.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from samebody.errors import InputError, NotMeasuredError, UsageError
from samebody.models import ModelRecord
from samebody.models.points import EXTRAPOLATION_LIMIT, ScoreHistogram, Sidecar
from samebody.models.reliability import Reliability
from samebody.types import EmbeddingSpace, OperatingPoint

SOLID_ERRORS = 30
"""A share of a histogram is stated only where at least so many scores stand behind it (rule of 30)."""


class RateRangeError(UsageError):
    """An error rate is no probability, or a number of comparisons is none."""

    code = "search.rate_range"


class RatesFileError(InputError):
    """A file of operating points cannot be read, or belongs to another embedding space."""

    code = "search.rates_file"


class ThresholdUnknownError(NotMeasuredError):
    """No operating point is strict enough for a search of this gallery."""

    code = "search.threshold_unknown"


def needed_fmr(fpir: float, comparisons: int) -> float:
    """The FMR at which a search of ``comparisons`` references has the asked FPIR: ``1 - (1 - FPIR)^(1/N)``.

    Args:
        fpir: false positive identification rate, strictly between 0 and 1.
        comparisons: N, at least 1.

    Raises:
        RateRangeError.
    """
    if not 0.0 < fpir < 1.0:
        raise RateRangeError(f"an FPIR lies strictly between 0 and 1, got {fpir:g}.")
    if comparisons < 1:
        raise RateRangeError(f"a search makes at least one comparison, got {comparisons}.")
    return -math.expm1(math.log1p(-fpir) / comparisons)


def fpir_of(fmr: float, comparisons: int) -> float:
    """``1 - (1 - FMR)^N``: how often a person who is not enrolled finds at least one of N references.

    Raises:
        RateRangeError.
    """
    if not 0.0 <= fmr <= 1.0:
        raise RateRangeError(f"an FMR lies between 0 and 1, got {fmr:g}.")
    if comparisons < 0:
        raise RateRangeError(f"a number of comparisons is 0 or more, got {comparisons}.")
    if fmr == 1.0:
        return 1.0 if comparisons else 0.0
    return -math.expm1(comparisons * math.log1p(-fmr))


def comparisons_within(fpir: float, fmr: float) -> int:
    """The largest N for which ``1 - (1 - FMR)^N <= FPIR``.

    Raises:
        RateRangeError.
    """
    if not 0.0 < fpir < 1.0 or not 0.0 < fmr < 1.0:
        raise RateRangeError(f"rates lie strictly between 0 and 1, got FPIR {fpir:g} and FMR {fmr:g}.")
    return math.floor(math.log1p(-fpir) / math.log1p(-fmr) * (1 + 1e-12))


def fpir_for_pairs(false_pairs: float, pairs: int, comparisons: int) -> float:
    """The FPIR of searches of ``comparisons`` references at which ``pairs`` comparisons make so many false matches.

    ``FMR = false_pairs / pairs``, at most one half; ``1 - (1 - FMR)^N``.

    Args:
        false_pairs: expected number of false matches in the whole run, above 0.
        pairs: comparisons of the whole run; 0 counts as 1.
        comparisons: N of one search; 0 counts as 1.

    Raises:
        RateRangeError.
    """
    if not 0.0 < false_pairs < math.inf:
        raise RateRangeError(f"the expected number of false pairs is above 0, got {false_pairs:g}.")
    fpir = fpir_of(min(false_pairs / max(pairs, 1), 0.5), max(comparisons, 1))
    return min(max(fpir, 1e-300), 1 - 1e-12)


@dataclass(frozen=True, slots=True)
class RateThreshold:
    """A score with the error rate that it stands for.

    Attributes:
        score: accept when a score is this or higher.
        fmr: false match rate at ``score``: of the operating point used, never above what was asked for.
        source: what says so (model record, file, or the distribution itself).
        population: of the non-mated pairs behind it.
        extrapolated: the point lies beyond the measured tail.
        indicative: fewer than 30 effective errors stand behind it.
        synthetic: measured on generated data, which says nothing about people.
        note: one sentence where something has to be known; else empty.
    """

    score: float
    fmr: float
    source: str
    population: str
    extrapolated: bool = False
    indicative: bool = False
    synthetic: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScoreRate:
    """The false match rate of one score: an upper value, the strictest that the measurement supports.

    Attributes:
        fmr: non-mated comparisons that score as high or higher are at most this share.
        basis: ``point`` (an operating point), ``histogram`` (the measured share), ``distribution`` or ``none``.
        extrapolated: it rests on an extrapolated point.
    """

    fmr: float
    basis: str
    extrapolated: bool = False


class ErrorRates(Protocol):
    """What a search has to know about the scores of one embedding space."""

    @property
    def label(self) -> str:
        """What the rates come from."""
        ...

    @property
    def reliability(self) -> Reliability | None:
        """The measured calibration of scores to log-likelihood ratios, if there is one."""
        ...

    def threshold(self, fmr: float, *, allow_extrapolated: bool = False) -> RateThreshold:
        """The lowest score known to have a false match rate of at most ``fmr``."""
        ...

    def fmr_at(self, score: float, *, allow_extrapolated: bool = False) -> ScoreRate:
        """An upper value of the false match rate at ``score``."""
        ...


@dataclass(frozen=True, slots=True)
class MeasuredRates:
    """Rates from the operating points and the histogram of a model record.

    Points are never interpolated: the loosest point that is strict enough is used.

    Attributes:
        label: of the record.
        points: of any population; only ``population`` is used.
        histogram: of scores, or None.
        population: of non-mated pairs.
        reliability: of single comparisons, or None.
        synthetic: measured on generated data.
    """

    label: str
    points: tuple[OperatingPoint, ...]
    histogram: ScoreHistogram | None = None
    population: str = "matched-adults"
    reliability: Reliability | None = None
    synthetic: bool = False

    @classmethod
    def of_record(cls, record: ModelRecord, population: str | None = None) -> MeasuredRates:
        """The rates of ``record``; without ``population`` that of its histogram, or its only one."""
        chosen = population or _default_population(record.operating_points, record.score_histogram)
        synthetic = "synthetic" in record.id or any("synthetic" in p.dataset for p in record.operating_points)
        return cls(record.label, record.operating_points, record.score_histogram, chosen, record.reliability, synthetic)

    @classmethod
    def of_file(cls, path: Path | str, space: str, population: str | None = None) -> MeasuredRates:
        """The rates in a file of the form of a record's sidecar (``<record>.points.json``).

        Args:
            path: the file.
            space: digest of the embedding space that it has to be of.
            population: of non-mated pairs; None takes that of the histogram.

        Raises:
            RatesFileError: it cannot be read, breaks its schema, or is of another space.
        """
        try:
            sidecar = Sidecar.model_validate(json.loads(Path(path).read_text("utf-8")))
        except OSError as error:
            raise RatesFileError(f"{path} cannot be read: {error.strerror}.", hint="Check the path.") from None
        except (ValidationError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise RatesFileError(f"{path} holds no operating points ({reason}).", hint="Measure them again.") from None
        if sidecar.space != space:
            raise RatesFileError(
                f"{path} was measured in space {sidecar.space}, the gallery is of {space}.",
                hint="Name the operating points of the model that made the gallery's templates.",
            )
        chosen = population or _default_population(sidecar.operating_points, sidecar.score_histogram)
        synthetic = bool(sidecar.provenance.get("synthetic", False))
        return cls(
            f"{Path(path).name}",
            sidecar.operating_points,
            sidecar.score_histogram,
            chosen,
            sidecar.reliability,
            synthetic,
        )

    def threshold(self, fmr: float, *, allow_extrapolated: bool = False) -> RateThreshold:
        """The point of the population with the largest FMR that is at most ``fmr``.

        Raises:
            ThresholdUnknownError: every point is looser; or the only ones that are strict enough are extrapolated and
                that was not allowed, or lie more than 100 times beyond what was measured.
            RateRangeError: ``fmr`` is no rate.
        """
        if not 0.0 < fmr < 1.0:
            raise RateRangeError(f"an FMR lies strictly between 0 and 1, got {fmr:g}.")
        strict = [p for p in self._usable(True) if p.fmr <= fmr * (1 + 1e-6)]
        allowed = [p for p in strict if allow_extrapolated or not p.extrapolated]
        if not allowed:
            raise self._unknown(fmr, bool(strict))
        point = max(allowed, key=lambda p: p.fmr)
        note = f"extrapolated beyond the measured tail of {point.dataset}" if point.extrapolated else ""
        return RateThreshold(
            point.threshold,
            point.fmr,
            self.label,
            self.population,
            point.extrapolated,
            point.indicative,
            self.synthetic,
            note,
        )

    def fmr_at(self, score: float, *, allow_extrapolated: bool = False) -> ScoreRate:
        """The smaller of: the FMR of the strictest point that ``score`` reaches; the histogram's share at or above it.

        The histogram counts the bin of the score in full, and ends at the last bin that 30 scores or more reach. So the
        rate never rises with the score.
        """
        best = ScoreRate(1.0, "none")
        for point in self._usable(allow_extrapolated):
            if score >= point.threshold and point.fmr < best.fmr:
                best = ScoreRate(point.fmr, "point", point.extrapolated)
        share, count = self._share(score)
        if count >= SOLID_ERRORS and share < best.fmr:
            best = ScoreRate(share, "histogram")
        return best

    def _usable(self, allow_extrapolated: bool) -> list[OperatingPoint]:
        own = [p for p in self.points if p.population == self.population]
        measured = [p.fmr for p in own if not p.extrapolated and not p.indicative]
        measured = measured or [p.fmr for p in own if not p.extrapolated]
        last = min(measured, default=math.inf) / EXTRAPOLATION_LIMIT * (1 - 1e-9)
        return [p for p in own if not p.extrapolated or (allow_extrapolated and p.fmr >= last)]

    def _share(self, score: float) -> tuple[float, int]:
        """Share of non-mated scores at or above ``score``, or at or above the last bin that 30 or more reach."""
        held = self.histogram
        if held is None or held.population != self.population or not any(held.non_mated):
            return 1.0, 0
        from samebody.measure import ScoreHistogram as Counted

        solid, above = -1, 0
        for place in reversed(range(held.count)):
            above += held.non_mated[place]
            if above >= SOLID_ERRORS:
                solid = place
                break
        width = (held.stop - held.start) / held.count
        counted = Counted(held.start, held.stop, held.non_mated)
        share = counted.share_at_or_above(min(score, held.start + (solid + 0.5) * width))
        return share, round(share * counted.total)

    def _unknown(self, fmr: float, only_extrapolated: bool) -> ThresholdUnknownError:
        if only_extrapolated:
            return ThresholdUnknownError(
                f"{self.label} knows a false match rate of {fmr:.3g} or less only by extrapolation.",
                hint="Allow extrapolated points, ask for a higher FPIR, or search with two modalities.",
            )
        known = sorted({p.fmr for p in self._usable(allow_extrapolated=True)})
        strictest = f"its strictest point for {self.population} is {known[0]:g}" if known else "it has no points"
        return ThresholdUnknownError(
            f"{self.label} has no operating point for a false match rate of {fmr:.3g} or less: {strictest}.",
            hint="Ask for a higher FPIR, measure on more people, or search with two modalities.",
        )


@dataclass(frozen=True, slots=True)
class UnitVectorRates:
    """The exact rates of independent unit vectors of uniform direction: what synthetic vector galleries hold.

    For two such vectors of ``d`` dimensions ``(1 + cosine) / 2`` follows Beta((d - 1)/2, (d - 1)/2).

    Attributes:
        dimension: d, at least 2.
    """

    dimension: int

    @property
    def label(self) -> str:
        """What the rates come from."""
        return f"{SYNTHETIC_VECTORS} ({self.dimension} dimensions)"

    @property
    def reliability(self) -> Reliability | None:
        """None: nothing was measured."""
        return None

    def threshold(self, fmr: float, *, allow_extrapolated: bool = False) -> RateThreshold:
        """The cosine that two independent vectors reach with probability ``fmr``; exact, so nothing is extrapolated.

        Raises:
            RateRangeError: ``fmr`` is no rate.
        """
        from scipy.special import betaincinv

        if not 0.0 < fmr < 1.0:
            raise RateRangeError(f"an FMR lies strictly between 0 and 1, got {fmr:g}.")
        half = (self.dimension - 1) / 2
        score = float(1 - 2 * betaincinv(half, half, fmr))  # the lower tail, mirrored: exact where 1 - fmr is not
        note = "the distribution of independent random vectors; says nothing about people"
        return RateThreshold(score, fmr, self.label, "synthetic", synthetic=True, note=note)

    def fmr_at(self, score: float, *, allow_extrapolated: bool = False) -> ScoreRate:
        """Probability that two independent vectors score ``score`` or higher."""
        from scipy.special import betainc

        half = (self.dimension - 1) / 2
        share = float(betainc(half, half, min(max((1 - score) / 2, 0.0), 1.0)))
        return ScoreRate(share, "distribution")


SYNTHETIC_VECTORS = "synthetic/unit-vectors"


def synthetic_vector_space(dimension: int) -> EmbeddingSpace:
    """The space of seeded random unit vectors: comparable with nothing that a model made."""
    return EmbeddingSpace(SYNTHETIC_VECTORS, "1", "0" * 64, f"dimension={dimension}")


def _default_population(points: tuple[OperatingPoint, ...], histogram: ScoreHistogram | None) -> str:
    if histogram is not None:
        return histogram.population
    names = [point.population for point in points]
    return "matched-adults" if not names or "matched-adults" in names else names[0]


def threshold_for_search(
    rates: ErrorRates, fpir: float, comparisons: int, *, allow_extrapolated: bool = False
) -> SearchThreshold:
    """The score that keeps the FPIR of a search of ``comparisons`` references at ``fpir`` or below.

    Raises:
        ThresholdUnknownError: no operating point is strict enough; says how large a gallery could be searched.
        RateRangeError: ``fpir`` or ``comparisons`` outside their ranges.
    """
    needed = needed_fmr(fpir, comparisons)
    try:
        found = rates.threshold(needed, allow_extrapolated=allow_extrapolated)
    except ThresholdUnknownError as error:
        raise ThresholdUnknownError(
            f"an FPIR of {fpir:g} in a gallery of {comparisons:,} references needs a false match rate of {needed:.3g}: "
            f"{error.message}",
            hint=error.hint,
        ) from None
    return SearchThreshold(fpir, comparisons, needed, found, fpir_of(found.fmr, comparisons))


@dataclass(frozen=True, slots=True)
class SearchThreshold:
    """The threshold of one search, with what it was made from.

    Attributes:
        fpir: asked for.
        comparisons: N, references compared.
        needed_fmr: ``1 - (1 - fpir)^(1/N)``.
        at: the score and the error rate it stands for.
        expected_fpir: ``1 - (1 - at.fmr)^N``; at most ``fpir``.
    """

    fpir: float
    comparisons: int
    needed_fmr: float
    at: RateThreshold
    expected_fpir: float

    @property
    def score(self) -> float:
        """Accept when a score is this or higher."""
        return self.at.score

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)
