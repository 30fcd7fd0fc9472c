"""Ladder, attacks and patches: counts against counting by hand, budgets kept, runs taken up again."""

from __future__ import annotations

import json
import types
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from samebody.face import FaceDetection
from samebody.lab.evaluate.errors import RunFolderError
from samebody.lab.evaluate.images import Picture, PictureSet
from samebody.lab.evaluate.robustness import attacks, ladder, patches
from samebody.lab.evaluate.robustness.acquire import Acquired, CorruptedFaces, FaceCrop
from samebody.lab.evaluate.robustness.report import markdown, svg
from samebody.lab.evaluate.robustness.results import FixedThreshold, RobustnessResult
from samebody.lab.evaluate.robustness.surrogate import feature_gradient, features, train_surrogate
from samebody.measure import BootstrapOptions, EmptyClassError
from samebody.types import Box, Image

OPTIONS = BootstrapOptions(replicates=40)
THRESHOLDS = (FixedThreshold(1e-3, 0.5, "a test"), FixedThreshold(1e-4, 0.8, "a test"))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def acquired(vectors: np.ndarray, pictures: list[Picture]) -> Acquired:
    return Acquired(tuple(pictures), unit(vectors))


def pictures_of(subjects: str, groups: str = "") -> list[Picture]:
    """One picture for each letter; groups are letters too."""
    return [
        Picture(f"{number}.png", f"{number:064x}", subject, groups[number] if groups else "")
        for number, subject in enumerate(subjects)
    ]


# -------------------------------------------------------------------------------------------------------------- ladder


@given(
    st.lists(st.sampled_from("abc"), min_size=2, max_size=8),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_comparisons_of_a_step_are_those_of_counting_by_hand(subjects, seed, within):
    rng = np.random.default_rng(seed)
    groups = ["x" if name == "a" else "y" for name in subjects]
    people = pictures_of("".join(subjects), "".join(groups))
    clean = acquired(rng.standard_normal((len(people), 4)), people)
    # a corrupted copy of every second picture
    bad = acquired(rng.standard_normal((len(people[::2]), 4)), people[::2])
    found = ladder.score_step(bad, clean, within_groups=within)
    mated, non_mated, own = [], [], []
    for number, probe in enumerate(bad.pictures):
        for place, reference in enumerate(clean.pictures):
            score = np.float32(
                np.clip(np.dot(bad.vectors[number].astype(float), clean.vectors[place].astype(float)), -1, 1)
            )
            if probe.file == reference.file:
                own.append(score)
            elif probe.subject == reference.subject:
                mated.append(score)
            elif not within or probe.group == reference.group:
                non_mated.append(score)
    np.testing.assert_allclose(np.sort(found.mated), np.sort(mated), atol=1e-6)
    np.testing.assert_allclose(np.sort(found.non_mated), np.sort(non_mated), atol=1e-6)
    np.testing.assert_allclose(found.own, own, atol=1e-6)
    repeats_left_out = ladder.score_step(bad, clean, within_groups=within, with_mated=False)
    assert len(repeats_left_out.mated) == 0
    np.testing.assert_array_equal(repeats_left_out.non_mated, found.non_mated)


class FakeAnalyser:
    """A template from the mean colour; black pictures have no face."""

    def __init__(self) -> None:
        self.calls = 0
        space = types.SimpleNamespace(digest="0" * 16)
        output = types.SimpleNamespace(dimensions=3)
        self.embedder = types.SimpleNamespace(embedding_space=lambda: space, embedding_output=output)
        self.networks = types.SimpleNamespace(records={"face/yunet": types.SimpleNamespace(run_sha256="1" * 64)})

    def acquisition_parameters(self) -> tuple[str, ...]:
        return ()

    def single_threaded(self) -> FakeAnalyser:
        return self

    def aligned(self, image: Image) -> types.SimpleNamespace:
        points = ((10.0, 10.0), (22.0, 10.0), (16.0, 16.0), (12.0, 22.0), (20.0, 22.0))
        return types.SimpleNamespace(chosen=FaceDetection(Box(2, 2, 28, 28), points, 0.9), aligned=image.pixels)

    def template(self, image: Image, role: str = "selfie") -> types.SimpleNamespace:
        self.calls += 1
        mean = image.pixels.reshape(-1, 3).mean(axis=0)
        if mean.max() < 8:
            finding = types.SimpleNamespace(reasons=(types.SimpleNamespace(code="face.none"),))
            return types.SimpleNamespace(template=None, findings=(finding,))
        return types.SimpleNamespace(template=types.SimpleNamespace(vector=unit(mean[None])[0]), findings=())


@pytest.fixture
def small_set(tmp_path: Path) -> PictureSet:
    from PIL import Image as PillowImage

    folder = tmp_path / "pictures"
    folder.mkdir()
    found = []
    colours = {"a": (200, 40, 40), "b": (40, 200, 40), "c": (40, 40, 200)}
    for number, subject in enumerate("aabbcc"):
        pixels = np.full((32, 32, 3), colours[subject], dtype=np.uint8)
        pixels[:8] += number
        PillowImage.fromarray(pixels).save(folder / f"{number}.png")
        found.append(Picture(f"{number}.png", f"{number:064x}", subject))
    return PictureSet("small", folder, tuple(found))


def settings_in(tmp_path: Path) -> types.SimpleNamespace:
    return types.SimpleNamespace(models_dir=tmp_path / "cache" / "models", session_threads=2, limits=None)


def test_a_ladder_counts_failures_apart_and_its_rates_fall_as_light_does(small_set, tmp_path):
    faces = CorruptedFaces(FakeAnalyser(), settings_in(tmp_path), seed=1)
    references = faces.acquire(small_set, small_set.pictures)
    options = ladder.LadderOptions(("low light", "blur"), {"low light": (0.25, 0.0005)}, 2, 2, OPTIONS)
    rows = ladder.run_ladder(faces, small_set, references, THRESHOLDS, options)
    assert [(row.corruption, row.strength) for row in rows[:3]] == [
        ("none", 0),
        ("low light", 0.25),
        ("low light", 0.0005),
    ]
    clean, dim, black = rows[:3]
    assert clean.fta.errors == 0 and clean.rates[0].own is None
    assert clean.rates[0].fnmr.trials == 6 and clean.rates[0].fnmr.errors == 0
    assert clean.rates[0].fmr.trials == 24 and clean.rates[1].fmr.errors == 0
    assert dim.rates[0].own.trials == 6
    assert black.fta.errors == 6 and black.reasons == {"face.none": 6}
    assert black.rates[0].fnmr is None and black.rates[0].fmr is None
    assert clean.refused(1e-3) == 0.0 and black.refused(1e-3) is None


def test_a_ladder_taken_up_again_asks_for_no_template_twice(small_set, tmp_path):
    first, second = FakeAnalyser(), FakeAnalyser()
    steps = [("blur", 4.0), ("noise", 10.0), ("none", 0.0)]
    one = [
        CorruptedFaces(first, settings_in(tmp_path), seed=1).acquire(small_set, small_set.pictures, *s) for s in steps
    ]
    again = CorruptedFaces(second, settings_in(tmp_path), seed=1)
    two = [again.acquire(small_set, small_set.pictures, *step) for step in steps]
    assert first.calls == 18 and second.calls == 0
    for before, after in zip(one, two):
        np.testing.assert_array_equal(before.vectors, after.vectors)
    CorruptedFaces(second, settings_in(tmp_path), seed=2).acquire(small_set, small_set.pictures, "noise", 10.0)
    assert second.calls == 6  # another seed is another picture


def test_probes_are_the_first_of_each_subject_or_a_few_of_each_group():
    alike = pictures_of("aaabbb")
    assert [p.file for p in ladder.chosen_probes(alike, 2, 9)] == ["0.png", "1.png", "3.png", "4.png"]
    labelled = pictures_of("abcdefgh", "xxxxyyyy")
    chosen = ladder.chosen_probes(labelled, 1, 3)
    assert sorted(p.group for p in chosen) == ["x"] * 3 + ["y"] * 3


# ------------------------------------------------------------------------------------------------------------- attacks


def projector(seed: int = 0, size: int = 12):
    """An embedder that is a random projection of the crop: easy to attack, and it counts its queries."""
    matrix = np.random.default_rng(seed).standard_normal((size * size * 3, 6))

    def embed(crops: np.ndarray) -> np.ndarray:
        embed.queries += len(crops)
        return unit((crops.reshape(len(crops), -1).astype(float) - 127.5) @ matrix)

    embed.queries = 0
    return embed


def face_crop(number: int, subject: str, size: int = 12) -> FaceCrop:
    pixels = np.random.default_rng(number).integers(30, 220, (size, size, 3), dtype=np.uint8)
    points = ((38.0, 52.0), (74.0, 52.0), (56.0, 72.0), (42.0, 92.0), (71.0, 92.0))
    detection = FaceDetection(Box(20, 20, 70, 90), points, 0.9)
    return FaceCrop(Picture(f"{number}.png", f"{number:064x}", subject), Image(pixels), detection, pixels)


@given(st.integers(0, 2**32), st.floats(1, 20), st.sampled_from([1.0, -1.0]))
@hypothesis_settings(max_examples=15)
def test_square_search_stays_in_its_ball_and_budget_and_never_loses_ground(seed, epsilon, sign):
    embed = projector()
    crops = np.stack([face_crop(number, "a").crop for number in range(3)])
    target = embed(crops[::-1])
    embed.queries = 0
    kept, course = attacks.square_search(
        crops, lambda tried: np.einsum("nd,nd->n", embed(tried), target), sign, epsilon, 30, np.random.default_rng(seed)
    )
    assert embed.queries == 3 * 31  # the clean crops, and thirty queries each
    assert np.abs(kept.astype(int) - crops.astype(int)).max() <= epsilon + 1e-9
    assert np.all(np.diff(sign * course, axis=1) >= 0)
    np.testing.assert_allclose(np.einsum("nd,nd->n", embed(kept), target), course[:, -1], atol=1e-6)


def run_attacks(tmp_path: Path | None, embed, **changes) -> tuple:
    faces = [face_crop(2 * n + k, f"s{n}") for n in range(4) for k in (0, 1)]
    templates = embed(np.stack([entry.crop for entry in faces]))
    # the second picture of a person is close to the first
    for number in range(0, 8, 2):
        templates[number + 1] = unit((templates[number] + 0.2 * templates[number + 1])[None])[0]
    options = attacks.AttackOptions(4, (24.0,), 60, bootstrap=OPTIONS, **changes)
    pairs = [attacks.attack_pairs(faces, templates, goal, 4) for goal in attacks.GOALS]
    return attacks.attack_embedder(pairs, embed, THRESHOLDS, None, options, checkpoint=tmp_path, key="k")


def test_search_beats_random_noise_on_a_model_that_is_easy_to_attack(tmp_path):
    rows = run_attacks(None, projector())
    of = {(row.method, row.goal, row.target): row for row in rows}
    assert {row.method for row in rows} == {"random noise", "black box"}  # no surrogate, no transfer
    searched, noise = of["black box", "dodging", 1e-4], of["random noise", "dodging", 1e-4]
    assert searched.eligible == noise.eligible == 4
    assert searched.success.errors > noise.success.errors
    assert 1 <= searched.median_queries <= 60 and noise.median_queries is None


def test_only_pairs_on_the_right_side_before_the_attack_count():
    faces = [face_crop(number, f"s{number}") for number in range(4)]
    pairs = attacks.AttackPairs("dodging", tuple(faces), tuple(faces), np.zeros((4, 6), dtype=np.float32))
    before = np.array([0.9, 0.6, 0.4, 0.9], dtype=np.float32)
    after = np.array([0.3, 0.6, 0.1, 0.7], dtype=np.float32)
    done = attacks.Attacked(before, after, after[:, None])
    loose, strict = attacks.judged("transfer", pairs, 4.0, done, THRESHOLDS, attacks.AttackOptions(bootstrap=OPTIONS))
    assert (loose.eligible, loose.success.errors, loose.success.trials) == (3, 1, 3)
    assert (strict.eligible, strict.success.errors, strict.success.trials) == (2, 2, 2)


def test_attacks_taken_up_again_ask_for_nothing_and_say_the_same(tmp_path):
    first = projector()
    one = run_attacks(tmp_path, first)
    second = projector()
    two = run_attacks(tmp_path, second)
    assert one == two
    assert second.queries == 8 < first.queries  # only the templates of the faces
    for path in tmp_path.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:40])  # cut off: made again, not believed
    assert run_attacks(tmp_path, projector()) == one


def test_everybody_attacks_somebody_else_once():
    faces = [face_crop(2 * n + k, f"s{n}") for n in range(5) for k in (0, 1)]
    templates = np.zeros((10, 6), dtype=np.float32)
    for goal in attacks.GOALS:
        pairs = attacks.attack_pairs(faces, templates, goal, 9)
        names = [entry.picture.subject for entry in pairs.attackers]
        others = [entry.picture.subject for entry in pairs.references]
        assert len(set(names)) == len(names) == 5
        assert all((one == two) == (goal == "dodging") for one, two in zip(names, others))
    with pytest.raises(EmptyClassError):
        attacks.attack_pairs([face_crop(1, "a")], templates[:1], "dodging", 3)


def test_the_gradient_of_the_surrogate_is_that_of_finite_differences():
    rng = np.random.default_rng(5)
    crop = rng.uniform(20, 230, (112, 112, 3))
    upstream = rng.standard_normal(len(features(crop)))
    gradient = feature_gradient(crop, upstream)
    for _ in range(6):
        y, x, channel = rng.integers(0, 112), rng.integers(0, 112), rng.integers(0, 3)
        step = np.zeros_like(crop)
        step[y, x, channel] = 1e-3
        numeric = (features(crop + step) - features(crop - step)) @ upstream / 2e-3
        assert gradient[y, x, channel] == pytest.approx(numeric, rel=1e-3, abs=1e-7)


def test_a_transfer_attack_moves_the_surrogates_own_score_within_its_ball():
    rng = np.random.default_rng(6)
    crops = rng.integers(0, 256, (24, 112, 112, 3), dtype=np.uint8)
    # templates that the features can explain, so that the surrogate learns something
    rows = np.stack([features(crop.astype(float)) for crop in crops])
    templates = unit((rows - rows.mean(0)) @ rng.standard_normal((rows.shape[1], 5)))
    surrogate = train_surrogate(crops, templates, penalty=1.0)
    assert surrogate.trained_on == 20 and -1 <= surrogate.correlation <= 1
    attackers, references = crops[:2], crops[2:4]
    for sign in (1.0, -1.0):
        changed = attacks.transfer_attack(attackers, references, surrogate, sign, 8.0, 4)
        assert np.abs(changed.astype(int) - attackers.astype(int)).max() <= 8
        targets = surrogate.embed(references)
        before, _ = surrogate.cosine_gradient(attackers.astype(float), targets)
        after, _ = surrogate.cosine_gradient(changed.astype(float), targets)
        assert np.all(sign * (after - before) > 0)
    with pytest.raises(EmptyClassError):
        train_surrogate(crops[:5], templates[:5])


def test_a_patch_covers_its_area_where_it_is_put():
    grey = np.full((112, 112, 3), 100, dtype=np.uint8)
    grid = np.full((patches.CELLS, patches.CELLS, 3), 255.0)
    held = patches.Presentation((0.0, 0.0), 0.0, 1.0, 1.0)
    same = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    drawn = patches.draw(grey, grid, 20.0, "forehead", held, same)
    changed = (drawn != grey).any(axis=2)
    assert changed.sum() == pytest.approx(400, rel=0.15)
    rows, columns = np.nonzero(changed)
    assert (columns.mean(), rows.mean()) == pytest.approx(patches.PLACES["forehead"], abs=0.6)
    darker = patches.draw(grey, grid, 20.0, "forehead", patches.Presentation((0, 0), 0, 1, 0.8), same)
    assert darker.max() == pytest.approx(204, abs=1)


# ------------------------------------------------------------------------------------------------- results and command


@pytest.mark.weights
@pytest.mark.slow
def test_the_command_measures_real_faces_and_goes_on_where_it_was(tmp_path, data_dir):
    from samebody.cli.evaluate_robustness import command

    if not (data_dir / "orl").is_dir():
        pytest.skip("no orl below the data folder")
    given = ["--images", str(data_dir / "orl"), "--out", str(tmp_path), "--corruption", "blur", "--per-subject", "1"]
    given += ["--pairs", "2", "--queries", "4", "--epsilon", "8", "--patch-pairs", "1", "--patch-steps", "2"]
    given += ["--replicates", "40", "--quiet"]
    done = CliRunner().invoke(command, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "robustness.json").read_text())
    result = RobustnessResult.from_dict(figures)
    assert result.to_dict() == figures
    rates = [row.rates[0].fnmr.rate for row in result.ladder]
    assert rates[0] < 0.05 < rates[-1]
    assert any("left out" in note for note in result.notes)  # one set only: nobody to train a surrogate on
    assert "## Attacks" in markdown(result) and svg(result).startswith("<svg")
    before = (tmp_path / "robustness.md").read_text()
    assert CliRunner().invoke(command, given, catch_exceptions=False).exit_code == 0
    assert (tmp_path / "robustness.md").read_text() == before


def test_figures_of_another_kind_are_refused():
    with pytest.raises(RunFolderError, match="kind"):
        RobustnessResult.from_dict({"schema_version": 1, "kind": "verification"})


def test_repeats_of_fairface_join_people_but_give_no_false_non_match_rate(small_set, tmp_path, monkeypatch):
    from samebody.lab.evaluate.robustness import run

    alike = PictureSet(run.ADULTS, small_set.root, small_set.pictures)
    settings = settings_in(tmp_path)
    faces = CorruptedFaces(FakeAnalyser(), settings, seed=1)
    record = types.SimpleNamespace(
        id="a/b", version="1", embedding_space=lambda: types.SimpleNamespace(digest="0" * 16)
    )
    monkeypatch.setattr(run, "catalogue", lambda settings: {"a/b": record})
    monkeypatch.setattr(run, "fixed_thresholds", lambda *given: THRESHOLDS)
    monkeypatch.setattr(run, "read_sets", lambda *given: (small_set, alike))
    monkeypatch.setattr(run, "FaceAnalyser", lambda *given, **named: FakeAnalyser())
    monkeypatch.setattr(run, "clean_templates", lambda chosen, *given: faces.acquire(chosen, chosen.pictures))
    part = ladder.LadderOptions(("blur",), {"blur": (4.0,)}, 2, 2, OPTIONS)
    options = run.RobustnessOptions(ladder=part, attacks=None, patches=None)
    result = run.evaluate_robustness(tmp_path, "a/b", options, settings=settings)
    by_set = {row.dataset: row.rates[0] for row in result.ladder if row.corruption == "blur"}
    assert by_set["small"].fnmr is not None
    assert by_set[run.ADULTS].fnmr is None and by_set[run.ADULTS].own is not None
    assert by_set[run.ADULTS].fmr == by_set["small"].fmr
    page = markdown(result)
    assert "own picture lost at FMR 0.001" in page and "FNMR at FMR 0.001" in page
