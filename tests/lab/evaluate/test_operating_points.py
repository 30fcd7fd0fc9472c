"""The measurement of operating points from end to end on small made-up sets, against counting by hand."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import types
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as PillowImage

from samebody.cli import evaluate_operating_points as cli
from samebody.config import Settings
from samebody.lab.evaluate import operating_points as points
from samebody.lab.evaluate import operating_points_run as run
from samebody.lab.evaluate.evaluation_sets import AGE_BANDS, DataSetError
from samebody.lab.evaluate.operating_points_page import page
from samebody.measure import BootstrapOptions, EmptyClassError, threshold_at_fmr
from samebody.models import catalogue
from samebody.types import Finding, Outcome, Reason, Template

GROUPS = [(race, gender) for race in ("Black", "White") for gender in ("Female", "Male")]
OPTIONS = BootstrapOptions(replicates=60)


class FakeAnalyser:
    """Makes a template from the first pixel: red and green name the person, blue the picture; blue 255 is no face.

    Grey pictures are those of orl: 100 + 40 * picture + person.
    """

    calls = 0
    drift = 0.0

    def __init__(self, settings=None, *, embedder="face/sface") -> None:
        records = catalogue(settings)
        self.embedder = records[embedder]
        self.networks = types.SimpleNamespace(records={"face/yunet": records["face/yunet"]})

    def acquisition_parameters(self):
        return ()

    def single_threaded(self):
        return self

    def template(self, image, role="selfie"):
        type(self).calls += 1
        red, green, blue = (int(value) for value in image.pixels[0, 0])
        if blue == 255:
            finding = Finding("selfie.face", Outcome.FAIL, reasons=(Reason("face.none", "No face."),))
            return types.SimpleNamespace(template=None, findings=(finding,))
        if red == green == blue:
            red, green = (blue - 100) % 40, 0
        person = np.random.default_rng([red, green]).normal(size=128)
        vector = person + 0.5 * np.random.default_rng([red, green, blue]).normal(size=128) + self.drift
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        return types.SimpleNamespace(template=Template(unit, self.embedder.embedding_space()), findings=())


def write_sets(root: Path, *, adults: int = 30, minors: int = 8, repeat: bool = True) -> list[tuple[str, str]]:
    """Four groups of adults and minors, all different people but for one repeat in each group; returns the repeats."""
    (root / "fairface" / "images").mkdir(parents=True)
    rows, repeats = [["file", "age", "gender", "race"]], []
    for group, (race, gender) in enumerate(GROUPS):
        for number in range(adults + minors):
            person, picture = number, 0
            if repeat and number == 1:
                person, picture = 0, 1  # the second adult of each group is the first one again
            age = AGE_BANDS[3 + number % 3] if number < adults else AGE_BANDS[number % 3]
            if number == 1:
                age = AGE_BANDS[3]
            failed = number == adults - 1
            pixels = np.zeros((20, 20, 3), dtype=np.uint8)
            pixels[:] = (person, 200 + group, 255 if failed else picture)
            name = f"images/{group}-{number}.png"
            PillowImage.fromarray(pixels).save(root / "fairface" / name)
            rows.append([name, age, gender, race])
        repeats.append((f"fairface/images/{group}-0.png", f"fairface/images/{group}-1.png"))
    with (root / "fairface" / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    for person, number in itertools.product(range(8), range(3)):
        folder = root / "orl" / f"s{person:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        grey = np.full((20, 20), 40 * number + person + 100, dtype=np.uint8)
        (folder / f"{number}.pgm").write_bytes(b"P5\n20 20\n255\n" + grey.tobytes())
    return repeats


def write_list(root: Path, repeats) -> Path:
    path = root / "repeats.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file_a", "sha256_a", "file_b", "sha256_b", "decision"])
        for one, two in repeats:
            hashes = [hashlib.sha256((root / file).read_bytes()).hexdigest() for file in (one, two)]
            writer.writerow([one, hashes[0], two, hashes[1], "same"])
    return path


@pytest.fixture
def sets(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "FaceAnalyser", FakeAnalyser)
    monkeypatch.setattr(FakeAnalyser, "calls", 0)
    monkeypatch.setattr(FakeAnalyser, "drift", 0.0)
    repeats = write_sets(tmp_path)
    settings = Settings(models_dir=tmp_path / "cache" / "models", threads=2)
    return types.SimpleNamespace(root=tmp_path, list=write_list(tmp_path, repeats), pairs=repeats, settings=settings)


def measure(sets, **changes):
    return run.measure("face/sface", sets.root, **{"settings": sets.settings, "options": OPTIONS, **changes})


def naive_scores(sets, *, grouped: bool) -> np.ndarray:
    """Scores of matched adults by two nested loops over freshly made templates."""
    analyser = FakeAnalyser(sets.settings)
    faces = run.read_fairface(sets.root)
    made = []
    for sample in faces.samples:
        template = analyser.template(faces.load(sample)).template
        if template is not None and AGE_BANDS.index(sample.age) >= 3:
            made.append((sample, template.vector.astype(np.float64)))
    scores = []
    for (a, one), (b, two) in itertools.combinations(made, 2):
        same = (a.file, b.file) in sets.pairs
        if a.group == b.group and abs(AGE_BANDS.index(a.age) - AGE_BANDS.index(b.age)) <= 1 and not (grouped and same):
            scores.append(np.float32(one @ two))
    return np.array(scores)


@pytest.mark.parametrize("grouped", [True, False])
def test_thresholds_are_those_of_counting_by_hand(sets, grouped):
    found = measure(sets, repeats=sets.list if grouped else None)
    scores = naive_scores(sets, grouped=grouped)
    result = found.results["matched-adults"]
    assert result.pairs == len(scores)
    assert [point.threshold.target for point in result.points] == [1e-2, 1e-3]
    for point in result.points:
        assert point.threshold == threshold_at_fmr(scores, point.threshold.target)
        assert point.fmr.errors == int(np.count_nonzero(scores >= point.threshold.value))


def test_repeats_of_people_no_longer_count_as_impostors(sets):
    found = measure(sets, repeats=sets.list)
    strict, published = found.results["matched-adults"].points[1], found.ungrouped["matched-adults"].points[1]
    assert strict.threshold.value < published.threshold.value
    assert found.ungrouped["matched-adults"].pairs - found.results["matched-adults"].pairs == len(GROUPS)
    assert found.repeats.pairs == len(GROUPS)


def test_rates_beyond_the_data_are_refused_and_not_guessed(sets):
    result = measure(sets).results["matched-adults"]
    assert [target for target, _ in result.refused] == [1e-4, 1e-5, 1e-6]
    assert all(point.extrapolation is None for point in result.points)


def test_failures_to_acquire_are_counted_apart(sets):
    found = measure(sets)
    faces, people = found.sets
    assert (faces.failed, faces.reasons) == (len(GROUPS), {"face.none": len(GROUPS)})
    assert faces.failure_to_acquire == len(GROUPS) / faces.pictures
    assert people.failed == 0
    assert all(group.failed == 1 for group in found.groups)


def test_populations_groups_and_the_reference_stand_beside_the_default(sets):
    found = measure(sets, repeats=sets.list)
    assert set(found.results) == {"matched-adults", "all-pairs", "matched-minors"}
    assert set(found.at_default) == {"all-pairs", "matched-minors", "orl"}
    assert {group.group for group in found.groups} == {f"{race} {gender}" for race, gender in GROUPS}
    by_group = sum(group.rates[0].trials for group in found.groups)
    assert by_group == found.results["matched-adults"].pairs
    at = found.group_thresholds[0].target
    whole = next(p for p in found.results["matched-adults"].points if p.threshold.target == at)
    assert sum(group.rates[0].errors for group in found.groups) == whole.fmr.errors
    assert len(found.mated.scores) == 8 * 3


def test_the_same_seed_gives_the_same_points_and_cached_templates_are_not_made_again(sets):
    first = measure(sets, repeats=sets.list)
    made = FakeAnalyser.calls
    second = measure(sets, repeats=sets.list)
    assert first.operating_points() == second.operating_points()
    assert first.provenance() == second.provenance()
    assert FakeAnalyser.calls - made <= 2 * 4  # the spot checks of both sets


def test_a_changed_embedder_is_noticed_and_the_cache_dropped(sets):
    first = measure(sets)
    FakeAnalyser.drift = 0.3
    second = measure(sets)
    FakeAnalyser.drift = 0.0
    assert first.operating_points() != second.operating_points()
    assert measure(sets, fresh=True).operating_points() == first.operating_points()


def test_points_and_histogram_are_written_into_a_record_of_ones_own(sets, tmp_path):
    source = catalogue()["face/sface"].path
    own = tmp_path / "records"
    own.mkdir()
    text = source.read_text().replace('id = "face/sface"', 'id = "face/own"').replace("2021dec", "1", 1)
    (own / "face").mkdir()
    (own / "face" / "own.toml").write_text(text)
    settings = sets.settings.model_copy(update={"records_dirs": (own,)})
    found = run.measure("face/own", sets.root, settings=settings, options=OPTIONS, repeats=sets.list)
    written = found.write(settings)
    record = catalogue(settings)["face/own"]
    assert written.parent == own / "face"
    assert set(record.operating_points) == set(found.operating_points())
    point = record.operating_point(1e-3)
    assert point.indicative and not point.extrapolated
    assert sum(record.score_histogram.non_mated) == found.results["matched-adults"].pairs
    assert sum(record.score_histogram.mated) == len(found.mated.scores)
    before = written.read_bytes()
    found.write(settings)
    assert written.read_bytes() == before


def test_the_page_holds_every_figure_that_it_promises(sets):
    found = measure(sets, repeats=sets.list)
    text = page(found, "samebody evaluate operating-points --data DIR")
    for point in found.results["matched-adults"].points:
        assert f"{point.threshold.value:.4f}" in text
    for needle in ("CC BY 4.0", "AT&T", "indicative", "As published", found.sets[0].digest, found.repeats.sha256):
        assert needle in text
    for group in found.groups:
        assert f"| {group.group} |" in text
    assert "is not given" in text
    assert "No reviewed list" in page(measure(sets), "command")


def test_without_faces_there_is_nothing_to_measure(sets, monkeypatch):
    monkeypatch.setattr(
        FakeAnalyser,
        "template",
        lambda self, image, role: types.SimpleNamespace(
            template=None, findings=(Finding("selfie.face", Outcome.FAIL, reasons=(Reason("face.none", "No face."),)),)
        ),
    )
    with pytest.raises(EmptyClassError):
        measure(sets)


def test_a_picture_that_cannot_be_decoded_is_a_failure_to_acquire(sets):
    (sets.root / "fairface" / "images" / "0-5.png").write_bytes(b"no picture")
    found = measure(sets)
    assert found.sets[0].failed == len(GROUPS) + 1
    assert "fairface/images/0-5.png" in found.sets[0].failed_files


def test_extrapolated_points_are_marked_and_bounded(sets, monkeypatch):
    # Enough effective errors to start from: the rule of 30 is tested in the measuring room.
    monkeypatch.setattr(points, "INDICATIVE_BELOW", 1)
    monkeypatch.setattr(points, "_TAIL_FIT", 60)
    result = measure(sets, repeats=sets.list, extrapolate=True).results["all-pairs"]
    marked = [point for point in result.points if point.extrapolation]
    assert marked
    refused = [target for target, _ in result.refused]
    assert {point.threshold.target for point in marked} | set(refused) == {1e-5, 1e-6}
    for point in marked:
        assert point.extrapolation.value >= point.extrapolation.estimate
        assert point.threshold.value > result.points[0].threshold.value


def test_the_command_prints_json_and_refuses_contradictions(sets, monkeypatch):
    monkeypatch.setenv("SAMEBODY_MODELS_DIR", str(sets.settings.models_dir))
    arguments = ["--data", str(sets.root), "--replicates", "40", "--repeats", str(sets.list)]
    done = CliRunner().invoke(cli.command, [*arguments, "--json", "--page", str(sets.root / "page.md")])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["model"].startswith("face/sface@")
    assert {point["population"] for point in answer["operating_points"]} >= {"matched-adults", "all-pairs"}
    assert "vector" not in done.stdout
    assert str(sets.root) not in (sets.root / "page.md").read_text().replace(sets.list.as_posix(), "")
    shown = CliRunner().invoke(cli.command, arguments)
    assert "matched-adults" in shown.output and "indicative" in shown.output
    both = CliRunner().invoke(cli.command, [*arguments, "--no-repeats"])
    assert type(both.exception).__name__ == "UsageError"
    missing = CliRunner().invoke(cli.command, ["--data", str(sets.root), "--repeats", "none.csv"])
    assert isinstance(missing.exception, DataSetError)
