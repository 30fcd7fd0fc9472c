"""Rates of two paired runs under common draws of people: thresholds found anew in every draw, groups included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.non_mated import ListedNonMated
from samebody.lab.evaluate.pairing import PairedRuns, Side
from samebody.measure import (
    BootstrapOptions,
    PairGraph,
    TailTooShortError,
    allowed_errors,
    draw_weights,
)

Key = tuple[str, float | None, str]
"""(metric, target, group)"""
Rates = dict[Key, NDArray[np.float64]]
ALL = "all"

_HELD = 4_000_000  # weights of comparisons held at a time
_SPARE = 2.0, 200  # scores looked at: so many times those that a threshold needs, and so many more
_REFIT_ROWS = 1_000_000  # a threshold above more scores than this is not found anew in every replicate


class _TailUsedUpError(Exception):
    """A replicate needs scores below the ones that were looked at."""


class SideRates:
    """Weighted rates of one run at its thresholds, for all and for each group."""

    def __init__(self, pair: PairedRuns, side: Side, targets: Sequence[float]) -> None:
        self.side, self.targets, self.without_groups = side, targets, ""
        self._pair = pair
        scores, people = side.scores, len(side.to_common)
        self._own_group = pair.group[side.to_common]
        order = np.argsort(scores.mated.scores, kind="stable")
        self._mated = scores.mated.scores[order]
        self._mated_subject = side.to_common[scores.mated.subject][order]
        self._parts: list[tuple[str, NDArray[np.int64]]] = [(ALL, np.arange(len(self._mated)))]
        mated_group = pair.group[self._mated_subject]
        for code, name in enumerate(pair.group_names):
            self._parts.append((name, np.flatnonzero(mated_group == code)))
        self._graphs: dict[str, tuple[PairGraph, NDArray[np.int64]]] = {
            ALL: (scores.non_mated.graph(people), side.to_common.astype(np.int64))
        }
        for code, name in enumerate(pair.group_names):
            try:
                graph = scores.non_mated.group_graph(self._own_group, code)
            except TailTooShortError as error:
                self.without_groups = error.message
                break
            if graph.pairs():
                members = side.to_common[np.flatnonzero(self._own_group == code)]
                self._graphs[name] = (graph, members.astype(np.int64))
        self._fixed: dict[float, float] = {}
        for target in targets:
            row = side.run.result.at(target)
            if row.source != "same data" or row.binned or self._reach(target) > _REFIT_ROWS:
                self._fixed[target] = float(row.value)
        self._depth = max([self._reach(target) for target in targets if target not in self._fixed], default=1)
        self._look(self._depth)
        self._hold_what_is_not_kept()
        self.values = {target: self._value(target) for target in targets}

    # ---------------------------------------------------------------------------------------------- the tail

    def _reach(self, target: float) -> int:
        """Highest scores that a threshold for ``target`` may need in a replicate."""
        return int(allowed_errors(target, self.side.scores.non_mated.pairs) * _SPARE[0]) + _SPARE[1]

    def _look(self, depth: int) -> None:
        """Take the highest non-mated scores down to ``depth`` of them, ties whole, and to every fixed threshold."""
        other = self.side.scores.non_mated
        known = [value for value in self._fixed.values() if value >= other.floor]
        if isinstance(other, ListedNonMated):
            depth = min(depth, other.pairs)
            level = float(np.partition(other.scores, other.pairs - depth)[other.pairs - depth])
        else:
            level = other.floor
        errors = other.errors_at(min([level, *known]))
        self._tail = errors.scores
        self._whole = len(self._tail) == other.pairs
        self._first = self.side.to_common[errors.first].astype(np.int64)
        self._second = self.side.to_common[errors.second].astype(np.int64)
        codes = self.side.sample_code
        one, two = codes[errors.first_sample], codes[errors.second_sample]
        self._error_keys = np.minimum(one, two) * self._pair.samples + np.maximum(one, two)
        starts = np.flatnonzero(np.append(True, np.diff(self._tail) != 0)) if len(self._tail) else np.zeros(0, np.int64)
        self._tie_start = np.repeat(starts, np.diff(np.append(starts, len(self._tail))))
        group = self._pair.group
        within = np.where(group[self._first] == group[self._second], group[self._first], -1)
        self._tail_parts = {ALL: np.arange(len(self._tail))}
        for code, name in enumerate(self._pair.group_names):
            self._tail_parts[name] = np.flatnonzero(within == code)

    def _hold_what_is_not_kept(self) -> None:
        """A threshold whose rank lies below the kept scores stays as the run gives it."""
        for target in self.targets:
            needed = allowed_errors(target, self.side.scores.non_mated.pairs)
            if target not in self._fixed and needed >= len(self._tail) and not self._whole:
                self.hold(target)

    def hold(self, target: float) -> None:
        """Keep the run's own threshold for ``target`` in every replicate."""
        self._fixed[target] = float(self.side.run.result.at(target).value)

    def deepen(self) -> bool:
        """Look at four times as many scores; False when there are no more (or too many)."""
        if self._whole or not isinstance(self.side.scores.non_mated, ListedNonMated) or self._depth > _REFIT_ROWS:
            return False
        self._depth *= 4
        self._look(self._depth)
        return True

    # -------------------------------------------------------------------------------------------- thresholds

    def refits(self, target: float) -> bool:
        """Whether the threshold is found anew in every replicate."""
        return target not in self._fixed

    def _value(self, target: float) -> float:
        if target in self._fixed:
            return self._fixed[target]
        rank = min(allowed_errors(target, self.side.scores.non_mated.pairs), len(self._tail) - 1)
        return float(np.nextafter(self._tail[rank], self._tail.dtype.type(np.inf)))

    def value(self, target: float) -> float:
        """The threshold on the comparisons as they are."""
        return self.values[target]

    # ------------------------------------------------------------------------------------------------- rates

    @property
    def chunk(self) -> int:
        """Replicates weighed at a time."""
        return int(np.clip(_HELD // max(len(self._tail) + len(self._mated), 1), 1, 128))

    def rates(self, weights: NDArray[np.float64]) -> Rates:
        """Rates under (replicates, subjects) ``weights``; NaN where no trial is left.

        Raises:
            _TailUsedUpError: a replicate's threshold lies below the scores that were looked at.
        """
        found: Rates = {}
        pair_weights = weights[:, self._first] * weights[:, self._second]
        running = _running(pair_weights)
        totals = {
            name: graph.weighted_pairs(np.ascontiguousarray(weights[:, members].T))
            for name, (graph, members) in self._graphs.items()
        }
        cuts = {target: self._cut(target, running, totals[ALL]) for target in self.targets}
        for name, rows in self._tail_parts.items():
            if name not in totals:
                continue
            part = running if name == ALL else _running(pair_weights[:, rows])
            for target, (accepted, _, _) in cuts.items():
                if accepted is not None:
                    places = accepted if name == ALL else np.searchsorted(rows, accepted, side="left")
                    found["fmr", target, name] = _share(_at(part, places), totals[name])
        for name, rows in self._parts:
            if not len(rows):
                continue
            scores, subject = self._mated[rows], self._mated_subject[rows]
            whole = weights @ np.bincount(subject, minlength=weights.shape[1])
            refused = {t: np.searchsorted(scores, level, side) for t, (_, level, side) in cuts.items()}
            longest = max(int(np.max(place)) for place in refused.values())
            part = _running(weights[:, subject[:longest]])
            for target, place in refused.items():
                found["fnmr", target, name] = _share(_at(part, np.broadcast_to(place, whole.shape)), whole)
        self._add_fta(weights, found)
        return found

    def _cut(
        self, target: float, running: NDArray[np.float64], total: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64] | None, Any, Literal["left", "right"]]:
        """(false matches in the tail, score, side): mated scores left or right of the score are refused."""
        if target in self._fixed:
            value = np.float64(self._fixed[target])  # scores are compared in double precision
            if value < self.side.scores.non_mated.floor:
                return None, value, "left"
            count = int(np.searchsorted(-self._tail, -value, side="right"))
            return np.full(len(total), count), value, "left"
        allowed = target * total * (1 + 1e-9)
        ranks = np.array([np.searchsorted(row[1:], most, side="right") for row, most in zip(running, allowed)])
        if np.any(ranks >= len(self._tail)):
            if not self._whole:
                raise _TailUsedUpError
            ranks = np.minimum(ranks, len(self._tail) - 1)
        return self._tie_start[ranks], self._tail[ranks], "right"

    def _add_fta(self, weights: NDArray[np.float64], found: Rates) -> None:
        failures = self.side.run.scores.failures
        if failures is None or not self._pair.failed:
            return
        own = weights[:, self.side.to_common]
        parts = [(ALL, np.ones(len(self._own_group), dtype=bool))]
        parts += [(name, self._own_group == code) for code, name in enumerate(self._pair.group_names)]
        for name, members in parts:
            attempts = failures.attempts * members
            if attempts.sum():
                found["fta", None, name] = _share(own @ (failures.failed * members), own @ attempts)

    # ------------------------------------------------------------------------------------------------ counts

    def wrong_mated(self, target: float) -> NDArray[np.bool_]:
        """(mated,) refused at the threshold, in the common order."""
        return self.side.scores.mated.scores < np.float64(self.values[target])

    def wrong_non_mated(self, target: float, group: str) -> NDArray[np.int64]:
        """Keys of the false matches, within a group or all."""
        value = np.float64(self.values[target])
        rows = self._tail_parts[group]
        return self._error_keys[rows[self._tail[rows] >= value]]

    def trials(self, metric: str, group: str) -> tuple[int, int, int]:
        """(trials, subjects, independent trials at most) behind a rate."""
        if metric == "fmr":
            graph = self._graphs[group][0]
            return graph.pairs(), graph.taking_part, max(1, graph.taking_part // 2)
        if metric == "fnmr":
            rows = next(rows for name, rows in self._parts if name == group)
            people = len(np.unique(self._mated_subject[rows]))
            return len(rows), people, people
        failures = self.side.run.scores.failures
        assert failures is not None
        code = -2 if group == ALL else self._pair.group_names.index(group)
        members = np.ones(len(self._own_group), bool) if group == ALL else self._own_group == code
        tried = failures.attempts * members
        return int(tried.sum()), int(np.count_nonzero(tried)), int(np.count_nonzero(tried))


def _running(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(replicates, n + 1) running sums that start at 0."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _at(sums: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.take_along_axis(sums, places[:, None], axis=1)[:, 0], dtype=np.float64)


def _share(errors: NDArray[np.float64], trials: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.full(len(trials), np.nan)
    np.divide(errors, trials, out=shares, where=trials > 0)
    return shares


def replicate_rates(sides: Sequence[SideRates], subjects: int, options: BootstrapOptions) -> list[Rates]:
    """Rates of both runs in every replicate, on the same draws."""
    while True:
        found: list[dict[Key, list[NDArray[np.float64]]]] = [{}, {}]
        chunk = min(side.chunk for side in sides)
        try:
            for weights in _draws(subjects, options, chunk):
                for side, collected in zip(sides, found):
                    for key, values in side.rates(weights).items():
                        collected.setdefault(key, []).append(values)
        except _TailUsedUpError:
            deepened = [side.deepen() for side in sides]
            if not any(deepened):
                for side in sides:  # the loosest threshold is the one that runs out
                    loosest = [target for target in side.targets if side.refits(target)]
                    for target in loosest[:1]:
                        side.hold(target)
            continue
        return [{key: np.concatenate(parts) for key, parts in collected.items()} for collected in found]


def _draws(subjects: int, options: BootstrapOptions, chunk: int) -> Iterator[NDArray[np.float64]]:
    for weights in draw_weights(subjects, options.replicates, options.seed, chunk):
        yield np.ascontiguousarray(weights.T)
