"""The measurement of a record's operating points from end to end: acquire, group repeats, score, bootstrap, collect."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.face import FaceAnalyser
from samebody.lab.evaluate.evaluation_sets import (
    CREDITS,
    EvaluationSet,
    Repeats,
    Sample,
    population,
    read_fairface,
    read_orl,
    read_repeats,
)
from samebody.lab.evaluate.images import cached_entries, embed_picture, template_cache
from samebody.lab.evaluate.operating_points import (
    GROUP_TARGETS,
    TARGETS,
    GroupResult,
    MatedScores,
    PopulationResult,
    ScoredPopulation,
    Templates,
    mated_histogram,
    mated_scores,
    measure_groups,
    measure_population,
    score_population,
)
from samebody.measure import BootstrapOptions, EmptyClassError, RateEstimate, Threshold, binomial_interval
from samebody.models import ModelRecord, catalogue, write_operating_points
from samebody.models import ScoreHistogram as RecordHistogram
from samebody.types import OperatingPoint

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, how far, out of how many)."""

DEFAULT_POPULATION = "matched-adults"


@dataclass(frozen=True, slots=True)
class SetSummary:
    """What was tried of one set, and what failed.

    Attributes:
        name, digest, credit: of the set; ``digest`` is over ``sha256  file`` lines.
        pictures, failed: tried, and without a template.
        failure_interval: exact binomial 95 % interval of the failure-to-acquire rate.
        reasons: how often each reason was given.
        failed_files: which pictures.
    """

    name: str
    digest: str
    credit: str
    pictures: int
    failed: int
    failure_interval: tuple[float, float]
    reasons: Mapping[str, int]
    failed_files: tuple[str, ...]

    @property
    def failure_to_acquire(self) -> float:
        """Failures to acquire / pictures tried."""
        return self.failed / self.pictures


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Everything that was measured of one embedder.

    Attributes:
        record: what was measured.
        sets: what was tried and what failed, non-mated set first.
        repeats: the reviewed list; None when none was given.
        results: by population, with repeats grouped where a list was given.
        ungrouped: the same without the list; empty when none was given.
        groups: labels of race and gender at ``group_thresholds``, worst first.
        group_thresholds: those of the default population at :data:`GROUP_TARGETS`.
        at_default: rates of other populations at the thresholds of the default one.
        mated: mated scores behind the false non-match rates.
        options, machine: what it was made with.
    """

    record: ModelRecord
    sets: tuple[SetSummary, ...]
    repeats: Repeats | None
    results: Mapping[str, PopulationResult]
    ungrouped: Mapping[str, PopulationResult]
    groups: tuple[GroupResult, ...]
    group_thresholds: tuple[Threshold, ...]
    at_default: Mapping[str, tuple[RateEstimate, ...]]
    mated: MatedScores = field(repr=False)
    options: BootstrapOptions = field(default_factory=BootstrapOptions)
    machine: Mapping[str, str] = field(default_factory=dict)

    @property
    def dataset(self) -> str:
        """The names of the sets, as an operating point carries them."""
        grouped = " (repeats grouped)" if self.repeats else ""
        return f"{self.sets[0].name}{grouped}; mated: {self.sets[1].name}"

    def operating_points(self) -> tuple[OperatingPoint, ...]:
        """The points as the record carries them."""
        return tuple(
            point.operating_point(name, self.dataset, self.mated)
            for name, result in self.results.items()
            for point in result.points
        )

    def histogram(self) -> RecordHistogram:
        """Mated scores, and non-mated ones of the default population."""
        non_mated, mated = self.results[DEFAULT_POPULATION].histogram, mated_histogram(self.mated)
        return RecordHistogram(
            start=non_mated.low,
            stop=non_mated.high,
            count=len(non_mated.counts),
            mated=mated.counts,
            non_mated=non_mated.counts,
            dataset=self.dataset,
            population=DEFAULT_POPULATION,
        )

    def provenance(self) -> dict[str, Any]:
        """What a reader needs to repeat the figures; nothing in it changes when they are repeated."""
        return {
            "command": f"samebody evaluate operating-points --model {self.record.id} --data DIR --write",
            "sets": [
                {"name": s.name, "sha256_of_list": s.digest, "pictures": s.pictures, "failures_to_acquire": s.failed}
                for s in self.sets
            ],
            "repeats": None
            if self.repeats is None
            else {"sha256": self.repeats.sha256, "pairs": self.repeats.pairs, "people": len(self.repeats.groups)},
            "bootstrap": asdict(self.options),
            "credits": [s.credit for s in self.sets],
        }

    def write(self, settings: Settings | None = None) -> Path:
        """Write points and histogram beside the record; returns the path of the file.

        Raises:
            samebody.models.RecordError, NotWritableError, DiskFullError.
        """
        return write_operating_points(
            self.record, self.operating_points(), self.histogram(), self.provenance(), settings=settings
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready figures; no score of any pair, no template."""
        return {
            "model": self.record.label,
            "space": self.record.embedding_space().digest,
            "provenance": self.provenance(),
            "machine": dict(self.machine),
            "sets": [asdict(summary) for summary in self.sets],
            "operating_points": [asdict(point) for point in self.operating_points()],
            "ungrouped": [
                asdict(point.operating_point(name, self.sets[0].name, self.mated))
                for name, result in self.ungrouped.items()
                for point in result.points
            ],
            "refused": {name: list(result.refused) for name, result in self.results.items() if result.refused},
            "groups": [asdict(group) for group in self.groups],
            "at_default_thresholds": {name: [asdict(r) for r in rates] for name, rates in self.at_default.items()},
        }


def measure(
    model: str,
    data: Path,
    *,
    repeats: Path | None = None,
    settings: Settings | None = None,
    options: BootstrapOptions | None = None,
    extrapolate: bool = False,
    fresh: bool = False,
    progress: Progress = lambda what, done, whole: None,
) -> Measurement:
    """Measure the operating points of an embedder.

    Args:
        model: record id.
        data: folder with ``fairface`` (non-mated pairs) and ``orl`` (mated pairs).
        repeats: reviewed list of pictures of fairface that show one person twice.
        options: replicates, seed and level of the bootstrap.
        extrapolate: whether rates beyond the measured tail are extrapolated and marked.
        fresh: whether cached templates are made again.

    Raises:
        DataSetError: the pictures or the list are not as expected.
        EmptyClassError: no mated or no non-mated pair is left.
        samebody.models.UnknownModelError, WeightsMissingError.
    """
    settings, options = settings or load_settings(), options or BootstrapOptions()
    record = catalogue(settings)[model]
    progress("reading pictures and hashes", 0, 0)
    faces, people = read_fairface(data), read_orl(data)
    reviewed = read_repeats(repeats, faces.samples) if repeats else None
    analyser = FaceAnalyser(settings, embedder=model)
    non_mated = acquire(faces, analyser, settings, fresh=fresh, progress=progress)
    genuine = acquire(people, analyser, settings, fresh=fresh, progress=progress)
    if not non_mated.samples or not genuine.samples:
        raise EmptyClassError("no picture of one of the sets gave a template.")
    mated = mated_scores(genuine)

    def results(persons: Sequence[str]) -> tuple[dict[str, PopulationResult], dict[str, ScoredPopulation]]:
        found, kept = {}, {}
        for name in (DEFAULT_POPULATION, "all-pairs", "matched-minors"):
            progress(f"scoring {name}", 0, 0)
            chosen = population(name, non_mated.samples)
            # minors score higher, and are also held against the thresholds of adults: keep more of their tail
            keep_fmr = 0.1 if name == "matched-minors" else max(TARGETS)
            kept[name] = score_population(non_mated, persons, chosen, keep_fmr)
            found[name] = measure_population(kept[name], mated, TARGETS, options, extrapolate=extrapolate)
        return found, kept

    alone = [sample.person for sample in non_mated.samples]
    persons = reviewed.people(non_mated.samples) if reviewed else alone
    main, kept = results(persons)
    ungrouped = results(alone)[0] if reviewed else {}
    progress("groups and other populations", 0, 0)
    thresholds = [point.threshold for point in main[DEFAULT_POPULATION].points if not point.extrapolation]
    of_groups = [threshold for threshold in thresholds if threshold.target in GROUP_TARGETS]
    reference = score_population(
        genuine, [s.person for s in genuine.samples], population("all-pairs", genuine.samples), keep_fmr=0.5
    )
    values = [threshold.value for threshold in thresholds]
    at_default = {
        "all-pairs": _rates_where_kept(kept["all-pairs"], values, options),
        "matched-minors": _rates_where_kept(kept["matched-minors"], values, options),
        "orl": _rates_where_kept(reference, values, options),
    }
    return Measurement(
        record=record,
        sets=(_summary(faces, non_mated), _summary(people, genuine)),
        repeats=reviewed,
        results=main,
        ungrouped=ungrouped,
        group_thresholds=tuple(of_groups),
        groups=measure_groups(non_mated, persons, of_groups, options) if of_groups else (),
        at_default=at_default,
        mated=mated,
        options=options,
        machine=machine(),
    )


def _rates_where_kept(
    scored: ScoredPopulation, thresholds: Sequence[float], options: BootstrapOptions
) -> tuple[RateEstimate, ...]:
    """Rates at the thresholds that the kept tail reaches; the looser ones may lie below it."""
    return scored.rates_at([value for value in thresholds if value >= scored.scores.floor], options)


def _summary(chosen: EvaluationSet, templates: Templates) -> SetSummary:
    return SetSummary(
        name=chosen.name,
        digest=chosen.digest,
        credit=CREDITS[chosen.name],
        pictures=templates.attempts,
        failed=len(templates.failed),
        failure_interval=binomial_interval(len(templates.failed), templates.attempts),
        reasons=dict(sorted(Counter(templates.reasons).items())),
        failed_files=tuple(sample.file for sample in templates.failed),
    )


def acquire(
    chosen: EvaluationSet,
    analyser: FaceAnalyser,
    settings: Settings,
    *,
    fresh: bool = False,
    progress: Progress = lambda what, done, whole: None,
) -> Templates:
    """Templates of every picture as the product makes them: detection, choice of the face, alignment, embedding.

    Pictures without a usable face are failures to acquire, with their reason. Templates are cached for each embedding
    space and detector; a few cached ones are made again first, and the cache is dropped when they differ.
    """
    single = analyser.single_threaded()
    by_path = {chosen.root / sample.file: sample for sample in chosen.samples}
    cache = cached_entries(
        [(sample.sha256, path) for path, sample in by_path.items()],
        lambda path: embed_picture(single, lambda: chosen.load(by_path[path], settings.limits)),
        template_cache(analyser, settings),
        workers=settings.session_threads,
        fresh=fresh,
        progress=lambda done, whole: progress(f"embedding {chosen.name}", done, whole),
    )
    usable: list[tuple[Sample, NDArray[np.float32]]] = []
    failed: list[tuple[Sample, str]] = []
    for sample in chosen.samples:
        entry = cache[sample.sha256]
        if isinstance(entry, str):
            failed.append((sample, entry))
        else:
            usable.append((sample, entry))
    vectors = np.array([vector for _, vector in usable], dtype=np.float32)
    return Templates(
        tuple(sample for sample, _ in usable),
        vectors.reshape(len(usable), analyser.embedder.embedding_output.dimensions),
        tuple(sample for sample, _ in failed),
        tuple(reason for _, reason in failed),
    )


def machine() -> dict[str, str]:
    """Processor, cores and library versions."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        processor = names[0] if names else processor
    return {
        "processor": processor,
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("samebody", "numpy", "scipy", "onnxruntime")},
    }
