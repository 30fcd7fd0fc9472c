"""Erasing removes a subject from every version and every file, and says which models saw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samebody.lab.data import DataSet, ingest
from samebody.lab.data.dedupe import dedupe
from samebody.lab.data.erase import erase, models_trained_on
from samebody.lab.data.errors import UnknownSubjectError
from samebody.lab.data.manifest import text
from samebody.lab.data.split import split
from samebody.lab.evaluate.template_cache import TemplateCache
from tests.lab.data.conftest import OPTIONS
from tests.lab.data.pictures import encoded, picture


def test_nothing_of_a_subject_is_left_in_any_file(data_set: DataSet) -> None:
    split(data_set, {"train": 0.5, "test": 0.5})
    manifest = data_set.manifest()
    gone = set(manifest["sha256"][manifest["subject"] == "s1"])
    cache = TemplateCache(data_set.folder / "facts" / "templates-x", 4)
    for sha256 in manifest["sha256"]:
        cache.put(sha256, np.ones(4, np.float32))
    cache.flush()
    names = [version.id for version in data_set.versions()]
    done = erase(data_set, "s1")
    assert (done.samples, done.rows, len(done.versions)) == (3, 6, 2)
    for path in data_set.folder.rglob("*"):
        assert path.name not in gone
        if path.is_file():
            data = path.read_bytes()
            assert not any(sha256.encode() in data for sha256 in gone), path
    assert [version.id for version in data_set.versions()] == names
    for version in data_set.versions():
        assert "s1" not in set(data_set.manifest(version)["subject"]) and not data_set.check(version)
        assert len(data_set.manifest(version)) == 9
    assert len(TemplateCache(data_set.folder / "facts" / "templates-x", 4)) == 9


def test_a_forged_manifest_is_noticed_after_an_erasure_too(data_set: DataSet) -> None:
    erase(data_set, "s0")
    version = data_set.version()
    forged = data_set.manifest().with_columns(label=text(["forged"] * 9))
    from dataclasses import replace
    from hashlib import sha256

    data = forged.to_parquet()
    made = replace(version, manifest_sha256=sha256(data).hexdigest())
    data_set.manifest_path(made).write_bytes(data)
    data_set.store_version(made)
    assert data_set.check(data_set.version())


def test_the_erased_are_not_taken_in_again(data_set: DataSet, tmp_path: Path) -> None:
    erase(data_set, "s1")
    result = ingest([str(tmp_path / "raw")], data_set.folder, options=OPTIONS, workers=1)
    assert result.erased_before == 3 and result.samples == 9
    assert "s1" not in set(data_set.manifest()["subject"])
    assert len([path for path in (data_set.folder / "objects").rglob("*") if path.is_file()]) == 9


def test_a_copy_under_another_subject_goes_with_it_and_references_are_cleared(tmp_path: Path) -> None:
    for subject, seed in (("a", 1), ("b", 2), ("c", 3)):
        (tmp_path / "raw" / subject).mkdir(parents=True)
        (tmp_path / "raw" / subject / "0.png").write_bytes(encoded(picture(seed)))
    (tmp_path / "raw" / "b" / "copy.png").write_bytes(encoded(picture(1)))
    (tmp_path / "raw" / "c" / "again.jpg").write_bytes(encoded(picture(1), "JPEG", quality=90))
    ingest([str(tmp_path / "raw")], tmp_path / "set", options=OPTIONS, workers=1)
    held = DataSet.open(tmp_path / "set")
    dedupe(held)
    assert "raw/a/0.png" in set(held.manifest()["group"])
    done = erase(held, "a")
    assert done.samples == 1 and done.shared == 1 and done.rows == 4
    manifest = held.manifest()
    assert "raw/b/copy.png" not in set(manifest["sample"])
    assert not {"raw/a/0.png"} & (set(manifest["group"]) | set(manifest["duplicate_of"]))
    assert all(not held.check(version) for version in held.versions())
    done = erase(held, "b")  # a second erasure over amended rows
    assert all(not held.check(version) for version in held.versions()) and done.samples == 1


def test_an_erasure_that_was_cut_off_is_finished_by_the_next(
    data_set: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    split(data_set, {"train": 0.5, "test": 0.5})
    real, calls = DataSet.store_version, []

    def dies(self: DataSet, version: object) -> None:
        calls.append(version)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(self, version)  # type: ignore[arg-type]

    monkeypatch.setattr(DataSet, "store_version", dies)
    with pytest.raises(KeyboardInterrupt):
        erase(data_set, "s2")
    monkeypatch.undo()
    assert erase(data_set, "s2").rows == 3
    with pytest.raises(UnknownSubjectError):
        erase(data_set, "s2")
    manifests = list((data_set.folder / "manifests").iterdir())
    assert len(manifests) == 2 and all(not data_set.check(version) for version in data_set.versions())


def test_models_are_found_by_the_versions_they_name(data_set: DataSet, tmp_path: Path) -> None:
    first = data_set.version()
    split(data_set, {"train": 0.5, "test": 0.5})
    runs = tmp_path / "runs"
    for name, content in {
        "a/run.json": f'{{"data": "{first.id}"}}',
        "b/run.json": f'{{"data": "{data_set.version().short}"}}',
        "c/run.json": '{"data": "' + "0" * 64 + '"}',
        "d/model.toml": f'version = "set@{first.id[:16]}"',
        "e/run.json": f'{{"data": "{first.id[:12]}ffff"}}',
        "f/weights.bin": first.id,
    }.items():
        (runs / name).parent.mkdir(parents=True)
        (runs / name).write_text(content)
    plan = erase(data_set, "s1", runs=[runs], dry_run=True)
    found = [Path(path).parent.name for path in plan.models]
    assert found == ["a", "b", "d"] and len(data_set.manifest()) == 12
    assert models_trained_on([first.id], [runs / "a" / "run.json"]) == (str(runs / "a" / "run.json"),)


def test_an_unknown_subject_is_an_error_and_changes_nothing(data_set: DataSet) -> None:
    before = {path: path.read_bytes() for path in data_set.folder.rglob("*") if path.is_file()}
    with pytest.raises(UnknownSubjectError, match="nobody"):
        erase(data_set, "nobody")
    assert before == {path: path.read_bytes() for path in data_set.folder.rglob("*") if path.is_file()}
