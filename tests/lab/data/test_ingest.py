"""Ingestion takes every kind of source, goes on after a kill, and names all that it cannot read."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from samebody.config import Limits
from samebody.lab.data import DataSet, SourceOptions, ingest
from samebody.lab.data.errors import DataSetError, SourceError, WorkerError
from samebody.lab.data.ingest import take, take_in_processes
from samebody.lab.data.sources import compile_pattern, list_source
from tests.lab.data.conftest import OPTIONS
from tests.lab.data.pictures import encoded, folder, picture


def members(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_a_folder_gives_names_fields_sizes_and_bytes(data_set: DataSet) -> None:
    manifest = data_set.manifest()
    assert len(manifest) == 12 and manifest["sample"][0] == "raw/s0/0.png"
    row = manifest.rows()[4]
    assert (row["subject"], row["width"], row["format"], row["licence"]) == ("s1", 96, "png", "CC0-1.0")
    assert data_set.read(row["sha256"]) == encoded(picture(101))
    assert data_set.object_path(row["sha256"]).parent.name == row["sha256"][:2]


def test_ingesting_again_changes_nothing_and_keeps_what_later_steps_wrote(data_set: DataSet, tmp_path: Path) -> None:
    with data_set.writing():
        manifest = data_set.manifest()
        marked = manifest.with_columns(split=np.array(["train"] * 12, object))
        data_set.commit(marked, "split")
    (tmp_path / "raw" / "s0" / "0.png").write_bytes(encoded(picture(999)))
    (tmp_path / "raw" / "s0" / "new.png").write_bytes(encoded(picture(998)))
    result = ingest([str(tmp_path / "raw")], data_set.folder, options=OPTIONS, workers=1)
    assert (result.new, result.changed, result.unchanged) == (1, 1, 11)
    splits = dict(zip(data_set.manifest()["sample"], data_set.manifest()["split"]))
    assert splits["raw/s1/0.png"] == "train" and splits["raw/s0/0.png"] == "" and splits["raw/s0/new.png"] == ""


def test_processes_give_the_same_version_as_one(tmp_path: Path) -> None:
    raw = folder(tmp_path / "raw", 12, 6)
    one = ingest([str(raw)], tmp_path / "one", options=OPTIONS, workers=1)
    two = ingest([str(raw)], tmp_path / "two", options=OPTIONS, workers=2)
    assert one.version.id == two.version.id and two.workers == 2


def test_corrupt_pictures_in_the_middle_of_a_tar_are_kept_as_unreadable(tmp_path: Path) -> None:
    good = encoded(picture(1), "JPEG")
    shard = members(
        tmp_path / "shard.tar",
        {
            "a/1.jpg": good,
            "a/1.json": b'{"subject": "anna", "device": "phone"}',
            "a/2.jpg": good[: len(good) // 2],
            "a/3.jpg": b"",
            "a/notes.txt": b"x",
            "a/4.jpg": encoded(picture(4), "JPEG"),
        },
    )
    result = ingest([str(shard)], tmp_path / "set", workers=1)
    rows = {row["sample"]: row for row in DataSet.open(tmp_path / "set").manifest().rows()}
    assert result.samples == 4 and result.unreadable == 2 and result.skipped == {".txt": 1}
    assert rows["shard/a/1.jpg"]["subject"] == "anna" and rows["shard/a/1.jpg"]["device"] == "phone"
    assert rows["shard/a/2.jpg"]["format"] == "" and rows["shard/a/4.jpg"]["format"] == "jpeg"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_plain_and_compressed_shards_give_the_same_samples(tmp_path: Path, mode: str) -> None:
    files = {f"{n}.png": encoded(picture(n)) for n in range(4)}
    files |= {"3.json": b'{"subject": "s3"}', "4.png": encoded(picture(4))}  # beside its picture, as WebDataset has it
    shard = members(tmp_path / ("x.tar" if mode == "w" else "x.tar.gz"), files, mode)
    ingest([str(shard)], tmp_path / "set", workers=1)
    manifest = DataSet.open(tmp_path / "set").manifest()
    assert manifest["sample"].tolist() == [f"x/{n}.png" for n in range(5)]
    assert manifest["subject"].tolist() == ["", "", "", "s3", ""]


@pytest.mark.parametrize("name", ["cut.tar", "cut.tar.gz"])
def test_a_shard_that_is_cut_off_is_refused_or_reported(tmp_path: Path, name: str) -> None:
    files = {f"{n}.png": encoded(picture(n)) for n in range(6)}
    whole = members(tmp_path / name, files, "w:gz" if name.endswith("gz") else "w").read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be read to its end"):
        ingest([str(tmp_path / name)], tmp_path / "set", workers=1)
    assert not (tmp_path / "set" / "HEAD").exists()
    if name.endswith(".tar"):
        result = ingest([str(tmp_path / name)], tmp_path / "set", workers=1, broken_sources=True)
        assert 0 < result.samples < 6 and "cannot be read to its end" in result.problems[0]


def test_paths_in_a_tar_lead_nowhere(tmp_path: Path) -> None:
    shard = members(tmp_path / "x.tar", {"../../evil.png": encoded(picture(1)), "/abs.png": encoded(picture(2))})
    ingest([str(shard)], tmp_path / "in" / "set", workers=1)
    assert not list(tmp_path.parent.glob("evil.png")) and not (tmp_path / "evil.png").exists()
    assert len(DataSet.open(tmp_path / "in" / "set").manifest()) == 2


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_lists_name_files_and_fields(tmp_path: Path, suffix: str) -> None:
    import pandas

    folder(tmp_path / "raw", 2, 2)
    table = pandas.DataFrame(
        {
            "path": ["s0/0.png", "s1/1.png"],
            "subject": ["anna", "berta"],
            "country": ["DEU", None],
            "retain_until": ["2030-01-01", ""],
            "lens": ["wide", "tele"],
        }
    )
    listed = tmp_path / f"list{suffix}"
    table.to_csv(listed, index=False) if suffix == ".csv" else table.to_parquet(listed)
    options = SourceOptions(root=str(tmp_path / "raw"), aliases={"path": "file"})
    ingest([str(listed)], tmp_path / "set", options=options, workers=1)
    manifest = DataSet.open(tmp_path / "set").manifest()
    assert manifest["subject"].tolist() == ["anna", "berta"] and manifest["country"].tolist() == ["DEU", ""]
    assert manifest["lens"].tolist() == ["wide", "tele"]


def test_every_missing_file_of_a_list_is_named_at_once(tmp_path: Path) -> None:
    folder(tmp_path / "raw", 1, 1)
    (tmp_path / "raw" / "list.csv").write_text("file,subject\ns0/0.png,a\nnone1.png,b\nnone2.png,c\n")
    with pytest.raises(SourceError) as caught:
        ingest([str(tmp_path / "raw" / "list.csv")], tmp_path / "set", workers=1)
    assert len(caught.value.problems) == 2


def test_labels_join_a_folder_and_mismatches_are_named(tmp_path: Path) -> None:
    folder(tmp_path / "raw", 2, 1)
    labels = tmp_path / "labels.csv"
    labels.write_text("file,gender,age\ns0/0.png,f,20-29\ns1/0.png,m,30-39\n")
    ingest([str(tmp_path / "raw")], tmp_path / "set", options=SourceOptions(labels=str(labels)), workers=1)
    assert DataSet.open(tmp_path / "set").manifest()["gender"].tolist() == ["f", "m"]
    labels.write_text("file,gender\ns0/0.png,f\ngone.png,m\n")
    with pytest.raises(SourceError) as caught:
        ingest([str(tmp_path / "raw")], tmp_path / "other", options=SourceOptions(labels=str(labels)), workers=1)
    assert {"s1/0.png is not in", "gone.png of"} <= {" ".join(p.split()[:4]) for p in caught.value.problems} | {
        " ".join(p.split()[:2]) for p in caught.value.problems
    }


def test_videos_give_every_nth_frame_of_one_session(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 64))
    for number in range(12):
        writer.write(np.asarray(picture(number, 64))[:, :, ::-1].copy())
    writer.release()
    ingest([str(path)], tmp_path / "set", options=SourceOptions(every=5), workers=1)
    manifest = DataSet.open(tmp_path / "set").manifest()
    assert manifest["sample"].tolist() == [f"clip.avi#{n:06d}" for n in (0, 5, 10)]
    assert set(manifest["session"]) == {"clip.avi"} and set(manifest["format"]) == {"png"}


def test_object_storage_is_read_through_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    for number in range(3):
        with store.open(f"/bucket/s{number}/a.png", "wb") as stream:
            stream.write(encoded(picture(number)))
    options = SourceOptions(pattern="{subject}/*")
    result = ingest(["memory://bucket"], tmp_path / "set", options=options, workers=1)
    assert result.samples == 3
    assert DataSet.open(tmp_path / "set").manifest()["subject"].tolist() == ["s0", "s1", "s2"]
    with pytest.raises(SourceError, match="no picture"):
        ingest(["memory://nothing"], tmp_path / "set", options=options, workers=1)


def test_too_large_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    raw = folder(tmp_path / "raw", 1, 2)
    (raw / "s0" / "big.png").write_bytes(encoded(picture(5, 400)))
    limits = Limits(max_bytes=60_000)
    with pytest.raises(SourceError, match="more than 60,000 bytes"):
        ingest([str(raw)], tmp_path / "set", workers=1, limits=limits)
    result = ingest([str(raw)], tmp_path / "set", workers=1, limits=limits, broken_sources=True)
    assert result.samples == 2 and len(result.problems) == 1


@pytest.mark.parametrize("pattern", ["{subject}/{subject}", "{sha256}/*", "{Bad}/*", "{split}{quarantine}"])
def test_patterns_that_cannot_be_are_refused(pattern: str) -> None:
    with pytest.raises(SourceError):
        compile_pattern(pattern)


def test_unknown_sources_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(b"%PDF-")
    (tmp_path / "empty").mkdir()
    for source in ("none", "x.pdf"):
        with pytest.raises(SourceError):
            list_source(str(tmp_path / source))
    with pytest.raises(SourceError, match="no picture"):
        ingest([str(tmp_path / "empty")], tmp_path / "set")
    folder(tmp_path / "raw", 1, 1)
    with pytest.raises(DataSetError):
        ingest([str(tmp_path / "raw")], tmp_path / "raw")


def test_what_a_killed_run_read_is_not_read_again(tmp_path: Path) -> None:
    raw = folder(tmp_path / "raw", 40, 5)
    code = (
        "from samebody.lab.data import ingest, SourceOptions\n"
        "import time, sys\n"
        "options = SourceOptions(pattern='{subject}/*')\n"
        f"ingest([{str(raw)!r}], {str(tmp_path / 'set')!r}, options=options, workers=1,\n"
        "       progress=lambda done, whole: (print(done, flush=True), time.sleep(0.2)))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 64:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "set" / "HEAD").exists()
    journal = next((tmp_path / "set" / "journal").glob("*.jsonl"))
    with journal.open("ab") as stream:
        stream.write(b'{"item": "torn')
    options = SourceOptions(pattern="{subject}/*")
    result = ingest([str(raw)], tmp_path / "set", options=options, workers=1)
    assert 64 <= result.resumed < 200 and result.samples == 200 and not journal.exists()
    fresh = ingest([str(raw)], tmp_path / "other", options=options, workers=1)
    assert fresh.version.id == result.version.id and fresh.resumed == 0


class Killer:
    """An item whose worker dies when it reads it; once, or always."""

    def __init__(self, mark: Path, always: bool) -> None:
        self.mark, self.always, self.key = mark, always, "killer"

    def read(self, limits: Limits) -> list[object]:
        if self.always or not self.mark.exists():
            self.mark.touch()
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)
        return []


def test_a_worker_that_is_killed_costs_nothing_but_time(tmp_path: Path) -> None:
    listing = list_source(str(folder(tmp_path / "raw", 3, 2)))
    batches = [[item] for item in listing.items] + [[Killer(tmp_path / "mark", False)]]
    DataSet.create(tmp_path / "set")
    taken = [entry for batch in take_in_processes(batches, tmp_path / "set", Limits(), 2) for entry in batch]  # type: ignore[arg-type]
    assert sorted(entry.item for entry in taken) == sorted([*(item.key for item in listing.items), "killer"])
    with pytest.raises(WorkerError):
        list(take_in_processes([[Killer(tmp_path / "mark", True)]], tmp_path / "set", Limits(), 2))  # type: ignore[list-item]


def test_an_object_that_a_power_cut_left_short_is_written_again(data_set: DataSet, tmp_path: Path) -> None:
    sha256 = data_set.manifest()["sha256"][0]
    data_set.object_path(sha256).write_bytes(b"")
    items = list_source(str(tmp_path / "raw")).items
    take(items, data_set.folder, Limits())
    assert data_set.read(sha256)


def test_the_pattern_says_which_files_do_not_fit(tmp_path: Path) -> None:
    raw = folder(tmp_path / "raw", 1, 1)
    (raw / "loose.png").write_bytes(encoded(picture(7)))
    with pytest.raises(SourceError, match=r"loose\.png does not fit the pattern"):
        ingest([str(raw)], tmp_path / "set", options=OPTIONS, workers=1)


@pytest.mark.slow
def test_ray_gives_the_same_version(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    raw = folder(tmp_path / "raw", 6, 6)
    local = ingest([str(raw)], tmp_path / "one", options=OPTIONS, workers=1)
    spread = ingest([str(raw)], tmp_path / "two", options=OPTIONS, engine="ray", workers=2)
    assert local.version.id == spread.version.id


def test_the_version_names_its_sources_without_their_paths(data_set: DataSet, tmp_path: Path) -> None:
    assert str(tmp_path) not in json.dumps(data_set.version().to_dict())
