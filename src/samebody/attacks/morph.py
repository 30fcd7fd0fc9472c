"""Is the portrait of a document a morph of two people? Told from its difference to a live picture of the holder.

A morphed portrait carries a second person's features, and those are what is left when the selfie is taken away:
U. Scherhag et al., "Deep face representations for differential morphing attack detection", IEEE TIFS 15 (2020).
"""

from __future__ import annotations

import time

import numpy as np
from pydantic import Field

from samebody import stage
from samebody.attacks.finding import detector_finding
from samebody.attacks.morph_features import head_shape
from samebody.config import Settings, load_settings
from samebody.face.results import FaceAnalysis
from samebody.models import ModelRecord, bona_fide_scores, catalogue, open_session
from samebody.models.errors import ContractError
from samebody.types import Finding, Outcome, Reason

CHECK = "face.morph"
RECORD = "attacks/morph-differential"
_CAUTION = "learnt from synthetic morphs and not validated on real ones"


class MorphCheck(stage.Stage):
    """Compares the template and the head's shape of a portrait with those of a selfie.

    Args:
        settings: where records and weights are.
        record: id of the record that judges.

    Raises:
        UnknownModelError: there is no such record.
        ContractError: the record does not take a pair of templates and shapes.
    """

    class Parameters(stage.Stage.Parameters):
        """When the check abstains: outside of what its figures were measured on."""

        most_turned: float = Field(
            default=30.0, ge=0, le=90, description="yaw or pitch of either head in degrees beyond which it abstains"
        )
        most_apart: float = Field(
            default=35.0, ge=0, le=180, description="difference of yaw or pitch in degrees beyond which it abstains"
        )
        least_eyes: float = Field(
            default=24.0, ge=0, description="distance between the eyes in pixels below which it abstains"
        )
        least_quality: int = Field(
            default=15, ge=0, le=100, description="unified quality of either picture below which it abstains"
        )

    parameters: Parameters

    def __init__(self, settings: Settings | None = None, *, record: str = RECORD, **parameters: object) -> None:
        super().__init__(**parameters)
        self._settings = settings or load_settings()
        self.record: ModelRecord = catalogue(self._settings)[record]
        names = [contract.name for contract in self.record.inputs]
        if names != ["vectors", "shapes"] or self.record.detection is None:
            raise ContractError(
                f"{record} does not judge a pair of templates and head shapes.", hint="Look at [input] of its record."
            )

    def check(self, portrait: FaceAnalysis, selfie: FaceAnalysis) -> Finding:
        """Judge a portrait (or an earlier reference picture) beside a live picture.

        Returns:
            Finding ``face.morph``; its score is the likelihood that the portrait shows one person alone, 0-1.
            ``not_run`` without two templates, ``unsure`` inside the record's band or outside of its support.
        """
        started = time.perf_counter()
        missing = self._missing(portrait, selfie)
        if missing is not None:
            return detector_finding(CHECK, self.record, Outcome.NOT_RUN, (missing,), started)
        assert portrait.template and selfie.template and portrait.mesh and selfie.mesh and self.record.detection
        vectors = np.stack([portrait.template.vector, selfie.template.vector])[None]
        shapes = np.stack([head_shape(portrait.mesh.points), head_shape(selfie.mesh.points)])[None]
        if portrait.template.space.digest != self._space():
            reason = Reason(
                "morph.other_model",
                f"The templates were made by {portrait.template.space.model_id}, which this check was not fitted to.",
            )
            return detector_finding(CHECK, self.record, Outcome.NOT_RUN, (reason,), started)
        score = float(
            bona_fide_scores(self.record, {"vectors": vectors, "shapes": shapes}, self._settings, threads=1)[0]
        )
        doubts = self._doubts(portrait, selfie)
        if doubts:
            return detector_finding(CHECK, self.record, Outcome.UNSURE, doubts, started, score)
        outcome = Outcome(self.record.detection.outcome(score))
        return detector_finding(CHECK, self.record, outcome, _words(outcome, score), started, score)

    def _space(self) -> str:
        """Digest of the embedding space that the check was fitted in, as the graph itself states it."""
        session = open_session(self.record, self._settings, threads=1)
        return str(session.get_modelmeta().custom_metadata_map.get("embedding_space", ""))

    @staticmethod
    def _missing(portrait: FaceAnalysis, selfie: FaceAnalysis) -> Reason | None:
        for name, analysis in (("portrait", portrait), ("selfie", selfie)):
            if analysis.template is None or analysis.chosen is None:
                return Reason("morph.no_template", f"There is no usable face on the {name}, so nothing was compared.")
            if analysis.mesh is None:
                return Reason("morph.no_mesh", f"The shape of the head on the {name} could not be measured.")
        assert portrait.template and selfie.template
        if portrait.template.space != selfie.template.space:
            return Reason("morph.other_model", "The two templates come from different models and do not compare.")
        return None

    def _doubts(self, portrait: FaceAnalysis, selfie: FaceAnalysis) -> tuple[Reason, ...]:
        limits, found = self.parameters, []
        assert portrait.mesh and selfie.mesh
        poses = [(mesh.yaw, mesh.pitch) for mesh in (portrait.mesh, selfie.mesh)]
        turned = max(abs(angle) for pose in poses for angle in pose)
        apart = max(abs(one - two) for one, two in zip(*poses, strict=True))
        if turned > limits.most_turned or apart > limits.most_apart:
            found.append(
                Reason(
                    "morph.turned",
                    f"A head is turned by {turned:.0f} degrees, and both heads differ by {apart:.0f}; up to "
                    f"{limits.most_turned:.0f} and {limits.most_apart:.0f} were measured.",
                    "Look straight into the camera.",
                )
            )
        for name, analysis in (("portrait", portrait), ("selfie", selfie)):
            assert analysis.chosen
            eyes = analysis.chosen.inter_eye_distance
            if eyes < limits.least_eyes:
                found.append(
                    Reason(
                        "morph.too_small",
                        f"The eyes on the {name} are {eyes:.0f} pixels apart; from {limits.least_eyes:.0f} on was "
                        f"measured.",
                        "Take the picture from nearer.",
                    )
                )
            quality = analysis.quality
            if quality is not None and quality.unified < limits.least_quality:
                found.append(
                    Reason(
                        "morph.quality",
                        f"The quality of the {name} is {quality.unified} of 100; from {limits.least_quality} on the "
                        f"check says something.",
                    )
                )
        return tuple(found)


def _words(outcome: Outcome, score: float) -> tuple[Reason, ...]:
    if outcome is Outcome.FAIL:
        message = (
            f"The portrait differs from the selfie as a mix of two people does (likelihood of one person alone "
            f"{score:.2f}; {_CAUTION})."
        )
        return (Reason("morph.suspected", message),)
    if outcome is Outcome.UNSURE:
        message = (
            f"Whether the portrait mixes two people cannot be told (likelihood of one person {score:.2f}; {_CAUTION})."
        )
        return (Reason("morph.unclear", message),)
    return ()
