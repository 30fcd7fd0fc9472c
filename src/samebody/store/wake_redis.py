"""Hints by Redis: published after the commit from a thread of its own, so that a Redis that hangs holds up nobody."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from samebody.store.database import after_commit
from samebody.store.errors import StoreConfigError, StoreExtraMissingError
from samebody.store.wake import CHANNEL, Wait

logger = logging.getLogger(__name__)


class RedisWake:
    """Hints by publish and subscribe; Redis keeps nothing, and may be emptied or exchanged at any time.

    Args:
        url: ``redis://[user:password@]host:6379``; ``rediss://`` for TLS.

    Raises:
        StoreExtraMissingError, StoreConfigError.
    """

    name = "Redis"

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            raise StoreExtraMissingError(
                "hints by Redis need redis-py, which is not installed.", hint="pip install 'samebody[redis]'"
            ) from None
        try:
            # no retries: the next hint, or the next look at the table, is the retry
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=5, socket_connect_timeout=2, protocol=2, retry=None, health_check_interval=15
            )
        except ValueError:
            raise StoreConfigError("the URL of Redis cannot be used.", hint="Write redis://host:6379.") from None
        self._waiting: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._away = False

    def tell(self, tx: Session) -> None:
        """See :class:`samebody.store.wake.Wake`."""
        after_commit(tx, self._enqueue)

    @contextlib.contextmanager
    def subscribed(self) -> Iterator[Wait]:
        """See :class:`samebody.store.wake.Wake`."""
        with self._client.pubsub(ignore_subscribe_messages=True) as heard:
            heard.subscribe(CHANNEL)

            def wait(seconds: float) -> bool:
                return heard.get_message(timeout=seconds) is not None

            yield wait

    def ping(self) -> bool:
        """Whether Redis answers now."""
        try:
            return bool(self._client.ping())
        except Exception:  # of the driver, of the socket: all the same here
            return False

    def close(self) -> None:
        """Give connections back; hints that still wait are dropped."""
        if self._thread is not None:
            self._waiting.put(False)
            self._thread.join(6)
        self._client.close()

    def _enqueue(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._publish, name="samebody-hints", daemon=True)
                self._thread.start()
        if self._waiting.qsize() < 16:  # one would do: a hint says that there is work, not how much
            self._waiting.put(True)

    def _publish(self) -> None:
        while self._waiting.get():
            try:
                self._client.publish(CHANNEL, b"")
                self._away = False
            except Exception as error:  # of the driver, of the socket: workers look by themselves
                if not self._away:
                    logger.warning("Redis takes no hints: %s", type(error).__name__)
                self._away = True
