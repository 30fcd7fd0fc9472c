"""Versions are named by what they hold, never change, and are there whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.errors import StorageError
from samebody.lab.data import DataSet, Manifest
from samebody.lab.data.errors import (
    DataSetDamagedError,
    DataSetError,
    DataSetLockedError,
    ManifestError,
    UnknownVersionError,
)
from samebody.lab.data.manifest import content_digest, text

WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8)


def rows(count: int = 3) -> list[dict[str, object]]:
    return [{"sample": f"a/{n}", "sha256": f"{n:064x}", "bytes": n, "subject": f"s{n}"} for n in range(count)]


@given(st.lists(WORDS.filter(str.strip), min_size=1, max_size=6, unique=True), st.data())
def test_a_manifest_comes_back_from_parquet_as_it_was(names: list[str], data: st.DataObject) -> None:
    made = Manifest.from_rows(
        {"sample": name, "sha256": "0" * 64, "bytes": number, "label": data.draw(WORDS), "odd": data.draw(WORDS)}
        for number, name in enumerate(names)
    )
    again = Manifest.from_parquet(made.to_parquet())
    assert again.rows() == made.rows() and again.row_digests() == made.row_digests()


@given(st.permutations(range(5)))
def test_the_digest_does_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    given_rows = rows(5)
    one, two = Manifest.from_rows(given_rows), Manifest.from_rows(given_rows[k] for k in order)
    assert content_digest(one.row_digests()) == content_digest(two.row_digests())


def test_every_cell_counts_for_the_digest() -> None:
    base = Manifest.from_rows(rows())
    for column in base.columns:
        changed = base.rows()
        changed[1][column] = 7 if column in ("bytes", "width", "height") else "changed"
        assert content_digest(Manifest.from_rows(changed).row_digests()) != content_digest(base.row_digests()), column


def test_an_empty_column_more_changes_no_digest() -> None:
    base = Manifest.from_rows(rows())
    assert base.with_columns(further=text(["", "", ""])).row_digests() == base.row_digests()


def test_samples_named_twice_or_not_at_all_are_refused_at_once() -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.from_rows([*rows(), *rows(1), {"sample": "", "sha256": ""}])
    assert len(caught.value.problems) == 2


def test_a_version_is_named_by_content_parents_and_step(tmp_path: Path) -> None:
    one, two = DataSet.create(tmp_path / "one", "x"), DataSet.create(tmp_path / "two", "x")
    for held in (one, two):
        with held.writing():
            held.commit(Manifest.from_rows(rows()), "ingest", options={"a": 1})
            held.commit(Manifest.from_rows(rows(4)), "ingest", options={"a": 1})
    assert [v.id for v in one.versions()] == [v.id for v in two.versions()]
    assert one.versions()[1].parents == (one.versions()[0].id,) and not one.check(one.version())
    with one.writing():
        again = one.commit(Manifest.from_rows(rows(4)), "ingest", options={"a": 1})
    assert again.parents == (one.version().parents if again.id == one.version().id else ())
    assert one.manifest("HEAD").rows() == Manifest.from_rows(rows(4)).rows()


def test_a_step_that_changes_nothing_makes_no_new_version(tmp_path: Path) -> None:
    held = DataSet.create(tmp_path / "set")
    with held.writing():
        first = held.commit(Manifest.from_rows(rows()), "ingest")
        assert held.commit(Manifest.from_rows(rows()), "ingest").id == first.id
    assert len(held.versions()) == 1


def test_names_may_be_shortened_while_they_are_clear(tmp_path: Path) -> None:
    held = DataSet.create(tmp_path / "set")
    with pytest.raises(UnknownVersionError):
        held.version()
    with held.writing():
        made = held.commit(Manifest.from_rows(rows()), "ingest")
    assert held.version(made.id[:6]).id == made.id
    for wrong in ("", "ab", "../../x", "*" * 8, "0" * 63):
        with pytest.raises(UnknownVersionError):
            held.version(wrong)


def test_a_changed_manifest_or_version_is_noticed(tmp_path: Path) -> None:
    held = DataSet.create(tmp_path / "set")
    with held.writing():
        made = held.commit(Manifest.from_rows(rows()), "ingest")
    file = tmp_path / "set" / "versions" / f"{made.id}.json"
    fields = json.loads(file.read_text())
    fields["step"]["name"] = "forged"
    file.write_text(json.dumps(fields))
    assert any("does not give its name" in problem for problem in held.check(held.version()))
    held.manifest_path(made).write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(DataSetDamagedError):
        held.manifest()
    file.write_text("{")
    with pytest.raises(DataSetDamagedError):
        held.version()


def test_other_folders_and_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataSetError):
        DataSet.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataSetError):
        DataSet.create(tmp_path)
    (tmp_path / "dataset.json").write_text('{"format": 99, "name": "x"}')
    with pytest.raises(DataSetError, match="99"):
        DataSet.open(tmp_path)


def test_there_is_one_writer(tmp_path: Path) -> None:
    held = DataSet.create(tmp_path / "set")
    with held.writing(), pytest.raises(DataSetLockedError), held.writing():
        pass


def test_a_failed_commit_leaves_the_head_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = DataSet.create(tmp_path / "set")
    with held.writing():
        first = held.commit(Manifest.from_rows(rows()), "ingest")
    before = {path.name for path in (tmp_path / "set").rglob("*")}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("samebody.lab.data.files.os.fsync", full)
    with held.writing(), pytest.raises(StorageError, match="No space"):
        held.commit(Manifest.from_rows(rows(5)), "more")
    monkeypatch.undo()
    assert held.version().id == first.id
    assert {path.name for path in (tmp_path / "set").rglob("*")} == before


def test_bytes_are_checked_when_read(data_set: DataSet) -> None:
    sha256 = data_set.manifest()["sha256"][0]
    assert data_set.read(sha256).startswith(b"\x89PNG")
    data_set.object_path(sha256).write_bytes(b"other")
    with pytest.raises(DataSetDamagedError, match="changed"):
        data_set.read(sha256)
    data_set.object_path(sha256).unlink()
    with pytest.raises(DataSetDamagedError, match="cannot be read"):
        data_set.read(sha256)


def test_usable_leaves_quarantine_and_copies_out() -> None:
    manifest = Manifest.from_rows(rows(4)).with_columns(
        quarantine=text(["x", "", "", ""]), duplicate_of=text(["", "a/0", "", ""])
    )
    assert np.flatnonzero(manifest.usable).tolist() == [2, 3]
