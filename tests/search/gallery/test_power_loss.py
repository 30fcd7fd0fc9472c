"""The power goes at any moment: every acknowledged record is there, none twice, none back from the dead."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from samebody.errors import SamebodyError
from samebody.search.gallery import Gallery
from samebody.search.gallery.errors import GalleryDiskFullError, GalleryNotFoundError, GalleryWriteError

from .faulty_disk import FastDisk, FullDisk, PowerLoss, RecordingDisk
from .material import IRIS, KEY, KEYS, SMALL, VECTOR, holdings, irises, live, make, subjects, vectors

both = pytest.mark.parametrize("key", KEYS, ids=["plain", "sealed"])


EVERYTHING = [
    ("vector", 0, 8, 0),
    ("compact", 1, 0, 0),
    ("iris", 2, 4, 0),
    ("delete", 3, 1, 2),
    ("snapshot", 4, 0, 0),
    ("delete", 5, 1, 1),
    ("compact", 6, 0, 0),
    ("again", 7, 0, 0),
]
"""The shortest history in which every kind of file is written, replaced and removed."""


def _steps(seed: int, count: int) -> list[tuple]:
    """A history: enrol, delete, compact, snapshot; with what it leaves behind."""
    if not seed:
        return EVERYTHING[:count]
    chance, steps = random.Random(seed), []
    for number in range(count):
        kind = chance.choices(["vector", "iris", "delete", "compact", "snapshot", "again"], [8, 3, 4, 2, 1, 1])[0]
        steps.append((kind, number, chance.randrange(1, 9), chance.randrange(0, 12)))
    return steps


def _do(gallery: Gallery, step: tuple, snapshots: Path) -> None:
    kind, number, size, who = step
    names = subjects(size, who)
    if kind == "vector":
        gallery.enrol_arrays("vector", names, vectors(size, number), space=VECTOR.space, request_id=f"r{number}")
    elif kind == "iris":
        gallery.enrol_arrays("iris", names, irises(size, number), space=IRIS.space)
    elif kind == "delete":
        gallery.delete(names[0])
    elif kind == "compact":
        gallery.compact()
    elif kind == "snapshot":
        gallery.snapshot(snapshots / f"s{number}")
    else:
        gallery.close()


def _content(gallery: Gallery) -> tuple:
    return holdings(gallery), live(gallery, "vector"), live(gallery, "iris")


def _lay_out(content: dict[Path, bytes], old: Path, new: Path) -> None:
    for path, data in content.items():
        target = new / path.relative_to(old)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _record(root: Path, key: bytes | None, seed: int, count: int) -> tuple[RecordingDisk, list[tuple]]:
    """Run a history on a recording disk; the journal has a mark after every acknowledged step."""
    disk, contents = RecordingDisk(), []
    gallery = make(root / "g", key, disk=disk)
    contents.append(_content(gallery))
    disk.journal.append(("mark", 0))
    for step in _steps(seed, count):
        _do(gallery, step, root / "snapshots")
        if step[0] == "again":
            gallery = Gallery.open(root / "g", key=key, mode="w", tuning=SMALL, disk=disk)
        contents.append(_content(gallery))
        disk.journal.append(("mark", len(contents) - 1))
    gallery.close()
    return disk, contents


def _check(root: Path, key: bytes | None, contents: list[tuple], acknowledged: int) -> None:
    """Open what is left: it is the state after the last acknowledged step, or after the one under way, whole."""
    if acknowledged < 0:  # power went while the gallery was made: it is there or it is not
        try:
            Gallery.open(root / "g", key=key, mode="w").close()
        except GalleryNotFoundError:
            make(root / "g", key).close()
        return
    with Gallery.open(root / "g", key=key) as reader:
        seen = _content(reader)
    with Gallery.open(root / "g", key=key, mode="w", tuning=SMALL, disk=FastDisk()) as gallery:
        found = _content(gallery)
        assert found == seen
        assert found in contents[acknowledged : acknowledged + 2]
        report = gallery.verify()
        assert report.sound and not report.orphans and report.dropped_bytes == 0
        again = gallery.enrol_arrays("vector", ["after"], vectors(1, 7), space=VECTOR.space)
        assert int(again[0]) > max(contents[acknowledged][0], default=0)
    with Gallery.open(root / "g", key=key) as reader:
        assert reader.records_of("after")[0].record_id == int(again[0])
    for snapshot in (root / "snapshots").glob("s*") if (root / "snapshots").is_dir() else ():
        if (snapshot / "MANIFEST").exists():
            with Gallery.open(snapshot, key=key) as copy:
                assert copy.verify().sound


def _every_prefix(
    tmp_path: Path, key: bytes | None, seed: int, count: int, tries: int, forget: Callable[[tuple], bool] | None = None
) -> int:
    """Lose power at every operation, in several ways each.

    When ``tries`` is 1, in one way each, taken in turns; and when sealed, at every other operation.
    """
    disk, contents = _record(tmp_path / "real", key, seed, count)
    loss, acknowledged, checked = PowerLoss(), -1, 0
    for number, entry in enumerate(disk.journal):
        if forget is not None and forget(entry):
            continue
        if entry[0] == "mark":
            acknowledged = entry[1]
            continue
        loss.step(entry)
        torn: list[tuple] = [(random.Random(f"{seed}/{number}/{attempt}"), False) for attempt in range(tries)]
        ways = [(None, False), (None, True), *torn]
        if tries == 1 and key is not None and number % 2:
            continue
        for chance, keep in ways if tries > 1 else [ways[number % len(ways)]]:
            root = tmp_path / "after"
            _lay_out(loss.after(chance, keep), tmp_path / "real", root)
            if not (root / "g").is_dir():
                assert acknowledged < 0
                continue
            _check(root, key, contents, acknowledged)
            shutil.rmtree(root)
            checked += 1
    return checked


@both
def test_power_loss_at_every_operation(tmp_path, key):
    assert _every_prefix(tmp_path, key, seed=0, count=8, tries=1) > 60


@pytest.mark.slow
@both
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_power_loss_at_every_operation_of_long_histories(tmp_path, key, seed):
    assert _every_prefix(tmp_path, key, seed=seed, count=20, tries=2) > 500


@pytest.mark.parametrize("name", ["log-", "segment-", "state-", "MANIFEST"])
def test_the_simulation_notices_a_sync_that_was_forgotten(tmp_path, name):
    """The same histories with the syncs of one kind of file left out of the journal must come to grief."""
    with pytest.raises((AssertionError, SamebodyError)):
        _every_prefix(tmp_path, None, 0, 8, 2, lambda entry: entry[0] == "sync" and entry[1].name.startswith(name))


def test_the_simulation_notices_a_folder_that_was_never_synced(tmp_path):
    with pytest.raises((AssertionError, SamebodyError)):
        _every_prefix(tmp_path, None, 0, 8, 2, lambda entry: entry[0] == "sync folder" and entry[1].name == "g")


def test_power_loss_at_every_byte_of_the_last_frame(tmp_path):
    with make(tmp_path / "g", KEY) as gallery:
        gallery.enrol_arrays("vector", subjects(3), vectors(3), space=VECTOR.space)
        before, start = _content(gallery), gallery.stats().log_bytes
        gallery.enrol_arrays("vector", subjects(3, 50), vectors(3, 1), space=VECTOR.space)
        after = _content(gallery)
        (log,) = (tmp_path / "g").glob("log-*")
        whole, manifest = log.read_bytes(), (tmp_path / "g" / "MANIFEST").read_bytes()  # as a crash leaves them
    (tmp_path / "g" / "MANIFEST").write_bytes(manifest)
    for end in range(start, len(whole) + 1):
        log.write_bytes(whole[:end])
        with Gallery.open(tmp_path / "g", key=KEY) as gallery:
            assert _content(gallery) == (after if end == len(whole) else before)
            assert gallery.stats().dropped_bytes == (0 if end == len(whole) else end - start)


@both
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_refuses_a_step_whole_and_goes_on_when_there_is_room(tmp_path, key, error):
    refused = 0
    for seed in range(5):
        root = tmp_path / str(seed)
        chance = random.Random(seed)
        disk = FullDisk(chance.randrange(12_000, 120_000), error)
        gallery = make(root / "g", key, disk=disk)
        for step in _steps(seed, 25):
            if step[0] == "again":
                continue
            before = _content(gallery)
            try:
                _do(gallery, step, root / "snapshots")
            except (GalleryDiskFullError, GalleryWriteError) as fault:
                assert isinstance(fault, GalleryDiskFullError) == (error == errno.ENOSPC)
                refused += 1
                assert _content(gallery) == before
                with Gallery.open(root / "g", key=key) as reader:
                    assert _content(reader) == before and reader.verify().sound
                assert not list((root).glob("snapshots/.*"))
                disk.room = 10**7
                _do(gallery, step, root / "snapshots")
                disk.room = chance.randrange(0, 100_000)
        last = _content(gallery)
        gallery.close()
        with Gallery.open(root / "g", key=key, mode="w") as gallery:
            assert _content(gallery) == last and gallery.verify().sound
    assert refused > 4


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to mount a small file system")
def test_a_disk_that_is_really_full(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    try:
        gallery = make(small / "g", KEY)
        number = 0
        with pytest.raises(GalleryDiskFullError):
            while True:
                gallery.enrol_arrays("vector", subjects(20), vectors(20, number), space=VECTOR.space)
                number += 1
        assert number > 2 and len(gallery) == 20 * number
        with pytest.raises(GalleryDiskFullError):
            gallery.snapshot(small / "s")
        gallery.close()
        assert not list(small.glob("s*")) and not list(small.glob(".s*"))
        with Gallery.open(small / "g", key=KEY) as reader:
            assert len(reader) == 20 * number and reader.verify().sound
        subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
        with Gallery.open(small / "g", key=KEY, mode="w", tuning=SMALL) as gallery:
            gallery.enrol_arrays("vector", subjects(20), vectors(20), space=VECTOR.space)
            assert len(gallery) == 20 * number + 20
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_after_a_sync_that_failed_nothing_is_written_until_it_is_opened_again(tmp_path):
    disk = FullDisk(10**6, errno.EIO, syncs_fail=True)
    with make(tmp_path / "g", disk=disk) as gallery:
        gallery.enrol_arrays("vector", ["a"], vectors(1), space=VECTOR.space)
        disk.room = -1
        with pytest.raises(GalleryWriteError):
            gallery.enrol_arrays("vector", ["b"], vectors(1), space=VECTOR.space)
        disk.room = 10**6
        with pytest.raises(GalleryWriteError, match="open it again"):
            gallery.enrol_arrays("vector", ["b"], vectors(1), space=VECTOR.space)
        assert gallery.has("a") and not gallery.has("b")
    with Gallery.open(tmp_path / "g", mode="w") as gallery:
        assert gallery.has("a") and not gallery.has("b")
        gallery.enrol_arrays("vector", ["b"], vectors(1), space=VECTOR.space)


def test_no_fault_is_a_bare_oserror(tmp_path):
    with make(tmp_path / "g", disk=FullDisk(10**6)) as gallery:
        gallery._core.disk.room = 0
        for step in [("vector", 1, 2, 3), ("compact", 2, 1, 1), ("snapshot", 3, 1, 1)]:
            with pytest.raises(SamebodyError):
                if step[0] == "compact":
                    gallery._core.disk.room = 10**6
                    gallery.enrol_arrays("vector", ["x"], vectors(1), space=VECTOR.space)
                    gallery._core.disk.room = 0
                _do(gallery, step, tmp_path / "s")
