"""What a worker does with a claimed session: unseal its samples, run the pipeline under its policy, conclude."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from samebody.decide import Policy, read_policy
from samebody.errors import InputError
from samebody.jobs.queue import Claim
from samebody.pipeline import pictures_for
from samebody.service.evidence import Evidence
from samebody.service.verifiers import Verifiers
from samebody.store.errors import NotFoundError
from samebody.store.live_models import FACE_EMBEDDER
from samebody.store.schema import CaseRow, PolicyRow
from samebody.store.sessions import SessionView
from samebody.store.store import Store
from samebody.store.verdicts import Conclusion

SELFIE, DOCUMENT, REFERENCE = "selfie", "document_front", "reference"
ROLES = (SELFIE, DOCUMENT, "document_back", REFERENCE, "frame")
"""Roles that a sample of a session may have."""


def policy_of(row: PolicyRow) -> Policy:
    """The policy in a row of the store.

    Raises:
        PolicyInvalidError: this release does not understand it.
    """
    return read_policy(row.text, row.id)


def case_policy(store: Store, tx: Session, tenant: str, case_id: str) -> tuple[PolicyRow, Policy]:
    """The version of the policy that a case was made under."""
    case = tx.get_one(CaseRow, (tenant, case_id))
    row = store.policies.get(tx, tenant, case.policy_id, case.policy_version)
    return row, policy_of(row)


def needed_roles(policy: Policy) -> tuple[str, ...]:
    """Roles of the samples without which the policy cannot be served."""
    return SELFIE, DOCUMENT if policy.needs_document else REFERENCE


def missing_roles(store: Store, tx: Session, session: SessionView) -> list[str]:
    """Needed roles of which this attempt has no sample yet."""
    _, policy = case_policy(store, tx, session.tenant, session.case_id)
    held = {each.role for each in store.vault.of_case(tx, session.tenant, session.case_id, session.attempt)}
    return [role for role in needed_roles(policy) if role not in held]


class VerifySession:
    """The handler of :class:`samebody.jobs.Worker` for sessions; models stay loaded between them."""

    def __init__(self, store: Store, verifiers: Verifiers) -> None:
        self._store, self._verifiers = store, verifiers

    def __call__(self, claim: Claim) -> Conclusion:
        """The conclusion of a claimed session.

        Raises:
            SamebodyError: a fault, tried again: a file is missing, a model cannot be loaded.
        """
        store = self._store
        with store.read() as tx:
            row, policy = case_policy(store, tx, claim.tenant, claim.case_id)
            media = store.vault.of_case(tx, claim.tenant, claim.case_id, claim.attempt)
            live = store.live_models.current(tx, claim.tenant, FACE_EMBEDDER)
        newest = {each.role: each.id for each in media}
        lacking = [role for role in needed_roles(policy) if role not in newest]
        if lacking:
            raise NotFoundError(f"the session was submitted without {', '.join(lacking)}.")
        selfie, other = (store.vault.read(claim.tenant, newest[role]) for role in needed_roles(policy))
        try:
            case = self._verifiers.of_live(live).verify(
                **pictures_for(policy, selfie, other),
                policy=policy,
                case_id=claim.case_id,
                further=Evidence(store, claim.tenant, claim.session_id, claim.attempt, policy, media),
            )
        except InputError as error:  # pictures are decoded when they are taken in; another release may be stricter
            return Conclusion("retry", row.id, row.version, row.sha256, body={"unreadable": error.code})
        # the tenant's own name and version of the policy, not what stands in its text
        return replace(
            Conclusion.of(case.verdict), policy_id=row.id, policy_version=row.version, policy_sha256=row.sha256
        )
