"""Names between the holder's own spelling and the 26 letters of the zone: transliteration, fillers, truncation."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import product

LATIN: dict[str, tuple[str, ...]] = {
    "Ä": ("AE", "A"), "Å": ("AA", "A"), "Æ": ("AE",), "Ð": ("D",), "Đ": ("D",), "Ñ": ("N", "NXX"), "Ö": ("OE", "O"),
    "Ø": ("OE",), "Œ": ("OE",), "Ü": ("UE", "UXX", "U"), "ß": ("SS",), "ẞ": ("SS",), "Þ": ("TH",), "Ĳ": ("IJ",),
    "ı": ("I",), "Ł": ("L",), "Ŀ": ("L",), "Ħ": ("H",), "Ŧ": ("T",), "Ŋ": ("N",), "ĸ": ("Q",), "Ə": ("E",),
}  # fmt: skip
"""Doc 9303-3 section 6 A, where a letter does not simply lose its mark; the recommended rendering first."""

CYRILLIC: dict[str, str] = {
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Д": "D", "Е": "E", "Ё": "E", "Ж": "ZH", "З": "Z", "И": "I", "Й": "I",
    "К": "K", "Л": "L", "М": "M", "Н": "N", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ф": "F",
    "Х": "KH", "Ц": "TS", "Ч": "CH", "Ш": "SH", "Щ": "SHCH", "Ъ": "IE", "Ы": "Y", "Ь": "", "Э": "E", "Ю": "IU",
    "Я": "IA", "І": "I", "Ї": "I", "Є": "IE", "Ґ": "G", "Ў": "U", "Ђ": "D", "Ј": "J", "Љ": "LJ", "Њ": "NJ", "Ћ": "C",
    "Џ": "DZ", "Ѓ": "G", "Ќ": "K", "Ѕ": "DZ",
}  # fmt: skip
"""Doc 9303-3 section 6 B; national variants (Belarusian, Serbian, Ukrainian) are not told apart."""

SEPARATORS = " -–—,"
DROPPED = "'’ʼ`´.·"


@dataclass(frozen=True, slots=True)
class Names:
    """The name field of a zone.

    Attributes:
        primary: surname, words separated by single spaces; empty when absent.
        secondary: given names, likewise.
        truncated: the field is full to its last character, so that names may have been cut (Doc 9303-4 clause 4.2.3).
    """

    primary: str
    secondary: str
    truncated: bool


def _renderings(character: str) -> tuple[str, ...]:
    upper = character if character in LATIN else character.upper()
    if upper in LATIN:
        return LATIN[upper]
    if upper in CYRILLIC:
        return (CYRILLIC[upper],)
    plain = "".join(c for c in unicodedata.normalize("NFKD", upper) if "A" <= c <= "Z" or "0" <= c <= "9")
    return (plain,)


def transliterate(name: str) -> str:
    """A name in the zone's letters: marks resolved as Doc 9303-3 section 6 recommends, words separated by ``<``.

    Apostrophes are dropped and hyphens become fillers (Doc 9303-3 clause 4.6). Characters of scripts without a table
    here are dropped.
    """
    words: list[str] = [""]
    for character in unicodedata.normalize("NFC", name):
        if character in SEPARATORS or character == "<" or character.isspace():
            words.append("")
        elif character not in DROPPED:
            words[-1] += _renderings(character)[0]
    return "<".join(word for word in words if word)


def transliterations(name: str, limit: int = 64) -> frozenset[str]:
    """Every rendering of ``name`` that states are known to use, at most ``limit``, :func:`transliterate` first."""
    options: list[tuple[str, ...]] = []
    for character in unicodedata.normalize("NFC", name):
        if character in SEPARATORS or character == "<" or character.isspace():
            options.append(("<",))
        elif character not in DROPPED:
            options.append(_renderings(character))
    found: set[str] = {transliterate(name)}
    for choice in product(*options):
        if len(found) >= limit:
            break
        found.add("<".join(word for word in "".join(choice).split("<") if word))
    return frozenset(found)


def parse_names(raw: str) -> Names:
    """Split a name field at its first double filler."""
    primary, _, secondary = raw.rstrip("<").partition("<<")
    words = [" ".join(w for w in part.split("<") if w) for part in (primary, secondary)]
    return Names(words[0], words[1], bool(raw) and raw[-1] != "<")


def format_names(primary: str, secondary: str, length: int) -> str:
    """The name field, ``length`` characters, with fillers.

    Names that do not fit are cut as Doc 9303-4 clause 4.2.3 lets states do: the given names lose characters from the
    end; when the surname leaves no room for one of them, the surname is cut so that one initial stays.
    """
    surname, given = transliterate(primary), transliterate(secondary)
    if given and len(surname) + 2 + len(given) > length:
        cut = surname[: length - 3]
        short = cut.rstrip("<")
        full = len(short) + 2 + len(given) >= length
        surname = short if full else f"{_less_one_letter(short)}<{surname[len(cut)]}"
    whole = f"{surname}<<{given}" if given else surname
    # The last place of a cut field holds a letter, so that a reader sees that it was cut: when a filler would come to
    # stand there, the surname gives up a letter more, or a given name where it has none; exactly one: the field must
    # stay full.
    while len(whole) > length and whole[length - 1] == "<" and len(surname) > 1 - bool(given):
        shorter = _less_one_letter(surname)
        if len(shorter) == len(surname) - 1 and shorter:
            surname = shorter
        else:
            before = length - 3 - len(surname)
            given = _less_one_letter(given[:before]) + given[before:]
        whole = f"{surname}<<{given}" if given else surname
    return whole[:length].ljust(length, "<")


def _less_one_letter(name: str) -> str:
    """Without the last letter of the last component that has more than one; of initials alone, without the last one."""
    parts = name.split("<")
    for place in reversed(range(len(parts))):
        if len(parts[place]) > 1:
            parts[place] = parts[place][:-1]
            return "<".join(parts)
    return name[:-1].rstrip("<")
