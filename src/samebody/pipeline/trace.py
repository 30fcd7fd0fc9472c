"""The trace: each stage's result, computed once per case, with the time it took and the models it used.

Report, audit record and explanation are read from here and from the evidence it refers to; nothing is computed twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from samebody import tracing
from samebody.types import Finding, Image

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class TraceEntry:
    """One stage of a case: name, result, start (seconds since the case began) and length (milliseconds)."""

    stage: str
    value: Any = field(repr=False)
    started: float
    milliseconds: float
    model_ids: tuple[str, ...] = ()


class Trace:
    """Stage results of one case, in order of completion; safe to fill from several threads."""

    def __init__(self) -> None:
        self._entries: dict[str, TraceEntry] = {}
        self._evidence: dict[str, Image] = {}
        self._lock = threading.Lock()
        self._origin = time.perf_counter()
        self._parent = tracing.current()

    def run(self, stage: str, work: Callable[[], T], *, model_ids: tuple[str, ...] = ()) -> T:
        """Run ``work`` once, keep its result under ``stage``, return it.

        Raises:
            ValueError: when the stage has run already in this case.
        """
        if stage in self._entries:
            raise ValueError(f"stage {stage!r} ran already in this case")
        start = time.perf_counter()
        # a thread of its own begins without a span in hand: then the stage belongs to the one the case began in
        parent = None if tracing.current() else self._parent
        with tracing.span(f"stage {stage}", parent=parent, stage=stage, models=",".join(model_ids) or None) as span:
            value = work()
            span.set(outcome=value.outcome.value if isinstance(value, Finding) else None)
        elapsed = (time.perf_counter() - start) * 1000
        with self._lock:
            self._entries[stage] = TraceEntry(stage, value, start - self._origin, elapsed, model_ids)
        return value

    def keep_evidence(self, role: str, image: Image) -> None:
        """Remember the pixels that findings call ``role``; they live as long as the trace and are never written."""
        with self._lock:
            self._evidence[role] = image

    def evidence(self, role: str) -> Image | None:
        """The pixels kept under ``role``, if any."""
        return self._evidence.get(role)

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of the evidence, in the order it came."""
        return tuple(self._evidence)

    def __contains__(self, stage: str) -> bool:
        return stage in self._entries

    def __getitem__(self, stage: str) -> Any:
        return self._entries[stage].value

    def get(self, stage: str) -> Any:
        """The result of ``stage``, or None when it did not run."""
        entry = self._entries.get(stage)
        return entry.value if entry else None

    def __iter__(self) -> Iterator[TraceEntry]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.started))

    def timings(self) -> dict[str, float]:
        """Milliseconds per stage in order of start, and ``total``: wall time from the first start to the last end."""
        entries = list(self)
        times = {entry.stage: round(entry.milliseconds, 3) for entry in entries}
        if entries:
            first = min(entry.started for entry in entries)
            last = max(entry.started + entry.milliseconds / 1000 for entry in entries)
            times["total"] = round((last - first) * 1000, 3)
        return times

    def model_ids(self) -> tuple[str, ...]:
        """Every model record used, sorted."""
        used: set[str] = set()
        for entry in self._entries.values():
            used.update(entry.model_ids)
            for finding in _findings_of(entry.value):
                used.update(finding.model_ids)
        return tuple(sorted(used))


def _findings_of(value: Any) -> tuple[Finding, ...]:
    if isinstance(value, Finding):
        return (value,)
    found = getattr(value, "findings", value)
    if isinstance(found, tuple | list):
        return tuple(item for item in found if isinstance(item, Finding))
    return ()
