"""Promotion and rollback of policies and models: behind guard rails, audited, seen by the worker at once.

A policy is live as the newest version of its name: a promotion adds a version, a rollback adds one with the older text,
so that every case still names the version it was made under. A model is live as the newest row of
:mod:`samebody.store.live_models`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.config import Settings
from samebody.decide import Policy, read_policy
from samebody.errors import NotMeasuredError, UsageError
from samebody.models import ModelRecord, catalogue, weights_path
from samebody.operate.errors import GuardRailError, NothingToDoError
from samebody.operate.limits import Limits
from samebody.operate.shadow import Shadow, record_shadow, shadow_policy
from samebody.store.errors import ExistsError, InvalidValueError
from samebody.store.live_models import FACE_EMBEDDER, LiveModel
from samebody.store.policies import DEFAULT_RETENTION
from samebody.store.schema import AuditEventRow, PolicyRow
from samebody.store.store import Store

LONGEST_REASON = 200
"""Characters of a reason, as the table of model changes keeps it."""
LAST = 1000
"""Newest verdicts that a policy is tried on, unless told otherwise."""


def live_record(store: Store, tx: Session, tenant: str, settings: Settings) -> ModelRecord:
    """The record of the tenant's live embedder.

    Raises:
        ModelChangedError: it names other weights than those that were promoted.
        UnknownRecordError.
    """
    live = store.live_models.current(tx, tenant, FACE_EMBEDDER)
    record = catalogue(settings)[live.model_id if live else settings.embedder]
    if live is not None:
        live.require_same(record.run_sha256)
    return record


def try_policy(
    store: Store,
    tenant: str,
    policy_id: str,
    text: str,
    settings: Settings,
    *,
    limits: Limits | None = None,
    last: int = LAST,
) -> tuple[Shadow | None, list[str]]:
    """Hold a candidate policy against the live version on the newest verdicts, and against the limits.

    Returns:
        The comparison, None where there is nothing to compare on; and what speaks against a promotion, in words.

    Raises:
        PolicyInvalidError, NotMeasuredError: it cannot serve.
        NotFoundError: there is no such policy.
    """
    policy = read_policy(text, policy_id)
    with store.read() as tx:
        live = store.policies.get(tx, tenant, policy_id)
        record = live_record(store, tx, tenant, settings)
        require_points(record, [policy])
        if live.text == text:
            return None, ["this text is live already"]
        try:
            found = shadow_policy(store, tx, tenant, policy, text, record, last=last, name=policy_id)
        except NothingToDoError as error:
            return None, [error.message.rstrip(".")]
    return found, (limits or Limits()).broken(figures_of(found))


def add_policy(
    store: Store,
    tenant: str,
    policy_id: str,
    text: str,
    settings: Settings,
    *,
    actor: str,
    retention: Mapping[str, Any] | None = None,
) -> PolicyRow:
    """The first version of a policy. No case was decided under it, so there is nothing to compare with.

    Raises:
        PolicyInvalidError, NotMeasuredError: it cannot serve.
        ExistsError: there is one of that name; see :func:`promote_policy`.
    """
    policy = read_policy(text, policy_id)
    with store.write() as tx:
        require_points(live_record(store, tx, tenant, settings), [policy])
        if tx.scalar(select(PolicyRow.version).filter_by(tenant=tenant, id=policy_id).limit(1)) is not None:
            raise ExistsError("there is a policy of that name already.", hint="Promote the text as its next version.")
        return store.policies.put(tx, tenant, policy_id, text, actor=actor, retention=retention)


def promote_policy(
    store: Store,
    tenant: str,
    policy_id: str,
    text: str,
    settings: Settings,
    *,
    actor: str,
    retention: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    last: int = LAST,
    force: str = "",
) -> tuple[PolicyRow, Shadow | None]:
    """Make ``text`` the next version of a policy, after a shadow over the newest verdicts.

    Args:
        retention: of the new version; by default the live one's. With the live text and another retention, a version
            is added without a shadow: nothing is decided otherwise.
        force: a reason to do it although a limit is exceeded or there is nothing to compare on; kept in the audit log.

    Returns:
        The new version, and the comparison; None where ``force`` stood in for one, or the text stays.

    Raises:
        PolicyInvalidError, NotMeasuredError: it cannot serve; ``force`` does not help.
        GuardRailError: a limit is exceeded.
        NothingToDoError: text and retention are live already.
        NotFoundError: there is no such policy.
        InvalidValueError: the reason or the retention is not valid.
    """
    _require_reason(force)
    with store.read() as tx:
        before = store.policies.get(tx, tenant, policy_id)
        held = dict(before.retention)
        kept = held if retention is None else {**DEFAULT_RETENTION, **retention}
    same_text = before.text == text
    if same_text and kept == held:
        raise NothingToDoError("this text is live already.")
    found: Shadow | None = None
    broken: list[str] = []
    if not same_text:
        found, broken = try_policy(store, tenant, policy_id, text, settings, limits=limits, last=last)
        _guard(broken, force)
    with store.write() as tx:
        if store.policies.get(tx, tenant, policy_id).version != before.version:
            raise GuardRailError("another version went live meanwhile.", hint="Look at it, then promote again.")
        if found is not None:
            record_shadow(store, tx, tenant, found, actor=actor)
        row = store.policies.put(tx, tenant, policy_id, text, actor=actor, retention=kept)
        store.audit.append(
            tx, tenant, actor, "policy.promoted", "policy", policy_id,
            version=row.version, before=before.version, shadow=found.digest if found else None,
            forced=bool(broken), reason=force if broken else "",
        )  # fmt: skip
    return row, found


def rollback_policy(store: Store, tenant: str, policy_id: str, *, actor: str, to: int | None = None) -> PolicyRow:
    """Make an older version live again, as a new version with its text and retention.

    Args:
        to: which; by default the newest one before the live one whose text is another. A second rollback therefore
            undoes the first.

    Raises:
        NotFoundError: no such policy or version.
        NothingToDoError: there was never another text.
        PolicyInvalidError: this release does not understand the older text.
    """
    with store.write() as tx:
        live = store.policies.get(tx, tenant, policy_id)
        if to is None:
            query = select(PolicyRow).filter_by(tenant=tenant, id=policy_id).where(PolicyRow.sha256 != live.sha256)
            found = tx.scalars(query.order_by(PolicyRow.version.desc()).limit(1)).one_or_none()
            if found is None:
                raise NothingToDoError("there is no other version to roll back to.")
        else:
            found = store.policies.get(tx, tenant, policy_id, to)
            if found.sha256 == live.sha256:
                raise NothingToDoError(f"version {to} has the text that is live.")
        read_policy(found.text, policy_id)
        row = store.policies.put(tx, tenant, policy_id, found.text, actor=actor, retention=found.retention)
        store.audit.append(
            tx, tenant, actor, "policy.rolled_back", "policy", policy_id,
            version=row.version, before=live.version, text_of=found.version,
        )  # fmt: skip
        return row


def promote_model(
    store: Store,
    tenant: str,
    model_id: str,
    settings: Settings,
    *,
    actor: str,
    limits: Limits | None = None,
    force: str = "",
) -> LiveModel:
    """Make an embedder of faces live for a tenant, if a shadow in the audit log shows that the limits are kept.

    Its weights must be here and verified, and it must have been measured at what every live policy of the tenant asks
    for; ``force`` (a reason) only overrules the comparison.

    Raises:
        UsageError: the record is no embedder of faces.
        WeightsMissingError, WeightsCorruptError, NotMeasuredError.
        GuardRailError: no comparison that is recent enough, or a limit is exceeded.
        NothingToDoError: it is live already.
        InvalidValueError: the reason is not valid.
    """
    _require_reason(force)
    limits, record = limits or Limits(), catalogue(settings)[model_id]
    if record.task != "face-embedding":
        raise UsageError(f"{model_id} is no embedder of faces.", hint="Take a record of task face-embedding.")
    weights_path(record, settings)
    with store.write() as tx:
        live = store.live_models.current(tx, tenant, FACE_EMBEDDER)
        if (live.model_id, live.sha256) == (model_id, record.run_sha256) if live else model_id == settings.embedder:
            raise NothingToDoError(f"{model_id} is live already.")
        policies = {row.id: row for row in tx.scalars(_versions(tenant))}
        require_points(record, [read_policy(row.text, row.id) for row in policies.values()])
        figures = last_shadow(tx, tenant, record, store.clock() - timedelta(days=limits.days))
        if figures is None:
            broken = [f"no comparison of the last {limits.days} days stands in the audit log"]
        else:
            broken = limits.broken(figures)
        _guard(broken, force)
        return store.live_models.put(
            tx, tenant, FACE_EMBEDDER, model_id, record.run_sha256,
            kind="promoted", actor=actor, reason=force if broken else "",
        )  # fmt: skip


def rollback_model(store: Store, tenant: str, settings: Settings, *, actor: str) -> LiveModel:
    """Make the model live that was live before; a second rollback undoes the first.

    Raises:
        NothingToDoError: nothing was ever promoted.
        WeightsMissingError, WeightsCorruptError: its weights are not here.
        ModelChangedError: its record names other weights now.
    """
    with store.write() as tx:
        history = store.live_models.history(tx, tenant, FACE_EMBEDDER)
        if not history:
            raise NothingToDoError("no model was promoted for this tenant.")
        before = history[-2] if len(history) > 1 else None
        record = catalogue(settings)[before.model_id if before else settings.embedder]
        if before is not None:
            before.require_same(record.run_sha256)
        weights_path(record, settings)
        return store.live_models.put(
            tx, tenant, FACE_EMBEDDER, record.id, record.run_sha256, kind="rolled_back", actor=actor
        )


def require_points(record: ModelRecord, policies: list[Policy]) -> None:
    """Refuse a model and policies that do not fit together.

    Raises:
        NotMeasuredError: a policy asks for an error rate at which the model was not measured.
    """
    for policy in policies:
        demand = policy.face_match
        try:
            record.operating_point(
                demand.fmr, population=demand.population, allow_extrapolated=demand.allow_extrapolated
            )
        except NotMeasuredError as error:
            raise NotMeasuredError(f"policy {policy.id!r}: {error.message}", hint=error.hint) from None


def figures_of(found: Shadow) -> dict[str, Any]:
    """What the limits are held against."""
    return {
        "cases": found.cases,
        "changed_high": found.changed_interval[1],
        "accept_high": found.shifts["accept"].high,
        "reject_high": found.shifts["reject"].high,
    }


def last_shadow(tx: Session, tenant: str, record: ModelRecord, since: datetime) -> dict[str, Any] | None:
    """The figures of the newest comparison of exactly these weights in the audit log; None when there is none."""
    query = (
        select(AuditEventRow)
        .filter_by(tenant=tenant, action="shadow.compared", kind="model", object=record.id)
        .order_by(AuditEventRow.sequence.desc())
    )
    for row in tx.scalars(query):
        details: dict[str, Any] = json.loads(row.details)
        if details["sha256"] == record.run_sha256:
            return details if datetime.fromisoformat(row.at) >= since else None
    return None


def _versions(tenant: str) -> Any:
    return select(PolicyRow).filter_by(tenant=tenant).order_by(PolicyRow.id, PolicyRow.version)


def _guard(broken: list[str], force: str) -> None:
    if broken and not force.strip():
        raise GuardRailError(
            f"the promotion is refused: {'; '.join(broken)}.",
            hint="Compare on more cases, change the candidate or the limits, or give a reason (--force).",
        )


def _require_reason(force: str) -> None:
    if len(force) > LONGEST_REASON or not force.isprintable():
        raise InvalidValueError(f"a reason has at most {LONGEST_REASON} printable characters.")
