"""How the API and the console make something live: through the guard rails of :mod:`samebody.operate.changes`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from samebody.operate.changes import LAST, add_policy, promote_policy
from samebody.service.access import Caller
from samebody.service.state import Service
from samebody.store.errors import NotFoundError
from samebody.store.schema import PolicyRow

if TYPE_CHECKING:
    from samebody.operate.shadow import Shadow


def live_policy(
    service: Service,
    who: Caller,
    policy_id: str,
    text: str,
    *,
    retention: Mapping[str, Any] | None,
    reason: str,
    last: int = LAST,
) -> PolicyRow:
    """Add a policy, or promote the next version of one.

    Raises:
        What :func:`samebody.operate.changes.add_policy` and :func:`promote_policy` of the same module do.
    """
    store = service.store
    with store.read() as tx:
        try:
            store.policies.get(tx, who.tenant, policy_id)
            known = True
        except NotFoundError:
            known = False
    if not known:
        return add_policy(store, who.tenant, policy_id, text, service.runtime, actor=who.actor, retention=retention)
    row, _ = promote_policy(
        store, who.tenant, policy_id, text, service.runtime, actor=who.actor, retention=retention,
        limits=service.change_limits, last=last, force=reason,
    )  # fmt: skip
    return row


def trial(found: Shadow | None, broken: list[str]) -> dict[str, Any]:
    """A comparison as the API tells it."""
    if found is None:
        nothing: dict[str, Any] = {"cases": 0, "left_out": 0, "changed": None, "changed_interval": None}
        return {**nothing, "moves": {}, "shifts": {}, "examples": [], "against": broken}
    return {
        "cases": found.cases,
        "left_out": found.left_out,
        "changed": found.changed,
        "changed_interval": list(found.changed_interval),
        "moves": dict(found.moves),
        "shifts": {name: asdict(shift) for name, shift in found.shifts.items()},
        "examples": list(found.examples),
        "against": broken,
    }
