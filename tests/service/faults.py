"""Sessions under load while processes of the service are killed at seeded moments."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks.service_load.pictures import POLICY, Pictures, fill
from benchmarks.service_load.served import Served
from samebody.service.client import ApiError

PATIENT = {"retries": 60, "timeout": 60.0, "longest_wait": 30.0}
"""A client that comes back until the service is there again."""
QUICK = {"lease_seconds": 3, "webhook_seconds": 2, "webhook_waits": [0.2] * 30, "rate": 1e6}
"""Settings under which what is lost comes back soon; the ways are the same."""


@dataclass
class Outcome:
    """What the clients and the killer saw.

    Attributes:
        accepted: sessions whose submission was answered with 202.
        refused: codes of calls that failed for good; the clients are patient, so there should be none.
        killed: the role of each process that was killed, in order.
    """

    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)


def load(served: Served, pictures: Sequence[Pictures], outcome: Outcome, *, clients: int = 4) -> None:
    """A session with each of ``pictures``, several at a time, by patient clients."""

    def one(number: int) -> None:
        try:
            with served.client(**PATIENT) as api:
                made = api.create_session(policy=POLICY, reference=f"order {number}")
            fill(served, made, pictures[number], **PATIENT)
            outcome.accepted.append(made["id"])
        except ApiError as error:
            outcome.refused.append(f"{error.problem_code or error.status}: {error}")

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, range(len(pictures))))


def kill(
    served: Served, outcome: Outcome, roles: Sequence[str], seed: int, pause: float, over: threading.Event
) -> None:
    """Kill a process of each of ``roles``, after random pauses of ``pause`` seconds at most, until ``over``."""
    chance = random.Random(seed)
    for role in roles:
        if over.wait(chance.uniform(0.05, pause)):
            return
        while not served.kill(role):  # it is being started again
            if over.wait(0.05):
                return
        outcome.killed.append(role)
        if role == "server":
            served.start()


def run(served: Served, pictures: Sequence[Pictures], roles: Sequence[str], *, seed: int, pause: float) -> Outcome:
    """Load and kills at the same time; returns when all clients are done and the service is ready again."""
    outcome, over = Outcome(), threading.Event()
    killer = threading.Thread(target=kill, args=(served, outcome, roles, seed, pause, over))
    killer.start()
    load(served, pictures, outcome)
    over.set()
    killer.join()
    served.wait_ready()
    return outcome
