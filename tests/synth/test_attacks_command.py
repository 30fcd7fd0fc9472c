"""`samebody synth attacks`: the page, the files, what it refuses."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from samebody.cli.main import cli
from samebody.errors import SamebodyError
from samebody.synth.attacks import AttackLabel, AttackUnknownError, Source, pair
from samebody.synth.attacks.page import examples_page
from tests.synth.attack_pictures import drawn_face

FLAT = ["--species", "print", "--species", "generated/nearest"]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "portraits" / "deeper"
    folder.mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), drawn_face(number, 96).pixels[..., ::-1])
    (folder / "broken.jpg").write_bytes(b"not a picture")
    return folder.parent


def run(*arguments):
    return CliRunner().invoke(cli, ["synth", "attacks", *map(str, arguments)])


def test_the_page_holds_every_pair_and_refers_to_nothing_outside(pictures, tmp_path):
    out = tmp_path / "page.html"
    done = run("--images", pictures, "--out", out, *FLAT, "--count", 2, "--size", 96)
    assert done.exit_code == 0, done.output
    text = out.read_text()
    assert text.count("<figure>") == 2 * 4
    assert text.count("data:image/jpeg;base64,") == 2 * 2 * 4
    assert not re.search(r"(src|href)='(?!data:)", text)
    assert "http" not in text


def test_pages_are_the_same_for_the_same_seed(pictures, tmp_path):
    for name in ("a", "b"):
        assert run("--images", pictures, "--out", tmp_path / name, *FLAT, "--count", 1, "--size", 64).exit_code == 0
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


@pytest.mark.parametrize("processes", [1, 2])
def test_files_come_as_pairs_with_labels(pictures, tmp_path, processes):
    folder = tmp_path / "made"
    done = run("--images", pictures, "--files", folder, *FLAT, "--count", 3, "--size", 64, "--processes", processes)
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]
    assert len(rows) == 3 * 4
    for row in rows:
        for role in ("attack", "bona_fide"):
            picture = cv2.imread(str(folder / row[role]["file"]))
            assert picture.shape == (64, 64, 3)
            assert AttackLabel.from_dict(row[role]["label"]).is_attack == (role == "attack")
    assert len(list((folder / "attack").iterdir())) == len(rows)


def test_processes_do_not_change_what_is_made(pictures, tmp_path):
    for count in (1, 2):
        run(
            "--images",
            pictures,
            "--files",
            tmp_path / str(count),
            *FLAT,
            "--count",
            1,
            "--size",
            64,
            "--processes",
            count,
        )
    for path in (tmp_path / "1").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes()


def test_the_probe_prints_its_area_with_interval_and_number(pictures):
    done = run("--images", pictures, "--probe", *FLAT, "--count", 6, "--size", 64)
    assert done.exit_code == 0, done.output
    found = re.search(r"AUC (\S+) \(95 % interval (\S+) to (\S+), 24 pairs\)", done.output)
    area, low, high = (float(part) for part in found.groups())
    assert low <= area <= high
    assert 0 < low < high < 1


def test_mistakes_are_named(pictures, tmp_path):
    assert run("--images", pictures).exit_code == 2
    unknown = run("--images", pictures, "--out", tmp_path / "x", "--species", "hologram")
    assert isinstance(unknown.exception, AttackUnknownError)
    assert "screen_replay" in unknown.exception.hint
    empty = tmp_path / "empty"
    empty.mkdir()
    assert isinstance(run("--images", empty, "--out", tmp_path / "x").exception, SamebodyError)
    file = tmp_path / "file"
    file.write_text("in the way")
    blocked = run("--images", pictures, "--files", file / "made", *FLAT, "--count", 1, "--size", 64)
    assert isinstance(blocked.exception, SamebodyError)


def test_captions_cannot_break_the_page():
    made = pair(Source(np.full((64, 64, 3), 90, np.uint8)), species="print", family="photo", seed=1)
    text = examples_page({("print", "photo"): [made]}, title="<script>", notes=["a & b"])
    assert "<script>" not in text
    assert "a &amp; b" in text


@pytest.mark.weights
def test_the_example_photographs_give_every_species(tmp_path):
    out = tmp_path / "page.html"
    done = run("--out", out, "--count", 1, "--size", 96)
    assert done.exit_code == 0, done.output
    for species in ("screen_replay", "print", "paper_mask", "partial_mask", "face_swap", "morph", "generated"):
        assert f"<h2>{species}</h2>" in out.read_text()
