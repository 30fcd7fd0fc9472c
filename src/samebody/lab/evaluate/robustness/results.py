"""What a robustness evaluation found, as plain figures that are written and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from samebody.lab.evaluate.results import Algorithm, DataSet, Provenance
from samebody.lab.evaluate.stored import StoredResult
from samebody.measure import RateEstimate


@dataclass(frozen=True, slots=True)
class FixedThreshold:
    """A threshold that stood before anything was corrupted.

    Attributes:
        target: FMR that it was chosen for.
        value: accept when ``score >= value``.
        source: population and data set that it comes from.
    """

    target: float
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class LadderRates:
    """Errors at one fixed threshold.

    Attributes:
        target: of the threshold.
        fnmr: mated comparisons of a clean reference with a corrupted probe; subject bootstrap. None without any.
        fmr: non-mated ones; vertex bootstrap. None without any.
        own: corrupted pictures that no longer match *themselves* uncorrupted. No FNMR: a second picture of a person
            is never as near as the same picture. None where it was not looked at.
    """

    target: float
    fnmr: RateEstimate | None = None
    fmr: RateEstimate | None = None
    own: RateEstimate | None = None


@dataclass(frozen=True, slots=True)
class LadderRow:
    """One corruption at one strength on one group of one set.

    Attributes:
        dataset: name of the set.
        corruption, unit, strength: what was done; ``none`` and 0 for the clean pictures.
        group: label of the evaluation data; ``all`` for everybody.
        fta: corrupted pictures that gave no template / all; in no denominator of the rates.
        reasons: how often each reason was given.
        rates: in the order of the thresholds.
    """

    dataset: str
    corruption: str
    unit: str
    strength: float
    group: str
    fta: RateEstimate
    reasons: Mapping[str, int]
    rates: tuple[LadderRates, ...]

    def refused(self, target: float) -> float | None:
        """``FTA + FNMR (1 - FTA)``: how often a person is turned away; None without mated comparisons."""
        for entry in self.rates:
            if entry.target == target and entry.fnmr is not None:
                return self.fta.rate + entry.fnmr.rate * (1 - self.fta.rate)
        return None


@dataclass(frozen=True, slots=True)
class AttackRow:
    """One attack at one strength against one threshold.

    Attributes:
        method: ``black box``, ``transfer``, ``random noise``, ``patch``, ``plain patch``.
        goal: ``dodging`` (a person is no longer matched with themself) or ``impersonation``.
        strength, unit: grey levels of L-infinity, or share of the face.
        queries: comparisons that the attacker may ask for, for each pair.
        target, threshold: what was to be crossed.
        eligible: pairs on the right side of the threshold before the attack; only these are tried and counted.
        success: pairs (patches: presentations) on the wrong side afterwards; over attackers.
        median_queries: until the threshold was crossed, over the successes; None where it does not apply.
        no_template: presentations that gave no template: neither a success nor in the denominator.
        examined: where it was judged: ``crop`` or ``picture``.
    """

    method: str
    goal: str
    strength: float
    unit: str
    queries: int
    target: float
    threshold: float
    eligible: int
    success: RateEstimate | None
    median_queries: float | None = None
    no_template: int = 0
    examined: str = "crop"


@dataclass(frozen=True, slots=True)
class RobustnessResult(StoredResult):
    """Ladder and attacks of one algorithm.

    Attributes:
        algorithm, datasets: what was measured on what.
        thresholds: fixed beforehand.
        ladder, attacks: figures.
        notes: what a reader must know before quoting a figure.
        provenance: how it was made.
    """

    KIND: ClassVar[str] = "robustness"

    algorithm: Algorithm
    datasets: tuple[DataSet, ...]
    thresholds: tuple[FixedThreshold, ...]
    ladder: tuple[LadderRow, ...]
    attacks: tuple[AttackRow, ...]
    provenance: Provenance
    notes: tuple[str, ...] = field(default=())
