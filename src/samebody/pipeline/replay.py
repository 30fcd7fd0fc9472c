"""What a policy would have decided about cases that were decided: from their findings, nothing is measured again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.decide import Policy, decide, verdict_from_dict
from samebody.errors import NotMeasuredError, SamebodyError
from samebody.models import ModelRecord
from samebody.store.schema import VerdictRow
from samebody.store.store import Store
from samebody.types import Finding, OperatingPoint, Outcome


@dataclass(frozen=True, slots=True)
class Replayed:
    """One case under both policies."""

    case_id: str
    attempt: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Many cases under both policies.

    Attributes:
        cases: those that could be decided again.
        left_out: redacted, or of a release whose verdicts cannot be read.
    """

    cases: tuple[Replayed, ...]
    left_out: int

    @property
    def moves(self) -> dict[tuple[str, str], int]:
        """How many cases went from which decision to which."""
        return dict(sorted(Counter((each.before, each.after) for each in self.cases).items()))

    @property
    def changed(self) -> tuple[Replayed, ...]:
        """Cases whose decision is another one."""
        return tuple(each for each in self.cases if each.before != each.after)


def replay(
    store: Store,
    tx: Session,
    tenant: str,
    policy: Policy,
    record: ModelRecord,
    last: int,
    *,
    policy_id: str | None = None,
) -> Replay:
    """Decide the tenant's newest ``last`` verdicts again under ``policy``; only those under ``policy_id`` if named.

    The face match is held against the operating point that ``policy`` asks for. Checks that were not run then are
    missing now too: a policy that asks for new checks leads to its consequence for absent ones.

    Raises:
        NotMeasuredError: the policy asks for an error rate at which the model was not measured.
    """
    demand = policy.face_match
    point = record.operating_point(
        demand.fmr, population=demand.population, allow_extrapolated=demand.allow_extrapolated
    )
    query = select(VerdictRow).filter_by(tenant=tenant)
    if policy_id is not None:
        query = query.filter_by(policy_id=policy_id)
    rows = tx.scalars(query.order_by(VerdictRow.created.desc(), VerdictRow.case_id).limit(last)).all()
    done, left_out = [], 0
    for row in rows:
        body = store.verdicts.get(tx, tenant, row.case_id, row.attempt).body
        try:
            if body is None:
                raise NotMeasuredError("erased")
            earlier = verdict_from_dict(body)
        except SamebodyError:
            left_out += 1
            continue
        findings = [_held_against(each, point, record.label) for each in earlier.findings]
        after = decide(policy, findings, case_id=row.case_id, model_ids=earlier.model_ids).decision.value
        done.append(Replayed(row.case_id, row.attempt, row.decision, after))
    return Replay(tuple(done), left_out)


def _held_against(finding: Finding, point: OperatingPoint, model: str) -> Finding:
    """A face match at another operating point, when the same model made it; every other finding as it is."""
    if finding.check != "face.match" or finding.score is None or model not in finding.model_ids:
        return finding  # a comparison has a score, and never abstains by itself
    outcome = Outcome.PASS if finding.score >= point.threshold else Outcome.FAIL
    return replace(finding, outcome=outcome, operating_point=point)


def summary(found: Replay) -> Sequence[tuple[str, str, int]]:
    """Rows ``before, after, count`` for a table."""
    return [(before, after, count) for (before, after), count in found.moves.items()]
