"""Bodies and texts made to harm: bombs, broken files, statements, templates, headers and paths in every field."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import func, select

from samebody.jobs import Delivery
from samebody.service.webhooks import Sender
from samebody.store.audit import verify_log
from samebody.store.schema import SessionRow
from tests.capture.pictures import png_chunk, png_of, valid_pictures, with_jpeg_size, zip_archive
from tests.service.conftest import Running
from tests.service.test_browser_defences import PAGES
from tests.service.test_console import in_review, token, visitor

PICTURES = valid_pictures()
SLOW = 5.0
"""Seconds of computing that no refusal may take."""


def webp_of(width: int, height: int) -> bytes:
    """A WebP file whose canvas claims what it likes (RFC 9649, 2.7)."""
    canvas = struct.pack("<I", 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", len(canvas)) + canvas
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def gif_of(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"\x3b"


def tiff_of(width: int, height: int) -> bytes:
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (279, 4, 1)]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\x00" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + body + bytes(4)


def packed_png() -> bytes:
    """64x48 pixels whose data unpack to 100 MB, with a text chunk and a colour profile that do so too."""
    zeros = zlib.compress(bytes(100 * 2**20), 6)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0))
    text, profile = png_chunk(b"zTXt", b"Comment\0\0" + zeros), png_chunk(b"iCCP", b"p\0\0" + zeros)
    return b"\x89PNG\r\n\x1a\n" + header + profile + text + png_chunk(b"IDAT", zeros) + png_chunk(b"IEND", b"")


BOMBS = {
    "png, 65,000 x 65,000": lambda: png_of(65_000, 65_000),
    "png, 2^31 - 1 each way": lambda: png_of(2**31 - 1, 2**31 - 1),
    "png that unpacks to 100 MB": packed_png,
    "jpeg, 65,535 x 65,535": lambda: with_jpeg_size(PICTURES["jpeg"], 65_535, 65_535),
    "webp, 16,384 x 16,384": lambda: webp_of(16_384, 16_384),
    "gif, 65,535 x 65,535": lambda: gif_of(65_535, 65_535),
    "tiff, 2^31 wide": lambda: tiff_of(2**31, 2**20),
    "zip": zip_archive,
    "pdf": lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF",
    "svg with a script": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "xml with an entity": lambda: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg>&b;</svg>',
}


@pytest.fixture
def collecting(service: Running) -> dict[str, Any]:
    return service.consented()[0]


def upload(service: Running, session: dict[str, Any], data: bytes, kind: str = "image/jpeg") -> httpx.Response:
    return service.http(session["client_token"]).post(
        f"/v1/sessions/{session['id']}/media?role=document_front", content=data, headers={"Content-Type": kind}
    )


def test_a_bomb_is_refused_quickly_and_without_memory(service: Running, collecting: dict[str, Any]) -> None:
    for name, make in BOMBS.items():
        data, begun = make(), time.process_time()
        tracemalloc.start()
        try:
            answer = upload(service, collecting, data, "application/octet-stream")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert answer.status_code == 422, (name, answer.text)
        assert time.process_time() - begun < SLOW, name
        assert peak < 64 * 2**20 + 4 * len(data), (name, peak)
    assert service.client(collecting["client_token"]).list_media(collecting["id"])["items"] == []


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_broken_upload_is_taken_whole_or_refused(
    service: Running, collecting: dict[str, Any], data: st.DataObject
) -> None:
    picture = bytearray(PICTURES[data.draw(st.sampled_from(sorted(PICTURES)))])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(picture) - 1))
        picture[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        picture = picture or bytearray(b"\0")
    end = data.draw(st.one_of(st.none(), st.integers(1, len(picture))))
    sent = bytes(picture[:end])
    answer = upload(service, collecting, sent, data.draw(st.sampled_from(["image/jpeg", "image/png", "image/webp"])))
    if answer.status_code == 201:
        assert service.store.vault.read("local", answer.json()["id"]) == sent
    else:
        assert (answer.status_code, answer.json()["code"].partition(".")[0]) == (422, "capture")


def test_a_compressed_body_is_not_unpacked(service: Running) -> None:
    http = service.http(service.admin_key)
    bomb = gzip.compress(b'{"reference": "' + b"x" * 50 * 2**20 + b'"}')
    tracemalloc.start()
    try:
        answer = http.post(
            "/v1/sessions", content=bomb, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code in (400, 415, 422) and answer.headers["content-type"] == "application/problem+json"
    assert peak < 20 * 2**20
    small = gzip.compress(b"{}")
    assert http.post("/v1/sessions", content=small, headers={"Content-Encoding": "gzip"}).status_code in (400, 415, 422)


HARMFUL = [
    b"[" * 200_000,
    b'{"metadata": ' * 100_000,
    b'{"metadata": {"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
    b'{"priority": ' + b"9" * 10_000 + b"}",
    *(b'{"metadata": {"a": ' + b"[" * depth + b"]" * depth + b"}}" for depth in range(100, 1_000, 60)),
    b'{"priority": 1e999}',
    b'{"priority": NaN}',
    b'{"reference": "\xff\xfe"}',
    b'{"reference": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"metadata": {"\\ud800": "\\udfff"}}',
    b'{"metadata": {"a": NaN}}',
    b'{"metadata": {"a": ' + b"9" * 5_000 + b"}}",
    b'{"reference": "a\\u0000b"}',
    b"\x00",
    b"null",
    b'"text"',
    json.dumps({"metadata": {str(n): n for n in range(20_000)}}).encode(),
]


def test_json_made_to_harm_is_an_error_of_the_caller(service: Running) -> None:
    http = service.http(service.admin_key)
    for number, body in enumerate(HARMFUL):
        begun = time.process_time()
        answer = http.post("/v1/sessions", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (201, 400, 413, 422), (number, answer.text[:300])
        assert time.process_time() - begun < SLOW, number
        if answer.status_code == 201:  # what was taken can be read again
            assert http.get(f"/v1/sessions/{answer.json()['id']}").status_code == 200, number


def test_a_subject_that_is_not_there_is_no_fault_and_faults_have_their_id(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = service.http(service.admin_key)
    missing = http.post("/v1/sessions", json={"subject_id": "nobody"})
    assert (missing.status_code, missing.json()["code"]) == (404, "store.not_found")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(type(service.store.sessions), "create", broken)
    answer = http.post("/v1/sessions", json={})
    assert answer.status_code == 500 and answer.headers["x-request-id"] == answer.json()["request_id"]
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-content-type-options"] == "nosniff"


def test_names_of_unknown_fields_are_not_repeated(service: Running) -> None:
    secret = "SECRET-FIELD-name-of-a-person"
    answer = service.http(service.admin_key).post("/v1/sessions", json={secret: 1, "metadata": {"a": 1}})
    assert answer.status_code == 422 and secret not in answer.text


def test_multipart_with_parts_in_parts_and_thousands_of_fields(service: Running) -> None:
    inner = b"".join(b'--i\r\nContent-Disposition: form-data; name="key"\r\n\r\nx\r\n' for _ in range(2_000)) + b"--i--"
    nested = (
        b'--o\r\nContent-Disposition: form-data; name="key"\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n'
        + inner
        + b"\r\n--o--\r\n"
    )
    many = (
        b"".join(b'--o\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % n for n in range(20_000))
        + b"--o--"
    )
    large = b'--o\r\nContent-Disposition: form-data; name="key"\r\n\r\n' + b"x" * 3 * 2**20 + b"\r\n--o--"
    files = b"".join(
        b'--o\r\nContent-Disposition: form-data; name="f"; filename="%d"\r\n\r\nx\r\n' % n for n in range(5_000)
    )
    endless = b'--o\r\nContent-Disposition: form-data; name="' + b"a" * 2**20
    for body in (nested, many, large, files + b"--o--", endless, b"--o", b""):
        begun = time.process_time()
        answer = service.http().post(
            "/console/login", content=body, headers={"Content-Type": "multipart/form-data; boundary=o"}
        )
        assert answer.status_code in (400, 403, 413, 422), body[:40]
        assert time.process_time() - begun < SLOW
    fields = "&".join(f"f{n}=x" for n in range(20_000))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert service.http().post("/console/login", content=fields, headers=form).status_code in (400, 403, 422)


MARKER = "zq7"
TEXTS = [
    f"'); DROP TABLE sessions; -- {MARKER}",
    f"' OR '1'='1 {MARKER}",
    f"<script>alert('{MARKER}')</script>",
    f'"><img src=x onerror=alert("{MARKER}")>',
    f"{{{{ 7 * 191 }}}}{{% for x in (1,) %}}{MARKER}{{% endfor %}}${{7*191}}#{{7*191}}",
    f"{{{{ cycler.__init__.__globals__.os.popen('id').read() }}}} {MARKER}",
    f"../../../../etc/passwd {MARKER}",
    f"a\r\nSet-Cookie: evil=1\r\n\r\n{MARKER}",
    f"%s %n %x {{0.__class__}} {MARKER}",
    f"\u202e\u0000{MARKER}\ufeff",
    f"=HYPERLINK(1) {MARKER}",
]


def fill_every_text(service: Running, picture: bytes, text: str) -> list[httpx.Response]:
    """Put ``text`` into every field of a request that takes free text; what was answered."""
    http, session = service.http(service.admin_key), in_review(service, picture)
    person, _ = service.consented()
    path = f"/v1/sessions/{session['id']}"
    header = text.encode("latin-1", "replace").replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    return [
        http.post("/v1/sessions", json={"reference": text, "metadata": {text: text}}),
        http.post("/v1/sessions", json={"policy": text}),
        http.post("/v1/sessions", json={"purpose": text, "subject_id": text[:64]}),
        http.get("/v1/sessions", params={"reference": text}),
        http.get("/v1/subjects", params={"external_id": text}),
        http.get("/v1/audit-events", params={"object": text[:64], "action": text[:64]}),
        http.get(f"/v1/sessions/{httpx.URL('http://x', params={'a': text}).query.decode()[2:]}"),
        http.post(f"{path}/labels", json={"name": text[:64], "value": text[:64]}),
        http.post(f"/v1/sessions/{person['id']}/consents", json={"version": text[:64], "language": text[:16]}),
        http.post(
            f"/v1/sessions/{person['id']}/uploads", json={"role": text[:64], "content_type": text[:64], "parts": 1}
        ),
        http.post(
            f"/v1/sessions/{person['id']}/media",
            params={"role": text},
            content=picture,
            headers={"Content-Type": "image/jpeg", "User-Agent": header.decode("latin-1"), "Idempotency-Key": "k"},
        ),
        http.post("/v1/webhook-endpoints", json={"url": f"https://example.org/{text}", "kinds": [text[:64]]}),
        http.post("/v1/webhook-endpoints", json={"url": f"https://example.org/{text}"}),
        http.post("/v1/webhook-endpoints", json={"url": f"https://{text}/"}),
        http.post("/v1/api-keys", json={"name": text[:100], "role": "auditor"}),
        http.post("/v1/api-keys", json={"name": "n", "role": text, "scopes": [text]}),
        http.post("/v1/policies/check", json={"text": f"id: {text}"}),
        http.post("/v1/policies/default", json={"text": f"id: default\ndescription: {text}"}),
        http.post("/v1/galleries", json={"id": text, "model": text[:100]}),
        http.post("/v1/galleries/staff/enrol", json={"session_id": text[:64], "external_id": text}),
        http.post("/v1/checks/face-compare", json={"one": "eA==", "two": "eA==", "population": text[:64]}),
        http.post(f"/v1/reviews/{session['id']}", json={"decision": "reject", "code": text[:64], "note": text}),
        http.post(f"/v1/reviews/{session['id']}", json={"decision": "reject", "code": "review.other", "note": text}),
    ]


def test_texts_made_to_harm_are_texts(start: Callable[..., Running], tiny_picture: bytes, tmp_path: Path) -> None:
    service = start(rate=10**9)
    for text in TEXTS:
        for answer in fill_every_text(service, tiny_picture, text):
            assert answer.status_code < 500, (text, answer.request.url.path, answer.text[:300])
            assert "evil" not in answer.headers.get("set-cookie", "") and "1337" not in answer.text
            assert answer.headers["content-type"].startswith(("application/json", "application/problem+json"))
    with service.store.read() as tx:
        held = sum("\0" not in text for text in TEXTS)  # the others are refused: PostgreSQL has no such texts
        assert (tx.scalar(select(func.count()).select_from(SessionRow)) or 0) == 2 * len(TEXTS) + held
        assert verify_log(tx, service.store.audit).sound
        cases = list(tx.scalars(select(SessionRow.id)))
    http = visitor(service)
    shown = 0
    for path in (*PAGES, "/console/?state=", *(f"/console/cases/{each}" for each in cases)):
        page = http.get(path)
        assert page.status_code == 200, path
        assert not re.search(r"<script|<img(?! src=\"/v1/media/)|<[^>]*\son[a-z]+=", page.text, re.I), path
        assert "1337" not in page.text and "uid=" not in page.text, path
        shown += page.text.count(MARKER)
    assert shown >= 2 * len(TEXTS)  # they were really there, as texts
    assert [path.name for path in tmp_path.iterdir()] == ["store0"]  # nothing was written beside it


def test_forms_of_the_console_take_texts_as_texts(start: Callable[..., Running], tiny_picture: bytes) -> None:
    service = start(rate=10**9)
    http = visitor(service)
    for text in TEXTS[:6]:
        session = in_review(service, tiny_picture)
        path = f"/console/cases/{session['id']}"
        form = token(http.get(path))
        for rest, fields in (
            ("/label", {"label": f"attack={text}"}),
            ("/label", {"label": text}),
            ("/show", {"media_id": text[:64]}),
            ("/decide", {"decision": text[:20], "code": text[:64], "note": text}),
            ("/decide", {"decision": "reject", "code": "review.other", "note": text}),
        ):
            answer = http.post(path + rest, data={"token": form, **fields})
            assert answer.status_code < 500, (rest, text, answer.text[:300])
            assert "<" not in text or f">{text}" not in answer.text
        edited = http.post("/console/policies/no-liveness", data={"token": form, "text": f"id: x\nname: {text}"})
        assert edited.status_code in (200, 422) and "<script>" not in edited.text and "1337" not in edited.text
        for query in ({"search": text}, {"policy": text}, {"state": text[:20]}, {"before": text}):
            page = http.get("/console/", params=query)
            assert page.status_code in (200, 422) and "<script>alert" not in page.text, query
            assert 'onerror=alert("' not in page.text, query


PATHS = [
    "/capture/assets/..%2f..%2fpages.py",
    "/capture/assets/%2e%2e",
    "/capture/assets/..",
    "/capture/assets/%2fetc%2fpasswd",
    "/capture/models/..%2f..%2f..%2fetc%2fpasswd",
    "/capture/models/face-detector.onnx%00.js",
    "/console/style.css%2f..%2f..%2fpages.py",
    "/console/../../etc/passwd",
    "/v1/media/..%2f..%2fetc%2fpasswd",
    "/v1/galleries/..%2f..%2fx",
    "/v1/uploads/..%2f..%2fx/parts/1",
    "/v1/subjects/..%2fx/export",
    "/v1//sessions",
]


def test_paths_lead_nowhere_else(service: Running) -> None:
    http = service.http(service.admin_key)
    for path in PATHS:
        method = "DELETE" if "galleries" in path else "PUT" if "uploads" in path else "GET"
        answer = http.request(method, path, follow_redirects=False)
        assert answer.status_code in (303, 403, 404, 405, 422), (path, answer.text[:200])
        assert b"root:" not in answer.content and b"import " not in answer.content, path


def test_names_that_become_folders_hold_no_path(service: Running, tmp_path: Path) -> None:
    before = sorted(str(path) for path in tmp_path.rglob("*") if path.is_dir())
    http = service.http(service.admin_key)
    for name in ("..", ".", "a/b", "a\\b", "/etc", "a\0b", "-x" * 40, "a b", "\u0430", "", "a\n"):
        assert http.post("/v1/galleries", json={"id": name}).status_code == 422, name
    assert sorted(str(path) for path in tmp_path.rglob("*") if path.is_dir()) == before


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.one_of(
        st.text(max_size=40).map(lambda text: f"https://{text}"),
        st.text(alphabet="[]:@/\\?#%.01afx\r\n\t\0 é", max_size=30).map(lambda text: f"http://{text}"),
        st.text(max_size=60).map(lambda text: f"https://shop.test/{text}"),
    )
)
def test_no_address_of_an_endpoint_breaks_the_sender_or_leads_inside(url: str) -> None:
    sent: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    for addresses in (["93.184.216.34"], ["10.0.0.1"]):
        sender = Sender(resolve=lambda *_, found=addresses: found, transport=httpx.MockTransport(keep))
        receipt = sender(Delivery("local", "d", "m", "e", url, b"{}", 0, (bytes(32),)))
        sender.close()
        assert receipt.accepted == (addresses[0].startswith("93") and bool(sent))
    for request in sent:
        assert request.url.host == "93.184.216.34" and request.method == "POST"
        assert not any(b"\r" in value or b"\n" in value for _, value in request.headers.raw)


def test_endpoints_that_cannot_be_addresses_or_hold_passwords_are_refused(service: Running) -> None:
    http = service.http(service.admin_key)
    for url in (
        "https://user:PLANTED@shop.test/",
        "https://[",
        "https://",
        "https://shop.test:99999/",
        "https://a\u2028b/",
    ):
        answer = http.post("/v1/webhook-endpoints", json={"url": url})
        assert (answer.status_code, "PLANTED" in answer.text) == (422, False), url
    assert http.get("/v1/webhook-endpoints").json()["items"] == []


def test_a_picture_that_is_also_a_page_is_shown_as_a_picture_only(service: Running, collecting: dict[str, Any]) -> None:
    """Not at all, if a browser could take it for a page; and whatever is taken is sent as what it is."""
    for comment, status in ((b"<script>alert(1)</script>", 422), (b"alert(1)", 201)):
        stream = io.BytesIO()
        Image.new("RGB", (64, 48), (1, 2, 3)).save(stream, "JPEG", comment=comment)
        answer = upload(service, collecting, stream.getvalue(), "image/jpeg")
        assert answer.status_code == status, answer.text
    link = service.client().media_link(collecting["id"], answer.json()["id"])
    shown = service.http().get(httpx.URL(link["url"]).path)
    assert shown.headers["content-type"] == "image/jpeg" and shown.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in shown.headers["content-security-policy"]
    for kind in ("text/html", "image/svg+xml", "image/jpeg\tx", "multipart/form-data"):
        assert upload(service, collecting, PICTURES["png"], kind).status_code == 422, kind
