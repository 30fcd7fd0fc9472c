"""kill -9 of any process at random moments under load: nothing accepted is lost, said twice or contradicted."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.service_load.aftermath import faults, settle
from benchmarks.service_load.pictures import Pictures as Uploads
from benchmarks.service_load.pictures import cheap
from benchmarks.service_load.served import Receiver, Served, working_on
from tests.service.conftest import Pictures
from tests.service.faults import QUICK, Outcome, run

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find the processes"),
]


def killed(
    folder: Path, uploads: Sequence[Uploads], roles: Sequence[str], *, seed: int, pause: float, workers: int
) -> Outcome:
    with ExitStack() as stack:
        served = Served(folder, workers=workers, settings=QUICK)
        receivers = [stack.enter_context(Receiver(refuse=0.5, seed=seed + number)) for number in range(2)]
        stack.enter_context(served)
        with served.client() as api:
            for each in receivers:
                each.register(api)
        outcome = run(served, uploads, roles, seed=seed, pause=pause)
        settle(receivers, outcome.accepted, seconds=300 + len(uploads))
        assert served.stop() == 0
        wait_until_gone(served)
        assert outcome.refused == []
        assert faults(served, receivers, outcome.accepted) == []
        assert all(each.tries > len(each.messages) for each in receivers)  # what was refused came again
    return outcome


def wait_until_gone(served: Served) -> None:
    """Children of parents that were killed end by themselves."""
    deadline = time.monotonic() + 120
    while left := working_on(served.store):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_kills_of_every_process_lose_nothing(tmp_path: Path) -> None:
    uploads = [cheap(number) for number in range(24)]
    outcome = killed(tmp_path, uploads, ["worker", "api", "server"], seed=7, pause=1.0, workers=1)
    assert len(outcome.accepted) == 24 and len(outcome.killed) >= 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_under_load_for_two_hundred_sessions(tmp_path: Path, pictures: Pictures) -> None:
    seed = 20
    chance = random.Random(seed)
    real = Uploads(pictures.selfie.read_bytes(), pictures.document.read_bytes())
    uploads = [real if number % 20 == 0 else cheap(number) for number in range(200)]
    roles = [chance.choice(["worker", "worker", "api", "housekeeper", "server"]) for _ in range(400)]
    outcome = killed(tmp_path, uploads, roles, seed=seed, pause=4.0, workers=2)
    assert len(outcome.accepted) == 200
    assert {"worker", "api", "server"} <= set(outcome.killed)
