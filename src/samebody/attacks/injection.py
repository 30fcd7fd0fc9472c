"""Injection evidence: did the pictures come from a camera, or were they handed to the client? ``selfie.injection``.

CEN/TS 18099 calls it an injection attack when samples enter between the camera and the server. What is seen here are
careless ones: each part accuses where it finds a trace, and none proves that there was none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.attacks.injection_frames import FrameTraces
from samebody.attacks.limits import measured
from samebody.capture import perceptual
from samebody.types import Finding, Outcome, Pixels, Reason

CHECK = "selfie.injection"

VIRTUAL_CAMERAS = (
    *("obs", "obs-camera", "manycam", "xsplit", "snap camera", "splitcam", "camtwist", "youcam", "mmhmm", "e2esoft"),
    *(
        "v4l2loopback",
        "dummy video device",
        "vcam",
        "virtual",
        "akvcam",
        "unitycam",
        "droidcam",
        "iriun",
        "fake_device",
    ),
)
"""Words in the names of cameras that are programs. A name is easily changed: its absence shows nothing."""
_VIRTUAL = re.compile(r"(?<![a-z])(" + "|".join(re.escape(each) for each in VIRTUAL_CAMERAS) + r")(?![a-z])")
EMULATORS = (
    *(
        "sdk_gphone",
        "android sdk built for",
        "google_sdk",
        "emulator",
        "genymotion",
        "bluestacks",
        "waydroid",
        "vbox86",
    ),
    *("headlesschrome", "phantomjs", "selenium", "playwright", "puppeteer"),
)
"""Words in the user agents of emulated phones and of browsers that a program drives."""
_EMULATED_CAMERA = re.compile(r"emulated|virtualscene|virtual scene|simulated")
_PHONE_AGENT = re.compile(r"android|iphone|ipad|mobile", re.IGNORECASE)
_PHONE_CAMERA = re.compile(r"camera2? \d+, facing|^(front|back)( \w+)* camera$", re.IGNORECASE)
_DESK_CAMERA = re.compile(r"webcam|usb|facetime|integrated", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of evidence.

    Attributes:
        name: ``virtual_camera``, ``emulator``, ``device``, ``duplicates``, ``loop``, ``timing``, ``noise``,
            ``replay``, ``challenge``, ``token``.
        score: 1 where nothing accuses, 0 where it is as good as certain.
        reasons: what was found; empty where nothing was.
    """

    name: str
    score: float
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Replays:
    """What earlier uploads of the tenant say.

    Attributes:
        same_bytes: samples of this attempt that another case has, to the byte.
        lookalikes: samples of this attempt whose perceptual hash is that of a sample of another case.
    """

    same_bytes: int = 0
    lookalikes: int = 0


class InjectionCheck(stage.Stage):
    """Gathers the parts into one finding."""

    class Parameters(stage.Stage.Parameters):
        """When a trace is one; set on generated frames and on what browsers document."""

        duplicates_hint: float = Field(default=0.2, gt=0, le=1, description="share of frames equal to the one before")
        duplicates_fail: float = Field(default=0.5, gt=0, le=1, description="share from which it is no live camera")
        jitter_ms: float = Field(default=0.05, ge=0, description="spread of the gaps between frames of a program")
        still_noise: float = Field(
            default=measured("injection", "still_noise"),
            ge=0,
            description="grey levels of noise that no sensor stays below",
        )
        noise_ratio: float = Field(
            default=measured("injection", "noise_ratio"),
            gt=1,
            description="noise of one half of the recording over the other",
        )
        aspect: float = Field(default=0.03, gt=0, lt=1, description="difference of aspect between frames and camera")
        hints_fail: int = Field(default=3, ge=1, description="hints that together are a failure")

    parameters: Parameters

    def check(
        self,
        traces: FrameTraces | None = None,
        device: Mapping[str, Any] | None = None,
        replays: Replays | None = None,
        refused: Sequence[str] = (),
        misused: Sequence[str] = (),
    ) -> Finding:
        """The finding. Score: the lowest of its parts, 1 where nothing accuses.

        ``pass`` says only that no trace was found. A part that is as good as certain, or several hints together, are a
        ``fail``; one or two hints are ``unsure``. ``details`` hold the parts apart.

        Args:
            traces: of the frames of a recording; None without one.
            device: what the client said: ``user_agent``, ``camera``, ``width``, ``height``.
            replays: what earlier uploads say; None when they were not asked.
            refused: why answers to challenges of the attempt were refused.
            misused: what the session's client token was tried on that it does not open.
        """
        parts = [*self._device(device or {}, traces), *self._frames(traces), *_replays(replays)]
        parts += [_challenge(refused), _token(misused)]
        if not any((traces, device, replays, refused, misused)):
            reason = Reason("attacks.injection_no_evidence", "Nothing was handed over that could show an injection.")
            return Finding(CHECK, Outcome.NOT_RUN, reasons=(reason,))
        certain = [each for each in parts if each.score <= 0]
        hints = [each for each in parts if 0 < each.score < 1]
        outcome = Outcome.PASS
        if certain or len(hints) >= self.parameters.hints_fail:
            outcome = Outcome.FAIL
        elif hints:
            outcome = Outcome.UNSURE
        ordered = sorted(parts, key=lambda each: each.score)
        return Finding(
            CHECK,
            outcome,
            score=ordered[0].score,
            reasons=tuple(reason for each in ordered for reason in each.reasons),
            details={"validated": "none", "parts": {each.name: each.score for each in parts}},
        )

    def _device(self, device: Mapping[str, Any], traces: FrameTraces | None) -> list[Part]:
        if not device:
            return []
        camera, agent = str(device.get("camera", "")).lower(), str(device.get("user_agent", ""))
        parts = [Part("virtual_camera", 1.0)]
        if found := _VIRTUAL.search(camera):
            text = f"The camera's name is that of a program ({found.group(1)})."
            advice = "Use the camera of your device, without programs that change its picture."
            parts = [Part("virtual_camera", 0.0, (Reason("attacks.injection_virtual_camera", text, advice),))]
        parts.append(_emulator(camera, agent.lower()))
        odd: list[str] = []
        phone = bool(_PHONE_AGENT.search(agent))
        if camera and phone and _DESK_CAMERA.search(camera):
            odd.append("a phone's browser names a desk camera")
        if camera and agent and not phone and _PHONE_CAMERA.search(camera):
            odd.append("a desk browser names a phone's camera")
        width, height = int(device.get("width") or 0), int(device.get("height") or 0)
        if traces is not None and width and height:
            said, seen = math.log(width / height), math.log(traces.width / traces.height)
            if min(abs(said - seen), abs(said + seen)) > self.parameters.aspect:
                odd.append(f"frames of {traces.width} x {traces.height} from a camera of {width} x {height}")
        if traces is not None and traces.signed:
            odd.append("frames carry the marks of a photograph or an editor")
        reason = Reason("attacks.injection_device", f"What the device says contradicts itself: {'; '.join(odd)}.")
        return [*parts, Part("device", 0.5 if odd else 1.0, (reason,) if odd else ())]

    def _frames(self, traces: FrameTraces | None) -> list[Part]:
        if traces is None or traces.count < 3:
            return []
        limits, parts = self.parameters, []
        share = traces.duplicates
        text = f"{100 * share:.0f} % of the frames are equal to the one before; a sensor's noise never repeats."
        score = 0.0 if share >= limits.duplicates_fail else 0.5 if share >= limits.duplicates_hint else 1.0
        reason = Reason("attacks.injection_duplicates", text)
        parts.append(Part("duplicates", score, (reason,) if score < 1 else ()))
        loop: tuple[Reason, ...] = ()
        if traces.loop is not None:
            lag, run = traces.loop
            text = f"{run} moving frames recur {lag} frames later: the recording was looped."
            loop = (Reason("attacks.injection_loop", text),)
        parts.append(Part("loop", 0.0 if loop else 1.0, loop))
        regular = traces.count >= 20 and traces.jitter_ms < limits.jitter_ms
        text = f"The frames come every {traces.gap_ms:.1f} ms to the microsecond; cameras and browsers waver."
        reason = Reason("attacks.injection_regular", text)
        parts.append(Part("timing", 0.5 if regular else 1.0, (reason,) if regular else ()))
        return [*parts, self._noise(traces)]

    def _noise(self, traces: FrameTraces) -> Part:
        levels = traces.noise[np.isfinite(traces.noise)]
        if len(levels) < 8:
            return Part("noise", 1.0)
        limits = self.parameters
        if (levels < limits.still_noise).mean() >= 0.9:
            text = "What stands still shows no noise of a sensor: a still picture that is moved, or strong denoising."
            return Part("noise", 0.5, (Reason("attacks.injection_no_noise", text),))
        half = len(levels) // 2
        one, two = sorted((float(np.median(levels[:half])), float(np.median(levels[half:]))))
        if two > limits.noise_ratio * max(one, limits.still_noise):
            text = f"The noise changes from {one:.2f} to {two:.2f} grey levels during the recording."
            return Part("noise", 0.5, (Reason("attacks.injection_noise_changes", text),))
        return Part("noise", 1.0)


def _replays(replays: Replays | None) -> list[Part]:
    if replays is None:
        return []
    if replays.same_bytes:
        text = f"{replays.same_bytes} files of this attempt were uploaded in another case, to the byte."
        return [Part("replay", 0.0, (Reason("attacks.injection_replayed", text, "Take new pictures."),))]
    if replays.lookalikes:
        text = f"{replays.lookalikes} pictures of this attempt look like ones of another case, saved again."
        return [Part("replay", 0.5, (Reason("attacks.injection_lookalike", text, "Take new pictures."),))]
    return [Part("replay", 1.0)]


def _challenge(refused: Sequence[str]) -> Part:
    if not refused:
        return Part("challenge", 1.0)
    text = f"{len(refused)} answers were refused: a challenge of another session, or one answered before."
    return Part("challenge", 0.5 if len(refused) == 1 else 0.0, (Reason("attacks.injection_challenge", text),))


def _emulator(camera: str, agent: str) -> Part:
    """A hint only: people test, and some who cannot use a mouse drive their browser by a program."""
    word = next((each for each in EMULATORS if each in agent), None)
    if word is None and (found := _EMULATED_CAMERA.search(camera)):
        word = found.group(0)
    if word is None:
        return Part("emulator", 1.0)
    text = f"The device is an emulated one, or its browser is driven by a program ({word})."
    return Part("emulator", 0.5, (Reason("attacks.injection_emulator", text, "Use a telephone or computer itself."),))


def _token(misused: Sequence[str]) -> Part:
    if not misused:
        return Part("token", 1.0)
    text = f"The session's token was tried {len(misused)} times on what it does not open."
    return Part("token", 0.5 if len(misused) == 1 else 0.0, (Reason("attacks.injection_token", text),))


def perceptual_hash(pixels: Pixels) -> bytes | None:
    """The perceptual hash of a picture as 32 bytes, to be sealed with it; None for one that is flat."""
    found = perceptual.perceptual_hash(pixels)
    return None if found is None else found.astype("<u8").tobytes()


def looks_alike(one: bytes, two: bytes) -> bool:
    """Whether two perceptual hashes are those of one picture, saved again or scaled.

    At :data:`samebody.capture.perceptual.RADIUS` bits: copies differ by up to 20, different pictures by 65 or more.
    """
    return perceptual.distance(_words(one), _words(two)) <= perceptual.RADIUS


def _words(value: bytes) -> NDArray[np.uint64]:
    if len(value) != perceptual.WORDS * 8:
        raise ValueError(f"expected {perceptual.WORDS * 8} bytes, got {len(value)}")
    return np.frombuffer(value, "<u8").astype(np.uint64)
