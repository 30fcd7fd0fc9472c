"""Run folders: whole or not at all, read back unchanged, refused with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from samebody.errors import StorageError
from samebody.lab.evaluate import RunFolderError, ScoreSet, TableOptions, load_run, read_scores, save_run
from samebody.lab.evaluate.non_mated import CountedNonMated, ListedNonMated
from samebody.lab.evaluate.runs import RUN, SCORES, load_figures, pack, write_folder
from tests.lab.evaluate.factory import measured, synthetic_scores
from tests.lab.evaluate.test_score_tables import table


def equal(one: ScoreSet, two: ScoreSet) -> None:
    first, second = pack(one), pack(two)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_a_run_is_read_back_unchanged(tmp_path: Path) -> None:
    scores = synthetic_scores(subjects=20, samples=3, failed=(2,))
    result = measured(scores)
    save_run(tmp_path / "run", result, scores)
    run = load_run(tmp_path / "run")
    assert run.result == result and isinstance(run.scores.non_mated, ListedNonMated)
    equal(run.scores, scores)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize("pair_limit", [3, 10_000])
def test_counted_scores_with_attempts_and_failures_are_read_back(tmp_path: Path, pair_limit: int) -> None:
    columns = table()
    length = len(columns["score"])
    columns["transaction"], columns["attempt"] = np.arange(length), np.zeros(length, dtype=int)
    columns["acquired"] = np.arange(length) != 5
    scores = read_scores(columns, TableOptions(listed=10, pair_limit=pair_limit, keep_fmr=0.1))
    save_run(tmp_path / "run", measured(scores), scores)
    found = load_run(tmp_path / "run").scores
    equal(found, scores)
    assert isinstance(found.non_mated, CountedNonMated)
    assert found.non_mated.fmr([0.2, 0.4]).tolist() == scores.non_mated.fmr([0.2, 0.4]).tolist()


def test_an_older_run_is_replaced_and_what_stands_beside_it_stays(tmp_path: Path) -> None:
    scores = synthetic_scores(subjects=12, samples=2)
    save_run(tmp_path / "run", measured(scores, "toy/old"), scores)
    (tmp_path / "run" / "report.html").write_text("mine")
    save_run(tmp_path / "run", measured(scores, "toy/new"), scores)
    assert load_run(tmp_path / "run").result.algorithm.id == "toy/new"
    assert (tmp_path / "run" / "report.html").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("dear")
    with pytest.raises(RunFolderError, match="no run folder"):
        write_folder(tmp_path / "photos", {RUN: b"{}"}, {})
    assert (tmp_path / "photos" / "a.txt").read_text() == "dear"


def test_a_failed_write_leaves_the_old_run_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = synthetic_scores(subjects=12, samples=2)
    result = measured(scores)
    save_run(tmp_path / "run", result, scores)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match="No space left"):
        save_run(tmp_path / "run", result, scores)
    monkeypatch.undo()
    assert load_run(tmp_path / "run").result == result
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_damaged_runs_are_refused_by_name(tmp_path: Path) -> None:
    scores = synthetic_scores(subjects=12, samples=2)
    folder = save_run(tmp_path / "run", measured(scores), scores)
    with pytest.raises(RunFolderError, match="no run folder"):
        load_run(tmp_path / "nowhere")
    whole = (folder / SCORES).read_bytes()
    (folder / SCORES).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunFolderError, match="damaged"):
        load_run(folder)
    (folder / SCORES).unlink()
    with pytest.raises(RunFolderError, match=r"scores\.npz"):
        load_run(folder)
    (folder / RUN).write_text("[1]")
    with pytest.raises(RunFolderError, match="holds no object"):
        load_figures(folder)
    (folder / RUN).write_text("{")
    with pytest.raises(RunFolderError, match="no JSON"):
        load_figures(folder)


def test_another_version_kind_or_shape_is_said(tmp_path: Path) -> None:
    scores = synthetic_scores(subjects=12, samples=2)
    folder = save_run(tmp_path / "run", measured(scores), scores)
    good = load_figures(folder)
    for change, message in (
        ({"schema_version": 99}, "schema version 99"),
        ({"kind": "pad"}, "of the kind 'pad'"),
        ({"thresholds": [{"target": "high"}], "counts": None}, "thresholds.0.target.*counts"),
    ):
        (folder / RUN).write_text(json.dumps({**good, **change}))
        with pytest.raises(
            RunFolderError, match=f"(?s){message}" if "counts" not in message else "(?s)counts.*thresholds"
        ):
            load_run(folder)
