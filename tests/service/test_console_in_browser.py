"""The console in a real browser, on a desk and on a phone: every page fits, a case is settled with the keyboard."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.service.conftest import Running
from tests.service.test_console import in_review
from tests.service.test_console_cases import with_document

pytestmark = pytest.mark.browser
SIZES = {"desk": {"width": 1180, "height": 900}, "phone": {"width": 390, "height": 844}}
PAGES = (
    "",
    "?state=",
    "?search=nothing",
    "figures",
    "policies",
    "policies/no-liveness",
    "models",
    "webhooks",
    "settings",
)


def log_in(page: Any, url: str, service: Running) -> None:
    page.goto(f"{url}/console/login")
    page.get_by_label("Your key").fill(service.key("admin"))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Cases").wait_for()


@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_and_says_where_it_is(
    address: tuple[str, Running], browser: Any, size: str, tiny_picture: bytes
) -> None:
    url, service = address
    in_review(service, tiny_picture)
    session = with_document(service, surname="Eriksson")
    service.client().create_endpoint(url="https://example.org/a/rather/long/address/that/has/to/break/somewhere")
    page = browser.new_context(viewport=SIZES[size]).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    log_in(page, url, service)
    for path in (*PAGES, f"cases/{session}"):
        answer = page.goto(f"{url}/console/{path}")
        assert answer is not None and answer.status == 200, path
        assert page.locator("h1").count() == 1 and page.locator("header [aria-current=page]").count() == 1, path
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], path
        nameless = page.locator("input:not([type=hidden]), select, textarea").evaluate_all(
            "all => all.filter(each => !each.labels.length).map(each => each.name)"
        )
        assert nameless == [], path
    assert complaints == []  # nothing was blocked by the content security policy


def test_a_case_is_shown_and_settled(address: tuple[str, Running], browser: Any, tiny_picture: bytes) -> None:
    url, service = address
    session = in_review(service, tiny_picture)
    page = browser.new_context(viewport=SIZES["phone"]).new_page()
    log_in(page, url, service)
    page.get_by_role("link", name=session["id"][-10:]).click()
    assert page.locator("main img").count() == 0
    page.get_by_role("button", name="Show selfie").focus()
    page.keyboard.press("Enter")
    page.locator("main img").wait_for()
    assert page.locator("main img").evaluate("image => image.naturalWidth") == 64
    page.get_by_label("Note, kept sealed").fill("looks right")
    page.get_by_role("button", name="Accept").click()
    page.locator("h1 .accepted").wait_for()
    assert service.client().get_session(session["id"])["state"] == "accepted"


def test_a_policy_is_tried_refused_and_goes_live_with_a_reason(address: tuple[str, Running], browser: Any) -> None:
    url, service = address
    with_document(service)
    page = browser.new_context(viewport=SIZES["desk"]).new_page()
    log_in(page, url, service)
    page.goto(f"{url}/console/policies/no-liveness")
    text = page.get_by_label("Text (YAML)")
    text.fill(re.sub(r"fmr: \S+", "fmr: 1e-3", text.input_value()))
    assert page.get_by_role("button", name="Make it the next version").count() == 0  # not before it was tried
    page.get_by_role("button", name="Check and try").click()
    page.get_by_text("The guard rails would refuse it").wait_for()
    page.get_by_role("button", name="Make it the next version").click()
    page.get_by_text("the promotion is refused").wait_for()
    assert service.client().get_policy("no-liveness")["version"] == 1
    page.get_by_label("Reason to go live all the same").fill("agreed")
    page.get_by_role("button", name="Make it the next version").click()
    page.get_by_role("heading", name="version 2").wait_for()
    page.get_by_role("button", name="Roll back to 1").click()
    page.get_by_role("heading", name="version 3").wait_for()
