"""What every search engine must do, whatever it is made of: the same answers at the edges and the same refusals."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from samebody.errors import EmbeddingSpaceMismatchError, SamebodyError
from samebody.search.engines import APPROXIMATE, build, engine_names
from samebody.search.engines.arrays import ArraySource
from samebody.search.errors import InvalidBlockError, InvalidProbeError, LayoutError, UnknownEngineError
from samebody.search.types import Block, Layout, Probes

COLUMNS, DIMENSION = 40, 48
PLAIN = {"iris": "hamming-numpy", "vector": "cosine-numpy"}


def references(kind: str, n: int, seed: int = 1):
    generator = np.random.default_rng(seed)
    if kind == "vector":
        vectors = generator.standard_normal((n, DIMENSION)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors,)
    codes = generator.integers(0, 2**64, (n, COLUMNS), dtype=np.uint64)
    masks = generator.integers(0, 2**64, (n, COLUMNS), dtype=np.uint64)
    masks |= generator.integers(0, 2**64, (n, COLUMNS), dtype=np.uint64)
    masks[: n // 4] = np.uint64(2**64 - 1)
    return codes, masks


def source_of(kind: str, arrays, space: str = "space", **more) -> ArraySource:
    maker = ArraySource.of_vectors if kind == "vector" else ArraySource.of_codes
    return maker(*arrays, space, **{"block": 37, **more})


def probes_of(kind: str, arrays, space: str = "space") -> Probes:
    return Probes.of_vectors(*arrays, space) if kind == "vector" else Probes.of_codes(*arrays, space)


def near(kind: str, arrays, rows):
    """Probes that are like some of the references, but not the same."""
    picked = [array[rows].copy() for array in arrays]
    if kind == "vector":
        picked[0] += 0.02 * np.random.default_rng(9).standard_normal(picked[0].shape).astype(np.float32)
        picked[0] /= np.linalg.norm(picked[0], axis=1, keepdims=True)
    else:
        picked = [np.roll(each, 4, axis=1) for each in picked]
        picked[0][:, ::7] ^= np.uint64(0x00FF00)
    return picked


CASES = [(kind, name) for kind in ("iris", "vector") for name in engine_names(kind)]


@pytest.fixture(params=CASES, ids=lambda case: case[1])
def engine(request):
    """(kind, make) for every engine; ``make`` builds it over a source."""
    kind, name = request.param
    if name in APPROXIMATE and importlib.util.find_spec(name) is None:
        pytest.skip(f"the extra `approximate` is not installed ({name})")
    options = {"comparison": comparison()} if kind == "iris" else {}
    return kind, lambda source, **more: build(source, name, **options, **more)


def comparison():
    from samebody.iris.compare import ComparisonParameters

    return ComparisonParameters(minimum_bits=200, reference_bits=64 * COLUMNS)


MINIMUM = {"iris": 0.56, "vector": -1.0}
"""A minimum that the cascade can work with; vectors need none."""


def test_finds_what_the_plain_engine_finds(engine):
    kind, make = engine
    arrays = references(kind, 150)
    source = source_of(kind, arrays)
    probes = probes_of(kind, near(kind, arrays, [3, 77, 149]))
    options = {"comparison": comparison()} if kind == "iris" else {}
    expected = build(source, PLAIN[kind], **options).search(probes, 5, minimum_score=MINIMUM[kind])
    found = make(source).search(probes, 5, minimum_score=MINIMUM[kind])
    assert (found.ids[:, 0] == [3, 77, 149]).all()
    assert (found.ids == expected.ids).all()
    assert (found.scores == expected.scores).all()
    assert found.ids.dtype == np.int64 and found.scores.dtype == np.float32
    assert (found.engine and 0 <= found.miss_bound < 1e-5) or np.isnan(found.miss_bound)


def test_an_empty_source_gives_padding(engine):
    kind, make = engine
    empty = source_of(kind, [array[:0] for array in references(kind, 1)])
    hits = make(empty).search(probes_of(kind, references(kind, 2)), 3, minimum_score=MINIMUM[kind])
    assert hits.ids.shape == hits.scores.shape == (2, 3)
    assert (hits.ids == -1).all() and np.isneginf(hits.scores).all()
    assert [len(part) for part in hits.found(0)] == [0, 0]


def test_no_probes_give_no_hits(engine):
    kind, make = engine
    arrays = references(kind, 10)
    hits = make(source_of(kind, arrays)).search(
        probes_of(kind, [array[:0] for array in arrays]), 3, minimum_score=MINIMUM[kind]
    )
    assert hits.ids.shape == hits.scores.shape == (0, 3)


def test_k_beyond_the_references_is_padded(engine):
    kind, make = engine
    arrays = references(kind, 5)
    hits = make(source_of(kind, arrays)).search(
        probes_of(kind, near(kind, arrays, [2])), 50, minimum_score=MINIMUM[kind]
    )
    ids, scores = hits.found(0)
    assert hits.ids.shape == (1, 50) and ids[0] == 2
    assert len(set(ids.tolist())) == len(ids) <= 5
    assert (np.diff(scores) <= 0).all() and (hits.ids[0, len(ids) :] == -1).all()
    if kind == "vector":
        assert sorted(ids.tolist()) == [0, 1, 2, 3, 4]


def test_ties_go_to_the_lower_id_across_blocks(engine):
    kind, make = engine
    arrays = [array.copy() for array in references(kind, 120)]
    for array in arrays:
        array[[90, 11, 50]] = array[7]
    ids = np.arange(120, dtype=np.uint64) * 3 + 5
    engine_ = make(source_of(kind, arrays, ids=ids))
    probe = probes_of(kind, [array[[7]] for array in arrays])
    hits = engine_.search(probe, 4, minimum_score=MINIMUM[kind])
    assert hits.ids[0].tolist() == [7 * 3 + 5, 11 * 3 + 5, 50 * 3 + 5, 90 * 3 + 5]
    assert len(set(hits.scores[0].tolist())) == 1
    if hits.exact:  # an approximate index may return any of them when it is asked for fewer
        assert engine_.search(probe, 3, minimum_score=MINIMUM[kind]).ids[0].tolist() == hits.ids[0, :3].tolist()


def test_deleted_records_are_never_returned(engine):
    kind, make = engine
    arrays = references(kind, 100)
    live = np.ones(100, dtype=bool)
    live[[4, 60]] = False
    source = source_of(kind, arrays, live=live)
    built = make(source)
    hits = built.search(probes_of(kind, near(kind, arrays, [4, 60, 61])), 100, minimum_score=MINIMUM[kind])
    assert len(built) == len(source) == 98
    assert not np.isin(hits.ids, [4, 60]).any() and hits.ids[2, 0] == 61


def test_excluded_records_are_never_returned(engine):
    kind, make = engine
    arrays = references(kind, 100)
    built = make(source_of(kind, arrays))
    probes = probes_of(kind, near(kind, arrays, [4, 60]))
    same = built.search(probes, 4, minimum_score=MINIMUM[kind], exclude=np.array([60, 4, 4]))
    assert not np.isin(same.ids, [4, 60]).any()
    each = built.search(probes, 4, minimum_score=MINIMUM[kind], exclude=[np.array([60]), np.array([60, 61])])
    assert each.ids[0, 0] == 4 and not np.isin(each.ids[1], [60, 61]).any()


def test_the_minimum_is_inclusive(engine):
    kind, make = engine
    arrays = references(kind, 100)
    built = make(source_of(kind, arrays))
    probes = probes_of(kind, near(kind, arrays, [4]))
    best = built.search(probes, 1, minimum_score=MINIMUM[kind]).scores[0, 0]
    assert built.search(probes, 9, minimum_score=float(best)).ids[0].tolist() == [4] + [-1] * 8
    above = float(np.nextafter(best, np.float32(2)))
    assert (built.search(probes, 9, minimum_score=above).ids == -1).all()


def test_a_batch_gives_what_single_probes_give(engine):
    kind, make = engine
    arrays = references(kind, 140)
    built = make(source_of(kind, arrays))
    some = near(kind, arrays, np.arange(0, 140, 2))
    batch = built.search(probes_of(kind, some), 4, minimum_score=MINIMUM[kind])
    for p in (0, 1, 33, 63, 64, 69):
        single = built.search(probes_of(kind, [array[[p]] for array in some]), 4, minimum_score=MINIMUM[kind])
        assert (single.ids[0] == batch.ids[p]).all() and (single.scores[0] == batch.scores[p]).all()


def test_threads_do_not_change_the_answer(engine):
    kind, make = engine
    arrays = references(kind, 140)
    source, probes = source_of(kind, arrays), probes_of(kind, near(kind, arrays, [1, 99]))
    if make(source).name.endswith("numpy"):
        pytest.skip("runs in one thread")
    one, three = (make(source, threads=t).search(probes, 6, minimum_score=MINIMUM[kind]) for t in (1, 3))
    assert (one.ids == three.ids).all() and (one.scores == three.scores).all()


def test_refresh_sees_new_and_deleted_records(engine):
    kind, make = engine
    arrays = references(kind, 80)
    layout = source_of(kind, arrays).layout
    names = ("vectors",) if kind == "vector" else ("codes", "masks")

    def block(key: str, begin: int, end: int, dead: int | None = None) -> Block:
        live = np.ones(end - begin, dtype=bool)
        if dead is not None:
            live[dead - begin] = False
        payload = {name: array[begin:end] for name, array in zip(names, arrays, strict=True)}
        return Block(key, np.arange(begin, end, dtype=np.uint64), live, **payload)

    probes = probes_of(kind, near(kind, arrays, [10, 70]))
    built = make(ArraySource(layout, [block("a", 0, 40)]))
    before = built.search(probes, 1, minimum_score=MINIMUM[kind])
    assert before.ids[0, 0] == 10 and before.ids[1, 0] != 70
    built.refresh(ArraySource(layout, [block("a", 0, 40, dead=10), block("b", 40, 80)]))
    after = built.search(probes, 1, minimum_score=MINIMUM[kind])
    assert len(built) == 79 and after.ids[0, 0] != 10 and after.ids[1, 0] == 70
    built.refresh(ArraySource(layout, [block("b", 40, 80)]))
    assert len(built) == 40 and built.search(probes, 1, minimum_score=MINIMUM[kind]).ids[1, 0] == 70
    with pytest.raises(LayoutError):
        built.refresh(ArraySource(Layout(layout.modality, "another space", layout.size)))


def test_wrong_spaces_sizes_and_kinds_are_refused(engine):
    kind, make = engine
    arrays = references(kind, 10)
    built = make(source_of(kind, arrays))
    with pytest.raises(EmbeddingSpaceMismatchError):
        built.search(probes_of(kind, arrays, "another space"), 1, minimum_score=MINIMUM[kind])
    with pytest.raises(InvalidProbeError):
        half = [np.ascontiguousarray(array[:, : array.shape[1] // 2]) for array in arrays]
        if kind == "vector":
            half = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in half]
        built.search(probes_of(kind, half), 1, minimum_score=MINIMUM[kind])
    other = "iris" if kind == "vector" else "vector"
    with pytest.raises(InvalidProbeError):
        built.search(probes_of(other, references(other, 2)), 1, minimum_score=MINIMUM[kind])
    with pytest.raises(LayoutError):
        make(source_of(other, references(other, 2)))


def test_requests_that_make_no_sense_are_refused(engine):
    kind, make = engine
    arrays = references(kind, 10)
    built, probes = make(source_of(kind, arrays)), probes_of(kind, arrays)
    for bad in ({"k": 0}, {"k": 1, "minimum_score": float("nan")}, {"k": 1, "exclude": [np.array([1])]}):
        with pytest.raises(LayoutError):
            built.search(probes, **{"minimum_score": MINIMUM[kind], **bad})


def test_numbers_that_are_none_are_refused():
    for value in (np.nan, np.inf, 0.0):
        bad = references("vector", 1)[0].copy()
        bad[0, 3] = value
        if value == 0.0:
            bad *= 1.01
        with pytest.raises(InvalidProbeError):
            Probes.of_vectors(bad, "space")


def test_vectors_that_are_none_are_refused_before_any_score_leaves(engine):
    kind, make = engine
    if kind == "iris":
        pytest.skip("every word is a code")
    vectors = references(kind, 60)[0].copy()
    vectors[41, 0] = np.nan
    source = source_of(kind, [vectors])
    with pytest.raises(InvalidBlockError):
        make(source).search(probes_of(kind, references(kind, 1)), 1)


def test_ids_that_do_not_increase_are_refused(engine):
    kind, make = engine
    arrays = references(kind, 30)
    ids = np.arange(30, dtype=np.uint64)
    ids[20] = 3
    with pytest.raises(InvalidBlockError):
        make(source_of(kind, arrays, ids=ids)).search(probes_of(kind, arrays), 1, minimum_score=MINIMUM[kind])


def test_unknown_engines_and_options_are_named():
    source = source_of("vector", references("vector", 2))
    with pytest.raises(UnknownEngineError):
        build(source, "no such engine")
    with pytest.raises(LayoutError):
        build(source, "int8", colour="red")
    with pytest.raises(LayoutError):
        build(source, "int8", threads=0)
    assert issubclass(UnknownEngineError, SamebodyError)


def test_the_default_of_each_kind_is_exact():
    for kind in ("iris", "vector"):
        arrays = references(kind, 3)
        hits = build(source_of(kind, arrays)).search(probes_of(kind, arrays), 1)
        assert hits.exact and hits.miss_bound == 0.0


def test_a_search_goes_on_over_the_view_it_began_with(engine):
    """A block that is taken away while a search runs: the search ends over what it began with, the next sees less."""
    kind, make = engine
    arrays = references(kind, 80)
    whole = source_of(kind, arrays, block=20)
    built = make(whole)

    class Interrupted:
        layout = whole.layout

        def __len__(self):
            return len(whole)

        def blocks(self):
            for number, block in enumerate(whole.blocks()):
                if number == 2 and self.armed:
                    self.armed = False
                    built.refresh(ArraySource(whole.layout, list(whole.blocks())[:1]))
                yield block

        armed = False

    source = Interrupted()
    built.refresh(source)
    source.armed = True
    probes = probes_of(kind, near(kind, arrays, [10, 70]))
    during = built.search(probes, 1, minimum_score=MINIMUM[kind])
    assert during.ids[0, 0] == 10
    if not source.armed:  # the engine reads the blocks while it searches
        assert during.ids[1, 0] == 70
        assert len(built) == 20
        assert built.search(probes, 1, minimum_score=MINIMUM[kind]).ids[1, 0] != 70
