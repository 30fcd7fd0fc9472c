"""Face and iris of one candidate: the rule is fixed before a score is seen, and its error rate is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.models.reliability import Line, Reliability
from samebody.search.fusion import FusionError, fuse, rule_for
from samebody.search.thresholds import RateThreshold, ScoreRate, UnitVectorRates


@dataclass(frozen=True)
class Gaussian:
    """Scores N(0, 1) of others, N(shift, 1) of one person: the ratio is a line, so its calibration is exact."""

    shift: float = 5.0
    people: int = 10**6
    label: str = "gaussian"
    calibrated: bool = True

    @property
    def reliability(self) -> Reliability | None:
        if not self.calibrated:
            return None
        line = Line(
            slope=self.shift,
            offset=-(self.shift**2) / 2,
            covariance=(0.0, 0.0, 0.0),
            mated_pairs=10,
            mated_subjects=self.people,
            non_mated_pairs=10,
            non_mated_subjects=self.people,
        )
        return Reliability(dataset="made", population="all-pairs", line=line, cllr=0.1, cllr_min=0.1)

    def threshold(self, fmr: float, *, allow_extrapolated: bool = False) -> RateThreshold:
        from scipy.special import ndtri

        return RateThreshold(float(-ndtri(fmr)), fmr, self.label, "all-pairs")

    def fmr_at(self, score: float, *, allow_extrapolated: bool = False) -> ScoreRate:
        from scipy.special import ndtr

        return ScoreRate(float(ndtr(-score)), "distribution")


FACE, IRIS = Gaussian(4.0), Gaussian(6.0)
BOTH = {"vector": FACE, "iris": IRIS}


def singles(fmr: float) -> dict[str, object]:
    return {name: rule_for({name: held}, fmr) for name, held in BOTH.items()}


def test_a_measured_calibration_is_summed() -> None:
    rule = rule_for(BOTH, 1e-4)
    assert rule.rule == "llr-sum" and rule.independent and rule.llr == pytest.approx(-math.log(1e-4))
    found = fuse({"vector": 3.5, "iris": 4.0}, BOTH, rule, singles(1e-4))  # type: ignore[arg-type]
    assert found.llr == pytest.approx((4 * 3.5 - 8) + (6 * 4.0 - 18), abs=1e-6)
    assert found.accepted and found.fmr == pytest.approx(math.exp(-12.0))


def test_the_sum_keeps_its_error_rate_on_draws() -> None:
    generator = np.random.default_rng(3)
    draws = 200_000
    fmr = 2e-3
    rule = rule_for(BOTH, fmr)
    assert rule.llr is not None
    a, b = generator.standard_normal(draws), generator.standard_normal(draws)
    line_a, line_b = FACE.reliability.line, IRIS.reliability.line  # type: ignore[union-attr]
    total = np.clip(line_a.slope * a + line_a.offset, *line_a.bounds) + np.clip(
        line_b.slope * b + line_b.offset, *line_b.bounds
    )
    assert np.mean(total >= rule.llr) <= fmr
    mated = np.clip(line_a.slope * (a + 4) + line_a.offset, *line_a.bounds) + np.clip(
        line_b.slope * (b + 6) + line_b.offset, *line_b.bounds
    )
    assert np.mean(mated >= rule.llr) > np.mean(a + 4 >= FACE.threshold(fmr).score)  # two say more than one


@given(st.floats(-3, 9), st.floats(-3, 9), st.sampled_from([1e-2, 1e-4, 1e-8]), st.integers(10, 10**6))
def test_a_search_that_drops_scores_below_the_floors_loses_no_accepted_candidate(
    face: float, iris: float, fmr: float, people: int
) -> None:
    rates = {"vector": Gaussian(4.0, people), "iris": Gaussian(6.0, people)}
    rule = rule_for(rates, fmr)
    ones = {name: rule_for({name: held}, fmr) for name, held in rates.items()}
    found = fuse({"vector": face, "iris": iris}, rates, rule, ones)
    if found.accepted:
        assert face >= rule.floors["vector"] or iris >= rule.floors["iris"]


def test_a_calibration_that_cannot_carry_the_rate_is_not_used() -> None:
    few = {"vector": Gaussian(4.0, people=10), "iris": Gaussian(6.0, people=10)}
    assert rule_for(few, 1e-8).rule == "both"
    assert rule_for(few, 0.05).rule == "llr-sum"


def test_without_a_calibration_both_have_to_reach_their_threshold() -> None:
    rates = {"vector": replace(FACE, calibrated=False), "iris": IRIS}
    rule = rule_for(rates, 1e-6)
    assert rule.rule == "both" and not rule.independent
    ones = {name: rule_for({name: held}, 1e-6) for name, held in rates.items()}
    low, high = 4.0, 5.0  # the threshold is 4.75
    assert not fuse({"vector": low, "iris": high}, rates, rule, ones).accepted
    assert not fuse({"vector": high, "iris": low}, rates, rule, ones).accepted
    found = fuse({"vector": high, "iris": high}, rates, rule, ones)
    assert found.accepted and found.rule == "both"
    assert found.fmr == pytest.approx(FACE.fmr_at(high).fmr)  # no more than one of them is claimed


def test_told_that_they_are_independent_each_needs_the_square_root() -> None:
    rates = {"vector": replace(FACE, calibrated=False), "iris": replace(IRIS, calibrated=False)}
    rule = rule_for(rates, 1e-8, independent=True)
    assert [t.fmr for t in rule.thresholds.values()] == pytest.approx([1e-4, 1e-4])
    ones = {name: rule_for({name: held}, 1e-8) for name, held in rates.items()}
    found = fuse({"vector": 4.0, "iris": 4.0}, rates, rule, ones)
    assert found.accepted and found.fmr == pytest.approx(FACE.fmr_at(4.0).fmr ** 2)


def test_a_candidate_with_one_modality_needs_the_full_rate() -> None:
    rule, ones = rule_for(BOTH, 1e-6), singles(1e-6)
    assert not fuse({"iris": 4.0}, BOTH, rule, ones).accepted  # type: ignore[arg-type]
    found = fuse({"iris": 5.0}, BOTH, rule, ones)  # type: ignore[arg-type]
    assert found.accepted and found.rule == "single"


def test_what_cannot_be_fused_is_refused() -> None:
    with pytest.raises(FusionError):
        rule_for({}, 0.1)
    with pytest.raises(FusionError):
        fuse({}, BOTH, rule_for(BOTH, 0.1), {})
    with pytest.raises(FusionError):
        fuse({"voice": 1.0}, BOTH, rule_for(BOTH, 0.1), {})
    with pytest.raises(FusionError, match="calibration"):
        fuse({"vector": 1.0, "iris": 1.0}, {"vector": UnitVectorRates(8), "iris": IRIS}, rule_for(BOTH, 0.1), {})
