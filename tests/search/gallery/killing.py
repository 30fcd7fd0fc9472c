"""Kill -9 at random moments, over and over, and look at what is left. Run as a module by test_kill.

A child works on the gallery and says through a pipe what it begins and what was acknowledged; the parent kills it after
a random time, opens the gallery, and compares with a dictionary.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from samebody.search.gallery import Gallery, Tuning

from .material import IRIS, KEY, VECTOR, holdings, irises, make, subjects, vectors

TUNING = Tuning(block_bytes=2_000, log_bytes=12_000, segment_bytes=60_000)


def work(path: Path, key: bytes | None, seed: int, pipe: int) -> None:
    """Until killed: enrol, delete, compact, snapshot; every intent and every acknowledgement is told."""
    chance, step = random.Random(seed), 0

    def tell(**facts: object) -> None:
        os.write(pipe, json.dumps(facts).encode() + b"\n")

    tell(begin="open")
    gallery = Gallery.open(path, key=key, mode="w", tuning=TUNING)
    tell(done="open")
    while True:
        step += 1
        kind = chance.choices(["vector", "iris", "delete", "compact", "snapshot"], [10, 4, 5, 3, 1])[0]
        size, who = chance.randrange(1, 30), chance.randrange(40)
        request = f"{seed}/{step}"
        tell(begin=kind, size=size, who=who, request=request)
        if kind == "vector":
            payload = vectors(size, seed * 1000 + step)
            ids = gallery.enrol_arrays("vector", subjects(size, who), payload, space=VECTOR.space, request_id=request)
            tell(done=kind, first=int(ids[0]))
        elif kind == "iris":
            payload = irises(size, seed * 1000 + step)
            ids = gallery.enrol_arrays("iris", subjects(size, who), payload, space=IRIS.space, request_id=request)
            tell(done=kind, first=int(ids[0]))
        elif kind == "delete":
            tell(done=kind, count=gallery.delete(subjects(1, who)[0]))
        elif kind == "compact":
            gallery.compact()
            tell(done=kind)
        else:
            snapshot = path.parent / f"snapshot-{seed}-{step}"
            gallery.snapshot(snapshot)
            tell(done=kind, path=str(snapshot))


class Book:
    """What must be in the gallery: record id -> subject; and the step that was under way when the child died."""

    def __init__(self) -> None:
        self.held: dict[int, str] = {}
        self.deleted: set[int] = set()
        self.under_way: dict | None = None
        self.acknowledged: dict[str, int] = {}
        self.snapshots: list[Path] = []

    def read(self, line: bytes) -> None:
        facts = json.loads(line)
        if "begin" in facts:
            self.under_way = facts
            return
        assert self.under_way is not None
        step, self.under_way = self.under_way, None
        if facts["done"] in ("vector", "iris"):
            self.enrolled(step, facts["first"])
        elif facts["done"] == "delete":
            assert self.drop(step["who"]) == facts["count"]
        elif facts["done"] == "snapshot":
            self.snapshots.append(Path(facts["path"]))

    def enrolled(self, step: dict, first: int) -> None:
        new = {first + row: name for row, name in enumerate(subjects(step["size"], step["who"]))}
        assert not new.keys() & (self.held.keys() | self.deleted), "a record id was given twice"
        self.held.update(new)
        self.acknowledged[step["request"]] = first

    def drop(self, who: int) -> int:
        gone = {record for record, name in self.held.items() if name == subjects(1, who)[0]}
        self.deleted |= gone
        for record in gone:
            del self.held[record]
        return len(gone)

    def settle(self, found: dict[int, str]) -> str:
        """The step under way happened whole or not at all; take over which, or raise."""
        step, self.under_way = self.under_way, None
        if found == self.held:
            return "not happened"
        assert step is not None, "the gallery changed without a step under way"
        if step["begin"] in ("vector", "iris"):
            self.enrolled(step, min(found.keys() - self.held.keys()))
        elif step["begin"] == "delete":
            self.drop(step["who"])
        assert found == self.held, "records were lost, doubled or came back"
        return "happened"


def round_(path: Path, key: bytes | None, book: Book, seed: int, chance: random.Random) -> str:
    """Start a child, kill it, check; returns what it was doing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            work(path, key, seed, writing)
        finally:
            os._exit(1)
    os.close(writing)
    lines = bytearray()
    until = time.monotonic() + chance.uniform(0.005, 0.12)
    while (left := until - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            part = os.read(reading, 65536)
            if not part:
                break
            lines += part
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child ended by itself: look at its traceback"
    while part := os.read(reading, 65536):
        lines += part
    os.close(reading)
    for line in bytes(lines).split(b"\n")[:-1]:
        book.read(line)
    doing = book.under_way["begin"] if book.under_way else "between"
    check(path, key, book, chance)
    return doing


def check(path: Path, key: bytes | None, book: Book, chance: random.Random) -> None:
    with Gallery.open(path, key=key) as reader:
        book.settle(holdings(reader))
    with Gallery.open(path, key=key, mode="w", tuning=TUNING) as gallery:
        assert holdings(gallery) == book.held
        report = gallery.verify()
        assert report.sound and not report.orphans, report
        for request in chance.sample(sorted(book.acknowledged), min(3, len(book.acknowledged))):
            first = gallery._known(request, _size(gallery, request))
            assert first is not None and int(first[0]) == book.acknowledged[request]
        sample = chance.sample(sorted(book.deleted), min(20, len(book.deleted)))
        assert gallery.subject_of(sample) == [None] * len(sample), "back from the dead"
    assert not [each for each in path.parent.iterdir() if each.name.startswith(".")], "half a snapshot was left"
    while book.snapshots:
        snapshot = book.snapshots.pop()
        with Gallery.open(snapshot, key=key) as copy:
            assert copy.verify().sound
        for each in snapshot.iterdir():
            each.unlink()
        snapshot.rmdir()


def _size(gallery: Gallery, request: str) -> int:
    from samebody.search.gallery.state import request_digest

    found = gallery._core.request(request_digest(request))
    assert found is not None, "an acknowledged request was forgotten"
    return found[1]


def main(folder: str, rounds: int, seed: int, sealed: bool) -> None:
    path, key = Path(folder) / "g", KEY if sealed else None
    make(path, key, tuning=TUNING).close()
    book, chance, doing = Book(), random.Random(seed), {}
    for number in range(rounds):
        what = round_(path, key, book, seed * 10_000 + number, chance)
        doing[what] = doing.get(what, 0) + 1
    print(json.dumps({"killed_while": doing, "held": len(book.held), "deleted": len(book.deleted)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "sealed")
