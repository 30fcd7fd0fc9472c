"""What errors cost: the expected cost of a decision at every threshold, and where it is lowest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import InvalidRateError
from samebody.measure.rates import DetCurve, det_curve


@dataclass(frozen=True, slots=True)
class Costs:
    """What a wrong decision costs and how often impostors come; all in one unit of money or effort.

    Attributes:
        false_accept, false_reject: of one wrong decision, 0 or more.
        impostor: probability that a transaction is an impostor's, 0-1.
        review: of one transaction handed to a person, 0 or more; None where nobody reviews.
        fta: failure-to-acquire rate of a transaction, 0-1; such a transaction is rejected.
    """

    false_accept: float
    false_reject: float
    impostor: float
    review: float | None = None
    fta: float = 0.0

    def __post_init__(self) -> None:
        for name, cost in (("false accept", self.false_accept), ("false reject", self.false_reject)):
            if not 0.0 <= cost < float("inf"):
                raise InvalidRateError(f"the cost of a {name} is 0 or more, got {cost}.")
        if self.review is not None and not 0.0 <= self.review < float("inf"):
            raise InvalidRateError(f"the cost of a review is 0 or more, got {self.review}.")
        for name, rate in (("the share of impostors", self.impostor), ("FTA", self.fta)):
            if not 0.0 <= rate <= 1.0:
                raise InvalidRateError(f"{name} lies in 0-1, got {rate}.")


@dataclass(frozen=True, slots=True)
class CostPoint:
    """The cost of one policy.

    Attributes:
        accept_at: accept when ``score >= accept_at``.
        reject_below: reject when ``score < reject_below``; between the two a person decides. Equal to ``accept_at``
            where nobody reviews.
        expected_cost: of a transaction.
        far, frr: of transactions, failures to acquire included; reviews count as neither.
        review: share of transactions that a person decides.
    """

    accept_at: float
    reject_below: float
    expected_cost: float
    far: float
    frr: float
    review: float


@dataclass(frozen=True, slots=True, eq=False)
class CostCurve:
    """Expected cost against the threshold.

    Attributes:
        costs: what it was computed with.
        thresholds: (k,) rising, the last ``+inf``.
        expected_cost: (k,) with one threshold and no review.
        optimum: the cheapest policy with one threshold; of equal ones that with the highest threshold.
        with_review: the cheapest policy with a band of review; None where nobody reviews. Reviewers are taken to be
            right.
        trivial_cost: of accepting or rejecting everyone, whichever is cheaper.
    """

    costs: Costs
    thresholds: NDArray[np.float64]
    expected_cost: NDArray[np.float64]
    optimum: CostPoint
    with_review: CostPoint | None
    trivial_cost: float

    @property
    def normalised_optimum(self) -> float:
        """Lowest cost over the trivial one: 1 means that the scores buy nothing; NaN where nothing costs anything."""
        return self.optimum.expected_cost / self.trivial_cost if self.trivial_cost > 0 else float("nan")


def cost_curve(mated: ArrayLike, non_mated: ArrayLike, costs: Costs) -> CostCurve:
    """``C = C_fa P(impostor) FAR + C_fr P(genuine) FRR + C_review P(review)`` at every attainable threshold.

    Source: the detection cost function of NIST speaker recognition evaluations, with a cost of review.

    Raises:
        EmptyClassError, InvalidScoresError.
    """
    return cost_curve_from_det(det_curve(mated, non_mated), costs)


def cost_curve_from_det(curve: DetCurve, costs: Costs) -> CostCurve:
    """The same from a DET curve that is already there."""
    impostor, genuine = costs.impostor, 1 - costs.impostor
    acquired = 1 - costs.fta
    lost = costs.false_reject * genuine * costs.fta  # transactions without a sample are rejected whatever the threshold
    accept_cost = costs.false_accept * impostor * acquired * curve.fmr
    reject_cost = costs.false_reject * genuine * acquired * curve.fnmr
    total = accept_cost + reject_cost + lost
    best = int(total.size - 1 - np.argmin(total[::-1]))
    with_review = None
    if costs.review is not None:
        # The cost of a band (low, high) is a part that depends on high alone plus one that depends on low alone.
        reviewed = costs.review * acquired
        upper = accept_cost - reviewed * impostor * curve.fmr + reviewed * genuine * curve.fnmr
        lower = reject_cost - reviewed * genuine * curve.fnmr + reviewed * impostor * curve.fmr
        low_so_far = np.minimum.accumulate(lower)
        band = upper + low_so_far
        high = int(band.size - 1 - np.argmin(band[::-1]))
        low = int(high - np.argmin(lower[: high + 1][::-1]))
        with_review = _point(curve, costs, low, high, float(band[high] + lost))
    return CostCurve(
        costs=costs,
        thresholds=curve.thresholds,
        expected_cost=total,
        optimum=_point(curve, costs, best, best, float(total[best])),
        with_review=with_review,
        trivial_cost=min(costs.false_accept * impostor, costs.false_reject * genuine),
    )


def _point(curve: DetCurve, costs: Costs, low: int, high: int, cost: float) -> CostPoint:
    acquired = 1 - costs.fta
    between = costs.impostor * (curve.fmr[low] - curve.fmr[high]) + (1 - costs.impostor) * (
        curve.fnmr[high] - curve.fnmr[low]
    )
    return CostPoint(
        accept_at=float(curve.thresholds[high]),
        reject_below=float(curve.thresholds[low]),
        expected_cost=cost,
        far=float(curve.fmr[high] * acquired),
        frr=float(costs.fta + curve.fnmr[low] * acquired),
        review=float(between * acquired),
    )
