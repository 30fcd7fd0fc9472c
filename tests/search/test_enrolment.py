"""Enrolment: once each, whoever is there already is found, and a person decides what a machine cannot."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from samebody.search.enrolment import Applicant, ApplicantError, Enroller, EnrolmentPolicy
from samebody.search.errors import SearchSpaceMismatchError
from samebody.search.identify import SearchPolicy
from samebody.search.thresholds import MeasuredRates, ThresholdUnknownError, UnitVectorRates
from tests.search.gallery_double import (
    DIMENSION,
    IRIS_SPACE,
    SPACE,
    MemoryGallery,
    NaiveEngine,
    filled,
    iris,
    near,
    unit,
)
from tests.search.test_identify import RATES, flipped
from tests.search.test_thresholds import POINTS

SPACES = {"vector": SPACE, "iris": IRIS_SPACE}


def person(subject: str, vector: NDArray[np.float32] | None, **fields: object) -> Applicant:
    return Applicant(subject, vector, spaces=SPACES, **fields)  # type: ignore[arg-type]


def enroller(gallery: MemoryGallery, duplicates: str = "refuse", **search: object) -> Enroller:
    policy = EnrolmentPolicy.model_validate(
        {"duplicates": duplicates, "search": {"fpir": 1e-4, "review_fpir": 1e-2, **search}}
    )
    return Enroller(gallery, gallery.write, RATES, NaiveEngine, policy=policy)


def test_a_stranger_is_enrolled_and_a_duplicate_refused_with_its_evidence() -> None:
    gallery, generator = filled(80), np.random.default_rng(40)
    vector = unit(generator, 1)[0]
    held = enroller(gallery)
    (first,) = held.enrol([person("anna", vector)])
    assert first.outcome == "enrolled" and gallery.subject_of([first.record_ids["vector"]]) == ["anna"]
    (again,) = held.enrol([person("a. other", near(generator, vector, 0.99))])
    assert again.outcome == "refused" and not again.record_ids
    assert again.candidates[0].subject == "anna" and again.candidates[0].records == {"vector": 80}
    assert again.reasons[0].code == "search.duplicate" and "'anna'" in again.reasons[0].message
    assert gallery.records_of("a. other") == []
    json.dumps(again.to_dict())


def test_a_repeated_request_changes_nothing() -> None:
    gallery, vector = filled(20), unit(np.random.default_rng(41), 1)[0]
    held = enroller(gallery)
    first, second = held.enrol([person("anna", vector), person("anna", vector)])
    (third,) = held.enrol([person("anna", vector)])
    assert first.outcome == "enrolled" and second.outcome == third.outcome == "known"
    assert first.record_ids == second.record_ids == third.record_ids
    assert len(gallery.records_of("anna")) == 1


def test_named_requests_are_told_apart() -> None:
    gallery, vector = filled(20), unit(np.random.default_rng(41), 1)[0]
    held = enroller(gallery)
    one, two, again = held.enrol([person("anna", vector, request=name) for name in ("r1", "r2", "r1")])
    assert (one.outcome, two.outcome, again.outcome) == ("enrolled", "enrolled", "known")
    assert again.record_ids == one.record_ids != two.record_ids


def test_a_further_reference_of_a_person_is_no_duplicate() -> None:
    gallery, generator = filled(20), np.random.default_rng(42)
    vector = unit(generator, 1)[0]
    held = enroller(gallery)
    held.enrol([person("anna", vector)])
    assert held.enrol([person("anna", near(generator, vector, 0.999))])[0].outcome == "enrolled"
    assert len(gallery.records_of("anna")) == 2


def test_people_of_one_batch_are_compared_with_each_other() -> None:
    gallery, generator = filled(20), np.random.default_rng(43)
    vector = unit(generator, 1)[0]
    batch = [
        person("anna", vector),
        person("copy", near(generator, vector, 0.999)),
        person("third", near(generator, vector, 0.999)),
        person("berta", unit(generator, 1)[0]),
    ]
    found = enroller(gallery).enrol(batch)
    assert [held.outcome for held in found] == ["enrolled", "refused", "refused", "enrolled"]
    assert [c.subject for c in found[2].candidates] == ["anna"]  # not the copy, which was never enrolled
    alone = filled(20)
    one_by_one = [enroller(alone).enrol([applicant])[0].outcome for applicant in batch]
    assert one_by_one == [held.outcome for held in found]


def test_flagged_people_are_enrolled_and_marked() -> None:
    gallery, generator = filled(20), np.random.default_rng(44)
    vector = unit(generator, 1)[0]
    held = enroller(gallery, "flag")
    held.enrol([person("anna", vector)])
    (found,) = held.enrol([person("copy", near(generator, vector, 0.999))])
    assert found.outcome == "flagged" and found.candidates[0].subject == "anna"
    assert gallery.records_of("copy")[0].attributes["flag"] == "duplicate"
    assert "flag" not in gallery.records_of("anna")[0].attributes


def test_allowed_people_are_enrolled_without_a_search() -> None:
    gallery, vector = filled(20), unit(np.random.default_rng(45), 1)[0]
    policy = EnrolmentPolicy(duplicates="allow")
    held = Enroller(gallery, gallery.write, {}, NaiveEngine, policy=policy)
    found = held.enrol([person("anna", vector), person("copy", vector)])
    assert [each.outcome for each in found] == ["enrolled", "enrolled"] and found[1].candidates == ()


def test_look_alikes_wait_for_a_person() -> None:
    gallery, generator = filled(40), np.random.default_rng(46)
    vector = unit(generator, 1)[0]
    rates = UnitVectorRates(DIMENSION)
    low, high = (rates.threshold(1 - (1 - fpir) ** (1 / 42)).score for fpir in (1e-2, 1e-4))
    held = enroller(gallery)
    held.enrol([person("anna", vector)])
    (found,) = held.enrol([person("alike", near(generator, vector, (low + high) / 2))])
    assert found.outcome == "review" and not found.record_ids and found.reasons[0].code == "search.look_alike"


def test_twins_wait_for_a_person_and_strangers_of_another_birth_do_not() -> None:
    gallery, generator = filled(40), np.random.default_rng(47)
    vector = unit(generator, 1)[0]
    held = enroller(gallery)
    held.enrol([person("twin-a", vector, attributes={"birth": "b1"})])
    (twin,) = held.enrol([person("twin-b", near(generator, vector, 0.999), attributes={"birth": "b1"})])
    assert twin.outcome == "review" and "search.same_birth" in {reason.code for reason in twin.reasons}
    (other,) = held.enrol([person("liar", near(generator, vector, 0.999), attributes={"birth": "b2"})])
    assert other.outcome == "refused"


def test_an_iris_tells_twins_from_one_person() -> None:
    gallery, generator = filled(30, modalities=("vector", "iris")), np.random.default_rng(48)
    vector, eye = unit(generator, 1)[0], iris(generator, 1)[0]
    held = enroller(gallery)
    held.enrol([person("one", vector, iris=(eye[0], eye[1]), attributes={"birth": "b"})])
    other = iris(generator, 1)[0]
    twin = person("two", near(generator, vector, 0.999), iris=(other[0], other[1]), attributes={"birth": "b"})
    assert held.enrol([twin])[0].outcome == "review"
    same = flipped(generator, eye, 30)
    liar = person("three", near(generator, vector, 0.99), iris=(same[0], same[1]), attributes={"birth": "b"})
    assert held.enrol([liar])[0].outcome == "refused"


def test_without_a_threshold_nothing_is_written_unless_duplicates_are_allowed() -> None:
    gallery, vector = filled(300), unit(np.random.default_rng(49), 1)[0]
    rates = {**RATES, "vector": MeasuredRates("small", POINTS[:1], population="all-pairs")}
    held = Enroller(gallery, gallery.write, rates, NaiveEngine, policy=EnrolmentPolicy(search=SearchPolicy()))
    with pytest.raises(ThresholdUnknownError):
        held.enrol([person("anna", vector)])
    assert gallery.records_of("anna") == []


def test_what_cannot_be_enrolled_is_refused_before_anything_is_written() -> None:
    gallery, vector = filled(10), unit(np.random.default_rng(50), 1)[0]
    held = enroller(gallery)
    good = person("good", vector)
    with pytest.raises(ApplicantError, match="no template"):
        held.enrol([good, person("empty", None)])
    with pytest.raises(SearchSpaceMismatchError):
        held.enrol([good, replace(person("foreign", vector), spaces={"vector": "0" * 16})])
    assert gallery.records_of("good") == []
