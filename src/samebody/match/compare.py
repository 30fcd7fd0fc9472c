"""One-to-one comparison of two templates of one embedding space: the cosine of the angle between them."""

from __future__ import annotations

import numpy as np

from samebody.match.errors import InvalidTemplateError
from samebody.types import Comparison, Template

_UNIT = 1e-3
"""How far the length of a template may be from 1: far above float32 rounding, far below what could move a decision."""


def compare(a: Template, b: Template) -> Comparison:
    """Compare two templates; the score is their cosine in -1..1, higher means more alike, and is symmetric.

    The product is taken in float64 and rounded once to float32, which does not depend on the order of summation: the
    same score comes out here, in :func:`samebody.measure.score_pairs`, on any machine and any number of threads.

    Raises:
        EmbeddingSpaceMismatchError: the templates come from different models, versions, weights or preprocessing.
        InvalidTemplateError: a template is no vector of finite numbers of unit length, or the lengths differ.
    """
    a.require_same_space(b)
    if a.modality is not b.modality:
        raise InvalidTemplateError(f"a template of {a.modality} cannot be compared with one of {b.modality}.")
    if a.vector.shape != b.vector.shape:
        raise InvalidTemplateError(f"templates of {a.vector.shape} and {b.vector.shape} numbers cannot be compared.")
    for template in (a, b):
        vector = template.vector
        if vector.ndim != 1 or not abs(float(np.linalg.norm(vector.astype(np.float64))) - 1.0) < _UNIT:
            raise InvalidTemplateError(
                "a template must be one vector of finite numbers with length 1.", hint="Embed the sample again."
            )
    cosine = np.float32(np.dot(a.vector.astype(np.float64), b.vector.astype(np.float64)))
    return Comparison(score=float(np.clip(cosine, -1.0, 1.0)), space=a.space, modality=a.modality)
