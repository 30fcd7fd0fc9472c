"""What the routes share: store, settings, signers, the models that are loaded when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, cast

from fastapi import Request

from samebody.config import Settings
from samebody.jobs import Queue
from samebody.operate.cost import read_prices
from samebody.operate.limits import Limits, read_limits
from samebody.service.errors import BusyError
from samebody.service.galleries import Galleries
from samebody.service.limits import RateLimiter
from samebody.service.metrics import Requests
from samebody.service.settings import ServiceSettings
from samebody.service.sso.flow import Sso
from samebody.service.sso.providers import load_providers
from samebody.service.tenancy import Tenancy
from samebody.service.tokens import Signer
from samebody.service.uploads import Uploads
from samebody.service.webhooks import Sender
from samebody.store.store import Store

if TYPE_CHECKING:
    from samebody.attacks.pad import PassivePad
    from samebody.service.verifiers import Verifiers


SENDS = 2
"""Webhooks that requests wait for at the same time; each holds one of the threads that answer."""


class Service:
    """One process of the API.

    Args:
        store: opened; closed by whoever opened it.
        settings: of the service; ``runtime``: of the pipeline.
    """

    def __init__(self, store: Store, settings: ServiceSettings, runtime: Settings) -> None:
        self.store, self.settings, self.runtime = store, settings, runtime
        self.client_tokens, self.links = Signer(store, "client"), Signer(store, "media")
        self.uploads = Uploads(store, settings.max_body)
        self.cursors = Signer(store, "cursor")
        self.queue = Queue(store)
        self.requests = Requests()
        self.rates = RateLimiter(settings.rate)
        self.tenancy = Tenancy(store, settings)
        self.sso = Sso(store, load_providers(settings.oidc), settings.public_url)
        self.galleries = Galleries(store, settings.galleries)
        # read at the start: a file with a mistake is told then, not at the first promotion
        self.change_limits = read_limits(settings.change_limits) if settings.change_limits else Limits()
        self.prices = read_prices(settings.prices) if settings.prices else None
        self.draining = False
        self._checks = threading.BoundedSemaphore(settings.check_slots)
        self._decodes = threading.BoundedSemaphore(settings.decode_slots)
        self._sends = threading.BoundedSemaphore(SENDS)
        self._sender = Sender.of(settings)

    @cached_property
    def verifiers(self) -> Verifiers:
        """The pipeline, with the models that are asked for."""
        from samebody.service.verifiers import Verifiers

        return Verifiers(self.store, self.runtime)

    @cached_property
    def liveness(self) -> PassivePad:
        """The passive detector; opened on first use.

        Raises:
            UnknownModelError: there is no record of one.
        """
        from samebody.attacks.pad import PassivePad

        return PassivePad(self.runtime)

    def drain(self) -> None:
        """Say by readiness that this process will end."""
        self.draining = True

    @contextmanager
    def check_slot(self) -> Iterator[Verifiers]:
        """Compute a stateless check, at most ``check_slots`` at the same time.

        Raises:
            BusyError: all are taken for longer than a second.
        """
        hint = "Try again in a moment, or create sessions."
        with _place(self._checks, 1.0, "all slots for checks are taken.", hint):
            yield self.verifiers

    @contextmanager
    def decode_slot(self) -> Iterator[None]:
        """Decode an uploaded picture, at most ``decode_slots`` at the same time: each needs its pixels in memory.

        Raises:
            BusyError: all are taken for longer than ten seconds.
        """
        with _place(self._decodes, 10.0, "too many pictures come at the same time."):
            yield

    @contextmanager
    def sending_slot(self) -> Iterator[Sender]:
        """Send a webhook while a request waits, at most :data:`SENDS` at the same time: endpoints may be slow.

        Raises:
            BusyError: all are taken for longer than a second.
        """
        with _place(self._sends, 1.0, "other endpoints are being tried."):
            yield self._sender


@contextmanager
def _place(
    places: threading.BoundedSemaphore, seconds: float, busy: str, hint: str = "Try again in a moment."
) -> Iterator[None]:
    if not places.acquire(timeout=seconds):
        raise BusyError(busy, hint=hint)
    try:
        yield
    finally:
        places.release()


def service_of(request: Request) -> Service:
    """The service a request came to."""
    return cast(Service, request.app.state.service)
