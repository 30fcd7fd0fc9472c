"""Two modalities, one decision: what a face score and an iris score of one candidate say together.

Two rules, and the result names which one was used.

``llr-sum``
    Where both modalities have a measured calibration (``reliability`` in the record), their bounded natural
    log-likelihood ratios are added, which takes the two as independent given whether both samples are of one person. A
    calibrated ratio of ``x`` or more is reached by non-mated comparisons at a rate of at most ``1/x`` (Markov's
    inequality; I. J. Good 1950), so a sum of ``-ln(FMR)`` is asked for.
``both``
    Where a calibration is missing, *each* modality has to reach a threshold of its own. Without further assumption
    each has to reach that of the full FMR, because the joint rate is only known to be at most the smaller one. Told
    that the modalities are independent (``independent=True``), each has to reach that of the square root, because the
    joint rate is then the product.

A candidate with one modality is decided by that one, at the full FMR (``single``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from samebody.errors import UsageError
from samebody.models.reliability import Line
from samebody.search.thresholds import ErrorRates, RateThreshold, ScoreRate

Rule = Literal["single", "llr-sum", "both"]


class FusionError(UsageError):
    """Scores to be fused are missing, or of modalities without error rates."""

    code = "search.fusion"


@dataclass(frozen=True, slots=True)
class FusionRule:
    """How candidates of one search are decided, fixed before any score is seen.

    Attributes:
        rule: ``single``, ``llr-sum`` or ``both``.
        fmr: per candidate subject, at most.
        thresholds: score that each modality has to reach by itself (``single`` and ``both``).
        llr: sum that has to be reached (``llr-sum``); else None.
        floors: by modality. An accepted candidate reaches at least one of them, so that whoever is found in none of
            the searches down to these floors can be left out without changing a decision.
        independent: the rule rests on the modalities' being independent.
    """

    rule: Rule
    fmr: float
    thresholds: Mapping[str, RateThreshold] = field(default_factory=dict)
    llr: float | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    independent: bool = False

    @property
    def extrapolated(self) -> bool:
        """Whether a threshold lies beyond the measured tail."""
        return any(threshold.extrapolated for threshold in self.thresholds.values())


@dataclass(frozen=True, slots=True)
class Fused:
    """What the scores of one candidate say.

    Attributes:
        rule: that was applied; ``single`` when the candidate has one modality only.
        accepted: the rule is met.
        fmr: upper value of the rate at which non-mated candidates look at least like this.
        llr: sum of bounded log-likelihood ratios, where ``llr-sum`` was applied.
        rates: of each modality's score.
        extrapolated: ``fmr`` or a threshold rests on an extrapolated point.
    """

    rule: Rule
    accepted: bool
    fmr: float
    llr: float | None
    rates: Mapping[str, ScoreRate]
    extrapolated: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return {
            "rule": self.rule,
            "accepted": self.accepted,
            "fmr": self.fmr,
            "llr": self.llr,
            "extrapolated": self.extrapolated,
            "rates": {name: {"fmr": rate.fmr, "basis": rate.basis} for name, rate in self.rates.items()},
        }


def rule_for(
    rates: Mapping[str, ErrorRates], fmr: float, *, independent: bool = False, allow_extrapolated: bool = False
) -> FusionRule:
    """The rule for candidates that have all modalities of ``rates``.

    Args:
        rates: by modality, one or two.
        fmr: per candidate, at most.
        independent: the modalities may be taken as independent in the rule ``both``.
        allow_extrapolated: points beyond the measured tail may be used.

    Raises:
        FusionError: no modality.
        ThresholdUnknownError: a modality has no point that is strict enough.
    """
    if not rates:
        raise FusionError("a decision needs at least one modality.", hint="Hand over error rates.")
    if len(rates) == 1:
        (name,) = rates
        found = {name: rates[name].threshold(fmr, allow_extrapolated=allow_extrapolated)}
        return FusionRule("single", fmr, found, None, {name: found[name].score})
    lines = {name: held.reliability.line for name, held in rates.items() if held.reliability is not None}
    needed = -math.log(fmr)
    if len(lines) == len(rates) and sum(line.bounds[1] for line in lines.values()) >= needed:
        floors = {name: _score_at(line, needed / len(lines)) for name, line in lines.items()}  # one has half the sum
        return FusionRule("llr-sum", fmr, {}, needed, floors, True)
    each = fmr ** (1 / len(rates)) if independent else fmr
    found = {name: held.threshold(each, allow_extrapolated=allow_extrapolated) for name, held in rates.items()}
    return FusionRule("both", fmr, found, None, {n: t.score for n, t in found.items()}, independent)


def _score_at(line: Line, llr: float) -> float:
    if llr <= line.bounds[0] or line.slope <= 0:
        return -math.inf
    if llr > line.bounds[1]:
        return math.inf  # this modality cannot say as much
    return float((llr - line.offset) / line.slope) - 1e-6  # a little lower: rounding must not lose a candidate


def fuse(
    scores: Mapping[str, float],
    rates: Mapping[str, ErrorRates],
    rule: FusionRule,
    singles: Mapping[str, FusionRule],
    *,
    allow_extrapolated: bool = False,
) -> Fused:
    """Decide one candidate.

    Args:
        scores: by modality: those that probe and candidate both have.
        rates: of every modality in ``scores``.
        rule: for candidates with all modalities.
        singles: for candidates with one modality.

    Raises:
        FusionError: no score, or a modality without rates.
    """
    if not scores or any(name not in rates for name in scores):
        raise FusionError("a candidate needs at least one score of a modality with known error rates.")
    found = {n: rates[n].fmr_at(s, allow_extrapolated=allow_extrapolated) for n, s in scores.items()}
    leaning = any(rate.extrapolated for rate in found.values())
    if len(scores) == 1:
        ((name, score),) = scores.items()
        asked = singles.get(name)
        accepted = asked is not None and score >= asked.thresholds[name].score
        leaning = leaning or (asked is not None and asked.extrapolated)
        return Fused("single", accepted, found[name].fmr, None, found, leaning)
    if rule.rule == "llr-sum":
        total = 0.0
        for name, score in scores.items():
            held = rates[name].reliability
            if held is None:
                raise FusionError(f"{rates[name].label} has no calibration.", hint="Use the rule 'both'.")
            total += held.likelihood(score).llr
        accepted = rule.llr is not None and total >= rule.llr
        return Fused("llr-sum", accepted, min(1.0, math.exp(-total)), total, found, leaning)
    accepted = all(scores[name] >= threshold.score for name, threshold in rule.thresholds.items())
    joint = math.prod(r.fmr for r in found.values()) if rule.independent else min(r.fmr for r in found.values())
    return Fused("both", accepted, joint, None, found, leaning or rule.extrapolated)
