"""What a renderer knows about the photograph it made: the ground truth that readers and checks are measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from samebody.types import Image, Point


@dataclass(frozen=True, slots=True)
class SpecimenTruth:
    """Ground truth of one rendered document photograph. Polygons are in pixels of the photograph.

    Attributes:
        format: ``TD1``, ``TD2``, ``TD3``, ``MRV-A`` or ``MRV-B``.
        mrz_lines: the lines as printed.
        fields: what the visual zone prints, by name: ``surname``, ``given_names``, ``document_number``,
            ``nationality``, ``birth_date``, ``sex``, ``expiry_date``, ``issuing_state`` (dates as ``YYYY-MM-DD``).
        page: the page's corners, clockwise from its own top left.
        mrz: the corners of the machine-readable zone, clockwise from its own top left.
        portrait, ghost: corners of the portrait and of the ghost image, None when there is none.
        forgery: name of the forgery species, None for a bona fide specimen.
        parameters: every value drawn for the rendering (rotation, tilt, character height, blur ...), JSON-ready.
    """

    format: str
    mrz_lines: tuple[str, ...]
    fields: Mapping[str, str]
    page: tuple[Point, Point, Point, Point]
    mrz: tuple[Point, Point, Point, Point] | None
    portrait: tuple[Point, Point, Point, Point] | None = None
    ghost: tuple[Point, Point, Point, Point] | None = None
    forgery: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A rendered photograph: the decoded image, its JPEG bytes, and the truth about it."""

    image: Image
    jpeg: bytes
    truth: SpecimenTruth
