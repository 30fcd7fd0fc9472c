"""Compose machine-readable zones after ICAO Doc 9303 parts 3 to 7, apart from samebody's own composer and reader."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

LETTERS_AND_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

SHAPES: dict[str, tuple[int, int]] = {
    "TD1": (3, 30),
    "TD2": (2, 36),
    "TD3": (2, 44),
    "MRV-A": (2, 44),
    "MRV-B": (2, 36),
}
"""Lines and characters a line, by format."""

# The recommended transliterations of Doc 9303 part 3, section 6, that plain removal of the diacritic does not give.
_SPECIAL = {
    "Ä": "AE", "Æ": "AE", "Å": "AA", "Ö": "OE", "Ø": "OE", "Œ": "OE", "Ü": "UE", "ẞ": "SS", "ß": "SS",
    "Þ": "TH", "Ð": "D", "Đ": "D", "Ł": "L", "Ħ": "H", "Ŋ": "N", "Ĳ": "IJ", "İ": "I", "ı": "I", "Ñ": "N",
}  # fmt: skip

Span = tuple[str, int, int, int]
"""Field name, line, first column, column after the last."""

_SECOND_LINE_HEAD: tuple[Span, ...] = (
    ("document_number", 1, 0, 9),
    ("nationality", 1, 10, 13),
    ("birth_date", 1, 13, 19),
    ("sex", 1, 20, 21),
    ("expiry_date", 1, 21, 27),
)

SPANS: dict[str, tuple[Span, ...]] = {
    "TD1": (
        ("document_code", 0, 0, 2),
        ("issuing_state", 0, 2, 5),
        ("document_number", 0, 5, 14),
        ("optional_data", 0, 15, 30),
        ("birth_date", 1, 0, 6),
        ("sex", 1, 7, 8),
        ("expiry_date", 1, 8, 14),
        ("nationality", 1, 15, 18),
        ("optional_data_2", 1, 18, 29),
        ("name", 2, 0, 30),
    ),
    "TD2": (
        ("document_code", 0, 0, 2),
        ("issuing_state", 0, 2, 5),
        ("name", 0, 5, 36),
        *_SECOND_LINE_HEAD,
        ("optional_data", 1, 28, 35),
    ),
    "TD3": (
        ("document_code", 0, 0, 2),
        ("issuing_state", 0, 2, 5),
        ("name", 0, 5, 44),
        *_SECOND_LINE_HEAD,
        ("optional_data", 1, 28, 42),
    ),
    "MRV-A": (
        ("document_code", 0, 0, 2),
        ("issuing_state", 0, 2, 5),
        ("name", 0, 5, 44),
        *_SECOND_LINE_HEAD,
        ("optional_data", 1, 28, 44),
    ),
    "MRV-B": (
        ("document_code", 0, 0, 2),
        ("issuing_state", 0, 2, 5),
        ("name", 0, 5, 36),
        *_SECOND_LINE_HEAD,
        ("optional_data", 1, 28, 36),
    ),
}
"""Where the data fields stand; check digits are not data fields."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What goes into a machine-readable zone. Dates are ``YYMMDD`` with ``<`` for unknown parts."""

    document_code: str
    issuing_state: str
    surname: str
    given_names: str
    document_number: str
    nationality: str
    birth_date: str
    sex: str
    expiry_date: str
    optional_data: str = ""
    optional_data_2: str = ""


def check_digit(text: str) -> str:
    """Check digit of Doc 9303 part 3, section 4.9: values times 7, 3, 1 in turn, summed modulo 10; ``<`` counts 0."""
    total = 0
    for position, character in enumerate(text):
        value = 0 if character == "<" else LETTERS_AND_DIGITS.index(character)
        total += value * (7, 3, 1)[position % 3]
    return str(total % 10)


def transliterate(name: str) -> str:
    """A printed name as the machine-readable zone writes it: A-Z, with ``<`` between its parts."""
    out: list[str] = []
    for character in unicodedata.normalize("NFC", name).upper():
        if character in _SPECIAL:
            out.append(_SPECIAL[character])
        elif character in " -":
            out.append("<")
        else:
            out.extend(part for part in unicodedata.normalize("NFKD", character) if "A" <= part <= "Z")
    return "".join(out)


def name_field(surname: str, given_names: str, width: int) -> str:
    """Primary and secondary identifier in ``width`` characters, truncated where they do not fit.

    Truncation keeps both identifiers: up to ten characters of the given names, the surname in what is left. The last
    position then holds a letter, which tells that something may be missing (part 3, 4.6).
    """
    primary, secondary = transliterate(surname), transliterate(given_names)
    text = f"{primary}<<{secondary}" if secondary else primary
    if len(text) <= width:
        return text.ljust(width, "<")
    if not secondary:
        return _cut(primary, width)
    primary = _cut(primary, max(width - 2 - len(secondary), width - 12))
    return f"{primary}<<{_cut(secondary, width - 2 - len(primary))}"


def _cut(name: str, length: int) -> str:
    """The first characters of a name; a cut that would end in a filler closes the gap before it instead."""
    while len(name) > length and name[length - 1] == "<":
        gap = name.find("<")
        name = name[:gap] + name[gap + 1 :]
    return name[:length]


def compose(format: str, entry: Entry) -> tuple[str, ...]:
    """The lines of ``format`` with every check digit computed."""
    head = entry.document_code.ljust(2, "<") + entry.issuing_state.ljust(3, "<")
    nationality = entry.nationality.ljust(3, "<")
    birth = entry.birth_date + check_digit(entry.birth_date)
    expiry = entry.expiry_date + check_digit(entry.expiry_date)
    if format == "TD1":
        if len(entry.document_number) > 9:
            number = entry.document_number[:9] + "<"
            rest = entry.document_number[9:] + check_digit(entry.document_number) + "<"
        else:
            padded = entry.document_number.ljust(9, "<")
            number, rest = padded + check_digit(padded), ""
        first = head + number + (rest + entry.optional_data)[:15].ljust(15, "<")
        second = birth + entry.sex + expiry + nationality + entry.optional_data_2[:11].ljust(11, "<")
        composite = check_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
        return (first, second + composite, name_field(entry.surname, entry.given_names, 30))
    width = SHAPES[format][1]
    padded = entry.document_number[:9].ljust(9, "<")
    first = head + name_field(entry.surname, entry.given_names, width - 5)
    second = padded + check_digit(padded) + nationality + birth + entry.sex + expiry
    if format == "TD3":
        personal = entry.optional_data[:14].ljust(14, "<")
        # An empty personal number may carry "<" or "0" as its check digit; this renderer prints "<" as most states do.
        second += personal + (check_digit(personal) if personal.strip("<") else "<")
        second += check_digit(second[0:10] + second[13:20] + second[21:43])
    elif format == "TD2":
        second += entry.optional_data[:7].ljust(7, "<")
        second += check_digit(second[0:10] + second[13:20] + second[21:35])
    else:
        second += entry.optional_data[: width - 28].ljust(width - 28, "<")
    return (first, second)


def check_digits_hold(format: str, lines: tuple[str, ...]) -> bool:
    """Whether every check digit of ``lines`` agrees with the data, as a reader that trusts them would judge."""
    rows, width = SHAPES[format]
    if len(lines) != rows or any(len(line) != width for line in lines):
        return False
    if any(character not in LETTERS_AND_DIGITS + "<" for line in lines for character in line):
        return False
    if format == "TD1":
        first, second = lines[0], lines[1]
        if first[14] == "<" and first[15:30].strip("<"):
            tail = first[15:30].split("<")[0]
            number_holds = len(tail) > 0 and check_digit(first[5:14] + tail[:-1]) == tail[-1]
        else:
            number_holds = check_digit(first[5:14]) == first[14]
        composite = check_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29]) == second[29]
        return bool(
            number_holds
            and check_digit(second[0:6]) == second[6]
            and check_digit(second[8:14]) == second[14]
            and composite
        )
    second = lines[1]
    holds = (
        check_digit(second[0:9]) == second[9]
        and check_digit(second[13:19]) == second[19]
        and check_digit(second[21:27]) == second[27]
    )
    if format == "TD3":
        personal = second[28:42]
        empty_and_unset = not personal.strip("<") and second[42] == "<"
        holds = holds and (empty_and_unset or check_digit(personal) == second[42])
        holds = holds and check_digit(second[0:10] + second[13:20] + second[21:43]) == second[43]
    elif format == "TD2":
        holds = holds and check_digit(second[0:10] + second[13:20] + second[21:35]) == second[35]
    return holds
