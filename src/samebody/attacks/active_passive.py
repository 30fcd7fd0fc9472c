"""The passive detector on frames of a challenge: ``selfie.liveness.frames``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samebody.attacks.pad import PassivePad
from samebody.types import Box, Finding, Image, Outcome, Reason

CHECK = "selfie.liveness.frames"
LEAST = 3
"""Frames with a face seen from the front that are needed."""


def frames_finding(detector: PassivePad, frames: Sequence[tuple[Image, Box]]) -> Finding:
    """The finding. Score: the median likelihood of bona fide over the frames, 0-1, held against the record's band."""
    if len(frames) < LEAST:
        reason = Reason(
            "attacks.frames_few",
            f"{len(frames)} frames show the face from the front; {LEAST} are needed.",
            "Look into the camera between the prompts.",
        )
        return Finding(CHECK, Outcome.UNSURE, reasons=(reason,), model_ids=(detector.record.label,))
    scores = [detector.score(image, box).likelihood for image, box in frames]
    score = float(np.median(scores))
    outcome = Outcome(detector.detection.outcome(score))
    reasons: tuple[Reason, ...] = ()
    if outcome is Outcome.FAIL:
        text = "The face on the frames of the challenge looks like a print, a screen or a mask before the camera."
        reasons = (Reason("attacks.frames_attack", text),)
    elif outcome is Outcome.UNSURE:
        text = "It could not be told whether the frames of the challenge show a person or a picture of one."
        reasons = (Reason("attacks.frames_unsure", text, "Try again in even light."),)
    details = {"validated": "real" if detector.validated else "synthetic", "frames": [round(v, 4) for v in scores]}
    return Finding(CHECK, outcome, score=score, reasons=reasons, model_ids=(detector.record.label,), details=details)
