"""Comparing what two readings of a document say: transliterated names, confusable characters, dates in many formats."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

CONFUSABLE_GROUPS = (
    "O0QDU",
    "I1LTJ|!",
    "S58",
    "B83",
    "Z27",
    "G6C",
    "Y4V",
    "A4",
    "K<X",
    "EF",
    "MN",
    "MW",
    "NH",
    "VWU",
    "UO",
    "RP",
    "17",
    "39",
    "08",
    "06",
    "69",
)
"""Characters that a text recogniser takes for one another on small, blurred or noisy print."""

_CONFUSABLE = frozenset(frozenset((a, b)) for group in CONFUSABLE_GROUPS for a in group for b in group if a != b)

# Doc 9303-3, section 6 A: letters whose recommended transliteration is more than the letter without its mark.
_EXPANSIONS = {
    "Ä": ("AE", "A"),
    "Ö": ("OE", "O"),
    "Ü": ("UE", "UXX", "U"),
    "Å": ("AA", "A"),
    "Æ": ("AE",),
    "Ø": ("OE", "O"),
    "Œ": ("OE",),
    "ẞ": ("SS", "S"),
    "Þ": ("TH",),
    "Ð": ("D",),
    "Đ": ("D",),
    "Ł": ("L",),
    "Ħ": ("H",),
    "Ŧ": ("T",),
    "Ŋ": ("N",),
    "Ĳ": ("IJ",),
    "Ñ": ("N", "NXX"),
    "İ": ("I",),
    "ı": ("I",),
}
_MAX_FORMS = 16

CONFUSION_COST = 0.35
"""Cost of a confusable substitution in :func:`distance`, where any other edit costs 1."""


def are_confusable(first: str, second: str) -> bool:
    """Whether a recogniser may take one character for the other (reflexive, symmetric, case ignored)."""
    a, b = first.upper(), second.upper()
    return a == b or frozenset((a, b)) in _CONFUSABLE


def differs_only_by_confusion(first: str, second: str) -> bool:
    """Whether two readings are equal but for confusable characters, one for one."""
    return len(first) == len(second) and all(are_confusable(a, b) for a, b in zip(first, second))


def letters_and_digits(text: str) -> str:
    """``text`` in capitals without marks, spaces and punctuation: ASCII letters and digits only."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ẞ").upper())
    plain = "".join(_EXPANSIONS.get(c, (c,))[-1] for c in decomposed)
    return "".join(c for c in plain if c.isascii() and c.isalnum())


def transliterations(text: str) -> tuple[str, ...]:
    """The forms in which an MRZ may print ``text`` (Doc 9303-3, section 6): capitals A-Z and digits, no separators.

    A letter such as Ü has several permitted forms, and a recogniser may have dropped the mark, so several forms
    come back, at most 16, the recommended one first.
    """
    forms = [""]
    for character in unicodedata.normalize("NFC", text.replace("ß", "ẞ").upper()):
        options = _EXPANSIONS.get(character) or (letters_and_digits(character),)
        grown = [form + option for form in forms for option in options]
        forms = grown if len(grown) <= _MAX_FORMS else [form + options[0] for form in forms]
    return tuple(dict.fromkeys(forms))


_MARKS_LOST = {"A": ("AE", "AA"), "O": ("OE",), "U": ("UE", "UXX"), "N": ("NXX",), "B": ("SS",), "P": ("TH",)}
"""What an MRZ may print for the letter that a recogniser sees when it misses the mark of Ä, Å, Ö, Ø, Ü, Ñ, or takes ẞ
and Þ for the Latin letters they look like."""


def differs_only_by_lost_marks(seen: str, transliterated: str) -> bool:
    """Whether ``transliterated`` is ``seen`` with some letters written out as Doc 9303-3 section 6 writes the marked
    letter (SORENSEN as SOERENSEN), one of them at least; confusable characters are forgiven one for one."""
    open_places = {(0, False)}
    for letter in seen:
        following = set()
        for place, expanded in open_places:
            if are_confusable(transliterated[place : place + 1], letter):
                following.add((place + 1, expanded))
            for form in _MARKS_LOST.get(letter, ()):
                if transliterated.startswith(form, place):
                    following.add((place + len(form), True))
        open_places = following
    return (len(transliterated), True) in open_places


def distance(first: str, second: str) -> float:
    """Edit distance (Levenshtein) in which a confusable substitution costs 0.35 and every other edit 1."""
    previous = [float(j) for j in range(len(second) + 1)]
    for i, a in enumerate(first, 1):
        row = [float(i)]
        for j, b in enumerate(second, 1):
            cost = 0.0 if a == b else CONFUSION_COST if frozenset((a, b)) in _CONFUSABLE else 1.0
            row.append(min(previous[j] + 1.0, row[j - 1] + 1.0, previous[j - 1] + cost))
        previous = row
    return previous[-1]


def similarity(first: str, second: str) -> float:
    """1 - distance / longer length, in 0-1; 0 when either is empty."""
    if not first or not second:
        return 0.0
    return max(0.0, 1.0 - distance(first, second) / max(len(first), len(second)))


# ----------------------------------------------------------------------------------------------------------- dates

_MONTHS: dict[str, int] = {}
for _number, _names in enumerate(
    (
        "JAN JANV JANVIER JANUARY JANUAR JAENNER ENE ENERO GEN GENNAIO JANEIRO STY",
        "FEB FEBRUARY FEV FEVR FEVRIER FEBRUAR FEBRERO FEBBRAIO FEVEREIRO LUT",
        "MAR MARCH MARS MAERZ MARZ MRZ MARZO MARCO MAART MRT",
        "APR APRIL AVR AVRIL ABR ABRIL APRILE KWI",
        "MAY MAI MAYO MAG MAGGIO MAIO MEI MAJ",
        "JUN JUNE JUIN JUNI JUNIO GIU GIUGNO JUNHO CZE",
        "JUL JULY JUIL JUILLET JULI JULIO LUG LUGLIO JULHO LIP",
        "AUG AUGUST AOUT AOU AGO AGOSTO AUGUSTUS SIE",
        "SEP SEPT SEPTEMBER SEPTEMBRE SEPTIEMBRE SET SETTEMBRE SETEMBRO WRZ",
        "OCT OCTOBER OCTOBRE OKT OKTOBER OCTUBRE OTT OTTOBRE OUT OUTUBRO PAZ",
        "NOV NOVEMBER NOVEMBRE NOVIEMBRE NOVEMBRO LIS",
        "DEC DECEMBER DECEMBRE DEZ DEZEMBER DIC DICIEMBRE DICEMBRE DEZEMBRO GRU",
    ),
    1,
):
    _MONTHS.update(dict.fromkeys(_names.split(), _number))

_DIGIT = "[0-9OoQDIl|]"
_PART = f"(?:{_DIGIT}{{2}}|[Xx]{{2}})"
_DAY_MONTH_NAME_YEAR = re.compile(
    rf"(?<![0-9A-Za-z])({_DIGIT}{{1,2}}|[Xx]{{2}})\s*[.\-]?\s*([A-Za-zÀ-ÿ0]{{3,10}})\.?"
    rf"\s*(?:[/|]\s*([A-Za-zÀ-ÿ0]{{3,10}})\.?)?\s*[\-,]?\s*({_DIGIT}{{4}}|{_DIGIT}{{2}})(?![0-9])"
)
_SEPARATOR = r"([\s.\-/]{1,3})"
_DAY_MONTH_YEAR = re.compile(rf"(?<![0-9])({_PART}){_SEPARATOR}({_PART})\2({_DIGIT}{{4}})(?![0-9])")
_YEAR_MONTH_DAY = re.compile(rf"(?<![0-9])({_DIGIT}{{4}}){_SEPARATOR}({_PART})\2({_PART})(?![0-9])")
_LOST_SEPARATORS = re.compile(r"(?<![0-9A-Za-z])([0-9]{2})[\s.]?([0-9]{2})[\s.]?((?:19|20)[0-9]{2})(?![0-9A-Za-z])")
_SHORT_YEAR = re.compile(r"(?<![0-9])([0-9]{2})([.\-/])([0-9]{2})\2([0-9]{2})(?![0-9])")
_AS_DIGITS = str.maketrans("OoQDIl|", "0000111")


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date in a line of text.

    Attributes:
        value: ``YYYY-MM-DD``.
        start, end: span in the text.
        clean: no letter had to be taken for a digit, both month names (if two) agree, four-digit year.
        alternatives: other readings of the same text (month and day swapped, other century).
    """

    value: str
    start: int
    end: int
    clean: bool
    alternatives: tuple[str, ...] = ()


def find_dates(text: str) -> tuple[FoundDate, ...]:
    """All dates in ``text``: DD MMM YYYY (one or two languages), DD.MM.YYYY, DD/MM/YYYY, YYYY-MM-DD, DD.MM.YY.

    Day comes before month where both orders are possible; the other order is listed as an alternative.
    """
    found: list[FoundDate] = []
    for one in _candidates(text):
        if all(one.end <= other.start or one.start >= other.end for other in found):
            found.append(one)
    return tuple(sorted(found, key=lambda one: one.start))


def _candidates(text: str) -> Iterator[FoundDate]:
    for match in _DAY_MONTH_NAME_YEAR.finditer(text):
        day, first, second, year = match.groups()
        months: list[int | str] = [month for month in (_month(first), _month(second or "")) if month]
        if not months:
            continue
        agreed = len(set(months)) == 1
        years = _years(year)
        readings = [r for y in years for m in dict.fromkeys(months) if (r := _iso(str(y), m, day))]
        if readings:
            clean = agreed and len(years) == 1 and (day + year).isdigit()
            yield FoundDate(readings[0], match.start(), match.end(), clean, tuple(readings[1:]))
    for match in _YEAR_MONTH_DAY.finditer(text):
        year, _, month, day = match.groups()
        if reading := _iso(year, month, day):
            yield FoundDate(reading, match.start(), match.end(), (year + month + day).isdigit())
    for match in _DAY_MONTH_YEAR.finditer(text):
        day, _, month, year = match.groups()
        readings = [r for r in (_iso(year, month, day), _iso(year, day, month)) if r]
        readings = list(dict.fromkeys(readings))
        if readings:
            clean = (year + month + day).isdigit()
            yield FoundDate(readings[0], match.start(), match.end(), clean, tuple(readings[1:]))
    for match in _LOST_SEPARATORS.finditer(text):
        day, month, year = match.groups()
        if reading := _iso(year, month, day):
            yield FoundDate(reading, match.start(), match.end(), False)
    for match in _SHORT_YEAR.finditer(text):
        day, _, month, year = match.groups()
        readings = [r for y in _years(year) if (r := _iso(str(y), month, day))]
        if readings:
            yield FoundDate(readings[0], match.start(), match.end(), False, tuple(readings[1:]))


def _month(name: str) -> int | str | None:
    plain = letters_and_digits(name).replace("0", "O")
    if plain == "XXX":
        return "XX"
    if plain in _MONTHS:
        return _MONTHS[plain]
    german = next((form for form in transliterations(name) if form in _MONTHS), None)
    return _MONTHS.get(german) if german else None


def _years(text: str) -> tuple[int, ...]:
    digits = text.translate(_AS_DIGITS)
    return (int(digits),) if len(digits) == 4 else (1900 + int(digits), 2000 + int(digits))


def _iso(year: str, month: str | int, day: str) -> str | None:
    """``YYYY-MM-DD``, unknown parts kept as ``XX``; None when there is no such day."""
    unknown_month, unknown_day = str(month).upper().startswith("X"), day.upper() == "XX"
    try:
        number = 1 if unknown_month else int(str(month).translate(_AS_DIGITS))
        value = date(int(year.translate(_AS_DIGITS)), number, 1 if unknown_day else int(day.translate(_AS_DIGITS)))
    except ValueError:
        return None
    text = value.isoformat()
    return f"{text[:5]}{'XX' if unknown_month else text[5:7]}-{'XX' if unknown_day else text[8:]}"
