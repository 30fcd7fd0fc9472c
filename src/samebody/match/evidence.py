"""Where a score lies among the scores of different people and of one person, as far as the record knows them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from samebody.measure import ScoreHistogram
from samebody.models import ModelRecord
from samebody.types import OperatingPoint


@dataclass(frozen=True, slots=True)
class ScoreEvidence:
    """A score with all that helps to read it.

    Attributes:
        score: similarity of the two templates: a cosine, or 1 - the normalised Hamming distance of iris codes.
        threshold: accept when ``score >= threshold``.
        margin: ``score - threshold``.
        fmr: false match rate that the threshold was chosen for.
        non_mated_at_or_above: share of comparisons of different people that score at least as high, 0-1; the bin that
            holds the score counts in full, so it is an upper value. None when the record has no histogram.
        mated_at_or_below: share of comparisons of one person that score at most as high, 0-1, counted likewise.
        non_mated_pairs, mated_pairs: behind these shares.
        population, dataset: what the histogram was measured on.
        sentence: all of this for a reader who does not know the words.
    """

    score: float
    threshold: float
    margin: float
    fmr: float
    non_mated_at_or_above: float | None
    mated_at_or_below: float | None
    non_mated_pairs: int
    mated_pairs: int
    population: str
    dataset: str
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


def score_evidence(score: float, record: ModelRecord, point: OperatingPoint, nouns: str = "faces") -> ScoreEvidence:
    """Place ``score`` on the record's distributions; without a histogram only the threshold is known.

    Args:
        nouns: what was compared, for the sentence.
    """
    histogram = record.score_histogram
    above: float | None = None
    below: float | None = None
    pairs = (0, 0)
    if histogram is not None and any(histogram.mated) and any(histogram.non_mated):
        mated = ScoreHistogram(histogram.start, histogram.stop, histogram.mated)
        non_mated = ScoreHistogram(histogram.start, histogram.stop, histogram.non_mated)
        above, below = non_mated.share_at_or_above(score), mated.share_below(score)
        pairs = (non_mated.total, mated.total)
    return ScoreEvidence(
        score=score,
        threshold=point.threshold,
        margin=score - point.threshold,
        fmr=point.fmr,
        non_mated_at_or_above=above,
        mated_at_or_below=below,
        non_mated_pairs=pairs[0],
        mated_pairs=pairs[1],
        population=histogram.population if histogram else point.population,
        dataset=histogram.dataset if histogram else point.dataset,
        sentence=_sentence(nouns, score, point, above, below, pairs),
    )


def _sentence(
    nouns: str, score: float, point: OperatingPoint, above: float | None, below: float | None, pairs: tuple[int, int]
) -> str:
    verb = "reach" if score >= point.threshold else "do not reach"
    text = f"The {nouns} score {score:.3f} and {verb} the {point.threshold:.3f} that are asked for."
    if above is None or below is None:
        return text
    share = _percent(above) if above > 0 else "none"
    return (
        f"{text} Of {pairs[0]:,} measured comparisons of different people {share} score as high; of "
        f"{pairs[1]:,} comparisons of one person {_percent(below)} score this low or lower."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
