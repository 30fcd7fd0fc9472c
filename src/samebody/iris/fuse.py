"""Two eyes of one person: one score out of the comparisons of the left and of the right eye.

The irises of the two eyes of a person are about as independent as those of two persons (Daugman and Downing,
"Epigenetic randomness, complexity and singularity of human iris patterns", Proc. R. Soc. B 268, 2001), so their scores
add up. Which rule is used is said with the result, and an operating point holds for the rule it was measured with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from samebody.errors import EmbeddingSpaceMismatchError
from samebody.iris.compare import IrisComparison
from samebody.iris.errors import EyeMismatchError, TooFewBitsError

EyeRule = Literal["mean", "max", "min"]


@dataclass(frozen=True, slots=True)
class EyesComparison:
    """The comparison of up to two eyes.

    Attributes:
        score: similarity; of the single eye where only one was compared.
        rule: ``mean``: evidence of both eyes; ``max``: either eye suffices; ``min``: both eyes must agree; ``single``.
        eyes: which eyes took part.
        left, right: the comparisons behind it.
    """

    score: float
    rule: Literal["mean", "max", "min", "single"]
    eyes: tuple[str, ...]
    left: IrisComparison | None = None
    right: IrisComparison | None = None


def fuse_eyes(left: IrisComparison | None, right: IrisComparison | None, rule: EyeRule = "mean") -> EyesComparison:
    """One score of the comparisons of both eyes; None for an eye that could not be compared.

    ``mean`` halves the variance of the non-mated scores; of a missing eye nothing is assumed: the other one decides, by
    ``single``, and an operating point of a single eye has to be used.

    Raises:
        TooFewBitsError: neither eye was compared.
        EyeMismatchError: the comparisons are not of a left and of a right eye (``unknown`` is taken as it is named).
        EmbeddingSpaceMismatchError: the eyes were encoded by different pipelines.
    """
    for name, comparison in (("left", left), ("right", right)):
        if comparison is not None and comparison.eye not in (name, "unknown"):
            raise EyeMismatchError(f"the comparison given as the {name} eye is of the {comparison.eye} eye.")
    present = {name: found for name, found in (("left", left), ("right", right)) if found is not None}
    if not present:
        raise TooFewBitsError("neither eye could be compared.", hint="Take a picture of at least one eye, wide open.")
    if len({comparison.space for comparison in present.values()}) > 1:
        raise EmbeddingSpaceMismatchError(
            "the two eyes were encoded by different pipelines.", hint="Encode all pictures again with one pipeline."
        )
    scores = [comparison.score for comparison in present.values()]
    if len(scores) == 1:
        return EyesComparison(scores[0], "single", tuple(present), left, right)
    score = {"mean": sum(scores) / 2, "max": max(scores), "min": min(scores)}[rule]
    return EyesComparison(float(np.float32(score)), rule, tuple(present), left, right)
