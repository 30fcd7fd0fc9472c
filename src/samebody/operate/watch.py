"""Drift of a store: reads both windows, compares them, and writes what is an alarm to the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.operate.drift import DriftLimits, DriftReport, compare_windows
from samebody.operate.windows import read_window
from samebody.store.schema import AuditEventRow
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


EVERY = timedelta(hours=24)
"""Between two looks of :func:`watch_daily`: the defaults of the limits are made for thirty looks a month."""


def watch_daily(store: Store, limits: DriftLimits | None = None, *, actor: str = "system") -> dict[str, DriftReport]:
    """Look at every tenant that was not looked at for a day; the reports by tenant.

    That it was looked stands in the audit log (``drift.watched``), written before the look: several callers at the same
    time look once.

    Raises:
        StoreUnavailableError.
    """
    reports = {}
    with store.read() as tx:
        tenants = store.tenants.names(tx)
    for tenant in tenants:
        with store.read() as tx:
            if not _due(store, tx, tenant):
                continue
        with store.write() as tx:
            if not _due(store, tx, tenant):
                continue
            store.audit.append(tx, tenant, actor, "drift.watched", "tenant", tenant)
        reports[tenant] = watch(store, tenant, limits, actor=actor)
    return reports


def _due(store: Store, tx: Session, tenant: str) -> bool:
    query = select(AuditEventRow.at).filter_by(tenant=tenant, kind="tenant", object=tenant, action="drift.watched")
    last = tx.scalars(query.order_by(AuditEventRow.sequence.desc()).limit(1)).one_or_none()
    return last is None or store.clock() - datetime.fromisoformat(last) >= EVERY


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
