"""Figures for Prometheus, in its text format: counted by this process, and read from the store when asked."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from samebody.service.workers import SILENT, seen_workers
from samebody.store.lifecycle import State
from samebody.store.schema import SessionRow, VerdictRow, WebhookDeliveryRow

if TYPE_CHECKING:
    from samebody.service.state import Service

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram of answer times, seconds."""

Labels = tuple[tuple[str, str], ...]


class Requests:
    """Requests answered by this process: count by operation, method and status; a histogram of seconds by operation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count: dict[Labels, int] = defaultdict(int)
        self._seconds: dict[Labels, list[float]] = {}

    def note(self, operation: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; ``operation`` is its name in the OpenAPI document."""
        labels = (("operation", operation), ("method", method))
        with self._lock:
            self._count[(*labels, ("status", str(status)))] += 1
            row = self._seconds.setdefault(labels, [0.0] * (len(BUCKETS) + 2))
            for index, bound in enumerate(BUCKETS):
                if seconds <= bound:
                    row[index] += 1
            row[-2] += 1
            row[-1] += seconds

    def lines(self) -> Iterable[str]:
        """In Prometheus' text format."""
        with self._lock:
            count, seconds = dict(self._count), {labels: list(row) for labels, row in self._seconds.items()}
        yield from _family("samebody_requests_total", "counter", "Requests answered.", count)
        yield "# HELP samebody_request_seconds Seconds from a request to its answer."
        yield "# TYPE samebody_request_seconds histogram"
        for labels, row in sorted(seconds.items()):
            for bound, value in zip(BUCKETS, row, strict=False):
                yield _line("samebody_request_seconds_bucket", (*labels, ("le", f"{bound:g}")), value)
            yield _line("samebody_request_seconds_bucket", (*labels, ("le", "+Inf")), row[-2])
            yield _line("samebody_request_seconds_sum", labels, row[-1])
            yield _line("samebody_request_seconds_count", labels, row[-2])


def exposition(service: Service) -> str:
    """All figures of the service."""
    with service.store.read() as tx:
        states = tx.execute(select(SessionRow.state, func.count()).group_by(SessionRow.state)).all()
        decisions = tx.execute(select(VerdictRow.decision, func.count()).group_by(VerdictRow.decision)).all()
        query = select(WebhookDeliveryRow.state, func.count()).group_by(WebhookDeliveryRow.state)
        deliveries = tx.execute(query).all()
        oldest = tx.scalar(select(func.min(SessionRow.submitted)).where(SessionRow.state == State.SUBMITTED.value))
    waited = 0.0 if oldest is None else max(0.0, (service.store.clock() - oldest).total_seconds())
    lines = [
        *service.requests.lines(),
        *_family("samebody_sessions", "gauge", "Sessions by state.", _by("state", states)),
        *_family("samebody_verdicts_total", "counter", "Verdicts by decision.", _by("decision", decisions)),
        *_family("samebody_webhook_deliveries", "gauge", "Webhook deliveries by state.", _by("state", deliveries)),
        *_family("samebody_oldest_waiting_seconds", "gauge", "Wait of the session that waits longest.", {(): waited}),
        *_family("samebody_workers", "gauge", "Workers alive.", {(): seen_workers(service.store, SILENT)}),
    ]
    return "\n".join(lines) + "\n"


def _by(label: str, rows: Iterable[tuple[str, int]]) -> dict[Labels, int]:
    return {((label, name),): count for name, count in rows}


def _family(name: str, kind: str, text: str, values: Mapping[Labels, float]) -> Iterable[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in sorted(values.items()):
        yield _line(name, labels, value)


def _line(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{shown}}} {value:.12g}" if shown else f"{name} {value:.12g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
