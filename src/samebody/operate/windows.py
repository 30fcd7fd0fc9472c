"""What the checks found in a window of time, as arrays: one row a case, of its first attempt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from samebody.operate.errors import WindowError
from samebody.store.schema import FindingRow, VerdictRow

ABSENT = "absent"
"""The outcome of a check that a case has no finding of."""
DECISION = "decision"
"""The name under which the decisions of the cases are watched like a check without a score."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckData:
    """What one check said in a window.

    Attributes:
        scores: (k,) float64, sorted; of the findings that have a finite one.
        outcomes: how many cases by outcome; sums to the window's cases, :data:`ABSENT` included.
    """

    scores: NDArray[np.float64]
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class WindowData:
    """A window of time.

    Attributes:
        start, end: verdicts written from ``start`` on and before ``end``.
        cases: cases whose first verdict falls in the window.
        checks: by name, with :data:`DECISION`.
        policies: cases by ``id@version`` of the policy; ``models``: cases by model id. What changed tells why.
    """

    start: datetime
    end: datetime
    cases: int
    checks: Mapping[str, CheckData]
    policies: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, int] = field(default_factory=dict)


def read_window(tx: Session, tenant: str, start: datetime, end: datetime) -> WindowData:
    """The findings of the cases that were first decided in a window.

    A case counts once, with its first attempt: a person who tries again would count twice, and tests that take cases
    for independent would raise alarms about nobody.

    Raises:
        WindowError: the window is empty.
    """
    if not start < end:
        raise WindowError("a window ends after it starts.")
    first = (
        select(VerdictRow.case_id, func.min(VerdictRow.attempt).label("attempt"))
        .where(VerdictRow.tenant == tenant)
        .group_by(VerdictRow.case_id)
        .subquery()
    )
    same = (VerdictRow.case_id == first.c.case_id) & (VerdictRow.attempt == first.c.attempt)
    inside = (VerdictRow.tenant == tenant, VerdictRow.created >= start, VerdictRow.created < end)
    verdicts = tx.execute(
        select(VerdictRow.decision, VerdictRow.policy_id, VerdictRow.policy_version, VerdictRow.model_ids)
        .join(first, same)
        .where(*inside)
    ).all()
    found = tx.execute(
        select(FindingRow.check, FindingRow.outcome, FindingRow.score)
        .join(
            VerdictRow,
            (VerdictRow.tenant == FindingRow.tenant)
            & (VerdictRow.case_id == FindingRow.case_id)
            & (VerdictRow.attempt == FindingRow.attempt),
        )
        .join(first, same)
        .where(*inside)
    )
    scores: dict[str, list[float]] = {}
    outcomes: dict[str, Counter[str]] = {}
    for check, outcome, score in found:
        outcomes.setdefault(check, Counter())[outcome] += 1
        if score is not None and np.isfinite(score):
            scores.setdefault(check, []).append(score)
    cases = len(verdicts)
    checks = {
        check: CheckData(np.sort(np.array(scores.get(check, ()), np.float64)), _with_absent(counts, cases))
        for check, counts in sorted(outcomes.items())
    }
    if cases:
        checks[DECISION] = CheckData(np.empty(0), dict(Counter(row.decision for row in verdicts)))
    return WindowData(
        start,
        end,
        cases,
        checks,
        dict(sorted(Counter(f"{row.policy_id}@{row.policy_version}" for row in verdicts).items())),
        dict(sorted(Counter(model for row in verdicts for model in row.model_ids).items())),
    )


def _with_absent(counts: Counter[str], cases: int) -> dict[str, int]:
    missing = cases - counts.total()
    return {**counts, ABSENT: missing} if missing > 0 else dict(counts)
