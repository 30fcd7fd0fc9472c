"""The error page finds planted clusters and attributes, raises few false alarms, and shows nobody's face unasked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import fisher_exact, hypergeom

from samebody.cli.explain import command as explain
from samebody.lab.evaluate.error_analysis import analyse_presentations, analyse_run, read_attributes
from samebody.lab.evaluate.error_clusters import cluster, pair_features, silhouette
from samebody.lab.evaluate.errors import ScoreTableError
from samebody.lab.evaluate.errors_page import errors_page
from samebody.lab.evaluate.over_represented import holm, over_represented
from samebody.lab.evaluate.runs import Run
from samebody.lab.evaluate.templates import TemplateSet
from samebody.measure import TailTooShortError
from tests.lab.evaluate.factory import counted, measured, synthetic_scores, written


def around(centres: NDArray[np.float64], sizes: list[int], spread: float, seed: int = 0) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    rows = np.concatenate([c + spread * generator.normal(size=(n, len(c))) for c, n in zip(centres, sizes)])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


# ------------------------------------------------------------------------------------------------------------ clusters


def test_planted_clusters_are_found_largest_first() -> None:
    features = around(np.eye(3, 16) * 1.0, [5, 14, 9], 0.08)
    found = cluster(features)
    assert [int((found.labels == number).sum()) for number in range(3)] == [14, 9, 5] and found.labels.max() == 2
    assert len(set(found.labels[:5])) == len(set(found.labels[5:19])) == len(set(found.labels[19:])) == 1
    assert found.silhouette > 0.6 and min(found.cohesion) > 0.8
    for number, medoid in enumerate(found.medoids):
        assert found.labels[medoid] == number


def test_what_has_no_structure_stays_together() -> None:
    features = around(np.zeros((1, 64)), [60], 1.0)
    assert cluster(features).labels.max() == 0 and cluster(features).silhouette == 0


def test_an_error_without_an_embedding_has_no_cluster() -> None:
    features = around(np.eye(2, 8) * 1.0, [6, 6], 0.05)
    features[[2, 7]] = np.nan
    found = cluster(features)
    assert (np.flatnonzero(found.labels == -1) == [2, 7]).all() and found.labels.max() == 1
    assert cluster(np.full((3, 4), np.nan)).medoids == ()


@given(st.integers(2, 14), st.integers(0, 1000))
def test_the_silhouette_is_rousseeuws(count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(count, 3))
    labels = np.unique(generator.integers(0, 4, count), return_inverse=True)[1].astype(np.int64)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    widths = []
    for i in range(count):
        own = [distance[i, j] for j in range(count) if labels[j] == labels[i] and j != i]
        others = [distance[i, labels == k].mean() for k in range(labels.max() + 1) if k != labels[i]]
        if not own or not others:
            widths.append(0.0)
        else:
            a, b = float(np.mean(own)), float(min(others))
            widths.append((b - a) / max(a, b))
    expected = float(np.mean(widths)) if labels.max() else 0.0
    assert silhouette(distance, labels) == pytest.approx(expected, abs=1e-9)


@given(arrays(np.float32, (4, 6), elements=st.floats(-1, 1, width=32)), st.integers(0, 9))
def test_pairs_do_not_depend_on_their_order(rows: NDArray[np.float32], seed: int) -> None:
    other = np.random.default_rng(seed).normal(size=(4, 6)).astype(np.float32)
    one, two = pair_features(rows, other), pair_features(other, rows)
    np.testing.assert_allclose(one, two, atol=1e-12)
    lengths = np.linalg.norm(one, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-9) | (lengths == 0))


# ---------------------------------------------------------------------------------------------------------- attributes


def test_holm_against_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_and_keeps_the_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert np.all(adjusted >= np.asarray(values) - 1e-12) and adjusted.max() <= 1
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(adjusted[order]) >= 0)


def test_the_p_value_is_the_tail_of_dealing_labels_out_anew() -> None:
    affected = {f"p{i}": i < 12 for i in range(60)}
    values = {f"p{i}": "a" if i < 9 or 30 <= i < 36 else "b" for i in range(60)}
    found = {test.value: test for test in over_represented(affected, {"x": values})}
    expected = float(hypergeom.sf(8, 60, 15, 12))
    assert found["a"].p == pytest.approx(expected)
    assert found["a"].p == pytest.approx(fisher_exact([[9, 6], [3, 42]], alternative="greater").pvalue)
    assert (found["a"].affected, found["a"].units, found["a"].other_affected, found["a"].other_units) == (9, 15, 3, 45)
    assert found["a"].significant and not found["b"].significant


def test_few_false_alarms_where_attributes_do_not_matter() -> None:
    alarms = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        people = [f"p{i}" for i in range(80)]
        affected = {person: bool(generator.random() < 0.25) for person in people}
        attributes = {name: {person: str(generator.integers(0, 4)) for person in people} for name in ("a", "b", "c")}
        alarms += any(test.significant for test in over_represented(affected, attributes))
    assert alarms <= 6  # 5 % of 60 are 3


def test_rare_values_and_missing_ones_are_not_tested() -> None:
    affected = {f"p{i}": i % 2 == 0 for i in range(20)}
    values = {f"p{i}": "rare" if i < 4 else "common" for i in range(20)} | {"p19": ""}
    assert over_represented(affected, {"x": values}) == ()


# ---------------------------------------------------------------------------------------------------------------- runs


def run_of(**options: object) -> Run:
    scores = synthetic_scores(**options)  # type: ignore[arg-type]
    return Run(Path("toy"), measured(scores, replicates=20), scores)


def test_a_group_that_makes_the_errors_is_named() -> None:
    run = run_of(subjects=60, non_mated_shift={"north": 1.6}, quality=False)
    found = analyse_run(run, threshold=float(np.quantile(run.scores.non_mated.scores, 0.9995)))  # type: ignore[union-attr]
    matches = found.kind("false matches")
    assert matches.tests[0].significant and (matches.tests[0].attribute, matches.tests[0].value) == ("group", "north")
    assert not any(test.significant for test in matches.tests[1:])
    assert matches.units == 60 and matches.trials == run.scores.non_mated.pairs
    assert [case.score for case in matches.worst] == sorted((case.score for case in matches.worst), reverse=True)
    assert all(case.margin >= 0 for case in matches.worst)


def test_errors_are_counted_as_the_rates_count_them() -> None:
    run = run_of(subjects=40, separation=2.0)
    at = run.result.thresholds[1].value
    found = analyse_run(run, threshold=at, worst=7)
    assert found.kind("false non-matches").errors == int((run.scores.mated.scores < np.float64(at)).sum()) > 0
    assert found.kind("false matches").errors == run.result.thresholds[1].fmr.errors
    assert len(found.kind("false non-matches").worst) == 7
    scores = [case.score for case in found.kind("false non-matches").worst]
    assert scores == sorted(scores) and scores[0] == float(run.scores.mated.scores.min())


def test_attributes_of_samples_count_for_people_where_they_agree() -> None:
    run = run_of(subjects=30)
    samples = run.scores.samples.tolist()
    first = {name: "x" if int(name[1:4]) < 15 else "y" for name in samples}
    varying = {name: name[-5] for name in samples}
    found = analyse_run(run, threshold=0.0, attributes={"half": first, "shot": varying})
    names = {test.attribute for test in found.kind("false matches").tests}
    assert "half" in names and "shot" not in names and "group" in names


def test_counted_comparisons_below_the_kept_scores_are_a_typed_error() -> None:
    scores = counted(synthetic_scores(subjects=40), 50)
    run = Run(Path("toy"), measured(scores, replicates=20), scores)
    assert analyse_run(run, threshold=scores.non_mated.floor).kind("false matches").errors >= 50
    with pytest.raises(TailTooShortError):
        analyse_run(run, threshold=scores.non_mated.floor - 0.1)


def test_errors_of_one_look_fall_into_one_cluster() -> None:
    run = run_of(subjects=40, separation=1.5)
    generator = np.random.default_rng(4)
    samples = run.scores.samples
    look = np.eye(2, 24)[np.array([int(name[1:4]) % 2 for name in samples])]
    vectors = look + 0.1 * generator.normal(size=look.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    subjects = np.array([name.split("/")[0] for name in samples])
    templates = TemplateSet(vectors.astype(np.float32), samples, subjects)
    refused = analyse_run(run, threshold=run.result.thresholds[1].value, templates=templates).kind("false non-matches")
    assert len(refused.clusters) == 2 and refused.silhouette > 0.5
    for case in refused.worst:
        parity = int(case.subjects[0][1:]) % 2
        assert {c.cluster for c in refused.worst if int(c.subjects[0][1:]) % 2 == parity} == {case.cluster}
    assert sum(one.size for one in refused.clusters) == len(refused.worst)


# ------------------------------------------------------------------------------------------------------- presentations


def presentations(tmp_path: Path, *, subjects: bool = True) -> Path:
    generator = np.random.default_rng(0)
    lines = ["score,pai_species,sample,device" + (",subject" if subjects else "")]
    for person in range(40):
        device = "old" if person < 14 else "new"
        for species in ("", "print", "screen"):
            low, high = (0.6, 1.0) if species == "" else (0.0, 0.4)
            if species == "screen" and device == "old":
                low, high = 0.5, 0.9
            row = f"{generator.uniform(low, high):.4f},{species},{person}-{species or 'live'},{device}"
            lines.append(row + (f",p{person}" if subjects else ""))
    (tmp_path / "pad.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "pad.csv"


def test_species_and_devices_behind_attacks_are_named(tmp_path: Path) -> None:
    found = analyse_presentations(presentations(tmp_path), threshold=0.5)
    attacks = found.kind("attacks accepted")
    assert (attacks.errors, attacks.trials, attacks.affected, attacks.unit) == (14, 80, 14, "people")
    named = {(test.attribute, test.value) for test in attacks.tests if test.significant}
    assert named == {("device", "old"), ("pai_species", "screen")}
    assert found.kind("bona fide refused").errors == 0 and found.kind("bona fide refused").tests == ()
    assert any("pai_species varies within a person" in note for note in found.notes)
    without = analyse_presentations(presentations(tmp_path, subjects=False), threshold=0.5)
    assert without.kind("attacks accepted").unit == "presentations"


@pytest.mark.parametrize("content", ["score\n0.4\n", "score,pai_species\nmany,print\n"])
def test_a_table_that_is_none_is_a_typed_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(ScoreTableError):
        analyse_presentations(tmp_path / "bad.csv", threshold=0.5)


# ---------------------------------------------------------------------------------------------------- page and command


def test_the_page_stands_alone_and_escapes_names(tmp_path: Path) -> None:
    run = run_of(subjects=20, separation=1.5)
    names = np.array([f"<b>{name}</b>" for name in run.scores.samples])
    found = analyse_run(replace(run, scores=replace(run.scores, samples=names)), threshold=0.2)
    page = errors_page(found, command="samebody explain errors <x>")
    assert "<b>s" not in page and "&lt;b&gt;s0" in page
    for word in ("<script", "http://", "https://", "src="):
        assert word not in page


def test_pictures_are_blurred_unless_asked_otherwise(tmp_path: Path) -> None:
    import base64
    import re

    generator = np.random.default_rng(1)
    run = run_of(subjects=6, samples=2, separation=1.0, groups=())
    for name in run.scores.samples.tolist():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), generator.integers(0, 255, (60, 60, 3), dtype=np.uint8))
    found = analyse_run(run, threshold=0.3, worst=3)

    def sharpness(page: str) -> float:
        data = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
        assert data
        pictures = [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_GRAYSCALE) for one in data]
        return float(np.mean([cv2.Laplacian(picture, cv2.CV_64F).var() for picture in pictures]))

    blurred, sharp = errors_page(found, pictures=tmp_path), errors_page(found, pictures=tmp_path, show_pictures=True)
    assert "blurred beyond recognition" in blurred and "blurred beyond recognition" not in sharp
    assert sharpness(blurred) < 0.02 * sharpness(sharp)


def test_a_name_that_leaves_the_folder_is_not_read(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "secret.png"), np.zeros((20, 20, 3), np.uint8))
    (tmp_path / "in").mkdir()
    run = run_of(subjects=6, samples=2, separation=1.0)
    names = np.array(["../secret.png"] * len(run.scores.samples))
    found = analyse_run(replace(run, scores=replace(run.scores, samples=names)), threshold=0.3)
    assert "data:image" not in errors_page(found, pictures=tmp_path / "in").split("</head>")[1]


def test_the_command_reads_a_run_folder(tmp_path: Path) -> None:
    written(tmp_path / "run", synthetic_scores(subjects=30, separation=2.0), replicates=20)
    labels = "".join(f"s{i:03d},{'x' if i % 2 else 'y'},{i}\n" for i in range(30))
    (tmp_path / "labels.csv").write_text("subject,half,number\n" + labels)
    assert set(read_attributes(tmp_path / "labels.csv")) == {"half", "number"}
    arguments = ["errors", str(tmp_path / "run"), "--attributes", str(tmp_path / "labels.csv"), "--worst", "4"]
    result = CliRunner().invoke(explain, [*arguments, "--json", "--out", str(tmp_path / "page.html")])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {kind["name"] for kind in found["kinds"]} == {"false matches", "false non-matches"}
    assert all(len(kind["worst"]) <= 4 for kind in found["kinds"])
    assert oct((tmp_path / "page.html").stat().st_mode & 0o777) == "0o600"
    text = CliRunner().invoke(explain, arguments)
    assert "stand behind them" in text.output


def test_the_command_says_what_it_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from samebody.cli.main import main

    table = presentations(tmp_path)
    for arguments, words in (
        ([str(table)], "needs --threshold"),
        ([str(table), "--threshold", "0.5", "--attributes", str(table)], "columns of the table itself"),
        ([str(tmp_path)], "is no run folder"),
    ):
        with pytest.raises(SystemExit) as leave:
            main(["explain", "errors", *arguments])
        assert leave.value.code in (64, 65) and words in capsys.readouterr().err
    with pytest.raises(SystemExit) as leave:
        main(["explain", "errors", str(table), "--threshold", "0.5"])
    assert leave.value.code == 0 and "over-represented: device old" in capsys.readouterr().out
