"""Passive presentation attack detection: one RGB picture of a face, looked at once, without asking the person anything.

The bundled detector was trained on synthetic attacks. Its findings say so, and a policy decides what that is worth.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.attacks.crops import views, window
from samebody.config import Settings, load_settings
from samebody.models import ModelRecord, catalogue
from samebody.models.detection import Detection
from samebody.models.errors import ContractError
from samebody.models.outputs import bona_fide_scores
from samebody.types import Box, Finding, Image, Outcome, Pixels, Reason, Region

RECORD = "attacks/pad-passive"
"""The bundled detector."""

PLACES: tuple[tuple[float, float, float], ...] = ((1.3, 0.0, 0.0), (0.8, 0.0, 0.0))
"""Windows that are looked at: reach over the longer side of the face, shift across and down; their log odds are
averaged."""

SMALLEST_FACE = 64
"""Longer side of the face box in pixels below which the detector abstains."""

LEAST_DETAIL = 12.0
"""Variance of the Laplacian of the face at 112 pixels below which the detector abstains: blur hides traces."""

_LIMIT = 16.0


@dataclass(frozen=True, slots=True)
class PadScore:
    """What the detector says of one face.

    Attributes:
        likelihood: of bona fide, 0-1, calibrated on synthetic attacks of species it had not seen.
        by_view: the same of each window alone.
        face_pixels: longer side of the face box.
        detail: variance of the Laplacian of the face at 112 pixels, grey 0-255.
    """

    likelihood: float
    by_view: tuple[float, ...]
    face_pixels: float
    detail: float


class PassivePad:
    """The passive detector of one record. Opened on first use; safe to call from several threads.

    Args:
        settings: where records and weights are.
        record: id, or a record of your own with task ``presentation-attack-detection``.
        threads: of the session.

    Raises:
        samebody.models.UnknownModelError: there is no such record.
        ContractError: the record does not detect presentation attacks, or says nothing about how its score is read.
    """

    def __init__(
        self, settings: Settings | None = None, *, record: str | ModelRecord = RECORD, threads: int = 1
    ) -> None:
        self.settings = settings or load_settings()
        self.record = record if isinstance(record, ModelRecord) else catalogue(self.settings)[record]
        if self.record.task != "presentation-attack-detection":
            raise ContractError(
                f"{self.record.id} is a record of task {self.record.task}.",
                hint="Name one of task presentation-attack-detection.",
            )
        if self.record.detection is None:
            raise ContractError(f"{self.record.id} has no [detection].", hint="State its unsure band and its points.")
        self.threads = threads
        self._side = self.record.image_input.width or 112

    @property
    def detection(self) -> Detection:
        """Band of abstention and measured points of the record."""
        assert self.record.detection is not None
        return self.record.detection

    @property
    def validated(self) -> bool:
        """Whether the record holds error rates on real attacks."""
        return self.detection.validated

    def score(self, image: Image | Pixels, face: Box | None = None) -> PadScore:
        """Look at one face.

        Args:
            image: RGB, uint8, at least 16 pixels a side.
            face: its box; None takes the whole picture for a tight crop of the face.

        Raises:
            ContractError: the pixels are not (height, width, 3) uint8.
        """
        pixels = image.pixels if isinstance(image, Image) else image
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or min(pixels.shape[:2]) < 16:
            raise ContractError(f"expected (height, width, 3) uint8 of 16 or more a side, got {pixels.shape}.")
        height, width = pixels.shape[:2]
        box = face or tight_box(height, width)
        seen = views(pixels, box, self._side, PLACES)
        each = bona_fide_scores(self.record, seen, self.settings, threads=self.threads)
        odds = np.clip(_logit(each.astype(np.float64)), -_LIMIT, _LIMIT)
        likelihood = float(1 / (1 + math.exp(-float(odds.mean()))))
        return PadScore(likelihood, tuple(float(v) for v in each), max(box.width, box.height), _detail(pixels, box))

    def check(self, image: Image, face: Box | None = None, *, role: str = "selfie") -> Finding:
        """The finding ``<role>.liveness``.

        A face that is too small or too blurred is ``unsure``, whatever the score. ``details`` hold the score of each
        window, and in ``validated`` whether error rates were measured on ``synthetic`` or ``real`` attacks.
        """
        started = time.perf_counter()
        check = f"{role}.liveness"
        found = self.score(image, face)
        outcome = Outcome(self.detection.outcome(found.likelihood))
        reasons: list[Reason] = []
        if found.face_pixels < SMALLEST_FACE:
            reasons.append(
                Reason(
                    "attacks.pad_face_small",
                    f"The face is {found.face_pixels:.0f} pixels; attacks can be told from {SMALLEST_FACE} on.",
                    "Come closer to the camera.",
                )
            )
        if found.detail < LEAST_DETAIL:
            reasons.append(
                Reason(
                    "attacks.pad_face_blurred",
                    "The face is too blurred to tell a recaptured picture from a person.",
                    "Hold the camera still and wipe its lens.",
                )
            )
        if reasons:
            outcome = Outcome.UNSURE
        elif outcome is Outcome.FAIL:
            reasons.append(
                Reason(
                    "attacks.pad_attack",
                    "The face looks like a print, a screen or a mask before the camera.",
                    "Take the picture of yourself directly, in even light, with nothing before your face.",
                )
            )
        elif outcome is Outcome.UNSURE:
            reasons.append(
                Reason(
                    "attacks.pad_unsure",
                    "It could not be told whether the face is a person or a picture of one.",
                    "Take the picture again in even light.",
                )
            )
        worst = None if not self.detection.points else self.detection.points[0].worst
        details = {
            "validated": "real" if self.validated else "synthetic" if worst else "none",
            "views": [round(value, 4) for value in found.by_view],
            "face_pixels": round(found.face_pixels, 1),
            "detail": round(found.detail, 1),
            "unsure_band": list(self.detection.unsure),
        }
        return Finding(
            check,
            outcome,
            score=found.likelihood,
            reasons=tuple(reasons),
            model_ids=(self.record.label,),
            milliseconds=1000 * (time.perf_counter() - started),
            regions=() if face is None else (Region("face", face.corners(), role),),
            details=details,
        )


def tight_box(height: int, width: int) -> Box:
    """The face box of a picture that is itself a tight crop: its middle, with the margin that such crops have."""
    return Box(0.1 * width, 0.1 * height, 0.8 * width, 0.8 * height)


def _logit(likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(likelihood, 1e-7, 1 - 1e-7)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _detail(pixels: Pixels, box: Box) -> float:
    where = window(box, (pixels.shape[0], pixels.shape[1]), reach=0.8)
    part = pixels[where.top : where.top + where.side, where.left : where.left + where.side]
    if where.side > 112:
        part = np.asarray(cv2.resize(part, (112, 112), interpolation=cv2.INTER_AREA), np.uint8)
    grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
