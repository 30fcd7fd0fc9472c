"""What a reading says to the policy: the findings on page, machine-readable zone and dates."""

from __future__ import annotations

from datetime import date

from samebody.document.dates import MrzDate, age_on, birth_date, expiry_date
from samebody.document.types import MrzReading, Page
from samebody.types import Finding, Outcome, Reason, Region

PHOTOGRAPH_ADVICE = "Lay the document flat, fill the picture with it, avoid reflections and hold the camera still."

CLEAR_CHARACTER = 0.9
"""Posterior of the least certain character at which a reading counts as clear. Chosen, not
calibrated (docs/adr/0071); it accepts nobody, it parts ``fail`` and ``pass`` from ``unsure``."""

MAX_AGE_YEARS = 120
MAX_VALIDITY_YEARS = 36
"""Longest validity known of a card for older holders; beyond it an expiry date is implausible."""


def page_finding(page: Page | None, mrz: MrzReading | None, milliseconds: float) -> Finding:
    """``document.page``: pass with a border seen, unsure when only the MRZ says where the page is, else fail."""
    if page is None:
        reason = Reason(
            "document.not_found", "No document was found on the photograph: neither page nor MRZ.", PHOTOGRAPH_ADVICE
        )
        return Finding("document.page", Outcome.FAIL, reasons=(reason,), milliseconds=milliseconds)
    regions = (Region("page", page.quad, "document"),)
    details = {"source": page.source, "upright": page.upright, "pixels_per_mm": round(page.pixels_per_mm, 2)}
    reasons: tuple[Reason, ...] = ()
    outcome = Outcome.PASS
    if page.source == "mrz":
        outcome = Outcome.UNSURE
        reasons = (
            Reason(
                "document.border_unseen",
                "The edges of the page were not seen; its place was continued from the machine-readable zone.",
                "Show the whole document with a little of a plain, darker background around it.",
            ),
        )
    return Finding(
        "document.page",
        outcome,
        score=round(page.confidence, 4),
        reasons=reasons,
        milliseconds=milliseconds,
        regions=regions,
        details=details,
    )


def mrz_finding(mrz: MrzReading | None, milliseconds: float, model_ids: tuple[str, ...]) -> Finding:
    """``document.mrz``: does the zone hold together, and was it read clearly enough to say so?

    Pass: every check digit agrees, and every field is confirmed or was read clearly. Fail: a check digit disagrees
    although its characters were read clearly. Unsure: not found, or too unclear to tell.
    """
    if mrz is None:
        reason = Reason(
            "document.mrz_not_found",
            "No machine-readable zone was found or it could not be read.",
            "Show the side with the lines of letters and < signs, flat, sharp, close enough and without reflections.",
        )
        return Finding(
            "document.mrz", Outcome.UNSURE, reasons=(reason,), model_ids=model_ids, milliseconds=milliseconds
        )
    reasons: list[Reason] = []
    outcome = Outcome.PASS
    wrong = [check for check in mrz.check_digits if not check.ok]
    least = min(min(row) for row in mrz.confidences)
    if wrong:
        names = ", ".join(f"{c.name} ({c.printed} printed, {c.computed} computed)" for c in wrong)
        if least >= CLEAR_CHARACTER:
            outcome = Outcome.FAIL
            reasons.append(Reason("document.check_digit", f"Check digits disagree on a clear reading: {names}."))
        else:
            outcome = Outcome.UNSURE
            reasons.append(
                Reason(
                    "document.mrz_unclear",
                    f"Check digits disagree ({names}), and a character was read with a posterior of {least:.2f} only.",
                    PHOTOGRAPH_ADVICE,
                )
            )
    doubtful = [f for f in mrz.fields.values() if f.unsure and f.confidence < CLEAR_CHARACTER]
    unlisted = [f for f in mrz.fields.values() if f.name in ("issuing_state", "nationality") and _unlisted(f.reasons)]
    if outcome is Outcome.PASS and doubtful:
        outcome = Outcome.UNSURE
        reasons.append(
            Reason(
                "document.mrz_doubtful",
                f"Not read clearly and not confirmed by anything else: {', '.join(f.name for f in doubtful)}.",
                PHOTOGRAPH_ADVICE,
            )
        )
    if outcome is Outcome.PASS and unlisted:
        outcome = Outcome.UNSURE
        named = ", ".join(f"{f.name} {f.raw}" for f in unlisted)
        reasons.append(Reason("document.unlisted_state", f"In no list of states and organisations: {named}."))
    return Finding(
        "document.mrz",
        outcome,
        score=round(least, 4),
        reasons=tuple(reasons),
        model_ids=model_ids,
        milliseconds=milliseconds,
        regions=(Region("mrz", mrz.polygon, "document"),),
        details={
            "format": str(mrz.format),
            "check_digits": {
                c.name: {"printed": c.printed, "computed": c.computed, "ok": c.ok} for c in mrz.check_digits
            },
            "unconfirmed_fields": list(mrz.unsure_fields),
            "corrected_characters": len(mrz.corrected),
            "character_height": round(mrz.character_height, 1),
        },
    )


def _unlisted(reasons: tuple[str, ...]) -> bool:
    return any("in no list" in reason for reason in reasons)


def dates_finding(mrz: MrzReading | None, today: date, milliseconds: float) -> Finding:
    """``document.dates``: is the document valid on ``today``, and are its dates possible?"""
    if mrz is None:
        reason = Reason("document.mrz_not_found", "There are no dates to check: the MRZ was not read.")
        return Finding("document.dates", Outcome.NOT_RUN, reasons=(reason,), milliseconds=milliseconds)
    birth = birth_date(mrz.fields["birth_date"].raw, today)
    expiry = expiry_date(mrz.fields["expiry_date"].raw, today)
    trusted = {check.name: check.ok for check in mrz.check_digits}
    untrusted = [name for name in ("birth_date", "expiry_date") if not trusted.get(name, True)]
    reasons = [*_implausible(birth, expiry, today), *_expired(expiry, today)]
    outcome = Outcome.FAIL if reasons else Outcome.PASS
    if untrusted:
        outcome = Outcome.UNSURE
        named = " and ".join(name.replace("_", " ") for name in untrusted)
        reasons.insert(
            0, Reason("document.date_unclear", f"The check digit of the {named} disagrees.", PHOTOGRAPH_ADVICE)
        )
    return Finding(
        "document.dates",
        outcome,
        reasons=tuple(reasons),
        milliseconds=milliseconds,
        details={
            "birth_date": birth.iso,
            "expiry_date": expiry.iso,
            "age": age_on(birth, today),
            "read_on": today.isoformat(),
        },
    )


def _expired(expiry: MrzDate, today: date) -> list[Reason]:
    latest = expiry.latest
    if latest is None or latest >= today:
        return []
    return [
        Reason(
            "document.expired",
            f"The document expired on {expiry.iso}; it was read on {today.isoformat()}.",
            "Use a document that is still valid.",
        )
    ]


def _implausible(birth: MrzDate, expiry: MrzDate, today: date) -> list[Reason]:
    reasons: list[Reason] = []
    for name, value in (("birth", birth), ("expiry", expiry)):
        if value.problem:
            reasons.append(
                Reason("document.date_impossible", f"The date of {name} {value.raw} is impossible: {value.problem}.")
            )
    born, ends = birth.earliest, expiry.latest
    if born is not None and ends is not None and ends <= born:
        reasons.append(
            Reason(
                "document.date_order", f"The document expires ({expiry.iso}) before the holder is born ({birth.iso})."
            )
        )
    if ends is not None and ends.year - today.year > MAX_VALIDITY_YEARS:
        reasons.append(
            Reason("document.expiry_implausible", f"Valid until {expiry.iso}: longer than {MAX_VALIDITY_YEARS} years.")
        )
    age = age_on(birth, today)
    if age is not None and age > MAX_AGE_YEARS:
        reasons.append(Reason("document.birth_implausible", f"Born {birth.iso}: older than {MAX_AGE_YEARS} years."))
    return reasons
