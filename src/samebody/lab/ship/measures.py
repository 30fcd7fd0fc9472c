"""From outputs of two models and what is known of the samples to the rates that accuracy gates look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.pad import BONA_FIDE
from samebody.lab.ship.errors import SamplesError, ShipError
from samebody.lab.ship.gate_file import ALL, EACH, AccuracyGate
from samebody.lab.ship.paired import (
    Cell,
    Flags,
    RateOf,
    Weights,
    accepted_at_bpcer,
    ratio_of_sums,
    share,
    threshold_at_bpcer,
    worst,
)
from samebody.lab.ship.samples import Samples

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Sides:
    """Outputs of the float model (None without one) and of the candidate on the same samples."""

    samples: Samples
    before: Outputs | None
    after: Outputs


def subject_numbers(samples: Samples) -> NDArray[np.int64]:
    """(samples,) number of each sample's person; without a column ``subject`` everybody is another person."""
    if "subject" not in samples.columns:
        return np.arange(len(samples))
    names = np.asarray(samples.columns["subject"]).astype(np.str_)
    unknown = np.flatnonzero(names == "")
    names[unknown] = [f"\0{place}" for place in unknown]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def cells_of(gate: AccuracyGate, sides: Sides) -> tuple[Cell, ...]:
    """The rates that a gate looks at: one, or one a group.

    Raises:
        SamplesError: the samples lack a column, or it does not fit.
        ShipError: the output does not fit the metric, or a relative gate has no float model.
    """
    if gate.metric == "disagreement" or gate.at_most is None:
        _need_float(gate, sides)
    builders = {"error": _errors, "disagreement": _disagreement, "iou": _iou, "bpcer": _bpcer, "apcer": _apcer}
    return builders[gate.metric](gate, sides)


def _need_float(gate: AccuracyGate, sides: Sides) -> None:
    if sides.before is None:
        raise ShipError(f"the gate {gate.title!r} compares with a float model, and there is none.", hint="Use at_most.")


def _output(gate: AccuracyGate, outputs: Outputs) -> NDArray[Any]:
    name = gate.output or next(iter(outputs))
    if name not in outputs:
        raise ShipError(f"the model has no output {name!r}.", hint=f"Outputs: {', '.join(outputs)}.")
    return outputs[name]


def _scores(gate: AccuracyGate, outputs: Outputs) -> NDArray[np.float64]:
    values = _output(gate, outputs)
    flat = values.reshape(len(values), -1).astype(np.float64)
    if flat.shape[1] > 1 and gate.column is None:
        raise ShipError(f"the output has {flat.shape[1]} columns; name the one that is the likelihood: column.")
    if gate.column is not None and gate.column >= flat.shape[1]:
        raise ShipError(f"the output has {flat.shape[1]} columns, and no column {gate.column}.")
    return np.asarray(flat[:, gate.column or 0], dtype=np.float64)


def _labels(samples: Samples) -> NDArray[np.int64]:
    labels = np.asarray(samples.column("label"))
    if labels.dtype.kind not in "iu":
        try:
            labels = labels.astype(np.int64)
        except ValueError:
            raise SamplesError("the column label holds no class numbers.", hint="Number the classes from 0.") from None
    return labels.astype(np.int64)


def _bona_fide(samples: Samples) -> Flags:
    if "species" in samples.columns:
        names = np.char.lower(np.asarray(samples.columns["species"]).astype(np.str_))
        return np.asarray(np.isin(names, BONA_FIDE), dtype=np.bool_)
    return np.asarray(_labels(samples) == 1, dtype=np.bool_)


def groups_of(gate: AccuracyGate, samples: Samples, of: Flags) -> list[tuple[str, Flags]]:
    """The groups that a gate asks for, each with the samples of ``of`` in it.

    Raises:
        SamplesError: there is no such column or group.
    """
    if gate.group == ALL:
        return [(ALL, of)]
    names = np.asarray(samples.column(gate.grouped_by)).astype(np.str_)
    known = [str(name) for name in np.unique(names[of]) if name]
    if gate.group != EACH and gate.group not in known:
        raise SamplesError(
            f"no sample of the group {gate.group!r} in the column {gate.grouped_by}.",
            hint=f"Groups: {', '.join(known) or 'none'}.",
        )
    wanted = known if gate.group == EACH else [gate.group]
    if not wanted:
        raise SamplesError(f"the column {gate.grouped_by} names no group.")
    return [(name, of & (names == name)) for name in wanted]


def _decided(gate: AccuracyGate, outputs: Outputs) -> NDArray[np.int64]:
    """(samples,) class that each sample was put into."""
    values = _output(gate, outputs)
    flat = values.reshape(len(values), -1)
    if flat.shape[1] == 1 or gate.column is not None:
        level = 0.5 if gate.threshold is None else gate.threshold
        return (_scores(gate, outputs) >= level).astype(np.int64)
    if values.ndim > 2 and int(np.prod(values.shape[2:])) > 1:
        raise ShipError(f"an output of shape {list(values.shape)} does not put samples into classes.")
    return np.asarray(flat.argmax(axis=1), dtype=np.int64)


def _shares(gate: AccuracyGate, sides: Sides, wrong: list[Flags | None], of: Flags) -> tuple[Cell, ...]:
    before, after = wrong
    assert after is not None
    return tuple(
        Cell(name, None if before is None else share(before, rows), share(after, rows), rows, before, after)
        for name, rows in groups_of(gate, sides.samples, of)
    )


def _errors(gate: AccuracyGate, sides: Sides) -> tuple[Cell, ...]:
    labels, every = _labels(sides.samples), np.ones(len(sides.samples), dtype=np.bool_)
    wrong: list[Flags | None] = [
        None if outputs is None else np.asarray(_decided(gate, outputs) != labels) for outputs in _both(sides)
    ]
    return _shares(gate, sides, wrong, every)


def _disagreement(gate: AccuracyGate, sides: Sides) -> tuple[Cell, ...]:
    assert sides.before is not None
    differ = _decided(gate, sides.before) != _decided(gate, sides.after)
    every = np.ones(len(sides.samples), dtype=np.bool_)
    return tuple(
        Cell(name, None, share(differ, rows), rows, None, differ)
        for name, rows in groups_of(gate, sides.samples, every)
    )


def _bpcer(gate: AccuracyGate, sides: Sides) -> tuple[Cell, ...]:
    assert gate.threshold is not None
    wrong: list[Flags | None] = [
        None if outputs is None else np.asarray(_scores(gate, outputs) < gate.threshold) for outputs in _both(sides)
    ]
    return _shares(gate, sides, wrong, _some(_bona_fide(sides.samples), "bona fide"))


def _apcer(gate: AccuracyGate, sides: Sides) -> tuple[Cell, ...]:
    """Per species; of all: of the worst one, found anew in each draw, never pooled (ISO/IEC 30107-3:2023)."""
    bona_fide = _some(_bona_fide(sides.samples), "bona fide")
    attacks = _some(~bona_fide, "attack")
    scores = [None if outputs is None else _scores(gate, outputs) for outputs in _both(sides)]
    wrong = [None if s is None else _accepted(gate, s, bona_fide) for s in scores]

    def rate(which: int, rows: Flags) -> RateOf | None:
        one, two = scores[which], wrong[which]
        if one is None or two is None:
            return None
        if gate.at_bpcer is not None:
            return accepted_at_bpcer(one, bona_fide, rows, gate.at_bpcer)
        return share(two, rows)

    if gate.group != ALL:
        found = groups_of(gate, sides.samples, attacks)
        return tuple(Cell(name, rate(0, rows), _given(rate(1, rows)), rows, *wrong) for name, rows in found)
    column = gate.grouped_by
    if column not in sides.samples.columns:
        raise SamplesError(f"the samples name no {column}: the APCER is that of the worst one, never pooled.")
    species = groups_of(gate.model_copy(update={"group": EACH}), sides.samples, attacks)
    ones = np.ones((1, len(attacks)))
    shares = [float(_given(rate(1, rows))(ones)[0]) for _, rows in species]
    hardest = int(np.argmax(shares))
    before = [one for _, rows in species if (one := rate(0, rows)) is not None]
    name, rows = species[hardest]
    after = worst([_given(rate(1, rows)) for _, rows in species])
    return (Cell(f"worst species: {name}", worst(before) if before else None, after, rows, *wrong),)


def _accepted(gate: AccuracyGate, scores: NDArray[np.float64], bona_fide: Flags) -> Flags:
    """Samples at or above the threshold, on the samples as they are."""
    level = gate.threshold
    if gate.at_bpcer is not None:
        level = float(threshold_at_bpcer(scores, bona_fide, gate.at_bpcer, np.ones((1, len(scores))))[0])
    assert level is not None
    return np.asarray(scores >= level, dtype=np.bool_)


def _iou(gate: AccuracyGate, sides: Sides) -> tuple[Cell, ...]:
    truth = np.asarray(sides.samples.column("mask"))
    every = np.ones(len(sides.samples), dtype=np.bool_)
    sums = [None if outputs is None else _overlap(gate, outputs, truth) for outputs in _both(sides)]
    before, after = sums
    assert after is not None
    return tuple(
        Cell(name, None if before is None else ratio_of_sums(*before, rows), ratio_of_sums(*after, rows), rows)
        for name, rows in groups_of(gate, sides.samples, every)
    )


def _overlap(
    gate: AccuracyGate, outputs: Outputs, truth: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(samples, classes) pixels in both and pixels in either."""
    values = _output(gate, outputs)
    if values.ndim != 4:
        raise ShipError(f"an output of shape {list(values.shape)} holds no masks.")
    if truth.ndim == 3:  # one class a pixel
        seen = values.argmax(axis=1)[:, None] == np.arange(values.shape[1])[:, None, None]
        true = truth[:, None] == np.arange(values.shape[1])[:, None, None]
    else:
        seen = values >= (0.5 if gate.threshold is None else gate.threshold)
        true = truth >= 0.5 if truth.dtype.kind == "f" else truth > 0  # shares of a pixel, or flags
    if seen.shape != true.shape:
        raise SamplesError(f"the masks have shape {list(true.shape)}, the output {list(seen.shape)}.")
    both, either = (part.sum(axis=(2, 3)).astype(np.float64) for part in (seen & true, seen | true))
    return both, either


def _both(sides: Sides) -> tuple[Outputs | None, Outputs]:
    return sides.before, sides.after


def _some(flags: Flags, what: str) -> Flags:
    if not flags.any():
        raise SamplesError(f"there is no {what} sample.")
    return flags


def _given(rate: RateOf | None) -> RateOf:
    assert rate is not None
    return rate


__all__ = ["Outputs", "Sides", "Weights", "cells_of", "groups_of", "subject_numbers"]
