"""Active liveness in a real browser: somebody who does what is asked, a still picture, a loop, and who wants none."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from samebody.attacks import challenge as challenges
from samebody.attacks.active import CHECKS
from samebody.config import load_settings
from samebody.decide.load import policy_text
from samebody.jobs import Deliveries, Queue, Worker
from samebody.service.client import verify_webhook
from samebody.service.webhooks import Sender
from samebody.service.work import VerifySession
from tests.service.acting_camera import Mode, bank_of, script
from tests.service.conftest import Pictures, Running
from tests.service.test_capture_page import address, browser, built

__all__ = ["address", "browser"]

pytestmark = [built, pytest.mark.browser, pytest.mark.weights]
POLICY = "active-liveness"
DESK, PHONE = {"width": 1100, "height": 900}, {"width": 390, "height": 844}


class Now:
    """The time of day: a challenge is timed by the server too."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def clock() -> Now:
    return Now()


@pytest.fixture(scope="module")
def bank(pictures: Pictures) -> dict[str, Any]:
    return bank_of(pictures.selfie)


@pytest.fixture
def shortest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Challenges of three actions and the least times: 13 seconds. What is asked stays a matter of chance."""
    chance = random.SystemRandom()

    def draw(below: int) -> int:
        return 0 if below == 3 or below > 100 else chance.randrange(below)

    monkeypatch.setattr("samebody.service.challenges.draw_challenge", lambda: challenges.draw_challenge(draw))


class Hooks:
    """A shop's own server that takes webhooks in."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        kept = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                kept.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    opened = Hooks()
    yield opened
    opened.close()


class Visit:
    """One person's way through the page."""

    def __init__(self, service: Running, browser: Any, mode: Mode, bank: dict[str, Any], **context: Any) -> None:
        self.made = service.client().create_session(policy=POLICY)
        settings = {"viewport": PHONE, "locale": "en-GB", "permissions": ["camera"], **context}
        self.page = browser.new_context(**settings).new_page()
        self.page.add_init_script(script=script(mode, bank))
        self.page.goto(self.made["capture_url"])

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def selfie(self) -> None:
        self.button("I agree").press("Enter")
        self.button("Start the camera").press("Enter")
        self.button("Use this picture").press("Enter", timeout=60_000)  # taken by itself once the face is well placed
        self.page.get_by_role("heading", name="Show that you are here").wait_for()

    def document(self, pictures: Pictures) -> None:
        self.page.get_by_role("heading", name="Your identity document").wait_for(timeout=90_000)
        self.page.locator("input[type=file]").set_input_files(str(pictures.document))
        self.button("Use this picture").press("Enter")
        self.page.get_by_text("We are checking").wait_for()


def verdict_of(service: Running, session: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    found = service.client().get_verdict(session)
    return found, {each["check"]: each for each in found["body"]["findings"]}


def work(service: Running) -> int:
    return Worker(Queue(service.store), VerifySession(service.store, load_settings())).drain()


def trust_the_checks(service: Running) -> None:
    """The next version of the policy takes the word of checks that were measured on generated attacks only."""
    text = policy_text(POLICY)[0].replace("\nlayers:", "\nallow_unvalidated_pad: true\nlayers:", 1)
    answer = service.http(service.admin_key).post(f"/v1/policies/{POLICY}", json={"text": text})
    assert answer.status_code < 300, answer.text


def test_a_person_passes_and_a_still_picture_fails(
    address: tuple[str, Running],
    browser: Any,
    bank: dict[str, Any],
    pictures: Pictures,
    hooks: Hooks,
    shortest: None,
) -> None:
    _, service = address
    trust_the_checks(service)
    endpoint = service.client().create_endpoint(url=hooks.url)
    person, still = Visit(service, browser, "person", bank), Visit(service, browser, "still", bank, viewport=DESK)
    for each in (person, still):
        each.selfie()
        each.button("Begin").press("Enter")
    for each in (person, still):
        each.document(pictures)
    assert work(service) == 2

    found, findings = verdict_of(service, person.made["id"])
    outcomes = {check: findings[check]["outcome"] for check in CHECKS}
    assert {name: outcomes[name] for name in CHECKS if not name.endswith(".frames")} == dict.fromkeys(
        (name for name in CHECKS if not name.endswith(".frames")), "pass"
    ), findings
    assert found["decision"] in ("accept", "review"), found["body"]["reasons"]

    refused, findings = verdict_of(service, still.made["id"])
    assert refused["decision"] == "reject"
    assert findings["selfie.liveness.pose"]["outcome"] == "fail"
    assert "attacks.active_not_followed" in [each["code"] for each in refused["body"]["reasons"]]
    person.page.get_by_text(
        "Your identity is confirmed" if found["decision"] == "accept" else "A person will look"
    ).wait_for()
    still.page.get_by_text("could not be confirmed").wait_for()

    deliveries = Deliveries(service.store, Sender(private=True))
    deliveries.fan_out()
    deliveries.deliver_due()
    told = [verify_webhook(endpoint["secret"], headers, body) for headers, body in hooks.received]
    ended = {each["data"]["session"]: each["type"] for each in told}
    assert ended[still.made["id"]] == "session.rejected"
    assert ended[person.made["id"]] in ("session.accepted", "session.review")
