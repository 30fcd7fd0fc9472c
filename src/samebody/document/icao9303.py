"""Parse, check and write the machine-readable zones of ICAO Doc 9303: TD1, TD2, TD3, MRV-A and MRV-B.

Clauses: common rules Doc 9303-3 section 4, TD3 Doc 9303-4, TD1 Doc 9303-5, TD2 Doc 9303-6, visas Doc 9303-7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from samebody.document.dates import MrzDate, birth_date, expiry_date
from samebody.document.mrz_strip import ALPHABET
from samebody.document.names import Names, format_names, parse_names
from samebody.document.types import CheckDigit, MrzFormat
from samebody.errors import InputError

Kind = Literal["code", "letters", "mixed", "digits", "sex", "check"]
"""What characters a position may hold: letters and fillers, letters digits and fillers, digits and fillers ..."""

KIND_CHARACTERS: dict[Kind, str] = {
    "code": "ABCDEFGHIJKLMNOPQRSTUVWXYZ<",
    "letters": "ABCDEFGHIJKLMNOPQRSTUVWXYZ<",
    "mixed": ALPHABET,
    "digits": "0123456789<",
    "sex": "MFX<",
    "check": "0123456789<",
}
_VALUES = {character: index for index, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}
_WEIGHTS = (7, 3, 1)


class MrzFormatError(InputError):
    """The lines are no machine-readable zone of Doc 9303: wrong count, length or characters."""

    code = "document.mrz_format"


class MrzValueError(InputError):
    """A value cannot be written into a machine-readable zone."""

    code = "document.mrz_value"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """Where a field stands: ``line``, columns ``start`` to ``end`` (exclusive), and what it may hold."""

    name: str
    line: int
    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check digit: its own place, and the stretches ``(line, start, end)`` it is computed over, in order."""

    name: str
    line: int
    column: int
    over: tuple[tuple[int, int, int], ...]
    may_be_filler: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields and check digits of one format."""

    fields: tuple[FieldSpec, ...]
    checks: tuple[CheckSpec, ...]

    def field(self, name: str) -> FieldSpec:
        """The field called ``name``; raises KeyError."""
        for spec in self.fields:
            if spec.name == name:
                return spec
        raise KeyError(name)


def _two_line(length: int, optional_end: int, *, visa: bool) -> Layout:
    fields = (
        FieldSpec("document_code", 0, 0, 2, "code"),
        FieldSpec("issuing_state", 0, 2, 5, "letters"),
        FieldSpec("names", 0, 5, length, "letters"),
        FieldSpec("document_number", 1, 0, 9, "mixed"),
        FieldSpec("nationality", 1, 10, 13, "letters"),
        FieldSpec("birth_date", 1, 13, 19, "digits"),
        FieldSpec("sex", 1, 20, 21, "sex"),
        FieldSpec("expiry_date", 1, 21, 27, "digits"),
        FieldSpec("optional_data", 1, 28, optional_end, "mixed"),
    )
    checks = [
        CheckSpec("document_number", 1, 9, ((1, 0, 9),)),
        CheckSpec("birth_date", 1, 19, ((1, 13, 19),)),
        CheckSpec("expiry_date", 1, 27, ((1, 21, 27),)),
    ]
    if not visa:
        if length == 44:
            checks.append(CheckSpec("optional_data", 1, 42, ((1, 28, 42),), may_be_filler=True))
        checks.append(CheckSpec("composite", 1, length - 1, ((1, 0, 10), (1, 13, 20), (1, 21, length - 1))))
    return Layout(fields, tuple(checks))


LAYOUTS: dict[MrzFormat, Layout] = {
    MrzFormat.TD1: Layout(
        (
            FieldSpec("document_code", 0, 0, 2, "code"),
            FieldSpec("issuing_state", 0, 2, 5, "letters"),
            FieldSpec("document_number", 0, 5, 14, "mixed"),
            FieldSpec("optional_data", 0, 15, 30, "mixed"),
            FieldSpec("birth_date", 1, 0, 6, "digits"),
            FieldSpec("sex", 1, 7, 8, "sex"),
            FieldSpec("expiry_date", 1, 8, 14, "digits"),
            FieldSpec("nationality", 1, 15, 18, "letters"),
            FieldSpec("optional_data_2", 1, 18, 29, "mixed"),
            FieldSpec("names", 2, 0, 30, "letters"),
        ),
        (
            CheckSpec("document_number", 0, 14, ((0, 5, 14),)),
            CheckSpec("birth_date", 1, 6, ((1, 0, 6),)),
            CheckSpec("expiry_date", 1, 14, ((1, 8, 14),)),
            CheckSpec("composite", 1, 29, ((0, 5, 30), (1, 0, 7), (1, 8, 15), (1, 18, 29))),
        ),
    ),
    MrzFormat.TD2: _two_line(36, 35, visa=False),
    MrzFormat.TD3: _two_line(44, 42, visa=False),
    MrzFormat.MRV_A: _two_line(44, 44, visa=True),
    MrzFormat.MRV_B: _two_line(36, 36, visa=True),
}
LONG_NUMBER_FORMATS = (MrzFormat.TD1, MrzFormat.TD2)
"""Where a document number over nine characters continues in the optional data (Doc 9303-5 and -6, clause 4.2.2)."""


def check_digit(text: str) -> str:
    """The check digit of ``text``: weights 7-3-1, modulo 10, letters 10-35, filler 0 (Doc 9303-3 clause 4.9).

    Raises:
        MrzFormatError: a character outside ``0-9A-Z<``.
    """
    total = 0
    for index, character in enumerate(text):
        if character not in _VALUES:
            raise MrzFormatError(
                f"{character!r} cannot stand in a machine-readable zone.", hint="Only 0-9, A-Z and < may."
            )
        total += _VALUES[character] * _WEIGHTS[index % 3]
    return str(total % 10)


def detect_format(lines: Sequence[str]) -> MrzFormat:
    """The format of ``lines`` by their count, length and first letter (``V`` marks a visa).

    Raises:
        MrzFormatError: lines of no format.
    """
    shape = (len(lines), {len(line) for line in lines})
    visa = bool(lines) and lines[0][:1] == "V"
    for layout in (MrzFormat.TD1, MrzFormat.TD2, MrzFormat.TD3):
        if shape == (layout.line_count, {layout.line_length}):
            if visa and layout is MrzFormat.TD2:
                return MrzFormat.MRV_B
            if visa and layout is MrzFormat.TD3:
                return MrzFormat.MRV_A
            return layout
    lengths = ", ".join(str(len(line)) for line in lines) or "none"
    raise MrzFormatError(
        f"{len(lines)} lines of length {lengths} are no machine-readable zone.",
        hint="TD1 has 3 lines of 30 characters, TD2 and MRV-B 2 of 36, TD3 and MRV-A 2 of 44.",
    )


@dataclass(frozen=True, slots=True)
class ParsedMrz:
    """A zone taken apart. Strings are without fillers at their end, words of names separated by spaces.

    Attributes:
        raw: characters of each field as printed, by field name.
        document_number: in full, also where it continues in the optional data.
        long_number: whether it does.
        optional_data: without a continued document number.
        sex: ``M``, ``F`` or ``X`` (unspecified; also printed as a filler).
        checks: every check digit of the layout.
    """

    format: MrzFormat
    lines: tuple[str, ...]
    raw: dict[str, str]
    document_code: str
    issuing_state: str
    names: Names
    document_number: str
    long_number: bool
    nationality: str
    birth: MrzDate
    sex: str
    expiry: MrzDate
    optional_data: str
    optional_data_2: str
    checks: tuple[CheckDigit, ...]

    @property
    def valid(self) -> bool:
        """Every check digit agrees."""
        return all(check.ok for check in self.checks)


def parse(lines: Sequence[str], today: date | None = None) -> ParsedMrz:
    """Take the lines of a zone apart and compute every check digit.

    Args:
        lines: as printed; blanks at the ends are ignored.
        today: the reading date for the century of years; the current date when None.

    Raises:
        MrzFormatError: wrong count, length or characters. Wrong check digits are no error but part of the result.
    """
    stripped = tuple(line.strip() for line in lines)
    layout_name = detect_format(stripped)
    for line in stripped:
        for character in line:
            if character not in _VALUES:
                raise MrzFormatError(
                    f"{character!r} cannot stand in a machine-readable zone.", hint="Only 0-9, A-Z and < may."
                )
    day = today or date.today()
    layout = LAYOUTS[layout_name]
    raw = {spec.name: stripped[spec.line][spec.start : spec.end] for spec in layout.fields}
    number, continued, rest = _document_number(layout_name, stripped, raw)
    sex = raw["sex"] if raw["sex"] in ("M", "F") else "X"
    return ParsedMrz(
        format=layout_name,
        lines=stripped,
        raw=raw,
        document_code=raw["document_code"].rstrip("<"),
        issuing_state=raw["issuing_state"].rstrip("<"),
        names=parse_names(raw["names"]),
        document_number=number,
        long_number=continued,
        nationality=raw["nationality"].rstrip("<"),
        birth=birth_date(raw["birth_date"], day),
        sex=sex,
        expiry=expiry_date(raw["expiry_date"], day),
        optional_data=rest.rstrip("<"),
        optional_data_2=raw.get("optional_data_2", "").rstrip("<"),
        checks=compute_checks(layout_name, stripped),
    )


def _long_number(layout: MrzFormat, lines: Sequence[str]) -> tuple[str, str, str] | None:
    """Head, tail and check digit of a document number that continues in the optional data; None when it does not."""
    if layout not in LONG_NUMBER_FORMATS:
        return None
    spec, optional = LAYOUTS[layout].field("document_number"), LAYOUTS[layout].field("optional_data")
    line = lines[spec.line]
    if line[spec.end] != "<" or line[spec.end - 1] == "<":
        return None
    data, _, _ = line[optional.start : optional.end].partition("<")
    if len(data) < 2 or not data[-1].isdigit():
        return None
    return line[spec.start : spec.end], data[:-1], data[-1]


def _document_number(layout: MrzFormat, lines: Sequence[str], raw: dict[str, str]) -> tuple[str, bool, str]:
    """Full number, whether it is a long one, and what remains of the optional data."""
    split = _long_number(layout, lines)
    if split is None:
        return raw["document_number"].rstrip("<"), False, raw["optional_data"]
    head, tail, _ = split
    # One filler ends the continued number; what follows it is optional data of the issuer.
    return head + tail, True, raw["optional_data"][len(tail) + 2 :].lstrip("<")


def compute_checks(layout: MrzFormat, lines: Sequence[str]) -> tuple[CheckDigit, ...]:
    """Every check digit of the layout, printed and computed; ``lines`` must have the layout's shape."""
    results: list[CheckDigit] = []
    split = _long_number(layout, lines)
    for spec in LAYOUTS[layout].checks:
        printed = lines[spec.line][spec.column]
        if spec.name == "document_number" and split is not None:
            head, tail, printed = split
            computed = check_digit(f"{head}<{tail}")
            # States differ in whether the filler in place of the digit takes part; the Doc's own example has it.
            if computed != printed and check_digit(head + tail) == printed:
                computed = printed
            results.append(CheckDigit(spec.name, printed, computed, computed == printed))
            continue
        text = "".join(lines[line][start:end] for line, start, end in spec.over)
        computed = check_digit(text)
        ok = printed == computed or (spec.may_be_filler and printed == "<" and not text.strip("<"))
        results.append(CheckDigit(spec.name, printed, computed, ok))
    return tuple(results)


@dataclass(frozen=True, slots=True)
class MrzData:
    """What a zone is to say. Dates as ``YYMMDD`` with fillers for unknown parts; names in their own spelling."""

    format: MrzFormat
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


def compose(data: MrzData) -> tuple[str, ...]:
    """Write the lines of a zone, with every check digit.

    Raises:
        MrzValueError: a value that does not fit its field.
    """
    layout = LAYOUTS[data.format]
    grid = [["<"] * data.format.line_length for _ in range(data.format.line_count)]

    def put(name: str, text: str) -> None:
        spec = layout.field(name)
        allowed = KIND_CHARACTERS[spec.kind]
        if len(text) > spec.end - spec.start:
            raise MrzValueError(f"{name} {text!r} is longer than its {spec.end - spec.start} places.")
        if any(character not in allowed for character in text):
            raise MrzValueError(
                f"{name} {text!r} holds characters that cannot stand there.", hint=f"Allowed: {allowed}"
            )
        for offset, character in enumerate(text):
            grid[spec.line][spec.start + offset] = character

    names = layout.field("names")
    put("names", format_names(data.surname, data.given_names, names.end - names.start))
    for name in ("document_code", "issuing_state", "nationality", "birth_date", "expiry_date"):
        put(name, getattr(data, name))
    for name in ("birth_date", "expiry_date"):
        if len(getattr(data, name)) != 6:
            raise MrzValueError(f"{name} must have six characters, YYMMDD.")
    put("sex", "<" if data.sex in ("X", "<", "") else data.sex)
    optional, number = data.optional_data, data.document_number
    long_number = len(number) > 9
    if long_number:
        if data.format not in LONG_NUMBER_FORMATS:
            raise MrzValueError(f"{data.format} holds document numbers of at most nine characters.")
        tail = number[9:]
        optional = (
            f"{tail}{check_digit(f'{number[:9]}<{tail}')}<{optional}"
            if optional
            else (f"{tail}{check_digit(f'{number[:9]}<{tail}')}")
        )
        number = number[:9]
    put("document_number", number)
    put("optional_data", optional)
    if data.optional_data_2:
        if "optional_data_2" not in {spec.name for spec in layout.fields}:
            raise MrzValueError(f"{data.format} has no second optional field.")
        put("optional_data_2", data.optional_data_2)
    for spec in layout.checks:
        if spec.name == "document_number" and long_number:
            continue
        text = "".join("".join(grid[line][start:end]) for line, start, end in spec.over)
        blank = spec.may_be_filler and not text.strip("<")
        grid[spec.line][spec.column] = "<" if blank else check_digit(text)
    return tuple("".join(line) for line in grid)
