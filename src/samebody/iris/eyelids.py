"""Both eyelids as curves: the cheapest path over vertical grey steps, then a parabola fitted robustly."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.polar import open_path, sample
from samebody.iris.results import Circle, EyeImage, Eyelids, LimbusCircle, PupilBoundary, Reflections
from samebody.iris.stages import IrisStage, stages

_COLUMNS, _ROWS = 64, 64
_HALF_WIDTH = 1.1


@stages.register("parabolic_lids")
class ParabolicLids(IrisStage):
    """Upper and lower lid over the width of the iris: skin is brighter than lashes and iris inside the opening."""

    class Parameters(stage.Stage.Parameters):
        """Lengths are shares of the iris radius."""

        blur_along: float = Field(default=0.10, gt=0, lt=1, description="smoothing along the lid")
        blur_across: float = Field(default=0.03, gt=0, lt=1, description="smoothing across the lid")
        lowest: float = Field(default=0.25, ge=0, lt=1, description="how far past the iris centre a lid may reach")
        least_depth: float = Field(
            default=0.03, ge=0, lt=0.5, description="a lid reaching less far over the iris is none"
        )
        least_step: float = Field(default=0.25, ge=0, le=1, description="step of a clear margin, share of grey range")
        least_evidence: float = Field(default=0.25, ge=0, le=1, description="a margin less clear than this is none")

    parameters: Parameters

    takes = (EyeImage, PupilBoundary, LimbusCircle, Reflections)
    gives = Eyelids

    def run(self, image: EyeImage, pupil: PupilBoundary, limbus: LimbusCircle, reflections: Reflections) -> Eyelids:
        """The curves, each 33 points over 1.1 iris radii to both sides; None where no lid hides the iris."""
        upper, upper_evidence = self._lid(reflections.filled, pupil, limbus.circle, -1.0)
        lower, lower_evidence = self._lid(reflections.filled, pupil, limbus.circle, 1.0)
        return Eyelids(upper, lower, upper_evidence, lower_evidence)

    def _lid(
        self, grey: NDArray[np.uint8], pupil: PupilBoundary, limbus: Circle, side: float
    ) -> tuple[NDArray[np.float64] | None, float]:
        """``side`` -1 for the upper lid, 1 for the lower. In the patch, row 0 is outermost for both."""
        options = self.parameters
        radius = limbus.radius
        across = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, _COLUMNS)
        outward = np.linspace(1.2, -options.lowest, _ROWS)
        pitch = float(outward[0] - outward[1])
        x = limbus.x + radius * np.broadcast_to(across, (_ROWS, _COLUMNS))
        y = limbus.y + side * radius * np.broadcast_to(outward[:, None], (_ROWS, _COLUMNS))
        patch = sample(grey, x, y)
        width = float(across[1] - across[0])
        smooth = cv2.GaussianBlur(
            patch, (0, 0), sigmaX=options.blur_along / width, sigmaY=max(0.5, options.blur_across / pitch)
        )
        step = np.zeros_like(smooth)
        step[2:-2] = smooth[:-4] - smooth[4:]
        from_limbus = np.hypot(across[None, :], outward[:, None])
        from_pupil = np.hypot(x - pupil.centre[0], y - pupil.centre[1]) / pupil.radius
        step[(from_pupil < 1.25) | (y < 1) | (y > grey.shape[0] - 1)] = 0.0
        # A step counts against the strongest around, and against the grey range: noise alone makes no lid.
        low, high = np.percentile(smooth[from_limbus < 1.2], (10, 90))
        typical = max(float(np.percentile(step[from_limbus < 1.1], 95)), options.least_step * float(high - low)) + 1.0
        reward = np.clip(step / typical, 0.0, 1.5) * np.where(from_limbus < 1.05, 1.0, 0.4)
        path = open_path(np.ascontiguousarray((1.5 - reward).T.astype(np.float32)))
        columns = np.arange(_COLUMNS)
        strength = reward[path, columns].astype(np.float64)
        height = outward[path]
        inside = np.hypot(across, height) < 1.02
        weights = strength * np.where(inside, 1.0, 0.25)
        fit = _parabola(across, height, weights, 0.04, (-0.3 if side < 0 else -0.2))
        if fit is None:
            return None, 0.0
        curve = np.polyval(fit, across)
        covered = (np.hypot(across, curve) < 1.0 - options.least_depth) & (np.abs(across) < 1.0)
        if covered.sum() < 4:
            return None, 0.0
        row = np.clip(((outward[0] - curve) / pitch).round().astype(int), 2, _ROWS - 3)
        reached = reward[np.stack([row - 1, row, row + 1]), columns].max(axis=0)
        seen = covered & (from_pupil[row, columns] >= 1.25)
        evidence = float(np.clip(reached[seen].mean() if seen.any() else 0.0, 0.0, 1.0))
        if evidence < options.least_evidence:
            return None, evidence
        at = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, 33)
        points = np.stack((limbus.x + radius * at, limbus.y + side * radius * np.polyval(fit, at)), axis=1)
        return points, evidence


def _parabola(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64], scale: float, bend: float
) -> NDArray[np.float64] | None:
    """Coefficients (highest first) of a robust weighted parabola; None where fewer than 6 points carry weight."""
    robust = np.ones_like(x)
    if (weights > 0.05).sum() < 6:
        return None
    basis = np.stack((x * x, x, np.ones_like(x)), axis=1)
    ridge = np.diag([0.03, 0.02, 0.0]) * weights.sum()
    fit = np.zeros(3)
    prior = np.array([bend, 0.0, 0.0])
    for _ in range(6):
        active = weights * robust
        fit = np.linalg.solve(
            basis.T @ (active[:, None] * basis) + ridge + 1e-9 * np.eye(3), basis.T @ (active * y) + ridge @ prior
        )
        residual = np.abs(y - basis @ fit)
        cut = 4.0 * max(scale, 1.4826 * float(np.median(residual)))
        robust = np.where(residual < cut, (1 - (residual / cut) ** 2) ** 2, 0.0)
    return fit
