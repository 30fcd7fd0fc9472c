"""What an evaluation found, as typed figures that can be written, read back, drawn and compared.

Only plain numbers live here: no score of a pair, no template. Scores stay in the ``ScoreSet`` that a run folder keeps
beside the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from samebody.lab.evaluate.errors import optional
from samebody.lab.evaluate.stored import StoredResult
from samebody.measure import RateEstimate, ScoreHistogram
from samebody.measure.transactions import TransactionResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What made the scores: record id or a name of the caller's, version, digest of the embedding space."""

    id: str
    version: str = ""
    space: str = ""

    @property
    def label(self) -> str:
        """``id version``."""
        return f"{self.id} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class DataSet:
    """What was measured on.

    Attributes:
        name: of the set.
        digest: SHA-256 of the input (of the table's bytes, or over ``sha256  file`` lines of pictures).
        protocol: which comparisons were made, in words (``all pairs``, ``pairs.txt, 10 folds``, ``table``).
        credit: who to name.
    """

    name: str
    digest: str = ""
    protocol: str = ""
    credit: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was measured.

    Attributes:
        subjects, samples: who and what takes part in any comparison.
        mated, non_mated: comparisons.
        mated_subjects, non_mated_subjects: people behind them.
    """

    subjects: int
    samples: int
    mated: int
    mated_subjects: int
    non_mated: int
    non_mated_subjects: int


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """Failures to acquire and to enrol; in no denominator of FMR or FNMR.

    Attributes:
        fta: failures / samples tried, with its interval over subjects; None when the input does not say.
        enrolments, not_enrolled: subjects to be enrolled, and those that could not be; 0 where not known.
        reasons: how often each reason was given.
        lost_mated, lost_non_mated: comparisons that could not take place.
    """

    fta: RateEstimate | None = None
    enrolments: int = 0
    not_enrolled: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    lost_mated: int = 0
    lost_non_mated: int = 0

    @property
    def fte(self) -> float:
        """Failure-to-enrol rate in 0-1; 0 where no enrolment was counted."""
        return self.not_enrolled / self.enrolments if self.enrolments else 0.0


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One threshold and what it gives.

    Attributes:
        target: FMR asked for; None when the threshold was given as a score.
        value: accept when ``score >= value``.
        fmr: realised false match rate with interval and effective errors (vertex bootstrap). ``replicates`` is 0 and
            the interval (0, 1) where the threshold lies below the kept scores.
        fnmr: false non-match rate (subject bootstrap); None without mated comparisons.
        binned: read off a bin edge, because the rank lies below the kept scores.
        source: ``same data``, or the name of the set that the threshold comes from.
        far, frr, gfar, gfrr: of one-attempt transactions, with FTA and FTE; None where FTA or FNMR is not known.
    """

    target: float | None
    value: float
    fmr: RateEstimate
    fnmr: RateEstimate | None
    binned: bool = False
    source: str = "same data"
    far: float | None = None
    frr: float | None = None
    gfar: float | None = None
    gfrr: float | None = None

    @property
    def effective_errors(self) -> float:
        """Effective false matches; 0 when none was seen."""
        return self.fmr.effective_errors if self.fmr.estimable else 0.0

    @property
    def indicative(self) -> bool:
        """Fewer than 30 effective false matches: a hint, not a measurement."""
        return not self.fmr.estimable or self.fmr.indicative

    @property
    def name(self) -> str:
        """``FMR 0.001``, or the score."""
        return f"score {self.value:.6g}" if self.target is None else f"FMR {self.target:g}"


@dataclass(frozen=True, slots=True)
class GroupRates:
    """One group at one of the *global* thresholds.

    Attributes:
        target, value: of the threshold.
        fmr: of the comparisons within the group; None without any, or where they were not kept apart.
        fnmr: of the mated comparisons of the group; None without any.
    """

    target: float | None
    value: float
    fmr: RateEstimate | None
    fnmr: RateEstimate | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One demographic group.

    Attributes:
        name: label of the evaluation data.
        subjects: of the group that take part in a comparison.
        mated, non_mated: comparisons within the group.
        fta: failures / samples tried; None where not known.
        rates: in the order of the threshold table.
    """

    name: str
    subjects: int
    mated: int
    non_mated: int
    fta: RateEstimate | None
    rates: tuple[GroupRates, ...]


@dataclass(frozen=True, slots=True)
class CrossGroup:
    """False matches between groups at one global threshold; symmetric, the diagonal is within a group.

    Attributes:
        target, value: of the threshold.
        names: groups, in the order of rows and columns.
        trials, errors: (g, g) comparisons and false matches.
    """

    target: float | None
    value: float
    names: tuple[str, ...]
    trials: tuple[tuple[int, ...], ...]
    errors: tuple[tuple[int, ...], ...]

    def rate(self, one: int, two: int) -> float | None:
        """FMR between two groups; None without a comparison. 0 is not estimable: see :meth:`bound`."""
        trials = self.trials[one][two]
        return self.errors[one][two] / trials if trials else None

    def bound(self, one: int, two: int, level: float = 0.95) -> float | None:
        """Exact one-sided upper bound for independent comparisons; None without one."""
        from samebody.measure import upper_bound

        trials = self.trials[one][two]
        return upper_bound(self.errors[one][two], trials, level) if trials else None


@dataclass(frozen=True, slots=True)
class Fairness:
    """Inequity figures at one global threshold (ISO/IEC 19795-10:2024); always several, never FDR alone.

    Attributes:
        target, value: of the threshold.
        alpha: weight of false matches in 0-1.
        figures: name to value; None is *not estimable* (a group has no error).
        groups: that take part.
        notes: why a figure is not estimable, and what bound holds instead.
    """

    target: float | None
    value: float
    alpha: float
    figures: Mapping[str, float | None]
    groups: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Det:
    """Points of the detection error trade-off, at most a few thousand of them, thresholds ascending and finite.

    Attributes:
        thresholds, fmr, fnmr: of the points; each is attained exactly (FMR below the kept scores: a bin edge's).
        fmr_low, fmr_high, fnmr_low, fnmr_high: pointwise band at the bootstrap's level, computed at some thresholds
            and interpolated between; empty when none was computed.
    """

    thresholds: tuple[float, ...]
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]
    fmr_low: tuple[float, ...] = ()
    fmr_high: tuple[float, ...] = ()
    fnmr_low: tuple[float, ...] = ()
    fnmr_high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Eer:
    """Equal error rate with its convention; it never gates anything."""

    value: float
    threshold: float
    convention: str


@dataclass(frozen=True, slots=True)
class FoldRates:
    """One fold of a protocol: threshold from the other folds, rates of this one.

    Attributes:
        fold: its number.
        target, value: of the threshold that the other folds gave.
        fmr, fnmr: counted on this fold.
        mated, non_mated: comparisons of this fold.
    """

    fold: int
    target: float
    value: float
    fmr: float
    fnmr: float
    mated: int
    non_mated: int


@dataclass(frozen=True, slots=True)
class QualityCurve:
    """Error versus discard: a step curve with the threshold fixed at the start.

    Attributes:
        kind: ``fnmr`` or ``fmr``.
        threshold: fixed before anything is discarded.
        start: error rate before anything is discarded.
        fractions, rates: of the steps.
        partial_areas: limit (as text) to area below the steps divided by the limit.
        ideal_partial_areas: the same of an oracle that discards errors first.
        group: label, empty for all.
    """

    kind: str
    threshold: float
    start: float
    fractions: tuple[float, ...]
    rates: tuple[float, ...]
    partial_areas: Mapping[str, float]
    ideal_partial_areas: Mapping[str, float]
    group: str = ""


@dataclass(frozen=True, slots=True)
class GroupQuality:
    """Quality of the samples of one group: number, mean and the quantiles 5, 25, 50, 75, 95 %."""

    name: str
    samples: int
    mean: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far scores, turned into log-likelihood ratios, mean what they say; fitted and judged on disjoint subjects.

    Attributes:
        method: of the fit.
        cllr, cllr_min: bits; cost of the log-likelihood ratios as given, and at their best.
        coefficients: of the fit where it has some (``llr = slope * score + offset``, natural logarithm).
        bound: largest absolute log-likelihood ratio given out.
        fitted_on, judged_on: numbers of subjects.
        reliability: (predicted probability of mated, observed share, comparisons) of each bin, at even prior odds.
    """

    method: str
    cllr: float
    cllr_min: float
    coefficients: Mapping[str, float] = field(default_factory=dict)
    bound: float | None = None
    fitted_on: int = 0
    judged_on: int = 0
    reliability: tuple[tuple[float, float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a reader needs to make the figures again.

    Attributes:
        command: as it would be typed.
        version: of samebody.
        created: UTC, ISO 8601.
        seed, replicates, level: of the bootstrap.
        machine: processor, cores, library versions.
        thresholds_from: name and digest of the set that thresholds come from; empty when the same.
        engine: who counted all pairs: ``engine``, ``kernel``, ``workers``, ``processes``; empty when none were counted.

    ``created``, ``machine`` and ``engine`` may differ when the same command is run again; no figure does.
    """

    command: str
    version: str
    created: str
    seed: int
    replicates: int
    level: float
    machine: Mapping[str, str] = field(default_factory=dict)
    thresholds_from: str = ""
    engine: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VerificationResult(StoredResult):
    """One algorithm on one data set, verification (1:1).

    Attributes:
        algorithm, dataset, counts, failures: what was measured.
        thresholds: in the order of the targets, loosest first.
        det, eer: None without mated comparisons.
        histograms: ``mated`` and ``non_mated`` in common bins.
        groups: one row a group; empty without labels.
        cross_groups: one matrix a threshold whose false matches are known one by one.
        fairness: one or more a threshold.
        folds: where the protocol has some.
        quality: error-versus-discard curves.
        group_quality: of the samples, where quality is known.
        transactions: FAR and FRR of transactions of several attempts, where the input numbers attempts.
        calibration: optional.
        warnings: what a reader must know before quoting a figure.
        dropped: what was left out, with counts.
        provenance: how it was made.
    """

    KIND: ClassVar[str] = "verification"

    algorithm: Algorithm
    dataset: DataSet
    counts: Counts
    failures: FailureCounts
    thresholds: tuple[ThresholdRow, ...]
    det: Det | None
    eer: Eer | None
    histograms: Mapping[str, ScoreHistogram]
    provenance: Provenance
    groups: tuple[GroupRow, ...] = ()
    cross_groups: tuple[CrossGroup, ...] = ()
    fairness: tuple[Fairness, ...] = ()
    folds: tuple[FoldRates, ...] = ()
    quality: tuple[QualityCurve, ...] = ()
    group_quality: tuple[GroupQuality, ...] = ()
    transactions: tuple[TransactionResult, ...] = ()
    calibration: Calibration | None = None
    warnings: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    def at(self, target: float) -> ThresholdRow:
        """The row for the FMR ``target``.

        Raises:
            KeyError: not in the table.
        """
        for row in self.thresholds:
            if row.target is not None and abs(row.target - target) <= 1e-6 * target:
                return row
        raise KeyError(target)

    def group(self, name: str) -> GroupRow:
        """The row of a group.

        Raises:
            KeyError: there is no such group.
        """
        for row in self.groups:
            if row.name == name:
                return row
        raise KeyError(name)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row for each algorithm, data set, threshold and group (``all`` first), as the CSV has them."""
        rows = []
        for index, threshold in enumerate(self.thresholds):
            rows.append(self._row("all", threshold, threshold.fmr, threshold.fnmr))
            for group in self.groups:
                rates = group.rates[index]
                rows.append(self._row(group.name, threshold, rates.fmr, rates.fnmr))
        return rows

    def _row(
        self, group: str, threshold: ThresholdRow, fmr: RateEstimate | None, fnmr: RateEstimate | None
    ) -> dict[str, Any]:
        return {
            "algorithm": self.algorithm.label,
            "dataset": self.dataset.name,
            "protocol": self.dataset.protocol,
            "target_fmr": threshold.target,
            "threshold": threshold.value,
            "group": group,
            **_rate_columns("fmr", fmr),
            **_rate_columns("fnmr", fnmr),
            "indicative": threshold.indicative
            if group == "all"
            else fmr is None or not fmr.estimable or fmr.indicative,
        }

    def to_frame(self) -> DataFrame:
        """:meth:`rows` as a pandas frame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return optional("pandas", "a data frame").DataFrame(self.rows())

    def plot(self) -> Figure:
        """Score distributions and DET as a matplotlib figure.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from samebody.lab.evaluate.plot import draw

        return draw(self)


def _rate_columns(name: str, rate: RateEstimate | None) -> dict[str, Any]:
    if rate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None, f"{name}_errors": None, f"{name}_trials": None}
    return {
        name: rate.rate,
        f"{name}_low": rate.interval[0],
        f"{name}_high": rate.interval[1],
        f"{name}_errors": rate.errors,
        f"{name}_trials": rate.trials,
    }
