"""Time of two graphs on one machine, in turn: ratios of neighbours, because the machine is never quiet."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.stats import binom


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of the candidate, and of the float model when there is one.

    Attributes:
        after_ms, before_ms: median over the rounds of the fastest run, milliseconds.
        after_interval: of the candidate's median.
        ratio, ratio_interval: median over the rounds of candidate over float model.
        rounds, runs, batch, threads: how it was measured.
        machine: processor and cores.
    """

    after_ms: float
    after_interval: tuple[float, float]
    before_ms: float | None
    ratio: float | None
    ratio_interval: tuple[float, float] | None
    rounds: int
    runs: int
    batch: int
    threads: int
    machine: str


def measure_times(
    after: onnxruntime.InferenceSession,
    before: onnxruntime.InferenceSession | None,
    tensors: Mapping[str, NDArray[np.float32]],
    *,
    rounds: int,
    runs: int,
    threads: int,
    level: float = 0.95,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Run both graphs in turn; which one goes first changes from round to round.

    Args:
        after, before: sessions with the same number of threads.
        tensors: one batch.
        rounds, runs: rounds of both, runs of each in a round, of which the fastest counts.
        threads: of the sessions, for the report.
        level: of the intervals, which are those of the median by order statistics.
        clock: seconds.
    """
    sessions = [after] if before is None else [after, before]
    names = [[value.name for value in session.get_outputs()] for session in sessions]

    def fastest(which: int) -> float:
        best = np.inf
        for _ in range(runs):
            start = clock()
            sessions[which].run(names[which], dict(tensors))
            best = min(best, clock() - start)
        return best

    for which in range(len(sessions)):
        fastest(which)
    times = np.empty((rounds, len(sessions)))
    for number in range(rounds):
        order = range(len(sessions)) if number % 2 else reversed(range(len(sessions)))
        for which in order:
            times[number, which] = 1000 * fastest(which)
    ratios = None if before is None else times[:, 0] / times[:, 1]
    return Timing(
        float(np.median(times[:, 0])),
        median_interval(times[:, 0], level),
        None if before is None else float(np.median(times[:, 1])),
        None if ratios is None else float(np.median(ratios)),
        None if ratios is None else median_interval(ratios, level),
        rounds,
        runs,
        len(next(iter(tensors.values()))),
        threads,
        f"{platform.machine()}, {os.cpu_count()} cores",
    )


def median_interval(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The narrowest interval of a median between the k-th smallest and the k-th largest value that holds ``level``.

    Exact whatever the distribution: its coverage is 1 - 2 P(B <= k - 1) with B binomial (n, 1/2). With too few values
    for the level it is the whole range.
    """
    ordered, count = np.sort(values), len(values)
    place = (count - 1) // 2
    while place > 0 and 2 * binom.cdf(place, count, 0.5) > 1 - level:
        place -= 1
    return float(ordered[place]), float(ordered[count - 1 - place])
