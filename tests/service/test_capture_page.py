"""The capture page in a real browser: consent first, guidance by a camera, by keyboard, on a phone, a verdict told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from samebody.jobs import Queue
from samebody.service.capture.pages import PAGE
from samebody.store.verdicts import Conclusion
from tests.service.conftest import Running

ROOT = Path(__file__).resolve().parents[2]
built = pytest.mark.skipif(not (PAGE / "index.html").is_file(), reason="the page is not built; run `make web`")


def test_every_text_is_there_in_every_language() -> None:
    source = (ROOT / "web" / "src" / "texts.ts").read_text("utf-8")
    blocks = re.findall(r"^  (\w\w): \{\n(.*?)^  \},", source, re.MULTILINE | re.DOTALL)
    keys = {language: re.findall(r"^    (\w+):", text, re.MULTILINE) for language, text in blocks}
    assert set(keys) == {"en", "de", "es", "fr"}
    assert all(found == keys["en"] for found in keys.values())


def test_the_lock_names_no_host_and_licences_are_permissive() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text("utf-8"))
    for name, package in lock["packages"].items():
        assert "resolved" not in package
        if name and not package.get("dev") and not package.get("devOptional"):
            assert package["license"] in ("MIT", "Apache-2.0", "BSD-3-Clause", "ISC"), name


def test_without_the_page_the_service_says_so(
    service: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("samebody.service.capture.pages.PAGE", tmp_path)
    answer = service.http().get("/capture/")
    assert answer.status_code == 503 and "make web" in answer.text


@built
def test_the_page_loads_nothing_from_elsewhere(service: Running) -> None:
    http = service.http()
    page = http.get("/capture/")
    assert "wasm-unsafe-eval" in page.headers["content-security-policy"]
    assert "https://" not in page.text
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert name.startswith("/capture/") and http.get(name).status_code == 200
    for name in ("..%2Findex.html", ".hidden", "nothing.js"):
        assert http.get(f"/capture/assets/{name}").status_code in (404, 422)


@pytest.mark.weights
def test_models_come_from_verified_records(service: Running) -> None:
    from samebody.models import catalogue, weights_path

    http = service.http()
    answer = http.get("/capture/models/face-detector.onnx")
    assert answer.content == weights_path(catalogue()["face/yunet"]).read_bytes()
    again = http.get("/capture/models/face-detector.onnx", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert http.get("/capture/models/face/sface").status_code == 404


@built
@pytest.mark.browser
@pytest.mark.weights
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_a_person_completes_a_session(
    address: tuple[str, Running], browser: Any, phone: bool, tiny_picture: bytes, tmp_path: Path
) -> None:
    url, service = address
    made = service.client().create_session(policy="no-liveness")
    size = {"width": 390, "height": 844} if phone else {"width": 1100, "height": 900}
    context = browser.new_context(viewport=size, locale="de-DE", has_touch=phone, permissions=["camera"])
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(f"{request.method} {request.url}"))
    page.goto(made["capture_url"].replace(service.app.state.service.settings.public_url, url))

    page.get_by_role("heading", name="Bevor es losgeht").wait_for()
    assert page.evaluate("document.documentElement.lang") == "de"
    assert not [each for each in requests if each.startswith("POST")]  # nothing leaves before consent
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Ich stimme zu", exact=True).press("Enter")

    picture = tmp_path / "picture.jpg"
    picture.write_bytes(tiny_picture)
    heading = page.get_by_role("heading", name="Ihr Gesicht")
    heading.wait_for()
    page.get_by_role("button", name="Kamera starten").press("Enter")
    page.get_by_text("Kein Gesicht zu sehen").first.wait_for()  # the fake camera shows none: the detector runs here
    page.get_by_role("button", name="Bild aufnehmen").press("Enter")
    page.get_by_role("button", name="Dieses Bild verwenden").press("Enter")
    page.get_by_role("heading", name="Ihr Ausweis").wait_for()
    page.locator("input[type=file]").set_input_files(str(picture))
    page.get_by_role("button", name="Dieses Bild verwenden").press("Enter")
    page.get_by_text("Wir prüfen").wait_for()

    queue = Queue(service.store)
    claim = queue.claim("w")
    assert claim is not None
    queue.conclude(claim, Conclusion("accept", "no-liveness", 1))
    page.get_by_text("Ihre Identität ist bestätigt").wait_for(timeout=20_000)
    media = {each["role"]: each for each in service.client().list_media(made["id"])["items"]}
    assert set(media) == {"selfie", "document_front"}
    assert service.store.vault.read("local", media["document_front"]["id"]) == tiny_picture
    assert media["selfie"]["size"] > 5000  # what the fake camera showed, at full size
    assert all(url in each or "blob:" in each for each in requests)
    context.close()


@built
@pytest.mark.browser
def test_declining_sends_nothing_and_links_end(address: tuple[str, Running], browser: Any) -> None:
    url, service = address
    made = service.client().create_session(policy="no-liveness")
    page = browser.new_context(locale="en-GB").new_page()
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    page.goto(made["capture_url"])
    page.get_by_role("button", name="I do not agree").click()
    page.get_by_text("nothing was sent").wait_for()
    assert not posted and service.client().get_session(made["id"])["state"] == "created"
    for link in ("nonsense", "%", "sct.%E0%A4%A"):
        page.goto(f"{url}/capture/#{link}")
        page.reload()
        page.get_by_text("not valid any more").wait_for()
    service.client().cancel_session(made["id"])
    page.goto(made["capture_url"])
    page.reload()
    page.get_by_text("This session has ended").wait_for()


@built
@pytest.mark.browser
def test_a_first_try_that_still_runs_is_waited_for(address: tuple[str, Running], browser: Any) -> None:
    _, service = address
    made = service.client().create_session(policy="no-liveness")
    page = browser.new_context(locale="en-GB").new_page()
    keys: list[str] = []

    def running(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            route.continue_()
            return
        problem = {"status": 409, "code": "idempotency.running", "detail": "the first one has not answered yet."}
        route.fulfill(status=409, headers={"Retry-After": "1"}, json=problem)

    page.route("**/consents", running)
    page.goto(made["capture_url"])
    page.get_by_role("button", name="I agree", exact=True).click()
    page.get_by_role("heading", name="Your face").wait_for()
    assert len(keys) == 2 and len(set(keys)) == 1
    assert service.client().get_session(made["id"])["state"] == "collecting"
