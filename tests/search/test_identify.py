"""Identification returns whom it should, at the FPIR it was asked for, whatever the size of the gallery."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from samebody.search.errors import InvalidProbeError, SearchSpaceMismatchError
from samebody.search.identify import Identification, Identifier, IdentifyError, SearchPolicy
from samebody.search.thresholds import (
    MeasuredRates,
    RateThreshold,
    ScoreRate,
    ThresholdUnknownError,
    UnitVectorRates,
    needed_fmr,
)
from samebody.search.types import Probes
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
from tests.search.test_thresholds import POINTS


class CodeRates:
    """Random codes of 512 bits at 5 rotations: the binomial tail, times five."""

    label = "codes"
    reliability = None

    def fmr_at(self, score: float, *, allow_extrapolated: bool = False) -> ScoreRate:
        from scipy.special import bdtr

        return ScoreRate(min(1.0, 5 * float(bdtr(math.floor((1 - score) * 512 + 1e-6), 512, 0.5))), "distribution")

    def threshold(self, fmr: float, *, allow_extrapolated: bool = False) -> RateThreshold:
        apart = next(d for d in range(512, -1, -1) if self.fmr_at(1 - d / 512).fmr <= fmr)
        return RateThreshold(1 - apart / 512, fmr, self.label, "synthetic", synthetic=True)


RATES = {"vector": UnitVectorRates(DIMENSION), "iris": CodeRates()}


def identifier(gallery: MemoryGallery, *modalities: str, **policy: object) -> Identifier:
    names = modalities or ("vector",)
    return Identifier(
        gallery,
        {name: gallery.source(name) for name in names},
        {name: RATES[name] for name in names},
        NaiveEngine,
        policy=SearchPolicy.model_validate(policy),
    )


def search(gallery: MemoryGallery, vector: NDArray[np.float32], **policy: object) -> Identification:
    (found,) = identifier(gallery, **policy).identify({"vector": Probes.of_vectors(vector, SPACE)})
    return found


def test_the_mate_is_found_with_its_rates() -> None:
    gallery = filled(200)
    probe = near(np.random.default_rng(9), unit(np.random.default_rng(1), 1)[0], 0.97)
    found = search(gallery, probe, fpir=0.01, below=True)
    assert found.answer == "match" and found.comparisons == 200
    (best,) = found.matches
    assert best.subject == "s00000" and best.rank == 1 and best.scores["vector"] == pytest.approx(0.97, abs=1e-5)
    assert best.fmr == pytest.approx(RATES["vector"].fmr_at(best.scores["vector"]).fmr)
    assert best.fpir == pytest.approx(1 - (1 - best.fmr) ** 200)
    assert found.needed_fmr == pytest.approx(needed_fmr(0.01, 200))
    assert len(found.candidates) == 10 and [c.rank for c in found.candidates] == list(range(1, 11))
    json.dumps(found.to_dict())
    assert len(search(gallery, probe, fpir=0.01).candidates) == 1  # strangers are not listed unless asked for


@pytest.mark.parametrize("size", [20, 200, 2000])
def test_fpir_measured_on_strangers_is_the_fpir_asked_for(size: int) -> None:
    searches, asked = 3000, 0.05
    gallery = filled(size, seed=size)
    probes = Probes.of_vectors(unit(np.random.default_rng(77), searches), SPACE)
    found = identifier(gallery, fpir=asked, review_fpir=0.2, candidates=1).identify({"vector": probes})
    matched = np.mean([bool(answer.matches) for answer in found])
    reviewed = np.mean([answer.answer != "none" for answer in found])
    half = 4 * math.sqrt(asked * (1 - asked) / searches)
    assert abs(matched - asked) < half
    assert abs(reviewed - 0.2) < 4 * math.sqrt(0.2 * 0.8 / searches)


def test_the_threshold_tightens_as_the_gallery_grows() -> None:
    scores = []
    for size in (10, 100, 1000):
        found = search(filled(size), unit(np.random.default_rng(4), 1)[0], fpir=0.01)
        scores.append(found.thresholds["vector"].score)
    assert scores[0] < scores[1] < scores[2]


def test_a_person_with_many_references_does_not_crowd_others_out() -> None:
    generator = np.random.default_rng(2)
    gallery = filled(30)
    probe = unit(generator, 1)[0]
    for _ in range(60):
        gallery.add("many", "vector", near(generator, probe, 0.999))
    gallery.add("other", "vector", near(generator, probe, 0.99))
    found = search(gallery, probe, candidates=3, fpir=0.01, below=True)
    assert [c.subject for c in found.candidates[:2]] == ["many", "other"]
    assert len(found.candidates) == 3 and len({c.subject for c in found.candidates}) == 3
    assert found.answer == "review"  # two different people match


def test_every_match_is_listed_however_short_the_list() -> None:
    generator = np.random.default_rng(2)
    gallery, probe = filled(30), unit(generator, 1)[0]
    for number in range(25):
        gallery.add(f"twin{number}", "vector", near(generator, probe, 0.995))
    found = search(gallery, probe, candidates=2, fpir=0.01)
    assert len(found.matches) == 25


def test_a_look_alike_is_for_review_and_never_a_match() -> None:
    gallery, generator = filled(100), np.random.default_rng(3)
    low = UnitVectorRates(DIMENSION).threshold(needed_fmr(0.1, 101)).score
    high = UnitVectorRates(DIMENSION).threshold(needed_fmr(0.01, 101)).score
    probe = unit(generator, 1)[0]
    gallery.add("alike", "vector", near(generator, probe, (low + high) / 2))
    found = search(gallery, probe, fpir=0.01, review_fpir=0.1)
    assert found.answer == "review" and not found.matches
    assert found.candidates[0].subject == "alike" and found.candidates[0].reasons[0].code == "search.look_alike"


def test_deleted_people_are_not_found() -> None:
    gallery = filled(50)
    probe = unit(np.random.default_rng(1), 1)[0]
    assert search(gallery, probe, fpir=0.01).answer == "match"
    gallery.delete("s00000")
    found = search(gallery, probe, fpir=0.01)
    assert found.answer != "match" and found.comparisons == 49 and "s00000" not in {c.subject for c in found.candidates}


def test_a_person_deleted_during_a_search_is_left_out() -> None:
    gallery = filled(50)
    held = identifier(gallery, fpir=0.01)
    gallery.delete("s00000")  # the source still shows the record, the directory no longer
    (found,) = held.identify({"vector": Probes.of_vectors(unit(np.random.default_rng(1), 1), SPACE)})
    assert "s00000" not in {c.subject for c in found.candidates}


def test_an_empty_gallery_has_no_candidates() -> None:
    found = search(MemoryGallery(), unit(np.random.default_rng(1), 1)[0])
    assert found.answer == "none" and found.candidates == () and found.expected_fpir == 0.0


def test_a_list_longer_than_the_gallery_holds_everybody() -> None:
    assert len(search(filled(4), unit(np.random.default_rng(6), 1)[0], candidates=100, below=True).candidates) == 4


def test_a_batch_gives_what_one_at_a_time_gives() -> None:
    gallery, vectors = filled(120), unit(np.random.default_rng(8), 7)
    held = identifier(gallery, fpir=0.3, review_fpir=0.5, below=True)
    together = held.identify({"vector": Probes.of_vectors(vectors, SPACE)})
    alone = [held.identify({"vector": Probes.of_vectors(row, SPACE)})[0] for row in vectors]
    assert [a.candidates for a in together] == [a.candidates for a in alone]


def test_without_a_strict_enough_point_nothing_is_decided() -> None:
    gallery = filled(500)
    rates = {"vector": MeasuredRates("small", POINTS[:2], population="all-pairs")}
    sources = {"vector": gallery.source("vector")}
    probe = {"vector": Probes.of_vectors(unit(np.random.default_rng(1), 1), SPACE)}
    with pytest.raises(ThresholdUnknownError, match="500 references"):
        Identifier(gallery, sources, rates, NaiveEngine).identify(probe)
    listing = SearchPolicy(undecided="list")
    (found,) = Identifier(gallery, sources, rates, NaiveEngine, policy=listing).identify(probe)
    assert found.answer == "undecided" and found.undecided["code"] == "search.threshold_unknown"
    assert found.candidates[0].subject == "s00000" and found.candidates[0].place == "below"


def test_an_extrapolated_threshold_is_named() -> None:
    gallery = filled(50)
    rates = {"vector": MeasuredRates("made", POINTS, population="all-pairs")}
    sources = {"vector": gallery.source("vector")}
    probe = {"vector": Probes.of_vectors(unit(np.random.default_rng(1), 1), SPACE)}
    policy = SearchPolicy(fpir=0.0005, review_fpir=0.001, allow_extrapolated=True)
    (found,) = Identifier(gallery, sources, rates, NaiveEngine, policy=policy).identify(probe)
    assert found.extrapolated and found.thresholds["vector"].extrapolated and found.candidates[0].extrapolated


def test_wrong_spaces_and_shapes_are_typed_errors() -> None:
    held = identifier(filled(5))
    vector = unit(np.random.default_rng(1), 1)
    with pytest.raises(SearchSpaceMismatchError):
        held.identify({"vector": Probes.of_vectors(vector, "0" * 16)})
    with pytest.raises(InvalidProbeError):
        held.identify({"vector": Probes.of_vectors(unit(np.random.default_rng(1), 1, 8), SPACE)})
    with pytest.raises(IdentifyError, match="holds no iris"):
        held.identify({"iris": Probes.of_vectors(vector, SPACE)})
    with pytest.raises(IdentifyError, match="at least one probe"):
        held.identify({})
    with pytest.raises(IdentifyError, match="no error rates"):
        Identifier(MemoryGallery(), {"vector": MemoryGallery().source("vector")}, {}, NaiveEngine)


# ----------------------------------------------------------------------------------------------- two modalities


def both(vector: NDArray[np.float32], code: NDArray[np.uint64]) -> dict[str, Probes]:
    return {
        "vector": Probes.of_vectors(vector, SPACE),
        "iris": Probes.of_codes(code[0], code[1], IRIS_SPACE),
    }


def flipped(generator: np.random.Generator, code: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    flips = np.zeros(code.shape[1] * 64, dtype=np.uint8)
    flips[generator.choice(flips.size, bits, replace=False)] = 1
    other = code.copy()
    other[0] ^= np.packbits(flips, bitorder="little").view(np.uint64)
    return other


def test_two_modalities_find_one_person_by_both() -> None:
    generator = np.random.default_rng(11)
    gallery = filled(60, modalities=("vector", "iris"))
    face, eye = unit(generator, 1)[0], iris(generator, 1)[0]
    gallery.add("anna", "vector", near(generator, face, 0.99))
    gallery.add("anna", "iris", flipped(generator, eye, 40))
    (found,) = identifier(gallery, "vector", "iris", fpir=0.001, review_fpir=0.1).identify(both(face, eye))
    assert found.answer == "match" and found.matches[0].subject == "anna" and found.rule == "both"
    assert set(found.matches[0].scores) == {"vector", "iris"}
    assert all(set(c.scores) == {"vector", "iris"} for c in found.candidates)  # completed where one list missed them


def test_a_face_alone_is_no_match_when_the_iris_says_no() -> None:
    generator = np.random.default_rng(12)
    gallery = filled(60, modalities=("vector", "iris"))
    face, eye = unit(generator, 1)[0], iris(generator, 1)[0]
    gallery.add("twin", "vector", near(generator, face, 0.999))
    gallery.add("twin", "iris", iris(generator, 1)[0])
    (found,) = identifier(gallery, "vector", "iris", fpir=0.01, review_fpir=0.1).identify(both(face, eye))
    twin = next(c for c in found.candidates if c.subject == "twin")
    assert twin.place == "review" and found.answer == "review"
    assert "search.modalities_disagree" in {reason.code for reason in twin.reasons}


def test_a_subject_with_one_modality_is_decided_by_it() -> None:
    generator = np.random.default_rng(13)
    gallery = filled(60, modalities=("vector", "iris"))
    face, eye = unit(generator, 1)[0], iris(generator, 1)[0]
    gallery.add("faceless", "iris", flipped(generator, eye, 20))
    (found,) = identifier(gallery, "vector", "iris", fpir=0.01).identify(both(face, eye))
    assert found.answer == "match" and found.matches[0].rule == "single" and found.matches[0].subject == "faceless"


def test_independent_modalities_reach_further_than_one() -> None:
    generator = np.random.default_rng(14)
    gallery = filled(60, modalities=("vector", "iris"))
    points = dict(RATES)
    rates = {name: MeasuredRates("m", _measured(points[name]), population="all-pairs") for name in points}
    face, eye = unit(generator, 1)[0], iris(generator, 1)[0]
    gallery.add("anna", "vector", near(generator, face, 0.99))
    gallery.add("anna", "iris", flipped(generator, eye, 40))
    sources = {name: gallery.source(name) for name in rates}
    strict = {"fpir": 1e-4, "review_fpir": 1e-3}
    with pytest.raises(ThresholdUnknownError):
        Identifier(gallery, sources, rates, NaiveEngine, policy=SearchPolicy(**strict)).identify(both(face, eye))
    policy = SearchPolicy(**strict, independent=True)
    (found,) = Identifier(gallery, sources, rates, NaiveEngine, policy=policy).identify(both(face, eye))
    assert found.matches[0].subject == "anna" and found.expected_fpir is not None and found.expected_fpir <= 1e-4


def _measured(held: object) -> tuple[object, ...]:
    from tests.search.test_thresholds import point

    return tuple(point(fmr, held.threshold(fmr).score) for fmr in (1e-1, 1e-2, 1e-3, 1e-4))  # type: ignore[attr-defined]


def test_a_newer_view_is_searched_after_a_refresh() -> None:
    gallery, probe = filled(30), unit(np.random.default_rng(21), 1)
    held = identifier(gallery, fpir=0.01)
    assert held.identify({"vector": Probes.of_vectors(probe, SPACE)})[0].answer == "none"
    gallery.add("new", "vector", probe[0])
    held.refresh({"vector": gallery.source("vector")})
    assert held.identify({"vector": Probes.of_vectors(probe, SPACE)})[0].matches[0].subject == "new"
    with pytest.raises(IdentifyError):
        held.refresh({"iris": gallery.source("iris")})
