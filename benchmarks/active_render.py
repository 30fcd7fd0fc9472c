"""Renders the sessions of ``benchmarks.active_rating``, as many as a time budget allows; goes on where it stopped."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.active_sessions import VERSION, Half, Person, Seen, first_session, names_of, person, second_session
from samebody.capture import decode_image
from samebody.face import FaceAnalyser
from samebody.lab.evaluate.files import write_text

KINDS: dict[Half, tuple[tuple[str, int], ...]] = {
    "set": (("bona_fide", 1), ("dark", 1), ("flat", 3)),
    "report": (("bona_fide", 1), ("dark", 1), ("puppet", 1), ("puppet_lit", 1), ("still", 2)),
}
"""What is rendered of each person; of every second or third where the number says so."""


def cache_folder() -> Path:
    """Where sessions are kept."""
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return root / "samebody" / "benchmarks" / f"active-{VERSION}"


def folder_of(cache: Path, half: Half, name: str) -> Path:
    """Where the sessions of one person are kept."""
    return cache / half / Path(name).stem


class Gallery:
    """Whether a file shows one face from the front, remembered, so that no file is looked at twice."""

    def __init__(self, data: Path, cache: Path, faces: FaceAnalyser) -> None:
        self._data, self._path, self._faces = data, cache / "people.json", faces
        self._usable: dict[str, bool] = json.loads(self._path.read_text()) if self._path.is_file() else {}

    def usable(self, half: Half) -> Iterator[str]:
        """Names in the order of the half."""
        for name in names_of(self._data, half):
            if name not in self._usable and self.open(name) is None:
                continue
            if self._usable[name]:
                yield name

    def open(self, name: str) -> Person | None:
        """The person on a file."""
        found = person(name, decode_image((self._data / "fairface" / name).read_bytes()), self._faces)
        if self._usable.get(name) != (found is not None):
            self._usable[name] = found is not None
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, json.dumps(self._usable, indent=0))
        return found


def render(data: Path, cache: Path, budget_s: float, *, most: int = 1000, faces: FaceAnalyser | None = None) -> int:
    """Render until the budget is spent, one person of each half after the other; how many sessions were made.

    Args:
        budget_s: seconds; the session in work when it ends is finished.
        most: people of each half.
    """
    faces = faces or FaceAnalyser(threads=1)
    gallery = Gallery(data, cache, faces)
    began, made = time.monotonic(), 0
    halves: dict[Half, Iterator[str]] = {half: gallery.usable(half) for half in KINDS}
    for place in range(most):
        for half, kinds in KINDS.items():
            name = next(halves[half], None)
            if name is None:
                continue
            wanted = [kind for kind, every in kinds if place % every == 0]
            folder = folder_of(cache, half, name)
            missing = [kind for kind in wanted if not (folder / f"{kind}.npz").is_file()]
            who = gallery.open(name) if missing else None
            for kind in missing:
                if time.monotonic() - began > budget_s:
                    return made
                assert who is not None
                session: Seen = (first_session if half == "set" else second_session)(who, kind, faces)
                session.save(folder / f"{kind}.npz")
                made += 1
                print(f"{time.monotonic() - began:6.0f} s  {half:6} {place:3} {name} {kind}", flush=True)
    return made
