"""Does the face reflect the colours that the screen showed? ``selfie.liveness.flash``.

The screen lights a face that is near it and hardly the room behind. What a virtual camera sends was lit by another
light. After the idea of Tang et al., "Face Flashing: a Secure Liveness Detection Protocol based on Light Reflections",
NDSS 2018.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from samebody import stage
from samebody.attacks.active_track import Floats, Track
from samebody.attacks.challenge import COLOURS, Challenge
from samebody.attacks.limits import measured
from samebody.types import Finding, Outcome, Reason

CHECK = "selfie.liveness.flash"


class FlashCheck(stage.Stage):
    """Correlates the colour of the face with the colours shown."""

    class Parameters(stage.Stage.Parameters):
        """When light is seen and when it agrees, measured on synthetic light (``benchmarks.active_rating limits``)."""

        lags_ms: tuple[float, ...] = Field(default=(0, 100, 200, 300), description="delays of screen and camera tried")
        least_frames: int = Field(default=12, ge=4, description="with a face while colours are shown")
        visible: float = Field(
            default=measured("flash", "visible"),
            gt=0,
            description="spread of the share of a colour below which no light was seen",
        )
        passes: float = Field(
            default=measured("flash", "passes"),
            gt=0,
            lt=1,
            description="correlation from which it is the screen's light",
        )
        fails: float = Field(
            default=measured("flash", "fails"), ge=-1, lt=1, description="correlation up to which it is another light"
        )

    parameters: Parameters

    def check(self, track: Track, challenge: Challenge) -> Finding:
        """The finding. Score: the best correlation over the delays, -1 to 1."""
        details: dict[str, object] = {"validated": "synthetic"}
        begin, end = challenge.flashes[0].at_ms, challenge.flashes[-1].until_ms
        inside = track.between(begin, end)
        if len(inside) < self.parameters.least_frames:
            reason = Reason(
                "attacks.flash_few_frames",
                f"The face is in {len(inside)} frames with colours; {self.parameters.least_frames} are needed.",
                "Keep your face in the frame until the colours end.",
            )
            return Finding(CHECK, Outcome.UNSURE, reasons=(reason,), details=details)
        spread, lag, score = self.measure(track, challenge)
        details["spread"] = round(spread, 5)
        if spread < self.parameters.visible:
            reason = Reason(
                "attacks.flash_not_seen",
                "No light of the screen was seen on the face: a bright room, or a picture that no screen lights.",
                "Go where it is less bright, turn up the brightness of the screen and come closer.",
            )
            return Finding(CHECK, Outcome.UNSURE, reasons=(reason,), details=details)
        details |= {"lag_ms": lag, "correlation": round(score, 4)}
        if score >= self.parameters.passes:
            return Finding(CHECK, Outcome.PASS, score=score, details=details)
        failed = score <= self.parameters.fails
        reason = (
            Reason(
                "attacks.flash_other_light",
                f"The light on the face changes, and not with the colours of the screen: correlation {score:.2f}.",
                "Use the screen that shows the colours, in a place where the light does not change.",
            )
            if failed
            else Reason(
                "attacks.flash_unsure",
                f"It could not be told whether the screen lights the face: correlation {score:.2f}.",
                "Go where it is less bright, and come closer.",
            )
        )
        return Finding(
            CHECK, Outcome.FAIL if failed else Outcome.UNSURE, score=score, reasons=(reason,), details=details
        )

    def measure(self, track: Track, challenge: Challenge) -> tuple[float, float, float]:
        """Spread of the face's colour, and delay in milliseconds and value of the best correlation."""
        inside = track.between(challenge.flashes[0].at_ms, challenge.flashes[-1].until_ms)
        answer = chromaticity(track, inside)
        found = {
            lag: correlation(answer, shown(challenge, track.at_ms[inside] - lag)) for lag in self.parameters.lags_ms
        }
        lag = max(found, key=lambda each: found[each])
        return float(answer.std(axis=0).max()), lag, found[lag]


def chromaticity(track: Track, frames: np.ndarray) -> Floats:
    """(n, 3) share of each colour in the light of the face, less that of the room behind it.

    Shares do not change with exposure. Where the room is not seen in every frame it is not subtracted; a camera's
    automatic white balance moves both alike.
    """
    face, room = _shares(track.face[frames]), _shares(track.around[frames])
    return face - room if np.isfinite(room).all() else face


def shown(challenge: Challenge, at_ms: Floats) -> Floats:
    """(n, 3) share of each primary in what the screen shows at each time; NaN where it shows no colour."""
    values = np.full((len(at_ms), 3), np.nan)
    for flash in challenge.flashes:
        here = (at_ms >= flash.at_ms) & (at_ms < flash.until_ms)
        values[here] = np.array(COLOURS[flash.colour], dtype=np.float64) / sum(COLOURS[flash.colour])
    return values


def correlation(answer: Floats, light: Floats) -> float:
    """Pearson's correlation over frames and colours, each colour about its own mean; 0 where one does not vary."""
    kept = np.isfinite(light).all(axis=1) & np.isfinite(answer).all(axis=1)
    if kept.sum() < 3:
        return 0.0
    one, two = answer[kept] - answer[kept].mean(axis=0), light[kept] - light[kept].mean(axis=0)
    norm = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return 0.0 if norm <= 1e-12 else float(np.clip((one * two).sum() / norm, -1.0, 1.0))


def _shares(colours: Floats) -> Floats:
    total = np.maximum(colours.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(colours / total)
