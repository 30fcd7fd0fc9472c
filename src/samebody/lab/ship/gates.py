"""Judge a candidate: accuracy overall and by group against the float model, time, size, parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from samebody.lab.evaluate.compare import finite
from samebody.lab.evaluate.runs import Run
from samebody.lab.evaluate.stored import plain
from samebody.lab.ship.errors import GateFailedError, ShipError
from samebody.lab.ship.gate_file import (
    VERIFICATION_METRICS,
    AccuracyGate,
    GateFile,
    LatencyGate,
    ParametersGate,
    SizeGate,
    WhenUnclear,
)
from samebody.lab.ship.graph import digest_of, outputs_of, parameters_of, session_of
from samebody.lab.ship.measures import Sides, cells_of, subject_numbers
from samebody.lab.ship.paired import PairedRate, paired_rates
from samebody.lab.ship.samples import Samples
from samebody.lab.ship.timing import measure_times

Status = Literal["kept", "broken", "unclear"]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """One gate on one group.

    Attributes:
        gate: its title.
        group: name, ``all``, or empty for time and size.
        status: ``kept``, ``broken``, or ``unclear`` when the interval holds the limit or there is too little to judge.
        passed: what follows, by the rule that the gate declares for the unclear.
        why: in words, with the figures.
        figures: JSON-ready.
    """

    gate: str
    group: str
    status: Status
    passed: bool
    why: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateReport:
    """All gates on a candidate.

    Attributes:
        title: of the gate file.
        outcomes: in the order of the file.
        candidate, float_model: SHA-256; ``float_model`` empty without one.
        samples: count, people, source, digest.
        notes: what a reader must know.
    """

    title: str
    outcomes: tuple[GateOutcome, ...]
    candidate: str
    float_model: str
    samples: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Every gate passed."""
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def failed(self) -> tuple[GateOutcome, ...]:
        """The outcomes that did not pass."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)

    def require(self) -> None:
        """Return when every gate passed.

        Raises:
            GateFailedError: names every gate that did not, with its figures.
        """
        if self.passed:
            return
        lines = [f"\n  - {o.gate}{f' [{o.group}]' if o.group else ''}: {o.status}. {o.why}" for o in self.failed]
        count = "1 gate refuses" if len(lines) == 1 else f"{len(lines)} gates refuse"
        raise GateFailedError(f"{count} the model:{''.join(lines)}", hint="\nNothing was shipped.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers that are not finite are None."""
        fields: dict[str, Any] = finite(plain(asdict(self)))
        return {"schema_version": 1, "kind": "ship-gates", "passed": self.passed, **fields}


def run_gates(
    gates: GateFile,
    candidate: bytes,
    float_model: bytes | None,
    samples: Samples,
    progress: Callable[[str], None] = lambda title: None,
    *,
    runs: tuple[Run, Run] | None = None,
) -> GateReport:
    """Judge ``candidate`` by every gate.

    Args:
        gates: what is asked.
        candidate: ONNX graph.
        float_model: the graph it is compared with; None for a candidate by itself.
        samples: real inputs that neither training nor calibration has seen.
        progress: told each gate's title.
        runs: of `samebody evaluate verification`, float model and candidate, for gates on ``fnmr`` and ``fmr``; made
            from the samples otherwise.

    Raises:
        SamplesError, ShipError, RunsDifferError: a gate asks for what samples or outputs do not hold.
    """
    notes = [] if "subject" in samples.columns else ["the samples name no subjects: each counts as another person"]
    models = [float_model, candidate]
    needs_outputs = any(isinstance(gate, AccuracyGate) for gate in gates.gates)
    before, after = (
        None if data is None or not needs_outputs else outputs_of(session_of(data), samples) for data in models
    )
    outcomes: list[GateOutcome] = []
    for gate in gates.gates:
        progress(gate.title)
        if isinstance(gate, AccuracyGate):
            assert after is not None
            outcomes += _accuracy(gate, gates, Sides(samples, before, after), runs)
        elif isinstance(gate, LatencyGate):
            outcomes.append(_latency(gate, gates, candidate, float_model, samples))
        elif isinstance(gate, SizeGate):
            outcomes.append(_size(gate, candidate, float_model))
        else:
            outcomes.append(_parameters(gate, candidate))
    return GateReport(
        gates.title,
        tuple(outcomes),
        digest_of(candidate),
        "" if float_model is None else digest_of(float_model),
        {
            "count": len(samples),
            "subjects": int(subject_numbers(samples).max()) + 1,
            "source": samples.source,
            "sha256": samples.digest,
        },
        tuple(notes),
    )


def _accuracy(gate: AccuracyGate, gates: GateFile, sides: Sides, runs: tuple[Run, Run] | None) -> list[GateOutcome]:
    if gate.metric in VERIFICATION_METRICS:
        from samebody.lab.ship.verification import verification_rates

        rates: Sequence[PairedRate] = verification_rates(gate, gates.bootstrap, sides, runs)
    else:
        rates = paired_rates(cells_of(gate, sides), subject_numbers(sides.samples), gates.bootstrap)
    return [_judged(gate, rate) for rate in rates]


def _judged(gate: AccuracyGate, rate: PairedRate) -> GateOutcome:
    words = []
    if rate.before is not None:
        words.append(f"float {100 * rate.before:.4g} %")
    words.append(f"candidate {100 * rate.after:.4g} % ({_percent(rate.after_interval)})")
    if gate.worse_by_points is not None:
        assert rate.difference is not None and rate.difference_interval is not None
        limit, reached = gate.worse_by_points, 100 * rate.difference
        interval = (100 * rate.difference_interval[0], 100 * rate.difference_interval[1])
        words.append(f"difference {reached:+.3g} points ({interval[0]:+.3g} to {interval[1]:+.3g})")
    elif gate.worse_by_factor is not None:
        assert rate.ratio_interval is not None
        limit, interval = gate.worse_by_factor, rate.ratio_interval
        reached = rate.ratio if rate.ratio is not None else float(np.sqrt(interval[0] * interval[1]))
        words.append(f"factor {reached:.3g} ({interval[0]:.3g} to {interval[1]:.3g})")
    else:
        assert gate.at_most is not None
        limit, reached, interval = gate.at_most, rate.after, rate.after_interval
    words.append(f"limit {limit:g}")
    words.append(f"{rate.trials:,} samples of {rate.subjects:,} people" + (", indicative" if rate.indicative else ""))
    if rate.trials < gate.least:
        words.append(f"at least {gate.least} samples are asked for")
        interval = (-np.inf, np.inf)
    return _outcome(gate.title, rate.group, interval, reached, limit, gate.when_unclear, words, asdict(rate))


def _outcome(
    title: str,
    group: str,
    interval: Interval,
    reached: float,
    limit: float,
    rule: WhenUnclear,
    words: list[str],
    figures: dict[str, Any],
) -> GateOutcome:
    """Kept when the whole interval is within the limit, broken when it is beyond, unclear otherwise."""
    low, high = interval
    status: Status = "kept" if high <= limit else "broken" if low > limit else "unclear"
    passed = status == "kept"
    if status == "unclear":
        passed = rule == "pass" or (rule == "estimate" and bool(reached <= limit))
        words = [*words, f"cannot say; by the gate's rule ({rule}) it {'passes' if passed else 'is refused'}"]
    return GateOutcome(title, group, status, passed, "; ".join(words), {**figures, "limit": limit})


def _percent(interval: Interval) -> str:
    return f"{100 * interval[0]:.4g} to {100 * interval[1]:.4g}"


def _latency(
    gate: LatencyGate, gates: GateFile, candidate: bytes, float_model: bytes | None, samples: Samples
) -> GateOutcome:
    if gate.at_most_ratio is not None and float_model is None:
        raise ShipError(f"the gate {gate.title!r} compares with a float model, and there is none.")
    batch = next(samples.batches(gate.batch))
    if len(next(iter(batch.values()))) < gate.batch:
        raise ShipError(f"the gate {gate.title!r} asks for a batch of {gate.batch}, there are {len(samples)} samples.")
    after = session_of(candidate, threads=gate.threads)
    before = None if float_model is None else session_of(float_model, threads=gate.threads)
    timing = measure_times(
        after, before, batch, rounds=gate.rounds, runs=gate.runs, threads=gate.threads, level=gates.bootstrap.level
    )
    words = [f"candidate {timing.after_ms:.3g} ms ({timing.after_interval[0]:.3g} to {timing.after_interval[1]:.3g})"]
    if timing.ratio is not None and timing.ratio_interval is not None:
        low, high = timing.ratio_interval
        words.append(f"float {timing.before_ms:.3g} ms, ratio {timing.ratio:.3g} ({low:.3g} to {high:.3g})")
    words.append(f"{timing.rounds} rounds in turn on {timing.machine}")
    if gate.at_most_ratio is not None:
        assert timing.ratio is not None and timing.ratio_interval is not None
        reached, interval, limit = timing.ratio, timing.ratio_interval, gate.at_most_ratio
    else:
        assert gate.at_most_ms is not None
        reached, interval, limit = timing.after_ms, timing.after_interval, gate.at_most_ms
    return _outcome(gate.title, "", interval, reached, limit, gate.when_unclear, words, asdict(timing))


def _size(gate: SizeGate, candidate: bytes, float_model: bytes | None) -> GateOutcome:
    size = len(candidate)
    kept, words = True, [f"{size:,} bytes"]
    figures: dict[str, Any] = {"bytes": size}
    if gate.at_most_bytes is not None:
        kept &= size <= gate.at_most_bytes
    if gate.at_most_ratio is not None:
        if float_model is None:
            raise ShipError(f"the gate {gate.title!r} compares with a float model, and there is none.")
        ratio = size / len(float_model)
        kept &= ratio <= gate.at_most_ratio
        words.append(f"float {len(float_model):,} bytes, ratio {ratio:.3f}")
        figures |= {"float_bytes": len(float_model), "ratio": ratio}
    return GateOutcome(gate.title, "", "kept" if kept else "broken", kept, "; ".join(words), figures)


def _parameters(gate: ParametersGate, candidate: bytes) -> GateOutcome:
    count = parameters_of(candidate)
    kept = count <= gate.at_most
    return GateOutcome(
        gate.title, "", "kept" if kept else "broken", kept, f"{count:,} parameters", {"parameters": count}
    )
