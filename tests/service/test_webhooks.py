"""Webhooks: signed over the raw bytes, refused to private addresses, verified by the client in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.jobs import Delivery
from samebody.service.client import WebhookError, verify_webhook
from samebody.service.webhooks import Sender, is_public, secret_text, signature

SECRET = bytes(range(32))
PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "192.0.2.1", "198.18.0.1",
]  # fmt: skip


def delivery(url: str = "https://shop.test/hook", secrets: tuple[bytes, ...] = (SECRET,)) -> Delivery:
    return Delivery("local", "del_1", "msg_1", "whe_1", url, b'{"type":"session.accepted"}', 0, secrets)


def test_the_signature_is_that_of_the_standard() -> None:
    # the example of the Standard Webhooks reference implementations
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    text = signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert text == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["93.184.216.34", "127.0.0.1"]])
def test_nothing_is_sent_to_private_addresses(addresses: list[str]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError("was sent")

    sender = Sender(resolve=lambda *_: addresses, transport=httpx.MockTransport(refuse))
    assert sender(delivery()).error == "webhook.private_address"


def test_private_addresses_may_be_allowed() -> None:
    sender = Sender(
        private=True, resolve=lambda *_: ["10.0.0.1"], transport=httpx.MockTransport(lambda _: httpx.Response(200))
    )
    assert sender(delivery("http://hook.internal:8080/x")).accepted


@pytest.mark.parametrize(
    ("status", "accepted", "gone"), [(200, True, False), (302, False, False), (410, False, True), (500, False, False)]
)
def test_what_the_answer_means(status: int, accepted: bool, gone: bool) -> None:
    answer = httpx.Response(status, headers={"Location": "http://127.0.0.1/", "Retry-After": "7"})
    sender = Sender(resolve=lambda *_: ["93.184.216.34"], transport=httpx.MockTransport(lambda _: answer))
    receipt = sender(delivery())
    assert (receipt.accepted, receipt.gone, receipt.status) == (accepted, gone, status)
    assert receipt.wait is not None and receipt.wait.total_seconds() == 7


def test_hosts_that_do_not_resolve() -> None:
    def unknown(*_: object) -> list[str]:
        raise OSError("no such host")

    assert Sender(resolve=unknown)(delivery()).error == "webhook.no_such_host"


def headers(body: bytes, at: int = 1000, secrets: tuple[bytes, ...] = (SECRET,)) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secrets, "msg_1", at, body),
    }


@given(st.binary(min_size=1, max_size=200))
def test_what_was_signed_verifies_and_nothing_else(noise: bytes) -> None:
    body = b'{"data": "' + base64.b64encode(noise) + b'"}'
    text = secret_text(SECRET)
    assert verify_webhook(text, headers(body), body, now=1000)["data"]
    with pytest.raises(WebhookError):
        verify_webhook(text, headers(body), body + b" ", now=1000)
    with pytest.raises(WebhookError):
        verify_webhook(secret_text(bytes(32)), headers(body), body, now=1000)


def test_both_secrets_verify_while_one_is_rotated_out() -> None:
    body, old = b"{}", bytes(32)
    for secret in (SECRET, old):
        assert verify_webhook(secret_text(secret), headers(body, secrets=(SECRET, old)), body, now=1000) == {}


@pytest.mark.parametrize("now", [1301, 699])
def test_old_messages_are_replays(now: int) -> None:
    with pytest.raises(WebhookError, match="too old"):
        verify_webhook(secret_text(SECRET), headers(b"{}"), b"{}", now=now)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_missing_headers(missing: str) -> None:
    given_headers = headers(b"{}")
    del given_headers[missing]
    with pytest.raises(WebhookError, match=missing.removeprefix("webhook-")):
        verify_webhook(secret_text(SECRET), given_headers, b"{}", now=1000)


def test_the_signature_against_a_naive_one() -> None:
    expected = base64.b64encode(hmac.new(SECRET, b"msg_1.5.body", hashlib.sha256).digest()).decode()
    assert signature([SECRET], "msg_1", 5, b"body") == f"v1,{expected}"
