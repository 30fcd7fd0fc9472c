"""From a session to a verdict and its webhook, on real pictures, through the typed client."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from samebody.config import load_settings
from samebody.jobs import Deliveries, Queue, Worker
from samebody.service.client import AsyncClient, verify_webhook
from samebody.service.verifiers import Verifiers
from samebody.service.webhooks import Sender
from samebody.service.work import VerifySession
from tests.service.conftest import Pictures, Running
from tests.store.conftest import SetClock


@pytest.mark.weights
def test_a_session_reaches_a_verdict_and_its_webhook_is_verified(
    service: Running, pictures: Pictures, clock: SetClock
) -> None:
    received: list[httpx.Request] = []

    def receiver(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(204)

    api = service.client(service.key("integrator"))
    endpoint = api.create_endpoint(url="https://shop.test/hooks", kinds=["session.accepted"])
    made = api.create_session(policy="no-liveness", reference="order 7", metadata={"basket": 3})
    assert made["state"] == "created"

    person = service.client(made["client_token"])
    assert {text["language"] for text in person.list_consent_texts(made["id"])} >= {"en", "de"}
    person.give_consent(made["id"], version="2026-1", language="en")
    person.upload_media(made["id"], pictures.selfie.read_bytes(), role="selfie", content_type="image/jpeg")
    person.upload_media(made["id"], pictures.document.read_bytes(), role="document_front", content_type="image/jpeg")
    assert person.submit_session(made["id"])["state"] == "submitted"

    worker = Worker(Queue(service.store), VerifySession(service.store, Verifiers(service.store, load_settings())))
    assert worker.drain() == 1
    assert api.get_session(made["id"])["state"] == "accepted"
    verdict = api.get_verdict(made["id"])
    assert verdict["decision"] == "accept"
    assert verdict["policy"] == "no-liveness"
    assert verdict["body"] is not None and verdict["body"]["findings"]
    assert [each["action"] for each in api.session_events(made["id"])["items"]][-1] == "session.accept"

    transport = httpx.MockTransport(receiver)
    sender = Sender(
        resolve=lambda host, port: ["203.0.113.7"] if host != "shop.test" else ["93.184.216.34"], transport=transport
    )
    deliveries = Deliveries(service.store, sender)
    assert deliveries.fan_out() and deliveries.deliver_due() == 1
    (request,) = received
    assert request.url.host == "93.184.216.34" and request.headers["host"] == "shop.test"
    message = verify_webhook(endpoint["secret"], request.headers, request.content)
    assert message["type"] == "session.accepted"
    assert message["data"]["session"] == made["id"] and message["data"]["reference"] == "order 7"
    (delivery,) = api.list_deliveries(endpoint["id"])["items"]
    assert delivery["state"] == "delivered" and delivery["last_status"] == 204


def test_the_asynchronous_client_does_the_same(service: Running) -> None:
    async def work() -> str:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://service.test")
        async with AsyncClient("http://service.test", service.admin_key, http=http) as api:
            made = await api.create_session(policy="default")
            return (await api.get_session(made["id"]))["state"]

    assert asyncio.run(work()) == "created"
