"""Active liveness: the frames of a challenge in, one finding for each thing that a living person shows.

Nothing here was measured on real attacks, and every finding says so.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from samebody.attacks.active_identity import identity_finding
from samebody.attacks.active_passive import frames_finding
from samebody.attacks.active_pose import PoseCheck
from samebody.attacks.active_track import Track, observe
from samebody.attacks.challenge import Challenge, from_dict
from samebody.attacks.flash import CHECK as FLASH
from samebody.attacks.flash import FlashCheck
from samebody.attacks.pad import PassivePad
from samebody.attacks.parallax import ParallaxCheck
from samebody.attacks.timing import TimingCheck
from samebody.capture import decode_image
from samebody.errors import InputError
from samebody.face import FaceAnalyser
from samebody.face.networks import BLENDSHAPES, DETECTOR, LANDMARKS
from samebody.types import Box, Finding, Image, Outcome, Reason, Template

MOST_FRAMES = 300
FRONT_DEGREES = 12.0
"""Yaw and pitch against the recording's median up to which a frame shows the face from the front."""
IDENTITY_FRAMES = 5


class InvalidRecordingError(InputError):
    """A recording does not have the form in which it is kept."""

    code = "attacks.invalid_recording"


@dataclass(frozen=True, slots=True)
class Recording:
    """What the person's device sent for one challenge.

    Attributes:
        challenge: what was asked.
        at_ms: of each frame, milliseconds since the challenge began, by the device's clock.
        pictures: of each frame, as it was encoded.
        waited_ms: between drawing and receiving, by the server's clock.
        device: what the device says about itself: ``user_agent``, ``camera``, ``width``, ``height``.
    """

    challenge: Challenge
    at_ms: tuple[float, ...]
    pictures: tuple[bytes, ...]
    waited_ms: float
    device: dict[str, Any]

    def __post_init__(self) -> None:
        if len(self.at_ms) != len(self.pictures) or not 0 < len(self.pictures) <= MOST_FRAMES:
            raise InvalidRecordingError(
                f"a recording has 1 to {MOST_FRAMES} frames with a time each.", hint="Take fewer frames a second."
            )

    def to_bytes(self) -> bytes:
        """As one JSON document; :func:`read_recording` reads it."""
        content = {
            "challenge": self.challenge.to_dict(),
            "at_ms": list(self.at_ms),
            "waited_ms": self.waited_ms,
            "device": self.device,
            "pictures": [base64.b64encode(each).decode() for each in self.pictures],
        }
        return json.dumps(content, separators=(",", ":")).encode()

    def frames(self, decode: Callable[[bytes], Image] = decode_image) -> Iterator[tuple[float, Image]]:
        """Time and picture, one after the other.

        Raises:
            InputError: a picture cannot be decoded.
        """
        for at_ms, data in zip(self.at_ms, self.pictures, strict=True):
            yield at_ms, decode(data)


def read_recording(data: bytes) -> Recording:
    """The recording of :meth:`Recording.to_bytes`.

    Raises:
        InvalidRecordingError, InvalidChallengeError.
    """
    try:
        content = json.loads(data)
        pictures = tuple(base64.b64decode(each, validate=True) for each in content["pictures"])
        at_ms = tuple(float(each) for each in content["at_ms"])
        waited, device = float(content["waited_ms"]), dict(content["device"])
        asked = content["challenge"]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise InvalidRecordingError("the recording cannot be read.", hint="Record the challenge again.") from None
    return Recording(from_dict(asked), at_ms, pictures, waited, device)


_NO_COLOURS = Finding(
    FLASH,
    Outcome.NOT_RUN,
    reasons=(Reason("attacks.flash_declined", "The person asked for no colours on the screen, so none were shown."),),
    details={"validated": "synthetic"},
)


class ActiveLiveness:
    """All active checks over one recording; stages can be replaced by ones with other parameters.

    Args:
        faces: finds faces and makes templates; its embedder's record holds the operating points.
    """

    def __init__(
        self,
        faces: FaceAnalyser,
        *,
        pose: PoseCheck | None = None,
        parallax: ParallaxCheck | None = None,
        flash: FlashCheck | None = None,
        timing: TimingCheck | None = None,
    ) -> None:
        self._faces = faces
        self._detector = PassivePad(faces.settings)
        self._pose, self._parallax = pose or PoseCheck(), parallax or ParallaxCheck()
        self._flash, self._timing = flash or FlashCheck(), timing or TimingCheck()

    def check(
        self, recording: Recording, selfie: Template | None, *, fmr: float, population: str = "matched-adults"
    ) -> tuple[Finding, ...]:
        """``selfie.liveness.pose``, ``.parallax``, ``.flash``, ``.timing``, ``.identity`` and ``.frames``.

        Args:
            selfie: what the frames are compared with; None when there is no usable face on it.
            fmr, population: the operating point of the comparison.

        Raises:
            InputError: a frame cannot be decoded.
            NotMeasuredError: the embedder was not measured at ``fmr``.
        """
        started = time.perf_counter()
        track, most_faces = observe(recording.frames(), self._faces)
        spent = 1000 * (time.perf_counter() - started)
        labels = tuple(self._faces.networks.records[name].label for name in (DETECTOR, LANDMARKS, BLENDSHAPES))
        declined = recording.device.get("colours") is False
        judged = self.judge(track, recording.challenge, recording.waited_ms, declined=declined)
        front = self._front(recording, track)
        passive = frames_finding(self._detector, [(image, box) for image, box, _ in front])
        identity = identity_finding(
            [template for _, _, template in front], selfie, self._faces.embedder, fmr, population
        )
        pose = replace(judged[0], milliseconds=spent, details={**judged[0].details, "most_faces": most_faces})
        return (*(replace(each, model_ids=labels) for each in (pose, *judged[1:])), identity, passive)

    def judge(
        self, track: Track, challenge: Challenge, waited_ms: float | None = None, *, declined: bool = False
    ) -> tuple[Finding, ...]:
        """Pose, parallax, flash and timing of a track: no pictures and no models are needed.

        Args:
            declined: the person wanted no colours shown; flash is not run then, which no policy takes for a pass.
        """
        followed = self._pose.follow(track, challenge)
        return (
            self._pose.check(track, challenge),
            self._parallax.check(track),
            _NO_COLOURS if declined else self._flash.check(track, challenge),
            self._timing.check(track.at_ms, challenge, followed, waited_ms),
        )

    def _front(self, recording: Recording, track: Track) -> list[tuple[Image, Box, Template]]:
        """Frames that show the face from the front, spread over the recording, with its box and template."""
        seen = np.flatnonzero(track.seen)
        if not len(seen):
            return []
        ahead = [
            int(each)
            for each in seen
            if abs(track.yaw[each] - np.median(track.yaw[seen])) < FRONT_DEGREES
            and abs(track.pitch[each] - np.median(track.pitch[seen])) < FRONT_DEGREES
        ]
        chosen = [ahead[round(place)] for place in np.linspace(0, len(ahead) - 1, min(IDENTITY_FRAMES, len(ahead)))]
        images = [decode_image(recording.pictures[each]) for each in dict.fromkeys(chosen)]
        found = [(image, self._faces.template(image, role="frame")) for image in images]
        return [
            (image, seen.chosen.box, seen.template)
            for image, seen in found
            if seen.chosen is not None and seen.template is not None
        ]


CHECKS = tuple(f"selfie.liveness.{name}" for name in ("pose", "parallax", "flash", "timing", "identity", "frames"))
"""What :meth:`ActiveLiveness.check` returns, in order."""
