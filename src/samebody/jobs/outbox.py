"""The outbox: messages that were written with the state they tell, taken to every endpoint until it accepts.

Two steps, each one transaction: :meth:`Deliveries.fan_out` turns a message into one delivery for each endpoint that
wants it, and :meth:`Deliveries.deliver_due` hands due deliveries to a callable under a lease. At least once: a kill
after the endpoint answered and before that is written sends it again, with the same id.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from samebody import tracing
from samebody.errors import SamebodyError
from samebody.store.database import put_row
from samebody.store.errors import ConflictError, InvalidValueError, NotFoundError
from samebody.store.ids import new_id
from samebody.store.schema import OutboxRow, WebhookDeliveryRow, WebhookEndpointRow
from samebody.store.store import Store

BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
"""Waits between tries (Standard Webhooks, "Deliverability and reliability"); after the last it is given up."""

LEASE = timedelta(seconds=60)
DISABLED = "webhook.endpoint_disabled"
"""Event in the audit log, and the error of what waited for the endpoint then."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one endpoint.

    Attributes:
        message_id: the same on every try and at every endpoint; what a receiver drops repeats by.
        body: the bytes to sign and send: JSON with ``type``, ``timestamp`` and ``data``.
        secrets: to sign with, the current one first; ``repr`` does not print them.
        traceparent: of what it tells, when there are traces.
        tries: how often it was tried before.
    """

    tenant: str
    id: str
    message_id: str
    endpoint_id: str
    url: str
    body: bytes
    tries: int
    secrets: tuple[bytes, ...] = field(repr=False)
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a try.

    Attributes:
        accepted: the endpoint took it.
        status: HTTP status, if there was an answer.
        error: stable code when there was none.
        wait: not before this long, when the endpoint asked for it.
        gone: the endpoint does not want any more (410): it is disabled.
    """

    accepted: bool
    status: int | None = None
    error: str | None = None
    wait: timedelta | None = None
    gone: bool = False


Send = Callable[[Delivery], Receipt]


def new_endpoint(
    store: Store,
    tx: Session,
    tenant: str,
    url: str,
    *,
    actor: str,
    kinds: Sequence[str] = (),
    secret: bytes | None = None,
) -> tuple[str, bytes]:
    """Register an endpoint; returns its id and its secret, which is shown this once.

    Args:
        kinds: kinds of messages it wants, such as ``session.accepted``; all when empty.

    Raises:
        InvalidValueError: the URL is not http(s).
    """
    _require_address(url)
    endpoint_id, made = new_id("whe"), secret or secrets.token_bytes(32)
    key = store.keys.of(tx, tenant, "tenant", tenant)
    put_row(
        tx,
        WebhookEndpointRow,
        tenant=tenant,
        id=endpoint_id,
        url=url,
        kinds=list(kinds),
        sealed_secret=key.seal(made, f"{tenant}/webhook_endpoints/{endpoint_id}"),
        created=store.clock(),
    )
    store.audit.append(tx, tenant, actor, "webhook.endpoint_added", "webhook_endpoint", endpoint_id)
    return endpoint_id, made


def rotate_secret(
    store: Store, tx: Session, tenant: str, endpoint_id: str, *, actor: str, overlap: timedelta = timedelta(hours=24)
) -> bytes:
    """A new secret for an endpoint; messages are signed with both until ``overlap`` has passed.

    Raises:
        NotFoundError.
    """
    row = tx.get(WebhookEndpointRow, (tenant, endpoint_id))
    if row is None:
        raise NotFoundError("there is no such endpoint.")
    made, key = secrets.token_bytes(32), store.keys.of(tx, tenant, "tenant", tenant)
    tx.execute(
        update(WebhookEndpointRow)
        .where(WebhookEndpointRow.tenant == tenant, WebhookEndpointRow.id == endpoint_id)
        .values(
            sealed_secret=key.seal(made, f"{tenant}/webhook_endpoints/{endpoint_id}"),
            sealed_old_secret=row.sealed_secret,
            old_secret_until=store.clock() + overlap,
        )
    )
    store.audit.append(tx, tenant, actor, "webhook.secret_rotated", "webhook_endpoint", endpoint_id)
    return made


def disable_endpoint(store: Store, tx: Session, tenant: str, endpoint_id: str, *, actor: str) -> None:
    """Tell an endpoint no more: what waits for it is given up. A second time changes nothing.

    Raises:
        NotFoundError.
    """
    row = tx.get(WebhookEndpointRow, (tenant, endpoint_id), populate_existing=True)
    if row is None:
        raise NotFoundError("there is no such endpoint.")
    if row.disabled is not None:
        return
    now = store.clock()
    tx.execute(
        update(WebhookEndpointRow)
        .where(WebhookEndpointRow.tenant == tenant, WebhookEndpointRow.id == endpoint_id)
        .values(disabled=now)
    )
    _give_up(tx, tenant, endpoint_id, now)
    store.audit.append(tx, tenant, actor, DISABLED, "webhook_endpoint", endpoint_id)


def _give_up(tx: Session, tenant: str, endpoint_id: str, now: datetime) -> None:
    """Give up what waits for a disabled endpoint."""
    tx.execute(
        update(WebhookDeliveryRow)
        .where(
            WebhookDeliveryRow.tenant == tenant,
            WebhookDeliveryRow.endpoint_id == endpoint_id,
            WebhookDeliveryRow.state == "waiting",
        )
        .values(state="given_up", finished=now, last_error=DISABLED, lease_token=None)
    )


def endpoint_secrets(store: Store, tx: Session, endpoint: WebhookEndpointRow) -> tuple[bytes, ...]:
    """The secrets an endpoint's messages are signed with: the current one, and the one before until it ends."""
    key = store.keys.of(tx, endpoint.tenant, "tenant", endpoint.tenant)
    sealed = [endpoint.sealed_secret]
    if endpoint.sealed_old_secret and endpoint.old_secret_until and endpoint.old_secret_until > store.clock():
        sealed.append(endpoint.sealed_old_secret)
    return tuple(key.unseal(each, f"{endpoint.tenant}/webhook_endpoints/{endpoint.id}") for each in sealed)


def resend(store: Store, tx: Session, tenant: str, delivery_id: str, *, actor: str) -> None:
    """Try a delivery again, whatever became of it.

    Raises:
        NotFoundError.
        ConflictError: its endpoint is disabled.
    """
    row = tx.get(WebhookDeliveryRow, (tenant, delivery_id))
    if row is None:
        raise NotFoundError("there is no such delivery.")
    if tx.get_one(WebhookEndpointRow, (tenant, row.endpoint_id), populate_existing=True).disabled is not None:
        raise ConflictError("the endpoint is disabled.", hint="Register it again; messages from then on reach it.")
    tx.execute(
        update(WebhookDeliveryRow)
        .where(WebhookDeliveryRow.tenant == tenant, WebhookDeliveryRow.id == delivery_id)
        .values(state="waiting", next_try=store.clock(), finished=None, tries=0, lease_token=None)
    )
    store.audit.append(tx, tenant, actor, "webhook.resent", "webhook_delivery", delivery_id)


def _require_address(url: str) -> None:
    """Return when messages can be sent to ``url``, and it holds no password: it is kept and shown in the open."""
    try:
        parts = urlsplit(url)
        host, known = parts.hostname, parts.port is None or parts.port > 0
    except ValueError:
        host, known = None, False
    if not known or not host or parts.scheme not in ("https", "http") or len(url) > 2000 or not url.isprintable():
        raise InvalidValueError("the URL of an endpoint begins with https:// and names a host.")
    if parts.username is not None or parts.password is not None:
        raise InvalidValueError("the URL of an endpoint holds no user or password.", hint="Verify the signature.")


class Deliveries:
    """The outbox of one store. :meth:`deliver_due` may run in several threads: an endpoint is sent one at a time, so
    that one which does not answer holds up nobody else's messages.

    Args:
        send: tries one delivery; an exception counts as a try that failed.
        backoff: waits between tries.
        lease: how long one try may take before another process may try too.
    """

    def __init__(
        self, store: Store, send: Send, *, backoff: Sequence[timedelta] = BACKOFF, lease: timedelta = LEASE
    ) -> None:
        self.store, self._send, self._backoff, self._lease = store, send, tuple(backoff), lease
        self._taking, self._busy = threading.Lock(), set[tuple[str, str]]()

    def fan_out(self, limit: int = 100) -> int:
        """Turn up to ``limit`` messages into deliveries; returns how many messages."""
        store, now = self.store, self.store.clock()
        waiting = (
            select(OutboxRow)
            .where(OutboxRow.sent.is_(None))
            .order_by(OutboxRow.created, OutboxRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with store.read() as tx:
            if tx.scalar(select(OutboxRow.id).where(OutboxRow.sent.is_(None)).limit(1)) is None:
                return 0
        with store.write() as tx:
            rows = tx.scalars(waiting).all()
            for row in rows:
                endpoints = tx.scalars(select(WebhookEndpointRow).filter_by(tenant=row.tenant, disabled=None))
                for endpoint in endpoints:
                    if endpoint.kinds and row.kind not in endpoint.kinds:
                        continue
                    put_row(
                        tx,
                        WebhookDeliveryRow,
                        tenant=row.tenant,
                        id=new_id("del"),
                        outbox_id=row.id,
                        endpoint_id=endpoint.id,
                        state="waiting",
                        tries=0,
                        next_try=now,
                        created=now,
                    )
                tx.execute(
                    update(OutboxRow).where(OutboxRow.tenant == row.tenant, OutboxRow.id == row.id).values(sent=now)
                )
        return len(rows)

    def deliver_due(self, limit: int = 100) -> int:
        """Try up to ``limit`` deliveries that are due; returns how many were tried."""
        tried = 0
        while tried < limit and (taken := self._take()) is not None:
            delivery, token = taken
            try:
                self._written(delivery, token, self._try(delivery))
            finally:
                with self._taking:
                    self._busy.discard((delivery.tenant, delivery.endpoint_id))
            tried += 1
        return tried

    def _try(self, delivery: Delivery) -> Receipt:
        with tracing.span(
            "send webhook", kind="client", parent=delivery.traceparent, tenant=delivery.tenant,
            message=delivery.message_id, tries=delivery.tries,
        ) as span:  # fmt: skip
            try:
                receipt = self._send(delivery)
            except Exception as error:  # whatever a sender does, the delivery stays and is tried again
                code = error.code if isinstance(error, SamebodyError) else type(error).__name__
                receipt = Receipt(accepted=False, error=code)
            span.set(status=receipt.status)
            if not receipt.accepted:
                span.fail(receipt.error or "webhook.refused")
        return receipt

    def pending(self) -> int:
        """Messages and deliveries that are still to go out."""
        messages = select(func.count()).select_from(OutboxRow).where(OutboxRow.sent.is_(None))
        waiting = select(func.count()).select_from(WebhookDeliveryRow).where(WebhookDeliveryRow.state == "waiting")
        with self.store.read() as tx:
            return (tx.scalar(messages) or 0) + (tx.scalar(waiting) or 0)

    def _take(self) -> tuple[Delivery, str] | None:
        """Lease the delivery that is due longest to an endpoint that no other thread sends to."""
        with self._taking:
            taken = self._take_one()
            if taken is not None:
                self._busy.add((taken[0].tenant, taken[0].endpoint_id))
            return taken

    def _take_one(self) -> tuple[Delivery, str] | None:
        """Lease a delivery: its next try moves to the end of the lease."""
        store, now = self.store, self.store.clock()
        endpoint_of = tuple_(WebhookDeliveryRow.tenant, WebhookDeliveryRow.endpoint_id)
        due = (
            select(WebhookDeliveryRow)
            .where(
                WebhookDeliveryRow.state == "waiting",
                WebhookDeliveryRow.next_try <= now,
                *((endpoint_of.not_in(sorted(self._busy)),) if self._busy else ()),
            )
            .order_by(WebhookDeliveryRow.next_try, WebhookDeliveryRow.id)
            .limit(1)
        )
        with store.read() as tx:
            if tx.scalars(due).one_or_none() is None:
                return None
        with store.write() as tx:
            row = tx.scalars(due.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            token = secrets.token_hex(16)
            message = tx.get_one(OutboxRow, (row.tenant, row.outbox_id))
            endpoint = tx.get_one(WebhookEndpointRow, (row.tenant, row.endpoint_id))
            if endpoint.disabled is not None:  # while its deliveries were being made
                _give_up(tx, row.tenant, row.endpoint_id, now)
                return None
            delivery = Delivery(
                tenant=row.tenant,
                id=row.id,
                message_id=message.id,
                endpoint_id=endpoint.id,
                url=endpoint.url,
                body=body_of(message.kind, message.created, message.payload),
                tries=row.tries,
                secrets=endpoint_secrets(store, tx, endpoint),
                traceparent=message.traceparent,
            )
            tx.execute(
                update(WebhookDeliveryRow)
                .where(WebhookDeliveryRow.tenant == row.tenant, WebhookDeliveryRow.id == row.id)
                .values(lease_token=token, next_try=now + self._lease)
            )
        return delivery, token

    def _written(self, delivery: Delivery, token: str, receipt: Receipt) -> None:
        now, tries = self.store.clock(), delivery.tries + 1
        values: dict[str, object] = {
            "tries": tries,
            "last_status": receipt.status,
            "last_error": receipt.error[:200] if receipt.error else None,
            "lease_token": None,
        }
        if receipt.accepted:
            values |= {"state": "delivered", "finished": now}
        elif receipt.gone or tries > len(self._backoff):
            values |= {"state": "given_up", "finished": now}
        else:
            values["next_try"] = now + max(self._backoff[tries - 1], receipt.wait or timedelta())
        with self.store.write() as tx:
            tx.execute(
                update(WebhookDeliveryRow)
                .where(
                    WebhookDeliveryRow.tenant == delivery.tenant,
                    WebhookDeliveryRow.id == delivery.id,
                    WebhookDeliveryRow.lease_token == token,  # not when the lease ended and another tried
                )
                .values(**values)
            )
            if receipt.gone:
                disable_endpoint(self.store, tx, delivery.tenant, delivery.endpoint_id, actor="system")


def body_of(kind: str, created: datetime, payload: Mapping[str, object]) -> bytes:
    """The bytes of a message: the same on every try."""
    message = {"type": kind, "timestamp": created.isoformat(timespec="milliseconds"), "data": dict(payload)}
    return json.dumps(message, separators=(",", ":"), sort_keys=True).encode()
