from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from samebody.cli.iris import command
from samebody.cli.main import main
from samebody.iris import IrisTemplate, compare_irises, from_open_iris
from samebody.iris.pipeline import IrisPipeline
from samebody.models import catalogue
from samebody.synth.iris import capture_eye, draw_identity
from tests.iris.codes import random_template


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a-0, a-1: one left eye twice; b-0: another one; blank: no eye."""
    folder = tmp_path_factory.mktemp("eyes")
    for name, person in (("a", 1), ("b", 2)):
        eye = draw_identity(21, person, "left")
        for capture in (0, 1):
            shot = capture_eye(eye, capture, width=320, height=240, difficulty=0.5)
            cv2.imwrite(str(folder / f"{name}-{capture}.png"), shot.image)
    cv2.imwrite(str(folder / "blank.png"), np.full((240, 320), 128, dtype=np.uint8))
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def as_json(result: Result) -> Any:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


def test_encode_writes_a_template_that_library_and_open_iris_read(pictures: Path, tmp_path: Path) -> None:
    out, exported = tmp_path / "a.irt", tmp_path / "a.json"
    result = run("encode", pictures / "a-0.png", "--eye", "left", "--out", out, "--open-iris", exported, "--json")
    fields = as_json(result)
    assert result.exit_code == 0 and fields["encoded"] and fields["eye"] == "left"
    assert all(finding["outcome"] == "pass" for finding in fields["findings"])
    template = IrisTemplate.load(out)
    assert template.usable_bits == fields["usable_bits"] > 4000 and template.space == fields["space"]
    assert template.space == IrisPipeline.load("default").space.digest
    assert from_open_iris(exported.read_text()).to_bytes() == template.to_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600 == stat.S_IMODE(exported.stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.irt", "a.json"]


def test_the_other_pipeline_makes_the_open_iris_shape(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.irt"
    assert run("encode", pictures / "a-0.png", "--pipeline", "openiris-shape", "--out", out).exit_code == 0
    assert IrisTemplate.load(out).bits == 16_384


def test_a_picture_without_an_eye_gives_findings_with_advice_and_nothing_is_written(
    pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.irt"
    result = run("encode", pictures / "blank.png", "--out", out)
    assert result.exit_code == 4 and "no template" in result.output
    assert "iris." in result.output and "eye" in result.output and not out.exists()


def test_compare_takes_pictures_templates_and_open_iris_in_any_mix(pictures: Path, tmp_path: Path) -> None:
    out, exported = tmp_path / "a.irt", tmp_path / "a.json"
    run("encode", pictures / "a-0.png", "--eye", "left", "--out", out, "--open-iris", exported)
    answers = [
        as_json(run("compare", first, pictures / "a-1.png", "--eye", "left", "--json"))
        for first in (pictures / "a-0.png", out, exported)
    ]
    assert len({answer["score"] for answer in answers}) == 1
    pipeline = IrisPipeline.load("default")
    one, two = (
        pipeline.encode(cv2.imread(str(pictures / f"a-{k}.png"), cv2.IMREAD_GRAYSCALE), "left").template for k in (0, 1)
    )
    assert one is not None and two is not None
    expected = compare_irises(one, two)
    fields = ("score", "distance", "rotation", "usable_bits")
    assert {name: answers[0][name] for name in fields} == {name: getattr(expected, name) for name in fields}


def test_the_decision_is_that_of_the_record_at_the_rate_asked_for(pictures: Path) -> None:
    record = catalogue()["iris/default"]
    if record.embedding_space() != IrisPipeline.load("default").space or not record.operating_points:
        pytest.fail("the record iris/default was not measured with the installed pipeline: measure it again")
    mated = run("compare", pictures / "a-0.png", pictures / "a-1.png", "--json")
    other = run("compare", pictures / "a-0.png", pictures / "b-0.png", "--json")
    assert (mated.exit_code, as_json(mated)["outcome"]) == (0, "pass")
    assert (other.exit_code, as_json(other)["outcome"]) == (1, "fail")
    point = record.operating_point(1e-3, "all-pairs")
    assert as_json(mated)["match"]["operating_point"]["threshold"] == point.threshold
    assert as_json(other)["score"] < point.threshold <= as_json(mated)["score"]
    assert as_json(other)["match"]["check"] == "iris.match" and "irises" in other.output
    text = run("compare", pictures / "a-0.png", pictures / "a-1.png").output
    assert "Hamming distance" in text and "usable bits" in " ".join(text.split()) and "match at" in text
    unknown = run("compare", pictures / "a-0.png", pictures / "a-1.png", "--fmr", "1e-9", "--json")
    assert unknown.exit_code == 3 and as_json(unknown)["error"]["code"] == "models.not_measured"


def test_a_bad_side_is_said_and_not_compared(pictures: Path, tmp_path: Path) -> None:
    result = run("compare", pictures / "a-0.png", pictures / "blank.png")
    assert result.exit_code == 4 and "Not compared" in result.output and "blank.png" in result.output
    blind = IrisTemplate(random_template(1, 200).code, np.zeros(200, dtype=np.uint64))
    blind.save(tmp_path / "blind.irt")
    random_template(2, 200).save(tmp_path / "other.irt")
    few = run("compare", tmp_path / "blind.irt", tmp_path / "other.irt", "--json")
    assert few.exit_code == 3 and as_json(few)["error"]["code"] == "iris.too_few_bits"


@pytest.mark.parametrize(
    ("content", "code", "leave"),
    [
        (b"\x89IRT\r\n\x1a\n short", "iris.bad_template", 65),
        (b'{"iris_codes": 1}', "iris.bad_open_iris", 65),
        (b"neither", "capture.", 65),
    ],
)
def test_broken_files_end_with_a_typed_error(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, code: str, leave: int
) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["iris", "compare", str(path), str(pictures / "a-0.png")])
    assert ended.value.code == leave
    assert f"samebody: {code}" in capsys.readouterr().err


def test_templates_of_two_pipelines_are_not_compared(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("encode", pictures / "a-0.png", "--pipeline", "openiris-shape", "--out", tmp_path / "a.irt")
    with pytest.raises(SystemExit) as ended:
        main(["iris", "compare", str(tmp_path / "a.irt"), str(pictures / "a-0.png")])
    assert ended.value.code == 64 and "match.space_mismatch" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a-0.png", "blank.png"])
def test_show_writes_a_page_and_a_picture(pictures: Path, tmp_path: Path, name: str) -> None:
    page, sheet = tmp_path / "page.html", tmp_path / "sheet.png"
    leave = 0 if name == "a-0.png" else 4
    assert run("show", pictures / name, "--out", page).exit_code == leave
    assert run("show", pictures / name, "--out", sheet).exit_code == leave
    text = page.read_text()
    assert text.count("data:image/png;base64,") == (3 if leave == 0 else text.count("<figure>"))
    assert "http" not in text.replace("http-equiv", "") and "Findings" in text
    drawn = cv2.imread(str(sheet))
    assert drawn.shape[1] == 800 and (leave == 4 or drawn.shape[0] > 700)
    assert (drawn[:, :, 1].astype(int) - drawn[:, :, 2] > 60).any() == (leave == 0)  # the pupil's green contour


def test_show_refuses_another_kind_of_file_and_an_unwritable_place(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out, code in ((tmp_path / "x.pdf", 64), (tmp_path / "nowhere" / "x.png", 74)):
        with pytest.raises(SystemExit) as ended:
            main(["iris", "show", str(pictures / "a-0.png"), "--out", str(out)])
        assert ended.value.code == code and "samebody:" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["default", "openiris-shape"])
def test_the_record_names_the_installed_pipeline(name: str) -> None:
    """After a change of the pipeline: python -m benchmarks.iris_results --data DIR"""
    from samebody.cli.models import command as models

    checked = CliRunner().invoke(models, ["check", f"iris/{name}", "--json"])
    (row,) = json.loads(checked.stdout)["results"]
    assert row["status"] == "ok" and "pipeline" in row["checks"], row["error"]
