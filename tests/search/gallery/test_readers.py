"""Readers beside the writer: each view is consistent, compaction goes on under it, deletions reach it."""

from __future__ import annotations

import multiprocessing
import threading

import pytest

from samebody.search.gallery import Gallery, verify_gallery
from samebody.search.gallery.errors import SnapshotError

from .material import IRIS, KEY, KEYS, SMALL, VECTOR, fill, holdings, irises, live, make, subjects, vectors

both = pytest.mark.parametrize("key", KEYS, ids=["plain", "sealed"])


@both
def test_a_reader_keeps_its_view_while_compaction_replaces_the_files(tmp_path, key):
    with make(tmp_path / "g", key) as gallery:
        held = fill(gallery)
        with Gallery.open(tmp_path / "g", key=key) as reader:
            blocks = reader.source("vector").blocks()
            first = next(blocks)  # in the middle of a search
            gallery.delete(held[1])
            gallery.compact()
            assert reader._core.of("vector")[0].entry != gallery._core.of("vector")[0].entry
            rest = list(blocks)
            assert first.record_ids[0] == 1 and sum(len(each) for each in [first, *rest]) == 160
            assert holdings(reader) == held
            assert reader.refresh() and not reader.refresh()
            assert holdings(reader) == {record: name for record, name in held.items() if name != held[1]}


@both
def test_a_reader_sees_what_was_enrolled_after_refresh(tmp_path, key):
    with make(tmp_path / "g", key) as gallery, Gallery.open(tmp_path / "g", key=key) as reader:
        gallery.enrol_arrays("vector", ["a"], vectors(1), space=VECTOR.space)
        assert not reader.has("a") and reader.refresh() and reader.has("a")
        gallery.delete("a")
        assert reader.has("a") and reader.refresh() and not reader.has("a") and not reader.refresh()


@both
def test_enrolment_deletion_and_rolling_go_on_during_compaction(tmp_path, key):
    """The progress callback works on the gallery between two blocks of the compaction."""
    with make(tmp_path / "g", key) as gallery:
        held = fill(gallery)
        for name in subjects(5):
            held = {record: who for record, who in held.items() if who != name}
            gallery.delete(name)
        calls = []

        def between(done: int, total: int) -> None:
            number = len(calls)
            calls.append(done)
            if number % 3 == 0 and number < 40:
                names = subjects(9, 1000 + 9 * number)
                ids = gallery.enrol_arrays(
                    "vector", names, vectors(9, number), space=VECTOR.space, request_id=f"c{number}"
                )
                held.update(zip(ids.tolist(), names, strict=True))
            if number % 4 == 1 and number < 40:
                gone = held[max(held)] if number % 8 == 1 else held[min(held)]
                assert gallery.delete(gone) == sum(who == gone for who in held.values())
                for record in [record for record, who in held.items() if who == gone]:
                    del held[record]
            assert gallery.has(held[max(held)])

        generation = gallery.stats().generation
        report = gallery.compact(between)
        assert report.removed == 10 - 2 and report.verified and len(calls) > 20
        assert gallery.stats().generation > generation + 3
        assert holdings(gallery) == held and gallery.verify().sound
        assert gallery.stats().modalities[0].dead > 0  # deleted meanwhile: still to be compacted
    with Gallery.open(tmp_path / "g", key=key, mode="w", tuning=SMALL) as gallery:
        assert holdings(gallery) == held
        again = gallery.enrol_arrays("vector", subjects(9, 1000), vectors(9), space=VECTOR.space, request_id="c0")
        assert held.get(int(again[0]), "subject-01000") == "subject-01000" and holdings(gallery) == held
        gallery.compact()
        assert holdings(gallery) == held and gallery.stats().modalities[0].dead == 0


def test_a_snapshot_taken_while_others_write_is_one_state(tmp_path):
    with make(tmp_path / "g") as gallery:
        held = fill(gallery)
        before = dict(held)

        def between(done: int, total: int) -> None:
            gallery.enrol_arrays("vector", subjects(30, 5000), vectors(30, done), space=VECTOR.space)  # rolls
            gallery.delete(held[1])

        gallery.snapshot(tmp_path / "s", between)
        with Gallery.open(tmp_path / "s") as copy:
            assert holdings(copy) == before and copy.verify().sound
        assert gallery.compact().snapshots_compacted == 1
        with Gallery.open(tmp_path / "s") as copy:
            assert not copy.has(held[1])


def test_readers_come_and_go_while_the_writer_works(tmp_path):
    """Openings race with rolling and compaction; each sees all of what was acknowledged before it began."""
    stop, problems, openings, acknowledged = threading.Event(), [], [], [0]

    def read() -> None:
        while not stop.is_set():
            least = acknowledged[0]
            try:
                with Gallery.open(tmp_path / "g", key=KEY) as reader:
                    found = live(reader, "vector")
                    assert len(found) >= least and set(range(1, least + 1)) <= found.keys()
                openings.append(len(found))
            except BaseException as error:
                problems.append(error)
                return

    with make(tmp_path / "g", KEY) as gallery:
        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(30):
            ids = gallery.enrol_arrays("vector", subjects(20), vectors(20, number), space=VECTOR.space)
            acknowledged[0] = int(ids[-1])
            if number % 5 == 4:
                gallery.compact()
        stop.set()
        for thread in threads:
            thread.join()
    assert not problems and len(openings) > 2


def test_verify_beside_the_writer_finds_nothing(tmp_path):
    with make(tmp_path / "g") as gallery:
        reports = []
        stop = threading.Event()

        def check() -> None:
            while not stop.is_set():
                reports.append(verify_gallery(tmp_path / "g"))

        thread = threading.Thread(target=check)
        thread.start()
        for number in range(20):
            gallery.enrol_arrays("vector", subjects(20), vectors(20, number), space=VECTOR.space)
            gallery.delete(subjects(20)[number % 20])
            if number % 4 == 3:
                gallery.compact()
        stop.set()
        thread.join()
    assert reports and all(report.sound for report in reports)


def _try_to_write(path: str, found) -> None:  # type: ignore[no-untyped-def]
    from samebody.search.gallery.errors import GalleryLockedError

    try:
        Gallery.open(path, mode="w")
    except GalleryLockedError as error:
        found.put(error.code)


def test_a_writer_in_another_process_is_refused(tmp_path):
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    with make(tmp_path / "g"):
        process = context.Process(target=_try_to_write, args=(str(tmp_path / "g"), found))
        process.start()
        assert found.get(timeout=60) == "gallery.locked"
        process.join()


@both
def test_a_snapshot_is_a_gallery_to_read_and_comes_back_whole(tmp_path, key):
    with make(tmp_path / "g", key) as gallery:
        held = fill(gallery)
        gallery.delete(held[1])
        entry = gallery.snapshot(tmp_path / "s")
        expected = holdings(gallery)
        gallery.enrol_arrays("vector", ["later"], vectors(1), space=VECTOR.space)
        assert gallery.snapshots() == (entry,)
    with Gallery.open(tmp_path / "s", key=key) as copy:
        assert holdings(copy) == expected and copy.stats().is_snapshot
    with pytest.raises(SnapshotError):
        Gallery.open(tmp_path / "s", key=key, mode="w")
    with pytest.raises(SnapshotError):
        Gallery.restore(tmp_path / "g", tmp_path / "r", key=key)
    Gallery.restore(tmp_path / "s", tmp_path / "r", key=key)
    with Gallery.open(tmp_path / "r", key=key, mode="w") as back:
        assert holdings(back) == expected and back.verify().sound and not back.stats().is_snapshot
        back.enrol_arrays("iris", ["b"], irises(1), space=IRIS.space)


def test_deletion_reaches_snapshots_or_marks_them_expired(tmp_path):
    with make(tmp_path / "g") as gallery:
        held = fill(gallery)
        gallery.snapshot(tmp_path / "reached")
        gallery.snapshot(tmp_path / "moved")
        gallery.snapshot(tmp_path / "busy")
        (tmp_path / "moved").rename(tmp_path / "elsewhere")
        (tmp_path / "busy" / "LOCK").mkdir()  # cannot be locked, so cannot be compacted
        name = held[1]
        needle = [gallery.fetch([1])[0][0].tobytes()[:16], name.encode()]
        gallery.delete(name)
        report = gallery.compact()
        assert (report.snapshots_compacted, report.snapshots_expired) == (1, 2)
        assert [entry.expired for entry in gallery.snapshots()] == [False, True, True]
        assert gallery.stats().snapshots_expired == 2
        for each in (tmp_path / "reached").iterdir():
            assert not any(part in each.read_bytes() for part in needle)
        with Gallery.open(tmp_path / "reached") as copy:
            assert not copy.has(name) and copy.verify().sound
        with pytest.raises(SnapshotError, match="expired"):
            Gallery.restore(tmp_path / "busy", tmp_path / "r")
        gallery.forget_snapshot(gallery.snapshots()[1].snapshot)
        assert len(gallery.snapshots()) == 2
        with pytest.raises(SnapshotError):
            gallery.forget_snapshot("0" * 32)
    Gallery.restore(tmp_path / "reached", tmp_path / "r")
    with Gallery.open(tmp_path / "r", mode="w", tuning=SMALL) as back:
        assert not back.has(name)


def test_a_deletion_interrupted_before_the_snapshots_were_reached_is_taken_up_again(tmp_path, monkeypatch):
    from samebody.search.gallery import compaction

    with make(tmp_path / "g") as gallery:
        held = fill(gallery)
        gallery.snapshot(tmp_path / "s")
        gallery.delete(held[1])

        def die(*_args: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(compaction, "purge_snapshots", die)
            with pytest.raises(KeyboardInterrupt):
                gallery.compact()
    with Gallery.open(tmp_path / "g", mode="w") as gallery:
        assert not gallery.has(held[1]) and gallery.compact().snapshots_compacted == 1
    with Gallery.open(tmp_path / "s") as copy:
        assert not copy.has(held[1])
