"""Where things stand on a specimen page, in millimetres: sizes and zones after ICAO Doc 9303 parts 3 to 7.

Doc 9303 keeps the lower 23.2 mm of every format for the machine-readable zone (OCR-B size 1, pitch 2.54 mm, lines
6.35 mm apart) and wants the portrait at the left of the visual zone. Positions are nominal; ``render`` moves the
MRZ within its tolerance of 1 mm.
"""

from __future__ import annotations

from dataclasses import dataclass

from samebody.synth.mrz import Format

MRZ_PITCH = 2.54
MRZ_CAP_HEIGHT = 2.459
"""Height of an OCR-B capital (I, H, E) when its advance is the pitch; size 1 of ISO 1073-2 is nominally 2.4 mm."""
MRZ_LINE_SPACING = 6.35


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Left, top, width and height in millimetres from the page's top left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one labelled value: top left of the label, width, and the cap height of the value in millimetres."""

    field: str
    x: float
    y: float
    width: float
    cap: float


@dataclass(frozen=True, slots=True)
class Layout:
    """One printed side of one format.

    Attributes:
        name: unique name of the side, e.g. ``TD1-front``.
        format: the format it belongs to.
        width, height, corner: page size and corner radius in millimetres.
        title: what the header calls the document, in English and French.
        header: height of the header band in millimetres.
        portrait, ghost: their rectangles, None where the side has none.
        mrz_left, mrz_bottom: left edge of the first character cell, baseline of the last line above the page's lower
            edge; None for a side without MRZ.
        slots: labelled values of the visual zone.
        label_cap: cap height of labels in millimetres.
    """

    name: str
    format: Format
    width: float
    height: float
    corner: float
    title: tuple[str, str]
    header: float
    portrait: Rectangle | None
    ghost: Rectangle | None
    mrz_left: float | None
    mrz_bottom: float | None
    slots: tuple[Slot, ...]
    label_cap: float


LABELS = {
    "document_code": "Type / Type",
    "issuing_state": "Code / Code",
    "document_number": "Document No. / No du document",
    "surname": "Surname / Nom",
    "given_names": "Given names / Prénoms",
    "nationality": "Nationality / Nationalité",
    "birth_date": "Date of birth / Date de naissance",
    "sex": "Sex / Sexe",
    "place_of_birth": "Place of birth / Lieu de naissance",
    "issue_date": "Date of issue / Date de délivrance",
    "expiry_date": "Date of expiry / Date d'expiration",
    "authority": "Authority / Autorité",
    "personal_number": "Personal No. / No personnel",
}
VISA_LABELS = LABELS | {
    "document_number": "Visa No. / No du visa",
    "issue_date": "Valid from / Valable du",
    "expiry_date": "Valid until / Valable jusqu'au",
}
SHORT_LABELS = LABELS | {
    "document_number": "Document No.",
    "birth_date": "Date of birth / Né(e) le",
    "expiry_date": "Expiry / Expiration",
    "issue_date": "Issued / Délivré le",
    "nationality": "Nationality",
    "sex": "Sex",
    "personal_number": "Personal No.",
    "place_of_birth": "Place of birth",
}


def _rows(top: float, pitch: float, cap: float, *rows: tuple[tuple[str, float, float], ...]) -> tuple[Slot, ...]:
    return tuple(
        Slot(field, x, top + pitch * number, width, cap) for number, row in enumerate(rows) for field, x, width in row
    )


LAYOUTS: dict[str, Layout] = {
    "TD3": Layout(
        "TD3", "TD3", 125.0, 88.0, 3.2, ("PASSPORT", "PASSEPORT"), 12.5,
        Rectangle(5.0, 15.5, 35.0, 45.0), Rectangle(101.5, 36.5, 18.5, 23.8), 6.5, 8.2,
        _rows(
            15.0, 6.95, 1.95,
            (("document_code", 44.0, 14.0), ("issuing_state", 60.0, 14.0), ("document_number", 78.0, 42.0)),
            (("surname", 44.0, 76.0),),
            (("given_names", 44.0, 76.0),),
            (("nationality", 44.0, 24.0), ("personal_number", 70.0, 30.0)),
            (("birth_date", 44.0, 32.0), ("sex", 84.0, 12.0)),
            (("issue_date", 44.0, 32.0), ("place_of_birth", 78.0, 22.5)),
            (("expiry_date", 44.0, 32.0), ("authority", 78.0, 22.5)),
        ),
        1.05,
    ),
    "TD2": Layout(
        "TD2", "TD2", 105.0, 74.0, 3.2, ("IDENTITY CARD", "CARTE D'IDENTITÉ"), 9.5,
        Rectangle(4.0, 11.5, 28.0, 36.0), Rectangle(86.5, 30.5, 14.5, 18.6), 6.8, 7.9,
        _rows(
            11.5, 6.25, 1.8,
            (("surname", 35.0, 66.0),),
            (("given_names", 35.0, 66.0),),
            (("document_number", 35.0, 30.0), ("nationality", 72.0, 29.0)),
            (("birth_date", 35.0, 32.0), ("sex", 72.0, 12.0)),
            (("issue_date", 35.0, 32.0), ("authority", 70.0, 15.0)),
            (("expiry_date", 35.0, 32.0), ("personal_number", 70.0, 15.0)),
        ),
        0.95,
    ),
    "TD1": Layout(
        "TD1", "TD1", 85.6, 53.98, 3.18, ("IDENTITY CARD", "CARTE D'IDENTITÉ"), 6.2,
        Rectangle(3.5, 7.4, 18.0, 23.0), Rectangle(71.6, 17.0, 10.0, 12.8), 4.7, 4.6,
        _rows(
            7.5, 4.7, 1.5,
            (("surname", 24.0, 58.0),),
            (("given_names", 24.0, 58.0),),
            (("birth_date", 24.0, 23.0), ("sex", 49.0, 5.0), ("nationality", 57.0, 13.0)),
            (("document_number", 24.0, 23.0), ("issuing_state", 49.0, 20.0)),
            (("issue_date", 24.0, 23.0), ("expiry_date", 49.0, 21.0)),
        ),
        0.8,
    ),
    "TD1-front": Layout(
        "TD1-front", "TD1", 85.6, 53.98, 3.18, ("IDENTITY CARD", "CARTE D'IDENTITÉ"), 8.5,
        Rectangle(4.0, 12.0, 25.0, 32.0), Rectangle(67.0, 29.0, 14.0, 18.0), None, None,
        _rows(
            10.5, 6.6, 1.75,
            (("surname", 32.0, 50.0),),
            (("given_names", 32.0, 50.0),),
            (("birth_date", 32.0, 30.0), ("sex", 70.0, 10.0)),
            (("nationality", 32.0, 30.0),),
            (("document_number", 32.0, 33.0),),
            (("expiry_date", 32.0, 33.0),),
        ),
        0.95,
    ),
    "TD1-back": Layout(
        "TD1-back", "TD1", 85.6, 53.98, 3.18, ("IDENTITY CARD", "CARTE D'IDENTITÉ"), 5.0, None, None, 4.7, 4.6,
        _rows(
            7.0, 6.2, 1.6,
            (("place_of_birth", 5.0, 36.0), ("issue_date", 45.0, 30.0)),
            (("authority", 5.0, 36.0), ("personal_number", 45.0, 30.0)),
        ),
        0.9,
    ),
    "MRV-A": Layout(
        "MRV-A", "MRV-A", 120.0, 80.0, 1.0, ("VISA", "VISA"), 10.0,
        Rectangle(5.0, 12.5, 32.0, 41.0), Rectangle(99.5, 34.0, 15.5, 20.0), 4.4, 8.2,
        _rows(
            12.0, 7.0, 1.9,
            (("issuing_state", 41.0, 14.0), ("document_code", 58.0, 14.0), ("document_number", 76.0, 40.0)),
            (("surname", 41.0, 74.0),),
            (("given_names", 41.0, 74.0),),
            (("birth_date", 41.0, 32.0), ("sex", 76.0, 10.0)),
            (("nationality", 41.0, 30.0), ("authority", 73.0, 25.0)),
            (("issue_date", 41.0, 28.0), ("expiry_date", 71.5, 27.0)),
        ),
        1.0,
    ),
    "MRV-B": Layout(
        "MRV-B", "MRV-B", 105.0, 74.0, 1.0, ("VISA", "VISA"), 9.5,
        Rectangle(4.0, 11.5, 28.0, 36.0), Rectangle(86.5, 30.5, 14.5, 18.6), 6.8, 7.9,
        _rows(
            11.5, 6.25, 1.8,
            (("surname", 35.0, 66.0),),
            (("given_names", 35.0, 66.0),),
            (("document_number", 35.0, 30.0), ("nationality", 72.0, 29.0)),
            (("birth_date", 35.0, 32.0), ("sex", 72.0, 12.0)),
            (("issue_date", 35.0, 32.0), ("document_code", 70.0, 15.0)),
            (("expiry_date", 35.0, 32.0), ("issuing_state", 70.0, 15.0)),
        ),
        0.95,
    ),
}  # fmt: skip

SIDES = ("single", "front", "back")


def layout_of(format: Format, side: str) -> Layout:
    """The printed side of a format; only TD1 has a front and a back, every format has a single-sided layout.

    Raises:
        KeyError: when the format has no such side.
    """
    return LAYOUTS[format if side == "single" else f"{format}-{side}"]


def labels_of(layout: Layout) -> dict[str, str]:
    """The labels a layout prints."""
    if layout.format.startswith("MRV"):
        return VISA_LABELS
    return SHORT_LABELS if layout.name == "TD1" else LABELS
