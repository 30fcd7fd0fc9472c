"""How much one comparison says: a record's calibrated log-likelihood ratio and its uncertainty by picture quality.

An optional, versioned part of the sidecar of operating points. The ratio is natural:
``ln p(score | one person) / p(score | different people)``. It says nothing about how likely either was beforehand.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

RELIABILITY_VERSION = 1

Finite = Annotated[float, Field(allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Line(_Part):
    """``llr = slope * score + offset`` with the covariance of the two over resampled people.

    Attributes:
        slope, offset: of the natural log-likelihood ratio.
        covariance: variance of the slope, covariance, variance of the offset.
        mated_pairs, mated_subjects, non_mated_pairs, non_mated_subjects: it was fitted on.
    """

    slope: float = Field(ge=0.0, allow_inf_nan=False)
    offset: Finite
    covariance: tuple[Finite, Finite, Finite]
    mated_pairs: int = Field(gt=0)
    mated_subjects: int = Field(gt=0)
    non_mated_pairs: int = Field(gt=0)
    non_mated_subjects: int = Field(gt=1)

    @model_validator(mode="after")
    def _consistent(self) -> Line:
        first, cross, second = self.covariance
        if first < 0 or second < 0 or cross**2 > first * second * (1 + 1e-6) + 1e-12:
            raise ValueError("covariance is none: a variance is negative or the covariance too large")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The ratio is never given out beyond these, because the data cannot carry more.

        ``-ln(m + 1)`` to ``ln(n + 1)`` with the ``m`` people of the mated pairs and ``n`` non-mated pairs that share
        nobody (half the people), not with the far larger numbers of pairs, which depend on each other.
        """
        return -math.log(self.mated_subjects + 1), math.log(self.non_mated_subjects // 2 + 1)

    def value(self, score: float) -> float:
        """The ratio at ``score``, not bounded."""
        return self.slope * score + self.offset

    def deviation(self, score: float) -> float:
        """Standard deviation of the ratio at ``score`` over resampled people."""
        first, cross, second = self.covariance
        return math.sqrt(max(score * score * first + 2 * score * cross + second, 0.0))


class MissRate(_Part):
    """False non-match rate of a quality bin at one operating point.

    Attributes:
        fmr, threshold: of the point; a rate is only shown beside the very threshold it was counted at.
        fnmr, interval: counted on people the line was not fitted on, with the bootstrap interval over people.
        pairs, subjects: behind it.
    """

    fmr: float = Field(gt=0.0, lt=1.0)
    threshold: Finite
    fnmr: Rate
    interval: tuple[Rate, Rate]
    pairs: int = Field(gt=0)
    subjects: int = Field(gt=0)


class QualityBin(_Part):
    """Comparisons whose poorer picture has a unified quality in ``low <= quality < high`` (0-100; 100 is in the last).

    Attributes:
        low, high: of the bin.
        line: fitted within the bin; None where it held too few people, and the line of all serves.
        misses: at operating points; empty where nobody was compared.
    """

    low: int = Field(ge=0, le=100)
    high: int = Field(ge=1, le=101)
    line: Line | None = None
    misses: tuple[MissRate, ...] = ()


class Reliability(_Part):
    """What a record knows about a single decision.

    Attributes:
        version: of this part.
        method: how the lines were fitted.
        dataset: what on: mated; non-mated.
        population: of the non-mated pairs.
        line: of all qualities.
        bins: by quality, without gaps or overlap; may be empty.
        level: of all intervals.
        cllr, cllr_min: bits, on people that nothing was fitted on.
        judged_mated_subjects, judged_non_mated_subjects: these people.
        provenance: how it was measured; JSON-ready.
    """

    version: int = Field(default=RELIABILITY_VERSION, ge=RELIABILITY_VERSION, le=RELIABILITY_VERSION)
    method: Literal["logistic"] = "logistic"
    dataset: str = Field(min_length=1)
    population: str = Field(min_length=1)
    line: Line
    bins: tuple[QualityBin, ...] = ()
    level: float = Field(default=0.95, gt=0.0, lt=1.0)
    cllr: float = Field(ge=0.0, allow_inf_nan=False)
    cllr_min: float = Field(ge=0.0, le=1.0 + 1e-9)
    judged_mated_subjects: Count = 0
    judged_non_mated_subjects: Count = 0
    provenance: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Reliability:
        for one, two in zip(self.bins, self.bins[1:]):
            if one.high != two.low:
                raise ValueError(f"bins {one.low}-{one.high} and {two.low}-{two.high} do not follow on each other")
        if any(entry.low >= entry.high for entry in self.bins):
            raise ValueError("a quality bin is empty")
        return self

    def bin_of(self, quality: float | None) -> QualityBin | None:
        """The bin that holds ``quality``; None without one."""
        if quality is None:
            return None
        return next((entry for entry in self.bins if entry.low <= quality < entry.high), None)

    def likelihood(self, score: float, quality: float | None = None, threshold: float | None = None) -> LikelihoodRatio:
        """What ``score`` says, by the line of the quality's bin where there is one.

        Args:
            score: cosine.
            quality: the lower unified quality of the two pictures, 0-100; None where it is not known.
            threshold: that was decided by, to add the miss rate of the bin at it.
        """
        entry = self.bin_of(quality)
        line = self.line if entry is None or entry.line is None else entry.line
        half = NormalDist().inv_cdf((1 + self.level) / 2) * line.deviation(score)
        value, (low, high) = line.value(score), line.bounds
        miss = None
        if entry is not None and threshold is not None:
            miss = next((found for found in entry.misses if found.threshold == threshold), None)
        return LikelihoodRatio(
            llr=min(max(value, low), high),
            interval=(min(max(value - half, low), high), min(max(value + half, low), high)),
            level=self.level,
            at_bound=not low < value < high,
            bounds=line.bounds,
            quality=quality,
            quality_bin=None if entry is None else (entry.low, min(entry.high, 100)),
            by_quality=entry is not None and entry.line is not None,
            fnmr=None if miss is None else miss.fnmr,
            fnmr_interval=None if miss is None else miss.interval,
            fnmr_pairs=0 if miss is None else miss.pairs,
            fnmr_subjects=0 if miss is None else miss.subjects,
            population=self.population,
            dataset=self.dataset,
        )


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """What one comparison says.

    Attributes:
        llr: natural log-likelihood ratio within ``bounds`` (see :attr:`Line.bounds`); above 0 it speaks for one person.
        interval: at ``level``, over people resampled in the calibration; within ``bounds``.
        at_bound: the line goes further than the data can carry; the ratio is then "at least" (or "at most") this.
        quality, quality_bin: the poorer picture's quality, and the bin that it fell in; None where not known.
        by_quality: the line is that of the bin.
        fnmr, fnmr_interval, fnmr_pairs, fnmr_subjects: how often one person was missed in this bin at the threshold.
        population, dataset: of the calibration.
    """

    llr: float
    interval: tuple[float, float]
    level: float
    at_bound: bool
    bounds: tuple[float, float]
    quality: float | None
    quality_bin: tuple[int, int] | None
    by_quality: bool
    fnmr: float | None
    fnmr_interval: tuple[float, float] | None
    fnmr_pairs: int
    fnmr_subjects: int
    population: str
    dataset: str

    @property
    def sentence(self) -> str:
        """For a reader who does not know the words."""
        for_one = self.llr >= 0
        odds = math.exp(abs(self.llr))
        about = "at least " if self.at_bound else "about "
        whom = (
            "if both show one person than if they show two"
            if for_one
            else ("if the pictures show two people than if both show one")
        )
        text = f"This score is {about}{_rounded(odds)} times more likely {whom}"
        low, high = (math.exp(end if for_one else -end) for end in self.interval)
        low, high = min(low, high), max(low, high)
        if high / low > 1.05:
            text += f" ({100 * self.level:.0f} % interval {_rounded(low)} to {_rounded(high)})"
        text += "."
        if self.fnmr is not None and self.fnmr_interval is not None and self.quality_bin is not None:
            text += (
                f" With pictures of this quality ({self.quality_bin[0]}-{self.quality_bin[1]} of 100) "
                f"{100 * self.fnmr:.1f} % of comparisons of one person were missed at this threshold "
                f"({100 * self.level:.0f} % interval {100 * self.fnmr_interval[0]:.1f} to "
                f"{100 * self.fnmr_interval[1]:.1f} %, {self.fnmr_subjects} people)."
            )
        return text

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields and the sentence."""
        return {**asdict(self), "sentence": self.sentence}


def _rounded(value: float) -> str:
    if value < 10:
        return f"{value:.1f}"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.0f}"
