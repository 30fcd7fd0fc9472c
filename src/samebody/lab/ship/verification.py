"""FNMR and FMR of two embedders on the same samples: runs of :mod:`samebody.lab.evaluate`, compared pair by pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samebody.lab.evaluate.api import evaluate_verification
from samebody.lab.evaluate.compare import Comparison, Difference, compare_runs
from samebody.lab.evaluate.results import Algorithm, DataSet, VerificationResult
from samebody.lab.evaluate.runs import Run
from samebody.lab.evaluate.templates import template_set
from samebody.lab.evaluate.verification import VerificationOptions
from samebody.lab.ship.errors import SamplesError, ShipError
from samebody.lab.ship.gate_file import ALL, EACH, AccuracyGate, Draws
from samebody.lab.ship.measures import Outputs, Sides
from samebody.lab.ship.paired import PairedRate
from samebody.lab.ship.samples import Samples
from samebody.measure import BootstrapOptions


def verification_rates(
    gate: AccuracyGate, draws: Draws, sides: Sides | None, runs: tuple[Run, Run] | None = None
) -> tuple[PairedRate, ...]:
    """The rates that a gate on ``fnmr`` or ``fmr`` looks at, all templates compared with all.

    Args:
        gate, draws: what is asked.
        sides: embeddings of both models with ``subject`` and, for groups, ``group``.
        runs: run folders of `samebody evaluate verification` of the float model and the candidate, instead.

    Each model has its own threshold for ``at_fmr`` on these samples, found anew in every draw of people; see
    :func:`samebody.lab.evaluate.compare.compare_runs`.

    Raises:
        SamplesError: no column ``subject`` (or ``group`` where groups are asked for), or no mated pair.
        ShipError: there is no float model, or the output is no embedding.
    """
    if runs is None:
        if sides is None or sides.before is None:
            raise ShipError(f"the gate {gate.title!r} needs a float model to compare with.")
        before, after = (_run(name, outputs, gate, draws, sides.samples) for name, outputs in _named(sides))
    else:
        before, after = runs
    options = BootstrapOptions(replicates=draws.replicates, seed=draws.seed, level=draws.level)
    comparison = compare_runs(before, after, targets=[gate.at_fmr or 0.0], options=options)
    return _rates_of(comparison, gate, after.result)


def _rates_of(comparison: Comparison, gate: AccuracyGate, after: VerificationResult) -> tuple[PairedRate, ...]:
    """The differences of a comparison that a gate looks at; on each group with simultaneous intervals."""
    groups = comparison.groups if gate.group == EACH else (gate.group,)
    found = []
    for group in groups:
        try:
            found.append(comparison.find(gate.metric, gate.at_fmr, group))
        except KeyError:
            if gate.group != EACH:
                known = ", ".join(comparison.groups) or "none"
                raise SamplesError(f"{gate.metric} was not measured for {group!r}; groups: {known}.") from None
    if not found:
        raise SamplesError("the samples have no groups to judge each of.", hint="Give them a column group.")
    return tuple(_rate(entry, _own_interval(entry, gate, after), each=gate.group == EACH) for entry in found)


def _own_interval(entry: Difference, gate: AccuracyGate, result: VerificationResult) -> tuple[float, float]:
    """The interval of the candidate's own rate, as its evaluation has it."""
    place = next(n for n, row in enumerate(result.thresholds) if row.target == entry.target)
    row = result.thresholds[place]
    rates = row if entry.group == ALL else next(g for g in result.groups if g.name == entry.group).rates[place]
    estimate = rates.fnmr if gate.metric == "fnmr" else rates.fmr
    return (0.0, 1.0) if estimate is None else (float(estimate.interval[0]), float(estimate.interval[1]))


def _rate(entry: Difference, own: tuple[float, float], *, each: bool) -> PairedRate:
    interval = entry.simultaneous if each else entry.interval
    return PairedRate(
        group=entry.group,
        before=entry.a,
        after=entry.b,
        after_interval=own,
        difference=entry.difference,
        difference_interval=interval,
        ratio=entry.ratio,
        ratio_interval=entry.ratio_interval,
        errors_before=entry.errors_a,
        errors_after=entry.errors_b,
        trials=entry.trials_b,
        subjects=entry.subjects,
        indicative=entry.indicative,
    )


def _named(sides: Sides) -> tuple[tuple[str, Outputs], tuple[str, Outputs]]:
    assert sides.before is not None
    return ("float", sides.before), ("candidate", sides.after)


def _run(name: str, outputs: Outputs, gate: AccuracyGate, draws: Draws, samples: Samples) -> Run:
    values = outputs[gate.output or next(iter(outputs))]
    if values.ndim < 2 or values.reshape(len(values), -1).shape[1] < 2:
        raise ShipError(f"an output of shape {list(values.shape)} is no embedding.")
    vectors = values.reshape(len(values), -1).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    arrays: dict[str, object] = {
        "templates": vectors / np.maximum(lengths, 1e-12),
        "subject": np.asarray(samples.column("subject")).astype(np.str_),
        "sample": np.array([f"{place:06d}" for place in range(len(samples))]),
    }
    if gate.grouped_by in samples.columns:
        arrays["group"] = np.asarray(samples.columns[gate.grouped_by]).astype(np.str_)
    result, scores = evaluate_verification(
        template_set(arrays, name),
        options=VerificationOptions(
            targets=[gate.at_fmr or 0.0],
            bootstrap=BootstrapOptions(replicates=max(100, draws.replicates // 10), seed=draws.seed, level=draws.level),
        ),
        algorithm=Algorithm(name),
        dataset=DataSet(samples.source or "samples"),
        command="samebody ship gate",
    )
    return Run(Path(name), result, scores)
