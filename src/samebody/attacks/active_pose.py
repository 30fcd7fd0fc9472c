"""Did the person do what was asked, in the order and the time in which it was asked? ``selfie.liveness.pose``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from samebody import stage
from samebody.attacks.active_track import Floats, Track
from samebody.attacks.challenge import TURNS, Action, Challenge, Step
from samebody.attacks.limits import measured
from samebody.types import Finding, Outcome, Reason

CHECK = "selfie.liveness.pose"


@dataclass(frozen=True, slots=True)
class Followed:
    """What one prompt led to.

    Attributes:
        reached: the movement over the least one that counts, 1 or more when it was done; NaN when too few frames show
            the face.
        onset_ms: from the prompt until half of that was reached; None when it was not.
        wrong: another turn, or coming closer, was done instead or as well.
    """

    step: Step
    reached: float
    onset_ms: float | None
    wrong: Action | None

    @property
    def done(self) -> bool:
        """Whether this and nothing contrary was done."""
        return self.reached >= 1 and self.wrong is None


class PoseCheck(stage.Stage):
    """Follows head pose, expression and distance through the prompts."""

    class Parameters(stage.Stage.Parameters):
        """The least movements that count, measured on synthetic motion (``benchmarks.active_rating limits``)."""

        turn_degrees: float = Field(
            default=measured("pose", "turn_degrees"), gt=0, le=60, description="yaw against the rest before the prompt"
        )
        nod_degrees: float = Field(
            default=measured("pose", "nod_degrees"),
            gt=0,
            le=60,
            description="pitch, highest less lowest, within the prompt",
        )
        blink: float = Field(default=measured("pose", "blink"), gt=0, le=1, description="rise of the blink blendshapes")
        smile: float = Field(default=measured("pose", "smile"), gt=0, le=1, description="rise of the smile blendshapes")
        closer: float = Field(default=measured("pose", "closer"), gt=0, le=2, description="growth of the face, share")
        rest_ms: float = Field(default=700, gt=0, description="before the prompt, for the baseline")
        least_frames: int = Field(default=5, ge=2, description="with a face within a prompt")
        missed_unsure: int = Field(default=1, ge=0, description="prompts that may be missed before it is a failure")

    parameters: Parameters

    def check(self, track: Track, challenge: Challenge) -> Finding:
        """The finding. Score: the share of prompts that were followed, 0-1."""
        followed = self.follow(track, challenge)
        blind = [each for each in followed if not np.isfinite(each.reached)]
        missed = [each for each in followed if np.isfinite(each.reached) and not each.done]
        score = sum(each.done for each in followed) / len(followed)
        reasons: list[Reason] = []
        if missed:
            names = ", ".join(f"{each.step.action.value}" for each in missed)
            reasons.append(
                Reason(
                    "attacks.active_not_followed",
                    f"{len(missed)} of {len(followed)} prompts were not followed: {names}.",
                    "Do what the screen asks, one thing at a time, and look into the camera in between.",
                )
            )
        if blind:
            reasons.append(
                Reason(
                    "attacks.active_face_lost",
                    f"The face was not seen well enough during {len(blind)} of {len(followed)} prompts.",
                    "Keep your face in the frame, in even light.",
                )
            )
        if len(missed) > self.parameters.missed_unsure:
            outcome = Outcome.FAIL
        else:
            outcome = Outcome.UNSURE if missed or blind else Outcome.PASS
        details = {
            "validated": "synthetic",
            "prompts": [
                {
                    "action": each.step.action.value,
                    "reached": None if not np.isfinite(each.reached) else round(each.reached, 2),
                    "onset_ms": None if each.onset_ms is None else round(each.onset_ms),
                    "wrong": None if each.wrong is None else each.wrong.value,
                }
                for each in followed
            ],
        }
        return Finding(CHECK, outcome, score=score, reasons=tuple(reasons), details=details)

    def follow(self, track: Track, challenge: Challenge) -> tuple[Followed, ...]:
        """What each prompt led to, in order."""
        return tuple(self._one(track, step) for step in challenge.steps)

    def movements(self, track: Track, step: Step) -> dict[Action, Floats] | None:
        """Each movement in every frame of a prompt, over the least one that counts; None with too few frames."""
        inside = track.between(step.at_ms, step.until_ms)
        before = track.between(step.at_ms - self.parameters.rest_ms, step.at_ms)
        if len(inside) < self.parameters.least_frames or len(before) < 2:
            return None
        return self._amounts(track, before, inside)

    def _one(self, track: Track, step: Step) -> Followed:
        amounts = self.movements(track, step)
        if amounts is None:
            return Followed(step, float("nan"), None, None)
        asked, times = amounts[step.action], track.at_ms[track.between(step.at_ms, step.until_ms)]
        reached = float(asked.max())
        onset = float(times[int(np.argmax(asked >= 0.5))] - step.at_ms) if reached >= 0.5 else None
        others = (TURNS | {Action.CLOSER}) - {step.action}
        wrong = max(others, key=lambda action: float(amounts[action].max()))
        return Followed(step, reached, onset, wrong if amounts[wrong].max() >= 1 else None)

    def _amounts(self, track: Track, before: np.ndarray, inside: np.ndarray) -> dict[Action, Floats]:
        limits = self.parameters

        def against_rest(values: Floats) -> Floats:
            return np.asarray(values[inside] - np.median(values[before]))

        yaw = against_rest(track.yaw)
        pitch = track.pitch[inside]
        swing = np.maximum.accumulate(pitch) - np.minimum.accumulate(pitch)
        return {
            Action.TURN_LEFT: yaw / limits.turn_degrees,
            Action.TURN_RIGHT: -yaw / limits.turn_degrees,
            Action.NOD: swing / limits.nod_degrees,
            Action.BLINK: against_rest(track.blink) / limits.blink,
            Action.SMILE: against_rest(track.smile) / limits.smile,
            Action.CLOSER: (track.size[inside] / np.median(track.size[before]) - 1) / limits.closer,
        }
