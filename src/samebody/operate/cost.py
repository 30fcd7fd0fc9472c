"""What 1,000 verifications cost, from measured rates and stated prices.

    cost of a case = start + attempts * attempt + compute seconds * second + opinions * minutes * minute
                     + messages * message + samples kept (MB) * days kept * MB day

Everything but the prices, and the minutes that a review takes, is counted in the store. The interval is a percentile
bootstrap over cases (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993): attempts and reviews of a case
stay together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from samebody.operate.errors import NothingToDoError, PricesInvalidError
from samebody.operate.limits import read_mapping
from samebody.store.schema import CaseRow, MediaRow, OutboxRow, ReviewRow, SessionRow, VerdictRow

ITEMS = ("start", "attempts", "compute", "reviews", "messages", "storage")


@dataclass(frozen=True, slots=True)
class Prices:
    """Stated prices, all in one currency, 0 or more.

    Attributes:
        currency: for print.
        start: of each case, whatever happens (a licence, a message with the link).
        attempt: of each submission that was worked on.
        compute_second: of a second of a worker. Verifying takes ``cores`` while it lasts: state it for all of them.
        review_minute: of a reviewer; ``minutes_per_review``: how long one opinion takes. Not measured by the service.
        message: of a webhook message.
        megabyte_day: of keeping a megabyte of samples for a day.
    """

    currency: str = "EUR"
    start: float = 0.0
    attempt: float = 0.0
    compute_second: float = 0.0
    review_minute: float = 0.0
    minutes_per_review: float = 3.0
    message: float = 0.0
    megabyte_day: float = 0.0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Prices:
        """From the values of a file.

        Raises:
            PricesInvalidError: an unknown name, or a value that is no price; a file that states no price at all.
        """
        known = [each.name for each in fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise PricesInvalidError(f"there is no price {name!r}.", hint=f"Known: {', '.join(known)}.")
            if name == "currency":
                if not (isinstance(value, str) and 0 < len(value) <= 8 and value.isprintable()):
                    raise PricesInvalidError("the currency is a short text.", hint="Write: currency: EUR")
            elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise PricesInvalidError(f"{name} is a number, 0 or more.")
        if not {*values} - {"currency", "minutes_per_review"}:
            raise PricesInvalidError("the file states no price.", hint=f"Known: {', '.join(known)}.")
        return cls(**values)


def read_prices(path: Path) -> Prices:
    """Prices from a YAML file.

    Raises:
        PricesInvalidError.
    """
    return Prices.of(read_mapping(path, PricesInvalidError))


@dataclass(frozen=True, slots=True)
class Cost:
    """What verifications cost.

    Attributes:
        cases: created in the window and concluded at least once; each counts as one verification.
        per_thousand: cost of 1,000 of them; ``interval`` at 95 %, over cases. ``items``: its parts.
        per_accepted: of 1,000 that ended in accept, all others' cost on top; None without one.
        rates: measured, by case: attempts, reviews, messages, megabytes (of samples not deleted yet), compute seconds;
            and the share of each outcome.
        untimed: cases with an attempt that has no measured time; they count with what is known.
    """

    cases: int
    currency: str
    per_thousand: float
    interval: tuple[float, float]
    items: Mapping[str, float]
    per_accepted: float | None
    rates: Mapping[str, float]
    untimed: int
    prices: Prices

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"schema_version": "1.0", **asdict(self)}


def cost(
    tx: Session, tenant: str, prices: Prices, *, now: datetime, days: float = 30.0, replicates: int = 2000
) -> Cost:
    """The cost of the cases of the last days.

    Args:
        replicates: of the bootstrap; its seed is fixed.

    Raises:
        NothingToDoError: no case was concluded.
    """
    inside = (CaseRow.tenant == tenant, CaseRow.created >= now - timedelta(days=days), CaseRow.created < now)
    kept = {
        row.id: ((row.media_deleted or row.media_expires) - row.created).total_seconds() / 86_400
        for row in tx.scalars(select(CaseRow).where(*inside))
    }
    attempts: dict[str, int] = dict.fromkeys(kept, 0)
    seconds: dict[str, float] = dict.fromkeys(kept, 0.0)
    last: dict[str, tuple[int, str]] = {}
    untimed = set()
    for row in tx.scalars(select(VerdictRow).join(CaseRow, _same(VerdictRow)).where(*inside)):
        attempts[row.case_id] += 1
        last[row.case_id] = max(last.get(row.case_id, (0, "")), (row.attempt, row.decision))
        total = row.timings.get("total")
        if isinstance(total, int | float):
            seconds[row.case_id] += total / 1000
        else:
            untimed.add(row.case_id)
    names = sorted(last)
    if not names:
        raise NothingToDoError("no case was concluded in that time.", hint="Take more days.")
    outcomes = {name: decision for name, (_, decision) in last.items()}
    for case_id, state in tx.execute(
        select(SessionRow.case_id, SessionRow.state).join(CaseRow, _same(SessionRow)).where(*inside)
    ):
        if case_id in outcomes and state in ("accepted", "rejected"):  # what a reviewer made of it
            outcomes[case_id] = "accept" if state == "accepted" else "reject"
    reviews = _by_case(
        tx,
        select(ReviewRow.case_id, func.count())
        .join(CaseRow, _same(ReviewRow))
        .where(*inside)
        .group_by(ReviewRow.case_id),
    )
    messages = _by_case(
        tx,
        select(SessionRow.case_id, func.count())
        .join(OutboxRow, (OutboxRow.tenant == SessionRow.tenant) & (OutboxRow.session_id == SessionRow.id))
        .join(CaseRow, _same(SessionRow))
        .where(*inside)
        .group_by(SessionRow.case_id),
    )
    sizes = _by_case(
        tx,
        select(MediaRow.case_id, func.sum(MediaRow.size))
        .join(CaseRow, _same(MediaRow))
        .where(*inside)
        .group_by(MediaRow.case_id),
    )
    measured = {
        "attempts": _column(attempts, names),
        "compute_seconds": _column(seconds, names),
        "reviews": _column(reviews, names),
        "messages": _column(messages, names),
        "megabytes": _column(sizes, names) / 1e6,
    }
    parts = np.column_stack(
        [
            np.full(len(names), prices.start),
            measured["attempts"] * prices.attempt,
            measured["compute_seconds"] * prices.compute_second,
            measured["reviews"] * prices.minutes_per_review * prices.review_minute,
            measured["messages"] * prices.message,
            measured["megabytes"] * _column(kept, names) * prices.megabyte_day,
        ]
    )
    each = parts.sum(axis=1)
    accepted = sum(outcomes[name] == "accept" for name in names)
    shares = {
        name: sum(found == name for found in outcomes.values()) / len(names) for name in sorted({*outcomes.values()})
    }
    return Cost(
        cases=len(names),
        currency=prices.currency,
        per_thousand=1000 * float(each.mean()),
        interval=_interval(each, replicates),
        items=dict(zip(ITEMS, (1000 * parts.mean(axis=0)).tolist(), strict=True)),
        per_accepted=1000 * float(each.sum()) / accepted if accepted else None,
        rates={**{name: float(values.mean()) for name, values in measured.items()}, **shares},
        untimed=len(untimed),
        prices=prices,
    )


def _same(row: type[VerdictRow] | type[SessionRow] | type[MediaRow] | type[ReviewRow]) -> Any:
    return (row.tenant == CaseRow.tenant) & (row.case_id == CaseRow.id)


def _by_case(tx: Session, query: Any) -> dict[str, float]:
    return {case_id: float(figure) for case_id, figure in tx.execute(query)}


def _column(values: Mapping[Any, Any], names: list[str]) -> NDArray[np.float64]:
    return np.array([values.get(name, 0) for name in names], np.float64)


def _interval(each: NDArray[np.float64], replicates: int) -> tuple[float, float]:
    random = np.random.default_rng(20260301)
    means = [1000 * float(each[random.integers(0, len(each), len(each))].mean()) for _ in range(replicates)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
