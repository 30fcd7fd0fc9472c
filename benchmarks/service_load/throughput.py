"""Full verifications per second: through the service, and by the pipeline alone in as many processes, in turns.

Both sides verify the same two pictures with the same policy, one thread a process. A side's rate is that of its
conclusions, from the first to the last one while there was always more to do; what the clients, the API, the store and
the webhooks need is taken from the same cores.
"""

from __future__ import annotations

import math
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from scipy import stats

from benchmarks.service_load.pictures import POLICY, Pictures, fill
from benchmarks.service_load.served import Receiver, Served, cpu_seconds

ASKED = 0.8
AHEAD = 3
"""Sessions a worker that wait beside the one it has in hand, so that it never waits."""
CLIENTS = 2
FEWEST = 4


def rate(times: Sequence[float]) -> float:
    """Conclusions a second: those after the first, over the time they took."""
    ordered = sorted(times)
    if len(ordered) < FEWEST - 1:
        raise ValueError(f"{len(ordered)} conclusions are too few for a rate; measure longer.")
    return (len(ordered) - 1) / (ordered[-1] - ordered[0])


def ratio_with_interval(service: Sequence[float], alone: Sequence[float]) -> dict[str, float]:
    """Geometric mean of the turns' ratios and its 95 % interval, Student's t on their logarithms."""
    logs = [math.log(one / two) for one, two in zip(service, alone, strict=True)]
    mean = sum(logs) / len(logs)
    if len(logs) < 2:
        return {"ratio": math.exp(mean), "low": 0.0, "high": math.inf, "turns": len(logs)}
    spread = math.sqrt(sum((each - mean) ** 2 for each in logs) / (len(logs) - 1) / len(logs))
    reach = float(stats.t.ppf(0.975, len(logs) - 1)) * spread
    ends = {"low": math.exp(mean - reach), "high": math.exp(mean + reach)}
    return {"ratio": math.exp(mean), **ends, "turns": len(logs)}


class Alone:
    """The pipeline in processes of its own; a context manager."""

    def __init__(self, processes: int, pictures: Pictures) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work_alone, args=(theirs, pictures.selfie, pictures.document))
            process.daemon = True
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Alone:
        for pipe in self._pipes:
            pipe.recv()  # its models are loaded and warm
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(30)

    def turn(self, seconds: float) -> tuple[float, float]:
        """Verifications a second of all processes together, and seconds computed for one."""
        until, before = time.time() + seconds, self._cpu()
        for pipe in self._pipes:
            pipe.send(until)
        times = [each for pipe in self._pipes for each in pipe.recv()]
        return rate(times), (self._cpu() - before) / len(times)

    def _cpu(self) -> float:
        return sum(cpu_seconds(process.pid) for process in self._processes if process.pid)


def _work_alone(pipe: Connection, selfie: bytes, document: bytes) -> None:
    from samebody.config import load_settings
    from samebody.pipeline import Verifier

    verifier = Verifier(load_settings(threads=1))

    def once() -> float:
        decision = verifier.verify(selfie=selfie, document=document, policy=POLICY).decision
        assert decision.value == "accept"
        return time.time()

    once()
    pipe.send(None)
    while True:
        try:
            until = pipe.recv()
        except EOFError:
            return
        times = []
        while time.time() < until or len(times) < FEWEST // 2:
            times.append(once())
        pipe.send(times)


class Feeder:
    """Clients that keep sessions waiting for every worker.

    Attributes:
        cpu: seconds that each part of the service computed for a session in the last turn, and the clients.
    """

    def __init__(self, served: Served, pictures: Pictures) -> None:
        self._served, self._pictures = served, pictures
        self.cpu: dict[str, float] = {}

    def turn(self, seconds: float) -> float:
        """Verdicts a second while there was always more to do; returns when nothing is left."""
        made: list[str] = []
        lock, over = threading.Lock(), threading.Event()
        ahead = (AHEAD + 1) * self._served.workers

        def client() -> None:
            with self._served.client() as api:
                while not over.is_set():
                    if waiting(api) >= ahead:
                        time.sleep(0.2)
                        continue
                    created = api.create_session(policy=POLICY)
                    fill(self._served, created, self._pictures, retries=20)  # a short queue is full now and then
                    with lock:
                        made.append(created["id"])

        cpu, own = self._served.cpu(), time.process_time()
        with self._served.client() as api, ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(client) for _ in range(CLIENTS)]
            while waiting(api) < self._served.workers and not any(each.done() for each in running):
                time.sleep(0.05)
            begun, before = time.time(), self._done(api, made)
            # a machine that is busy with other things gets the time for the fewest that a rate needs
            while time.time() < begun + seconds or (
                self._done(api, made) < before + FEWEST and time.time() < begun + 20 * seconds
            ):
                time.sleep(min(0.5, seconds))
            over.set()
            for each in running:
                each.result()
            ended = time.time()  # from here on fewer and fewer wait
            while waiting(api) or working(api):
                time.sleep(0.1)
            times = []
            for session in made:
                found = api.get_session(session)
                assert found["state"] == "accepted", found
                times.append(datetime.fromisoformat(found["changed"]).timestamp())
            after, own = self._served.cpu(), time.process_time() - own
            self.cpu = {role: (after[role] - cpu[role]) / len(made) for role in after} | {"clients": own / len(made)}
        return rate([each for each in times if begun <= each <= ended])

    @staticmethod
    def _done(api: Any, made: Sequence[str]) -> int:
        return len(made) - waiting(api) - working(api)


def waiting(api: Any) -> int:
    """Sessions that wait for a worker."""
    return len(api.list_sessions(state="submitted", limit=100)["items"])


def working(api: Any) -> int:
    """Sessions in the hands of workers."""
    return len(api.list_sessions(state="processing", limit=100)["items"])


def measure(pictures: Pictures, *, workers: int, turns: int, seconds: float) -> dict[str, Any]:
    """Both sides in turns; rates of each turn, their ratio and its interval."""
    service, alone, computed = [], [], list[dict[str, float]]()
    with tempfile.TemporaryDirectory() as name:
        served = Served(Path(name), workers=workers, settings={"rate": 1e6})
        with served, Receiver() as receiver, Alone(workers, pictures) as pipeline:
            with served.client() as api:
                receiver.register(api)
            feeder = Feeder(served, pictures)
            feeder.turn(min(5.0, seconds))  # the workers' first verifications load what is loaded late
            for _ in range(turns):
                each, cpu = pipeline.turn(seconds)
                alone.append(each)
                service.append(feeder.turn(seconds))
                computed.append({"alone": cpu, **feeder.cpu})
            memory = served.memory()
    found = ratio_with_interval(service, alone)
    return {
        "workers": workers,
        "seconds_a_turn": seconds,
        "service_per_second": service,
        "alone_per_second": alone,
        **found,
        "asked": ASKED,
        "met": found["ratio"] >= ASKED,
        "cpu_seconds_each": {name: sum(turn[name] for turn in computed) / turns for name in computed[0]},
        "memory_mib": memory,
    }
