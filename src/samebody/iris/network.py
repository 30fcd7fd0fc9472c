"""A learned segmenter: four soft maps from a network, turned into contours, lids and a mask.

The record (``iris/segment`` unless the file names another) brings the network; what it must answer is in
:data:`MAPS`. Contours are read off the maps where they cross one half, between pixels; the edge of the picture itself
is traced close to them where the stage is told to.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.boundaries import ANGLES, Trace, behind_lids, pupil_or_not, trace_edge
from samebody.iris.errors import InvalidSegmentationError
from samebody.iris.occlusion import LidsLashesReflections
from samebody.iris.polar import directions, polar, sample, smooth_radii
from samebody.iris.reflections import TopHatReflections
from samebody.iris.results import (
    Circle,
    EyeImage,
    Eyelids,
    EyeLocation,
    LimbusBoundary,
    PupilBoundary,
    Reflections,
    Segmentation,
)
from samebody.iris.stages import IrisStage, stages

if TYPE_CHECKING:
    from samebody.models import ModelRecord

MAPS = ("pupil", "limbus", "opening", "cover")
"""Inside the pupil's contour and inside the limbus' contour, as if nothing hid them; between the lids; lash or
reflection."""
Samples = NDArray[np.float32]
Floats = NDArray[np.float64]


@stages.register("network_segmenter")
class NetworkSegmenter(IrisStage):
    """Everything from the grey picture to the segmentation in one step."""

    class Parameters(stage.Stage.Parameters):
        """Lengths are shares of the iris radius."""

        record: str = Field(default="iris/segment", min_length=3, max_length=128, description="id of the model record")
        pupil_edge: Literal["map", "picture"] = Field(
            default="picture", description="contour of the pupil from the map alone, or traced in the picture near it"
        )
        limbus_edge: Literal["map", "picture"] = Field(default="picture", description="the same of the limbus")
        hidden: Literal["map", "both"] = Field(
            default="both", description="what hides the iris by the maps alone, or also by grey values that stand out"
        )
        cover_limit: float = Field(default=0.5, gt=0, lt=1, description="probability from which a pixel is covered")
        least_area: float = Field(default=0.0004, gt=0, lt=0.5, description="smallest pupil, share of the picture")
        lid_margin: float = Field(default=0.02, ge=0, lt=0.5, description="strip masked beside a lid")

    parameters: Parameters

    takes = (EyeImage,)
    gives = Segmentation

    def pins(self) -> dict[str, Any]:
        """Weights and preprocessing of the record: another network is another embedding space.

        Raises:
            ModelNotFoundError: there is no such record.
            ContractError: the record is of no segmenter with the maps of :data:`MAPS`.
        """
        record = self._record
        return {"record": record.label, "weights": record.run_sha256}

    def run(self, image: EyeImage) -> Segmentation | None:
        """The segmentation, or None where the network sees no iris.

        Raises:
            InvalidSegmentationError: the contours do not nest.
            WeightsMissingError, WeightsCorruptError: the record's weights are not on this machine, or others.
        """
        options = self.parameters
        maps = self._maps(image.grey)
        limbus_map = _largest(maps[1])
        pupil_map = _largest(maps[0] * (limbus_map > 0))
        area = float(image.grey.size)
        if pupil_map.sum() < options.least_area * area or limbus_map.sum() < 2 * options.least_area * area:
            return None
        first = _circle(limbus_map)
        lids = _lids(maps[2], first)
        limbus_trace = _contour(maps[1], first, lids, order=3, stiffness=1e-3)
        pupil_trace = _contour(maps[0], _circle(pupil_map), lids, order=5, stiffness=3e-5)
        limbus, pupil = _mean_circle(limbus_trace), _mean_circle(pupil_trace)
        reflections = TopHatReflections().run(image, EyeLocation(pupil, limbus, 1.0))
        covered = maps[3] > options.cover_limit
        reflections = Reflections(reflections.mask | (covered & (image.grey > 180)), reflections.filled)
        if options.pupil_edge == "picture":
            pupil_trace = _traced_pupil(pupil, limbus, reflections)
        if options.limbus_edge == "picture":
            limbus_trace = _traced_limbus(limbus, _mean_circle(pupil_trace), lids, reflections)
        inner = PupilBoundary(pupil_trace.points, pupil_trace.centre, pupil_trace.support, pupil_trace.spread)
        outer = LimbusBoundary(limbus_trace.points, limbus_trace.centre, limbus_trace.support, limbus_trace.spread)
        if not pupil.radius < limbus.radius:
            raise InvalidSegmentationError("the pupil does not lie inside the limbus.")
        if options.hidden == "both":
            classical = LidsLashesReflections(lid_margin=options.lid_margin)
            occlusion = classical.run(image, inner, outer, lids, reflections).occlusion
        else:
            occlusion = np.zeros(image.grey.shape, dtype=np.bool_)
        return Segmentation(inner, outer, lids, occlusion | covered | (maps[2] < 0.5))

    @cached_property
    def _record(self) -> ModelRecord:
        from samebody.models import catalogue  # brings ONNX Runtime, which files without a network do not need
        from samebody.models.errors import ContractError

        record = catalogue()[self.parameters.record]
        if record.mask_output.classes != MAPS or record.mask_output.exclusive or record.image_input.colour != "grey":
            raise ContractError(
                f"{record.id} does not give the maps {', '.join(MAPS)} of a grey picture.",
                hint="Name the record of an iris segmenter.",
            )
        return record

    def _maps(self, grey: NDArray[np.uint8]) -> Samples:
        """(4, height, width) float32 probabilities at the size of ``grey``."""
        from samebody.models import masks
        from samebody.models.errors import ContractError

        record = self._record
        contract = record.image_input
        if contract.width is None or contract.height is None:
            raise ContractError(f"{record.id} must state width and height of its input.")
        height, width = grey.shape
        scale = min(contract.width / width, contract.height / height)
        size = (min(contract.width, max(1, round(width * scale))), min(contract.height, max(1, round(height * scale))))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = grey if size == (width, height) else cv2.resize(grey, size, interpolation=way)
        framed = cv2.copyMakeBorder(
            small, 0, contract.height - size[1], 0, contract.width - size[0], cv2.BORDER_REPLICATE
        )
        found = masks(record, framed[None])[0]
        # Back to the working picture, whatever the stride of the maps: x of the picture is at (x + 0.5) * step - 0.5.
        step_x = size[0] / width * found.shape[2] / contract.width
        step_y = size[1] / height * found.shape[1] / contract.height
        columns = ((np.arange(width) + 0.5) * step_x - 0.5).astype(np.float32)
        rows = ((np.arange(height) + 0.5) * step_y - 0.5).astype(np.float32)
        grid_x, grid_y = np.meshgrid(columns, rows)
        return np.stack(
            [cv2.remap(one, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for one in found]
        )


def _largest(probability: Samples) -> Samples:
    """The map without all but the piece above one half that holds the most probability."""
    count, labels = cv2.connectedComponents((probability > 0.5).astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros_like(probability)
    weight = np.bincount(labels.ravel(), weights=probability.ravel(), minlength=count)
    weight[0] = 0.0
    return np.asarray(probability * (labels == int(weight.argmax())), dtype=np.float32)


def _circle(piece: Samples) -> Circle:
    """The circle of the same centre and area."""
    whole = float(piece.sum())
    x = float((piece.sum(axis=0) * (np.arange(piece.shape[1]) + 0.5)).sum()) / whole
    y = float((piece.sum(axis=1) * (np.arange(piece.shape[0]) + 0.5)).sum()) / whole
    return Circle(x, y, float(np.sqrt((piece > 0).sum() / np.pi)))


def _mean_circle(trace: Trace) -> Circle:
    points = trace.points
    return Circle(float(points[:, 0].mean()), float(points[:, 1].mean()), float(trace.radii.mean()))


def _contour(probability: Samples, start: Circle, lids: Eyelids, *, order: int, stiffness: float) -> Trace:
    """Where the map falls through one half, seen from the centre of the circle; smooth, sure of what no lid hides."""
    radii = np.linspace(0.0, 1.6 * start.radius, 129)
    pitch = float(radii[1])
    profile, inside = polar(probability, (start.x, start.y), radii, ANGLES)
    above = profile >= 0.5
    last = np.where(above.any(axis=1), above.shape[1] - 1 - above[:, ::-1].argmax(axis=1), 0)
    following = np.minimum(last + 1, len(radii) - 1)
    along = np.arange(ANGLES)
    high, low = profile[along, last].astype(np.float64), profile[along, following].astype(np.float64)
    part = np.where(high - low > 1e-6, (high - 0.5) / np.maximum(high - low, 1e-6), 0.0)
    measured = radii[last] + pitch * np.clip(part, 0.0, 1.0)
    angles = np.asarray(along * (2 * np.pi / ANGLES), dtype=np.float64)
    weights = np.where(inside[along, following] & (last > 0), 1.0, 0.0)
    weights = weights * np.where(behind_lids(start, angles, lids, 0.0), 0.3, 1.0)
    fitted, robust = smooth_radii(measured, weights, order, stiffness=stiffness, scale=max(pitch, 0.5))
    fitted = np.clip(fitted, 0.2 * start.radius, 1.6 * start.radius)
    return Trace((start.x, start.y), fitted, weights * robust, float("nan"))


def _traced_pupil(pupil: Circle, limbus: Circle, reflections: Reflections) -> Trace:
    """The edge of the pupil in the picture within a fifth of its radius around the network's."""
    _, sine = directions(ANGLES)
    return trace_edge(
        pupil_or_not(reflections.filled, pupil),
        reflections.mask,
        (pupil.x, pupil.y),
        (max(1.5, 0.75 * pupil.radius), max(min(1.25 * pupil.radius, 0.95 * limbus.radius), 1.1 * pupil.radius)),
        prior=np.where(sine < -0.5, 0.6, 1.0),
        order=5,
        stiffness=3e-5,
        blur=0.05 * pupil.radius,
    )


def _traced_limbus(limbus: Circle, pupil: Circle, lids: Eyelids, reflections: Reflections) -> Trace:
    """The edge of the limbus in the picture close to the network's, where no lid hides it."""
    angles = np.linspace(0.0, 2 * np.pi, ANGLES, endpoint=False)
    hidden = behind_lids(limbus, angles, lids, 0.08)
    prior = np.where(hidden, 0.05, 1.0) * np.where(np.sin(angles) < -0.55, 0.4, 1.0)
    return trace_edge(
        reflections.filled,
        reflections.mask,
        (limbus.x, limbus.y),
        (max(0.9 * limbus.radius, 1.05 * pupil.radius), 1.1 * limbus.radius),
        prior=prior,
        order=3,
        stiffness=1e-3,
        blur=0.035 * limbus.radius,
    )


_COLUMNS = 33
_HALF_WIDTH = 1.1


def _lids(opening: Samples, limbus: Circle) -> Eyelids:
    """Both margins from the map of the opening: above and below the middle of the iris, column by column."""
    at = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, _COLUMNS)
    curves: list[Floats | None] = []
    evidence: list[float] = []
    outward = np.linspace(-0.9, 1.3, 89)
    x = limbus.x + limbus.radius * np.broadcast_to(at, (len(outward), _COLUMNS))
    for side in (-1.0, 1.0):
        y = limbus.y + side * limbus.radius * np.broadcast_to(outward[:, None], x.shape)
        values = sample(opening, x, y)
        open_here = values >= 0.5
        seen = open_here.any(axis=0)
        last = np.where(seen, len(outward) - 1 - open_here[::-1].argmax(axis=0), 0)
        following = np.minimum(last + 1, len(outward) - 1)
        columns = np.arange(_COLUMNS)
        high, low = values[last, columns], values[following, columns]
        part = np.where(high - low > 1e-6, (high - 0.5) / np.maximum(high - low, 1e-6), 0.0)
        depth = outward[last] + (outward[1] - outward[0]) * np.clip(part, 0.0, 1.0)
        depth = np.where(y[last, columns] <= 0, 1.3, depth)  # open up to the edge of the picture
        if seen.sum() < 6:
            curves.append(None)
            evidence.append(0.0)
            continue
        weights = np.where(seen & (last < len(outward) - 1), 1.0, 0.02) * np.where(np.abs(at) <= 1.0, 1.0, 0.3)
        fit = np.polynomial.Polynomial.fit(at, depth, 3, w=weights)
        smooth = np.where(seen, 0.5 * (fit(at) + depth), fit(at))
        covered = (np.hypot(at, smooth) < 0.97) & (np.abs(at) < 1.0)
        if covered.sum() < 3:
            curves.append(None)
            evidence.append(0.0)
            continue
        curves.append(
            np.stack((limbus.x + limbus.radius * at, limbus.y + side * limbus.radius * smooth), axis=1).astype(
                np.float64
            )
        )
        evidence.append(float(np.clip(np.mean(2 * np.abs(high[covered] - low[covered])), 0.0, 1.0)))
    return Eyelids(curves[0], curves[1], evidence[0], evidence[1])
