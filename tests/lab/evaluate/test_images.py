"""Pictures to templates: subjects and labels, failures with reasons, the cache, aligned crops; the figures of a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samebody.cli.main import main
from samebody.config import Settings
from samebody.face import FaceAnalyser
from samebody.face.choose import FaceChooser
from samebody.lab.evaluate import ScoreTableError, images, load_run
from samebody.lab.evaluate.images import acquisition_key, by_stem, embed_pictures, read_pictures
from tests.lab.evaluate.test_operating_points import FakeAnalyser


def picture(path: Path, red: int, green: int, blue: int) -> None:
    """A picture that the fake analyser takes for person (red, green); blue 255 is no face."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((24, 24, 3), (red, green, blue), dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for person in range(6):
        for number in range(3):
            picture(tmp_path / "set" / f"p{person}" / f"p{person}_{number + 1:04d}.png", person + 1, 0, number + 10)
    picture(tmp_path / "set" / "p0" / "p0_0009.png", 1, 0, 255)
    (tmp_path / "set" / "p1" / "p1_0009.jpg").write_bytes(b"no picture")
    return tmp_path / "set"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(images, "FaceAnalyser", FakeAnalyser)
    monkeypatch.setattr(FakeAnalyser, "calls", 0)
    monkeypatch.setattr(FakeAnalyser, "drift", 0.0)
    monkeypatch.setenv("SAMEBODY_MODELS_DIR", str(tmp_path / "cache" / "models"))
    return Settings(models_dir=tmp_path / "cache" / "models")


def test_the_folder_of_a_picture_is_its_subject(folder: Path) -> None:
    found = read_pictures(folder)
    assert len(found.pictures) == 20 and found.pictures[0].subject == "p0"
    assert len(found.digest) == 64


def test_labels_name_subjects_and_groups_and_every_problem(folder: Path) -> None:
    labels = folder.parent / "labels.csv"
    labels.write_text("file,subject,race,gender\np0/p0_0001.png,a,X,F\np1/p1_0001.png,b,Y,M\n")
    found = read_pictures(folder, labels, ("race", "gender"))
    assert [(p.subject, p.group) for p in found.pictures] == [("a", "X F"), ("b", "Y M")]
    labels.write_text("file\np0/p0_0001.png\np0/p0_0001.png\nnowhere.png\n")
    with pytest.raises(ScoreTableError) as caught:
        read_pictures(folder, labels)
    assert len(caught.value.problems) == 2
    with pytest.raises(ScoreTableError, match="'race' is missing"):
        read_pictures(folder, labels, ("race",))
    with pytest.raises(ScoreTableError, match="no labels are given"):
        read_pictures(folder, None, ("race",))
    (folder.parent / "empty").mkdir()
    with pytest.raises(ScoreTableError, match="no picture"):
        read_pictures(folder.parent / "empty")


def test_failures_keep_their_reason_and_templates_are_cached(folder: Path, settings: Settings) -> None:
    chosen = read_pictures(folder)
    found, algorithm = embed_pictures(chosen, settings=settings)
    assert len(found) == 18 and algorithm.id == "face/sface" and found.space == algorithm.space
    assert set(found.failed) == {"p0/p0_0009.png", "p1/p1_0009.jpg"} and "face.none" in found.reasons
    first = FakeAnalyser.calls
    again, _ = embed_pictures(chosen, settings=settings)
    np.testing.assert_array_equal(again.vectors, found.vectors)
    assert FakeAnalyser.calls - first <= 4  # spot checks only
    FakeAnalyser.drift = 0.5
    changed, _ = embed_pictures(chosen, settings=settings)
    assert not np.allclose(changed.vectors, found.vectors)


def test_pictures_without_any_face_are_no_set(tmp_path: Path, settings: Settings) -> None:
    picture(tmp_path / "bad" / "a" / "1.png", 1, 0, 255)
    with pytest.raises(ScoreTableError, match="no picture gave a template"):
        embed_pictures(read_pictures(tmp_path / "bad"), settings=settings)


def test_the_command_runs_pictures_with_lfws_pairs(
    folder: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs.txt").write_text("2\t1\np0\t1\t2\np0\t1\tp1\t2\np2\t1\t3\np2\t1\tp0\t9\n")
    with pytest.raises(SystemExit) as leave:
        main(
            [
                *("evaluate", "verification", "--images", str(folder), "--pairs", str(tmp_path / "pairs.txt")),
                *("--out", str(tmp_path / "run"), "--fmr", "0.5", "--replicates", "20", "--json"),
            ]
        )
    assert leave.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["counts"]["mated"], found["counts"]["non_mated"]) == (2, 1)
    assert found["failures"]["fta"]["errors"] == 2 and found["failures"]["lost_non_mated"] == 1
    assert load_run(tmp_path / "run").result.dataset.protocol == "pairs.txt, 2 folds of 2 x 1 pairs"


def test_names_without_suffix_find_their_picture() -> None:
    assert by_stem(["a/a_0001.jpg", "b"]) == {"a/a_0001": "a/a_0001.jpg", "b": "b"}


@pytest.mark.weights
def test_aligned_crops_of_another_size_are_failures(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "a" / "1.png", 1, 2, 3)
    settings = Settings(models_dir=Settings().models_dir)
    image = images.load_picture(tmp_path / "set" / "a" / "1.png")
    analyser = images.FaceAnalyser(settings)
    assert images.embed_picture(analyser, lambda: image, aligned=True) == "evaluate.not_aligned_size"
    Image.new("RGB", (112, 112), (120, 90, 80)).save(tmp_path / "crop.png")
    crop = images.load_picture(tmp_path / "crop.png")
    vector = images.embed_picture(analyser, lambda: crop, aligned=True)
    assert isinstance(vector, np.ndarray) and abs(float(np.linalg.norm(vector)) - 1) < 1e-3


def test_another_limit_of_detection_or_choice_never_finds_old_templates() -> None:
    keys = {
        acquisition_key(FaceAnalyser()),
        acquisition_key(FaceAnalyser(detector_parameters={"threshold": 0.7})),
        acquisition_key(FaceAnalyser(chooser=FaceChooser(min_inter_eye=30.0))),
    }
    assert len(keys) == 3
    assert acquisition_key(FaceAnalyser()) in keys
