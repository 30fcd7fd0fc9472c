"""Logs without people in them, the doctor, signs of life, children that are started again, what is deployed."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from samebody.cli.doctor import command as doctor
from samebody.service.logs import JsonLines
from samebody.service.processes import Supervisor
from samebody.service.workers import SignOfLife, seen_workers
from samebody.store import LocalMasterKey
from tests.service.conftest import Running

ROOT = Path(__file__).resolve().parents[2]


def test_a_log_line_holds_codes_and_never_an_error_text() -> None:
    try:
        pixels = [255] * 3
        raise ValueError(f"face of Anna {pixels}")
    except ValueError:
        record = logging.LogRecord(
            "samebody.x", logging.ERROR, "f.py", 1, "work failed: %s", ("a.code",), sys.exc_info()
        )
    record.request_id, record.picture = "req_1", b"\xff\xd8"
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "work failed: a.code" and line["request_id"] == "req_1" and line["error"] == "ValueError"
    assert "Anna" not in json.dumps(line) and "picture" not in line


def test_workers_are_seen_while_they_live(service: Running) -> None:
    store = service.store
    store.clock = lambda: datetime.now(UTC)  # files have the real time
    assert seen_workers(store, timedelta(seconds=30)) == 0
    with SignOfLife(store, "host:1:abc"):
        deadline = time.monotonic() + 10
        while seen_workers(store, timedelta(seconds=30)) == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert seen_workers(store, timedelta(seconds=30)) == 1
    assert seen_workers(store, timedelta(seconds=30)) == 0


def test_a_killed_child_is_started_again_and_all_end_together(tmp_path: Path) -> None:
    log = tmp_path / "born"
    script = "import os,sys,time; open(sys.argv[1],'a').write(f'{os.getpid()}\\n'); time.sleep(60)"
    supervisor = Supervisor({"child": [sys.executable, "-c", script, str(log)]}, poll=0.05)
    thread = threading.Thread(target=supervisor.run)
    thread.start()

    def born(count: int) -> list[int]:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = [int(line) for line in log.read_text().split()] if log.exists() else []
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError("the child was not started")

    os.kill(born(1)[0], signal.SIGKILL)
    second = born(2)[1]
    supervisor.stop()
    thread.join(20)
    assert not thread.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


@pytest.mark.weights
def test_the_doctor_looks_and_changes_nothing(tmp_path: Path) -> None:
    run = CliRunner().invoke(doctor, ["--store", str(tmp_path / "none"), "--json"])
    lines = {line["part"]: line for line in json.loads(run.stdout)}
    assert lines["python"]["state"] == "ok" and lines["store"]["state"] == "note"
    assert lines["face/sface"]["state"] == "ok"
    assert not (tmp_path / "none").exists()


def test_the_doctor_finds_a_wrong_key(service: Running, tmp_path: Path) -> None:
    key = tmp_path / "wrong.key"
    LocalMasterKey.create_file(key)
    run = CliRunner().invoke(doctor, ["--store", str(tmp_path / "store0"), "--key-file", str(key), "--json"])
    lines = {line["part"]: line for line in json.loads(run.stdout)}
    assert run.exit_code == 1 and lines["master key"]["state"] == "fault"


def test_what_is_deployed_runs_without_rights_and_names_commands_that_exist() -> None:
    from samebody.cli.serve import ROLES

    documents = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "samebody.yaml").read_text("utf-8")))
    pods = [each["spec"]["template"]["spec"] for each in documents if each["kind"] == "Deployment"]
    assert len(pods) == 3
    for pod in pods:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
        assert container["args"][0] == "serve" and container["args"][container["args"].index("--role") + 1] in ROLES
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    for name in ("api", "worker", "housekeeper"):
        service = compose["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["command"][2] in ROLES
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    assert "USER 10001:10001" in text and "models pull" in text
