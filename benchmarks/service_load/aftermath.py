"""What must hold after load and faults: one verdict for each accepted session, told to all endpoints; a whole audit."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select

from benchmarks.service_load.served import Receiver, Served
from samebody.store import LocalMasterKey, Store
from samebody.store.schema import SessionRow, VerdictRow

STATES = {"accept": "accepted", "reject": "rejected", "review": "review", "retry": "retry"}


def settle(receivers: Sequence[Receiver], accepted: Iterable[str], *, seconds: float) -> float:
    """Wait until every accepted session was told to every receiver, or the time is over; returns how long it took."""
    begun, wanted = time.monotonic(), set(accepted)
    while time.monotonic() - begun < seconds:
        if all(wanted <= {name for name, found in each.told().items() if judged(found)} for each in receivers):
            break
        time.sleep(0.1)
    return time.monotonic() - begun


def judged(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The states of verdicts among what a receiver was told of a session."""
    return [each["state"] for each in messages if each["state"] in STATES.values()]


def faults(served: Served, receivers: Sequence[Receiver], accepted: Iterable[str]) -> list[str]:
    """Everything that does not hold, in words; the service must have ended."""
    found: list[str] = []
    key = LocalMasterKey.from_file(served.folder / "store.key")
    with Store.open(served.store, master=[key]) as store, store.read() as tx:
        rows = {row.id: row for row in tx.scalars(select(SessionRow))}
        verdicts: dict[str, list[VerdictRow]] = {}
        for verdict in tx.scalars(select(VerdictRow)):
            verdicts.setdefault(verdict.case_id, []).append(verdict)
    told = [each.told() for each in receivers]
    for session in accepted:
        row = rows[session]
        decisions = [each.decision for each in verdicts.get(row.case_id, [])]
        if len(decisions) != 1:
            found.append(f"{session} ({row.state}, {row.reason}) has {len(decisions)} verdicts")
        elif row.state != STATES[decisions[0]]:
            found.append(f"{session} is {row.state} and its verdict {decisions[0]}")
        found += [
            f"{session} is {row.state} and an endpoint was told {judged(each.get(session, []))}"
            for each in told
            if judged(each.get(session, [])) != [row.state]
        ]
    found += [f"{case} has {len(each)} verdicts" for case, each in verdicts.items() if len(each) > 1]
    found += [wrong for each in receivers for wrong in each.wrong]
    checked = audit(served)
    if checked.returncode:
        found.append(f"the audit log does not verify: {checked.stdout}{checked.stderr}")
    return found


def audit(served: Served) -> subprocess.CompletedProcess[str]:
    """``samebody audit verify`` on its store."""
    command = [sys.executable, "-m", "samebody", "audit", "verify", "--store", str(served.store)]
    command += ["--key-file", str(served.folder / "store.key")]
    return subprocess.run(command, capture_output=True, text=True, check=False)
