"""Signed texts that the service hands out: client tokens, media links, cursors. Each kind has a key of its own.

The key is derived from the tenant's by HMAC-SHA-256 over the kind's name, so that a text of one kind never passes for
another, and erasing a tenant ends all of them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from sqlalchemy.orm import Session

from samebody import crypto
from samebody.store.errors import KeyDestroyedError, NotFoundError
from samebody.store.store import Store


class Signer:
    """Signs and opens texts of one kind.

    Args:
        kind: ``client``, ``media``, ``cursor``.
    """

    def __init__(self, store: Store, kind: str) -> None:
        self._store, self._kind = store, kind

    def sign(self, tx: Session, tenant: str, content: dict[str, Any]) -> str:
        """``content`` (small, JSON) as ``<content>.<mac>``, URL-safe; it is readable by whoever holds it."""
        body = url_safe(json.dumps({**content, "t": tenant}, separators=(",", ":"), sort_keys=True).encode())
        return f"{body}.{url_safe(self._mac(tx, tenant, body))}"

    def open(self, tx: Session, text: str) -> tuple[str, dict[str, Any]] | None:
        """Tenant and content of a text this service signed; None when it is not one, or was changed."""
        body, _, mac = text.partition(".")
        try:
            content = json.loads(_decode(body))
            given = _decode(mac)
            tenant = content.pop("t")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return None
        if not isinstance(tenant, str) or len(tenant) > 64:
            return None
        try:
            expected = self._mac(tx, tenant, body)
        except (NotFoundError, KeyDestroyedError):
            return None
        return (tenant, content) if crypto.equal(given, expected) else None

    def mac(self, tx: Session, tenant: str, text: str) -> str:
        """A text that only this service can derive from ``text``: 43 characters, URL-safe."""
        return url_safe(self._mac(tx, tenant, text))

    def _mac(self, tx: Session, tenant: str, body: str) -> bytes:
        secret = self._store.keys.of(tx, tenant, "tenant", tenant).secret
        own = hmac.digest(secret, f"samebody/{self._kind}/1".encode(), hashlib.sha256)
        return hmac.digest(own, body.encode(), hashlib.sha256)


def url_safe(data: bytes) -> str:
    """Base64 for URLs, without padding (RFC 4648, 5; RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    if not text.isascii():
        raise binascii.Error("not base64")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
