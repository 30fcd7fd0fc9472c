"""Does the face move like a solid head under rotation, or like a picture of one? ``selfie.liveness.parallax``.

Any two views of a plane are related by a homography (Hartley and Zisserman, "Multiple View Geometry", 2nd edition,
13.1), so that a flat picture leaves no residual however it is turned. A head does: its nose stands out of its cheeks.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from pydantic import Field

from samebody import stage
from samebody.attacks.active_track import Floats, Track
from samebody.attacks.limits import measured
from samebody.face.pose import POSE_POINTS
from samebody.face.topology import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from samebody.types import Finding, Outcome, Reason

CHECK = "selfie.liveness.parallax"
_RIGHT, _LEFT = POSE_POINTS.index(RIGHT_EYE_CORNERS[0]), POSE_POINTS.index(LEFT_EYE_CORNERS[0])


class ParallaxCheck(stage.Stage):
    """Fits planes to turned views of the rigid points."""

    class Parameters(stage.Stage.Parameters):
        """When a view is turned enough, and how much relief a head has (``benchmarks.active_rating limits``)."""

        turned_degrees: float = Field(default=10, gt=0, le=60, description="least yaw between the two views")
        views: int = Field(default=3, ge=1, le=20, description="most turned views of each side that are fitted")
        flat: float = Field(default=measured("parallax", "flat"), ge=0, description="relief up to which it is flat")
        solid: float = Field(default=measured("parallax", "solid"), ge=0, description="relief from which it is a head")

    parameters: Parameters

    def check(self, track: Track) -> Finding:
        """The finding. Score: :meth:`relief`; about 0.21 for the reference head, noise alone for a plane."""
        found = self.relief(track)
        if found is None:
            reason = Reason(
                "attacks.parallax_no_turn",
                f"The head was not turned by {self.parameters.turned_degrees:g} degrees, so its depth was not seen.",
                "Turn your head further when asked, not the camera.",
            )
            return Finding(CHECK, Outcome.UNSURE, reasons=(reason,), details={"validated": "synthetic"})
        outcome = Outcome.PASS
        reasons: tuple[Reason, ...] = ()
        if found <= self.parameters.flat:
            outcome = Outcome.FAIL
            reasons = (
                Reason(
                    "attacks.parallax_flat",
                    f"The face moves like a flat picture: relief {found:.3f}, of a head at least "
                    f"{self.parameters.solid:g}.",
                ),
            )
        elif found < self.parameters.solid:
            outcome = Outcome.UNSURE
            reasons = (
                Reason(
                    "attacks.parallax_unsure",
                    f"It could not be told whether the face is solid: relief {found:.3f}.",
                    "Turn your head further when asked, and hold the camera still.",
                ),
            )
        return Finding(
            CHECK, outcome, score=found, reasons=reasons, details={"validated": "synthetic", "relief": round(found, 4)}
        )

    def relief(self, track: Track) -> float | None:
        """What the best homography between a front and a turned view leaves over; None without a turned view.

        Root mean square in distances between the outer eye corners, divided by the sine of the yaw between the views;
        the median over the most turned ones.

        The division makes it independent of how far the head was turned: relief moves by depth times sine.
        """
        seen = np.flatnonzero(track.seen)
        if len(seen) < 2:
            return None
        front = seen[int(np.argmin(np.abs(track.yaw[seen])))]
        spread = track.yaw[seen] - track.yaw[front]
        chosen: list[int] = []
        for sign in (1, -1):
            order = seen[np.argsort(-sign * spread)][: self.parameters.views]
            chosen += [
                int(each)
                for each in order
                if sign * (track.yaw[each] - track.yaw[front]) >= self.parameters.turned_degrees
            ]
        values = [
            value / math.sin(math.radians(min(90.0, abs(float(track.yaw[each] - track.yaw[front])))))
            for each in chosen
            if (value := plane_residual(track.points[front], track.points[each])) is not None
        ]
        return float(np.median(values)) if values else None


def plane_residual(front: Floats, turned: Floats) -> float | None:
    """What the least-squares homography from ``front`` to ``turned``, both (n, 2) pixels, leaves over.

    Returns:
        Root mean square distance over the distance between the outer eye corners in ``front``; None when no homography
        can be fitted.
    """
    eyes = math.dist(front[_RIGHT], front[_LEFT])
    if eyes <= 0 or not (np.isfinite(front).all() and np.isfinite(turned).all()):
        return None
    matrix, _ = cv2.findHomography(front, turned, 0)
    if matrix is None:
        return None
    mapped = cv2.perspectiveTransform(front[None], matrix)[0]
    return float(np.sqrt(((mapped - turned) ** 2).sum(axis=1).mean())) / eyes
