"""All pairs of templates compared, to mated and non-mated distributions, without storing the scores.

Start with :func:`compare_all`::

    found = compare_all(vectors, subject, group, keep_fmr=1e-3, engine="local", checkpoint=Path("pairs.npz"))
    found.threshold_at_fmr(1e-6)     # exact: from the scores that were kept one by one
    found.fmr([0.3, 0.4])            # exact from found.floor on, bins below
    found.trials, found.errors(0.4)  # (groups, groups) matrices
    found.counts, found.group_pairs  # exact histograms by pair of groups, 32,768 bins over [-1, 1]
    found.mated, found.mated_first, found.mated_second   # every mated pair
    found.run.processes              # who counted: ids of the processes

``engine="ray"`` counts the same tiles with the same function on a Ray cluster. Both engines resume from ``checkpoint``
after a kill, and give the same figures to the last count whatever the number of threads or workers.
"""

from __future__ import annotations

from samebody.lab.evaluate.all_pairs.checkpoint import CheckpointError
from samebody.lab.evaluate.all_pairs.engine import compare_all
from samebody.lab.evaluate.all_pairs.result import AllPairs, EngineRun

__all__ = ["AllPairs", "CheckpointError", "EngineRun", "compare_all"]
