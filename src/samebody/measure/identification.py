"""Error rates of searches in a database (1:N): FPIR, FNIR, CMC, selectivity; open and closed set.

Every figure depends on how many subjects are enrolled, so the number ``N`` is part of every result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.bootstrap import BootstrapOptions
from samebody.measure.errors import EmptyClassError, InvalidRateError, InvalidScoresError, checked_scores
from samebody.measure.estimates import estimate_rate
from samebody.measure.intervals import RateEstimate
from samebody.measure.labels import checked_labels
from samebody.measure.rates import Threshold, threshold_at_fmr


@dataclass(frozen=True, slots=True, eq=False)
class SearchOutcomes:
    """What is kept of searches: enough for every rate of identification, at any threshold and rank.

    A search returns one candidate for each enrolled subject: their best-scoring reference. The rank of the mate is
    1 + the number of other subjects that score *as high or higher*: a tie counts against the system.

    Attributes:
        enrolled: N, subjects in the database.
        references: templates in the database.
        mate_scores: (m,) score of the mate in the mated searches; ``-inf`` where a candidate list does not hold it.
        mate_ranks: (m,) its rank, from 1; N + 1 where a candidate list does not hold it.
        mate_subjects: (m,) who was searched for.
        top_scores: (k,) highest score in the non-mated searches; ``-inf`` for an empty candidate list.
        candidate_scores: all candidate scores of the non-mated searches, sorted; for the selectivity.
        non_mated_subjects: (k,) who was searched for in the non-mated searches.
        list_length: longest candidate list that the searches could return; ranks beyond it are not known.
        failed_mated, failed_non_mated: searches whose probe could not be acquired; they have no score.
        lists_cut_at: below or at this score a full candidate list of a non-mated search may hide further candidates.
    """

    enrolled: int
    references: int
    mate_scores: NDArray[np.float64]
    mate_ranks: NDArray[np.int64]
    mate_subjects: NDArray[np.generic]
    top_scores: NDArray[np.float64]
    candidate_scores: NDArray[np.float64]
    non_mated_subjects: NDArray[np.generic]
    list_length: int
    failed_mated: int = 0
    failed_non_mated: int = 0
    lists_cut_at: float = float("-inf")


def search_outcomes(
    scores: ArrayLike,
    probe_subjects: ArrayLike,
    reference_subjects: ArrayLike,
    *,
    failed_mated: int = 0,
    failed_non_mated: int = 0,
) -> SearchOutcomes:
    """Outcomes of searches from the full matrix of scores.

    A search is mated when its subject is enrolled.

    Args:
        scores: (searches, references), finite, higher is more alike.
        probe_subjects: (searches,) labels.
        reference_subjects: (references,) labels; several references of one subject count as one enrolled subject.
        failed_mated, failed_non_mated: searches that have no score because the probe could not be acquired.

    Raises:
        InvalidScoresError: shapes that do not fit, or scores that are not finite.
        EmptyClassError: no search or no reference.
    """
    matrix = np.asarray(scores)
    if matrix.ndim != 2:
        raise InvalidScoresError(f"scores of searches must be a matrix, got shape {matrix.shape}.")
    if matrix.size == 0:
        raise EmptyClassError("there are no searches, or nobody is enrolled.")
    values = checked_scores(matrix.ravel(), "search").reshape(matrix.shape).astype(np.float64)
    gallery = checked_labels(reference_subjects, matrix.shape[1], "reference subject")
    probes = np.asarray(probe_subjects)
    known = checked_labels(probes, matrix.shape[0], "probe subject")
    if isinstance(known.names[0], str) != isinstance(gallery.names[0], str):
        raise InvalidScoresError("probe and reference subjects are of two kinds, text and numbers.", hint="Use one.")
    order = np.argsort(gallery.codes, kind="stable")
    starts = np.searchsorted(gallery.codes[order], np.arange(len(gallery)))
    best = np.maximum.reduceat(values[:, order], starts, axis=1)
    column = {name: number for number, name in enumerate(gallery.names)}
    mate = np.array([column.get(subject, -1) for subject in probes.tolist()], dtype=np.int64)
    mated = np.flatnonzero(mate >= 0)
    own = best[mated, mate[mated]]
    ranks = np.count_nonzero(best[mated] >= own[:, None], axis=1)  # the mate itself is the "1 +"
    others = best[mate < 0]
    return SearchOutcomes(
        enrolled=len(gallery),
        references=int(matrix.shape[1]),
        mate_scores=own,
        mate_ranks=ranks.astype(np.int64),
        mate_subjects=probes[mated],
        top_scores=others.max(axis=1) if len(others) else np.empty(0),
        candidate_scores=np.sort(others.ravel()),
        non_mated_subjects=probes[mate < 0],
        list_length=len(gallery),
        failed_mated=_count(failed_mated),
        failed_non_mated=_count(failed_non_mated),
    )


def search_outcomes_from_candidates(
    search: ArrayLike,
    candidate_subject: ArrayLike,
    score: ArrayLike,
    *,
    searches: ArrayLike,
    search_subjects: ArrayLike,
    search_mated: ArrayLike,
    enrolled: int,
    list_length: int,
    references: int | None = None,
    failed_mated: int = 0,
    failed_non_mated: int = 0,
) -> SearchOutcomes:
    """Outcomes of searches from candidate lists, as a system returns them.

    Args:
        search: (c,) which search each candidate belongs to.
        candidate_subject: (c,) who the candidate is.
        score: (c,) finite.
        searches: (s,) every search, those without a candidate included.
        search_subjects: (s,) who was searched for.
        search_mated: (s,) bool, whether that subject is enrolled.
        enrolled: N, subjects in the database.
        list_length: the longest list that could be returned; rates at a rank beyond it are refused.
        references: templates in the database; ``enrolled`` unless told.
        failed_mated, failed_non_mated: searches that have no score because the probe could not be acquired.

    Raises:
        InvalidScoresError: lengths differ, a search is listed twice or not at all, or candidates outnumber N.
        EmptyClassError: no search.
    """
    values = checked_scores(score, "candidate", allow_empty=True).astype(np.float64)
    which, who = np.asarray(search), np.asarray(candidate_subject)
    ids = checked_labels(searches, None, "search")
    if ids.codes.size == 0:
        raise EmptyClassError("there are no searches.")
    if len(ids) != ids.codes.size:
        raise InvalidScoresError("a search is listed twice.")
    subjects, mated = np.asarray(search_subjects), np.asarray(search_mated, dtype=bool)
    if not ids.codes.size == subjects.size == mated.size or not which.shape == who.shape == values.shape:
        raise InvalidScoresError("searches and their subjects, or candidates and their scores, differ in number.")
    if enrolled < 1 or not 1 <= list_length <= enrolled:
        raise InvalidScoresError(f"N and the list length must be 1 or more, got {enrolled} and {list_length}.")
    place = {name: number for number, name in enumerate(ids.names)}
    row_of = np.empty(len(ids), dtype=np.int64)
    row_of[ids.codes] = np.arange(len(ids))
    try:
        rows = np.array([row_of[place[name]] for name in which.tolist()], dtype=np.int64)
    except KeyError as missing:
        raise InvalidScoresError(f"a candidate names search {missing}, which is not listed.") from None
    rows, who, values = _best_by_subject(rows, who, values)
    lengths = np.bincount(rows, minlength=len(ids))
    if lengths.max(initial=0) > list_length:
        raise InvalidScoresError(f"a list holds {lengths.max()} subjects, more than the longest list, {list_length}.")
    own = np.full(len(ids), -np.inf)
    is_mate = who == subjects[rows] if rows.size else np.zeros(0, dtype=bool)
    if np.any(is_mate & ~mated[rows]):
        raise InvalidScoresError("a search marked non-mated returns its own subject.", hint="Mark it as mated.")
    own[rows[is_mate]] = values[is_mate]
    ranks = np.bincount(rows[values >= own[rows]], minlength=len(ids))
    ranks[np.isinf(own)] = enrolled + 1
    top = np.full(len(ids), -np.inf)
    np.maximum.at(top, rows, values)
    lowest = np.full(len(ids), np.inf)
    np.minimum.at(lowest, rows, values)
    cut = ~mated & (lengths == list_length) & (list_length < enrolled)
    return SearchOutcomes(
        lists_cut_at=float(lowest[cut].max(initial=-np.inf)),
        enrolled=int(enrolled),
        references=int(enrolled if references is None else references),
        mate_scores=own[mated],
        mate_ranks=ranks[mated].astype(np.int64),
        mate_subjects=subjects[mated],
        top_scores=top[~mated],
        candidate_scores=np.sort(values[~mated[rows]]),
        non_mated_subjects=subjects[~mated],
        list_length=int(list_length),
        failed_mated=_count(failed_mated),
        failed_non_mated=_count(failed_non_mated),
    )


def _best_by_subject(
    rows: NDArray[np.int64], who: NDArray[np.generic], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.generic], NDArray[np.float64]]:
    """One candidate for each search and subject: the best-scoring one."""
    if rows.size == 0:
        return rows, who, values
    people = checked_labels(who, rows.size, "candidate subject").codes
    order = np.lexsort((-values, people, rows))
    first = np.ones(rows.size, dtype=bool)
    first[1:] = (np.diff(rows[order]) != 0) | (np.diff(people[order]) != 0)
    keep = order[first]
    return rows[keep], who[keep], values[keep]


def _count(number: int) -> int:
    if number < 0:
        raise InvalidRateError(f"a number of failed searches is 0 or more, got {number}.")
    return int(number)


@dataclass(frozen=True, slots=True)
class IdentificationRates:
    """Open-set rates at one threshold.

    Attributes:
        enrolled: N.
        rank: R; the mate must be among the first R candidates. N means that only the threshold counts.
        threshold: T; a candidate is returned when ``score >= T``.
        fpir: FPIR(N, T), share of non-mated searches that return anybody; None without non-mated searches.
        fnir: FNIR(N, R, T), share of mated searches that do not return the mate; None without mated searches.
        fnir_with_failures: the same with failures to acquire counted as misses.
        selectivity: SEL(N, T), candidates returned in a non-mated search on average, 0..N; None without such searches.
        selectivity_is_lower_bound: candidate lists were full, so further candidates ``>= T`` may be missing.
        failed_mated, failed_non_mated: searches left out of ``fpir`` and ``fnir``: the probe could not be acquired.
    """

    enrolled: int
    rank: int
    threshold: float
    fpir: RateEstimate | None
    fnir: RateEstimate | None
    fnir_with_failures: float | None
    selectivity: float | None
    selectivity_is_lower_bound: bool
    failed_mated: int
    failed_non_mated: int


def identification_rates(
    outcomes: SearchOutcomes, threshold: float, rank: int | None = None, options: BootstrapOptions | None = None
) -> IdentificationRates:
    """FPIR(N, T), FNIR(N, R, T) and selectivity at a threshold, with intervals over the people searched for.

    ``FPIR`` = non-mated searches with a candidate ``>= T`` / non-mated searches. ``FNIR`` = mated searches whose mate
    has rank ``> R`` or score ``< T`` / mated searches. ``SEL`` = candidates ``>= T`` / non-mated searches. Source:
    ISO/IEC 19795-1:2021, identification; P. Grother et al., NIST IR 8271.

    Args:
        outcomes: of :func:`search_outcomes`.
        threshold: T.
        rank: R; None lets only the threshold count.
        options: of the bootstrap over people.

    Raises:
        InvalidRateError: a rank outside 1..N, or beyond the candidate lists.
    """
    limit = outcomes.enrolled if rank is None else rank
    _check_rank(outcomes, outcomes.list_length if rank is None else rank)
    missed = (outcomes.mate_ranks > limit) | (outcomes.mate_scores < np.float64(threshold))
    fnir = estimate_rate(missed, outcomes.mate_subjects, options) if missed.size else None
    alarms = outcomes.top_scores >= np.float64(threshold)
    fpir = estimate_rate(alarms, outcomes.non_mated_subjects, options) if alarms.size else None
    returned = outcomes.candidate_scores.size - int(np.searchsorted(outcomes.candidate_scores, threshold, "left"))
    searched = missed.size + outcomes.failed_mated
    return IdentificationRates(
        enrolled=outcomes.enrolled,
        rank=limit,
        threshold=float(threshold),
        fpir=fpir,
        fnir=fnir,
        fnir_with_failures=float((missed.sum() + outcomes.failed_mated) / searched) if searched else None,
        selectivity=float(returned / alarms.size) if alarms.size else None,
        selectivity_is_lower_bound=bool(alarms.size) and threshold <= outcomes.lists_cut_at,
        failed_mated=outcomes.failed_mated,
        failed_non_mated=outcomes.failed_non_mated,
    )


def threshold_at_fpir(outcomes: SearchOutcomes, target: float) -> Threshold:
    """The threshold for ``FPIR(N, T) <= target``; the rule of :func:`samebody.measure.rates.threshold_at_fmr`.

    The ``trials`` and ``errors`` of the result are non-mated searches. It holds for this N only.

    Raises:
        EmptyClassError: no non-mated search.
        InvalidRateError: ``target`` outside [0, 1).
        InvalidScoresError: a search with an empty candidate list reaches the needed rank.
    """
    finite = outcomes.top_scores[np.isfinite(outcomes.top_scores)]
    if finite.size == outcomes.top_scores.size:
        return threshold_at_fmr(finite, target)
    # Empty lists never raise an alarm: stand them below every other score, whatever the rank.
    floor = np.nextafter(finite.min(), -np.inf) if finite.size else 0.0
    return threshold_at_fmr(np.where(np.isfinite(outcomes.top_scores), outcomes.top_scores, floor), target)


@dataclass(frozen=True, slots=True, eq=False)
class CmcCurve:
    """The cumulative match characteristic of a closed set: everybody searched for is enrolled, no threshold.

    Attributes:
        enrolled: N.
        ranks: (k,) from 1.
        rates: (k,) share of mated searches with the mate at this rank or better: ``1 - FNIR(N, R, -inf)``.
        searches: mated searches; failures to acquire are left out and counted in ``failed``.
        rank_one: the rate at rank 1 with its interval over people, as a *success* rate.
        failed: mated searches whose probe could not be acquired.
    """

    enrolled: int
    ranks: NDArray[np.int64]
    rates: NDArray[np.float64]
    searches: int
    rank_one: RateEstimate
    failed: int


def cmc_curve(outcomes: SearchOutcomes, last: int | None = None, options: BootstrapOptions | None = None) -> CmcCurve:
    """The CMC up to rank ``last`` (the length of the candidate lists unless told); non-mated searches play no part.

    Source: ISO/IEC 19795-1:2021, closed-set identification.

    Raises:
        EmptyClassError: no mated search.
        InvalidRateError: ``last`` outside 1..N, or beyond the candidate lists.
    """
    if outcomes.mate_ranks.size == 0:
        raise EmptyClassError("there are no mated searches.", hint="A CMC needs probes of enrolled subjects.")
    end = outcomes.list_length if last is None else last
    _check_rank(outcomes, end)
    hits = np.bincount(np.minimum(outcomes.mate_ranks, end + 1), minlength=end + 2)[1 : end + 1]
    return CmcCurve(
        enrolled=outcomes.enrolled,
        ranks=np.arange(1, end + 1),
        rates=np.cumsum(hits) / outcomes.mate_ranks.size,
        searches=int(outcomes.mate_ranks.size),
        rank_one=estimate_rate(outcomes.mate_ranks <= 1, outcomes.mate_subjects, options),
        failed=outcomes.failed_mated,
    )


def _check_rank(outcomes: SearchOutcomes, rank: int) -> None:
    if not 1 <= rank <= outcomes.list_length:
        raise InvalidRateError(
            f"a rank lies in 1..{outcomes.list_length} here, got {rank}.",
            hint="Candidate lists of this length say nothing of later ranks.",
        )
