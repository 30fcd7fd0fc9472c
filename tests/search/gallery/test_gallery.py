"""What a gallery promises when nothing goes wrong, and how it refuses what does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.iris.template import IrisTemplate
from samebody.search.engines import build
from samebody.search.errors import SearchSpaceMismatchError
from samebody.search.gallery import Enrolment, Gallery, Tuning
from samebody.search.gallery.errors import (
    GalleryClosedError,
    GalleryExistsError,
    GalleryKeyError,
    GalleryLockedError,
    GalleryNotFoundError,
    InvalidEnrolmentError,
    UnknownModalityError,
)
from samebody.search.types import Layout, Probes
from samebody.types import EmbeddingSpace, Template

from .material import IRIS, KEY, KEYS, VECTOR, fill, holdings, irises, live, make, subjects, vectors

both = pytest.mark.parametrize("key", KEYS, ids=["plain", "sealed"])


@both
def test_what_was_enrolled_is_there_after_opening_again(tmp_path, key):
    with make(tmp_path / "g", key) as gallery:
        held = fill(gallery)
        seen = live(gallery, "vector"), live(gallery, "iris")
        assert gallery.stats().modalities[0].segments > 1  # the log has rolled
    with Gallery.open(tmp_path / "g", key=key) as again:
        assert holdings(again) == held
        assert (live(again, "vector"), live(again, "iris")) == seen
        assert again.verify().sound
        assert list(again.subjects()) == sorted(set(held.values()))
        assert again.subject_count() == len(set(held.values()))
        assert len(again) == len(held)


@both
def test_payloads_come_back_bit_for_bit(tmp_path, key):
    drawn, (codes, masks) = vectors(30), irises(30)
    with make(tmp_path / "g", key) as gallery:
        first = gallery.enrol_arrays("vector", subjects(30), drawn, space=VECTOR.space)
        second = gallery.enrol_arrays("iris", subjects(30), (codes, masks), space=IRIS.space)
        drawn_before = drawn.copy()
        drawn[:] = 0  # the gallery has its own copy
        for _ in range(2):  # from the log, then from segments
            for row, found in enumerate(gallery.fetch(first)):
                assert np.array_equal(found[0], drawn_before[row])
            for row, found in enumerate(gallery.fetch(second)):
                assert np.array_equal(found[0], codes[row]) and np.array_equal(found[1], masks[row])
            gallery.compact()


def test_templates_bring_their_space_and_their_eye(tmp_path):
    space = EmbeddingSpace("m", "1", "0" * 64, "p")
    layouts = [Layout("vector", space.digest, 8), IRIS]
    codes, masks = irises(1)
    with Gallery.create(tmp_path / "g", layouts=layouts, key=None) as gallery:
        ids = gallery.enrol(
            [
                Enrolment("anna", Template(vectors(1)[0], space), {"source": "desk"}),
                Enrolment("anna", IrisTemplate(codes[0], masks[0], eye="left", space=IRIS.space)),
            ]
        )
        assert ids.tolist() == [1, 2]
        first, second = gallery.records_of("anna")
        assert (first.modality, first.attributes) == ("vector", {"source": "desk"})
        assert (second.modality, second.attributes) == ("iris", {"eye": "left"})
        other = EmbeddingSpace("m", "2", "0" * 64, "p")
        with pytest.raises(SearchSpaceMismatchError):
            gallery.enrol(
                [Enrolment("bert", Template(vectors(1)[0], space)), Enrolment("c", Template(vectors(1)[0], other))]
            )
        with pytest.raises(SearchSpaceMismatchError):
            gallery.enrol_arrays("iris", ["bert"], irises(1), space="another")
        assert not gallery.has("bert") and len(gallery) == 2


@pytest.mark.parametrize(
    "batch",
    [
        [Enrolment("", vectors(1)[0], space=VECTOR.space)],
        [Enrolment("x" * 257, vectors(1)[0], space=VECTOR.space)],
        [Enrolment("\ud800", vectors(1)[0], space=VECTOR.space)],
        [Enrolment("a", vectors(1)[0] * 2, space=VECTOR.space)],
        [Enrolment("a", vectors(1)[0] * np.float32("nan"), space=VECTOR.space)],
        [Enrolment("a", vectors(1)[0].astype(np.float64), space=VECTOR.space)],
        [Enrolment("a", vectors(1, dimension=9)[0], space=VECTOR.space)],
        [Enrolment("a", vectors(1)[0])],
        [Enrolment("a", vectors(1)[0], {"f": float("nan")}, space=VECTOR.space)],
        [Enrolment("a", vectors(1)[0], {"f": object()}, space=VECTOR.space)],
        [Enrolment("a", vectors(1)[0], {"f": "x" * 5000}, space=VECTOR.space)],
        [Enrolment("a", (irises(1)[0][0], np.zeros(8, np.uint64)), space=IRIS.space)],
        [Enrolment("a", (irises(1)[0][0], irises(1)[1][0].astype(np.int64)), space=IRIS.space)],
        [Enrolment("a", "not a template", space=VECTOR.space)],
    ],
)
def test_a_batch_with_one_bad_record_is_refused_whole(tmp_path, batch):
    with make(tmp_path / "g") as gallery:
        good = Enrolment("good", vectors(1)[0], space=VECTOR.space)
        with pytest.raises(InvalidEnrolmentError):
            gallery.enrol([good, *batch])
        assert len(gallery) == 0 and gallery.stats().log_bytes == 4096


def test_a_request_that_comes_again_is_not_enrolled_again(tmp_path):
    with make(tmp_path / "g", KEY) as gallery:
        ids = gallery.enrol_arrays("vector", subjects(10), vectors(10), space=VECTOR.space, request_id="part-1")
        again = gallery.enrol_arrays("vector", subjects(10), vectors(10), space=VECTOR.space, request_id="part-1")
        assert again.tolist() == ids.tolist() and len(gallery) == 10
        fill(gallery)
        gallery.compact()
    with Gallery.open(tmp_path / "g", key=KEY, mode="w") as gallery:
        before = len(gallery)
        batch = [Enrolment(name, row, space=VECTOR.space) for name, row in zip(subjects(10), vectors(10), strict=True)]
        assert gallery.enrol(batch, request_id="part-1").tolist() == ids.tolist() and len(gallery) == before
        with pytest.raises(InvalidEnrolmentError):
            gallery.enrol(batch[:3], request_id="part-1")


@both
def test_deletion_takes_the_bytes_from_every_file(tmp_path, key):
    secret, name = vectors(1, seed=99), "delete-me-please"
    with make(tmp_path / "g", key) as gallery:
        held = fill(gallery)
        gallery.enrol_arrays("vector", [name], secret, space=VECTOR.space, attributes=[{"note": "needle-note"}])
        gallery.compact()  # now in a segment
        gallery.enrol_arrays("iris", [name], irises(1, seed=99), space=IRIS.space)  # and in the log
        needles = [name.encode(), secret.tobytes()[:16], irises(1, seed=99)[0].tobytes()[:16], b"needle-note"]
        present = [
            needle for needle in needles if any(needle in each.read_bytes() for each in (tmp_path / "g").iterdir())
        ]
        assert present == ([] if key else needles)  # sealed: nothing of it was ever readable
        assert gallery.delete(name) == 2
        assert not gallery.has(name) and holdings(gallery) == held
        report = gallery.compact()
        assert report.removed == 2 and report.verified
        for each in (tmp_path / "g").iterdir():
            assert not any(needle in each.read_bytes() for needle in needles)
        assert gallery.stats().modalities[0].dead == 0
    with Gallery.open(tmp_path / "g", key=key) as again:
        assert holdings(again) == held and again.delete_records is not None


def test_a_sealed_gallery_shows_no_subject_and_no_template(tmp_path):
    drawn = vectors(50)
    with make(tmp_path / "g", KEY) as gallery:
        gallery.enrol_arrays("vector", subjects(50), drawn, space=VECTOR.space, attributes=[{"name": "Anna"}] * 50)
        gallery.compact()
        gallery.enrol_arrays("vector", ["in-the-log"], vectors(1), space=VECTOR.space)
    for each in (tmp_path / "g").iterdir():
        data = each.read_bytes()
        assert b"subject-" not in data and b"in-the-log" not in data and b"Anna" not in data and KEY not in data
        assert not any(row.tobytes()[:8] in data for row in drawn)


def test_deleted_subjects_can_come_back_under_new_ids(tmp_path):
    with make(tmp_path / "g") as gallery:
        first = gallery.enrol_arrays("vector", ["a"], vectors(1), space=VECTOR.space)
        assert gallery.delete("a") == 1 and gallery.delete("a") == 0
        gallery.compact()
        second = gallery.enrol_arrays("vector", ["a"], vectors(1), space=VECTOR.space)
        assert second[0] > first[0] and gallery.subject_of([first[0], second[0], -1, 10**9]) == [None, "a", None, None]
        assert gallery.delete_records([second[0], 77]) == 1 and not gallery.has("a")


def test_ids_are_never_given_twice_even_when_the_last_was_deleted(tmp_path):
    with make(tmp_path / "g") as gallery:
        last = gallery.enrol_arrays("vector", subjects(5), vectors(5), space=VECTOR.space)[-1]
        for name in subjects(5):
            gallery.delete(name)
        gallery.compact()
    with Gallery.open(tmp_path / "g", mode="w") as gallery:
        assert gallery.enrol_arrays("vector", ["z"], vectors(1), space=VECTOR.space)[0] == last + 1


def test_an_empty_gallery_answers(tmp_path):
    with make(tmp_path / "g") as gallery:
        assert len(gallery) == 0 and list(gallery.subjects()) == [] and gallery.subject_count() == 0
        assert not gallery.has("a") and gallery.delete("a") == 0 and gallery.records_of("a") == ()
        assert list(gallery.source("iris").blocks()) == []
        assert gallery.enrol([]).tolist() == [] and gallery.verify().sound
        assert gallery.compact().removed == 0


def test_engines_search_it_and_do_not_see_the_deleted(tmp_path):
    with make(tmp_path / "g") as gallery:
        fill(gallery)
        drawn = vectors(20, seed=3)
        probes = Probes.of_vectors(drawn[4], VECTOR.space)
        engine = build(gallery.source("vector"))
        hits = engine.search(probes, 1)
        assert gallery.subject_of(hits.ids[0]) == ["subject-00064"] and hits.scores[0, 0] == pytest.approx(1)
        gallery.delete("subject-00064")
        assert gallery.subject_of(hits.ids[0]) == [None]  # deleted during the search: found, but never named
        engine.refresh(gallery.source("vector"))
        assert int(engine.search(probes, 200).ids.max()) >= 0
        assert hits.ids[0, 0] not in engine.search(probes, 200).ids


def test_a_view_does_not_change(tmp_path):
    with make(tmp_path / "g") as gallery:
        held = fill(gallery, batches=4)
        view = gallery.source("vector")
        expected = {block.key: (block.record_ids.tolist(), block.live.tolist()) for block in view.blocks()}
        gallery.delete(next(iter(held.values())))
        gallery.enrol_arrays("vector", ["new"], vectors(1), space=VECTOR.space)
        gallery.compact()
        assert {block.key: (block.record_ids.tolist(), block.live.tolist()) for block in view.blocks()} == expected
        assert len(view) == sum(sum(mask) for _, mask in expected.values())


def test_wrong_keys_and_places_are_refused(tmp_path):
    make(tmp_path / "plain").close()
    make(tmp_path / "sealed", KEY).close()
    for path, key in (("plain", KEY), ("sealed", None), ("sealed", bytes(32)), ("sealed", b"short")):
        with pytest.raises(GalleryKeyError):
            Gallery.open(tmp_path / path, key=key)
    with pytest.raises(GalleryNotFoundError):
        Gallery.open(tmp_path / "nowhere")
    with pytest.raises(GalleryExistsError):
        make(tmp_path / "plain")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    with pytest.raises(GalleryExistsError):
        make(tmp_path / "other")
    assert (tmp_path / "other" / "file").read_text() == "mine"
    with pytest.raises(UnknownModalityError):
        Gallery.create(tmp_path / "two", layouts=[VECTOR, VECTOR], key=None)
    with pytest.raises(UnknownModalityError), Gallery.create(tmp_path / "one", layouts=[VECTOR], key=None) as gallery:
        gallery.source("iris")


def test_there_is_one_writer(tmp_path):
    with make(tmp_path / "g") as gallery:
        with pytest.raises(GalleryLockedError):
            Gallery.open(tmp_path / "g", mode="w")
        with Gallery.open(tmp_path / "g") as reader, pytest.raises(GalleryClosedError):
            reader.enrol_arrays("vector", ["a"], vectors(1), space=VECTOR.space)
        gallery.enrol_arrays("vector", ["a"], vectors(1), space=VECTOR.space)
    with pytest.raises(GalleryClosedError):
        gallery.has("a")
    with Gallery.open(tmp_path / "g", mode="w") as gallery:
        assert gallery.has("a")


@both
def test_stats_name_the_protection_and_no_subject(tmp_path, key):
    with make(tmp_path / "g", key, tenant="north") as gallery:
        fill(gallery)
        stats = gallery.stats()
    assert stats.protection == ("sealed" if key else "plain") and stats.tenant == "north"
    assert [each.records for each in stats.modalities] == [160, 24]
    assert "subject-" not in repr(stats)


def test_small_segments_are_joined_and_large_clean_ones_left_alone(tmp_path):
    tuning = Tuning(block_bytes=160, log_bytes=30_000, segment_bytes=130_000)
    with make(tmp_path / "g", tuning=tuning) as gallery:
        held = fill(gallery, batches=16, size=200)
        before = gallery.stats().modalities[0].segments
        seen = []
        report = gallery.compact(lambda done, total: seen.append((done, total)))
        assert gallery.stats().modalities[0].segments < before and holdings(gallery) == held
        assert seen[-1][0] == seen[-1][1] and seen == sorted(seen)
        names = {each.name for each in (tmp_path / "g").glob("segment-*")}
        large = [entry for entry in gallery._core.manifest.segments if entry.bytes * 2 > tuning.segment_bytes]
        gallery.compact()
        assert large and {f"segment-{entry.number:09d}.sbg" for entry in large} <= names
        assert report.verified


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from("edcs"), st.integers(0, 12), st.integers(0, 2**16)), max_size=25), st.booleans()
)
def test_any_history_ends_as_a_dictionary_would(tmp_path_factory, history, sealed):
    """Enrol, delete, compact, close and open in any order: the same as a dictionary kept beside."""
    path, key = tmp_path_factory.mktemp("h") / "g", KEY if sealed else None
    expected: dict[int, tuple[str, bytes]] = {}
    gallery = make(path, key, tuning=Tuning(block_bytes=100, log_bytes=4_800, segment_bytes=9_000))
    for action, who, seed in history:
        if action == "e":
            drawn = vectors(who + 1, seed)
            names = [f"p{(who + row) % 7}" for row in range(who + 1)]
            ids = gallery.enrol_arrays("vector", names, drawn, space=VECTOR.space)
            expected.update({int(i): (name, row.tobytes()) for i, name, row in zip(ids, names, drawn, strict=True)})
        elif action == "d":
            gone = [record for record, (name, _) in expected.items() if name == f"p{who}"]
            assert gallery.delete(f"p{who}") == len(gone)
            for record in gone:
                del expected[record]
        elif action == "c":
            gallery.compact()
        else:
            gallery.close()
            gallery = Gallery.open(path, key=key, mode="w", tuning=Tuning(block_bytes=64, log_bytes=4_500))
    assert {record: payload[0] for record, payload in live(gallery, "vector").items()} == {
        record: data for record, (_, data) in expected.items()
    }
    assert holdings(gallery) == {record: name for record, (name, _) in expected.items()}
    for who in range(8):
        mine = sorted(record for record, (name, _) in expected.items() if name == f"p{who}")
        assert [each.record_id for each in gallery.records_of(f"p{who}")] == mine
    assert gallery.verify().sound and gallery.subject_count() == len({name for name, _ in expected.values()})
    gallery.close()


def test_attributes_are_json_and_come_back(tmp_path):
    facts = {"b": [1, 2, {"c": None}], "a": "ü", "n": 1.5}
    with make(tmp_path / "g", KEY) as gallery:
        gallery.enrol_arrays("vector", ["x", "y"], vectors(2), space=VECTOR.space, attributes=[facts, None])
        gallery.compact()
        assert gallery.records_of("x")[0].attributes == json.loads(json.dumps(facts))
        assert gallery.records_of("y")[0].attributes == {}
