"""Views of a face that attack detectors look at: square windows about the face, never leaving the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Box, Pixels


@dataclass(frozen=True, slots=True)
class Window:
    """A square in a picture: its left and top edge and its side, in whole pixels."""

    left: int
    top: int
    side: int


def window(box: Box, shape: tuple[int, int], *, reach: float = 1.0, across: float = 0.0, down: float = 0.0) -> Window:
    """A square of ``reach`` times the longer side of ``box``, about its centre, inside a picture of ``shape``.

    Where the picture is too tight, the square is moved inside and, if it must be, made smaller: nothing is padded,
    because an invented border is what a detector would learn.

    Args:
        box: of the face, in pixels; may reach over the edge.
        shape: height and width of the picture.
        reach: side of the square over the longer side of the box.
        across, down: shift of the centre, in sides of the box.
    """
    height, width = shape
    longer = max(box.width, box.height)
    side = int(min(max(round(reach * longer), 16), height, width))
    x, y = box.centre
    left = round(x + across * longer - side / 2)
    top = round(y + down * longer - side / 2)
    return Window(min(max(left, 0), width - side), min(max(top, 0), height - side), side)


def cut(pixels: Pixels, where: Window, side: int, *, enlarge: int = cv2.INTER_LINEAR) -> Pixels:
    """The window as (side, side, 3): areas averaged where it shrinks, ``enlarge`` interpolated where it grows."""
    part = pixels[where.top : where.top + where.side, where.left : where.left + where.side]
    if where.side == side:
        return np.ascontiguousarray(part)
    how = cv2.INTER_AREA if where.side > side else enlarge
    return np.asarray(cv2.resize(part, (side, side), interpolation=how), np.uint8)


def views(pixels: Pixels, box: Box, side: int, places: tuple[tuple[float, float, float], ...]) -> NDArray[np.uint8]:
    """(n, side, side, 3): one view for each (reach, across, down) of ``places``, as :func:`window` means them."""
    shape = pixels.shape[0], pixels.shape[1]
    cuts = [
        cut(pixels, window(box, shape, reach=reach, across=across, down=down), side) for reach, across, down in places
    ]
    return np.stack(cuts)
