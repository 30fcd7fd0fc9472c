"""Drift of a store: reads both windows, compares them, and writes what is an alarm to the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from samebody.operate.drift import DriftLimits, DriftReport, compare_windows
from samebody.operate.windows import read_window
from samebody.store.store import Store


def watch(
    store: Store,
    tenant: str,
    limits: DriftLimits | None = None,
    *,
    actor: str,
    until: datetime | None = None,
    days: float = 1.0,
    reference_days: float = 28.0,
    reference_until: datetime | None = None,
) -> DriftReport:
    """Compare the window of ``days`` before ``until`` with ``reference_days`` before ``reference_until``.

    Args:
        until: now by default; times without a zone are UTC.
        reference_until: the start of the window by default, so that the reference rolls; a fixed one sees slow drift.

    Raises:
        WindowError: the windows overlap.
        NotFoundError: no such tenant.
    """
    end = _aware(until or store.clock())
    start = end - timedelta(days=days)
    reference_end = start if reference_until is None else _aware(reference_until)
    with store.read() as tx:
        store.audit.public_key(tx, tenant)  # there is such a tenant
        reference = read_window(tx, tenant, reference_end - timedelta(days=reference_days), reference_end)
        window = read_window(tx, tenant, start, end)
    report = compare_windows(reference, window, limits)
    if report.alarms:
        with store.write() as tx:
            for each in report.alarms:
                store.audit.append(
                    tx, tenant, actor, "drift.alarmed", "check", each.check,
                    kind=each.kind, psi=each.psi, p=each.p, window_cases=each.window_n,
                    reference_cases=each.reference_n, until=end.isoformat(),
                )  # fmt: skip
    return report


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
