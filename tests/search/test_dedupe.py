"""Deduplication finds every group and nothing else, whatever the tiling, and goes on where a kill left it."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from samebody.search.all_pairs import pairs_above
from samebody.search.dedupe import DuplicateReport, Groups, Side, find_duplicates
from samebody.search.errors import SearchSpaceMismatchError
from samebody.search.identify import SearchPolicy
from samebody.search.journal import Journal, JournalError, JournalWriteError
from samebody.search.thresholds import UnitVectorRates
from tests.search.gallery_double import DIMENSION, MemoryGallery, NaiveEngine, filled, iris, near, unit
from tests.search.test_identify import RATES, flipped


def run(gallery: MemoryGallery, *names: str, other: MemoryGallery | None = None, **options: object) -> DuplicateReport:
    modalities = names or ("vector",)
    policy = SearchPolicy.model_validate(options.pop("policy", {"fpir": 0.001, "review_fpir": 0.001}))
    rates = {"vector": UnitVectorRates(DIMENSION), "iris": RATES["iris"]}
    return find_duplicates(
        Side(gallery, {name: gallery.source(name) for name in modalities}),
        {name: rates[name] for name in modalities},
        NaiveEngine,
        other=None if other is None else Side(other, {name: other.source(name) for name in modalities}),
        policy=policy,
        **options,  # type: ignore[arg-type]
    )


def subjects(report: DuplicateReport) -> list[list[str]]:
    return [[subject for _, subject in group.people] for group in report.groups]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60))
def test_groups_are_the_connected_components(edges: list[tuple[int, int]]) -> None:
    groups = Groups()
    for one, two in edges:
        groups.join(one, two)
    nodes = sorted({node for edge in edges for node in edge})
    reach = {node: {node} for node in nodes}
    for _ in nodes:
        for one, two in edges:
            joined = reach[one] | reach[two]
            for node in joined:
                reach[node] = reach[node] | joined
    for one, two in combinations(nodes, 2):
        assert (groups.find(one) == groups.find(two)) == (two in reach[one])


@given(st.integers(0, 70), st.integers(1, 90), st.integers(0, 10**6), st.floats(-0.4, 0.9))
@hypothesis_settings(max_examples=40)
def test_all_pairs_are_those_of_the_full_matrix(count: int, tile: int, seed: int, minimum: float) -> None:
    gallery = MemoryGallery(block=9)
    generator = np.random.default_rng(seed)
    vectors = unit(generator, count)
    for number, vector in enumerate(vectors):
        gallery.add(f"s{number}", "vector", vector)
    if count:
        gallery.delete("s0")
    table = (vectors.astype(np.float64) @ vectors.T.astype(np.float64)).astype(np.float32)
    expected = {(a, b) for a, b in combinations(range(1, count), 2) if table[a, b] >= minimum}
    found = pairs_above(gallery.source("vector"), minimum, NaiveEngine, tile=tile)
    assert set(zip(found.first.tolist(), found.second.tolist())) == expected and len(found) == len(expected)
    assert found.compared == max(count - 1, 0) * max(count - 2, 0) // 2
    assert np.all(np.diff(found.scores) <= 0) and found.exact


def test_one_engine_over_everything_finds_what_the_tiles_find() -> None:
    gallery = filled(90)
    source = gallery.source("vector")
    tiled = pairs_above(source, 0.3, NaiveEngine, tile=50)
    seen: list[tuple[int, int]] = []
    whole = pairs_above(
        source, 0.3, NaiveEngine, engine=NaiveEngine(source), tile=50, progress=lambda *now: seen.append(now)
    )
    assert np.array_equal(tiled.first, whole.first) and np.array_equal(tiled.scores, whole.scores)
    assert whole.compared == 90 * 89 // 2 and seen[-1][0] <= whole.compared


def test_pairs_between_two_galleries_are_those_of_the_full_matrix() -> None:
    one, two = filled(70, seed=1), filled(45, seed=2)
    a, b = (np.concatenate([block.vectors for block in g.source("vector").blocks()]) for g in (one, two))
    table = (a.astype(np.float64) @ b.T.astype(np.float64)).astype(np.float32)
    found = pairs_above(one.source("vector"), 0.4, NaiveEngine, other=two.source("vector"), tile=20)
    assert set(zip(found.first.tolist(), found.second.tolist())) == set(map(tuple, np.argwhere(table >= 0.4).tolist()))
    assert found.compared == 70 * 45


def test_groups_come_with_the_pairs_that_join_them() -> None:
    gallery, generator = filled(120), np.random.default_rng(5)
    base = unit(generator, 1)[0]
    chain = [base]
    for _ in range(3):
        chain.append(near(generator, chain[-1], 0.97))
    for name, vector in zip(("anna", "berta", "clara", "dora"), chain):
        gallery.add(name, "vector", vector)
    for vector in (unit(generator, 1)[0],):
        gallery.add("emil", "vector", vector)
        gallery.add("fritz", "vector", near(generator, vector, 0.99))
    report = run(gallery)
    assert subjects(report) == [["anna", "berta", "clara", "dora"], ["emil", "fritz"]]
    assert [group.kind for group in report.groups] == ["duplicate", "duplicate"]
    assert [len(group.joins) for group in report.groups] == [3, 1]
    first = report.groups[1].joins[0]
    assert first.scores["vector"] == pytest.approx(0.99, abs=1e-5) and first.records["vector"] == (124, 125)
    assert report.exact and report.pairs == {"vector": 126 * 125 // 2}
    assert report.expected_false_pairs == pytest.approx(report.needed_fmr * 126 * 125 / 2, rel=1e-6)
    json.dumps(report.to_dict())


def test_several_references_of_one_person_are_no_duplicates() -> None:
    gallery, generator = filled(40), np.random.default_rng(6)
    vector = unit(generator, 1)[0]
    for _ in range(5):
        gallery.add("anna", "vector", near(generator, vector, 0.999))
    assert run(gallery).groups == ()


def test_look_alikes_are_for_review_and_do_not_make_a_duplicate() -> None:
    gallery, generator = filled(80), np.random.default_rng(7)
    rates = UnitVectorRates(DIMENSION)
    low, high = (rates.threshold(1 - (1 - fpir) ** (1 / 84)).score for fpir in (0.1, 1e-4))
    one, two = unit(generator, 1)[0], unit(generator, 1)[0]
    gallery.add("anna", "vector", one)
    gallery.add("bella", "vector", near(generator, one, (low + high) / 2))
    gallery.add("carl", "vector", two)
    gallery.add("dirk", "vector", near(generator, two, 0.999))
    report = run(gallery, policy={"fpir": 1e-4, "review_fpir": 0.1})
    kinds = {tuple(names): group.kind for names, group in zip(subjects(report), report.groups)}
    assert kinds[("carl", "dirk")] == "duplicate" and kinds[("anna", "bella")] == "review"
    assert list(kinds.values()).count("duplicate") == 1
    assert report.groups[0].kind == "duplicate"


def test_twins_are_for_review_unless_an_iris_tells() -> None:
    gallery, generator = filled(40, modalities=("vector", "iris")), np.random.default_rng(8)
    face, eye = unit(generator, 1)[0], iris(generator, 1)[0]
    gallery.add("twin-a", "vector", face)
    gallery.add("twin-b", "vector", near(generator, face, 0.999))
    born = {"twin-a", "twin-b"}
    report = run(gallery, same_birth=lambda a, b: {a, b} == born)
    assert subjects(report) == [["twin-a", "twin-b"]] and report.groups[0].kind == "review"
    assert report.groups[0].joins[0].reason == "search.same_birth"
    gallery.add("twin-a", "iris", eye)
    gallery.add("twin-b", "iris", flipped(generator, eye, 20))
    report = run(gallery, "vector", "iris", same_birth=lambda a, b: {a, b} == born)
    assert report.groups[0].kind == "duplicate"  # two people do not share an iris
    other = filled(40, modalities=("vector", "iris"))
    for name, vector in (("twin-a", face), ("twin-b", near(generator, face, 0.999))):
        other.add(name, "vector", vector)
        other.add(name, "iris", iris(generator, 1)[0])
    report = run(other, "vector", "iris")
    assert report.groups[0].kind == "review" and report.groups[0].joins[0].reason == "search.modalities_disagree"
    assert set(report.groups[0].joins[0].scores) == {"vector", "iris"}


def test_two_galleries_are_compared_with_each_other_only() -> None:
    one, two, generator = filled(50, seed=1), filled(40, seed=2), np.random.default_rng(9)
    vector = unit(generator, 1)[0]
    one.add("anna", "vector", vector)
    one.add("anna again", "vector", near(generator, vector, 0.999))
    two.add("a. smith", "vector", near(generator, vector, 0.99))
    report = run(one, other=two)
    (group,) = report.groups
    assert group.people == ((0, "anna"), (0, "anna again"), (1, "a. smith"))
    assert report.pairs == {"vector": 52 * 41} and report.comparisons == 41


def test_an_empty_gallery_has_no_duplicates() -> None:
    assert run(MemoryGallery()).groups == ()
    assert run(filled(1)).groups == ()


def test_galleries_of_two_spaces_are_not_compared() -> None:
    with pytest.raises(SearchSpaceMismatchError):
        pairs_above(filled(3).source("vector"), 0.5, NaiveEngine, other=filled(3, dimension=8).source("vector"))


# ------------------------------------------------------------------------------------------------------- journal


class KilledError(Exception):
    pass


class KillAfter:
    def __init__(self, pieces: int) -> None:
        self.left = pieces

    def __call__(self, *progress: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise KilledError


def test_a_killed_run_goes_on_and_finds_the_same(tmp_path: Path) -> None:
    gallery = filled(90)
    source = gallery.source("vector")
    whole = pairs_above(source, 0.3, NaiveEngine, tile=50)
    for stop in range(1, 4):
        path = tmp_path / f"run{stop}"
        kill = KillAfter(stop)
        with pytest.raises(KilledError):
            pairs_above(source, 0.3, NaiveEngine, tile=50, journal=str(path), progress=kill)
        torn = path.read_bytes() + b"00000000 {torn"
        path.write_bytes(torn)
        again = pairs_above(source, 0.3, NaiveEngine, tile=50, journal=str(path))
        assert again.resumed == stop and not path.exists()
        assert np.array_equal(again.first, whole.first) and np.array_equal(again.second, whole.second)
        assert np.array_equal(again.scores, whole.scores)


def test_a_journal_of_another_state_is_refused(tmp_path: Path) -> None:
    gallery, path = filled(90), tmp_path / "run"
    with pytest.raises(KilledError):
        pairs_above(gallery.source("vector"), 0.3, NaiveEngine, tile=50, journal=str(path), progress=KillAfter(1))
    gallery.delete("s00003")
    with pytest.raises(JournalError, match="another state"):
        pairs_above(gallery.source("vector"), 0.3, NaiveEngine, tile=50, journal=str(path))


def test_a_run_over_two_modalities_repeats_neither(tmp_path: Path) -> None:
    gallery = filled(90, modalities=("vector", "iris"))
    with pytest.raises(KilledError):
        run(gallery, "vector", "iris", tile=50, journal=str(tmp_path / "run"), progress=KillAfter(4))
    report = run(gallery, "vector", "iris", tile=50, journal=str(tmp_path / "run"))
    assert report.resumed == 4 and list(tmp_path.iterdir()) == []
    assert report.groups == run(gallery, "vector", "iris").groups


def test_a_damaged_journal_is_named_and_never_half_used(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, "work") as journal:
        journal.add("1", [1])
        journal.add("2", [2])
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, "work") as journal:
            assert list(journal.pieces) == ["1", "2"][: max(whole[:cut].count(b"\n") - 1, 0)]
            assert all(journal.pieces[name] == [int(name)] for name in journal.pieces)
    flipped_byte = bytearray(whole)
    flipped_byte[whole.index(b"\n") + 12] ^= 1
    path.write_bytes(bytes(flipped_byte))
    with pytest.raises(JournalError, match="line 2"):
        Journal(path, "work")
    path.write_bytes(whole)
    with pytest.raises(JournalError, match="belongs to"):
        Journal(path, "other work")


def test_a_journal_without_a_place_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(JournalWriteError):
        Journal(tmp_path / "nowhere" / "journal", "work")
