"""Score tables: what is read, what is refused with every problem at once, and that streaming changes no figure."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.lab.evaluate import ScoreSet, ScoreTableError, TableOptions, read_scores
from samebody.lab.evaluate.non_mated import CountedNonMated, ListedNonMated
from samebody.lab.evaluate.score_tables import read_labels
from samebody.lab.evaluate.sources import open_table
from samebody.measure import fmr, fnmr, threshold_at_fmr

Columns = dict[str, np.ndarray]


def table(people: int = 12, samples: int = 3, seed: int = 0, decimals: int = 3) -> Columns:
    generator = np.random.default_rng(seed)
    owner = np.repeat(np.arange(people), samples)
    names = np.array([f"p{who}/{index}" for index, who in enumerate(owner)])
    subject = np.array([f"p{who}" for who in owner])
    group = np.where(owner % 3 == 0, "red", "blue")
    first, second = np.triu_indices(len(owner), 1)
    mated = owner[first] == owner[second]
    scores = np.where(mated, generator.normal(0.6, 0.2, len(first)), generator.normal(0.0, 0.2, len(first)))
    return {
        "probe_id": names[first],
        "reference_id": names[second],
        "probe_subject": subject[first],
        "reference_subject": subject[second],
        "probe_group": group[first],
        "reference_group": group[second],
        "score": scores.astype(np.float32).round(decimals),
    }


def write_csv(path: Path, columns: Columns) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values())))
    return path


def same(one: ScoreSet, two: ScoreSet) -> None:
    assert one.subjects.tolist() == two.subjects.tolist()
    assert one.group_names == two.group_names
    np.testing.assert_array_equal(one.subject_group, two.subject_group)
    np.testing.assert_allclose(one.mated.scores, two.mated.scores, rtol=1e-6)
    assert isinstance(one.non_mated, ListedNonMated) and isinstance(two.non_mated, ListedNonMated)
    np.testing.assert_allclose(one.non_mated.scores, two.non_mated.scores, rtol=1e-6)
    np.testing.assert_array_equal(one.non_mated.first, two.non_mated.first)


def test_csv_npz_parquet_and_frames_give_the_same_scores(tmp_path: Path) -> None:
    columns = table()
    reference = read_scores(columns)
    same(read_scores(write_csv(tmp_path / "scores.csv", columns), TableOptions(chunk_rows=50)), reference)
    np.savez(tmp_path / "scores.npz", **columns)
    same(read_scores(tmp_path / "scores.npz"), reference)
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns), tmp_path / "scores.parquet")
    same(read_scores(tmp_path / "scores.parquet", TableOptions(chunk_rows=64)), reference)


def test_frames_of_pandas_and_polars_are_taken() -> None:
    columns = table()
    reference = read_scores(columns)
    same(read_scores(pytest.importorskip("pandas").DataFrame(columns)), reference)
    polars = pytest.importorskip("polars")
    same(read_scores(polars.DataFrame({key: value.tolist() for key, value in columns.items()})), reference)


def test_a_frame_of_any_kind_is_taken_by_its_columns() -> None:
    class Frame:
        def __init__(self, columns: Columns) -> None:
            self._columns, self.columns = columns, list(columns)

        def __getitem__(self, key: str) -> list[object]:
            return self._columns[key].tolist()

    same(read_scores(Frame(table())), read_scores(table()))


def test_ids_may_be_numbers_and_columns_may_have_other_names() -> None:
    columns = table()
    renamed = {"sim": columns.pop("score"), **columns}
    codes = {name: index for index, name in enumerate(dict.fromkeys([*columns["probe_subject"].tolist(), "p11"]))}
    for key in ("probe_subject", "reference_subject"):
        renamed[key] = np.array([codes[name] for name in columns[key].tolist()])
    found = read_scores(renamed, TableOptions(columns={"score": "sim"}))
    assert len(found.mated) == 12 * 3 and found.subjects[0] == "0"


def test_all_problems_are_reported_at_once() -> None:
    columns = table()
    columns["score"][3], columns["score"][7] = np.nan, np.inf
    columns["probe_group"] = columns["probe_group"].astype("U8")
    columns["probe_group"][10] = "green"
    columns["reference_id"][5] = columns["reference_id"][4]
    columns["reference_id"][20] = columns["probe_id"][20]
    columns["probe_subject"][2] = ""
    with pytest.raises(ScoreTableError) as caught:
        read_scores(columns)
    text = "\n".join(caught.value.problems)
    for part in (
        "missing or NaN: 1 time (row 4)",
        "infinite score: 1 time (row 8)",
        "a pair that stands in the table before",
        "a sample compared with itself",
        "a sample of two subjects",
        "a subject in two groups",
        "an empty probe_subject: 1 time (row 3)",
    ):
        assert part in text, part


def test_missing_columns_are_all_named_with_what_is_there() -> None:
    with pytest.raises(ScoreTableError) as caught:
        read_scores({"similarity_": np.zeros(3), "probe_id": np.zeros(3), "probe_group": np.zeros(3)})
    assert caught.value.problems == (
        "column 'score' is missing",
        "column 'probe_subject' is missing",
        "column 'reference_subject' is missing",
        "column 'reference_id' is missing, 'probe_id' is there",
        "column 'reference_group' is missing, 'probe_group' is there",
    )
    assert "similarity_" in caught.value.hint
    with pytest.raises(ScoreTableError, match="'scroe' is no column of the schema"):
        read_scores(table(), TableOptions(columns={"scroe": "score"}))


def test_a_pair_in_a_later_chunk_is_found_again() -> None:
    columns = {key: np.concatenate([value, value[:1]]) for key, value in table().items()}
    for rows in (7, 100, 10_000):
        with pytest.raises(ScoreTableError, match="a pair that stands in the table before: 1 time"):
            read_scores(columns, TableOptions(chunk_rows=rows))


def test_distances_are_detected_said_and_negated_on_request() -> None:
    columns = table()
    distances = {**columns, "score": 1 - columns["score"]}
    with pytest.raises(ScoreTableError, match="look like distances") as caught:
        read_scores(distances)
    assert "--distance" in caught.value.hint
    negated = read_scores(distances, TableOptions(direction="distance"))
    assert any("distances" in note for note in negated.notes)
    straight = read_scores(columns)
    np.testing.assert_allclose(negated.mated.scores, straight.mated.scores - 1, atol=1e-6)
    kept = read_scores(distances, TableOptions(direction="similarity"))
    np.testing.assert_allclose(
        kept.mated.scores, distances["score"][distances["probe_subject"] == distances["reference_subject"]]
    )


def test_a_useless_matcher_is_not_called_a_distance() -> None:
    columns = table()
    columns["score"] = np.random.default_rng(5).random(len(columns["score"]))
    assert len(read_scores(columns).mated) == 36


def test_an_empty_class_is_a_problem() -> None:
    columns = table()
    mated = columns["probe_subject"] == columns["reference_subject"]
    with pytest.raises(ScoreTableError, match="no mated comparison"):
        read_scores({key: value[~mated] for key, value in columns.items()})
    with pytest.raises(ScoreTableError, match="no non-mated comparison"):
        read_scores({key: value[mated] for key, value in columns.items()})
    only = read_scores({key: value[~mated] for key, value in columns.items()}, TableOptions(need_mated=False))
    assert len(only.mated) == 0 and only.non_mated.pairs == int((~mated).sum())


def test_few_mated_subjects_and_one_that_dominates_are_said() -> None:
    assert "only 12 subjects have mated comparisons" in read_scores(table()).notes
    columns = table(40, 2)
    extra = table(3, 30, seed=2)
    joined = {
        key: np.concatenate(
            [columns[key], np.char.replace(extra[key], "p", "q") if extra[key].dtype.kind == "U" else extra[key]]
        )
        for key in columns
    }
    assert any("of the mated comparisons" in note for note in read_scores(joined).notes)


def test_labels_instead_of_subjects_take_comparisons_as_independent() -> None:
    columns = table()
    mated = columns["probe_subject"] == columns["reference_subject"]
    found = read_scores({"score": columns["score"], "mated": mated})
    assert found.independent and len(found.mated) == int(mated.sum())
    assert any("independent" in note for note in found.notes)


def test_mated_that_contradicts_the_subjects_is_a_problem() -> None:
    columns = table()
    mated = columns["probe_subject"] == columns["reference_subject"]
    with pytest.raises(ScoreTableError, match="contradicts the subjects: 1 time"):
        read_scores({**columns, "mated": np.where(np.arange(len(mated)) == 4, ~mated, mated)})


def test_failures_to_acquire_are_counted_and_never_scored() -> None:
    columns = table()
    acquired = np.ones(len(columns["score"]), dtype=bool)
    acquired[[0, 9]] = False
    columns["score"][[0, 9]] = np.nan
    found = read_scores({**columns, "acquired": acquired})
    assert found.failures is not None and int(found.failures.failed.sum()) == 2
    assert len(found.mated) + found.non_mated.pairs == len(acquired) - 2


def test_attempts_of_transactions_are_kept() -> None:
    columns = table()
    length = len(columns["score"])
    found = read_scores({**columns, "transaction": np.arange(length), "attempt": np.zeros(length)})
    assert found.attempts is not None and len(found.attempts.score) == length
    with pytest.raises(ScoreTableError) as caught:
        read_scores({**columns, "transaction": np.arange(length) // 4, "attempt": np.zeros(length)})
    text = "\n".join(caught.value.problems)
    for part in ("mated and non-mated attempts", "attempts of two subjects", "stands twice in its transaction"):
        assert part in text


def test_groups_from_a_table_of_labels(tmp_path: Path) -> None:
    people = [f"p{index}" for index in range(12)]
    labels = write_csv(
        tmp_path / "labels.csv",
        {"subject": np.array(people), "hair": np.array(["dark", "fair"] * 6), "age": np.array(["old"] * 12)},
    )
    known = read_labels(labels, ("hair", "age"))
    found = read_scores(table(), TableOptions(groups=known))
    assert found.group_names == ("dark old", "fair old")
    with pytest.raises(ScoreTableError, match="'eyes' is missing"):
        read_labels(labels, ("eyes",))
    write_csv(labels, {"subject": np.array(["a", "a"]), "hair": np.array(["dark", "fair"])})
    with pytest.raises(ScoreTableError, match="a subject in two groups"):
        read_labels(labels, ("hair",))


@pytest.mark.parametrize("decimals", [1, 3])
def test_a_counted_table_gives_the_figures_of_a_listed_one(decimals: int, tmp_path: Path) -> None:
    columns = table(20, 3, decimals=decimals)
    path = write_csv(tmp_path / "large.csv", columns)
    listed = read_scores(path)
    counted = read_scores(path, TableOptions(listed=100, chunk_rows=97, keep_fmr=0.05))
    assert isinstance(counted.non_mated, CountedNonMated) and isinstance(listed.non_mated, ListedNonMated)
    exact = listed.non_mated.scores.astype(np.float64)
    assert counted.non_mated.pairs == len(exact)
    for target in (0.05, 0.02, 0.004, 0.0):
        threshold, from_bin = counted.non_mated.threshold(target)
        wanted = threshold_at_fmr(exact, target)
        assert not from_bin and threshold.errors == wanted.errors
        assert threshold.value == pytest.approx(wanted.value, abs=1e-9)
        np.testing.assert_array_equal(
            counted.group_pair_errors(threshold.value), listed.group_pair_errors(threshold.value)
        )
    loose, from_bin = counted.non_mated.threshold(0.3)
    assert from_bin and fmr(exact, loose.value) <= 0.3
    assert loose.realised_fmr == pytest.approx(fmr(exact, loose.value), abs=2e-3)
    groups = len(listed.group_names)
    np.testing.assert_array_equal(
        counted.non_mated.group_trials(counted.subject_group, groups),
        listed.non_mated.group_trials(listed.subject_group, groups),
    )
    weights = np.random.default_rng(1).integers(0, 4, (20, 5)).astype(np.float64)
    for code in range(groups):
        one = listed.non_mated.group_graph(listed.subject_group, code)
        two = counted.non_mated.group_graph(counted.subject_group, code)
        assert one.pairs() == two.pairs() and one.subjects == two.subjects
        inside = weights[: one.subjects]
        np.testing.assert_allclose(one.weighted_pairs(inside), two.weighted_pairs(inside))
    np.testing.assert_allclose(
        listed.non_mated.graph(20).weighted_pairs(weights), counted.non_mated.graph(20).weighted_pairs(weights)
    )
    assert counted.non_mated.histogram(50).total == len(exact)


def test_with_too_many_pairs_of_subjects_degrees_are_kept_and_said() -> None:
    columns = table(30, 2)
    found = read_scores(columns, TableOptions(listed=10, pair_limit=5, chunk_rows=64))
    assert isinstance(found.non_mated, CountedNonMated) and found.non_mated.pair_graph.approximate
    assert any("comparisons per subject" in note for note in found.notes)
    graph, exact = found.non_mated.graph(30), read_scores(columns).non_mated.graph(30)
    assert graph.pairs() == exact.pairs() and graph.taking_part == exact.taking_part
    weights = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30), 200).T.astype(np.float64)
    ratio = graph.weighted_pairs(weights) / exact.weighted_pairs(weights)
    assert 0.95 < float(np.median(ratio)) < 1.1


@given(st.lists(st.integers(-20, 20), min_size=8, max_size=60), st.integers(1, 9), st.floats(0.0, 0.5))
def test_streaming_never_changes_a_rate(values: list[int], chunk: int, keep: float) -> None:
    pairs = list(itertools.islice(itertools.combinations(range(12), 2), len(values)))
    columns = {
        "probe_subject": np.array([f"a{one}" for one, _ in pairs]),
        "reference_subject": np.array([f"a{two}" for _, two in pairs]),
        "score": np.array(values, dtype=np.float64) / 8,
    }
    options = TableOptions(need_mated=False)
    listed = read_scores(columns, options)
    counted = read_scores(columns, TableOptions(need_mated=False, listed=1, chunk_rows=chunk, keep_fmr=keep, bins=64))
    thresholds = np.unique(columns["score"])
    above = thresholds[thresholds >= counted.non_mated.floor]
    np.testing.assert_array_equal(counted.non_mated.fmr(above), listed.non_mated.fmr(above))
    assert np.all(counted.non_mated.fmr(thresholds) >= listed.non_mated.fmr(thresholds))
    for target in (0.0, 0.1, 0.3):
        found, _ = counted.non_mated.threshold(target)
        assert fmr(columns["score"], found.value) <= target


@given(st.integers(0, 2**31))
def test_a_rising_map_of_the_scores_changes_no_rate(seed: int) -> None:
    columns = table(6, 3, seed=seed % 1000)
    straight = read_scores(columns, TableOptions(direction="similarity"))
    bent = read_scores({**columns, "score": np.exp(3 * columns["score"])}, TableOptions(direction="similarity"))
    for target in (0.0, 0.05, 0.2):
        one, two = (found.non_mated.threshold(target)[0] for found in (straight, bent))
        assert one.errors == two.errors
        assert fnmr(straight.mated.scores, one.value) == fnmr(bent.mated.scores, two.value)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"", "it is empty"),
        ("a.csv", b"score,score\n1,2\n", "named twice"),
        ("a.csv", b"score,mated\n1\n", "row 1 has 1 cells"),
        ("a.npz", b"nonsense", "damaged"),
        ("a.xlsx", b"", "suffix"),
        ("a.parquet", b"nonsense", "damaged"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScoreTableError, match=problem):
        read_scores(tmp_path / name)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", score=np.array([object()], dtype=object))
    with pytest.raises(ScoreTableError, match="Python objects"):
        read_scores(tmp_path / "a.npz")


def test_remarks_tabs_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("\ufeffscore\tmated\n# a remark\n0.5\t1\n0.25\t0\n".encode())
    chunks = list(open_table(path).chunks(["score", "mated"]))
    assert [chunk["score"].tolist() for chunk in chunks] == [["0.5", "0.25"]]


def test_a_digest_depends_on_the_content(tmp_path: Path) -> None:
    one, two = open_table(table()).digest(), open_table(table(seed=1)).digest()
    assert one != two and one == open_table(table()).digest()
    path = write_csv(tmp_path / "a.csv", table())
    assert len(open_table(path).digest()) == 64
