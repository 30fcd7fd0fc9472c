"""Named quality gates: each holds one measure against its limit and says what the person can do.

A gate that fails withholds the template. Limits ask for what a comparison needs and no more: every picture refused
counts in the generalised false rejection rate.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field, model_validator

from samebody import stage
from samebody.iris.results import CodeBits, IrisMeasures
from samebody.stage import Registry, Stage
from samebody.types import Finding, Outcome, Reason


class IrisGate(Stage):
    """Base of the gates. ``judge`` takes one argument for each type in ``takes`` and returns a finding."""

    name: ClassVar[str]
    takes: ClassVar[tuple[type, ...]] = (IrisMeasures,)

    def judge(self, *inputs: Any) -> Finding:
        """The finding ``iris.<name>``: pass, fail with a reason, or unsure when it could not be measured."""
        raise TypeError(f"{type(self).__name__} is a base class and judges nothing")

    def _found(self, value: float, reason: Reason | None) -> Finding:
        return Finding(
            f"iris.{self.name}",
            Outcome.PASS if reason is None else Outcome.FAIL,
            score=float(value) if math.isfinite(value) else None,
            reasons=() if reason is None else (reason,),
        )


gates: Registry[type[IrisGate]] = Registry("iris gate")
"""All gates that a pipeline file may name."""

NOT_AN_EYE = Reason(
    "iris.not_an_eye",
    "No open eye was found in the picture.",
    "Hold the camera in front of one open eye, so that the eye fills about half the width of the picture.",
)


@gates.register("eye_found")
class EyeFound(IrisGate):
    """Both contours show an edge of the right sign where nothing hides them."""

    name = "eye_found"

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        least_evidence: float = Field(
            default=0.6, ge=0, le=1, description="share of both visible contours with an edge"
        )

    parameters: Parameters

    def judge(self, measures: IrisMeasures) -> Finding:
        """Fails with ``iris.not_an_eye``."""
        return self._found(
            measures.evidence, NOT_AN_EYE if measures.evidence < self.parameters.least_evidence else None
        )


@gates.register("iris_size")
class IrisSize(IrisGate):
    """The iris has enough pixels."""

    name = "iris_size"

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        least_radius: float = Field(default=30.0, ge=8, le=1000, description="iris radius in pixels of the picture")

    parameters: Parameters

    def judge(self, measures: IrisMeasures) -> Finding:
        """Fails with ``iris.too_small``."""
        limit = self.parameters.least_radius
        reason = Reason(
            "iris.too_small",
            f"The iris has a radius of {measures.iris_radius:.0f} pixels, at least {limit:.0f} are needed.",
            "Bring the camera closer to the eye.",
        )
        return self._found(measures.iris_radius, reason if measures.iris_radius < limit else None)


@gates.register("iris_inside")
class IrisInside(IrisGate):
    """The iris lies in the picture."""

    name = "iris_inside"

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        least_share: float = Field(default=0.6, ge=0, le=1, description="share of the limbus inside the picture")

    parameters: Parameters

    def judge(self, measures: IrisMeasures) -> Finding:
        """Fails with ``iris.cut_off``."""
        limit = self.parameters.least_share
        reason = Reason(
            "iris.cut_off",
            f"Only {measures.inside:.0%} of the iris' outline lies in the picture, at least {limit:.0%} is needed.",
            "Move the eye to the middle of the picture.",
        )
        return self._found(measures.inside, reason if measures.inside < limit else None)


@gates.register("eye_open")
class EyeOpen(IrisGate):
    """The lids leave the iris free left and right of the pupil."""

    name = "eye_open"

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        least_sides: float = Field(
            default=0.25, ge=0, le=1, description="visible share of the left and right quadrants"
        )

    parameters: Parameters

    def judge(self, measures: IrisMeasures) -> Finding:
        """Fails with ``iris.eye_closed``."""
        limit = self.parameters.least_sides
        reason = Reason(
            "iris.eye_closed",
            f"{measures.visible_sides:.0%} of the iris beside the pupil is visible, at least {limit:.0%} is needed.",
            "Open the eye wide.",
        )
        return self._found(measures.visible_sides, reason if measures.visible_sides < limit else None)


@gates.register("occlusion")
class Occlusion(IrisGate):
    """Lids, lashes and reflections leave enough of the iris."""

    name = "occlusion"

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        least_visible: float = Field(default=0.3, ge=0, le=1, description="visible share of the iris area")

    parameters: Parameters

    def judge(self, measures: IrisMeasures) -> Finding:
        """Fails with ``iris.occluded``."""
        limit = self.parameters.least_visible
        reason = Reason(
            "iris.occluded",
            f"Lids, lashes or reflections hide {1 - measures.visible:.0%} of the iris, "
            f"at most {1 - limit:.0%} may be hidden.",
            "Open the eye wide, take off glasses, and turn away from lamps that mirror in the eye.",
        )
        return self._found(measures.visible, reason if measures.visible < limit else None)


@gates.register("focus")
class Focus(IrisGate):
    """The picture is sharp."""

    name = "focus"

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        least_sharpness: float = Field(default=25.0, ge=0, le=100, description="sharpness, 0-100")

    parameters: Parameters

    def judge(self, measures: IrisMeasures) -> Finding:
        """Fails with ``iris.out_of_focus``."""
        limit = self.parameters.least_sharpness
        reason = Reason(
            "iris.out_of_focus",
            f"The picture has a sharpness of {measures.sharpness:.0f} of 100, at least {limit:.0f} is needed.",
            "Hold still at the distance at which the camera is sharp, and wipe its lens.",
        )
        return self._found(measures.sharpness, reason if measures.sharpness < limit else None)


@gates.register("pupil_width")
class PupilWidth(IrisGate):
    """The pupil is neither so narrow nor so wide that the iris is folded or squeezed."""

    name = "pupil_width"

    class Parameters(stage.Stage.Parameters):
        """Bounds of the pupil radius over the iris radius; ISO/IEC 29794-6 takes 0.2 to 0.7 as unproblematic."""

        narrowest: float = Field(default=0.12, gt=0, lt=1, description="smallest ratio")
        widest: float = Field(default=0.75, gt=0, lt=1, description="largest ratio")

        @model_validator(mode="after")
        def _ordered(self) -> PupilWidth.Parameters:
            if self.narrowest >= self.widest:
                raise ValueError("narrowest must be smaller than widest")
            return self

    parameters: Parameters

    def judge(self, measures: IrisMeasures) -> Finding:
        """Fails with ``iris.pupil_constricted`` or ``iris.pupil_dilated``."""
        low, high, ratio = self.parameters.narrowest, self.parameters.widest, measures.pupil_ratio
        reason = None
        if ratio < low:
            reason = Reason(
                "iris.pupil_constricted",
                f"The pupil is {ratio:.2f} of the iris wide, at least {low:.2f} is needed.",
                "Go where there is less light, wait a moment, and try again.",
            )
        elif ratio > high:
            reason = Reason(
                "iris.pupil_dilated",
                f"The pupil is {ratio:.2f} of the iris wide, at most {high:.2f} is allowed.",
                "Go where there is more light, wait a moment, and try again.",
            )
        return self._found(ratio, reason)


@gates.register("gaze")
class Gaze(IrisGate):
    """The eye looks towards the camera."""

    name = "gaze"

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        most_degrees: float = Field(default=45.0, gt=0, lt=90, description="angle between line of sight and camera")

    parameters: Parameters

    def judge(self, measures: IrisMeasures) -> Finding:
        """Fails with ``iris.off_gaze``; unsure when lids hide too much of the pupil to tell."""
        limit = self.parameters.most_degrees
        if math.isnan(measures.gaze):
            reason = Reason("iris.gaze_not_measured", "Lids hide too much of the pupil to tell where the eye looks.")
            return Finding(f"iris.{self.name}", Outcome.UNSURE, reasons=(reason,))
        reason = Reason(
            "iris.off_gaze",
            f"The eye looks {measures.gaze:.0f} degrees past the camera, at most {limit:.0f} are allowed.",
            "Look straight into the camera.",
        )
        return self._found(measures.gaze, reason if measures.gaze > limit else None)


@gates.register("usable_bits")
class UsableBits(IrisGate):
    """The code has enough usable bits to be compared."""

    name = "usable_bits"
    takes = (CodeBits,)

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        least_share: float = Field(default=0.2, gt=0, le=1, description="usable share of the code's bits")

    parameters: Parameters

    def judge(self, bits: CodeBits) -> Finding:
        """Fails with ``iris.too_little_texture``."""
        share, limit = float(bits.mask.mean()), self.parameters.least_share
        reason = Reason(
            "iris.too_little_texture",
            f"Only {share:.0%} of the code can be used, at least {limit:.0%} is needed.",
            "Open the eye wide and take another picture.",
        )
        return self._found(share, reason if share < limit else None)
