"""A service in this process: a store in a temporary folder, the application, clients for each role, real pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra samebody[service] is not installed")

from fastapi import FastAPI
from fastapi.testclient import TestClient

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


@pytest.fixture
def tiny_picture() -> bytes:
    """A picture that decodes, with nothing on it."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (120, 130, 140)).save(stream, "JPEG")
    return stream.getvalue()
