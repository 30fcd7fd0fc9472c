"""Identification (1:N) from templates with a search protocol, or from a table of candidate scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.errors import ProtocolError, ScoreTableError
from samebody.lab.evaluate.protocols import SearchProtocol
from samebody.lab.evaluate.results import Algorithm, DataSet, Provenance
from samebody.lab.evaluate.sources import numbers, open_table, text_cells
from samebody.lab.evaluate.stored import StoredResult
from samebody.lab.evaluate.templates import TemplateSet
from samebody.measure import BootstrapOptions, InvalidRateError, RateEstimate, Threshold, allowed_errors
from samebody.measure.identification import (
    IdentificationRates,
    SearchOutcomes,
    cmc_curve,
    identification_rates,
    search_outcomes,
    search_outcomes_from_candidates,
    threshold_at_fpir,
)

FPIR_TARGETS = (0.1, 0.01, 0.001)
RANKS = (1, 5, 10, 20)
_BLOCK = 1_000  # searches scored at a time


@dataclass(frozen=True, slots=True)
class IdentificationPoint:
    """Rates at the threshold for one FPIR, for this N only.

    Attributes:
        target: FPIR asked for; None when the threshold was given.
        threshold: accept a candidate when ``score >= threshold``.
        rates: for each rank R that was asked for; the last lets only the threshold count.
    """

    target: float | None
    threshold: float
    rates: tuple[IdentificationRates, ...]


@dataclass(frozen=True, slots=True)
class IdentificationResult(StoredResult):
    """One algorithm on one data set, identification (1:N); every figure is for this N.

    Attributes:
        algorithm, dataset: what was measured.
        enrolled: N, subjects in the database.
        references: templates in the database.
        mated_searches, non_mated_searches: with a probe that was acquired.
        failed_mated, failed_non_mated: without.
        points: open-set rates, empty without non-mated searches.
        cmc: share of mated searches with the mate at rank 1, 2, ...; empty without mated searches.
        rank_one: the first with its interval.
        provenance, warnings: how it was made, and what to know.
    """

    KIND: ClassVar[str] = "identification"

    algorithm: Algorithm
    dataset: DataSet
    enrolled: int
    references: int
    mated_searches: int
    non_mated_searches: int
    failed_mated: int
    failed_non_mated: int
    points: tuple[IdentificationPoint, ...]
    cmc: tuple[float, ...]
    rank_one: RateEstimate | None
    provenance: Provenance
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentificationOptions:
    """What is measured: FPIR targets, ranks R (left out beyond N or the lists), thresholds given, bootstrap."""

    targets: Sequence[float] = FPIR_TARGETS
    ranks: Sequence[int] = RANKS
    thresholds: Sequence[float] = ()
    bootstrap: BootstrapOptions = field(default_factory=BootstrapOptions)


def measure_identification(
    outcomes: SearchOutcomes,
    algorithm: Algorithm,
    dataset: DataSet,
    options: IdentificationOptions | None = None,
    *,
    command: str = "",
    warnings: Sequence[str] = (),
) -> IdentificationResult:
    """FPIR, FNIR, selectivity and CMC.

    Raises:
        samebody.measure.InvalidRateError: a target outside [0, 1).
    """
    options = options or IdentificationOptions()
    notes = list(warnings)
    searched = len(outcomes.top_scores)
    wanted: list[tuple[float | None, float]] = [(None, value) for value in options.thresholds]
    if searched:
        for target in sorted(set(options.targets), reverse=True):
            found: Threshold = threshold_at_fpir(outcomes, target)
            if allowed_errors(target, searched) < 1:
                notes.append(f"FPIR {target:g} allows no false positive in {searched:,} non-mated searches")
            wanted.append((target, found.value))
    elif options.targets:
        notes.append("closed set: no non-mated search, so no FPIR and no threshold from it")
    ranks: list[int | None] = [rank for rank in sorted(set(options.ranks)) if rank <= outcomes.list_length]
    if any(rank < 1 for rank in options.ranks):
        raise InvalidRateError("a rank is 1 or more.")
    whole = outcomes.list_length == outcomes.enrolled
    if whole:
        ranks.append(None)
    points = tuple(
        IdentificationPoint(
            target,
            value,
            tuple(identification_rates(outcomes, value, rank, options.bootstrap) for rank in ranks),
        )
        for target, value in wanted
    )
    curve = (
        cmc_curve(outcomes, min(outcomes.list_length, 1_000), options.bootstrap) if len(outcomes.mate_ranks) else None
    )
    return IdentificationResult(
        algorithm=algorithm,
        dataset=dataset,
        enrolled=outcomes.enrolled,
        references=outcomes.references,
        mated_searches=len(outcomes.mate_ranks),
        non_mated_searches=searched,
        failed_mated=outcomes.failed_mated,
        failed_non_mated=outcomes.failed_non_mated,
        points=points,
        cmc=() if curve is None else tuple(curve.rates.tolist()),
        rank_one=None if curve is None else curve.rank_one,
        provenance=Provenance(
            command=command,
            version=version("samebody"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=options.bootstrap.seed,
            replicates=options.bootstrap.replicates,
            level=options.bootstrap.level,
        ),
        warnings=tuple(notes),
    )


def search_templates(templates: TemplateSet, protocol: SearchProtocol) -> SearchOutcomes:
    """Search every probe among the enrolled templates; probes without a template count as failures to acquire.

    Raises:
        ProtocolError: the protocol names a sample that is not there, or another subject than the set; or nobody could
            be enrolled.
    """
    row = {name: index for index, name in enumerate(templates.samples.tolist())}
    owner = dict(zip(templates.samples.tolist(), templates.subjects.tolist()))
    owner |= dict(zip(templates.failed, templates.failed_subjects))
    named = list(zip((*protocol.enrolled, *protocol.probes), (*protocol.enrolled_subjects, *protocol.probe_subjects)))
    unknown = sorted({sample for sample, _ in named if sample not in owner})
    if unknown:
        raise ProtocolError(
            f"{protocol.name} names {len(unknown)} samples that are not in {templates.name}: {', '.join(unknown[:3])}."
        )
    wrong = [sample for sample, subject in named if owner[sample] != subject]
    if wrong:
        raise ProtocolError(f"{protocol.name} gives {len(wrong)} samples another subject, {wrong[0]} among them.")
    gallery = np.array([row[sample] for sample in protocol.enrolled if sample in row], dtype=np.int64)
    if not len(gallery):
        raise ProtocolError(f"no sample of {protocol.name} could be enrolled.")
    enrolled = set(templates.subjects[gallery].tolist())
    lost = [
        subject in enrolled for sample, subject in zip(protocol.probes, protocol.probe_subjects) if sample not in row
    ]
    probes = np.array([row[sample] for sample in protocol.probes if sample in row], dtype=np.int64)
    if not len(probes):
        raise ProtocolError(f"no probe of {protocol.name} has a template.")
    parts = []
    for start in range(0, len(probes), _BLOCK):
        chosen = probes[start : start + _BLOCK]
        scores = templates.vectors[chosen].astype(np.float64) @ templates.vectors[gallery].astype(np.float64).T
        parts.append(
            search_outcomes(scores.astype(np.float32), templates.subjects[chosen], templates.subjects[gallery])
        )
    return SearchOutcomes(
        enrolled=parts[0].enrolled,
        references=parts[0].references,
        mate_scores=np.concatenate([part.mate_scores for part in parts]),
        mate_ranks=np.concatenate([part.mate_ranks for part in parts]),
        mate_subjects=np.concatenate([part.mate_subjects for part in parts]),
        top_scores=np.concatenate([part.top_scores for part in parts]),
        candidate_scores=np.sort(np.concatenate([part.candidate_scores for part in parts])),
        non_mated_subjects=np.concatenate([part.non_mated_subjects for part in parts]),
        list_length=parts[0].list_length,
        failed_mated=sum(lost),
        failed_non_mated=len(lost) - sum(lost),
    )


def read_searches(source: object, *, enrolled: int | None = None, list_length: int | None = None) -> SearchOutcomes:
    """Searches from a table with ``probe_id``, ``probe_subject``, ``reference_subject``, ``score``; a candidate a row.

    A search is mated when its subject stands among the reference subjects. A row without a reference subject and score
    is a search that returned nobody.

    Args:
        source: as in :func:`~samebody.lab.evaluate.sources.open_table`.
        enrolled: N; None takes the reference subjects that the table names, which is right for full lists only.
        list_length: longest list a search could return; None takes the longest in the table.

    Raises:
        ScoreTableError: with every problem found.
    """
    table = open_table(source)
    needed = ("probe_id", "probe_subject", "reference_subject", "score")
    missing = [f"column {key!r} is missing" for key in needed if key not in table.columns]
    if missing:
        raise ScoreTableError(table.name, missing, hint=f"It has {', '.join(table.columns)}.")
    columns: dict[str, list[Any]] = {key: [] for key in needed}
    unread = 0
    for chunk in table.chunks(needed):
        for key in needed[:3]:
            columns[key].extend(text_cells(chunk[key]))
        values, bad = numbers(chunk["score"])
        unread += int(bad.sum())
        columns["score"].append(values.astype(np.float64))
    score: NDArray[np.float64] = np.concatenate(columns["score"]) if columns["score"] else np.empty(0)
    search, owner = np.array(columns["probe_id"]), np.array(columns["probe_subject"])
    candidate = np.array(columns["reference_subject"])
    listed = candidate != ""
    problems = []
    if unread:
        problems.append(f"a score that is no number: {unread} times")
    if np.any(listed & ~np.isfinite(score)):
        problems.append(f"a score that is missing, NaN or infinite: {int(np.sum(listed & ~np.isfinite(score)))} times")
    if np.any(search == "") or np.any(owner == ""):
        problems.append("an empty probe_id or probe_subject")
    searches, first, which = np.unique(search, return_index=True, return_inverse=True)
    torn = owner != owner[first][which] if len(search) else np.zeros(0, dtype=bool)
    if torn.any():
        problems.append(f"a probe of two subjects: {len(np.unique(which[torn]))} ({search[torn][0]})")
    if not len(search):
        problems.append("it holds no search")
    if not listed.any() and enrolled is None:
        problems.append("it names no candidate, so N is not known")
    if problems:
        raise ScoreTableError(table.name, problems)
    known = set(candidate[listed].tolist())
    count = len(known) if enrolled is None else enrolled
    lengths = np.bincount(which[listed], minlength=len(searches))
    distinct = len({(w, c) for w, c in zip(which[listed].tolist(), candidate[listed].tolist())})
    longest = int(lengths.max(initial=1)) if distinct == int(listed.sum()) else min(count, int(lengths.max(initial=1)))
    subjects = owner[first]
    return search_outcomes_from_candidates(
        which[listed],
        candidate[listed],
        score[listed],
        searches=np.arange(len(searches)),
        search_subjects=subjects,
        search_mated=np.array([subject in known for subject in subjects.tolist()], dtype=bool),
        enrolled=count,
        list_length=min(count, list_length or longest),
    )
