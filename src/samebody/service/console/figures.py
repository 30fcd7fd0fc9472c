"""Live figures of a tenant: volumes, outcomes, abstentions, times, alarms, cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from samebody.store.schema import AuditEventRow, FindingRow, SessionRow, VerdictRow

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
        seconds_by_day: their median and 90 % quantile; None on days without one.
        abstained: share of the findings of a day that were unsure or not run, 0-1; None on days without any.
    """

    days: tuple[date, ...]
    created: tuple[int, ...]
    decided: Mapping[str, tuple[int, ...]]
    checks: Mapping[str, Mapping[str, int]]
    seconds: tuple[float, ...]
    seconds_by_day: Mapping[str, tuple[float | None, ...]]
    abstained: tuple[float | None, ...]

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
    timed = [
        (made.date(), (made - sent).total_seconds()) for made, _, sent in rows if sent is not None and sent <= made
    ]
    by_day: dict[date, list[float]] = {}
    for day, each in timed:
        by_day.setdefault(day, []).append(each)
    query = (
        select(FindingRow.check, FindingRow.outcome, func.count())
        .join(VerdictRow, _same_verdict())
        .where(FindingRow.tenant == tenant, VerdictRow.created >= first)
        .group_by(FindingRow.check, FindingRow.outcome)
    )
    checks: dict[str, dict[str, int]] = {}
    for check, outcome, count in tx.execute(query):
        checks.setdefault(check, {})[outcome] = count
    said: dict[str, Counter[str]] = {}
    daily = (
        select(func.date(VerdictRow.created), FindingRow.outcome, func.count())
        .join(VerdictRow, _same_verdict())
        .where(FindingRow.tenant == tenant, VerdictRow.created >= first)
        .group_by(func.date(VerdictRow.created), FindingRow.outcome)
    )
    for day, outcome, count in tx.execute(daily):  # a text on SQLite, a date on PostgreSQL
        said.setdefault(str(day), Counter())[outcome] += count
    return Figures(
        dates,
        tuple(created[day] for day in dates),
        {name: tuple(decided[day, name] for day in dates) for name in DECISIONS},
        dict(sorted(checks.items())),
        tuple(each for _, each in timed),
        {
            name: tuple(float(np.quantile(by_day[day], share)) if day in by_day else None for day in dates)
            for name, share in (("median", 0.5), ("slow", 0.9))
        },
        tuple(_abstained(said.get(day.isoformat())) for day in dates),
    )


def _same_verdict() -> ColumnElement[bool]:
    return (
        (VerdictRow.tenant == FindingRow.tenant)
        & (VerdictRow.case_id == FindingRow.case_id)
        & (VerdictRow.attempt == FindingRow.attempt)
    )


def _abstained(counts: Counter[str] | None) -> float | None:
    return None if not counts else (counts["unsure"] + counts["not_run"]) / counts.total()


def drift_events(tx: Session, tenant: str, since: datetime) -> tuple[str | None, list[dict[str, Any]]]:
    """When drift was looked for last, and the alarms since a time, newest first; from the audit log."""
    query = select(AuditEventRow).filter_by(tenant=tenant).order_by(AuditEventRow.sequence.desc())
    watched = tx.scalars(query.filter_by(action="drift.watched").limit(1)).one_or_none()
    rows = tx.scalars(query.filter_by(action="drift.alarmed", kind="check").limit(50)).all()
    alarms = [
        {"at": row.at, "check": row.object, **json.loads(row.details)}
        for row in rows
        if datetime.fromisoformat(row.at) >= since
    ]
    return (watched.at if watched is not None else None), alarms
