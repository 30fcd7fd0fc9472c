"""Measuring an iris encoder: an encoder that deals out codes of known likeness stands in for the pipeline."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from samebody.cli.evaluate_operating_points import command
from samebody.errors import UsageError
from samebody.iris import ComparisonParameters, IrisTemplate, compare_irises
from samebody.iris.pipeline import IrisPipeline
from samebody.iris.results import IrisEncoding
from samebody.lab.evaluate.evaluation_sets import DataSetError
from samebody.lab.evaluate.iris_page import iris_page
from samebody.lab.evaluate.iris_run import IrisMeasurement, measure_irises
from samebody.lab.evaluate.iris_scores import (
    NOT_COMPARABLE,
    Trials,
    any_eyes,
    equal_error,
    merged_references,
    rates_at,
    same_side,
    score_matrix,
    two_eyes,
    two_fold,
)
from samebody.lab.evaluate.iris_sets import EncodedSet, EyeSample, EyeSet, read_eye_folder, synthetic_eyes
from samebody.measure import BootstrapOptions, EmptyClassError, equal_error_rate, fmr, fnmr
from samebody.models.points import Sidecar
from samebody.synth.iris import IrisCodePopulation
from samebody.types import Finding, Outcome, Reason

OPTIONS = BootstrapOptions(replicates=50)
SPACE = IrisPipeline.load("default").space
PEOPLE, CAPTURES = 12, 4


def eye_set(people: int = PEOPLE, captures: int = CAPTURES, synthetic: bool = False) -> EyeSet:
    samples = tuple(
        EyeSample(f"{p:02d}/{eye}/{k}", "0" * 64, f"{p:02d}", eye)  # type: ignore[arg-type]
        for p, eye, k in itertools.product(range(people), ("left", "right"), range(captures))
    )
    return EyeSet("deals", "no picture", synthetic, samples, lambda sample: np.zeros((4, 4), dtype=np.uint8))


def templates(source: EyeSet, refused: tuple[str, ...] = (), blind: tuple[str, ...] = ()) -> EncodedSet:
    population = IrisCodePopulation(seed=5, error=0.25, error_spread=0.07, rotation=3)
    made: list[IrisTemplate | None] = []
    for sample in source.samples:
        person, _, capture = sample.file.split("/")
        identity = np.array([2 * int(person) + (sample.eye == "right")])
        codes, masks = population.probes(identity, int(capture) + 1)
        mask = np.zeros_like(masks[0]) if sample.file in blind else masks[0]
        made.append(None if sample.file in refused else IrisTemplate(codes[0], mask, eye=sample.eye, space="s"))
    return EncodedSet(source, tuple(made), dict.fromkeys(refused, ("iris.out_of_focus",)), {"encode": 1.0})


COMPARISON = ComparisonParameters(rotations=8)


@pytest.fixture(scope="module")
def encoded() -> EncodedSet:
    return templates(eye_set(), refused=("03/left/1", "07/right/0", "07/right/1", "07/right/2", "07/right/3"))


@pytest.fixture(scope="module")
def trials(encoded: EncodedSet) -> Trials:
    return same_side(score_matrix(encoded, COMPARISON))


def naive(encoded: EncodedSet, same_eye_only: bool) -> tuple[list[float], list[float], int]:
    mated, non_mated, lost = [], [], 0
    for (a, s), (b, t) in itertools.combinations(zip(encoded.source.samples, encoded.templates), 2):
        is_mated = a.eye_class == b.eye_class
        if not is_mated and (a.person == b.person or (same_eye_only and a.eye != b.eye)):
            continue
        if s is None or t is None:
            lost += is_mated
            continue
        blind = [IrisTemplate(x.code, x.mask, space="s") for x in (s, t)]
        (mated if is_mated else non_mated).append(compare_irises(blind[0], blind[1], COMPARISON).score)
    return mated, non_mated, lost


@pytest.mark.parametrize("same", [True, False])
def test_pairs_and_scores_are_those_of_one_at_a_time(encoded: EncodedSet, same: bool) -> None:
    matrix = score_matrix(encoded, COMPARISON)
    found = same_side(matrix) if same else any_eyes(matrix)
    mated, non_mated, lost = naive(encoded, same)
    assert sorted(found.mated.tolist()) == sorted(mated)
    assert sorted(found.non_mated.tolist()) == sorted(non_mated)
    assert found.lost_person.size == lost == 3 + 6


def test_rates_count_refused_pictures_as_non_matches(trials: Trials) -> None:
    (loose, strict) = rates_at(trials, (1e-1, 1e-2), OPTIONS)
    for rates in (loose, strict):
        value = rates.thresholds[0].value
        assert rates.fmr.rate == pytest.approx(fmr(trials.non_mated, value)) and rates.fmr.rate <= rates.target
        assert rates.fnmr.rate == pytest.approx(fnmr(trials.mated, value))
        missed = int((trials.mated < value).sum())
        assert rates.gfrr.errors == missed + 9 and rates.gfrr.trials == trials.mated.size + 9 == 12 * 2 * 6
        assert rates.gfrr.rate > rates.fnmr.rate
        assert rates.fnmr.subjects == PEOPLE and rates.fmr.subjects == PEOPLE
    assert rates_at(trials, (1e-9,), OPTIONS) == ()


def test_two_fold_thresholds_come_from_the_half_that_is_not_reported(trials: Trials) -> None:
    (rates,) = two_fold(trials, (5e-2,), OPTIONS)
    even = np.arange(PEOPLE) % 2 == 0
    halves = [trials.within(half) for half in (even, ~even)]
    for half, threshold in zip(halves, rates.thresholds):
        assert fmr(half.non_mated, threshold.value) == pytest.approx(threshold.realised_fmr)
        assert threshold.realised_fmr <= 5e-2
        assert set(np.concatenate([half.first, half.second, half.mated_person]).tolist()) == {
            int(p) for p in np.flatnonzero(even if half is halves[0] else ~even)
        }
    missed = (halves[1].mated < rates.thresholds[0].value).sum() + (halves[0].mated < rates.thresholds[1].value).sum()
    matched = (halves[1].non_mated >= rates.thresholds[0].value).sum()
    matched += (halves[0].non_mated >= rates.thresholds[1].value).sum()
    assert rates.fnmr.errors == missed and rates.fmr.errors == matched
    assert rates.fmr.trials == sum(half.non_mated.size for half in halves) < trials.non_mated.size
    assert two_fold(trials, (1e-6,), OPTIONS) == ()


def test_the_equal_error_rate_and_its_interval(trials: Trials) -> None:
    found = equal_error(trials, OPTIONS)
    assert found.rate == equal_error_rate(trials.mated, trials.non_mated)
    assert found.interval[0] <= found.rate.value <= found.interval[1] < 0.5
    assert found.generalised >= found.rate.value


def test_both_eyes_are_better_than_one_and_merged_references_too(encoded: EncodedSet, trials: Trials) -> None:
    matrix = score_matrix(encoded, COMPARISON)
    both = two_eyes(matrix)
    merged = merged_references(matrix, COMPARISON, frames=3)
    one = equal_error(trials, OPTIONS).rate.value
    assert equal_error(both, OPTIONS).rate.value < one and equal_error(merged, OPTIONS).rate.value < one
    index = {sample.file: k for k, sample in enumerate(encoded.source.samples)}
    left = matrix.scores[index["00/left/0"], index["00/left/1"]]
    right = matrix.scores[index["00/right/0"], index["00/right/1"]]
    assert np.isclose(both.mated, (left + right) / 2).any()
    assert merged.mated.size + merged.lost_person.size == PEOPLE * 2
    assert merged.non_mated.size <= PEOPLE * (PEOPLE - 1) * 2


def test_pairs_that_share_too_few_bits_never_match_and_are_counted() -> None:
    apart = templates(eye_set(4, 2), blind=("01/left/0",))
    found = same_side(score_matrix(apart, COMPARISON))
    assert found.not_comparable == (1, 6)
    assert (found.mated == NOT_COMPARABLE).sum() == 1 and (found.non_mated == NOT_COMPARABLE).sum() == 6


def test_nothing_to_compare_is_a_typed_error() -> None:
    source = eye_set(3, 2)
    with pytest.raises(EmptyClassError):
        score_matrix(templates(source, refused=tuple(sample.file for sample in source.samples)), COMPARISON)
    with pytest.raises(EmptyClassError):
        same_side(score_matrix(templates(eye_set(3, 1)), COMPARISON))
    with pytest.raises(EmptyClassError):
        merged_references(score_matrix(templates(eye_set(3, 2)), COMPARISON), COMPARISON)


# ------------------------------------------------------------------------------------------------ from end to end


class Dealer:
    """Encodes sample by sample what :func:`templates` dealt, whatever the pixels."""

    def __init__(self, encoded: EncodedSet) -> None:
        self._left = iter(encoded.templates)
        self.space = SPACE

    def encode(self, image: NDArray[np.uint8], eye: str) -> IrisEncoding:
        template = next(self._left)
        reason = Reason("iris.out_of_focus", "blurred")
        finding = Finding("iris.focus", Outcome.FAIL if template is None else Outcome.PASS, reasons=(reason,))
        return IrisEncoding(template, (finding,), None, None, None, {"encode": 2.0}, eye)


@pytest.fixture
def measurement(monkeypatch: pytest.MonkeyPatch, encoded: EncodedSet) -> IrisMeasurement:
    return measured(monkeypatch, encoded)


def measured(monkeypatch: pytest.MonkeyPatch, encoded: EncodedSet) -> IrisMeasurement:
    monkeypatch.setattr(IrisPipeline, "load", classmethod(lambda cls, name: Dealer(encoded)))
    return measure_irises("iris/default", encoded.source, options=OPTIONS, comparison=COMPARISON)


def test_a_measurement_holds_points_histogram_and_failures(measurement: IrisMeasurement) -> None:
    points = measurement.operating_points()
    assert [point.fmr for point in points] == [1e-2] or [point.fmr for point in points][:2] == [1e-2, 1e-3]
    assert all(point.population == "all-pairs" and point.dataset == "deals" for point in points)
    histogram = measurement.histogram()
    assert sum(histogram.mated) == measurement.main.trials.mated.size
    assert sum(histogram.non_mated) == measurement.main.trials.non_mated.size
    fields = json.loads(json.dumps(measurement.to_dict()))
    assert fields["failure_to_enrol"]["refused"] == 5 and fields["failure_to_enrol"]["eyes_never_enrolled"] == 1
    assert fields["failure_to_enrol"]["reasons"] == {"iris.out_of_focus": 5}
    assert fields["milliseconds"] == {"encode": 2.0}


def test_the_page_states_what_was_counted_and_what_made_it(measurement: IrisMeasurement) -> None:
    text = iris_page(measurement, "samebody evaluate operating-points --model iris/default --data DIR")
    for part in (
        "`samebody evaluate operating-points --model iris/default --data DIR`",
        "| 96 | 5 | 5.21 %",
        "1 of 24",
        "closest-mean",
        "GFRR",
        "Two-fold",
        measurement.record.embedding_space().digest,
        "03/left/1 (iris.out_of_focus)",
    ):
        assert part in text, part
    assert "generator" not in text


def test_write_renews_digest_and_points_of_the_record(
    measurement: IrisMeasurement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebody.models import read_records
    from samebody.models.catalogue import BUNDLED_RECORDS

    (tmp_path / "iris").mkdir()
    path = tmp_path / "iris" / "default.toml"
    old = (BUNDLED_RECORDS / "iris" / "default.toml").read_text()
    stale = 'sha256 = "' + "ab12" * 16 + '"'
    path.write_text("\n".join(stale if line.startswith("sha256") else line for line in old.splitlines()) + "\n")
    path.with_name("default.points.json").write_text("{}")
    object.__setattr__(measurement, "record", measurement.record.located(path, bundled=False))
    measurement.write()
    record = read_records(tmp_path)["iris/default"]
    assert record.embedding_space() == SPACE
    assert len(record.operating_points) == len(measurement.operating_points()) > 0
    assert record.score_histogram is not None and record.score_histogram.population == "all-pairs"


def test_synthetic_figures_are_marked_and_stay_out_of_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = measured(monkeypatch, templates(eye_set(PEOPLE, 3, synthetic=True)))
    with pytest.raises(UsageError, match="synthetic"):
        made.write()
    sidecar = Sidecar.model_validate_json(made.write_points(tmp_path / "points.json").read_text())
    assert {point.population for point in sidecar.operating_points} == {"synthetic"}
    assert sidecar.provenance["sets"][0]["synthetic"] is True
    text = iris_page(made, "x")
    assert "on synthetic irises" in text and "say nothing about people" in text


def test_folders_of_eyes_are_read_with_person_and_side(tmp_path: Path) -> None:
    root = tmp_path / "mmu1"
    for person, side, number in itertools.product(("a", "b"), ("left", "right"), (1, 2)):
        (root / person / side).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / person / side / f"{number}.png"), np.full((60, 80), 7, dtype=np.uint8))
    for folder in (tmp_path, root):
        source = read_eye_folder(folder)
        assert source.name == "mmu1" and source.people == ("a", "b") and len(source.samples) == 8
        assert source.pixels(source.samples[0]).shape == (60, 80, 3)
    assert {sample.eye for sample in source.samples} == {"left", "right"}
    with pytest.raises(DataSetError, match="PERSON/left"):
        read_eye_folder(tmp_path / "mmu1" / "a")


def test_synthetic_sets_repeat_themselves() -> None:
    one, two = synthetic_eyes(2, 2), synthetic_eyes(2, 2)
    assert one.digest == two.digest and one.synthetic and len(one.samples) == 8
    assert np.array_equal(one.pixels(one.samples[3]), two.pixels(two.samples[3]))
    assert synthetic_eyes(2, 2, seed=2).digest != one.digest


def invoke(*words: str) -> Any:
    return CliRunner().invoke(command, list(words))


def test_the_command_refuses_what_does_not_go_together(tmp_path: Path) -> None:
    for words in (
        ("--model", "iris/default"),
        ("--model", "iris/default", "--data", str(tmp_path), "--synthetic", "4"),
        ("--model", "iris/default", "--synthetic", "4", "--write"),
        ("--model", "face/sface"),
        ("--model", "face/sface", "--synthetic", "4"),
    ):
        result = invoke(*words)
        assert isinstance(result.exception, UsageError), words


def test_the_command_measures_synthetic_eyes_and_writes_a_page(tmp_path: Path) -> None:
    page, points = tmp_path / "page.md", tmp_path / "points.json"
    result = invoke(
        *("--model", "iris/default", "--synthetic", "4", "--replicates", "20"),
        *("--page", str(page), "--points", str(points), "--json"),
    )
    assert result.exit_code == 0, result.output
    fields = json.loads(result.stdout)
    assert fields["synthetic"] and fields["failure_to_enrol"]["pictures"] == 40
    assert "synthetic" in page.read_text() and Sidecar.model_validate_json(points.read_text()).operating_points
