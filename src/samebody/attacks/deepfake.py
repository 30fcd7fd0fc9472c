"""Was the face on one picture generated, swapped or tampered with? Told from noise, spectrum, grid and seam.

What it was fitted to are this project's own synthetic swaps and up-sampling traces: no picture of a real deepfake tool,
GAN or diffusion model was seen.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
from pydantic import Field

from samebody import stage
from samebody.attacks.deepfake_features import FaceCrop, crop_face, features, names
from samebody.attacks.finding import detector_finding
from samebody.config import Settings, load_settings
from samebody.face.results import FaceMesh
from samebody.models import ModelRecord, bona_fide_scores, catalogue
from samebody.models.errors import ContractError
from samebody.types import Finding, Image, Outcome, Point, Reason, Region

CHECK = "selfie.deepfake"
RECORD = "attacks/deepfake-single"
_CAUTION = "learnt from synthetic swaps and not validated on real deepfakes"


class DeepfakeCheck(stage.Stage):
    """Judges the face of one picture by the traces of :mod:`samebody.attacks.deepfake_features`.

    Args:
        settings: where records and weights are.
        record: id of the record that judges.

    Raises:
        UnknownModelError: there is no such record.
        ContractError: the record does not take these features.
    """

    class Parameters(stage.Stage.Parameters):
        """When the check abstains: outside of what its figures were measured on."""

        least_side: float = Field(
            default=110.0, ge=32, description="height of the face in pixels below which it abstains"
        )
        most_turned: float = Field(
            default=30.0, ge=0, le=90, description="yaw or pitch in degrees beyond which it abstains"
        )
        least_jpeg: int = Field(
            default=55, ge=1, le=100, description="JPEG quality of the file below which it abstains"
        )
        least_detail: float = Field(
            default=0.35, ge=0, description="mean noise residual in grey values below which the face is too smooth"
        )

    parameters: Parameters

    def __init__(self, settings: Settings | None = None, *, record: str = RECORD, **parameters: object) -> None:
        super().__init__(**parameters)
        self._settings = settings or load_settings()
        self.record: ModelRecord = catalogue(self._settings)[record]
        shape = getattr(self.record.input, "shape", ())
        if tuple(shape[1:]) != (len(names()),) or self.record.detection is None:
            raise ContractError(
                f"{record} does not judge the {len(names())} features of a face.", hint="Look at [input] of its record."
            )

    def check(self, image: Image, mesh: FaceMesh | None) -> Finding:
        """Judge one picture.

        Args:
            image: the picture.
            mesh: of its main face; None where there is none.

        Returns:
            Finding ``selfie.deepfake``; its score is the likelihood that the face is as the camera saw it, 0-1.
        """
        started = time.perf_counter()
        if mesh is None:
            reason = Reason("deepfake.no_face", "No face was found whose outline could be measured.")
            return detector_finding(CHECK, self.record, Outcome.NOT_RUN, (reason,), started)
        crop = crop_face(image.pixels, mesh.points)
        if min(crop.pixels.shape[:2]) < 32 or crop.side * max(crop.shrunk, 1e-6) < 32:
            return detector_finding(CHECK, self.record, Outcome.UNSURE, (self._too_small(crop),), started)
        vector = features(crop)
        score = float(bona_fide_scores(self.record, vector[None], self._settings, threads=1)[0])
        assert self.record.detection
        doubts = self._doubts(image, mesh, crop)
        region = (_outline(mesh, image),)
        if doubts:
            return detector_finding(CHECK, self.record, Outcome.UNSURE, doubts, started, score, region)
        outcome = Outcome(self.record.detection.outcome(score))
        return detector_finding(CHECK, self.record, outcome, _words(outcome, score), started, score, region)

    def _too_small(self, crop: FaceCrop) -> Reason:
        return Reason(
            "deepfake.too_small",
            f"The face is {crop.side / crop.shrunk:.0f} pixels high; from {self.parameters.least_side:.0f} on was "
            f"measured.",
            "Take the picture from nearer.",
        )

    def _doubts(self, image: Image, mesh: FaceMesh, crop: FaceCrop) -> tuple[Reason, ...]:
        limits, found = self.parameters, []
        if crop.side < limits.least_side:
            found.append(self._too_small(crop))
        turned = max(abs(mesh.yaw), abs(mesh.pitch))
        if turned > limits.most_turned:
            found.append(
                Reason(
                    "deepfake.turned",
                    f"The head is turned by {turned:.0f} degrees; up to {limits.most_turned:.0f} was measured.",
                    "Look straight into the camera.",
                )
            )
        quality = image.source.jpeg_quality
        if quality is not None and quality < limits.least_jpeg:
            found.append(
                Reason(
                    "deepfake.compressed",
                    f"The file is a JPEG of quality {quality}, which takes the traces away; from {limits.least_jpeg} "
                    f"on was measured.",
                    "Send the picture as the camera made it.",
                )
            )
        grey = cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2GRAY)
        detail = float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())
        if detail < limits.least_detail:
            found.append(
                Reason(
                    "deepfake.no_detail",
                    f"The face holds hardly any fine detail ({detail:.2f} grey values), so that traces cannot be seen.",
                    "Hold still, wipe the lens, and find more light.",
                )
            )
        return tuple(found)


def _outline(mesh: FaceMesh, image: Image) -> Region:
    from samebody.face.topology import FACE_OVAL

    points: tuple[Point, ...] = tuple((float(x), float(y)) for x, y in mesh.points[list(FACE_OVAL), :2].tolist())
    return Region("face", points, image.evidence.role if image.evidence else "selfie")


def _words(outcome: Outcome, score: float) -> tuple[Reason, ...]:
    if outcome is Outcome.FAIL:
        message = (
            f"The face shows traces of up-sampling or of being pasted in (likelihood of an untouched face {score:.2f}; "
            f"{_CAUTION})."
        )
        return (Reason("deepfake.traces", message),)
    if outcome is Outcome.UNSURE:
        message = (
            f"Whether the face was tampered with cannot be told (likelihood of an untouched face {score:.2f}; "
            f"{_CAUTION})."
        )
        return (Reason("deepfake.unclear", message),)
    return ()
