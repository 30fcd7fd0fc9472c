"""Webhooks after Standard Webhooks: signed over the raw bytes, and never sent to an address that is not public.

Signature: ``v1,`` and base64 of HMAC-SHA-256 over ``<id>.<timestamp>.<body>``, one for each secret in use, separated by
spaces (Standard Webhooks 1.0, "Signature scheme").
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from samebody import tracing
from samebody.errors import ConfigError
from samebody.jobs.outbox import Delivery, Receipt
from samebody.service.settings import ServiceSettings

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


class _Deadline:
    """Ends a connection when the time of all of it is over: the client's own limit begins again with every byte.

    Attributes:
        over: the time is over.
    """

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of the connection; called by the client at each of its steps."""
        if event == "connection.connect_tcp.complete":
            with self._lock:  # a copy: TLS takes the socket itself over
                self._socket = info["return_value"].get_extra_info("socket").dup()
                if self.over:
                    self._cut()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            self._cut()

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class Sender:
    """Sends one delivery; see :class:`samebody.jobs.outbox.Deliveries`.

    The host is resolved once and the connection goes to the address that was judged, so that a name cannot point
    elsewhere between the two. Redirects are not followed: they would lead around the judgement. A connection carries
    one message: the next one to the same address may be for another host, whose certificate was not looked at.

    Args:
        private: allow addresses that are not public.
        timeout: seconds for the whole answer.
        ca_file: certificates to trust instead of the public ones.

    Raises:
        ConfigError: ``ca_file`` cannot be read.
    """

    def __init__(
        self, *, private: bool = False, timeout: float = 15, ca_file: Path | None = None, resolve: Resolve = addresses,
        transport: httpx.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self._private, self._timeout, self._resolve = private, timeout, resolve
        self._client = httpx.Client(
            timeout=timeout, follow_redirects=False, trust_env=False, transport=transport, verify=_trusted(ca_file),
            limits=httpx.Limits(max_keepalive_connections=0), headers={"User-Agent": "samebody-webhooks/1"},
        )  # fmt: skip

    @classmethod
    def of(cls, settings: ServiceSettings) -> Sender:
        """The sender that the settings describe.

        Raises:
            ConfigError.
        """
        return cls(
            private=settings.private_webhooks, timeout=settings.webhook_seconds, ca_file=settings.webhook_ca_file
        )

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
        with _Deadline(self._timeout) as deadline:
            extensions = {"sni_hostname": host, "trace": deadline.trace}
            try:
                request = self._client.build_request(
                    "POST", url, content=delivery.body, headers=headers, extensions=extensions
                )
                answer = self._client.send(request, stream=True)  # the body is of no interest, however long it is
                answer.close()
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                if deadline.over or isinstance(error, httpx.TimeoutException):
                    return Receipt(False, error="webhook.timeout")
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


def _trusted(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError):
        raise ConfigError("the certificates in webhook_ca_file cannot be read.") from None


def _retry_after(text: str) -> timedelta | None:
    return timedelta(seconds=min(int(text), 86_400)) if text.isascii() and text.isdigit() else None
