"""Evaluation in one call, for notebooks and the command line: anything that holds scores in, typed figures out.

::

    from samebody.lab import evaluate

    result = evaluate.verification("scores.parquet", thresholds_from="runs/development")
    result = evaluate.verification(frame)                              # pandas, polars, dictionary of columns
    result = evaluate.verification(scores, mated, probe_subjects=a, reference_subjects=b)   # plain numpy
    result.at(1e-4).fnmr.interval
    result.to_frame(); result.plot()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from samebody.errors import NotMeasuredError
from samebody.lab.evaluate.errors import ScoreTableError
from samebody.lab.evaluate.identification import (
    IdentificationOptions,
    IdentificationResult,
    measure_identification,
    read_searches,
    search_templates,
)
from samebody.lab.evaluate.pad import PadOptions, PadResult, PadTable, measure_pad, read_presentations
from samebody.lab.evaluate.protocols import PairList, SearchProtocol, Split
from samebody.lab.evaluate.results import Algorithm, DataSet, VerificationResult
from samebody.lab.evaluate.runs import RUN, Run, load_run
from samebody.lab.evaluate.score_tables import Direction, TableOptions, read_scores
from samebody.lab.evaluate.scores import ScoreSet, check_leakage
from samebody.lab.evaluate.sources import open_table
from samebody.lab.evaluate.templates import CompareOptions, TemplateSet, compare_templates
from samebody.lab.evaluate.verification import (
    TARGETS,
    GivenThreshold,
    Progress,
    VerificationOptions,
    measure_verification,
)
from samebody.measure import BootstrapOptions
from samebody.measure.attack import Aggregation, Unit
from samebody.measure.identification import SearchOutcomes

__all__ = ["evaluate_verification", "identification", "pad", "score_set", "thresholds_of", "verification"]


def verification(
    scores: object,
    mated: ArrayLike | None = None,
    *,
    probe_subjects: ArrayLike | None = None,
    reference_subjects: ArrayLike | None = None,
    probe_groups: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
    quality: ArrayLike | None = None,
    pairs: PairList | None = None,
    thresholds_from: object = None,
    split: Split | None = None,
    targets: Sequence[float] = TARGETS,
    algorithm: str | Algorithm = "",
    dataset: str | DataSet = "",
    columns: Mapping[str, str] | None = None,
    direction: Direction = "auto",
    need_mated: bool = True,
    replicates: int = 1000,
    seed: int = 20260,
    level: float = 0.95,
    alpha: float = 0.5,
) -> VerificationResult:
    """Figures of verification (1:1).

    Args:
        scores: one of: path of a table (``.csv``, ``.parquet``, ``.npz``); dictionary of columns, pandas or polars
            frame (columns as in :mod:`samebody.lab.evaluate.score_tables`); a :class:`ScoreSet`; a
            :class:`TemplateSet`; or (n,) scores, with ``mated`` or both subjects.
        mated: (n,) bool, with an array of scores; without subjects comparisons are taken as independent, and said so.
        probe_subjects, reference_subjects: (n,) labels, with an array of scores.
        probe_groups, reference_groups: (n,) labels of the subjects.
        quality: (n,) of the pair.
        pairs: which templates to compare, with a template set; all with all otherwise.
        thresholds_from: a run folder or :class:`Run`, a sequence of :class:`GivenThreshold`, or a mapping of false
            match rate to score. Without it thresholds are set on the same data, and the result says so.
        split: thresholds from its development subjects, figures of its test subjects.
        targets: false match rates.
        algorithm, dataset: names, for the report.
        columns, direction, need_mated: as :class:`~samebody.lab.evaluate.score_tables.TableOptions`.
        replicates, seed, level: of the bootstrap.
        alpha: weight of false matches in the inequity figures.

    Raises:
        ScoreTableError: with every problem of the input.
        SubjectLeakageError: a subject of the set that thresholds come from is in the set they are reported on.
        samebody.measure.EmptyClassError, InvalidScoresError, InvalidRateError.
    """
    source: object = scores
    if not isinstance(scores, (str, Path, Mapping, ScoreSet, TemplateSet)) and not hasattr(scores, "columns"):
        named = {
            "score": scores,
            "mated": mated,
            "probe_subject": probe_subjects,
            "reference_subject": reference_subjects,
            "probe_group": probe_groups,
            "reference_group": reference_groups,
            "quality": quality,
        }
        source = {key: np.asarray(value) for key, value in named.items() if value is not None}
    result, _ = evaluate_verification(
        source,
        pairs=pairs,
        thresholds_from=thresholds_from,
        split=split,
        table=TableOptions(columns=columns or {}, direction=direction, need_mated=need_mated),
        options=VerificationOptions(
            targets=targets, alpha=alpha, bootstrap=BootstrapOptions(replicates=replicates, seed=seed, level=level)
        ),
        algorithm=Algorithm(algorithm) if isinstance(algorithm, str) else algorithm,
        dataset=DataSet(dataset) if isinstance(dataset, str) else dataset,
        command="evaluate.verification(...)",
    )
    return result


def evaluate_verification(
    source: object,
    *,
    pairs: PairList | None = None,
    thresholds_from: object = None,
    split: Split | None = None,
    table: TableOptions | None = None,
    compare: CompareOptions | None = None,
    options: VerificationOptions | None = None,
    algorithm: Algorithm | None = None,
    dataset: DataSet | None = None,
    non_mated_only: bool = False,
    command: str = "",
    progress: Progress = lambda what, done, whole: None,
) -> tuple[VerificationResult, ScoreSet]:
    """:func:`verification` with every option, and with the score set that a run folder keeps.

    ``non_mated_only`` leaves mated comparisons out: for sets whose few mated pairs were found by a matcher and say
    nothing of its misses.

    Raises:
        As :func:`verification`.
    """
    options = options or VerificationOptions()
    source = _opened(source)
    dataset = _described(dataset or DataSet(""), source, pairs)
    algorithm = algorithm or Algorithm("")
    if not algorithm.id:
        algorithm = replace(algorithm, id="unnamed")

    if split is not None or thresholds_from is not None:
        # a threshold from elsewhere may give more false matches here than its target: keep some more scores exactly
        table, compare = table or TableOptions(), compare or CompareOptions()
        table = replace(table, keep_fmr=min(3 * table.keep_fmr, 0.5))
        compare = replace(compare, keep_fmr=min(3 * compare.keep_fmr, 0.5))

    def scored(chosen: object) -> ScoreSet:
        found = score_set(chosen, pairs=pairs, table=table, compare=compare, progress=progress)
        return without_mated(found) if non_mated_only else found

    whole: ScoreSet | None = None
    if split is not None:
        if thresholds_from is not None:
            raise ScoreTableError("the call", ["a split and thresholds from elsewhere are both given"])
        if isinstance(source, TemplateSet):
            known = set(source.subjects.tolist())
            development, test = (
                score_set(
                    source.of_subjects(part), pairs=_within(pairs, source, part), compare=compare, progress=progress
                )
                for part in (split.development, split.test)
            )
        else:
            whole = scored(source)
            known = set(whole.subjects.tolist())
            development, test = whole.of_subjects(split.development), whole.of_subjects(split.test)
        if non_mated_only:
            test = without_mated(test)
        if missing := known - set(split.development) - set(split.test):
            test = replace(test, dropped={**test.dropped, "subjects in no part of the split": len(missing)})
        given = [
            GivenThreshold(
                development.non_mated.threshold(target)[0].value, target, f"development part of {split.name}"
            )
            for target in sorted(set(options.targets), reverse=True)
        ]
        options, scores = replace(options, given=given), test
    else:
        scores = scored(source)
        if thresholds_from is not None:
            options = replace(options, given=thresholds_of(thresholds_from, scores))
    result = measure_verification(scores, algorithm, dataset, options, command=command, progress=progress)
    return result, scores


def without_mated(scores: ScoreSet) -> ScoreSet:
    """The score set with its mated comparisons left out, and counted as dropped."""
    count = len(scores.mated)
    none = scores.mated.chosen(np.zeros(count, dtype=bool))
    dropped = {**scores.dropped, "mated comparisons (only non-mated ones were asked for)": count}
    folds = None if scores.folds is None else (scores.folds[0][:0], scores.folds[1])
    return replace(scores, mated=none, dropped=dropped if count else dict(scores.dropped), folds=folds)


def _within(pairs: PairList | None, templates: TemplateSet, subjects: Sequence[str]) -> PairList | None:
    """The pairs with both samples of ``subjects``."""
    if pairs is None:
        return None
    owner = dict(zip(templates.samples.tolist(), templates.subjects.tolist()))
    owner |= dict(zip(templates.failed, templates.failed_subjects))
    wanted = set(subjects)
    keep = np.array(
        [owner.get(one) in wanted and owner.get(two) in wanted for one, two in zip(pairs.probe, pairs.reference)],
        dtype=bool,
    )
    rows = np.flatnonzero(keep).tolist()
    return replace(
        pairs,
        probe=tuple(pairs.probe[row] for row in rows),
        reference=tuple(pairs.reference[row] for row in rows),
        mated=None if pairs.mated is None else pairs.mated[keep],
        fold=None if pairs.fold is None else pairs.fold[keep],
    )


def _opened(source: object) -> Any:
    return source if isinstance(source, (ScoreSet, TemplateSet)) else open_table(source)


def _described(dataset: DataSet, source: Any, pairs: PairList | None) -> DataSet:
    """Name, digest and protocol where the caller did not give them."""
    if isinstance(source, TemplateSet):
        protocol = pairs.description if pairs is not None else "all pairs"
        return replace(
            dataset,
            name=dataset.name or Path(source.name).name,
            digest=dataset.digest or source.digest,
            protocol=dataset.protocol or protocol,
        )
    if isinstance(source, ScoreSet):
        return replace(dataset, name=dataset.name or "scores", protocol=dataset.protocol or "score set")
    return replace(
        dataset,
        name=dataset.name or Path(source.name).name,
        digest=dataset.digest or source.digest(),
        protocol=dataset.protocol or "score table",
    )


def score_set(
    source: Any,
    *,
    pairs: PairList | None = None,
    table: TableOptions | None = None,
    compare: CompareOptions | None = None,
    progress: Progress = lambda what, done, whole: None,
) -> ScoreSet:
    """The score set of any input.

    Raises:
        ScoreTableError, ProtocolError: with every problem found.
    """
    if isinstance(source, ScoreSet):
        return source
    if isinstance(source, TemplateSet):
        return compare_templates(source, pairs, compare, lambda done, whole: progress("comparing", done, whole))
    progress("reading scores", 0, 0)
    return read_scores(source, table)


def thresholds_of(source: object, reported_on: ScoreSet) -> tuple[GivenThreshold, ...]:
    """Thresholds of another set, after a check that nobody stands in both.

    Args:
        source: run folder, :class:`Run`, sequence of :class:`GivenThreshold`, or mapping of false match rate to score.
        reported_on: where they will be applied.

    Raises:
        SubjectLeakageError: a subject stands in both sets.
        NotMeasuredError: the run has no measured threshold.
        RunFolderError: no run folder.
    """
    if isinstance(source, (str, Path)):
        source = load_run(source)
    if isinstance(source, Run):
        check_leakage(source.scores, reported_on)
        name = f"{source.result.dataset.name} ({source.result.dataset.digest[:16] or source.folder.name})"
        found = tuple(
            GivenThreshold(row.value, row.target, name) for row in source.result.thresholds if row.fmr.estimable
        )
        if not found:
            raise NotMeasuredError(f"{source.folder / RUN} has no threshold that was measured.")
        return found
    if isinstance(source, Mapping):
        return tuple(GivenThreshold(float(value), float(target)) for target, value in source.items())
    if isinstance(source, Sequence):
        return tuple(entry if isinstance(entry, GivenThreshold) else GivenThreshold(float(entry)) for entry in source)
    raise ScoreTableError("thresholds_from", [f"{type(source).__name__} names no thresholds"])


def identification(
    source: object,
    protocol: SearchProtocol | None = None,
    *,
    enrolled: int | None = None,
    list_length: int | None = None,
    algorithm: str | Algorithm = "",
    dataset: str | DataSet = "",
    options: IdentificationOptions | None = None,
    command: str = "evaluate.identification(...)",
) -> IdentificationResult:
    """Figures of identification (1:N).

    Args:
        source: a :class:`TemplateSet` (with ``protocol``), a :class:`SearchOutcomes`, or a table of candidates.
        protocol: who is enrolled and who is searched, with templates.
        enrolled, list_length: N and the longest list, with a table.
        algorithm, dataset, options, command: as for :func:`verification`.

    Raises:
        ScoreTableError, ProtocolError: with every problem found.
        samebody.measure.InvalidRateError.
    """
    algorithm = Algorithm(algorithm or "unnamed") if isinstance(algorithm, str) else algorithm
    dataset = DataSet(dataset) if isinstance(dataset, str) else dataset
    if isinstance(source, TemplateSet):
        if protocol is None:
            raise ScoreTableError(source.name, ["templates need a protocol"], hint="Name who is enrolled and searched.")
        outcomes = search_templates(source, protocol)
        dataset = replace(
            dataset,
            name=dataset.name or Path(source.name).name,
            digest=dataset.digest or source.digest,
            protocol=dataset.protocol or protocol.description,
        )
    elif isinstance(source, SearchOutcomes):
        outcomes = source
    else:
        table = open_table(source)
        outcomes = read_searches(source, enrolled=enrolled, list_length=list_length)
        dataset = replace(
            dataset,
            name=dataset.name or Path(table.name).name,
            digest=dataset.digest or table.digest(),
            protocol=dataset.protocol or f"1:N, N = {outcomes.enrolled:,}",
        )
    return measure_identification(outcomes, algorithm, dataset, options, command=command)


def pad(
    source: object,
    *,
    unit: Unit,
    aggregation: Aggregation = "none",
    development: object = None,
    algorithm: str | Algorithm = "",
    dataset: str | DataSet = "",
    options: PadOptions | None = None,
    command: str = "evaluate.pad(...)",
) -> PadResult:
    """Figures of presentation attack detection.

    Args:
        source: a table (:func:`~samebody.lab.evaluate.pad.read_presentations`), or a :class:`PadTable`.
        unit, aggregation: what one score stands for; must be said.
        development: another table, of other people, for the threshold of the ACER.
        algorithm, dataset, options, command: as for :func:`verification`.

    Raises:
        ScoreTableError: with every problem found.
        SubjectLeakageError: a person stands in both tables.
    """
    dataset = DataSet(dataset) if isinstance(dataset, str) else dataset
    if not isinstance(source, PadTable):
        table = open_table(source)
        dataset = replace(
            dataset,
            name=dataset.name or Path(table.name).name,
            digest=dataset.digest or table.digest(),
            protocol=dataset.protocol or f"per {unit}, aggregation {aggregation}",
        )
        source = read_presentations(source, unit=unit, aggregation=aggregation)
    other = development
    if other is not None and not isinstance(other, PadTable):
        other = read_presentations(other, unit=unit, aggregation=aggregation)
    return measure_pad(
        source,
        Algorithm(algorithm or "unnamed") if isinstance(algorithm, str) else algorithm,
        dataset,
        options,
        development=other,
        command=command,
    )
