"""Live figures of a tenant: volumes, outcomes, abstentions, times; and their plots as SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from markupsafe import Markup, escape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from samebody.store.schema import FindingRow, SessionRow, VerdictRow

DECISIONS = ("accept", "review", "retry", "reject")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the last days.

    Attributes:
        days: the dates, oldest first; ``created`` and ``decided`` have one entry for each.
        created: sessions created.
        decided: verdicts by decision.
        checks: of each check: how often it passed, failed, was unsure, was not run.
        seconds: from the last submission to the verdict, of verdicts whose session was not submitted again.
    """

    days: tuple[date, ...]
    created: tuple[int, ...]
    decided: Mapping[str, tuple[int, ...]]
    checks: Mapping[str, Mapping[str, int]]
    seconds: tuple[float, ...]

    def quantile(self, share: float) -> float | None:
        """Of :attr:`seconds`; None when there are none."""
        return float(np.quantile(self.seconds, share)) if self.seconds else None


def figures(tx: Session, tenant: str, now: datetime, days: int = 30) -> Figures:
    """The figures of the last ``days`` days, today included."""
    first = (now - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    dates = tuple((first + timedelta(days=index)).date() for index in range(days))
    created = Counter(
        each.date()
        for each in tx.scalars(
            select(SessionRow.created).where(SessionRow.tenant == tenant, SessionRow.created >= first)
        )
    )
    rows = tx.execute(
        select(VerdictRow.created, VerdictRow.decision, SessionRow.submitted)
        .join(SessionRow, (SessionRow.tenant == VerdictRow.tenant) & (SessionRow.case_id == VerdictRow.case_id))
        .where(VerdictRow.tenant == tenant, VerdictRow.created >= first)
    ).all()
    decided = Counter((made.date(), decision) for made, decision, _ in rows)
    seconds = [(made - sent).total_seconds() for made, _, sent in rows if sent is not None and sent <= made]
    query = (
        select(FindingRow.check, FindingRow.outcome, func.count())
        .join(
            VerdictRow,
            (VerdictRow.tenant == FindingRow.tenant)
            & (VerdictRow.case_id == FindingRow.case_id)
            & (VerdictRow.attempt == FindingRow.attempt),
        )
        .where(FindingRow.tenant == tenant, VerdictRow.created >= first)
        .group_by(FindingRow.check, FindingRow.outcome)
    )
    checks: dict[str, dict[str, int]] = {}
    for check, outcome, count in tx.execute(query):
        checks.setdefault(check, {})[outcome] = count
    return Figures(
        dates,
        tuple(created[day] for day in dates),
        {name: tuple(decided[day, name] for day in dates) for name in DECISIONS},
        dict(sorted(checks.items())),
        tuple(seconds),
    )


def stacked_bars(days: Sequence[date], series: Mapping[str, Sequence[int]], title: str) -> Markup:
    """A bar for each day, its parts by name, with a text for each part; legend above."""
    width, height, base, left = 720.0, 190.0, 160.0, 34.0
    totals = [sum(values[index] for values in series.values()) for index in range(len(days))]
    top = max([*totals, 1])
    step = (width - left - 6) / len(days)
    parts = [f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">']
    parts.append(f'<text x="{left - 6:g}" y="24" class="tick end">{top}</text>')
    parts.append(f'<text x="{left - 6:g}" y="{base:g}" class="tick end">0</text>')
    parts.append(f'<line x1="{left:g}" y1="{base:g}" x2="{width:g}" y2="{base:g}" class="axis"/>')
    for index, day in enumerate(days):
        y = base
        for name, values in series.items():
            if not values[index]:
                continue
            tall = (base - 20) * values[index] / top
            y -= tall
            told = f"{day}: {values[index]} {escape(name)}"
            parts.append(
                f'<rect x="{left + index * step + 1:.1f}" y="{y:.1f}" width="{max(1.0, step - 2):.1f}" '
                f'height="{tall:.1f}" class="bar {escape(name)}"><title>{told}</title></rect>'
            )
        if index % 7 == 0:
            parts.append(f'<text x="{left + index * step:.1f}" y="{base + 16:g}" class="tick">{day:%d %b}</text>')
    parts.append("</svg>")
    return Markup("".join(parts))
