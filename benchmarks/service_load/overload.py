"""Ten times the load that the service can bear: memory, honest refusals, recovery, and nothing lost.

People arrive at random (Poisson, seeded) and do a whole session each. Who is refused waits as Retry-After says, three
times at most, and then leaves; who is left when the load ends leaves too. The queue is as long as what the workers do
in a few seconds: a longer one only makes everybody wait longer, and is the operator's choice (``max_waiting``).
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.service_load.aftermath import faults, settle
from benchmarks.service_load.pictures import POLICY, Pictures
from benchmarks.service_load.served import Receiver, Served
from benchmarks.service_load.throughput import Feeder

TIMES = 10.0
QUEUE_SECONDS = 4.0
RECOVERY_SECONDS = 10.0
GROWTH = 1.15
"""Memory counts as bounded when the most of the second half is at most this much more than that of the first."""
RETRIES = 3


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        answers: how often each operation was answered with each status.
        silent: refusals without Retry-After.
        broken: connections that ended without an answer, timeouts, and answers that are neither 2xx nor 429 or 503.
        accepted: sessions whose submission was answered with 202.
        arrived: people.
        left: those who gave up after being refused again and again.
        milliseconds: of each answered request.
    """

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    silent: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    arrived: int = 0
    left: int = 0
    milliseconds: list[float] = field(default_factory=list)


class RefusedError(Exception):
    """The service refused to the end."""


class Person:
    """One who does a session by plain HTTP."""

    def __init__(self, http: httpx.AsyncClient, key: str, pictures: Pictures, seen: Seen, retries: int) -> None:
        self._http, self._key, self._pictures, self._seen, self._retries = http, key, pictures, seen, retries

    async def _post(self, operation: str, path: str, key: str, **content: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key}", **content.pop("headers", {})}
        for tried in range(self._retries + 1):
            begun = time.perf_counter()
            answer = await self._http.post(path, headers=headers, **content)
            self._seen.milliseconds.append((time.perf_counter() - begun) * 1000)
            self._seen.answers[operation, answer.status_code] += 1
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            if answer.status_code not in (429, 503):
                self._seen.broken[f"{operation} {answer.status_code}"] += 1
                break
            wait = answer.headers.get("retry-after", "")
            if not wait.isdigit():
                self._seen.silent += 1
                break
            if tried < self._retries:
                await asyncio.sleep(float(wait))
        raise RefusedError

    async def session(self) -> str:
        """The id of a session that was submitted.

        Raises:
            RefusedError.
        """
        made = await self._post("create", "/v1/sessions", self._key, json={"policy": POLICY})
        path, token = f"/v1/sessions/{made['id']}", made["client_token"]
        await self._post("consent", f"{path}/consents", token, json={"version": "2026-1", "language": "en"})
        for role, data in (("selfie", self._pictures.selfie), ("document_front", self._pictures.document)):
            headers = {"Content-Type": "image/jpeg"}
            await self._post("upload", f"{path}/media?role={role}", token, content=data, headers=headers)
        await self._post("submit", f"{path}/submit", token)
        return str(made["id"])

    async def come(self) -> None:
        """Do a session, or leave."""
        try:
            self._seen.accepted.append(await self.session())
        except RefusedError:
            self._seen.left += 1
        except httpx.HTTPError as error:
            self._seen.broken[type(error).__name__] += 1


async def storm(served: Served, pictures: Pictures, seen: Seen, *, per_second: float, seconds: float) -> list[float]:
    """People at ``per_second`` for ``seconds``; returns the milliseconds of the health checks meanwhile."""
    chance, health = random.Random(1), list[float]()
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=100, keepalive_expiry=5)
    timeout = httpx.Timeout(30, pool=120)

    async def watch(http: httpx.AsyncClient) -> None:
        while True:
            begun = time.perf_counter()
            await http.get("/v1/healthz")
            health.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(1.0)

    options: dict[str, Any] = {"base_url": served.url, "timeout": timeout, "verify": False, "trust_env": False}
    async with httpx.AsyncClient(**options, limits=limits) as http, httpx.AsyncClient(**options) as other:
        watcher = asyncio.create_task(watch(other))
        people: set[asyncio.Task[None]] = set()
        until = due = time.monotonic()
        until += seconds
        while (due := due + chance.expovariate(per_second)) < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            seen.arrived += 1
            task = asyncio.create_task(Person(http, served.key, pictures, seen, RETRIES).come())
            people.add(task)
            task.add_done_callback(people.discard)
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        for task in [*people, watcher]:
            task.cancel()
        await asyncio.gather(*people, watcher, return_exceptions=True)
    return health


async def recover(served: Served, pictures: Pictures, *, limit: float) -> tuple[float, float]:
    """Seconds until a new person's session is accepted, and until its verdict; ``limit`` when it is longer."""
    begun, seen = time.monotonic(), Seen()
    headers = {"Authorization": f"Bearer {served.key}"}
    async with httpx.AsyncClient(base_url=served.url, timeout=30, verify=False, trust_env=False) as http:
        while True:
            try:
                session = await Person(http, served.key, pictures, seen, RETRIES).session()
                break
            except (RefusedError, httpx.HTTPError):
                if time.monotonic() - begun > limit:
                    return limit, limit
        accepted = time.monotonic() - begun
        while (await http.get(f"/v1/sessions/{session}", headers=headers)).json()["state"] in (
            "submitted",
            "processing",
        ):
            if time.monotonic() - begun > limit:
                return accepted, limit
            await asyncio.sleep(0.1)
    return accepted, time.monotonic() - begun


class Memory:
    """Resident memory of the service's processes, every second; a context manager."""

    def __init__(self, served: Served) -> None:
        self._served, self._stop = served, threading.Event()
        self.curve: list[dict[str, float]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._stop.wait(1.0):
            self.curve.append({"second": time.monotonic() - begun, **self._served.memory()})

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def bounded(curve: list[dict[str, float]]) -> dict[str, Any]:
    """The most memory of the first and of the second half, MiB, and whether it stopped growing."""
    sums = [sum(value for name, value in each.items() if name != "second") for each in curve]
    half = max(1, len(sums) // 2)
    first, second = max(sums[:half], default=0.0), max(sums[half:], default=0.0)
    return {"first_half_mib": first, "second_half_mib": second, "bounded": second <= GROWTH * first}


def measure(pictures: Pictures, *, workers: int, seconds: float, capacity: float | None = None) -> dict[str, Any]:
    """The whole part.

    Args:
        capacity: verdicts a second that the service can bear; measured first when it is not given.
    """
    with tempfile.TemporaryDirectory() as name:
        if capacity is None:
            with Served(Path(name) / "capacity", workers=workers, settings={"rate": 1e6}) as first:
                capacity = Feeder(first, pictures).turn(min(15.0, seconds))
        queue = max(workers, round(capacity * QUEUE_SECONDS))
        settings = {"max_waiting": queue, "webhook_waits": [0.5, 1, 2, 5, 10, 30]}
        seen = Seen()
        with Receiver() as receiver, Served(Path(name) / "overload", workers=workers, settings=settings) as served:
            with served.client() as api:
                receiver.register(api)
            Feeder(served, pictures).turn(3.0)  # every worker has worked before
            with Memory(served) as memory:
                offered = TIMES * capacity
                health = asyncio.run(storm(served, pictures, seen, per_second=offered, seconds=seconds))
            accepted, verdict = asyncio.run(recover(served, pictures, limit=120))
            settled = settle([receiver], seen.accepted, seconds=300)
            status = served.stop()
            wrong = faults(served, [receiver], seen.accepted)
    refusals = {code: sum(n for (_, each), n in seen.answers.items() if each == code) for code in (429, 503)}
    grown = bounded(memory.curve)
    return {
        "capacity_per_second": capacity,
        "offered_per_second": offered,
        "seconds": seconds,
        "queue": queue,
        "arrived": seen.arrived,
        "accepted": len(seen.accepted),
        "accepted_per_second": len(seen.accepted) / seconds,
        "left": seen.left,
        "answers": {f"{operation} {code}": n for (operation, code), n in sorted(seen.answers.items())},
        "refused_429": refusals[429],
        "refused_503": refusals[503],
        "refused_without_retry_after": seen.silent,
        "broken": dict(seen.broken),
        "request_median_ms": statistics.median(seen.milliseconds) if seen.milliseconds else None,
        "health_median_ms": statistics.median(health) if health else None,
        "health_worst_ms": max(health, default=None),
        **grown,
        "memory_curve_mib": memory.curve[:: max(1, len(memory.curve) // 60)],
        "recovered_seconds": accepted,
        "verdict_seconds": verdict,
        "all_told_seconds": settled,
        "exit_status": status,
        "faults": wrong[:20],
        "fault_count": len(wrong),
        "met": not wrong
        and grown["bounded"]
        and not seen.silent
        and not seen.broken
        and verdict <= RECOVERY_SECONDS
        and status == 0,
    }
