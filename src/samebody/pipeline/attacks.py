"""Attack checks of a case: on the selfie, as soon as its face is known."""

from __future__ import annotations

import fnmatch

from samebody.attacks.deepfake import CHECK as DEEPFAKE
from samebody.attacks.deepfake import DeepfakeCheck
from samebody.attacks.morph import CHECK as MORPH
from samebody.attacks.morph import MorphCheck
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


def mentions(policy: Policy, check: str) -> bool:
    """Whether the policy names ``check``, to decide by it or to show it.

    The morph and the deepfake check are not validated on real attacks: they run only where a policy wants them, so that
    they cannot weigh on one that was written without them.
    """
    asked = any(fnmatch.fnmatchcase(check, name) for _, layer in policy.layers.items() for name in layer.checks)
    return asked or policy.is_informational(check)


def selfie_deepfake(detector: DeepfakeCheck, image: Image, analysis: FaceAnalysis) -> Finding:
    """The finding ``selfie.deepfake``; not run where no face was chosen."""
    return detector.check(image, analysis.mesh if analysis.chosen is not None else None)


def portrait_morph(detector: MorphCheck, portrait: FaceAnalysis, selfie: FaceAnalysis) -> Finding:
    """The finding ``face.morph`` of a document's portrait, or an earlier reference, beside the selfie."""
    return detector.check(portrait, selfie)


__all__ = ["DEEPFAKE", "MORPH", "asks_for_liveness", "mentions", "portrait_morph", "selfie_deepfake", "selfie_liveness"]
