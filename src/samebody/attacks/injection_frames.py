"""What the frames of a recording tell about how they were made: repeats, loops, times, the noise of a sensor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.capture.perceptual import REC709
from samebody.types import Image, Pixels

Floats = NDArray[np.float64]

SMALL = 32
SAME_GREY = 0.4
"""Root mean square grey levels at 32 x 32 up to which two frames show one moment: an encoder's differences."""
SHORTEST_LOOP = 8
"""Moving frames that must recur one after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameTraces:
    """Traces of one recording.

    Attributes:
        count: frames.
        width, height: of the first frame, pixels.
        duplicates: share of frames whose pixels are those of the frame before.
        loop: (frames until it recurs, frames that recur); None where nothing does.
        gap_ms, jitter_ms: median and standard deviation of the times between frames.
        noise: (n - 1,) grey levels, see :func:`still_noise`; NaN where nothing stood still.
        signed: whether a frame carries the name of a camera or a program.
    """

    count: int
    width: int
    height: int
    duplicates: float
    loop: tuple[int, int] | None
    gap_ms: float
    jitter_ms: float
    noise: Floats
    signed: bool


def traces_of(frames: Iterable[tuple[float, Image]]) -> FrameTraces:
    """Look through a recording once; two frames are held at a time.

    Args:
        frames: milliseconds and picture, at least one.

    Raises:
        ValueError: there is none.
    """
    times: list[float] = []
    small: list[Floats] = []
    noise: list[float] = []
    equal, signed = 0, False
    before: tuple[bytes, Pixels] | None = None
    shape = (0, 0)
    for at_ms, image in frames:
        digest = hashlib.sha256(image.pixels.tobytes()).digest()
        if before is None:
            shape = (image.width, image.height)
        else:
            equal += digest == before[0]
            noise.append(still_noise(before[1], image.pixels) if digest != before[0] else float("nan"))
        signed |= image.source.camera is not None or image.source.software is not None
        times.append(at_ms)
        small.append(thumbnail(image.pixels))
        before = (digest, image.pixels)
    if not times:
        raise ValueError("expected at least one frame")
    gaps = np.diff(times)
    return FrameTraces(
        len(times),
        *shape,
        equal / max(1, len(times) - 1),
        find_loop(np.array(small)),
        float(np.median(gaps)) if len(gaps) else 0.0,
        float(gaps.std()) if len(gaps) else 0.0,
        np.array(noise, dtype=np.float64),
        signed,
    )


def thumbnail(pixels: Pixels) -> Floats:
    """(1024,) luma 0-255 of the picture at 32 x 32, area averages: without noise, with movement."""
    # averaged before it is rounded: whole grey levels would hide that two frames are the same
    reduced = cv2.resize(pixels.astype(np.float32), (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced @ REC709, dtype=np.float64).ravel()


def find_loop(small: Floats) -> tuple[int, int] | None:
    """(lag, run) of the longest stretch of moving frames that recurs ``lag`` frames later; None without one.

    Frames that do not move are no loop: a person who sits still looks the same for long. A stretch counts when its
    frames differ from their neighbours by four times what counts as the same, in the median.

    Args:
        small: (n, d) thumbnails.
    """
    count = len(small)
    if count < 2 * SHORTEST_LOOP:
        return None
    # exact differences: the matrix of inner products would lose them to cancellation
    moved = np.sqrt(((small[1:] - small[:-1]) ** 2).mean(axis=1))
    best: tuple[int, int] | None = None
    for lag in range(SHORTEST_LOOP // 2, count - SHORTEST_LOOP + 1):
        same = np.sqrt(((small[lag:] - small[:-lag]) ** 2).mean(axis=1)) <= SAME_GREY
        edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            run = int(end - begin)
            moving = run >= SHORTEST_LOOP and float(np.median(moved[begin : end - 1])) >= 4 * SAME_GREY
            if moving and (best is None or run > best[1]):
                best = (lag, run)
    return best


def still_noise(one: Pixels, two: Pixels) -> float:
    """Noise of the upper corners between two frames, grey levels: standard deviation of one frame.

    1.2533 times the mean absolute difference, less its average over 9 x 9 pixels, over the square root of 2; of the
    calmer of both corners (a sixth of the width, a third of the height). The factor holds for normal noise. NaN where
    frames differ in size or both corners move.
    """
    if one.shape != two.shape:
        return float("nan")
    height, width = one.shape[:2]
    levels = []
    for place in (slice(0, max(1, width // 6)), slice(width - max(1, width // 6), width)):
        part = slice(0, max(1, height // 3))
        first, second = (np.asarray(each[part, place].astype(np.float32) @ REC709) for each in (one, two))
        change = first - second
        # movement and light are smooth over neighbours and noise is not: what an average leaves over is movement
        smooth = cv2.blur(change, (9, 9))
        if float(np.abs(smooth - np.median(smooth)).mean()) <= 2.0:
            levels.append(1.2533 * float(np.abs(change - smooth).mean()) / 2**0.5)
    return min(levels) if levels else float("nan")
