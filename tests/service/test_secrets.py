"""Secrets and pictures are printed nowhere: logs at DEBUG, tracebacks, ``repr``, figures, problems, commands."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from samebody.cli.main import main
from samebody.jobs import Claim, Deliveries, Delivery, Queue
from samebody.service import logs
from samebody.service.limits import Gate
from samebody.service.metrics import Requests
from samebody.service.server import server
from samebody.service.settings import ServiceSettings
from samebody.service.setup import prepare
from samebody.service.webhooks import Sender
from samebody.store.backup import backup
from tests.service.conftest import Running, listening
from tests.service.test_console import in_review, token, visitor
from tests.store.conftest import MASTER

NOTE = "PLANTED note about the person"
PLACE = "PLANTED place where it was taken"


def picture() -> bytes:
    """A picture that decodes, with words of a person in its metadata."""
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x010E], exif[0x9286] = PLACE, PLACE
    image = Image.effect_noise((64, 48), 80).convert("RGB")
    image.save(stream, "JPEG", exif=exif, comment=PLACE.encode())
    return stream.getvalue()


def forms(name: str, value: bytes) -> dict[str, bytes]:
    """A secret in the ways in which it could be written."""
    return {
        name: value,
        f"{name}, hex": value.hex().encode(),
        f"{name}, base64": base64.b64encode(value)[:-4],
        f"{name}, repr": repr(value).encode()[2:-1],
    }


def everything(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.fixture
def at_debug(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG)
    loud = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    before = [each.level for each in loud]
    for each in loud:
        each.setLevel(logging.DEBUG)
    yield caplog
    for each, level in zip(loud, before, strict=True):
        each.setLevel(level)


def test_a_whole_session_leaves_no_secret_in_logs_figures_disk_or_backup(
    service: Running, tmp_path: Path, at_debug: pytest.LogCaptureFixture
) -> None:
    sent, http, api = picture(), service.http(service.admin_key), service.client()
    session = in_review(service, sent)
    endpoint = api.create_endpoint(url="https://example.org/hook")
    made, person = service.consented(metadata={"note": NOTE})
    upload = person.begin_upload(made["id"], role="selfie", content_type="image/jpeg", parts=1)["upload"]
    person.put_part(upload, 1, sent)
    person.complete_upload(upload)
    link = httpx.URL(api.media_link(session["id"], session["media"])["url"]).path
    assert service.http().get(link).content == sent
    console = visitor(service)
    page = console.get(f"/console/cases/{session['id']}")
    cookie = console.cookies["samebody_console"]
    fields = {"token": token(page), "decision": "reject", "code": "review.other", "note": NOTE}
    assert console.post(f"/console/cases/{session['id']}/decide", data=fields).status_code == 200
    sender = Sender(resolve=lambda *_: ["93.184.216.34"], transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    deliveries = Deliveries(service.store, sender)
    assert deliveries.fan_out() and deliveries.deliver_due()
    http.post("/v1/sessions", content=b'{"metadata": "' + NOTE.encode())
    backup(service.store, tmp_path / "backup")

    secrets = {
        **forms("admin key", service.admin_key.rpartition(".")[2].encode()),
        **forms("client token", made["client_token"].rpartition(".")[2].encode()),
        **forms("webhook secret", base64.b64decode(endpoint["secret"].removeprefix("whsec_"))),
        **forms("link", link.rpartition(".")[2].encode()),
        **forms("upload", upload.rpartition(".")[2].encode()),
        **forms("cookie", cookie.rpartition(".")[2].encode()),
        **forms("form", fields["token"].encode()),
        **forms("master key", MASTER),
        **forms("picture", sent[200:232]),
        **forms("metadata of the picture", PLACE.encode()),
        **forms("note", NOTE.encode()),
        "digest of the picture": hashlib.sha256(sent).hexdigest()[:16].encode(),
    }
    # the client of this test tells the addresses that it asks; the service's own clients are not among these
    told = [each for each in at_debug.records if each.name != "httpx" or "http://service.test" not in each.getMessage()]
    logged = "\n".join(f"{each.getMessage()} {each.__dict__}" for each in told).encode()
    described = json.dumps(service.app.openapi()).encode()
    written = {
        "logs": logged,
        "figures": service.http().get("/v1/metrics").content + service.http().get("/v1/readyz").content,
        "disk, write-ahead log, backup": everything(tmp_path),
        "audit log": http.get("/v1/audit-events", params={"limit": 200}).content,
        "document": described,
        "deliveries": http.get(f"/v1/webhook-endpoints/{endpoint['id']}/deliveries").content,
        "endpoints": http.get("/v1/webhook-endpoints").content,
        "keys": http.get("/v1/api-keys").content,
    }
    assert len(logged) > 1000 and all(written.values())
    found = {(place, name) for place, data in written.items() for name, secret in secrets.items() if secret in data}
    assert found == set()
    # the search finds what is there: the same words in plain, for who holds the keys
    assert service.store.vault.read("local", session["media"]).count(PLACE.encode())


def test_nothing_that_holds_a_secret_prints_it(service: Running) -> None:
    state = service.app.state.service
    with service.store.read() as tx:
        tenant = service.store.keys.of(tx, "local", "tenant", "local")
    delivery = Delivery("local", "d", "m", "e", "https://x", b"{}", 0, (b"webhook secret of 32 bytes......",))
    prepare(service.store, "other")
    things = (
        state, state.settings, state.runtime, service.store, service.store.keys, service.store.keys.keyring, tenant,
        delivery, state.client_tokens, service.store.database, service.store.vault, service.app,
        claimed(service),
    )  # fmt: skip
    printed = "\n".join(f"{each!r} {each!s}" for each in things).encode()
    for secret in (MASTER, tenant.secret, b"webhook secret of 32", service.admin_key.rpartition(".")[2].encode()):
        for name, form in forms("secret", secret).items():
            assert form not in printed, name


def claimed(service: Running) -> Claim:
    """A claim, with the token of its lease."""
    service.submitted(picture())
    claim = Queue(service.store).claim("w")
    assert claim is not None and claim.token not in repr(claim)
    return claim


@pytest.fixture
def kept_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logs and hooks are as before afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_fault_on_the_real_server_is_logged_by_type_and_place_only(
    kept_logging: None, capsys: pytest.CaptureFixture[str], style: str
) -> None:
    logs.set_up(style)
    app = FastAPI()

    @app.get("/v1/broken")
    def broken() -> None:
        try:
            raise KeyError("PLANTED name of a person")
        except KeyError as error:
            raise RuntimeError("PLANTED pixels 255 255 255") from error

    settings = ServiceSettings()
    app.add_middleware(Gate, settings=settings, requests=Requests())
    with listening(server(app, settings, host="127.0.0.1", port=0)) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/broken", timeout=20)
    assert answer.status_code == 500 and "PLANTED" not in answer.text
    logged = capsys.readouterr().err
    assert "RuntimeError" in logged and "test_secrets.py" in logged and "broken" in logged
    assert "PLANTED" not in logged


def test_what_nobody_catches_is_told_without_its_text(kept_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text")
    thread = threading.Thread(target=lambda: [][int("PLANTED name"[:0] or 7)])
    thread.start()
    thread.join()
    try:
        raise ValueError("PLANTED text")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
        logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)
    logged = capsys.readouterr().err
    assert "IndexError" in logged and logged.count("ValueError") == 2 and "PLANTED" not in logged


def test_the_doctor_and_errors_of_commands_name_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], kept_logging: None
) -> None:
    monkeypatch.setenv("SAMEBODY_MASTER_KEY", MASTER.hex())
    address = "postgresql://samebody:PLANTEDpassword@127.0.0.1:1/none"
    for arguments in (
        ["doctor", "--store", address, "--media", str(tmp_path)],
        ["doctor", "--store", address, "--media", str(tmp_path), "--json"],
        ["store", "sweep", "--store", address, "--media", str(tmp_path)],
        ["serve", "--role", "worker", "--store", address, "--media", str(tmp_path)],
        ["serve", "--role", "prepare", "--store", "postgresql://u:PLANTEDpassword@[", "--media", str(tmp_path)],
    ):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        text = "".join(capfd.readouterr())
        assert left.value.code and "PLANTEDpassword" not in text and MASTER.hex() not in text, arguments


def test_settings_that_are_wrong_are_told_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    from samebody.errors import ConfigError
    from samebody.service.settings import load_service_settings

    monkeypatch.setenv("SAMEBODY_SERVICE_RATE", "PLANTEDsecret")
    with pytest.raises(ConfigError) as error:
        load_service_settings()
    assert "rate" in str(error.value) and "PLANTEDsecret" not in str(error.value)


def test_children_get_addresses_by_their_environment_where_ps_does_not_show_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from samebody.cli import serve
    from samebody.cli.store_common import StorePlace

    address = "postgresql://u:PLANTEDpassword@db/name"
    place = StorePlace(address, "s3://bucket")
    commands, environment = serve.children(
        place, log_format="json", host="127.0.0.1", port=1, public_url="http://x", workers=2
    )
    assert set(commands) == {"api", "housekeeper", "worker 1", "worker 2"}
    assert not [part for command in commands.values() for part in command if "PLANTED" in part]
    assert environment["SAMEBODY_STORE"] == address and environment["SAMEBODY_MEDIA"] == "s3://bucket"
