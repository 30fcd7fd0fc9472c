"""Hold the machine-readable zone against the visual zone, field by field: confirm what is unsure, name what differs.

A document says the same thing twice. Where the two readings agree, characters that no check digit can tell apart
(G/6, S/8, L/1 ...) are confirmed; where both are clear and differ by more than a misread character, one was changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from samebody.document.icao9303 import check_digit
from samebody.document.text_match import (
    differs_only_by_confusion,
    differs_only_by_lost_marks,
    distance,
    letters_and_digits,
    similarity,
    transliterations,
)
from samebody.document.types import MrzField, MrzReading
from samebody.document.visual_fields import VisualField, VisualZone
from samebody.types import Box, Finding, Outcome, Reason, Region

CHECK = "document.consistency"

COMPARED = (
    "surname",
    "given_names",
    "document_number",
    "birth_date",
    "expiry_date",
    "sex",
    "nationality",
    "issuing_state",
)
"""Fields that both zones of a travel document hold (Doc 9303-4, -5, -6)."""

SURE = 0.80
"""Posterior of the least certain character above which a visual reading counts as clear: the recogniser's own
calibration; see docs/adr/0080. It accepts nobody: it only parts ``fail`` from ``unsure``."""

WORDS = {
    "surname": "surname",
    "given_names": "given names",
    "document_number": "document number",
    "birth_date": "date of birth",
    "expiry_date": "date of expiry",
    "sex": "sex",
    "nationality": "nationality",
    "issuing_state": "issuing state",
}


class Agreement(StrEnum):
    """How the two readings of one field stand to each other."""

    AGREE = "agree"
    CONFUSABLE = "agree_but_for_confusable_characters"
    UNSURE = "unsure"
    DISAGREE = "disagree"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """One field held against itself.

    Attributes:
        name: field name.
        agreement: the result.
        mrz, visual: both values; ``visual`` is empty when not found.
        confidence: 0-1, the less certain of the two readings.
        edits: weighted edit distance between the two (confusable substitution 0.35, other edits 1); for dates the
            number of digits that differ.
        resolved: the MRZ's raw characters as the visual zone confirms or corrects them; None when it does neither.
    """

    name: str
    agreement: Agreement
    mrz: str
    visual: str
    confidence: float
    edits: float = 0.0
    resolved: str | None = None


def cross_check(mrz: MrzReading, visual_zone: VisualZone) -> tuple[Finding, MrzReading]:
    """Compare the two zones field by field.

    Returns:
        The finding ``document.consistency`` and the MRZ reading with confirmed fields marked (``visual_zone`` in
        ``confirmed_by``, ``unsure`` cleared). The outcome is ``fail`` when a field differs although both readings are
        clear, ``pass`` when at least two fields agree and none is in doubt, ``unsure`` otherwise.
    """
    started = time.perf_counter()
    comparisons = [
        compare_field(entry, visual_zone.fields.get(name)) for name in COMPARED if (entry := mrz.fields.get(name))
    ]
    updated = _confirm(mrz, comparisons)
    by_kind: dict[Agreement, list[FieldComparison]] = {kind: [] for kind in Agreement}
    for comparison in comparisons:
        by_kind[comparison.agreement].append(comparison)
    agreeing = len(by_kind[Agreement.AGREE]) + len(by_kind[Agreement.CONFUSABLE])
    reasons = [_disagreement(c) for c in by_kind[Agreement.DISAGREE]]
    reasons += [_doubt(c) for c in by_kind[Agreement.UNSURE]]
    if by_kind[Agreement.DISAGREE]:
        outcome = Outcome.FAIL
    elif by_kind[Agreement.UNSURE]:
        outcome = Outcome.UNSURE
    elif agreeing >= 2:
        outcome = Outcome.PASS
    else:
        outcome = Outcome.UNSURE
        reasons.append(
            Reason(
                "document.visual_zone_unread",
                f"Only {agreeing} of {len(comparisons)} fields could be read in the visual zone as well; 2 are needed.",
                "Photograph the whole page in even light, close enough that small print is sharp.",
            )
        )
    regions = tuple(
        _region(c.name, visual_zone.fields[c.name].box)
        for c in comparisons
        if c.agreement in (Agreement.DISAGREE, Agreement.UNSURE) and c.name in visual_zone.fields
    )
    finding = Finding(
        check=CHECK,
        outcome=outcome,
        score=round(agreeing / len(comparisons), 4) if comparisons else None,
        reasons=tuple(reasons),
        milliseconds=(time.perf_counter() - started) * 1000,
        regions=regions,
        details={
            "fields": {
                c.name: {
                    "agreement": str(c.agreement),
                    "mrz": c.mrz,
                    "visual_zone": c.visual,
                    "confidence": round(c.confidence, 4),
                    "edits": round(c.edits, 2),
                    "basis": visual_zone.fields[c.name].basis if c.name in visual_zone.fields else None,
                }
                for c in comparisons
            },
            "agreeing": agreeing,
            "lines_read": len(visual_zone.lines),
        },
    )
    return finding, updated


def compare_field(mrz: MrzField, visual: VisualField | None) -> FieldComparison:
    """One field of the MRZ against the same field of the visual zone (None: not found)."""
    if visual is None or not mrz.value:
        return FieldComparison(mrz.name, Agreement.NOT_FOUND, mrz.value, visual.value if visual else "", 0.0)
    if mrz.name in ("birth_date", "expiry_date"):
        return _compare_dates(mrz, visual)
    if mrz.name in ("surname", "given_names"):
        return _compare_names(mrz, visual)
    if mrz.name == "document_number":
        return _compare_numbers(mrz, visual)
    if mrz.name == "sex":
        same = mrz.value == visual.value
        kind = Agreement.AGREE if same else _differ(mrz, visual)
        return _result(mrz, visual, kind, 0.0 if same else 1.0, mrz.raw if same else None)
    return _compare_codes(mrz, visual)


def _compare_dates(mrz: MrzField, visual: VisualField) -> FieldComparison:
    readings = (visual.value, *visual.alternatives)
    matching = next((r for r in readings if _date_fits(r, mrz.value)), None)
    if matching:
        return _result(mrz, visual, Agreement.AGREE, 0.0, mrz.raw, shown=matching)
    differing = min(sum(a != b for a, b in zip(r, mrz.value)) for r in readings)
    kind = _differ(mrz, visual)
    # A date has no redundancy: one misread digit gives another date. Only clear characters may accuse.
    digits_confusable = any(differs_only_by_confusion(r, mrz.value) for r in readings)
    if digits_confusable and min(visual.confidence, mrz.confidence) < 0.95:
        kind = Agreement.UNSURE
    return _result(mrz, visual, kind, float(differing))


def _compare_names(mrz: MrzField, visual: VisualField) -> FieldComparison:
    wanted = letters_and_digits(mrz.value)
    # A field without a filler at its end may have been cut (Doc 9303-4 clause 4.2.3).
    cut_short = len(wanted) >= 15 or (mrz.name == "given_names" and not mrz.raw.endswith("<"))
    cut = [form[: len(wanted)] if cut_short else form for form in transliterations(visual.value)]
    edits, form = min((distance(form, wanted), form) for form in cut) if cut else (float(len(wanted)), "")
    if edits == 0:
        return _result(mrz, visual, Agreement.AGREE, 0.0, mrz.raw)
    if differs_only_by_confusion(form, wanted) or any(differs_only_by_lost_marks(form, wanted) for form in cut):
        # A clear visual reading in letters settles which of two look-alike letters the MRZ has.
        return _result(mrz, visual, Agreement.CONFUSABLE, edits)
    if similarity(form, wanted) >= 0.75 or visual.basis == "remainder":
        return _result(mrz, visual, Agreement.UNSURE, edits)
    return _result(mrz, visual, _differ(mrz, visual), edits)


def _compare_numbers(mrz: MrzField, visual: VisualField) -> FieldComparison:
    wanted, said = letters_and_digits(mrz.value), letters_and_digits(visual.value)
    edits = distance(said, wanted)
    if edits == 0:
        return _result(mrz, visual, Agreement.AGREE, 0.0, mrz.raw)
    if "check_digit" in mrz.confirmed_by and _check_digit_refutes(said, wanted):
        # The places that differ are settled by the check digit, and all others by the visual zone.
        return _result(mrz, visual, Agreement.CONFUSABLE, edits, mrz.raw)
    if differs_only_by_confusion(said, wanted):
        # A clear second reading that differs is a doubt about the MRZ; an unclear one says nothing against it.
        confirmed = "check_digit" in mrz.confirmed_by and (not mrz.unsure or visual.confidence < SURE)
        return _result(mrz, visual, Agreement.CONFUSABLE if confirmed else Agreement.UNSURE, edits)
    if abs(len(said) - len(wanted)) > 2 and wanted not in said:
        # Another number under the label (a serial number, a personal number) is no contradiction.
        return _result(mrz, visual, Agreement.NOT_FOUND, edits)
    if len(said) != len(wanted) or edits < 1:
        return _result(mrz, visual, Agreement.UNSURE, edits)
    return _result(mrz, visual, _differ(mrz, visual), edits)


def _check_digit_refutes(said: str, wanted: str) -> bool:
    """Whether ``said`` is ``wanted`` but for look-alikes (O and 0, I and 1 ...) that the check digit tells apart.

    The check digit is right for ``wanted``; it must be wrong for each of the look-alikes alone, and for all together.
    """
    if not differs_only_by_confusion(said, wanted):
        return False
    swaps = [wanted[:place] + one + wanted[place + 1 :] for place, one in enumerate(said) if one != wanted[place]]
    return all(check_digit(other) != check_digit(wanted) for other in (*swaps, said))


def _compare_codes(mrz: MrzField, visual: VisualField) -> FieldComparison:
    wanted, said = letters_and_digits(mrz.value), letters_and_digits(visual.value)
    if said == wanted:
        return _result(mrz, visual, Agreement.AGREE, 0.0, mrz.raw)
    if len(said) == 3 and len(wanted) == 3 and not differs_only_by_confusion(said, wanted):
        # A printed word of three letters may be anything; two codes that differ are for a person to look at.
        return _result(mrz, visual, Agreement.UNSURE, distance(said, wanted))
    return _result(mrz, visual, Agreement.NOT_FOUND, distance(said, wanted))


def _differ(mrz: MrzField, visual: VisualField) -> Agreement:
    """Two values that differ: an accusation only when both readings are clear and the field is the right one."""
    sure = visual.confidence >= SURE and not mrz.unsure and mrz.confidence >= SURE
    mrz_stands = sure or (visual.confidence >= SURE and "check_digit" in mrz.confirmed_by)
    # A value found only because it resembles the MRZ's, or because no other was left, may be another field, unless it
    # is a number of the very form.
    by_form = visual.basis == "mrz" and mrz.name == "document_number" and visual.confidence >= 0.9
    right_field = visual.basis in ("label", "both") or by_form
    return Agreement.DISAGREE if mrz_stands and right_field else Agreement.UNSURE


def _result(
    mrz: MrzField,
    visual: VisualField,
    agreement: Agreement,
    edits: float,
    resolved: str | None = None,
    shown: str | None = None,
) -> FieldComparison:
    confidence = min(mrz.confidence, visual.confidence)
    return FieldComparison(mrz.name, agreement, mrz.value, shown or visual.value, confidence, edits, resolved)


def _date_fits(value: str, expected: str) -> bool:
    return len(value) == len(expected) and all(e in ("X", v) for v, e in zip(value, expected))


def _confirm(mrz: MrzReading, comparisons: list[FieldComparison]) -> MrzReading:
    fields: dict[str, MrzField] = dict(mrz.fields)
    for comparison in comparisons:
        if comparison.resolved is not None:
            entry = fields[comparison.name]
            confirmed = tuple(dict.fromkeys((*entry.confirmed_by, "visual_zone")))
            fields[comparison.name] = replace(entry, confirmed_by=confirmed, unsure=False, reasons=())
        elif comparison.agreement in (Agreement.DISAGREE, Agreement.UNSURE):
            entry = fields[comparison.name]
            note = f"The visual zone reads differently ({WORDS[comparison.name]})."
            fields[comparison.name] = replace(entry, unsure=True, reasons=(*entry.reasons, note))
    return replace(mrz, fields=fields)


def _disagreement(comparison: FieldComparison) -> Reason:
    word = WORDS[comparison.name]
    return Reason(
        f"document.{comparison.name}_disagrees",
        f"The {word} in the visual zone is not the {word} in the machine-readable zone, and both are read clearly "
        f"(least certain character {comparison.confidence:.2f}, at least {SURE:.2f} needed).",
        "Use the original document; if it is the original, ask the issuing office about the difference.",
    )


def _doubt(comparison: FieldComparison) -> Reason:
    word = WORDS[comparison.name]
    return Reason(
        f"document.{comparison.name}_unclear",
        f"The {word} reads differently in the two zones, but not clearly enough to tell a change from a misreading "
        f"(least certain character {comparison.confidence:.2f}).",
        "Photograph the page again, closer, in even light and without reflections.",
    )


def _region(name: str, box: Box) -> Region:
    return Region(name, box.corners(), "page")


def agreements(finding: Finding) -> Mapping[str, str]:
    """Field name to agreement, from a ``document.consistency`` finding."""
    return {name: entry["agreement"] for name, entry in finding.details.get("fields", {}).items()}
