"""From templates to the distributions of all their pairs, on the threads of this machine or on a Ray cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.errors import UsageError
from samebody.lab.evaluate.all_pairs.checkpoint import Checkpoint
from samebody.lab.evaluate.all_pairs.cluster import count_on_ray
from samebody.lab.evaluate.all_pairs.result import AllPairs, EngineRun
from samebody.measure import CellPairs, allowed_errors
from samebody.measure.all_pairs import MATED_LIMIT, Progress, count_all, mated_pairs, usable_cores
from samebody.measure.errors import InvalidScoresError
from samebody.measure.kernels import Kernel, chosen_kernel
from samebody.measure.pair_counts import Tally, exact_scores
from samebody.measure.pair_plan import (
    COLUMNS,
    ROWS,
    checked_codes,
    checked_templates,
    group_slots,
    plan_pairs,
)

BINS = 32_768
"""Bins of 2**-14 over [-1, 1]: a power of two, so that binning is exact in float32."""

ALWAYS_KEPT = 10_000
"""The largest scores that are kept whatever the rate: for lists of the worst errors and fits of the tail."""

Engine = Literal["local", "ray"]


class UnknownEngineError(UsageError):
    """There is no engine of that name."""

    code = "evaluate.unknown_engine"


def compare_all(
    vectors: NDArray[np.float32],
    subject: ArrayLike,
    group: ArrayLike | None = None,
    *,
    keep_fmr: float = 1e-3,
    bins: int = BINS,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    kernel: Kernel = "auto",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 30.0,
    progress: Progress | None = None,
    mated_limit: int = MATED_LIMIT,
    block: tuple[int, int] = (ROWS, COLUMNS),
) -> AllPairs:
    """Compare every pair of templates by the cosine: count the non-mated scores, list the largest and all mated ones.

    Args:
        vectors: (n, d) float32 rows of unit length.
        subject: (n,) integer codes from 0 on; pairs of one subject are mated.
        group: (n,) integer codes from 0 on, -1 without a label; None puts all into group 0.
        keep_fmr: thresholds are exact up to this false match rate.
        bins: of each histogram; a power of two is binned without rounding.
        engine: ``local`` runs threads of this process, ``ray`` the workers of a cluster.
        workers: threads or Ray workers; None takes one for each core.
        address: of a Ray cluster; None starts one on this machine.
        kernel: numba or numpy; the counts are the same.
        checkpoint: file that a killed run resumes from; removed when the run is complete.
        checkpoint_seconds: between two writings of it.
        progress: called with (scores done, scores in all), after each tile.
        mated_limit: the most mated pairs that are listed.
        block: (rows, columns) of a matrix product. The last bit of a float32 product, and with it the bin of a score
            next to an edge, may depend on it, on the BLAS and on the processor; nothing depends on how many work.

    Raises:
        InvalidScoresError: shapes that do not fit, rows not of unit length, codes that are no whole numbers.
        InvalidRateError: bins, rate or workers out of range.
        EmptyClassError: all templates belong to one subject.
        TooManyScoresError: histograms, mated pairs or ties beyond what memory is meant for.
        KernelMissingError, MissingExtraError: numba or Ray were asked for and are not installed.
        CheckpointError: the checkpoint is of other work.
        ClusterError: the cluster failed.
        UnknownEngineError: another engine.
    """
    if engine not in ("local", "ray"):
        raise UnknownEngineError(f"there is no engine {engine!r}.", hint="Take local or ray.")
    matrix = checked_templates(vectors)
    people = checked_codes(subject, len(matrix), "subjects")
    labels = (
        np.zeros(len(matrix), np.int64) if group is None else checked_codes(group, len(matrix), "groups", lowest=-1)
    )
    if not len(matrix):
        raise InvalidScoresError("there are no templates.")
    groups = int(labels.max()) + 1
    lowest = min(int(labels.min()), 0)
    cell, cells = labels - lowest, groups - lowest
    graph = CellPairs(people, cell, np.ones((cells, cells), dtype=bool), int(people.max()) + 1)
    pairs = graph.pairs()
    keep = max(allowed_errors(keep_fmr, pairs) + 1, ALWAYS_KEPT) if pairs else 1
    plan = plan_pairs(matrix, people, cell, group_slots(cells), pairs=pairs, keep=keep, bins=bins, block=block)
    mated_first, mated_second = mated_pairs(people, mated_limit)

    began = time.perf_counter()
    kept = None if checkpoint is None else Checkpoint(checkpoint, plan, checkpoint_seconds)
    tally = Tally(plan) if kept is None else kept.load()
    resumed = len(tally.done)
    after = None if kept is None else kept.after
    if engine == "ray":
        workers = count_on_ray(
            plan, tally, workers=workers, address=address, kernel=kernel, progress=progress, after=after
        )
    else:
        workers = usable_cores() if workers is None else workers
        count_all(plan, threads=workers, kernel=kernel, progress=progress, tally=tally, after=after)
    scores, first, second, floor = tally.tail(kernel)
    mated = exact_scores(matrix, mated_first, mated_second, kernel)
    run = EngineRun(
        engine=engine,
        kernel=chosen_kernel(kernel),
        workers=workers,
        processes=tuple(sorted(tally.processes)),
        tiles=len(plan.tiles),
        resumed=resumed,
        seconds=time.perf_counter() - began,
    )
    upper = np.stack(np.triu_indices(cells), axis=1)
    found = AllPairs(
        subject=people,
        group=labels,
        groups=groups,
        bins=bins,
        counts=tally.counts,
        group_pairs=(upper + lowest).astype(np.int16),
        tail=scores,
        first=first,
        second=second,
        floor=floor,
        mated=mated,
        mated_first=mated_first,
        mated_second=mated_second,
        graph=graph,
        run=run,
    )
    if kept is not None:
        kept.remove()
    return found
