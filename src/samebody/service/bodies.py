"""Bodies on their way in: how many, how many bytes of memory, and which one gives way when it is too many."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from samebody.service.errors import BusyError

GRACE = 1.0
"""Seconds that a body needs no place: one that comes at once is not refused because others come slowly."""
PATIENCE = 2.0
"""Seconds a body has before it may have to give way to another."""


@dataclass(slots=True, eq=False)
class Body:
    """One body.

    Attributes:
        seen: bytes that came so far; they stay in memory until the request is answered.
        placed: whether it has, or had, a place.
        given_way: another one took its place: it must be refused as too slow.
    """

    begun: float
    seen: int = 0
    placed: bool = False
    given_way: bool = False


@dataclass(slots=True)
class Bodies:
    """All bodies of a process. A body that is still coming holds no slot of those that are worked on, so that clients
    who send slowly, or on purpose never end, take nothing from others but places here; when these run out, the one
    with the fewest bytes a second goes.

    Attributes:
        most: how many may be coming at the same time.
        most_bytes: of all of them together, those of requests being worked on included.
    """

    most: int
    most_bytes: int
    held: int = 0
    _coming: set[Body] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._coming)

    def begin(self, now: float | None = None) -> Body:
        """A new body. How many have no place yet is bounded by the connections."""
        return Body(time.monotonic() if now is None else now)

    def stay(self, body: Body, now: float | None = None) -> None:
        """A place for a body that is still coming after :data:`GRACE`.

        Raises:
            BusyError: all places are taken by bodies that began just now.
        """
        at = time.monotonic() if now is None else now
        if body.placed or at - body.begun < GRACE:
            return
        if len(self._coming) >= self.most:
            slow = [each for each in self._coming if at - each.begun >= PATIENCE]
            if not slow:
                raise busy()
            slowest = min(slow, key=lambda each: each.seen / (at - each.begun))
            slowest.given_way = True
            self._coming.discard(slowest)
        body.placed = True
        self._coming.add(body)

    def take(self, body: Body, count: int) -> None:
        """Count bytes that came.

        Raises:
            BusyError: all bodies together are more than may be in memory.
        """
        body.seen += count
        self.held += count
        if self.held > self.most_bytes:
            raise busy()

    def complete(self, body: Body) -> None:
        """It has come: its place is free, its bytes are still held."""
        self._coming.discard(body)

    def end(self, body: Body) -> None:
        """Its request is answered."""
        self._coming.discard(body)
        self.held -= body.seen
        body.seen = 0


def busy() -> BusyError:
    """What a request is told that finds no place."""
    return BusyError("the service answers as many requests as it can.", hint="Try again in a moment.")
