"""What the document room hands out: the page, the machine-readable zone with its fields, the whole reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samebody.types import Finding, Pixels, Point, Region

if TYPE_CHECKING:
    from samebody.document.visual_fields import VisualZone

Matrix = NDArray[np.float64]


class MrzFormat(StrEnum):
    """The five layouts of ICAO Doc 9303."""

    TD1 = "TD1"
    TD2 = "TD2"
    TD3 = "TD3"
    MRV_A = "MRV-A"
    MRV_B = "MRV-B"

    @property
    def line_count(self) -> int:
        """Lines of the machine-readable zone."""
        return 3 if self is MrzFormat.TD1 else 2

    @property
    def line_length(self) -> int:
        """Characters per line."""
        return {MrzFormat.TD1: 30, MrzFormat.TD2: 36, MrzFormat.MRV_B: 36}.get(self, 44)

    @property
    def page_millimetres(self) -> tuple[float, float]:
        """Nominal width and height of the page: ID-1, ID-2, ID-3 (ISO/IEC 7810), visas per Doc 9303-7 clause 4."""
        return {
            MrzFormat.TD1: (85.6, 53.98),
            MrzFormat.TD2: (105.0, 74.0),
            MrzFormat.TD3: (125.0, 88.0),
            MrzFormat.MRV_A: (120.0, 80.0),
            MrzFormat.MRV_B: (105.0, 74.0),
        }[self]


class DocumentKind(StrEnum):
    """What a document is for, as far as its machine-readable zone says."""

    PASSPORT = "passport"
    IDENTITY_CARD = "identity_card"
    CREW_CERTIFICATE = "crew_certificate"
    VISA = "visa"
    RESIDENCE_PERMIT = "residence_permit"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DocumentClass:
    """The class of a document.

    Attributes:
        kind: passport, identity card, visa ...
        format: layout of the machine-readable zone; None when there is none.
        code: document code as printed, without fillers (``P``, ``PD``, ``I``, ``AC`` ...).
        issuer: issuing state or organisation as printed, without fillers; empty when unknown.
        issuer_name: its name; empty when the code is not in the lists.
        label: one phrase for a reader, e.g. ``passport of Utopia (specimen state)``.
    """

    kind: DocumentKind
    format: MrzFormat | None
    code: str
    issuer: str
    issuer_name: str
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """The page of the document, cut out and made flat and upright.

    Attributes:
        image: (height, width, 3) uint8 RGB, the rectified page; upright when the MRZ fixed its orientation.
        quad: its corners in pixels of the photograph, clockwise from the page's own top left.
        homography: (3, 3) float64, photograph pixels to page pixels.
        pixels_per_mm: scale of ``image``.
        confidence: 0-1, how well the border was seen (1: four clear straight edges).
        upright: True when the orientation is known (from the MRZ), False when it is a guess.
        source: ``border`` (edges seen), ``mrz`` (predicted from the MRZ geometry), ``both``.
        format: layout assumed for the page size; None when the border alone spoke.
    """

    image: Pixels
    quad: tuple[Point, Point, Point, Point]
    homography: Matrix
    pixels_per_mm: float
    confidence: float
    upright: bool
    source: str
    format: MrzFormat | None = None

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the rectified page in millimetres."""
        height, width = self.image.shape[:2]
        return width / self.pixels_per_mm, height / self.pixels_per_mm

    def to_page(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Photograph points, shape (n, 2), in pixels of the rectified page."""
        return apply_homography(self.homography, points)

    def to_photograph(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Rectified-page points, shape (n, 2), in pixels of the photograph."""
        return apply_homography(np.asarray(np.linalg.inv(self.homography), np.float64), points)


def apply_homography(homography: Matrix, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Points of shape (n, 2) through a (3, 3) projective map."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    result: NDArray[np.float64] = mapped[:, :2] / mapped[:, 2:]
    return result


@dataclass(frozen=True, slots=True)
class CheckDigit:
    """One check digit of the zone.

    Attributes:
        name: ``document_number``, ``birth_date``, ``expiry_date``, ``optional_data``, ``composite``.
        printed: the character read at its position.
        computed: what Doc 9303-3 clause 4.9 gives for the characters read.
        ok: whether they agree.
    """

    name: str
    printed: str
    computed: str
    ok: bool


@dataclass(frozen=True, slots=True)
class MrzField:
    """One field of the zone.

    Attributes:
        name: ``document_code``, ``issuing_state``, ``surname``, ``given_names``, ``document_number``, ``nationality``,
            ``birth_date``, ``sex``, ``expiry_date``, ``optional_data``, ``optional_data_2``.
        value: for the reader: fillers removed, dates as ``YYYY-MM-DD`` (unknown parts ``YYYY-MM-XX``).
        raw: characters as printed, fillers kept.
        confidence: 0-1, posterior of the least certain character.
        confirmed_by: what stands behind the value: ``check_digit``, ``code_list``, ``visual_zone``, ``typed``.
        unsure: nothing rules out that a character was misread.
        reasons: why unsure, one sentence each.
    """

    name: str
    value: str
    raw: str
    confidence: float
    confirmed_by: tuple[str, ...] = ()
    unsure: bool = False
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MrzReading:
    """The machine-readable zone as read.

    Attributes:
        format: layout.
        lines: as read, each of the format's length.
        fields: by name.
        check_digits: every one of the layout, in the order of the zone.
        polygon: corners in pixels of the photograph, clockwise from the zone's own top left.
        line_polygons: the same for each line.
        confidences: per line, posterior of each character, 0-1.
        corrected: positions ``(line, column, read, corrected)`` changed by field types or check digits.
        character_height: cap height in pixels of the photograph.
    """

    format: MrzFormat
    lines: tuple[str, ...]
    fields: Mapping[str, MrzField]
    check_digits: tuple[CheckDigit, ...]
    polygon: tuple[Point, Point, Point, Point]
    line_polygons: tuple[tuple[Point, Point, Point, Point], ...]
    confidences: tuple[tuple[float, ...], ...]
    corrected: tuple[tuple[int, int, str, str], ...] = ()
    character_height: float = 0.0

    @property
    def valid(self) -> bool:
        """Every check digit agrees."""
        return all(digit.ok for digit in self.check_digits)

    @property
    def unsure_fields(self) -> tuple[str, ...]:
        """Names of the fields that nothing confirmed."""
        return tuple(name for name, entry in self.fields.items() if entry.unsure)


@dataclass(frozen=True, slots=True, eq=False)
class DocumentReading:
    """Everything read from one photograph of a document.

    Attributes:
        page: None when neither border nor MRZ was found.
        mrz: None when no zone was found or read.
        visual_zone: None when there is no page.
        document_class: None when the zone was not read.
        portrait_candidates: regions on the rectified page (role ``page``) that may hold the portrait, best first.
        findings: ``document.page``, ``document.mrz``, ``document.dates``, ``document.consistency``.
        timings: milliseconds per step.
    """

    page: Page | None
    mrz: MrzReading | None
    visual_zone: VisualZone | None
    document_class: DocumentClass | None
    portrait_candidates: tuple[Region, ...]
    findings: tuple[Finding, ...]
    timings: Mapping[str, float] = field(default_factory=dict)

    def finding(self, check: str) -> Finding:
        """The finding named ``check``; raises KeyError when it was not made."""
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise KeyError(check)
