"""Several pictures of one eye, one template: frames turned onto the one in their middle, outliers left out, bits voted.

A bit on which the frames do not agree is *fragile* (Hollingsworth, Bowyer and Flynn, "The best bits in an iris code",
IEEE TPAMI 31(6), 2009) and is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody.iris.compare import ComparisonParameters, compare_irises, require_comparable
from samebody.iris.errors import TooFewBitsError, UnusableFramesError
from samebody.iris.template import IrisTemplate
from samebody.stage import Parameters
from samebody.types import Reason


class MergeParameters(Parameters):
    """How frames become one template.

    Attributes:
        comparison: how frames are held against each other.
        minimum_frame_bits: a frame with fewer usable bits is left out.
        maximum_distance: normalised distance to the middle frame above which a frame is an outlier: another eye, or
            one that was segmented wrongly.
        minimum_frames: that must remain when several were given.
        minimum_agreement: share of the frames that saw a bit which must agree on it, for the bit to be usable; a tie
            never is.
        minimum_votes: share of the kept frames that must have seen a bit.
    """

    comparison: ComparisonParameters = ComparisonParameters()
    minimum_frame_bits: int = Field(default=1_600, ge=1)
    maximum_distance: float = Field(default=0.42, gt=0, lt=0.5)
    minimum_frames: int = Field(default=2, ge=1)
    minimum_agreement: float = Field(default=0.67, gt=0.5, le=1)
    minimum_votes: float = Field(default=0.34, gt=0, le=1)


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What became of one frame.

    Attributes:
        index: in the order given.
        used: whether it took part in the vote.
        rotation: columns it was turned by.
        distance: normalised distance to the middle frame; None where none could be measured.
        reasons: why it was left out; empty when used.
    """

    index: int
    used: bool
    rotation: int = 0
    distance: float | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class MergedTemplate:
    """One template of several frames.

    Attributes:
        template: the vote; turned as the middle frame is.
        middle: index of the middle frame (the medoid: smallest mean distance to the others).
        frames: what became of each.
        disagreed_bits: bits that enough frames saw and that were masked because they did not agree.
    """

    template: IrisTemplate
    middle: int
    frames: tuple[FrameReport, ...]
    disagreed_bits: int


def merge_frames(frames: Sequence[IrisTemplate], parameters: MergeParameters | None = None) -> MergedTemplate:
    """Merge frames of one eye into one template.

    A single frame is returned as it is. Of two frames only bits on which both agree, or that one alone saw, remain.

    Raises:
        UnusableFramesError: no frame, or too few that show the same eye; the message says why each was left out.
        EmbeddingSpaceMismatchError, EyeMismatchError, InvalidIrisTemplateError: frames that are not comparable at all.
    """
    parameters = parameters or MergeParameters()
    if not frames:
        raise UnusableFramesError("there is no frame.", hint="Give at least one template.")
    for frame in frames[1:]:
        require_comparable(frames[0], frame)
    for first, frame in enumerate(frames):
        for other in frames[first + 1 :]:
            require_comparable(frame, other)  # unknown, left, right: the first alone does not tell
    rich = [index for index, frame in enumerate(frames) if frame.usable_bits >= parameters.minimum_frame_bits]
    distances, turns = _all_distances(frames, rich, parameters.comparison)
    needed = 1 if len(frames) == 1 else parameters.minimum_frames
    if not rich:
        reports = tuple(_left_out(index, frames[index], None, parameters) for index in range(len(frames)))
        raise _unusable(reports, needed)
    middle = rich[int(np.argmin([np.mean(distances[index, rich]) for index in rich]))]
    reports = tuple(
        FrameReport(index, True, int(turns[index, middle]), float(distances[index, middle]))
        if index in rich and distances[index, middle] <= parameters.maximum_distance
        else _left_out(index, frames[index], float(distances[index, middle]) if index in rich else None, parameters)
        for index in range(len(frames))
    )
    used = [report for report in reports if report.used]
    if len(used) < needed:
        raise _unusable(reports, needed)
    code, mask, disagreed = _vote([(frames[r.index], r.rotation) for r in used], parameters)
    known = [frames[report.index].eye for report in used if frames[report.index].eye != "unknown"]
    template = IrisTemplate.from_bits(
        code, mask, eye=known[0] if known else "unknown", space=frames[0].space, version=frames[0].version
    )
    return MergedTemplate(template, middle, reports, disagreed)


_FAR = 1.0
"""Stands for the distance of two frames that cannot be compared."""


def _all_distances(
    frames: Sequence[IrisTemplate], rich: Sequence[int], parameters: ComparisonParameters
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    count = len(frames)
    distances, turns = np.zeros((count, count)), np.zeros((count, count), dtype=np.int64)
    for position, first in enumerate(rich):
        for second in rich[position + 1 :]:
            try:
                found = compare_irises(frames[first], frames[second], parameters)
                distance, turn = found.normalised_distance, found.rotation
            except TooFewBitsError:
                distance, turn = _FAR, 0
            distances[first, second] = distances[second, first] = distance
            turns[first, second], turns[second, first] = turn, -turn
    return distances, turns


def _vote(
    aligned: Sequence[tuple[IrisTemplate, int]], parameters: MergeParameters
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    first = aligned[0][0].to_bits()[0]
    ones, votes = np.zeros(first.shape, dtype=np.int64), np.zeros(first.shape, dtype=np.int64)
    for template, turn in aligned:
        code, mask = (np.roll(bits, turn, axis=1) for bits in template.to_bits())
        ones += code & mask
        votes += mask
    majority = np.maximum(ones, votes - ones)
    seen = votes >= max(1, int(np.ceil(parameters.minimum_votes * len(aligned) - 1e-9)))
    agreed = (majority >= parameters.minimum_agreement * votes - 1e-9) & (2 * ones != votes)
    return 2 * ones > votes, seen & agreed, int(np.count_nonzero(seen & ~agreed))


def _left_out(index: int, frame: IrisTemplate, distance: float | None, parameters: MergeParameters) -> FrameReport:
    if distance is None:
        reason = Reason(
            "iris.frame_too_few_bits",
            f"{frame.usable_bits} usable bits, {parameters.minimum_frame_bits} are needed.",
            advice="Open the eye wide and look into the camera.",
        )
    else:
        reason = Reason(
            "iris.frame_outlier",
            f"its distance to the middle frame is {distance:.3f}, at most {parameters.maximum_distance:.3f} is "
            "expected of one eye.",
            advice="Make sure that all pictures show the same eye, and hold still.",
        )
    return FrameReport(index, False, 0, distance, (reason,))


def _unusable(reports: Sequence[FrameReport], needed: int) -> UnusableFramesError:
    why = "; ".join(f"frame {r.index}: {r.reasons[0].message.rstrip('.')}" for r in reports if r.reasons)
    used = sum(report.used for report in reports)
    return UnusableFramesError(
        f"{used} of {len(reports)} frames can be used and {needed} are needed ({why}).",
        hint="Take new pictures of one eye, wide open and sharp.",
    )
