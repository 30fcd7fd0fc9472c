"""Is it one person from the first frame to the last, and the one on the selfie? ``selfie.liveness.identity``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samebody.match import compare
from samebody.models import ModelRecord
from samebody.types import Finding, Outcome, Reason, Template

CHECK = "selfie.liveness.identity"
LEAST = 3
"""Frames with a face seen from the front that are needed."""


def identity_finding(
    frames: Sequence[Template], selfie: Template | None, record: ModelRecord, fmr: float, population: str
) -> Finding:
    """The finding. Score: the lowest similarity of a frame to the selfie, or to another frame.

    Held against the record's operating point at ``fmr``: ``fail`` when half or more of the frames are not the selfie's
    person by it, ``unsure`` when any single comparison falls short.

    Raises:
        NotMeasuredError: the record was not measured at ``fmr``.
        EmbeddingSpaceMismatchError: the templates were not made by one model.
    """
    point = record.operating_point(fmr, population=population)
    if selfie is None or len(frames) < LEAST:
        what = "no usable face on the selfie" if selfie is None else f"{len(frames)} frames that show it from the front"
        reason = Reason(
            "attacks.identity_not_compared",
            f"There is {what}, so the person was not compared over time.",
            "Look into the camera between the prompts.",
        )
        return Finding(CHECK, Outcome.UNSURE, reasons=(reason,), model_ids=(record.label,))
    to_selfie = np.array([compare(each, selfie).score for each in frames])
    between = np.array([compare(a, b).score for place, a in enumerate(frames) for b in frames[place + 1 :]])
    score = float(min(to_selfie.min(), between.min()))
    reasons: tuple[Reason, ...] = ()
    outcome = Outcome.PASS
    if (to_selfie < point.threshold).mean() >= 0.5:
        outcome = Outcome.FAIL
        reasons = (
            Reason("attacks.identity_other", "The person who answered the challenge is not the one on the selfie."),
        )
    elif score < point.threshold:
        outcome = Outcome.UNSURE
        reasons = (
            Reason(
                "attacks.identity_changes",
                f"Some frames may show another person: similarity {score:.3f}, asked for {point.threshold:.3f}.",
                "Keep your face alone in the frame, in even light.",
            ),
        )
    details = {"validated": "synthetic", "frames": len(frames), "lowest_to_selfie": round(float(to_selfie.min()), 4)}
    return Finding(
        CHECK,
        outcome,
        score=score,
        operating_point=point,
        reasons=reasons,
        model_ids=(record.label,),
        details=details,
    )
