"""How long the passive detector takes on one thread: its network on all views of a face, and the whole score.

    python -m benchmarks.pad_speed [--write docs/results/pad-speed.md]

The limit is held against the time that the thread itself worked, which other processes disturb less than the clock.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import describe_machine
from samebody.attacks import PassivePad
from samebody.attacks.pad import PLACES
from samebody.models import open_session
from samebody.models.contracts import preprocess_images
from samebody.models.outputs import bona_fide_scores
from samebody.types import Box

LIMIT_MS = 4.0
"""What the network may take, all views together."""


def milliseconds(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median time of the thread's own work and of the clock, over ``repeats`` calls after ten that do not count."""
    for _ in range(10):
        work()
    own, clock = [], []
    for _ in range(repeats):
        started, worked = time.perf_counter(), time.thread_time()
        work()
        own.append(1000 * (time.thread_time() - worked))
        clock.append(1000 * (time.perf_counter() - started))
    return statistics.median(own), statistics.median(clock)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    detector = PassivePad(threads=1)
    random = np.random.default_rng(0)
    side = detector.record.image_input.width or 112
    faces = random.integers(0, 256, (len(PLACES), side, side, 3)).astype(np.uint8)
    frame = random.integers(0, 256, (720, 1280, 3)).astype(np.uint8)
    session = open_session(detector.record, threads=1)
    tensor = preprocess_images(detector.record.image_input, faces)
    rows: list[tuple[str, Callable[[], object]]] = [
        (f"network, {len(PLACES)} views of {side} pixels", lambda: session.run(None, {"views": tensor})),
        ("the same from pixels, checked", lambda: bona_fide_scores(detector.record, faces, threads=1)),
        ("score of a face of 320 pixels in a 1280 x 720 frame", lambda: detector.score(frame, Box(500, 200, 250, 320))),
    ]
    machine = describe_machine()
    lines = ["# Speed of the passive detector", ""]
    lines += [f"`python -m benchmarks.pad_speed`; {machine['processor']}, one thread, commit {machine['commit']}.", ""]
    lines += ["| what | thread's own time, median | by the clock, median |", "| --- | --- | --- |"]
    slow = False
    for name, work in rows:
        median, clock = milliseconds(work, chosen.repeats)
        lines.append(f"| {name} | {median:.2f} ms | {clock:.2f} ms |")
        slow = slow or (name.startswith("network") and median > LIMIT_MS)
    lines += ["", f"The network's limit is {LIMIT_MS:g} ms: {'not kept' if slow else 'kept'}."]
    text = "\n".join(lines) + "\n"
    print(text)
    if chosen.write:
        from samebody.lab.evaluate.files import write_text

        write_text(chosen.write, text)
    raise SystemExit(1 if slow else 0)


if __name__ == "__main__":
    main()
