"""Active liveness in a real browser: somebody who does what is asked, a still picture, a loop, and who wants none."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.service_load.served import Receiver
from samebody.attacks import challenge as challenges
from samebody.attacks.active import CHECKS, ActiveLiveness, read_recording
from samebody.config import load_settings
from samebody.decide.load import policy_text
from samebody.face import FaceAnalyser
from samebody.jobs import Deliveries, Queue, Worker
from samebody.service.challenges import MOST_DRAWS
from samebody.service.verifiers import Verifiers
from samebody.service.webhooks import Sender
from samebody.service.work import VerifySession
from samebody.types import Outcome
from tests.service.acting_camera import Mode, bank_of, script
from tests.service.conftest import Pictures, Running
from tests.service.test_capture_page import ROOT, built

pytestmark = [built, pytest.mark.browser, pytest.mark.weights]
POLICY = "active-liveness"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
"""A browser that a person uses: the injection check knows one that a program drives."""
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


@pytest.fixture
def hooks() -> Iterator[Receiver]:
    """A shop's own server that takes webhooks in."""
    with Receiver() as opened:
        yield opened


class Visit:
    """One person's way through the page."""

    def __init__(self, service: Running, browser: Any, mode: Mode, bank: dict[str, Any], **context: Any) -> None:
        self.made = service.client().create_session(policy=POLICY)
        settings = {"viewport": PHONE, "locale": "en-GB", "permissions": ["camera"], "user_agent": AGENT, **context}
        self.page = browser.new_context(**settings).new_page()
        self.page.add_init_script(script=script(mode, bank))
        self.page.goto(self.made["capture_url"])

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def selfie(self, by_hand: bool = False) -> None:
        self.button("I agree").press("Enter")
        self.button("Start the camera").press("Enter")
        if by_hand:
            self.button("Take the picture").press("Enter", timeout=60_000)
        self.button("Use this picture").press("Enter", timeout=60_000)  # taken by itself once the face is well placed
        self.page.get_by_role("heading", name="Show that you are here").wait_for()

    def prompted(self) -> None:
        """Wait until something is asked for."""
        self.page.locator(".prompt[data-action]:not([data-action=''])").wait_for(timeout=60_000)

    def answered(self) -> None:
        """Wait until the challenge was taken in; do it again where the page asks for that, as on a slow machine."""
        for _ in range(MOST_DRAWS):
            self.page.locator("h1:text('Your identity document'), .alarm").first.wait_for(timeout=90_000)
            if not self.page.locator(".alarm").count():
                return
            self.button("Begin").press("Enter")
            self.page.locator(".alarm").wait_for(state="detached")
        raise AssertionError("no challenge was taken in")

    def document(self, pictures: Pictures) -> None:
        self.answered()
        self.page.locator("input[type=file]").set_input_files(str(pictures.document))
        self.button("Use this picture").press("Enter")
        self.page.get_by_text("We are checking").wait_for()


def verdict_of(service: Running, session: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    found = service.client().get_verdict(session)
    return found, {each["check"]: each for each in found["body"]["findings"]}


def work(service: Running) -> int:
    return Worker(Queue(service.store), VerifySession(service.store, Verifiers(service.store, load_settings()))).drain()


def trust_the_checks(service: Running) -> None:
    """The next version of the policy takes the word of checks that were measured on generated attacks only."""
    text = policy_text(POLICY)[0].replace("\nlayers:", "\nallow_unvalidated_pad: true\nlayers:", 1)
    answer = service.http(service.admin_key).post(f"/v1/policies/{POLICY}", json={"text": text, "reason": "a test"})
    assert answer.status_code < 300, answer.text


def test_a_person_passes_and_a_still_picture_fails(
    address: tuple[str, Running],
    browser: Any,
    bank: dict[str, Any],
    pictures: Pictures,
    hooks: Receiver,
    shortest: None,
) -> None:
    _, service = address
    trust_the_checks(service)
    hooks.register(service.client())
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
    ended = {each["data"]["session"]: each["type"] for each in hooks.messages.values()}
    assert hooks.wrong == []
    assert ended[still.made["id"]] == "session.rejected"
    assert ended[person.made["id"]] in ("session.accepted", "session.review")


def test_it_can_be_stopped_and_left_out_by_keyboard(
    address: tuple[str, Running], browser: Any, bank: dict[str, Any]
) -> None:
    _, service = address
    visit = Visit(service, browser, "person", bank, reduced_motion="reduce")
    visit.selfie()
    page = visit.page
    assert "at most two or three times a second" in page.get_by_role("note").inner_text()  # before anything flashes
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    colours = page.get_by_role("checkbox", name="Leave the colours out")
    colours.press("Space")
    visit.button("Begin").press("Enter")
    visit.prompted()
    live = page.locator("[aria-live=assertive]")
    assert live.inner_text() == page.locator(".prompt").inner_text() != ""
    assert page.get_by_role("timer").inner_text().endswith("seconds left")
    assert not page.locator(".bar").is_visible()  # nothing slides where less motion is wished for
    page.keyboard.press("Escape")
    page.get_by_role("alert").get_by_text("It was stopped").wait_for()
    assert page.get_by_role("checkbox", name="Leave the colours out").is_checked()
    visit.button("Go on without this. A person will look at my case.").press("Enter")
    page.get_by_role("heading", name="Your identity document").wait_for()
    standing = service.client().get_session(visit.made["id"])["challenge"]
    assert standing == {"answered": False, "draws_left": MOST_DRAWS - 1}


@pytest.mark.slow
def test_a_loop_fails(address: tuple[str, Running], browser: Any, bank: dict[str, Any], pictures: Pictures) -> None:
    _, service = address
    trust_the_checks(service)
    visit = Visit(service, browser, "loop", bank)
    visit.selfie(by_hand=True)
    visit.button("Begin").press("Enter")
    visit.button("Begin now").press("Enter")
    visit.document(pictures)
    assert work(service) == 1
    found, findings = verdict_of(service, visit.made["id"])
    assert found["decision"] == "reject"
    assert findings["selfie.liveness.pose"]["outcome"] == "fail"
    assert findings["selfie.liveness.flash"]["outcome"] != "pass"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de-DE", "es-ES", "fr-FR"])
def test_every_language_says_every_prompt(
    address: tuple[str, Running], browser: Any, bank: dict[str, Any], language: str
) -> None:
    """A whole challenge at its own length, without colours, in the words of the page."""
    _, service = address
    visit = Visit(service, browser, "person", bank, locale=language, viewport=DESK)
    texts = page_texts(language[:2])
    visit.button(texts["agree"]).press("Enter")
    visit.button(texts["start"]).press("Enter")
    visit.button(texts["use"]).press("Enter", timeout=60_000)
    visit.page.get_by_role("checkbox", name=texts["noColours"]).press("Space")
    visit.button(texts["begin"]).press("Enter")
    visit.prompted()
    said = visit.page.locator(".prompt").inner_text()
    assert said in {texts[each.value] for each in challenges.Action}
    visit.page.get_by_role("heading", name=texts["documentTitle"]).wait_for(timeout=120_000)
    recordings = [
        each for each in service.client().list_media(visit.made["id"])["items"] if each["role"] == "recording"
    ]
    recording = read_recording(service.store.vault.read("local", recordings[0]["id"]))
    assert recording.device["colours"] is False
    found = {each.check: each for each in ActiveLiveness(FaceAnalyser()).check(recording, None, fmr=1e-4)}
    assert found["selfie.liveness.flash"].outcome is Outcome.NOT_RUN
    assert found["selfie.liveness.pose"].outcome is Outcome.PASS, found["selfie.liveness.pose"]
    assert found["selfie.liveness.timing"].outcome is Outcome.PASS, found["selfie.liveness.timing"]


def page_texts(language: str) -> dict[str, str]:
    source = (ROOT / "web" / "src" / "texts.ts").read_text("utf-8")
    block = re.search(rf"^  {language}: \{{\n(.*?)^  \}},", source, re.MULTILINE | re.DOTALL)
    assert block is not None
    return dict(re.findall(r'^    (\w+): "(.*)",$', block[1], re.MULTILINE))
