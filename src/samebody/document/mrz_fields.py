"""From the characters of a zone to its fields, each with what stands behind it and whether it may have been misread.

A check digit cannot tell G/6, L/1, S/8, Y/4, U/0, K/< and 0/< apart, and names, sex and most of the document code
have none at all. Such fields are ``unsure`` here, however clear the picture is, until the visual zone says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from samebody.document.codes import is_state, states
from samebody.document.icao9303 import KIND_CHARACTERS, LAYOUTS, FieldSpec, Kind, ParsedMrz, parse
from samebody.document.mrz_decode import LOOKALIKES, Costs, Decoded, margins
from samebody.document.mrz_read import ZoneRead
from samebody.document.mrz_strip import ALPHABET
from samebody.document.types import CheckDigit, MrzField, MrzReading
from samebody.types import Point

DOCUMENT_LETTERS = "PIACV"
"""First letters of document codes (Doc 9303-3 to -7): passport, card, crew or other travel card, card, visa."""

LIST_MARGIN = 5.0
"""Nats by which a listed code must be likelier than every other listed code to be confirmed by its list."""

LIST_CORRECTION = 7.0
"""Nats that a listed code may cost over the likeliest letters and still replace them."""

CLEAR = 0.9
"""Posterior below which a character of a checked field stays doubtful: two misreadings cancel in one of ten cases."""

CHECKED = ("document_number", "birth_date", "expiry_date")


def assemble(zone: ZoneRead, today: date | None = None) -> MrzReading:
    """Fields, check digits and geometry of a zone that was read; see :class:`MrzReading`."""
    decoded, corrected = _settle_codes(zone)
    lines = decoded.lines
    parsed = parse(lines, today)
    posteriors = margins(decoded)
    checks = parsed.checks
    fields: dict[str, MrzField] = {}
    for spec in LAYOUTS[zone.format].fields:
        for entry in _entries(spec, parsed, decoded.costs, posteriors, checks):
            fields[entry.name] = entry
    polygons = [_polygon(quad) for quad in zone.quads]
    first, last = zone.quads[0], zone.quads[-1]
    return MrzReading(
        format=zone.format,
        lines=lines,
        fields=fields,
        check_digits=checks,
        polygon=_polygon(np.stack([first[0], first[1], last[2], last[3]])),
        line_polygons=tuple(polygons),
        confidences=tuple(tuple(round(float(p), 4) for p in row) for row in posteriors),
        corrected=corrected,
        character_height=zone.cap_height,
    )


def _polygon(quad: NDArray[np.float64]) -> tuple[Point, Point, Point, Point]:
    a, b, c, d = ((float(x), float(y)) for x, y in quad)
    return a, b, c, d


def _state_costs(costs: Costs, spec: FieldSpec) -> list[tuple[float, str]]:
    """Every listed code with its cost at the field's place, cheapest first."""
    table = costs[spec.line, spec.start : spec.end]
    indices = np.array([[ALPHABET.index(c) for c in code.ljust(3, "<")] for code in states()])
    sums = table[0, indices[:, 0]] + table[1, indices[:, 1]] + table[2, indices[:, 2]]
    order = np.argsort(sums)
    codes = list(states())
    return [(float(sums[k]), codes[k].ljust(3, "<")) for k in order[:3]]


def _settle_codes(zone: ZoneRead) -> tuple[Decoded, tuple[tuple[int, int, str, str], ...]]:
    """Unlisted issuer and nationality codes replaced by the one listed code that is nearly as likely."""
    decoded = zone.decoded
    lines = [list(text) for text in decoded.lines]
    corrected = list(decoded.corrected)
    for name in ("issuing_state", "nationality"):
        spec = LAYOUTS[zone.format].field(name)
        read = "".join(lines[spec.line][spec.start : spec.end])
        if is_state(read):
            continue
        base = sum(decoded.costs[spec.line, spec.start + k, ALPHABET.index(c)] for k, c in enumerate(read))
        best, second = _state_costs(decoded.costs, spec)[:2]
        if best[0] - base <= LIST_CORRECTION and second[0] - best[0] >= LIST_MARGIN / 2:
            for k, character in enumerate(best[1]):
                if read[k] != character:
                    corrected.append((spec.line, spec.start + k, read[k], character))
                    lines[spec.line][spec.start + k] = character
    return replace(decoded, lines=tuple("".join(row) for row in lines)), tuple(corrected)


def _entries(
    spec: FieldSpec,
    parsed: ParsedMrz,
    costs: Costs,
    posteriors: NDArray[np.float64],
    checks: Sequence[CheckDigit],
) -> Iterable[MrzField]:
    raw = parsed.raw[spec.name]
    trust = posteriors[spec.line, spec.start : spec.end]
    confidence = float(trust.min())
    digits = {check.name: check for check in checks}
    if spec.name == "names":
        yield from _names(raw, trust, parsed)
    elif spec.name in ("issuing_state", "nationality"):
        yield _state(spec, raw, confidence, costs)
    elif spec.name == "document_code":
        yield _document_code(raw, confidence, parsed)
    elif spec.name == "sex":
        reason = "No check digit covers the sex."
        yield MrzField("sex", parsed.sex, raw, confidence, (), True, (reason,))
    elif spec.name in CHECKED:
        yield _checked(spec, raw, trust, parsed, digits[spec.name])
    else:
        yield _optional(spec, raw, trust, parsed, digits)


def _names(raw: str, trust: NDArray[np.float64], parsed: ParsedMrz) -> Iterable[MrzField]:
    cut = raw.find("<<")
    cut = len(raw) if cut < 0 else cut
    reasons = ["No check digit covers the names."]
    if parsed.names.truncated:
        reasons.append("The name field is full to its last place, so names may have been cut.")
    parts = (
        ("surname", parsed.names.primary, slice(0, cut)),
        ("given_names", parsed.names.secondary, slice(cut, None)),
    )
    for name, value, where in parts:
        confidence = float(trust[where].min()) if len(trust[where]) else 1.0
        yield MrzField(name, value, raw[where], confidence, (), True, tuple(reasons))


def _state(spec: FieldSpec, raw: str, confidence: float, costs: Costs) -> MrzField:
    best, second = _state_costs(costs, spec)[:2]
    if not is_state(raw):
        reason = f"{raw.rstrip('<') or 'An empty field'} is in no list of states and organisations."
        return MrzField(spec.name, raw.rstrip("<"), raw, confidence, (), True, (reason,))
    if best[1] == raw and second[0] - best[0] >= LIST_MARGIN:
        return MrzField(spec.name, raw.rstrip("<"), raw, confidence, ("code_list",), False, ())
    other = (second if best[1] == raw else best)[1].rstrip("<")
    reason = f"The letters may also be read as {other}, which is a listed code too."
    return MrzField(spec.name, raw.rstrip("<"), raw, confidence, (), True, (reason,))


def _document_code(raw: str, confidence: float, parsed: ParsedMrz) -> MrzField:
    value = parsed.document_code
    listed = raw[0] in DOCUMENT_LETTERS and raw[1] == "<"
    if listed and confidence >= CLEAR:
        return MrzField("document_code", value, raw, confidence, ("code_list",), False, ())
    reason = "No check digit covers the document code, and its second letter is the issuer's choice."
    return MrzField("document_code", value, raw, confidence, (), True, (reason,))


def _twins(raw: str, kind: Kind, offset: int = 0) -> list[str]:
    """Phrases for characters that the check digit cannot tell from a look-alike allowed at the same place."""
    allowed = KIND_CHARACTERS[kind]
    phrases = []
    for place, character in enumerate(raw.rstrip("<")):
        others = [c for c in LOOKALIKES.get(character, "") if c in allowed]
        if others:
            phrases.append(f"{character} at place {offset + place + 1} ({' or '.join(others)}?)")
    return phrases


def _checked(spec: FieldSpec, raw: str, trust: NDArray[np.float64], parsed: ParsedMrz, check: CheckDigit) -> MrzField:
    values = {
        "document_number": parsed.document_number,
        "birth_date": parsed.birth.iso,
        "expiry_date": parsed.expiry.iso,
    }
    value = values[spec.name]
    if spec.name == "document_number" and parsed.long_number:
        raw = value
    confidence = float(trust.min())
    if not check.ok:
        reason = f"Its check digit is {check.printed} and should be {check.computed}."
        return MrzField(spec.name, value, raw, confidence, (), True, (reason,))
    reasons: list[str] = []
    twins = _twins(raw, spec.kind)
    if spec.kind != "digits" and twins:
        reasons.append(f"The check digit cannot tell look-alikes apart: {', '.join(twins)}.")
    if spec.kind == "digits" and "<" in raw and confidence < 0.99:
        reasons.append("The check digit cannot tell an unknown part (<) from 0.")
    if confidence < CLEAR:
        reasons.append(f"A character was read with a posterior of {confidence:.2f} only.")
    return MrzField(spec.name, value, raw, confidence, ("check_digit",), bool(reasons), tuple(reasons))


def _optional(
    spec: FieldSpec, raw: str, trust: NDArray[np.float64], parsed: ParsedMrz, digits: dict[str, CheckDigit]
) -> MrzField:
    value = parsed.optional_data if spec.name == "optional_data" else parsed.optional_data_2
    confidence = float(trust.min())
    check = digits.get(spec.name) or digits.get("composite")
    if not raw.strip("<"):
        clear = confidence >= CLEAR
        reasons = () if clear else ("The field looks empty, but not clearly so.",)
        return MrzField(spec.name, "", raw, confidence, ("typed",) if clear else (), not clear, reasons)
    if check is None:
        return MrzField(spec.name, value, raw, confidence, (), True, ("No check digit covers the optional data.",))
    if not check.ok:
        reason = f"The check digit that covers it is {check.printed} and should be {check.computed}."
        return MrzField(spec.name, value, raw, confidence, (), True, (reason,))
    notes = []
    twins = _twins(raw, spec.kind)
    if twins:
        notes.append(f"The check digit cannot tell look-alikes apart: {', '.join(twins)}.")
    if confidence < CLEAR:
        notes.append(f"A character was read with a posterior of {confidence:.2f} only.")
    return MrzField(spec.name, value, raw, confidence, ("check_digit",), bool(notes), tuple(notes))
