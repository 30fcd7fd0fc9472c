"""What is deployed: manifests, alarms, the commands of the guide, what the doctor sees, how a process ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from samebody.cli.doctor import command as doctor_command
from samebody.cli.main import cli
from samebody.jobs import Queue, Worker
from samebody.service.metrics import exposition
from samebody.service.ready import readiness
from samebody.service.server import DrainingServer, server
from samebody.service.settings import ServiceSettings
from samebody.store import LocalMasterKey, State, Store
from samebody.store.audit import verify_log
from tests.service.conftest import Running, listening
from tests.store.conftest import MASTER, SetClock, conclusion, furnish, submit
from tests.store.golden.make import fill
from tests.store.postgresql import NewDatabase
from tests.store.resp import FakeRedis, fake_redis
from tests.store.s3 import Bucket, bucket
from tests.store.test_upgrade import goes_on

__all__ = ["bucket", "fake_redis"]
ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "samebody.yaml").read_text("utf-8")))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
GUIDE = (ROOT / "docs" / "how-to" / "deploy.md").read_text("utf-8")
OF_THE_STORE = {f"SAMEBODY_{name}" for name in ("STORE", "MEDIA", "MASTER_KEY", "MASTER_KEY_FILE", "WAKE")}


@pytest.mark.parametrize("version", ["1.28", "1.31"])
def test_the_manifests_are_valid_for_kubernetes(version: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="schemas of Kubernetes are in the extra dev")
    for document in MANIFESTS:
        validate.validate(document, version, strict=True)
    broken = json.loads(json.dumps(MANIFESTS[2]))
    broken["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(validate.ValidationError):
        validate.validate(broken, version, strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here")
def test_kubectl_reads_the_manifests() -> None:
    made = subprocess.run(["kubectl", "kustomize", str(DEPLOY / "kubernetes")], capture_output=True, check=True)
    assert len(list(yaml.safe_load_all(made.stdout))) == len(MANIFESTS)


def pods() -> Iterator[dict[str, Any]]:
    for document in MANIFESTS:
        if document["kind"] in ("Deployment", "Job"):
            yield document["spec"]["template"]["spec"]


def test_no_pod_and_no_container_has_rights() -> None:
    assert len(list(pods())) == 4
    for pod in pods():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsUser"] == 10001 and pod["securityContext"]["runAsNonRoot"] is True
        assert not pod["automountServiceAccountToken"]
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
    for name in ("prepare", "api", "worker", "housekeeper"):
        service = COMPOSE["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "privileged" not in service
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_setting_that_is_deployed_exists() -> None:
    named = set(re.findall(r"SAMEBODY_[A-Z_]+", (DEPLOY / "compose.yaml").read_text()))
    named |= set(re.findall(r"SAMEBODY_[A-Z_]+", (DEPLOY / "kubernetes" / "samebody.yaml").read_text()))
    named |= set(re.findall(r"SAMEBODY_[A-Z_]+", GUIDE))
    fields = {f"SAMEBODY_SERVICE_{name.upper()}" for name in ServiceSettings.model_fields}
    assert named - fields - OF_THE_STORE == {"SAMEBODY_SERVICE_"} & named
    grace = next(pods())["terminationGracePeriodSeconds"]
    data = next(each for each in MANIFESTS if each["kind"] == "ConfigMap")["data"]
    assert grace >= float(data["SAMEBODY_SERVICE_DRAIN_SECONDS"]) + 30  # what a worker may hold


def test_the_image_is_made_of_what_is_here() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE) and "STOPSIGNAL SIGTERM" in last
    for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    extras = re.search(r"'\.\[([a-z,]+)\]'", text)
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for extra in extras[1].split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {"!src", "!web", "!pyproject.toml", "!constraints.txt"} <= set(ignored)


def test_alarms_name_figures_that_are_told(service: Running) -> None:
    parser = pytest.importorskip("promql_parser", reason="the parser of PromQL is in the extra dev")
    furnish_one_of_each(service)
    told = exposition(service.app.state.service)
    names = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))
    names |= {f"{name}_{part}" for name in names for part in ("bucket", "sum", "count")} | {"up"}
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text("utf-8"))["groups"][0]["rules"]
    assert len(rules) >= 8
    for rule in rules:
        parser.parse(rule["expr"])
        used = set(re.findall(r"\b(samebody_\w+|up)\b(?=[\[{) ])", rule["expr"]))
        assert used and used <= names, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"]
    for operation in ("complete_upload", "upload_media"):
        assert f'"operationId": "{operation}"' in (ROOT / "docs" / "reference" / "openapi.json").read_text()


def furnish_one_of_each(service: Running) -> None:
    with service.store.write() as tx:
        service.store.policies.put(tx, "local", "default", "layers: []", actor="t")
        service.store.consents.add_text(tx, "local", "2026-01", "en", "I agree.", actor="t")
    submit(service.store)
    service.http(service.admin_key).get("/v1/sessions")


def test_the_figures_say_how_long_work_waits(service: Running, clock: SetClock) -> None:
    furnish_one_of_each(service)
    clock.move(seconds=90)
    told = exposition(service.app.state.service)
    assert "samebody_oldest_waiting_seconds 90\n" in told and "samebody_workers 0\n" in told
    Worker(Queue(service.store), lambda claim: conclusion()).drain()
    assert "samebody_oldest_waiting_seconds 0\n" in exposition(service.app.state.service)


def test_readiness_says_no_first_and_requests_in_hand_are_answered(service: Running) -> None:
    inner = service.app.state.service
    working, release = threading.Event(), threading.Event()

    @service.app.get("/slow")
    def slow() -> str:
        working.set()
        assert release.wait(30)
        return "done"

    settings = ServiceSettings(drain_seconds=1.0)
    running = server(service.app, settings, host="127.0.0.1", port=0, drain=inner.drain)
    assert isinstance(running, DrainingServer)
    answers: list[str] = []
    with listening(running) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        assert http.get("/v1/readyz").json()["parts"]["process"]["ok"] is True
        asking = threading.Thread(
            target=lambda: answers.append(httpx.get(f"http://127.0.0.1:{port}/slow", timeout=60).text)
        )
        asking.start()
        assert working.wait(30)
        running.handle_exit(signal.SIGTERM, None)
        answer = http.get("/v1/readyz")
        assert answer.status_code == 503 and answer.json()["parts"]["process"] == {
            "ok": False,
            "detail": "shutting down",
        }
        assert http.get("/v1/healthz").status_code == 200  # it goes on for a while
        while not running.should_exit:
            time.sleep(0.01)
        release.set()
        asking.join(30)
    assert answers == ['"done"']
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/v1/healthz")


def test_a_second_signal_ends_at_once(service: Running) -> None:
    running = server(service.app, ServiceSettings(drain_seconds=300), host="127.0.0.1", port=0)
    running.handle_exit(signal.SIGTERM, None)
    assert not running.should_exit
    running.handle_exit(signal.SIGTERM, None)
    assert running.should_exit


def test_readiness_sees_a_bucket_and_a_database_that_are_away(
    tmp_path: Path, bucket: Bucket, postgresql_database: str
) -> None:
    from samebody.config import load_settings
    from samebody.service.app import create_app
    from samebody.service.setup import prepare

    with Store.open(postgresql_database, media=bucket.url, master=[LocalMasterKey(MASTER)]) as store:
        prepare(store)
        inner = create_app(store, ServiceSettings(), load_settings()).state.service
        assert readiness(inner)["store"][0] and readiness(inner)["media"][0]
        assert readiness(inner)["hints"] == (True, "PostgreSQL")
        bucket.fault = lambda method, key: 403
        parts = readiness(inner)
        assert parts["media"] == (False, "store.blobs_away") and parts["store"][0]
        bucket.fault = lambda method, key: None
        end_all_connections(store, postgresql_database)
        parts = readiness(inner)
        assert parts["store"] == (False, "store.unavailable") and parts["queue"] == (False, "store.unavailable")


def end_all_connections(store: Store, url: str) -> None:
    """Forbid the database to everybody, and end who is connected."""
    from sqlalchemy import create_engine, text

    server_url, _, name = url.rpartition("/")
    engine = create_engine(f"{server_url}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
    engine.dispose()


Doctor = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    key = tmp_path / "doctor.key"
    key.write_text(MASTER.hex())
    key.chmod(0o600)

    def look(where: str, media: str, **environment: str) -> dict[str, dict[str, str]]:
        arguments = ["--store", where, "--media", media, "--key-file", str(key), "--json"]
        run = CliRunner().invoke(doctor_command, arguments, env=environment)
        return {line["part"]: line for line in json.loads(run.stdout)}

    return look


def test_the_doctor_looks_at_database_bucket_and_redis(
    postgresql_database: str, bucket: Bucket, fake_redis: FakeRedis, doctor: Doctor
) -> None:
    with Store.open(postgresql_database, media=bucket.url, master=[LocalMasterKey(MASTER)]) as store:
        furnish(store)
    lines = doctor(postgresql_database, bucket.url, SAMEBODY_WAKE=fake_redis.url)
    assert lines["database"]["state"] == "fault" and "fsync is off" in lines["database"]["detail"]  # in tests it is
    assert lines["sealed files"]["state"] == "ok" and lines["hints"] == {
        "part": "hints",
        "state": "ok",
        "detail": "Redis",
    }
    assert "bucket" not in lines
    fake_redis.kill()
    bucket.versioned = True
    lines = doctor(postgresql_database, bucket.url, SAMEBODY_WAKE=fake_redis.url)
    assert lines["hints"]["state"] == "note" and "look by themselves" in lines["hints"]["detail"]
    assert lines["bucket"]["state"] == "note" and "keeps versions" in lines["bucket"]["detail"]
    bucket.fault = lambda method, key: 403
    assert doctor(postgresql_database, bucket.url)["sealed files"]["state"] == "fault"
    assert doctor(postgresql_database, bucket.url)["hints"]["detail"] == "PostgreSQL"


def commands_of(section: str) -> list[str]:
    """The commands of a section of the guide, one a line."""
    text = GUIDE[GUIDE.index(f"\n## {section}\n") :].split("\n## ", 2)[1]
    lines = [
        line.strip() for block in re.findall(r"((?:^    .+\n)+)", text, re.MULTILINE) for line in block.splitlines()
    ]
    lines = [line.split("  #")[0].strip() for line in lines if line.startswith(("samebody ", "export "))]
    return [line for line in lines if not line.startswith("samebody serve")]  # those run until they are ended


def follow(commands: list[str], names: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do what the guide says, word by word, with the reader's own addresses in the places of its examples."""
    printed = []
    for command in commands:
        for example, own in names.items():
            command = command.replace(example, own)
        first, *rest = shlex.split(command)
        if first == "export":
            name, _, value = rest[0].partition("=")
            monkeypatch.setenv(name, value)
            continue
        run = CliRunner().invoke(cli, rest)
        assert run.exit_code == 0, (command, run.output, run.exception)
        printed.append(run.output)
    return printed


def test_the_guide_moves_a_store_to_postgresql_and_a_bucket(
    tmp_path: Path, new_database: NewDatabase, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "samebody-store.key"
    key.write_text(MASTER.hex())
    key.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    with Store.open("samebody-store", master=[LocalMasterKey(MASTER)], clock=SetClock()) as store:
        fill(store)
    target = new_database()
    names = {"postgresql://samebody@db.example.org/samebody": target, "s3://example-bucket/sealed": bucket.url}
    names |= {"https://storage.example.org": os.environ["AWS_ENDPOINT_URL"], "eu-central-1": "eu-test-1"}
    for name in ("SAMEBODY_STORE", "SAMEBODY_MEDIA", "SAMEBODY_MASTER_KEY_FILE"):
        monkeypatch.setenv(name, "")  # so that it is as it was afterwards
        monkeypatch.delenv(name)
    commands = commands_of("From one machine to several")
    assert len(commands) >= 5
    printed = "\n".join(follow(commands, names, monkeypatch))
    assert "keys destroyed again" in printed and "sound" in printed.lower()
    assert "golden sample" not in str([data for data, _ in bucket.objects.values()])
    with Store.open(target, media=bucket.url, master=[LocalMasterKey(MASTER)], clock=SetClock(), create=False) as moved:
        goes_on(moved)


def test_the_guide_backs_up_restores_and_rotates_the_master_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.key").write_text(MASTER.hex())
    (tmp_path / "old.key").chmod(0o600)
    with Store.open("samebody-store", master=[LocalMasterKey(MASTER)]) as store:
        furnish(store)
        session_id, _ = submit(store)
    monkeypatch.setenv("SAMEBODY_STORE", str(tmp_path / "samebody-store"))
    monkeypatch.setenv("SAMEBODY_MASTER_KEY_FILE", str(tmp_path / "old.key"))
    follow(commands_of("Back up and restore"), {"/backups/today": str(tmp_path / "backup")}, monkeypatch)
    with (
        Store.open("again", media="again-media", master=[LocalMasterKey(MASTER)], create=False) as again,
        again.read() as tx,
    ):
        assert again.sessions.get(tx, "local", session_id).state is State.SUBMITTED
    printed = "\n".join(follow(commands_of("Rotate the master key"), {}, monkeypatch))
    assert "re-wrapped" in printed
    with Store.open("samebody-store", master=[LocalMasterKey.from_file(tmp_path / "new.key")], create=False) as store:
        assert Worker(Queue(store), lambda claim: conclusion()).drain() == 1
        with store.read() as tx:
            assert store.sessions.get(tx, "local", session_id).state is State.ACCEPTED
            assert verify_log(tx, store.audit).sound
