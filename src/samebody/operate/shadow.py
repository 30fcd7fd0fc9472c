"""Shadows: a candidate policy or model beside the live one, on the same cases, and how their decisions differ.

A policy needs no pictures: the stored findings are decided again (:mod:`samebody.pipeline.replay`). A model does: both
verify the same kept samples with the same release, so that nothing but the model differs.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from samebody.decide import Policy
from samebody.errors import ConfigError, ResourceError, SamebodyError
from samebody.measure import binomial_interval
from samebody.models import ModelRecord
from samebody.operate.errors import NothingToDoError
from samebody.pipeline import Verifier, pictures_for
from samebody.pipeline.replay import replay
from samebody.store.consent import PURPOSES
from samebody.store.errors import ConsentMissingError, InvalidValueError
from samebody.store.schema import VerdictRow
from samebody.store.store import Store

DECISIONS = ("accept", "reject", "review", "retry")
Decide = Callable[[Mapping[str, bytes]], str]
"""From samples by role to a decision."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How much more often the candidate comes to a decision.

    Attributes:
        live, candidate: cases decided so.
        difference: (candidate - live) / cases.
        low, high: its interval; see :func:`paired_difference`.
    """

    live: int
    candidate: int
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Shadow:
    """The outcome of a comparison.

    Attributes:
        kind: ``policy`` or ``model``; ``candidate`` names it, ``sha256`` is of its text or weights.
        cases: compared, one decision each; ``left_out``: redacted, without consent, of a purged picture, or failed.
        moves: cases by ``live>candidate``.
        changed: share of cases whose decision is another, ``changed_interval`` exact (Clopper-Pearson).
        shifts: by decision.
        examples: ids of cases that were decided otherwise, at most 20.
    """

    kind: Literal["policy", "model"]
    candidate: str
    sha256: str
    cases: int
    left_out: int
    moves: Mapping[str, int]
    changed: float
    changed_interval: tuple[float, float]
    shifts: Mapping[str, Shift]
    level: float
    examples: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"schema_version": "1.0", **asdict(self)}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: what the audit log names."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def paired_difference(more: int, less: int, cases: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a difference of two shares over the same cases.

    ``more`` cases have it with the candidate only, ``less`` with the live one only; the difference is
    ``(more - less) / cases``. Each share has its exact interval (Clopper-Pearson) at ``1 - (1 - level) / 2``, and
    ``[low(more) - high(less), high(more) - low(less)]`` covers at least ``level`` (Bonferroni): wider than Tango's
    (Statistics in Medicine 17, 1998), but it never promises too much with few changes.

    Raises:
        EmptyClassError, InvalidRateError.
    """
    each = 1 - (1 - level) / 2
    a, b = binomial_interval(more, cases, each), binomial_interval(less, cases, each)
    return max(-1.0, a[0] - b[1]), min(1.0, a[1] - b[0])


def compare_decisions(
    pairs: Sequence[tuple[str, str, str]],
    *,
    kind: Literal["policy", "model"],
    candidate: str,
    sha256: str,
    left_out: int = 0,
    level: float = 0.95,
) -> Shadow:
    """The difference between decisions.

    Args:
        pairs: (case, live decision, candidate's decision), one a case.

    Raises:
        NothingToDoError: no case.
    """
    n = len(pairs)
    if n == 0:
        raise NothingToDoError("there is no case to compare on.", hint="Wait for verdicts, or look at more of them.")
    moves = Counter(f"{before}>{after}" for _, before, after in pairs)
    changed = [case for case, before, after in pairs if before != after]
    shifts = {}
    for name in DECISIONS:
        more = sum(after == name != before for _, before, after in pairs)
        less = sum(before == name != after for _, before, after in pairs)
        live = sum(before == name for _, before, _ in pairs)
        shifts[name] = Shift(live, live + more - less, (more - less) / n, *paired_difference(more, less, n, level))
    return Shadow(
        kind, candidate, sha256, n, left_out, dict(sorted(moves.items())), len(changed) / n,
        binomial_interval(len(changed), n, level), shifts, level, tuple(changed[:20]),
    )  # fmt: skip


def shadow_policy(
    store: Store, tx: Session, tenant: str, policy: Policy, text: str, record: ModelRecord, *, last: int, name: str
) -> Shadow:
    """Decide the tenant's newest verdicts again under a candidate policy; of each case its newest attempt.

    Args:
        policy, text: the candidate, and the text it was parsed from.
        record: the live embedder: a comparison it made is held against the point that the candidate asks for.
        name: which of the tenant's policies it would replace; only verdicts under that one are looked at.

    Raises:
        NotMeasuredError: the candidate asks for an error rate at which the model was not measured.
        NothingToDoError: no verdict can be read.
    """
    found = replay(store, tx, tenant, policy, record, last, policy_id=name)
    newest = {each.case_id: each for each in sorted(found.cases, key=lambda each: each.attempt)}
    pairs = [(each.case_id, each.before, each.after) for each in newest.values()]
    digest = hashlib.sha256(text.encode()).hexdigest()
    return compare_decisions(pairs, kind="policy", candidate=name, sha256=digest, left_out=found.left_out)


def shadow_model(
    store: Store,
    tenant: str,
    live: Decide,
    candidate: Decide,
    record: ModelRecord,
    *,
    policy_id: str,
    last: int,
    purpose: str,
    actor: str,
) -> Shadow:
    """Verify the kept samples of the newest cases with the live and the candidate model, and compare the decisions.

    A case takes part while its samples are kept and a consent for ``purpose`` stands. The audit log says that its
    samples were used. Only cases under ``policy_id`` are looked at.

    Args:
        live, candidate: from the samples of a case by role to a decision; see :func:`verifying`.
        record: of the candidate.

    Raises:
        NothingToDoError: no case has samples and consent.
        ResourceError, ConfigError: a model cannot run, or was not measured at what the policy asks for.
        InvalidValueError: an unknown purpose.
    """
    if purpose not in PURPOSES:
        raise InvalidValueError(f"the purpose of a consent is one of {', '.join(PURPOSES)}.")
    with store.read() as tx:
        query = select(VerdictRow.case_id, VerdictRow.attempt).filter_by(tenant=tenant, policy_id=policy_id)
        rows = tx.execute(query.order_by(VerdictRow.created.desc(), VerdictRow.case_id).limit(last)).all()
    newest: dict[str, int] = {}
    for case_id, attempt in rows:
        newest[case_id] = max(attempt, newest.get(case_id, 0))
    pairs, left_out = [], 0
    for case_id, attempt in newest.items():
        try:
            samples = _samples(store, tenant, case_id, attempt, purpose)
            pairs.append((case_id, live(samples), candidate(samples)))
        except (ResourceError, ConfigError):  # of the system, not of the case: missing weights, nothing measured
            raise
        except SamebodyError:  # purged meanwhile, without consent, or unreadable: counted, never guessed
            left_out += 1
    with store.write() as tx:
        store.audit.append(
            tx, tenant, actor, "samples.used_in_shadow", "model", record.id,
            cases=len(pairs), left_out=left_out, purpose=purpose,
        )  # fmt: skip
    return compare_decisions(pairs, kind="model", candidate=record.id, sha256=record.run_sha256, left_out=left_out)


def verifying(verifier: Verifier, policy: Policy) -> Decide:
    """A function from samples by role to the decision of ``verifier`` under ``policy``.

    It raises what :meth:`samebody.pipeline.Verifier.verify` does, and NothingToDoError where a sample is lacking.
    """
    other = "document_front" if policy.needs_document else "reference"

    def decided(samples: Mapping[str, bytes]) -> str:
        lacking = [name for name in ("selfie", other) if name not in samples]
        if lacking:
            raise NothingToDoError(f"the case has no {lacking[0]}.")
        given = pictures_for(policy, samples["selfie"], samples[other])
        return verifier.verify(**given, policy=policy).decision.value

    return decided


def _samples(store: Store, tenant: str, case_id: str, attempt: int, purpose: str) -> dict[str, bytes]:
    with store.read() as tx:
        store.consents.require(tx, tenant, purpose, case_id=case_id)
        media = store.vault.of_case(tx, tenant, case_id, attempt)
    if not media:
        raise ConsentMissingError("the samples of the case are not kept any more.")
    return {each.role: store.vault.read(tenant, each.id) for each in media}


def record_shadow(store: Store, tx: Session, tenant: str, found: Shadow, *, actor: str) -> None:
    """Write the figures of a comparison to the audit log, where a promotion looks for them."""
    store.audit.append(
        tx, tenant, actor, "shadow.compared", found.kind, found.candidate,
        sha256=found.sha256, cases=found.cases, left_out=found.left_out, changed=found.changed,
        changed_high=found.changed_interval[1], accept_high=found.shifts["accept"].high,
        reject_high=found.shifts["reject"].high, digest=found.digest,
    )  # fmt: skip
