"""Verdicts: one by case and attempt, never two; figures in the open, everything else sealed with the case's key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from samebody.decide import verdict_to_dict
from samebody.store.database import put_row
from samebody.store.errors import InvalidValueError, KeyDestroyedError, NotFoundError
from samebody.store.ids import Clock
from samebody.store.keys import Keys
from samebody.store.lifecycle import CONCLUSIONS
from samebody.store.schema import FindingRow, VerdictRow
from samebody.types import Verdict


@dataclass(frozen=True, slots=True)
class FindingSummary:
    """What is kept of a finding in the open."""

    check: str
    outcome: str
    score: float | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a worker found out about a case.

    Attributes:
        decision: ``accept``, ``reject``, ``review`` or ``retry``.
        body: the whole verdict, JSON-ready; sealed, never in the open. ``repr`` does not print it.
        timings: milliseconds by stage.
    """

    decision: str
    policy_id: str
    policy_version: int
    policy_sha256: str = ""
    model_ids: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[FindingSummary, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.decision not in CONCLUSIONS:
            raise InvalidValueError("the decision of a verdict is accept, reject, review or retry.")

    @classmethod
    def of(cls, verdict: Verdict) -> Conclusion:
        """From a verdict of :mod:`samebody.decide`.

        Raises:
            samebody.decide.errors.NotSerialisableError: it carries pixels or templates.
        """
        return cls(
            decision=verdict.decision.value,
            policy_id=verdict.policy_id,
            policy_version=verdict.policy_version,
            policy_sha256=verdict.policy_sha256,
            model_ids=verdict.model_ids,
            timings=dict(verdict.timings),
            findings=tuple(
                FindingSummary(each.check, each.outcome.value, each.score, tuple(r.code for r in each.reasons))
                for each in verdict.findings
            ),
            body=verdict_to_dict(verdict),
        )


@dataclass(frozen=True, slots=True)
class VerdictView:
    """A verdict as its reader sees it; ``body`` is None once the case was redacted."""

    tenant: str
    case_id: str
    attempt: int
    decision: str
    policy_id: str
    policy_version: int
    policy_sha256: str
    model_ids: tuple[str, ...]
    worker: str
    created: datetime
    body: dict[str, Any] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts of all tenants; every method works inside the caller's transaction."""

    keys: Keys
    clock: Clock

    def record(
        self, tx: Session, tenant: str, case_id: str, attempt: int, conclusion: Conclusion, *, worker: str
    ) -> None:
        """Write the verdict of an attempt; a second one violates the table's key and takes the transaction back.

        Raises:
            sqlalchemy.exc.IntegrityError: there is one.
            KeyDestroyedError: the case was redacted meanwhile.
        """
        key = self.keys.of(tx, tenant, "case", case_id)
        body = json.dumps(dict(conclusion.body), separators=(",", ":"), allow_nan=False).encode()
        put_row(
            tx,
            VerdictRow,
            tenant=tenant,
            case_id=case_id,
            attempt=attempt,
            decision=conclusion.decision,
            policy_id=conclusion.policy_id,
            policy_version=conclusion.policy_version,
            policy_sha256=conclusion.policy_sha256,
            model_ids=list(conclusion.model_ids),
            timings=dict(conclusion.timings),
            worker=worker,
            created=self.clock(),
            sealed=key.seal(body, _context(tenant, case_id, attempt)),
        )
        rows = [
            {
                "tenant": tenant,
                "case_id": case_id,
                "attempt": attempt,
                "check": each.check,
                "outcome": each.outcome,
                "score": each.score,
                "codes": list(each.codes),
            }
            for each in _unique(conclusion.findings)
        ]
        if rows:
            tx.execute(insert(FindingRow), rows)

    def of_case(self, tx: Session, tenant: str, case_id: str) -> list[VerdictView]:
        """The verdicts of a case, by attempt."""
        query = select(VerdictRow).filter_by(tenant=tenant, case_id=case_id).order_by(VerdictRow.attempt)
        return [self._view(tx, row) for row in tx.scalars(query).all()]

    def get(self, tx: Session, tenant: str, case_id: str, attempt: int | None = None) -> VerdictView:
        """The verdict of one attempt; by default the newest.

        Raises:
            NotFoundError.
        """
        if attempt is None:
            query = select(VerdictRow).filter_by(tenant=tenant, case_id=case_id).order_by(VerdictRow.attempt.desc())
            row = tx.scalars(query.limit(1)).one_or_none()
        else:
            row = tx.get(VerdictRow, (tenant, case_id, attempt))
        if row is None:
            raise NotFoundError("there is no verdict yet.", hint="Wait for the webhook, or ask again later.")
        return self._view(tx, row)

    def findings(self, tx: Session, tenant: str, case_id: str, attempt: int) -> list[FindingSummary]:
        """What the checks of an attempt found, by name."""
        query = select(FindingRow).filter_by(tenant=tenant, case_id=case_id, attempt=attempt).order_by(FindingRow.check)
        return [FindingSummary(row.check, row.outcome, row.score, tuple(row.codes)) for row in tx.scalars(query)]

    def _view(self, tx: Session, row: VerdictRow) -> VerdictView:
        body: dict[str, Any] | None = None
        if row.sealed is not None:
            try:
                key = self.keys.of(tx, row.tenant, "case", row.case_id)
                body = json.loads(key.unseal(row.sealed, _context(row.tenant, row.case_id, row.attempt)))
            except KeyDestroyedError:
                body = None
        return VerdictView(
            tenant=row.tenant,
            case_id=row.case_id,
            attempt=row.attempt,
            decision=row.decision,
            policy_id=row.policy_id,
            policy_version=row.policy_version,
            policy_sha256=row.policy_sha256,
            model_ids=tuple(row.model_ids),
            worker=row.worker,
            created=row.created,
            body=body,
        )


def _context(tenant: str, case_id: str, attempt: int) -> str:
    return f"{tenant}/verdicts/{case_id}/{attempt}"


def _unique(findings: Iterable[FindingSummary]) -> list[FindingSummary]:
    """One a check: a policy asks for each once; should a check report twice, the last one stands."""
    return list({each.check: each for each in findings}.values())
