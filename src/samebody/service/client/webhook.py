"""Verifying webhooks after Standard Webhooks: over the raw bytes, in constant time, within five minutes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from samebody.service.client.errors import WebhookError

TOLERANCE = 300
"""Seconds that a message's timestamp may be off."""


def verify_webhook(
    secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None, tolerance: int = TOLERANCE
) -> dict[str, Any]:
    """The message, when one of its signatures was made with ``secret`` and it is recent.

    Messages come at least once: remember ``webhook-id`` and drop repeats.

    Args:
        secret: ``whsec_`` and base64, as the service showed it.
        headers: of the request; names in any case.
        body: exactly the bytes that came, before any parsing.

    Raises:
        WebhookError: a header is missing, no signature fits, or the timestamp is off.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message, timestamp, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise WebhookError(f"the header {error.args[0]} is missing.") from None
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise WebhookError("the secret is not one of a webhook endpoint.") from None
    expected = hmac.digest(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256)
    fits = False
    for each in signatures.split():
        version, _, text = each.partition(",")
        try:
            fits |= version == "v1" and hmac.compare_digest(expected, base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            continue
    if not fits:
        raise WebhookError("no signature of the message fits.", hint="Use the raw body and the endpoint's own secret.")
    if not timestamp.isascii() or not timestamp.isdigit():
        raise WebhookError("the timestamp of the message is none.")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        raise WebhookError("the message is too old, or from the future.", hint="It may be a replay; check the clock.")
    found: dict[str, Any] = json.loads(body)
    return found
