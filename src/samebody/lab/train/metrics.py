"""The lines of ``metrics.jsonl``: what the loop measured, appended and flushed, cut back when a run goes on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from samebody.lab.data.files import faults

METRICS = "metrics.jsonl"


class Window:
    """Means over the steps since the last line."""

    def __init__(self) -> None:
        self.last: dict[str, Any] = {}
        self.clear()

    def clear(self) -> None:
        """Begin anew; :attr:`last` stays."""
        self.steps, self.samples, self.seconds = 0, 0, 0.0
        self.loss, self.norm, self.lr = 0.0, 0.0, 0.0
        self.parts: dict[str, float] = {}

    def add(
        self, loss: float, parts: Mapping[str, float], norm: float, lr: float, samples: int, seconds: float
    ) -> None:
        """One more step."""
        self.steps += 1
        self.samples += samples
        self.seconds += seconds
        self.loss += loss
        self.norm += norm
        self.lr = lr
        for name, value in parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + value

    def summary(self) -> dict[str, Any]:
        """Mean loss, mean of each part, mean gradient norm, last learning rate, samples a second."""
        count = max(self.steps, 1)
        self.last = {
            "loss": self.loss / count,
            "losses": {name: value / count for name, value in self.parts.items()},
            "gradient_norm": self.norm / count,
            "lr": self.lr,
            "samples_per_second": round(self.samples / self.seconds, 2) if self.seconds else 0.0,
        }
        return self.last

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {name: value for name, value in vars(self).items() if name != "last"}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Back to a :meth:`state`."""
        vars(self).update({**state, "parts": dict(state["parts"])})


class Metrics:
    """Appends lines to ``metrics.jsonl`` in ``folder``; None for a process that writes nothing.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = folder / METRICS if folder else None
        self._stream: BinaryIO | None = None
        if self.path is not None:
            with faults(self.path):
                self._stream = self.path.open("ab")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._stream.tell() if self._stream else 0

    def add(self, line: Mapping[str, Any]) -> None:
        """Append one line and hand it to the disk; figures that are no number become null."""
        if self._stream is None or self.path is None:
            return
        text = json.dumps(finite(dict(line)), ensure_ascii=False, allow_nan=False)
        with faults(self.path):
            self._stream.write(text.encode() + b"\n")
            self._stream.flush()

    def sync(self) -> None:
        """Wait until every line is on the disk."""
        if self._stream is not None and self.path is not None:
            with faults(self.path):
                os.fsync(self._stream.fileno())

    def cut(self, size: int) -> None:
        """Remove what stands beyond ``size`` bytes."""
        if self._stream is not None and self.path is not None:
            with faults(self.path):
                self._stream.truncate(min(size, self._stream.seek(0, os.SEEK_END)))
                self._stream.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Flush and close."""
        if self._stream is not None and not self._stream.closed:
            self.sync()
            self._stream.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """All whole lines of a run, in order; empty when there is none yet."""
    try:
        lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # the last line of a process that was killed
    return found


def finite(value: Any) -> Any:
    """``value`` with null in place of floats that are no number, as JSON wants it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    return value
