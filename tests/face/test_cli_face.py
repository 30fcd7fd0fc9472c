from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from samebody.cli.face import command

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def pictures(analyser, astronaut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Pillow.fromarray(astronaut.pixels).save(folder / "face.png")
    Pillow.fromarray(astronaut.pixels[20:480, 10:500]).save(folder / "again.png")
    Pillow.fromarray(np.full((300, 300, 3), 120, np.uint8)).save(folder / "blank.png")
    return folder


def run(*arguments: object):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_compare_prints_a_score_as_json(pictures):
    result = run("compare", pictures / "face.png", pictures / "again.png", "--json")
    printed = json.loads(result.stdout)
    assert printed["score"] > 0.8
    assert printed["model"].startswith("face/sface@")
    assert [entry["outcome"] for entry in printed["faces"]] == ["pass", "pass"]
    if printed["outcome"] == "not_run":  # the record carries no operating point
        assert result.exit_code == 3
        assert printed["error"]["code"] == "models.not_measured"
    else:
        assert (printed["outcome"], result.exit_code) == ("pass", 0)
        assert printed["match"]["operating_point"]["fmr"] == 1e-4


def test_compare_reads_for_people(pictures):
    result = run("compare", pictures / "face.png", pictures / "again.png")
    assert "similarity" in result.stdout


def test_compare_without_a_face_asks_for_another_picture(pictures):
    result = run("compare", pictures / "face.png", pictures / "blank.png", "--json")
    assert result.exit_code == 4
    printed = json.loads(result.stdout)
    assert printed["score"] is None
    assert printed["faces"][1]["reasons"][0]["code"] == "face.none"


def test_quality_lists_every_component(pictures):
    result = run("quality", pictures / "face.png", "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert 0 <= printed["unified"] <= 100
    names = {component["name"] for component in printed["components"]}
    assert {"sharpness", "eyes_open", "head_pose_yaw_frontal_alignment"} <= names
    assert set(printed["head_pose"]) == {"yaw", "pitch", "roll"}


def test_quality_reads_for_people(pictures):
    result = run("quality", pictures / "face.png")
    assert result.exit_code == 0
    assert "unified quality" in result.stdout


def test_quality_of_a_picture_without_a_face_exits_with_4(pictures):
    result = run("quality", pictures / "blank.png", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["unified"] is None


def test_a_missing_file_is_a_usage_error(pictures):
    assert run("quality", pictures / "none.png").exit_code == 2
