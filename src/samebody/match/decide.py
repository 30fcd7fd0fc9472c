"""From a score to a finding at an error rate: the policy asks for a rate, the model record answers with a score."""

from __future__ import annotations

from samebody.match.errors import RecordMismatchError
from samebody.match.evidence import ScoreEvidence, score_evidence
from samebody.models import ModelRecord
from samebody.types import Comparison, Finding, Modality, OperatingPoint, Outcome, Reason

CHECK = "face.match"
CHECKS: dict[Modality, str] = {Modality.FACE: CHECK, Modality.IRIS: "iris.match"}
"""Name of the check by what was compared."""
_NOUNS = {Modality.FACE: "faces", Modality.IRIS: "irises"}
_ADVICE = {
    Modality.FACE: "If this is you, take a new picture of your face from the front in even light, without glasses or "
    "hat; if the picture on the document is old or damaged, use another document.",
    Modality.IRIS: "If this is you, take a new picture of the same eye: open it wide, look straight into the camera, "
    "hold still, and take off glasses.",
}


def decide_match(
    comparison: Comparison | None,
    record: ModelRecord,
    fmr: float,
    population: str = "matched-adults",
    allow_extrapolated: bool = False,
    quality: float | None = None,
) -> Finding:
    """Hold a comparison against the record's operating point at ``fmr``.

    The outcome is pass or fail; a comparison never abstains. Without a comparison the check was not run. That a point
    is only indicative, or extrapolated, is said as a reason whatever the outcome.

    Args:
        comparison: of two templates; None when a template is missing.
        record: of the model that made both templates.
        fmr: false match rate that the policy asks for.
        population: of the non-mated pairs behind the point.
        allow_extrapolated: whether a point beyond the measured tail may be used.
        quality: the lower unified quality of the two pictures, 0-100, where it is known. It decides nothing; where the
            record has a calibration it tells which of its lines and miss rates to show in ``details["reliability"]``.

    Raises:
        NotMeasuredError: the record has no such operating point.
        RecordMismatchError: the templates were not made by ``record``.
    """
    point = record.operating_point(fmr, population, allow_extrapolated)
    if comparison is None:
        reason = Reason("match.no_template", "One of the two pictures has no usable face, so nothing was compared.")
        return Finding(CHECK, Outcome.NOT_RUN, operating_point=point, reasons=(reason,), model_ids=(record.label,))
    if comparison.space != record.embedding_space():
        raise RecordMismatchError(
            f"the templates were made by {comparison.space.model_id} ({comparison.space.digest}), not by "
            f"{record.label} ({record.embedding_space().digest}).",
            hint="Judge a comparison by the record of the model that made its templates.",
        )
    nouns = _NOUNS[comparison.modality]
    evidence = score_evidence(comparison.score, record, point, nouns)
    accepted = comparison.score >= point.threshold
    details = evidence.to_dict()
    if record.reliability is not None:
        details["reliability"] = record.reliability.likelihood(comparison.score, quality, point.threshold).to_dict()
    reasons = [] if accepted else [_difference(evidence, point, comparison.modality)]
    return Finding(
        CHECKS[comparison.modality],
        Outcome.PASS if accepted else Outcome.FAIL,
        score=comparison.score,
        operating_point=point,
        reasons=(*reasons, *_cautions(point)),
        model_ids=(record.label,),
        details=details,
    )


def _difference(evidence: ScoreEvidence, point: OperatingPoint, modality: Modality) -> Reason:
    return Reason(
        "match.below_threshold",
        f"The two {_NOUNS[modality]} are not alike enough: they score {evidence.score:.3f}, and at least "
        f"{point.threshold:.3f} is "
        f"asked for, which {one_in(point.fmr)} comparisons of different people reaches "
        f"({describe_population(point.population)}).",
        advice=_ADVICE[modality],
    )


def _cautions(point: OperatingPoint) -> list[Reason]:
    if point.extrapolated:
        return [
            Reason(
                "match.extrapolated",
                f"The threshold for {one_in(point.fmr)} lies beyond what was measured: it is the upper bound of an "
                f"extrapolation.",
            )
        ]
    if point.indicative:
        return [
            Reason(
                "match.indicative",
                f"The threshold for {one_in(point.fmr)} is indicative only: {point.errors} false matches were seen, "
                f"which weigh as much as {point.effective_errors:.1f} independent ones.",
            )
        ]
    return []


def one_in(rate: float) -> str:
    """A rate in words: ``one in 10,000``."""
    return f"one in {1 / rate:,.0f}"


def describe_population(population: str) -> str:
    """The population of an operating point in words."""
    return {
        "matched-adults": "adults of the same labels of race and gender and similar age",
        "matched-minors": "minors of the same labels of race and gender and similar age",
        "all-pairs": "any two people",
    }.get(population, population)
