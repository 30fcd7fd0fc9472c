"""Dates of a machine-readable zone: two-digit years, unknown parts, plausibility against a reading date.

The century of a two-digit year is not in the zone. Our rule: a birth date is the latest one that is not after the
reading date (so holders are taken to be under 100); an expiry date lies within 50 years before and 49 years after
the reading date's year.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date

EXPIRY_YEARS_BACK = 50


@dataclass(frozen=True, slots=True)
class MrzDate:
    """A date as printed, with its century filled in.

    Attributes:
        raw: six characters, ``YYMMDD``; unknown parts are fillers (Doc 9303-3 clause 4.8).
        year, month, day: None where unknown or impossible; ``year`` has four digits.
        problem: why the characters are no date, one phrase; empty when they are one.
    """

    raw: str
    year: int | None
    month: int | None
    day: int | None
    problem: str = ""

    @property
    def complete(self) -> bool:
        """All three parts known and possible."""
        return not self.problem and None not in (self.year, self.month, self.day)

    @property
    def iso(self) -> str:
        """``YYYY-MM-DD`` with ``X`` for unknown digits; the raw characters when they are no date."""
        if self.problem:
            return self.raw
        year = f"{self.year:04d}" if self.year is not None else "XXXX"
        month = f"{self.month:02d}" if self.month is not None else "XX"
        day = f"{self.day:02d}" if self.day is not None else "XX"
        return f"{year}-{month}-{day}"

    @property
    def earliest(self) -> date | None:
        """First day the date can mean; None when the year is unknown or it is no date."""
        if self.problem or self.year is None:
            return None
        return date(self.year, self.month or 1, self.day or 1)

    @property
    def latest(self) -> date | None:
        """Last day the date can mean; None when the year is unknown or it is no date."""
        if self.problem or self.year is None:
            return None
        month = self.month or 12
        return date(self.year, month, self.day or calendar.monthrange(self.year, month)[1])


def _parts(raw: str) -> tuple[int | None, int | None, int | None, str]:
    numbers: list[int | None] = []
    for start in (0, 2, 4):
        part = raw[start : start + 2]
        if part == "<<":
            numbers.append(None)
        elif part.isascii() and part.isdigit():
            numbers.append(int(part))
        else:
            return None, None, None, f"{part!r} is neither two digits nor unknown"
    year, month, day = numbers
    if month is not None and not 1 <= month <= 12:
        return year, month, day, f"there is no month {month}"
    if day is not None and not 1 <= day <= 31:
        return year, month, day, f"there is no day {day}"
    return year, month, day, ""


def _finish(raw: str, year: int | None, month: int | None, day: int | None) -> MrzDate:
    if month is not None and day is not None:
        days = calendar.monthrange(year if year is not None else 2000, month)[1]
        if day > days:
            return MrzDate(raw, year, month, day, f"month {month} has no day {day}")
    return MrzDate(raw, year, month, day)


def birth_date(raw: str, today: date) -> MrzDate:
    """Read ``YYMMDD`` as a birth date: the latest date that is not after ``today``.

    Unknown parts count as early as they can, so a child born this year in an unknown month is not made a centenarian.
    """
    short, month, day, problem = _parts(raw)
    if problem:
        return MrzDate(raw, None, month, day, problem)
    if short is None:
        return _finish(raw, None, month, day)
    year = today.year - today.year % 100 + short
    if (year, month or 1, day or 1) > (today.year, today.month, today.day):
        year -= 100
    return _finish(raw, year, month, day)


def expiry_date(raw: str, today: date) -> MrzDate:
    """Read ``YYMMDD`` as an expiry date, within 50 years before and 49 years after the year of ``today``."""
    short, month, day, problem = _parts(raw)
    if problem:
        return MrzDate(raw, None, month, day, problem)
    if short is None:
        return _finish(raw, None, month, day)
    first = today.year - EXPIRY_YEARS_BACK
    year = first + (short - first) % 100
    return _finish(raw, year, month, day)


def age_on(birth: MrzDate, today: date) -> int | None:
    """Full years lived on ``today``, the least that unknown parts allow; None when the year is unknown."""
    latest = birth.latest
    if latest is None:
        return None
    return today.year - latest.year - ((today.month, today.day) < (latest.month, latest.day))
