"""Webhooks after Standard Webhooks: signed over the raw bytes, and never sent to an address that is not public.

Signature: ``v1,`` and base64 of HMAC-SHA-256 over ``<id>.<timestamp>.<body>``, one for each secret in use, separated by
spaces (Standard Webhooks 1.0, "Signature scheme").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import httpx

from samebody import tracing
from samebody.jobs.outbox import Delivery, Receipt

logger = logging.getLogger(__name__)

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to addresses."""


def secret_text(secret: bytes) -> str:
    """A secret as receivers keep it: ``whsec_`` and base64."""
    return "whsec_" + base64.b64encode(secret).decode()


def signature(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets
    )


def is_public(address: str) -> bool:
    """Whether an address is one of the internet at large; IPv4 inside IPv6 is judged as IPv4."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def addresses(host: str, port: int) -> list[str]:
    """Every address of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Sender:
    """Sends one delivery; see :class:`samebody.jobs.outbox.Deliveries`.

    The host is resolved once and the connection goes to the address that was judged, so that a name cannot point
    elsewhere between the two. Redirects are not followed: they would lead around the judgement.

    Args:
        private: allow addresses that are not public.
        timeout: seconds for the whole answer.
    """

    def __init__(
        self, *, private: bool = False, timeout: float = 15, resolve: Resolve = addresses,
        transport: httpx.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self._private, self._resolve = private, resolve
        self._client = httpx.Client(
            timeout=timeout, follow_redirects=False, trust_env=False, transport=transport,
            headers={"User-Agent": "samebody-webhooks/1"},
        )  # fmt: skip

    def __call__(self, delivery: Delivery) -> Receipt:
        """Try it once."""
        try:
            parts = urlsplit(delivery.url)
            host = (parts.hostname or "").encode("idna").decode()
            port = parts.port or (443 if parts.scheme == "https" else 80)
            found = self._resolve(host, port)
        except (OSError, ValueError):  # of the two: the address is none, or names no host
            return Receipt(False, error="webhook.no_such_host")
        if not host or not found:
            return Receipt(False, error="webhook.no_such_host")
        if not self._private and not all(is_public(each) for each in found):
            return Receipt(False, error="webhook.private_address")
        timestamp = int(time.time())
        shown = f"[{found[0]}]" if ":" in found[0] else found[0]
        url = parts._replace(netloc=f"{shown}:{port}").geturl()
        default = port == (443 if parts.scheme == "https" else 80)
        headers = {
            "Host": host if default else f"{host}:{port}",
            "Content-Type": "application/json",
            "webhook-id": delivery.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(delivery.secrets, delivery.message_id, timestamp, delivery.body),
        }
        if (traceparent := tracing.current()) is not None:
            headers["traceparent"] = traceparent
        try:
            request = self._client.build_request(
                "POST", url, content=delivery.body, headers=headers, extensions={"sni_hostname": host}
            )
            answer = self._client.send(request, stream=True)  # the body is of no interest, however long it is
            answer.close()
        except httpx.TimeoutException:
            return Receipt(False, error="webhook.timeout")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            logger.info("webhook not delivered: %s", type(error).__name__)
            return Receipt(False, error="webhook.unreachable")
        return Receipt(
            accepted=answer.is_success,
            status=answer.status_code,
            error=None if answer.is_success else "webhook.refused",
            wait=_retry_after(answer.headers.get("retry-after", "")),
            gone=answer.status_code == 410,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _retry_after(text: str) -> timedelta | None:
    return timedelta(seconds=min(int(text), 86_400)) if text.isascii() and text.isdigit() else None
