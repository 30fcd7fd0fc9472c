"""Every part exchanged by configuration alone: PostgreSQL, a bucket, Redis, four processes; some of them die."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.service_load.served import Receiver, free_port
from samebody.service.client import ApiError, Client
from samebody.store import LocalMasterKey, Store
from samebody.store.audit import verify_log
from tests.service.conftest import Pictures
from tests.store.conftest import MASTER
from tests.store.resp import FakeRedis, fake_redis
from tests.store.s3 import Bucket, bucket

__all__ = ["bucket", "fake_redis"]
pytestmark = [pytest.mark.weights, pytest.mark.slow]


class Processes:
    """``samebody serve`` in its roles, with nothing but the environment between them."""

    def __init__(self, environment: dict[str, str], folder: Path, port: int) -> None:
        self._environment, self._folder, self._port = environment, folder, port
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, role: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "samebody", "serve", "--role", role, "--port", str(self._port)]
        log = (self._folder / f"{name}.log").open("wb")
        self.running[name] = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        return self.running[name]

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()

    def stop(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def processes(
    tmp_path: Path, postgresql_database: str, bucket: Bucket, fake_redis: FakeRedis, _weights: None
) -> Iterator[Processes]:
    environment = {
        **os.environ,
        "SAMEBODY_STORE": postgresql_database,
        "SAMEBODY_MEDIA": bucket.url,
        "SAMEBODY_WAKE": fake_redis.url,
        "SAMEBODY_MASTER_KEY": MASTER.hex(),
        "SAMEBODY_SERVICE_PRIVATE_WEBHOOKS": "true",
        "SAMEBODY_SERVICE_LEASE_SECONDS": "5",
        "SAMEBODY_SERVICE_DRAIN_SECONDS": "2",
    }
    made = Processes(environment, tmp_path, free_port())
    yield made
    made.stop()


def test_a_session_over_four_processes_of_which_some_die(
    processes: Processes,
    pictures: Pictures,
    bucket: Bucket,
    fake_redis: FakeRedis,
    postgresql_database: str,
) -> None:
    assert processes.start("prepare", "prepare").wait(120) == 0
    found = re.search(r"Admin key \(shown this once\): (\S+)", processes.log("prepare"))
    assert found is not None
    api_process = processes.start("api", "api")
    for name in ("worker 1", "worker 2"):
        processes.start(name, "worker")
    processes.start("housekeeper", "housekeeper")
    url, end = f"http://127.0.0.1:{processes._port}", time.monotonic() + 180
    with Client(url, found[1], retries=0) as api, Receiver() as receiver:
        while True:
            try:
                if api.readyz()["ready"]:
                    break
            except (ApiError, httpx.HTTPError):
                assert time.monotonic() < end, processes.log("api")
            time.sleep(0.2)
        while fake_redis.subscribers < 2:
            assert time.monotonic() < end
            time.sleep(0.1)
        receiver.register(api, ["session.accepted"])

        def submitted() -> str:
            made = api.create_session(policy="no-liveness")
            with Client(url, made["client_token"]) as person:
                person.give_consent(made["id"], version="2026-1", language="en")
                for role, picture in (("selfie", pictures.selfie), ("document_front", pictures.document)):
                    person.upload_media(made["id"], picture.read_bytes(), role=role, content_type="image/jpeg")
                person.submit_session(made["id"])
            return str(made["id"])

        def settled(session: str) -> str:
            while (state := api.get_session(session)["state"]) in ("submitted", "processing"):
                assert time.monotonic() < end, processes.log("worker 2")
                time.sleep(0.1)
            return str(state)

        first = submitted()
        assert settled(first) == "accepted" and fake_redis.published
        second = submitted()
        processes.running["worker 1"].send_signal(signal.SIGKILL)
        fake_redis.kill()
        third = submitted()
        assert settled(second) == settled(third) == "accepted"
        while set(receiver.told()) != {first, second, third}:
            assert time.monotonic() < end and receiver.wrong == []
            time.sleep(0.1)

        api_process.send_signal(signal.SIGTERM)
        with httpx.Client(base_url=url) as http:
            deadline = time.monotonic() + 2
            while http.get("/v1/readyz").json()["parts"]["process"]["ok"]:
                assert time.monotonic() < deadline
        api_process.wait(60)
        processes.running["worker 2"].send_signal(signal.SIGTERM)
        assert processes.running["worker 2"].wait(60) == 0
    plain = pictures.selfie.read_bytes()[1000:1032]
    assert len([key for key in bucket.objects if "/case_" in key]) == 6
    assert not [key for key, (data, _) in bucket.objects.items() if plain in data]
    with (
        Store.open(postgresql_database, media=bucket.url, master=[LocalMasterKey(MASTER)]) as store,
        store.read() as tx,
    ):
        assert verify_log(tx, store.audit).sound
