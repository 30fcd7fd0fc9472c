"""Bootstrap over subjects: for mated pairs over people, for non-mated pairs over the vertices of the pair graph.

Pairs that share a person are not independent, so resampling rows gives intervals that are far too narrow. Here
people are drawn with replacement; a person drawn ``w`` times weighs ``w``, and a pair of two people weighs
``w_i * w_j``. That is the vertex bootstrap of T. Snijders and S. Borgatti, "Non-parametric standard errors and
tests for network statistics", Connections 22 (1999), without fill-in: pairs of a person with their own copy are
mated, so they are left out of errors and trials alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    TailTooShortError,
    checked_level,
    checked_scores,
)
from samebody.measure.intervals import RateEstimate, binomial_interval, zero_error_bound
from samebody.measure.kernels import Kernel, chosen_kernel, compiled, weighted_prefixes, weighted_ranks
from samebody.measure.rates import Threshold, threshold_from_tail

Weights = NDArray[np.float64]
"""(subjects, replicates): how often a subject was drawn in a replicate."""

_CHUNK = 128  # replicates held in memory at a time


class PairGraph(Protocol):
    """Which subjects were compared with which, and how often: the trials behind a false match rate."""

    @property
    def subjects(self) -> int:
        """Vertices of the graph."""
        ...

    @property
    def taking_part(self) -> int:
        """Vertices with at least one pair."""
        ...

    def pairs(self) -> int:
        """Number of pairs, none of them within one subject."""
        ...

    def weighted_pairs(self, weights: Weights) -> NDArray[np.float64]:
        """(replicates,) sum over all pairs of the product of the weights of their two subjects."""
        ...


class ListedPairs:
    """A pair graph given pair by pair.

    Args:
        first, second: (n,) subject numbers in 0..subjects-1; never equal to each other.
        subjects: number of vertices.

    Raises:
        InvalidScoresError: lengths differ, a number is out of range, or a pair lies within one subject.
    """

    def __init__(self, first: ArrayLike, second: ArrayLike, subjects: int) -> None:
        from scipy import sparse  # slow to import, and a verification does not need it

        one, two = _subject_numbers(first, subjects), _subject_numbers(second, subjects)
        if one.shape != two.shape:
            raise InvalidScoresError(f"{one.size} first and {two.size} second subjects do not pair up.")
        if np.any(one == two):
            raise InvalidScoresError("a non-mated pair lies within one subject.", hint="Such a pair is mated.")
        self._subjects, self._count = subjects, int(one.size)
        self._taking_part = int(np.unique(np.concatenate([one, two])).size)
        self._matrix = sparse.coo_matrix((np.ones(one.size), (one, two)), shape=(subjects, subjects)).tocsr()

    @property
    def subjects(self) -> int:
        """Vertices of the graph."""
        return self._subjects

    @property
    def taking_part(self) -> int:
        """Vertices with at least one pair."""
        return self._taking_part

    def pairs(self) -> int:
        """Number of pairs."""
        return self._count

    def weighted_pairs(self, weights: Weights) -> NDArray[np.float64]:
        """(replicates,) sum over the listed pairs of the product of weights."""
        return np.asarray(np.einsum("sr,sr->r", weights, self._matrix @ weights), dtype=np.float64)


class CellPairs:
    """A pair graph given by cells: every template of a cell meets every template of a compatible cell.

    A cell is a label combination (race, gender, age band); templates of one subject never meet. The number of
    pairs is then a closed form of the cell sums, whatever their number: with ``T_c = sum_s w_s n_sc``,
    ``2 * pairs = T' A T - sum_s w_s^2 n_s' A n_s``.

    Args:
        subject: (templates,) subject numbers in 0..subjects-1.
        cell: (templates,) cell numbers in 0..cells-1.
        compatible: (cells, cells) symmetric bool; which cells meet.
    """

    def __init__(self, subject: ArrayLike, cell: ArrayLike, compatible: ArrayLike, subjects: int) -> None:
        self._compatible = np.asarray(compatible, dtype=np.float64)
        cells = self._compatible.shape[0]
        if self._compatible.shape != (cells, cells) or not np.array_equal(self._compatible, self._compatible.T):
            raise InvalidScoresError(f"compatible cells must be a symmetric matrix, got {self._compatible.shape}.")
        people, kinds = _subject_numbers(subject, subjects), _subject_numbers(cell, cells)
        if people.shape != kinds.shape:
            raise InvalidScoresError(f"{people.size} subjects and {kinds.size} cells do not belong together.")
        self._subjects = subjects
        from scipy import sparse  # slow to import, and a verification does not need it

        self._counts = sparse.coo_matrix((np.ones(people.size), (people, kinds)), shape=(subjects, cells)).tocsr()
        met = self._counts @ self._compatible  # templates that each subject's templates may meet, per cell of theirs
        self._own = np.asarray(self._counts.multiply(met).sum(axis=1), dtype=np.float64).ravel()
        total = np.asarray(self._counts.sum(axis=0)).ravel()
        reach = self._counts @ (self._compatible @ total) - self._own
        self._taking_part = int(np.count_nonzero(reach > 0))

    @property
    def subjects(self) -> int:
        """Vertices of the graph."""
        return self._subjects

    @property
    def taking_part(self) -> int:
        """Vertices with at least one pair."""
        return self._taking_part

    def pairs(self) -> int:
        """Number of pairs."""
        return round(float(self.weighted_pairs(np.ones((self._subjects, 1)))[0]))

    def weighted_pairs(self, weights: Weights) -> NDArray[np.float64]:
        """(replicates,) sum over all pairs of the product of weights, in closed form."""
        totals = self._counts.T @ weights
        every = np.einsum("cr,cr->r", totals, self._compatible @ totals)
        own = self._own @ np.square(weights)
        return np.asarray((every - own) / 2, dtype=np.float64)


def _subject_numbers(values: ArrayLike, subjects: int) -> NDArray[np.int64]:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise InvalidScoresError(f"subject numbers must be a list of integers, got {numbers.dtype} {numbers.shape}.")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= subjects):
        raise InvalidScoresError(f"subject numbers lie in 0..{subjects - 1}, got {numbers.min()}..{numbers.max()}.")
    return numbers.astype(np.int64)


def draw_weights(subjects: int, replicates: int, seed: int, chunk: int = _CHUNK) -> Iterator[Weights]:
    """Draw ``subjects`` of ``subjects`` with replacement, ``replicates`` times, in chunks of columns.

    The same seed gives the same draws whatever the chunk size.
    """
    generator = np.random.default_rng(seed)
    for start in range(0, replicates, chunk):
        width = min(chunk, replicates - start)
        weights = np.empty((subjects, width))
        for column in range(width):
            weights[:, column] = np.bincount(generator.integers(0, subjects, subjects), minlength=subjects)
        yield weights


@dataclass(frozen=True, slots=True)
class BootstrapOptions:
    """How a bootstrap is run: number of replicates, seed, confidence level."""

    replicates: int = 1000
    seed: int = 20260
    level: float = 0.95

    def __post_init__(self) -> None:
        checked_level(self.level)
        if self.replicates < 20:
            raise InvalidRateError(f"a bootstrap needs at least 20 replicates, got {self.replicates}.")


def vertex_bootstrap(
    trials: PairGraph, errors: Sequence[PairGraph], options: BootstrapOptions | None = None
) -> tuple[RateEstimate, ...]:
    """False match rates with vertex-bootstrap intervals; one estimate for each set of errors, on common draws.

    Each replicate is ``sum over errors of w_i w_j / sum over trials of w_i w_j``; replicates in which no trial is
    left are dropped and not counted. The interval is the percentile interval, never narrower than the exact
    binomial one of independent pairs. The effective number of trials is what the replicates' variance implies; where
    errors hardly share subjects the vertex bootstrap is conservative (``Var(w_i w_j)`` is about 3, not 1), so up to
    three times fewer effective errors are stated than counted.

    Args:
        trials: all non-mated pairs.
        errors: the false matches at each threshold, subsets of ``trials``.
        options: replicates, seed, level.

    Raises:
        EmptyClassError: no pair at all.
    """
    options = options or BootstrapOptions()
    total = trials.pairs()
    if total < 1:
        raise EmptyClassError("there are no non-mated pairs.")
    rates: list[list[NDArray[np.float64]]] = [[] for _ in errors]
    for weights in draw_weights(trials.subjects, options.replicates, options.seed):
        denominator = trials.weighted_pairs(weights)
        usable = denominator > 0
        for collected, graph in zip(rates, errors):
            collected.append(graph.weighted_pairs(weights)[usable] / denominator[usable])
    # Pairs without a common subject: at most one for every two people.
    independent = max(1, trials.taking_part // 2)
    return tuple(
        _estimate(graph.pairs(), total, trials.taking_part, np.concatenate(found), independent, options, "vertex")
        for graph, found in zip(errors, rates)
    )


def subject_bootstrap(
    subjects: ArrayLike, is_error: ArrayLike, options: BootstrapOptions | None = None
) -> RateEstimate:
    """A false non-match rate with its bootstrap interval over the people behind the mated pairs.

    Each replicate draws people with replacement: ``sum w_s errors_s / sum w_s pairs_s``.

    Args:
        subjects: (n,) who each mated pair belongs to; any hashable labels numpy can sort.
        is_error: (n,) bool, whether the pair was refused.
        options: replicates, seed, level.

    Raises:
        EmptyClassError: no pair.
        InvalidScoresError: lengths differ.
    """
    options = options or BootstrapOptions()
    labels, wrong = np.asarray(subjects), np.asarray(is_error, dtype=bool)
    if labels.shape != wrong.shape or labels.ndim != 1:
        raise InvalidScoresError(f"{labels.shape} subjects and {wrong.shape} outcomes do not belong together.")
    if labels.size == 0:
        raise EmptyClassError("there are no mated pairs.")
    known, numbers = np.unique(labels, return_inverse=True)
    pairs = np.bincount(numbers, minlength=known.size).astype(np.float64)
    errors = np.bincount(numbers, weights=wrong, minlength=known.size)
    found = [(errors @ w) / (pairs @ w) for w in draw_weights(known.size, options.replicates, options.seed)]
    return _estimate(int(wrong.sum()), labels.size, known.size, np.concatenate(found), known.size, options, "subject")


@dataclass(frozen=True, slots=True)
class ThresholdEstimate:
    """A threshold for a false match rate, and both error rates at it, with what the sample of people leaves open.

    Attributes:
        threshold: as measured; it is what all intervals are about.
        interval: of the threshold that another sample of people would have given, at the level of the bootstrap.
        fmr: at ``threshold`` held fixed; vertex bootstrap.
        fnmr: subject bootstrap; at ``threshold`` held fixed, or at the threshold that each replicate gives.
        thresholds: ``fixed`` or ``refit``, which of the two it was.
        censored: replicates whose threshold lies below the kept scores; they were given the lowest kept score, which
            makes their false non-match rate too high rather than too low.
    """

    threshold: Threshold
    interval: tuple[float, float]
    fmr: RateEstimate
    fnmr: RateEstimate
    thresholds: str
    censored: int


CENSORED_AT_MOST = 0.01
"""Share of replicates whose threshold may lie below the kept scores."""


def threshold_bootstrap(
    non_mated: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    trials: PairGraph,
    mated: ArrayLike,
    mated_subject: ArrayLike,
    targets: Sequence[float],
    *,
    thresholds: Literal["refit", "fixed"] = "refit",
    options: BootstrapOptions | None = None,
    kernel: Kernel = "auto",
) -> tuple[ThresholdEstimate, ...]:
    """Thresholds at false match rates and the false non-match rates there, with intervals over people.

    In each replicate people are drawn with replacement, once for both classes: a non-mated pair weighs ``w_i w_j``, a
    mated one ``w_s``. With ``thresholds="refit"`` each replicate takes its own threshold, the lowest that keeps its
    weighted FMR at the target, so the interval of the FNMR holds what is uncertain about the threshold too: it answers
    how the FNMR at this FMR would differ on other people. With ``"fixed"`` it answers how the FNMR at this very
    threshold would differ.

    Memory grows with the scores and with 128 replicates of the subjects, not with the number of replicates.

    Args:
        non_mated: (k,) scores, all of them or the largest down to some floor, any order.
        first, second: (k,) subject numbers behind them.
        trials: all non-mated pairs, those that were not kept included.
        mated: (m,) scores.
        mated_subject: (m,) subject numbers, the same numbers as in ``trials``.
        targets: false match rates in [0, 1).

    Raises:
        TailTooShortError: a target, or more than 1 % of the replicates, need scores below the kept ones.
        EmptyClassError, InvalidScoresError, InvalidRateError, KernelMissingError.
    """
    options = options or BootstrapOptions()
    if thresholds not in ("refit", "fixed"):
        raise InvalidRateError(f"thresholds are refit or fixed, not {thresholds!r}.")
    tail, genuine = checked_scores(non_mated, "non-mated"), checked_scores(mated, "mated")
    one, two = _subject_numbers(first, trials.subjects), _subject_numbers(second, trials.subjects)
    owner = _subject_numbers(mated_subject, trials.subjects)
    if not tail.shape == one.shape == two.shape or genuine.shape != owner.shape:
        raise InvalidScoresError("there must be one subject number for each score.")
    order = np.argsort(tail)[::-1]
    tail, ones, twos = tail[order], one[order].astype(np.int32), two[order].astype(np.int32)
    order = np.argsort(genuine)
    genuine, owners = genuine[order], owner[order].astype(np.int32)
    pairs = trials.pairs()
    found = [threshold_from_tail(tail, pairs, target) for target in targets]
    # Ascending false match rates: the walk through the scores meets them in this order.
    ranks_of = np.argsort([threshold.target for threshold in found], kind="stable")
    rates = np.array([found[rank].target for rank in ranks_of])
    values = np.array([found[rank].value for rank in ranks_of])
    own = np.bincount(owner, minlength=trials.subjects).astype(np.float64)
    fixed = np.array([found[rank].errors for rank in ranks_of])
    below = np.searchsorted(genuine, values.astype(genuine.dtype, copy=False), side="left")

    collected: list[tuple[NDArray[np.float64], ...]] = []
    censored = np.zeros(len(rates), dtype=np.int64)
    for weights in draw_weights(trials.subjects, options.replicates, options.seed):
        total, possible = trials.weighted_pairs(weights), own @ weights
        usable = (total > 0) & (possible > 0)
        lines, total, possible = np.ascontiguousarray(weights.T[usable]), total[usable], possible[usable]
        # The slack keeps 0.29 of 100 at 29; sums of products of whole numbers are whole.
        allowed = np.floor(np.outer(total, rates) + 1e-6)
        ranks = _weighted_ranks(ones, twos, lines, allowed, kernel)
        short = ranks == len(tail)
        censored += np.count_nonzero(short, axis=0)
        boundary = tail[np.minimum(ranks, len(tail) - 1)]
        again = np.nextafter(boundary, tail.dtype.type(np.inf))
        if thresholds == "refit":
            wide = again.astype(np.result_type(again.dtype, genuine.dtype))
            stops = np.searchsorted(genuine.astype(wide.dtype, copy=False), wide, side="left").astype(np.int64)
        else:
            stops = np.broadcast_to(below, again.shape).astype(np.int64)
        refused = _weighted_prefixes(owners, lines, stops, kernel)
        accepted = _weighted_errors(ones, twos, lines, fixed)
        collected.append((again.astype(np.float64), refused / possible[:, None], accepted / total[:, None]))
    again, refused, accepted = (np.concatenate(parts) for parts in zip(*collected))
    if np.any(censored > CENSORED_AT_MOST * len(again)):
        worst = int(np.argmax(censored))
        raise TailTooShortError(
            f"in {censored[worst]} of {len(again)} replicates the threshold at a false match rate of {rates[worst]:g} "
            f"lies below the {len(tail)} kept scores.",
            hint="Keep a longer tail, or ask for lower rates.",
        )
    tails = (1 - options.level) / 2, 1 - (1 - options.level) / 2
    method = "subject" if thresholds == "fixed" else "refit-threshold subject"
    estimates: list[ThresholdEstimate | None] = [None] * len(found)
    for place, rank in enumerate(ranks_of):
        measured = found[rank]
        low, high = np.quantile(again[:, place], tails, method="inverted_cdf")
        estimates[rank] = ThresholdEstimate(
            measured,
            (min(float(low), measured.value), max(float(high), measured.value)),
            _estimate(
                measured.errors,
                pairs,
                trials.taking_part,
                accepted[:, place],
                max(1, trials.taking_part // 2),
                options,
                "vertex",
            ),
            _estimate(
                int(below[place]),
                genuine.size,
                int(np.count_nonzero(own)),
                refused[:, place],
                int(np.count_nonzero(own)),
                options,
                method,
            ),
            thresholds,
            int(censored[place]),
        )
    return tuple(estimate for estimate in estimates if estimate is not None)


def _weighted_ranks(
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    lines: NDArray[np.float64],
    allowed: NDArray[np.float64],
    kernel: Kernel,
) -> NDArray[np.int64]:
    ranks = np.empty(allowed.shape, dtype=np.int64)
    if chosen_kernel(kernel) == "numba":
        compiled(weighted_ranks)(first, second, lines, allowed, ranks)
        return ranks
    for line, limits, out in zip(lines, allowed, ranks):
        total, begin = np.zeros(1), 0
        out[:] = len(first)
        while begin < len(first) and total[-1] <= limits[-1]:  # piece by piece: most targets need a few scores only
            part = slice(begin, begin + 65536)
            total = total[-1] + np.cumsum(line[first[part]] * line[second[part]])
            reached = (out == len(first)) & (limits < total[-1])
            out[reached] = begin + np.searchsorted(total, limits[reached], side="right")
            begin += 65536
    return ranks


def _weighted_prefixes(
    subject: NDArray[np.int32], lines: NDArray[np.float64], stops: NDArray[np.int64], kernel: Kernel
) -> NDArray[np.float64]:
    sums = np.empty(stops.shape)
    if chosen_kernel(kernel) == "numba":
        compiled(weighted_prefixes)(subject, lines, stops, sums)
        return sums
    for line, ends, out in zip(lines, stops, sums):
        out[:] = np.append(0.0, np.cumsum(line[subject[: ends.max()]]))[ends]
    return sums


def _weighted_errors(
    first: NDArray[np.int32], second: NDArray[np.int32], lines: NDArray[np.float64], stops: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(replicates, targets) weight of the first so many pairs; ``stops`` ascending, the same for all replicates."""
    from scipy import sparse  # slow to import, and a verification does not need it

    sums = np.zeros((len(lines), len(stops)))
    begin = 0
    for target, stop in enumerate(stops):
        if target:
            sums[:, target] = sums[:, target - 1]
        for start in range(begin, int(stop), 65536):
            part = slice(start, min(start + 65536, int(stop)))
            matrix = sparse.coo_matrix(
                (np.ones(part.stop - start), (first[part], second[part])), shape=(lines.shape[1], lines.shape[1])
            ).tocsr()
            sums[:, target] += np.einsum("rs,sr->r", lines, matrix @ lines.T)
        begin = max(begin, int(stop))
    return sums


def _estimate(
    errors: int,
    trials: int,
    subjects: int,
    replicates: NDArray[np.float64],
    independent: int,
    options: BootstrapOptions,
    method: str,
) -> RateEstimate:
    rate = errors / trials
    if independent < 2:
        low, high, effective = 0.0, 1.0, 1.0  # one person, or one pair's worth of people: nothing is known of others
    elif errors in (0, trials):
        bound, effective = zero_error_bound(independent, options.level), float(independent)
        low, high = (0.0, bound) if errors == 0 else (1.0 - bound, 1.0)
    else:
        tail = (1 - options.level) / 2
        low, high = binomial_interval(errors, trials, options.level)
        low = min(low, float(np.quantile(replicates, tail)))
        high = max(high, float(np.quantile(replicates, 1 - tail)))
        variance = float(replicates.var(ddof=1))
        effective = min(float(trials), rate * (1 - rate) / variance) if variance > 0 else float(trials)
    return RateEstimate(
        rate=rate,
        errors=errors,
        trials=trials,
        subjects=subjects,
        interval=(low, high),
        effective_trials=effective,
        effective_errors=rate * effective,
        level=options.level,
        method=f"{method} bootstrap",
        replicates=int(replicates.size),
    )
