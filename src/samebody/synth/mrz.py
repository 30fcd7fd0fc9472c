"""Compose the machine-readable zone of a specimen after ICAO Doc 9303 parts 3 to 7.

Written apart from the reader's parser on purpose: tests hold the two implementations against each other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

from samebody.synth.holder import Holder

Format = Literal["TD1", "TD2", "TD3", "MRV-A", "MRV-B"]
FORMATS: tuple[Format, ...] = ("TD1", "TD2", "TD3", "MRV-A", "MRV-B")

_VALUES = {character: value for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}

# Doc 9303 part 3, section 6 A: letters that do not simply lose their mark. Where the table offers a choice
# (Ä as AE or A, Ñ as N or NXX) the first, most used one is taken.
_LETTERS = {
    "Ä": "AE", "Å": "AA", "Æ": "AE", "Ö": "OE", "Ø": "OE", "Œ": "OE", "Ü": "UE", "ß": "SS", "ẞ": "SS", "Þ": "TH",
    "Ð": "D", "Đ": "D", "Ħ": "H", "İ": "I", "ı": "I", "Ĳ": "IJ", "Ł": "L", "Ŀ": "L", "Ŋ": "N", "Ŧ": "T", "Ə": "E",
    "ĸ": "Q",
}  # fmt: skip


def transliterate(text: str) -> str:
    """``text`` in the letters A-Z, digits and fillers of the MRZ (Doc 9303 part 3, sections 4.6 and 6).

    Apostrophes and full stops vanish, hyphens, commas and spaces become one filler, diacritics go as the table says.
    """
    out: list[str] = []
    for character in unicodedata.normalize("NFC", text).upper():
        if character in _LETTERS:
            out.append(_LETTERS[character])
        elif character in "'’`ʼ.":
            continue
        else:
            base = unicodedata.normalize("NFD", character)[0]
            base = _LETTERS.get(base, base)
            out.append(base if re.fullmatch("[A-Z0-9]+", base) else "<")
    return re.sub("<+", "<", "".join(out)).strip("<")


def check_digit(text: str) -> str:
    """Check digit of ``text``: weights 7, 3, 1 repeating, sum modulo 10 (Doc 9303 part 3, section 4.9)."""
    return str(sum((7, 3, 1)[place % 3] * _VALUES[character] for place, character in enumerate(text)) % 10)


def name_field(surname: str, given_names: str, width: int) -> str:
    """The name field: primary identifier, two fillers, secondary identifier, fillers up to ``width``.

    A name that is too long keeps at least two letters of the secondary identifier and ends with a letter in the last
    position, which is how Doc 9303 (part 4, section 4.2.3) marks a field that may have been truncated.
    """
    primary, secondary = transliterate(surname), transliterate(given_names)
    if not secondary:
        return _cut(primary, width).ljust(width, "<")
    if len(primary) + 2 + len(secondary) <= width:
        return f"{primary}<<{secondary}".ljust(width, "<")
    kept = _cut(primary, width - 2 - min(2, len(secondary)))
    return f"{kept}<<{_cut(secondary, width - 2 - len(kept))}".ljust(width, "<")


def _cut(text: str, width: int) -> str:
    """At most ``width`` characters of ``text``; when something was cut, the last one is a letter."""
    cut = text[:width]
    if len(text) <= width or not cut.endswith("<"):
        return cut
    # the initial of the next component takes the last place, and the last component with a letter to spare gives one up
    *parts, initial = text[: width + 1].split("<")
    for place in reversed(range(len(parts))):
        if len(parts[place]) > 1:
            parts[place] = parts[place][:-1]
            return "<".join([*parts, initial])
    return "<".join(parts) + initial  # initials alone: the last two stand together


def date_field(date: str) -> str:
    """``YYYY-MM-DD`` as YYMMDD; parts printed as ``X`` are unknown and become fillers (part 3, section 4.8)."""
    year, month, day = date.split("-")
    return "".join("<" if character == "X" else character for character in year[2:] + month + day)


def _number(number: str, room: int) -> tuple[str, str]:
    """Nine characters with their check digit, and what of a longer number stands at the start of the optional data.

    Doc 9303 part 5, section 4.2.2 note j: the first nine characters, a filler in place of the check digit, then the
    rest, its check digit over the whole number, and a filler.
    """
    clean = transliterate(number)
    if len(clean) <= 9:
        padded = clean.ljust(9, "<")
        return padded + check_digit(padded), ""
    if len(clean) - 9 + 2 > room:
        raise ValueError(f"a document number of {len(clean)} characters does not fit this format")
    return clean[:9] + "<", clean[9:] + check_digit(clean) + "<"


def _sex(sex: str) -> str:
    return sex if sex in ("F", "M") else "<"


def _td1(holder: Holder) -> tuple[str, ...]:
    number, overflow = _number(holder.document_number, 15)
    optional_first, optional_second = ("", holder.personal_number) if overflow else (holder.personal_number, "")
    first = f"{holder.document_code.ljust(2, '<')}{holder.issuing_state.ljust(3, '<')}{number}"
    first += (overflow + transliterate(optional_first)).ljust(15, "<")
    birth, expiry = date_field(holder.birth_date), date_field(holder.expiry_date)
    second = f"{birth}{check_digit(birth)}{_sex(holder.sex)}{expiry}{check_digit(expiry)}"
    second += holder.nationality.ljust(3, "<") + transliterate(optional_second).ljust(11, "<")
    composite = check_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
    return first, second + composite, name_field(holder.surname, holder.given_names, 30)


def _two_lines(holder: Holder, width: int, room: int = 0) -> tuple[str, str, str]:
    """First line; second line up to the expiry date's check digit; what a long number leaves for the optional data."""
    first = f"{holder.document_code.ljust(2, '<')}{holder.issuing_state.ljust(3, '<')}"
    first += name_field(holder.surname, holder.given_names, width - 5)
    number, overflow = _number(holder.document_number, room)
    birth, expiry = date_field(holder.birth_date), date_field(holder.expiry_date)
    second = f"{number}{holder.nationality.ljust(3, '<')}{birth}{check_digit(birth)}"
    second += f"{_sex(holder.sex)}{expiry}{check_digit(expiry)}"
    return first, second, overflow


def _td2(holder: Holder) -> tuple[str, ...]:
    first, second, overflow = _two_lines(holder, 36, room=7)
    second += (overflow or transliterate(holder.personal_number))[:7].ljust(7, "<")
    return first, second + check_digit(second[0:10] + second[13:20] + second[21:35])


def _td3(holder: Holder) -> tuple[str, ...]:
    first, second, _ = _two_lines(holder, 44)
    personal = transliterate(holder.personal_number)[:14].ljust(14, "<")
    second += personal + (check_digit(personal) if personal.strip("<") else "<")
    return first, second + check_digit(second[0:10] + second[13:20] + second[21:43])


def _mrv_a(holder: Holder) -> tuple[str, ...]:
    first, second, _ = _two_lines(holder, 44)
    return first, second + transliterate(holder.personal_number)[:16].ljust(16, "<")


def _mrv_b(holder: Holder) -> tuple[str, ...]:
    first, second, _ = _two_lines(holder, 36)
    return first, second + transliterate(holder.personal_number)[:8].ljust(8, "<")


_COMPOSERS: dict[Format, Callable[[Holder], tuple[str, ...]]] = {
    "TD1": _td1,
    "TD2": _td2,
    "TD3": _td3,
    "MRV-A": _mrv_a,
    "MRV-B": _mrv_b,
}


def compose(format: Format, holder: Holder) -> tuple[str, ...]:
    """The lines of the MRZ of ``holder``'s document.

    Raises:
        ValueError: when the document number is too long for the format (over 9 characters outside TD1 and TD2).
    """
    return _COMPOSERS[format](holder)
