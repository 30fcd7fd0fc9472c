"""Keeps OpenCV's threads out of the way of work that already runs in several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_users = 0
_before = 1


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """OpenCV's operations run in the thread that calls them while the block lasts, in the whole process.

    A picture's shrinking spread over all cores takes them from the workers that hold them. Blocks may overlap in
    several threads: the first sets the number of threads, and the last gives back what was there before.
    """
    global _users, _before
    with _lock:
        if _users == 0:
            _before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                cv2.setNumThreads(_before)
