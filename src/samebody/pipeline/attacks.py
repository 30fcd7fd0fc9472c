"""Attack checks of a case: on the selfie, as soon as its face is known."""

from __future__ import annotations

from samebody.attacks.pad import PassivePad
from samebody.decide import Policy
from samebody.face import FaceAnalysis
from samebody.types import Finding, Image, Outcome, Reason


def asks_for_liveness(policy: Policy) -> bool:
    """Whether the policy wants to know if a living person was in front of the camera."""
    return policy.layers.liveness.requirement != "waived"


def selfie_liveness(detector: PassivePad, image: Image, analysis: FaceAnalysis) -> Finding:
    """The finding ``selfie.liveness``; not run where no face was chosen."""
    if analysis.chosen is None:
        reason = Reason("attacks.pad_no_face", "There is no usable face on the selfie, so it was not checked.")
        return Finding("selfie.liveness", Outcome.NOT_RUN, reasons=(reason,), model_ids=(detector.record.label,))
    return detector.check(image, analysis.chosen.box)
