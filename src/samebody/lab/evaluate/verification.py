"""From a score set to the figures of verification: thresholds, rates with intervals, DET, groups, folds, quality."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.det_band import band_around
from samebody.lab.evaluate.fairness import fairness_at
from samebody.lab.evaluate.non_mated import ListedNonMated, Scores, binned, count_group_pairs, renumbered
from samebody.lab.evaluate.results import (
    Algorithm,
    Calibration,
    Counts,
    CrossGroup,
    DataSet,
    Det,
    Eer,
    FailureCounts,
    FoldRates,
    GroupQuality,
    GroupRates,
    GroupRow,
    Provenance,
    QualityCurve,
    ThresholdRow,
    VerificationResult,
)
from samebody.lab.evaluate.scores import Failures, ScoreSet
from samebody.measure import (
    BootstrapOptions,
    ListedPairs,
    RateEstimate,
    ScoreHistogram,
    TailTooShortError,
    allowed_errors,
    equal_error_rate,
    subject_bootstrap,
    threshold_at_fmr,
    transaction_rates,
    vertex_bootstrap,
)
from samebody.measure.calibration import cllr, cllr_min, fit_logistic, reliability
from samebody.measure.estimates import independent_rate
from samebody.measure.quality_steps import discard_reports
from samebody.measure.transactions import TransactionResult, measure_transactions

TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
DET_POINTS = 600
_BAND_NODES = 12
_BAND_ERRORS = 30_000
"""More false matches than this at a point of the DET: its band is carried on from the last one below."""
_CURVE_STEPS = 500

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, how far, out of how many)."""


@dataclass(frozen=True, slots=True)
class GivenThreshold:
    """A threshold that does not come from the data it is applied to.

    Attributes:
        value: accept when ``score >= value``.
        target: false match rate it was set for, where known.
        source: the set or person it comes from.
    """

    value: float
    target: float | None = None
    source: str = "given"


@dataclass(frozen=True, slots=True)
class VerificationOptions:
    """What is measured.

    Attributes:
        targets: false match rates of the threshold table, each in [0, 1).
        given: thresholds from elsewhere; when there are some, ``targets`` are not taken from these data.
        bootstrap: replicates, seed, level.
        alpha: weight of false matches in the inequity figures.
        calibrate: fit and judge log-likelihood ratios on halves of the subjects.
        bands: compute the bands of the DET.
        attempts: most attempts of a transaction, where attempts are numbered.
    """

    targets: Sequence[float] = TARGETS
    given: Sequence[GivenThreshold] = ()
    bootstrap: BootstrapOptions = field(default_factory=BootstrapOptions)
    alpha: float = 0.5
    calibrate: bool = True
    bands: bool = True
    attempts: int = 3


def measure_verification(
    scores: ScoreSet,
    algorithm: Algorithm,
    dataset: DataSet,
    options: VerificationOptions | None = None,
    *,
    command: str = "",
    progress: Progress = lambda what, done, whole: None,
) -> VerificationResult:
    """Every figure of verification that the scores carry.

    Args:
        scores: of one algorithm on one data set.
        algorithm, dataset: what they are of.
        options: what is measured.
        command: what makes the figures again.
        progress: told before each part.

    Raises:
        samebody.measure.InvalidRateError: a target outside [0, 1).
        samebody.measure.EmptyClassError: no non-mated comparison.
    """
    options = options or VerificationOptions()
    measuring = _Measuring(scores, options)
    progress("thresholds", 0, 0)
    failures = measuring.failures()
    rows = measuring.rows(failures)
    progress("detection error trade-off", 0, 0)
    det, eer = measuring.det(), measuring.eer()
    progress("groups", 0, 0)
    groups, cross = measuring.groups(rows), measuring.cross_groups(rows)
    fairness = tuple(
        figures for matrix in cross if (figures := fairness_at(groups, rows, matrix, options.alpha)) is not None
    )
    progress("quality, calibration", 0, 0)
    return VerificationResult(
        algorithm=algorithm,
        dataset=dataset,
        counts=measuring.counts(),
        failures=failures,
        thresholds=rows,
        det=det,
        eer=eer,
        histograms=measuring.histograms(),
        provenance=Provenance(
            command=command,
            version=version("samebody"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=options.bootstrap.seed,
            replicates=options.bootstrap.replicates,
            level=options.bootstrap.level,
            machine={"python": platform.python_version(), "numpy": version("numpy"), "machine": platform.machine()},
            thresholds_from="; ".join(sorted({given.source for given in options.given})),
            engine=dict(scores.engine),
        ),
        groups=groups,
        cross_groups=cross,
        fairness=fairness,
        folds=measuring.folds(),
        quality=measuring.quality(),
        group_quality=measuring.group_quality(),
        transactions=measuring.transactions(rows, failures.fte),
        calibration=measuring.calibration() if options.calibrate else None,
        warnings=tuple(measuring.warnings(rows)),
        dropped=dict(scores.dropped),
    )


class _Measuring:
    """One score set with its options."""

    def __init__(self, scores: ScoreSet, options: VerificationOptions) -> None:
        self._scores, self._options, self._bootstrap = scores, options, options.bootstrap
        self._mated = scores.mated
        self._ascending = np.sort(scores.mated.scores)
        self._notes: list[str] = []

    # ------------------------------------------------------------------------------------------------ counts

    def counts(self) -> Counts:
        """Subjects, samples and comparisons."""
        scores = self._scores
        if scores.independent:
            return Counts(0, len(scores.samples), len(self._mated), 0, scores.non_mated.pairs, 0)
        return Counts(
            subjects=len(scores.subjects),
            samples=len(scores.samples),
            mated=len(self._mated),
            mated_subjects=len(np.unique(self._mated.subject)),
            non_mated=scores.non_mated.pairs,
            non_mated_subjects=scores.non_mated.graph(len(scores.subjects)).taking_part,
        )

    def failures(self) -> FailureCounts:
        """FTA with its interval over people."""
        found = self._scores.failures
        if found is None:
            return FailureCounts()
        return FailureCounts(
            fta=self._fta(found, np.arange(len(found.attempts))),
            enrolments=found.enrolments,
            not_enrolled=found.not_enrolled,
            reasons=dict(found.reasons),
            lost_mated=found.lost_mated,
            lost_non_mated=found.lost_non_mated,
        )

    def _fta(self, failures: Failures, who: NDArray[np.int64]) -> RateEstimate | None:
        attempts, failed = failures.attempts[who], failures.failed[who]
        if not attempts.sum():
            return None
        people = np.repeat(who, attempts)
        first = np.concatenate([[0], np.cumsum(attempts)[:-1]])
        wrong = np.arange(len(people)) - np.repeat(first, attempts) < np.repeat(failed, attempts)
        return subject_bootstrap(people, wrong, self._bootstrap)

    # ------------------------------------------------------------------------------------------------- rates

    def rows(self, failures: FailureCounts) -> tuple[ThresholdRow, ...]:
        """The threshold table."""
        wanted: list[tuple[float | None, float, bool, str]] = []
        if self._options.given:
            wanted = [(given.target, given.value, False, given.source) for given in self._options.given]
        else:
            for target in sorted(set(self._options.targets), reverse=True):
                threshold, from_bin = self._scores.non_mated.threshold(target)
                wanted.append((target, threshold.value, from_bin, "same data"))
        values = [value for _, value, _, _ in wanted]
        rates = self.fmr_at(values)
        rows = []
        for (aim, value, from_bin, source), rate in zip(wanted, rates):
            missed = self.fnmr_at(value)
            row = ThresholdRow(aim, value, rate, missed, from_bin, source)
            if failures.fta is not None and missed is not None:
                whole = transaction_rates(rate.rate, missed.rate, failures.fta.rate, failures.fte)
                row = replace(row, far=whole.far, frr=whole.frr, gfar=whole.gfar, gfrr=whole.gfrr)
            rows.append(row)
        return tuple(rows)

    def fmr_at(self, values: Sequence[float]) -> list[RateEstimate]:
        """False match rates at thresholds; vertex bootstrap where the false matches are known one by one."""
        non_mated, pairs = self._scores.non_mated, self._scores.non_mated.pairs
        if self._scores.independent:
            counted = np.rint(non_mated.fmr(values) * pairs).astype(int).tolist()
            return [independent_rate(errors, pairs, self._bootstrap.level) for errors in counted]
        subjects = len(self._scores.subjects)
        known = [value for value in values if value >= non_mated.floor]
        graphs = []
        for value in known:
            errors = non_mated.errors_at(value)
            graphs.append(ListedPairs(errors.first, errors.second, subjects))
        trials = non_mated.graph(subjects)
        estimates = iter(vertex_bootstrap(trials, graphs, self._bootstrap) if known else ())
        found = []
        for value in values:
            if value >= non_mated.floor:
                found.append(next(estimates))
            else:
                rate = float(non_mated.fmr([value])[0])
                found.append(_without_interval(rate, pairs, trials.taking_part, self._bootstrap.level))
        return found

    def fnmr_at(self, value: float, who: NDArray[np.bool_] | None = None) -> RateEstimate | None:
        """False non-match rate; of the mated comparisons where ``who`` is true."""
        subject, wrong = self._mated.subject, self._mated.scores < np.float64(value)
        if who is not None:
            subject, wrong = subject[who], wrong[who]
        if not len(wrong):
            return None
        if self._scores.independent:
            return independent_rate(int(wrong.sum()), len(wrong), self._bootstrap.level)
        return subject_bootstrap(subject, wrong, self._bootstrap)

    # --------------------------------------------------------------------------------------------------- DET

    def det(self) -> Det | None:
        """Points and bands."""
        if not len(self._mated):
            return None
        non_mated = self._scores.non_mated
        ranks = np.linspace(0, len(self._ascending) - 1, min(DET_POINTS, len(self._ascending))).astype(np.int64)
        few = self._ascending[: DET_POINTS // 4]
        thresholds = np.unique(
            np.concatenate([self._ascending[ranks], few, non_mated.levels(DET_POINTS)]).astype(np.float64)
        )
        fmr = non_mated.fmr(thresholds)
        fnmr = np.searchsorted(self._ascending, thresholds, side="left") / len(self._ascending)
        changed = np.ones(len(thresholds), dtype=bool)
        changed[:-1] = (np.diff(fmr) != 0) | (np.diff(fnmr) != 0)
        thresholds, fmr, fnmr = thresholds[changed], fmr[changed], fnmr[changed]
        bands = self._bands(thresholds, fmr, fnmr) if self._options.bands else ((), (), (), ())
        return Det(_floats(thresholds), _floats(fmr), _floats(fnmr), *bands)

    def _bands(
        self, thresholds: NDArray[np.float64], fmr: NDArray[np.float64], fnmr: NDArray[np.float64]
    ) -> tuple[tuple[float, ...], ...]:
        """Lower and upper end of FMR, then of FNMR, at each threshold: a bootstrap at a few, carried to the others."""
        pairs = self._scores.non_mated.pairs
        usable = np.flatnonzero(
            (thresholds >= self._scores.non_mated.floor) & (fmr * pairs <= _BAND_ERRORS) & (fmr > 0)
        )
        if self._scores.independent:
            usable = np.flatnonzero(fmr > 0)
        nodes = usable[np.unique(np.linspace(0, len(usable) - 1, _BAND_NODES).astype(int))] if len(usable) else usable
        estimates = self.fmr_at([float(thresholds[node]) for node in nodes])
        upper = self.fmr_at([float(np.nextafter(thresholds[-1], np.inf))])[0].interval[1]
        low, high = band_around(thresholds, fmr, thresholds[nodes], estimates, upper)
        seen = np.flatnonzero((fnmr > 0) & (fnmr < 1))
        nodes = seen[np.unique(np.linspace(0, len(seen) - 1, _BAND_NODES).astype(int))] if len(seen) else seen
        missed = [rate for node in nodes if (rate := self.fnmr_at(float(thresholds[node]))) is not None]
        none = self.fnmr_at(-float("inf"))
        below, above = band_around(thresholds, fnmr, thresholds[nodes], missed, none.interval[1] if none else 1.0)
        return tuple(_floats(end) for end in (low, high, below, above))

    def eer(self) -> Eer | None:
        """Where both rates are closest, their mean; over every distinct score, or bins where scores were counted."""
        if not len(self._mated):
            return None
        non_mated = self._scores.non_mated
        if isinstance(non_mated, ListedNonMated):
            found = equal_error_rate(self._mated.scores, non_mated.scores)
            return Eer(found.value, found.threshold, found.convention)
        thresholds = np.unique(np.concatenate([self._ascending, non_mated.levels(1_000_000)]).astype(np.float64))
        fmr = non_mated.fmr(thresholds)
        fnmr = np.searchsorted(self._ascending, thresholds, side="left") / len(self._ascending)
        best = int(np.argmin(np.abs(fmr - fnmr)))
        return Eer(float((fmr[best] + fnmr[best]) / 2), float(thresholds[best]), "closest-mean over bins")

    def histograms(self) -> Mapping[str, ScoreHistogram]:
        """Both classes in common bins."""
        low, high = self._scores.non_mated.range
        if len(self._ascending):
            low, high = min(low, float(self._ascending[0])), max(high, float(self._ascending[-1]))
        found = {"non_mated": self._scores.non_mated.histogram(200, (low, high))}
        if len(self._ascending):
            found["mated"] = binned(self._ascending, 200, (low, high))
        return found

    # ------------------------------------------------------------------------------------------------ groups

    def groups(self, rows: Sequence[ThresholdRow]) -> tuple[GroupRow, ...]:
        """Each group at the global thresholds."""
        scores = self._scores
        if not scores.groups or scores.independent:
            return ()
        mated_group = scores.mated_group()
        trials = scores.non_mated.group_trials(scores.subject_group, scores.groups)
        found = []
        for code, name in enumerate(scores.group_names):
            matches = self._group_fmr(code, [row.value for row in rows]) if trials[code, code] else [None] * len(rows)
            of_group = mated_group == code
            rates = tuple(
                GroupRates(row.target, row.value, match, self.fnmr_at(row.value, of_group))
                for row, match in zip(rows, matches)
            )
            members = np.flatnonzero(scores.subject_group == code)
            fta = None if scores.failures is None else self._fta(scores.failures, members)
            pairs = int(trials[code, code])
            found.append(GroupRow(name, len(members), int(of_group.sum()), pairs, fta, rates))
        return tuple(found)

    def _group_fmr(self, code: int, values: Sequence[float]) -> list[RateEstimate | None]:
        scores = self._scores
        try:
            trials = scores.non_mated.group_graph(scores.subject_group, code)
        except TailTooShortError as error:
            self._notes.append(error.message)
            return [None] * len(values)
        place, members = renumbered(scores.subject_group, code)
        known, graphs = [value >= scores.non_mated.floor for value in values], []
        for value, kept in zip(values, known):
            if kept:
                errors = scores.non_mated.errors_at(value)
                first, second = place[errors.first], place[errors.second]
                inside = (first >= 0) & (second >= 0)
                graphs.append(ListedPairs(first[inside], second[inside], members))
        estimates = iter(vertex_bootstrap(trials, graphs, self._bootstrap) if graphs else ())
        return [next(estimates) if kept else None for kept in known]

    def cross_groups(self, rows: Sequence[ThresholdRow]) -> tuple[CrossGroup, ...]:
        """The matrix of each threshold whose false matches are known one by one."""
        scores = self._scores
        if not scores.groups or scores.independent:
            return ()
        trials = scores.non_mated.group_trials(scores.subject_group, scores.groups)
        found = []
        for row in rows:
            if row.value < scores.non_mated.floor:
                continue
            errors = scores.non_mated.errors_at(row.value)
            one, two = scores.subject_group[errors.first], scores.subject_group[errors.second]
            counted = count_group_pairs(one, two, scores.groups)
            found.append(CrossGroup(row.target, row.value, scores.group_names, _nested(trials), _nested(counted)))
        return tuple(found)

    # --------------------------------------------------------------------------------------- the optional parts

    def folds(self) -> tuple[FoldRates, ...]:
        """Thresholds from the other folds, rates of the fold itself."""
        scores = self._scores
        if scores.folds is None or not isinstance(scores.non_mated, ListedNonMated):
            return ()
        mated_fold, other_fold = scores.folds
        found = []
        for fold in np.unique(np.concatenate([mated_fold, other_fold])).tolist():
            elsewhere, here = scores.non_mated.scores[other_fold != fold], scores.non_mated.scores[other_fold == fold]
            genuine = self._mated.scores[mated_fold == fold]
            if not len(elsewhere) or not len(here) or not len(genuine):
                continue
            for target in sorted(set(self._options.targets), reverse=True):
                if allowed_errors(target, len(elsewhere)) < 1:
                    continue
                value = np.float64(threshold_at_fmr(elsewhere, target).value)  # no rounding to the scores' float32
                fmr, fnmr = float(np.mean(here >= value)), float(np.mean(genuine < value))
                found.append(FoldRates(int(fold), target, float(value), fmr, fnmr, len(genuine), len(here)))
        return tuple(found)

    def quality(self) -> tuple[QualityCurve, ...]:
        """Error versus discard of the mated comparisons, and of each group's."""
        quality = self._mated.quality
        if quality is None:
            return ()
        known = np.isfinite(quality)
        parts = [("", known)]
        if self._scores.groups and not self._scores.independent:
            groups = self._scores.mated_group()
            parts += [(name, known & (groups == code)) for code, name in enumerate(self._scores.group_names)]
        found = []
        for name, rows in parts:
            if np.count_nonzero(rows) < 2:
                continue
            for report in discard_reports(self._mated.scores[rows], quality[rows], quality[rows]):
                curve = report.curve
                kept = np.unique(np.linspace(0, len(curve.fractions) - 1, _CURVE_STEPS).astype(int))
                found.append(
                    QualityCurve(
                        kind="fnmr",
                        threshold=curve.threshold,
                        start=report.start,
                        fractions=_floats(curve.fractions[kept]),
                        rates=_floats(curve.rates[kept]),
                        partial_areas={f"{area.limit:g}": area.area for area in report.areas},
                        ideal_partial_areas={f"{area.limit:g}": area.ideal for area in report.areas},
                        group=name,
                    )
                )
        return tuple(found)

    def group_quality(self) -> tuple[GroupQuality, ...]:
        """Quality of the samples of each group, and of all."""
        quality, owner = self._scores.sample_quality, self._scores.sample_subject
        if quality is None or owner is None:
            return ()
        found = []
        parts = [("all", np.isfinite(quality))]
        of_sample = self._scores.subject_group[owner]
        parts += [
            (name, np.isfinite(quality) & (of_sample == code)) for code, name in enumerate(self._scores.group_names)
        ]
        for name, rows in parts:
            values = quality[rows].astype(np.float64)
            if len(values):
                levels = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
                found.append(GroupQuality(name, len(values), float(values.mean()), _floats(levels)))
        return tuple(found)

    def transactions(self, rows: Sequence[ThresholdRow], fte: float) -> tuple[TransactionResult, ...]:
        """FAR and FRR of transactions of up to k attempts at each threshold."""
        attempts = self._scores.attempts
        if attempts is None:
            return ()
        return tuple(
            measure_transactions(
                attempts.transaction,
                attempts.attempt,
                attempts.score,
                attempts.mated,
                row.value,
                attempts=count,
                subjects=None if self._scores.independent else attempts.subject,
                fte=fte,
                options=self._bootstrap,
            )
            for row in rows
            for count in sorted({1, self._options.attempts})
        )

    def calibration(self) -> Calibration | None:
        """Fitted on one half of the subjects, judged on the other; pairs that cross the halves play no part."""
        scores, other = self._scores, self._scores.non_mated
        if scores.independent or not isinstance(other, ListedNonMated) or len(scores.subjects) < 4:
            return None
        half = np.array([hashlib.sha256(str(name).encode()).digest()[0] & 1 for name in scores.subjects], dtype=bool)
        fit, judge = ~half, half
        sets = []
        for side in (fit, judge):
            mated = self._mated.scores[side[self._mated.subject]]
            sets.append((mated, other.scores[side[other.first] & side[other.second]]))
        if min(len(part) for pair in sets for part in pair) < 10:
            return None
        fitted = fit_logistic(*sets[0])
        same, different = fitted.llr(sets[1][0]), fitted.llr(sets[1][1])
        drawn = reliability(same, different)
        return Calibration(
            method="logistic regression",
            cllr=cllr(same, different),
            cllr_min=cllr_min(*sets[1]),
            coefficients={"slope": fitted.slope, "offset": fitted.offset},
            bound=max(abs(bound) for bound in fitted.bounds),
            fitted_on=int(fit.sum()),
            judged_on=int(judge.sum()),
            reliability=tuple((b.predicted, b.observed, b.mated + b.non_mated) for b in drawn.bins),
        )

    def warnings(self, rows: Sequence[ThresholdRow]) -> list[str]:
        """What a reader must know before quoting a figure."""
        found = list(dict.fromkeys([*self._scores.notes, *self._notes]))
        if not self._options.given:
            found.append("thresholds were set on the same data they are reported on; take them from another set")
        if not len(self._mated):
            found.append("there is no mated comparison: no FNMR, no DET")
        beyond = [row.target for row in rows if row.target and not row.fmr.estimable]
        if beyond:
            rates = ", ".join(f"{target:g}" for target in beyond)
            found.append(f"no false match was seen at the thresholds for FMR {rates}: the rate is only bounded")
        loose = [row.name for row in rows if row.value < self._scores.non_mated.floor]
        if loose:
            found.append(f"no interval, the false matches were counted but not kept: {', '.join(loose)}")
        hinted = [row.name for row in rows if row.fmr.estimable and row.indicative and row.name not in loose]
        if hinted:
            found.append(f"fewer than 30 effective false matches, so indicative only: {', '.join(hinted)}")
        return found


def _without_interval(rate: float, trials: int, subjects: int, level: float) -> RateEstimate:
    """A rate read off bins: the false matches are not known one by one, so neither is their variance."""
    return RateEstimate(
        rate=rate,
        errors=round(rate * trials),
        trials=trials,
        subjects=subjects,
        interval=(0.0, 1.0),
        effective_trials=0.0,
        effective_errors=0.0,
        level=level,
        method="none: below the kept scores",
        replicates=0,
    )


def _nested(matrix: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def _floats(values: Scores) -> tuple[float, ...]:
    return tuple(np.asarray(values, dtype=np.float64).tolist())
