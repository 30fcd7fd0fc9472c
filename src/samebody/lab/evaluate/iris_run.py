"""The measurement of an iris encoder from end to end: pictures, templates, all pairs, rates, record and page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from samebody.config import Settings, load_settings
from samebody.errors import NotMeasuredError, UsageError
from samebody.iris import ComparisonParameters
from samebody.iris.pipeline import IrisPipeline
from samebody.lab.evaluate.files import write_text
from samebody.lab.evaluate.iris_scores import (
    EerEstimate,
    Rates,
    Trials,
    any_eyes,
    equal_error,
    merged_references,
    rates_at,
    rates_of,
    same_side,
    score_matrix,
    two_eyes,
    two_fold,
)
from samebody.lab.evaluate.iris_sets import EncodedSet, EyeSet, Progress, encode_set
from samebody.lab.evaluate.operating_points import MatedScores, Point
from samebody.lab.evaluate.operating_points_run import machine
from samebody.measure import (
    INDICATIVE_BELOW,
    BootstrapOptions,
    EmptyClassError,
    Threshold,
    draw_weights,
    extrapolate_threshold,
    score_histogram,
)
from samebody.models import ModelRecord, catalogue, read_records, write_operating_points
from samebody.models import ScoreHistogram as RecordHistogram
from samebody.models.points import Sidecar
from samebody.types import OperatingPoint

TARGETS = (1e-2, 1e-3, 1e-4)
FOLD_TARGETS = (1e-2, 1e-3)
BEYOND = (1e-5, 1e-6, 1e-7)
POPULATION = "all-pairs"
SYNTHETIC_POPULATION = "synthetic"
_BINS = 200
_TAIL_FIT = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One way to compare, with its figures: name, pairs, rates on the same pairs, equal error rate."""

    trials: Trials
    rates: tuple[Rates, ...]
    eer: EerEstimate


@dataclass(frozen=True, slots=True, eq=False)
class IrisMeasurement:
    """Everything that was measured of one iris encoder on one set.

    Attributes:
        record: with the digest of the pipeline that was run.
        encoded: the pictures and what became of them.
        main: left with left and right with right eyes; its rates make the record's points.
        folds: thresholds of one half of the people, rates on the other.
        variants: other ways to compare the same pictures.
        beyond: extrapolated points, empty unless asked for; ``refused`` says why one is not given.
        options, comparison, machine: what it was made with.
    """

    record: ModelRecord
    encoded: EncodedSet
    main: Variant
    folds: tuple[Rates, ...]
    variants: tuple[Variant, ...]
    beyond: tuple[Point, ...] = ()
    refused: tuple[tuple[float, str], ...] = ()
    options: BootstrapOptions = field(default_factory=BootstrapOptions)
    comparison: ComparisonParameters = field(default_factory=ComparisonParameters)
    machine: Mapping[str, str] = field(default_factory=dict)

    @property
    def population(self) -> str:
        """As the points carry it."""
        return SYNTHETIC_POPULATION if self.encoded.source.synthetic else POPULATION

    def operating_points(self) -> tuple[OperatingPoint, ...]:
        """The points as a record carries them; FNMR over the pairs that were compared."""
        trials = self.main.trials
        mated = MatedScores(trials.mated, trials.mated_person, int(trials.lost_person.size))
        points = [Point(rates.thresholds[0], rates.fmr, rates.fnmr) for rates in self.main.rates]
        return tuple(
            point.operating_point(self.population, self.encoded.source.name, mated) for point in (*points, *self.beyond)
        )

    def histogram(self) -> RecordHistogram:
        """Mated and non-mated scores from 0 to 1."""
        counts = [
            score_histogram(s, 0.0, 1.0, _BINS).counts for s in (self.main.trials.mated, self.main.trials.non_mated)
        ]
        return RecordHistogram(
            start=0.0,
            stop=1.0,
            count=_BINS,
            mated=counts[0],
            non_mated=counts[1],
            dataset=self.encoded.source.name,
            population=self.population,
        )

    def provenance(self) -> dict[str, Any]:
        """What a reader needs to repeat the figures."""
        source = self.encoded.source
        return {
            "command": f"samebody evaluate operating-points --model {self.record.id} --data DIR --write",
            "sets": [
                {
                    "name": source.name,
                    "sha256_of_list": source.digest,
                    "pictures": len(source.samples),
                    "refused": self.encoded.failed,
                    "synthetic": source.synthetic,
                }
            ],
            "bootstrap": asdict(self.options),
            "comparison": self.comparison.model_dump(),
            "credits": [source.credit],
        }

    def write(self, settings: Settings | None = None) -> Path:
        """Write points and histogram beside the record, and the digest of the pipeline into it, if it changed.

        Raises:
            UsageError: synthetic irises do not go into a record of people.
            samebody.models.RecordError, NotWritableError, DiskFullError.
        """
        if self.encoded.source.synthetic:
            raise UsageError(
                "figures of synthetic irises do not go into a model record.", hint="Write them with --points FILE."
            )
        if self.record.path is None:
            raise UsageError(f"{self.record.id} was not read from a file.")
        text = self.record.path.read_text(encoding="utf-8")
        changed = re.sub(r'(?m)^sha256 = "[0-9a-f]{64}"$', f'sha256 = "{self.record.sha256}"', text, count=1)
        if changed != text:
            self.record.path.with_name(self.record.path.stem + ".points.json").unlink(missing_ok=True)
            write_text(self.record.path, changed)
        return write_operating_points(
            self.record, self.operating_points(), self.histogram(), self.provenance(), settings=settings
        )

    def write_points(self, path: Path) -> Path:
        """Write points and histogram into a file of their own, as :mod:`samebody.search.thresholds` reads it."""
        sidecar = Sidecar(
            space=self.record.embedding_space().digest,
            provenance=self.provenance(),
            operating_points=self.operating_points(),
            score_histogram=self.histogram(),
        )
        return write_text(path, sidecar.model_dump_json(indent=1) + "\n")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready figures; no template, no score of a pair."""
        return {
            "model": self.record.label,
            "space": self.record.embedding_space().digest,
            "synthetic": self.encoded.source.synthetic,
            "provenance": self.provenance(),
            "machine": dict(self.machine),
            "refused_pictures": {name: list(codes) for name, codes in self.encoded.reasons.items()},
            "failure_to_enrol": {
                "pictures": len(self.encoded.templates),
                "refused": self.encoded.failed,
                "interval": self.encoded.failure_interval(),
                "eyes_never_enrolled": self.encoded.failed_eyes,
                "reasons": self.encoded.reason_counts(),
            },
            "milliseconds": dict(self.encoded.milliseconds),
            "operating_points": [asdict(point) for point in self.operating_points()],
            "two_fold": [asdict(rates) for rates in self.folds],
            "variants": [
                {
                    "name": variant.trials.name,
                    "mated": int(variant.trials.mated.size),
                    "non_mated": int(variant.trials.non_mated.size),
                    "lost": int(variant.trials.lost_person.size),
                    "eer": asdict(variant.eer),
                    "rates": [asdict(rates) for rates in variant.rates],
                }
                for variant in (self.main, *self.variants)
            ],
        }


def iris_record(model: str, settings: Settings, pipeline: IrisPipeline) -> ModelRecord:
    """The record ``model`` with the digest of the pipeline as it is installed: what is measured is what is run."""
    record = catalogue(settings)[model] if model in catalogue(settings) else read_records(Path(model).parent)[model]
    if record.task != "iris-code":
        raise UsageError(f"{record.id} is no iris encoder.", hint="Measure it with pictures of its own kind.")
    space = pipeline.space
    fields = record.model_dump(exclude={"operating_points", "score_histogram", "reliability"})
    fields |= {"sha256": space.weights_sha256, "version": space.version}
    current = ModelRecord.model_validate(fields)
    if current.embedding_space() != space:
        raise UsageError(
            f"the record {record.id} and the pipeline {record.filename} name different spaces.",
            hint="Correct id, version and columns in the record.",
        )
    return current.located(record.path, bundled=record.bundled) if record.path else current


def measure_irises(
    model: str,
    source: EyeSet,
    *,
    settings: Settings | None = None,
    options: BootstrapOptions | None = None,
    comparison: ComparisonParameters | None = None,
    extrapolate: bool = False,
    progress: Progress = lambda what, done, whole: None,
) -> IrisMeasurement:
    """Measure an iris encoder on a set of eyes.

    Args:
        model: record id of task ``iris-code``.
        source: see :mod:`samebody.lab.evaluate.iris_sets`.
        extrapolate: whether rates beyond the measured tail are extrapolated and marked.

    Raises:
        EmptyClassError: nothing to compare.
        UnknownModelError, UsageError: no such record, or one of another kind.
    """
    settings, options = settings or load_settings(), options or BootstrapOptions()
    comparison = comparison or ComparisonParameters()
    pipeline = IrisPipeline.load(catalogue(settings)[model].filename)
    record = iris_record(model, settings, pipeline)
    encoded = encode_set(source, pipeline, progress)
    matrix = score_matrix(encoded, comparison, progress)
    progress("rates and intervals", 0, 0)
    trials = same_side(matrix)
    main = _variant(trials, options)
    variants = [_variant(any_eyes(matrix), options)]
    with suppress(EmptyClassError):  # a set without both eyes
        variants.append(_variant(two_eyes(matrix), options))
    with suppress(EmptyClassError):  # or with too few pictures of each
        variants.append(_variant(merged_references(matrix, comparison), options))
    beyond, refused = _beyond(trials, main.rates, options) if extrapolate else ((), ())
    return IrisMeasurement(
        record=record,
        encoded=encoded,
        main=main,
        folds=two_fold(trials, FOLD_TARGETS, options),
        variants=tuple(variants),
        beyond=beyond,
        refused=refused,
        options=options,
        comparison=comparison,
        machine=machine(),
    )


def _variant(trials: Trials, options: BootstrapOptions) -> Variant:
    return Variant(trials, rates_at(trials, TARGETS, options), equal_error(trials, options))


def _beyond(
    trials: Trials, rates: tuple[Rates, ...], options: BootstrapOptions
) -> tuple[tuple[Point, ...], tuple[tuple[float, str], ...]]:
    """Points beyond the measured tail, as :mod:`samebody.measure.tail` extrapolates them."""
    solid = [r.target for r in rates if r.fmr.estimable and r.fmr.effective_errors >= INDICATIVE_BELOW]
    order = np.argsort(-trials.non_mated, kind="stable")[: 2 * _TAIL_FIT]
    tail, one, two = trials.non_mated[order], trials.first[order], trials.second[order]
    measured = {r.target for r in rates}
    points: list[Point] = []
    refused: list[tuple[float, str]] = []
    for target in (t for t in (*TARGETS, *BEYOND) if t not in measured):
        if not solid:
            refused.append((target, f"no measured rate has {INDICATIVE_BELOW:g} effective errors to start from"))
            continue

        def replicates() -> Any:
            for weights in draw_weights(trials.people, options.replicates, options.seed):
                for w in weights.T:
                    total = float((w[trials.first] * w[trials.second]).sum())
                    if total > 0:
                        yield w[one] * w[two], total

        try:
            found = extrapolate_threshold(
                tail,
                trials.non_mated.size,
                target,
                measured_fmr=min(solid),
                exceedances=min(_TAIL_FIT, tail.size // 2),
                replicate_weights=replicates(),
                level=options.level,
                seed=options.seed,
            )
        except NotMeasuredError as error:
            refused.append((target, error.message))
            continue
        errors, pairs = int((trials.non_mated >= found.value).sum()), trials.non_mated.size
        threshold = Threshold(target, found.value, errors / pairs, errors, pairs)
        at = rates_of(target, (threshold,), [(trials, found.value)], options)
        points.append(Point(threshold, at.fmr, at.fnmr, found))
    return tuple(points), tuple(refused)
