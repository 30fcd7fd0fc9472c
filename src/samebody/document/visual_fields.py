"""Sort the lines of a visual zone into fields: by what the MRZ says, by labels, and by elimination among dates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from samebody.document.text_match import (
    FoundDate,
    differs_only_by_confusion,
    find_dates,
    letters_and_digits,
    similarity,
    transliterations,
)
from samebody.document.types import MrzReading
from samebody.types import Box


@dataclass(frozen=True, slots=True)
class VisualLine:
    """One line of the visual zone.

    Attributes:
        text: as read, marks and case kept.
        confidence: 0-1, mean posterior over the characters.
        characters: posterior of each character of ``text``, 0-1.
        positions: centre of each character, pixels of the rectified page, left to right.
        box: the ink, pixels of the rectified page.
    """

    text: str
    confidence: float
    characters: tuple[float, ...]
    positions: tuple[float, ...]
    box: Box


@dataclass(frozen=True, slots=True)
class VisualField:
    """One field of the visual zone.

    Attributes:
        name: ``surname``, ``given_names``, ``document_number``, ``nationality``, ``birth_date``, ``sex``,
            ``expiry_date``, ``issue_date``, ``issuing_state``.
        value: for comparison; dates as ``YYYY-MM-DD``, sex as ``M``, ``F`` or ``X``.
        text: the part of the line it was taken from.
        confidence: 0-1, posterior of the least certain character of that part.
        box: where, pixels of the rectified page; the ink of the whole line.
        basis: ``mrz`` (found by searching for what the MRZ says), ``label`` (a label names it), ``both``, or
            ``remainder`` (the only date left that can be it, or the line beside the other half of the name).
        alternatives: other values that the same text allows.
        exact: says exactly what the machine-readable zone says, transliteration allowed for.
    """

    name: str
    value: str
    text: str
    confidence: float
    box: Box
    basis: str
    alternatives: tuple[str, ...] = ()
    exact: bool = False


@dataclass(frozen=True, slots=True)
class VisualZone:
    """Everything read outside the machine-readable zone: lines from top to bottom, and the fields found in them."""

    lines: tuple[VisualLine, ...]
    fields: Mapping[str, VisualField] = field(default_factory=dict)
    milliseconds: float = 0.0


LABELS: Mapping[str, tuple[str, ...]] = {
    "surname": (
        "surname",
        "nom",
        "name",
        "nachname",
        "familienname",
        "apellidos",
        "cognome",
        "apelidos",
        "naam",
        "nazwisko",
        "efternamn",
        "etternavn",
        "last name",
        "family name",
    ),
    "given_names": (
        "given names",
        "given name",
        "prenoms",
        "prenom",
        "vornamen",
        "vorname",
        "nombres",
        "nombre",
        "nome",
        "imiona",
        "fornamn",
        "voornamen",
        "first name",
        "forenames",
    ),
    "document_number": (
        "passport no",
        "passport number",
        "document no",
        "document number",
        "no du passeport",
        "card no",
        "numero de passeport",
        "passeport no",
        "pass nr",
        "passnummer",
        "ausweisnummer",
        "dokumentnummer",
        "numero",
        "num soporte",
        "id no",
        "identity card no",
        "visa no",
    ),
    "nationality": (
        "nationality",
        "nationalite",
        "staatsangehorigkeit",
        "nacionalidad",
        "cittadinanza",
        "nationaliteit",
        "nacionalidade",
        "obywatelstwo",
    ),
    "birth_date": (
        "date of birth",
        "date de naissance",
        "geburtsdatum",
        "geburtstag",
        "fecha de nacimiento",
        "data di nascita",
        "data de nascimento",
        "geboortedatum",
        "data urodzenia",
        "birth date",
        "born",
    ),
    "sex": ("sex", "sexe", "geschlecht", "sexo", "sesso", "geslacht", "plec"),
    "issue_date": (
        "date of issue",
        "date de delivrance",
        "ausstellungsdatum",
        "fecha de expedicion",
        "data di rilascio",
        "data de emissao",
        "date delivrance",
        "issued on",
        "valid from",
    ),
    "expiry_date": (
        "date of expiry",
        "date d expiration",
        "gultig bis",
        "fecha de caducidad",
        "data di scadenza",
        "validade",
        "date of expiration",
        "expiry date",
        "expiry",
        "expires",
        "valid until",
        "geldig tot",
    ),
    "issuing_state": (
        "issuing state",
        "code of issuing state",
        "state code",
        "country code",
        "code of state",
        "code du pays",
    ),
}
"""Words that name a field, marks and punctuation removed, in the languages of many Latin-script documents."""

_LABEL_LIKENESS = 0.78
_NAME_LIKENESS = 0.72
_DATES = ("birth_date", "issue_date", "expiry_date")
_SEXES = {"M": "M", "F": "F", "X": "X", "W": "F", "MALE": "M", "FEMALE": "F", "H": "M", "HOMBRE": "M", "MUJER": "F"}


@dataclass(frozen=True, slots=True)
class _Span:
    """Characters ``start`` to ``end`` of a line; ``origin``: where the label above them starts, pixels of the page."""

    line: VisualLine
    start: int
    end: int
    origin: float | None = None

    @property
    def text(self) -> str:
        return self.line.text[self.start : self.end]

    @property
    def confidence(self) -> float:
        return min(self.line.characters[self.start : self.end], default=0.0)

    def to_field(
        self, name: str, value: str, basis: str, alternatives: tuple[str, ...] = (), *, exact: bool = False
    ) -> VisualField:
        return VisualField(name, value, self.text, self.confidence, self.line.box, basis, alternatives, exact)


def find_fields(lines: Sequence[VisualLine], mrz: MrzReading | None = None) -> dict[str, VisualField]:
    """The fields that ``lines`` hold, by name; fields that were not found are left out.

    A field found by searching for the MRZ's value and one that a label names may be the same text (basis ``both``).
    Where they differ, the text under the label stands: it is what the document says, and the search may have
    met the value elsewhere (a surname in the signature line, a date in a stamp).
    """
    expected = {name: entry.value for name, entry in mrz.fields.items() if entry.value} if mrz else {}
    labelled = _labelled(lines)
    fields: dict[str, VisualField] = {}
    fields.update(_find_dates(lines, labelled, expected))
    for name, finder in (("surname", _find_name), ("given_names", _find_name), ("document_number", _find_number)):
        if found := finder(name, lines, labelled.get(name, ()), expected.get(name, "")):
            fields[name] = found
    for name, other, above in (("surname", "given_names", True), ("given_names", "surname", False)):
        if name not in fields and other in fields and fields[other].basis in ("mrz", "both") and expected.get(name):
            neighbour = _beside_name(lines, fields[other].box, above)
            if neighbour is not None:
                span = _Span(neighbour, 0, len(neighbour.text))
                fields[name] = span.to_field(name, neighbour.text.strip(), "remainder")
    if sex := _find_sex(lines, labelled.get("sex", ()), expected.get("sex", "")):
        fields["sex"] = sex
    for name in ("nationality", "issuing_state"):
        if found := _find_code(name, lines, labelled.get(name, ()), expected.get(name, "")):
            fields[name] = found
    return fields


# ---------------------------------------------------------------------------------------------------------- labels


def _labelled(lines: Sequence[VisualLine]) -> dict[str, tuple[_Span, ...]]:
    """For each field, the spans that a label points at: the rest of its line, or the line below it."""
    labels = {id(line): names for line in lines if (names := label_names(line.text))}
    result: dict[str, list[_Span]] = {}
    for line in lines:
        for name, end in labels.get(id(line), ()):
            rest = line.text[end:]
            lead = len(rest) - len(rest.lstrip(" :./-"))
            if len(letters_and_digits(rest)) >= 1 and not label_names(rest):
                result.setdefault(name, []).append(_Span(line, end + lead, len(line.text)))
            below = _below(line, [other for other in lines if id(other) not in labels])
            if below is not None:
                result.setdefault(name, []).append(_Span(below, 0, len(below.text), line.box.x))
    return {name: tuple(spans) for name, spans in result.items()}


@lru_cache(maxsize=4096)
def label_names(text: str) -> tuple[tuple[str, int], ...]:
    """Fields that ``text`` names, each with the position in ``text`` where the label ends.

    Labels stand at the start of a line or after a slash, in one or several languages; small misreadings are allowed.
    """
    found: dict[str, int] = {}
    position = 0
    for part in re.split(r"([/|(])", text):
        start, position = position, position + len(part)
        words = list(re.finditer(r"[^\s:.,]+", part))
        best: tuple[float, str, int] | None = None
        for name, labels in LABELS.items():
            for label in labels:
                count = len(label.split())
                if count > len(words):
                    continue
                head = letters_and_digits(" ".join(word.group() for word in words[:count]))
                wanted = letters_and_digits(label)
                if abs(len(head) - len(wanted)) > 2:
                    continue
                exact = head == wanted
                likeness = 1.0 if exact else similarity(head, wanted) if len(wanted) >= 5 else 0.0
                rank = likeness + 0.01 * len(wanted)
                if likeness >= _LABEL_LIKENESS and (best is None or rank > best[0]):
                    best = (rank, name, start + words[count - 1].end())
        if best is not None and (best[1] not in found or found[best[1]] < best[2]):
            found[best[1]] = best[2]
    return tuple(found.items())


def _below(label: VisualLine, lines: Sequence[VisualLine]) -> VisualLine | None:
    """The nearest line under ``label`` that starts about where it starts."""
    best: tuple[float, VisualLine] | None = None
    for line in lines:
        gap = line.box.y - (label.box.y + label.box.height)
        reach = 2.2 * max(label.box.height, line.box.height)
        start = abs(line.box.x - label.box.x)
        overlaps = line.box.x < label.box.x + label.box.width and label.box.x < line.box.x + line.box.width
        if -0.4 * label.box.height < gap < reach and (start < 2.0 * line.box.height or overlaps):
            rank = gap + 0.5 * start
            if best is None or rank < best[0]:
                best = (rank, line)
    return best[1] if best else None


# ----------------------------------------------------------------------------------------------------------- dates


def _find_dates(
    lines: Sequence[VisualLine], labelled: Mapping[str, tuple[_Span, ...]], expected: Mapping[str, str]
) -> Iterator[tuple[str, VisualField]]:
    dates = [(line, found) for line in lines for found in find_dates(line.text)]
    free = list(dates)
    result: dict[str, VisualField] = {}

    def take(name: str, line: VisualLine, found: FoundDate, value: str, basis: str) -> None:
        span = _Span(line, found.start, found.end)
        others = tuple(v for v in (found.value, *found.alternatives) if v != value)
        result[name] = span.to_field(name, value, basis, others, exact=basis in ("both", "mrz"))
        if (line, found) in free:
            free.remove((line, found))

    for name in _DATES:
        for span in labelled.get(name, ()):
            here = [(li, f) for li, f in free if li is span.line and f.start >= span.start and f.end <= span.end]
            if here and name not in result:
                # Two columns may have been read as one line: what the MRZ says comes first, then what stands below.
                line, found = min(here, key=lambda one: (not _says(one[1], expected.get(name, "")), _off(one, span)))
                readings = (found.value, *found.alternatives)
                said = next((v for v in readings if _date_fits(v, expected.get(name, ""))), None)
                take(name, line, found, said or found.value, "both" if said else "label")
    for name in ("birth_date", "expiry_date"):
        if name in result or not expected.get(name):
            continue
        for line, found in list(free):
            said = next((v for v in (found.value, *found.alternatives) if _date_fits(v, expected[name])), None)
            if said:
                take(name, line, found, said, "mrz")
                break
    yield from result.items()
    # What is left of a few dates is known by its order: birth, issue, expiry.
    left = list({found.value: (line, found) for line, found in free}.values())
    for name in _DATES:
        named = [(line, found) for line, found in left if _by_order(found.value, expected) == name]
        if name not in result and len(named) == 1 and len(dates) <= 4:
            take(name, *named[0], named[0][1].value, "remainder")
            yield name, result[name]


def _says(found: FoundDate, expected: str) -> bool:
    return any(_date_fits(value, expected) for value in (found.value, *found.alternatives))


def _off(one: tuple[VisualLine, FoundDate], span: _Span) -> float:
    """How far a date starts from where its label starts, in pixels."""
    line, found = one
    at = line.positions[found.start] if found.start < len(line.positions) else line.box.x
    return abs(at - (span.origin if span.origin is not None else line.box.x))


def _by_order(value: str, expected: Mapping[str, str]) -> str | None:
    """Which date ``value`` can be, given the MRZ's: Doc 9303 documents are valid for at most about ten years."""
    expiry, birth = expected.get("expiry_date", ""), expected.get("birth_date", "")
    if len(expiry) != 10 or len(birth) != 10 or not expiry[:4].isdigit() or not birth[:4].isdigit():
        return None
    year, expiry_year = int(value[:4]), int(expiry[:4])
    if value > expiry or (year >= expiry_year - 1 and value != expiry):
        return "expiry_date"
    if year < expiry_year - 16:
        return "birth_date"
    return "issue_date" if value > birth else None


def _date_fits(value: str, expected: str) -> bool:
    """Whether a complete date agrees with an MRZ date that may have unknown parts (``XX``)."""
    return len(value) == len(expected) and all(e in ("X", v) for v, e in zip(value, expected))


# ------------------------------------------------------------------------------------------------- names and numbers


def _find_name(name: str, lines: Sequence[VisualLine], labelled: Sequence[_Span], expected: str) -> VisualField | None:
    wanted = letters_and_digits(expected)
    best: tuple[float, _Span] | None = None
    if wanted:
        for line in lines:
            for span in _word_spans(line, len(wanted)):
                likeness = max(_prefix_similarity(form, wanted) for form in transliterations(span.text))
                if likeness >= _NAME_LIKENESS and (best is None or likeness > best[0] + 1e-9):
                    best = (likeness, span)
    spans = [span for span in labelled if re.search(r"[^\W\d]", span.text) and not find_dates(span.text)]
    if best and best[0] > 0.999:
        same_line = any(span.line is best[1].line for span in spans)
        return best[1].to_field(name, best[1].text.strip(), "both" if same_line else "mrz", exact=True)
    if spans:
        span = _nearest(spans, wanted)
        if best and best[1].line is span.line:
            return best[1].to_field(name, best[1].text.strip(), "both")
        return span.to_field(name, span.text.strip(), "label")
    return best[1].to_field(name, best[1].text.strip(), "mrz") if best else None


def _beside_name(lines: Sequence[VisualLine], known: Box, above: bool) -> VisualLine | None:
    """The clearly read line of letters just above (or below) the line that holds the other half of the name."""
    best: tuple[float, VisualLine] | None = None
    for line in lines:
        gap = known.y - (line.box.y + line.box.height) if above else line.box.y - (known.y + known.height)
        fits = (
            0 < gap < 3.2 * known.height
            and abs(line.box.x - known.x) < 1.2 * known.height
            and 0.72 < line.box.height / known.height < 1.4
            and line.confidence >= 0.85
        )
        letters = sum(c.isalpha() for c in line.text)
        fits = fits and letters >= 3 and not re.search(r"\d", line.text) and not label_names(line.text)
        if fits and (best is None or gap < best[0]):
            best = (gap, line)
    return best[1] if best else None


def _nearest(spans: Sequence[_Span], wanted: str) -> _Span:
    return max(spans, key=lambda span: similarity(letters_and_digits(span.text), wanted))


def _word_spans(line: VisualLine, length: int) -> Iterator[_Span]:
    """Runs of whole words of ``line`` whose letters come near ``length`` (or go beyond: the MRZ truncates)."""
    words = list(re.finditer(r"[^\s,]+", line.text))
    for first in range(len(words)):
        for last in range(first, len(words)):
            span = _Span(line, words[first].start(), words[last].end())
            letters = len(letters_and_digits(span.text))
            if letters >= 0.6 * length:
                yield span
            if letters > 1.4 * length + 4:
                break


def _prefix_similarity(form: str, wanted: str) -> float:
    """Similarity of a visual form to an MRZ name that may be cut off at 20 letters or more."""
    if len(wanted) >= 15 and len(form) > len(wanted):
        form = form[: len(wanted)]
    return similarity(form, wanted)


def _find_number(
    name: str, lines: Sequence[VisualLine], labelled: Sequence[_Span], expected: str
) -> VisualField | None:
    wanted = letters_and_digits(expected)
    best: tuple[float, _Span] | None = None
    if wanted:
        for line in lines:
            if find_dates(line.text) and not re.search(r"[A-Z0-9]{6,}", line.text):
                continue
            for span in _word_spans(line, len(wanted)):
                text = letters_and_digits(span.text)
                likeness = similarity(text, wanted)
                if text != wanted and len(text) == len(wanted) and differs_only_by_confusion(text, wanted):
                    likeness = max(likeness, 0.8)
                if likeness >= 0.7 and (best is None or likeness > best[0]):
                    best = (likeness, span)
    spans = [span for span in (_number_span(s) for s in labelled) if span is not None]
    if best and best[0] > 0.999:
        return best[1].to_field(name, letters_and_digits(best[1].text), "both" if spans else "mrz", exact=True)
    if spans:
        span = _nearest(spans, wanted)
        return span.to_field(
            name, letters_and_digits(span.text), "both" if best and best[1].line is span.line else "label"
        )
    return best[1].to_field(name, letters_and_digits(best[1].text), "mrz") if best else None


def _number_span(span: _Span) -> _Span | None:
    """The first word of the span that looks like a document number: at least five characters, three of them digits."""
    for word in re.finditer(r"[A-Za-z0-9<\-]{5,}", span.text):
        if sum(c.isdigit() for c in word.group()) >= 3 and not find_dates(word.group()):
            return _Span(span.line, span.start + word.start(), span.start + word.end())
    return None


def _find_sex(lines: Sequence[VisualLine], labelled: Sequence[_Span], expected: str) -> VisualField | None:
    for span in labelled:
        for word in re.finditer(r"\w+", span.text):
            value = _SEXES.get(word.group().upper())
            if value:
                found = _Span(span.line, span.start + word.start(), span.start + word.end())
                return found.to_field("sex", value, "both" if value == expected else "label", exact=value == expected)
    for line in lines:
        words = re.findall(r"\w+", line.text)
        if words and len(words) <= 2 and all(_SEXES.get(w) == expected for w in words) and expected in ("M", "F", "X"):
            return _Span(line, 0, len(line.text)).to_field("sex", expected, "mrz", exact=True)
    return None


def _find_code(name: str, lines: Sequence[VisualLine], labelled: Sequence[_Span], expected: str) -> VisualField | None:
    """A state code, or the adjective or name that stands for it, under its label; else the bare code on a line."""
    for span in labelled:
        for word in re.finditer(r"[^\W\d]{1,}", span.text):
            if word.group().upper() == expected and expected:
                found = _Span(span.line, span.start + word.start(), span.start + word.end())
                return found.to_field(name, expected, "both", exact=True)
    for span in labelled:
        text = span.text.strip(" /:.-")
        if re.fullmatch(r"[^\W\d][^\d]{2,40}", text):
            return span.to_field(name, text, "label")
    for line in lines:
        for word in re.finditer(r"[A-Z]+", line.text):
            if len(expected) == 3 and word.group() == expected:
                return _Span(line, word.start(), word.end()).to_field(name, expected, "mrz", exact=True)
    return None
