"""A service in this process: a store in a temporary folder, the application, clients for each role, real pictures."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra samebody[service] is not installed")

import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from benchmarks.service_load.served import free_port
from samebody.config import load_settings
from samebody.service.access import scopes_for
from samebody.service.app import create_app
from samebody.service.client import Client
from samebody.service.settings import ServiceSettings
from samebody.service.setup import prepare
from samebody.store import LocalMasterKey, Store
from tests.pipeline.conftest import Pictures, pictures
from tests.store.conftest import MASTER, SetClock, clock
from tests.store.postgresql import new_database, place, postgresql_database, postgresql_server

__all__ = ["Pictures", "clock", "new_database", "pictures", "postgresql_database", "postgresql_server"]


@dataclass
class Running:
    """The application and what to reach it with."""

    app: FastAPI
    store: Store
    admin_key: str

    def http(self, key: str | None = None) -> TestClient:
        """A client that sees answers as they are."""
        client = TestClient(self.app, base_url="http://service.test", raise_server_exceptions=False)
        if key is not None:
            client.headers["Authorization"] = f"Bearer {key}"
        return client

    def client(self, key: str | None = None) -> Client:
        """The typed client."""
        return Client("http://service.test", key or self.admin_key, http=self.http(), retries=0)

    def consented(self, *, purposes: tuple[str, ...] = ("verification",), **options: Any) -> tuple[Any, Client]:
        """A new session whose person has consented, and the person's own client."""
        made = self.client().create_session(**options)
        person = self.client(made["client_token"])
        for purpose in purposes:
            person.give_consent(made["id"], version="2026-1", language="en", purpose=purpose)
        return made, person

    def filled(self, selfie: bytes, document: bytes | None = None, **options: Any) -> tuple[Any, Client]:
        """The same with the pictures that the policy ``no-liveness`` asks for: it only has to be submitted."""
        made, person = self.consented(**{"policy": "no-liveness", **options})
        for role, picture in (("selfie", selfie), ("document_front", document or selfie)):
            person.upload_media(made["id"], picture, role=role, content_type="image/jpeg")
        return made, person

    def submitted(self, selfie: bytes, document: bytes | None = None, **options: Any) -> dict[str, Any]:
        """The same, and it waits for a worker."""
        made, person = self.filled(selfie, document, **options)
        person.submit_session(made["id"])
        return made

    def key(self, role: str, tenant: str = "local", scopes: list[str] | None = None) -> str:
        """A new key of a role."""
        with self.store.write() as tx:
            return self.store.api_keys.create(tx, tenant, role, role, scopes_for(role, scopes), actor="test")[1]  # type: ignore[arg-type]


@pytest.fixture
def start(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Iterator[Callable[..., Running]]:
    opened: list[Store] = []

    def begin(**settings: Any) -> Running:
        settings = {"galleries": tmp_path / f"store{len(opened)}" / "galleries", **settings}
        where, media = place(request, tmp_path / f"store{len(opened)}")
        store = Store.open(where, media=media, master=[LocalMasterKey(MASTER)], clock=clock)
        opened.append(store)
        key = prepare(store).admin_key
        assert key is not None
        return Running(create_app(store, ServiceSettings(**settings), load_settings()), store, key)

    yield begin
    for each in opened:
        each.close()


@pytest.fixture
def service(start: Callable[..., Running]) -> Running:
    return start()


@contextmanager
def listening(running: uvicorn.Server) -> Iterator[int]:
    """A server in a thread, until it is ended or the block is left; its port."""
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not running.started:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def address(start: Callable[..., Running]) -> Iterator[tuple[str, Running]]:
    """Where a browser finds the service, and the service."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    service = start(public_url=url)
    with listening(uvicorn.Server(uvicorn.Config(service.app, host="127.0.0.1", port=port, log_level="error"))):
        yield url, service


@pytest.fixture
def browser(chromium: str) -> Iterator[Any]:
    """A browser with a camera that shows a test picture and is always allowed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        arguments = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        opened = running.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def tiny_picture() -> bytes:
    """A picture that decodes, with nothing on it."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (120, 130, 140)).save(stream, "JPEG")
    return stream.getvalue()
