"""Recaptures drawn while training looks: seeded, various, and no brighter or sharper than what they are drawn on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.lab.train.pad_data import PadSource
from samebody.lab.train.pad_files import read_shard, write_shard
from samebody.lab.train.pad_redraw import redrawn
from samebody.lab.train.pad_views import LARGEST_REDRAWN, ViewParameters, draw_view
from samebody.synth.attacks import capture
from samebody.synth.attacks.shortcuts import area
from tests.synth.attack_pictures import drawn_face


def detail(pixels: np.ndarray) -> float:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.log(cv2.Laplacian(grey, cv2.CV_32F).var() + 1e-3))


def test_the_same_draws_give_the_same_picture_and_others_another() -> None:
    face = drawn_face(1, 112).pixels
    before = face.copy()
    first, again, other = (redrawn(face, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.shape == face.shape and first.dtype == np.uint8 and np.array_equal(face, before)


def test_mean_colour_and_sharpness_do_not_tell_them_apart() -> None:
    faces = [drawn_face(number, 112).pixels for number in range(60)]
    made = [redrawn(face, np.random.default_rng(number)) for number, face in enumerate(faces)]
    y = np.repeat([0.0, 1.0], len(faces))
    for of in (detail, lambda p: p[..., 0].mean(), lambda p: p[..., 1].mean(), lambda p: p[..., 2].mean()):
        values = np.array([of(picture) for picture in (*faces, *made)])
        assert abs(area(values, y) - 0.5) < 0.1
    apart = [np.abs(a.astype(int) - b).mean() for a, b in zip(faces, made, strict=True)]
    assert np.quantile(apart, 0.1) > 1  # and yet hardly one is left as it was


@pytest.mark.parametrize("value", [0, 255])
def test_a_plain_picture_stays_finite(value: int) -> None:
    for seed in range(20):
        made = redrawn(np.full((40, 40, 3), value, np.uint8), np.random.default_rng(seed))
        assert abs(float(made.mean()) - value) < 20


def test_a_window_that_is_changed_is_made_small_first() -> None:
    sides = []
    face = drawn_face(0, 300).pixels
    parameters = ViewParameters(side=64, nearest=1.4, farthest=1.5, spoil=0)

    def change(part: np.ndarray) -> np.ndarray:
        sides.append(part.shape)
        return part

    draw_view(face, np.array([50, 50, 200, 200], np.float32), parameters, np.random.default_rng(0), change)
    assert sides == [(LARGEST_REDRAWN, LARGEST_REDRAWN, 3)]


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """Two pairs, a print and a mask; the attacks are plain pictures that no drawing could give."""
    found: list[dict[str, Any]] = []
    data = bytearray()
    for pair, species in enumerate(("print", "paper_mask")):
        for label in (1, 0):
            pixels = drawn_face(pair, 96).pixels if label else np.full((96, 96, 3), 128, np.uint8)
            jpeg = capture.encode(pixels, 95)
            row = {"label": label, "species": species, "family": "x", "pair": pair, "person": str(pair)}
            found.append({**row, "offset": len(data), "bytes": len(jpeg), "box": [10, 10, 70, 70]})
            data += jpeg
    write_shard(tmp_path, 0, json.loads(json.dumps(found)), bytes(data))
    return read_shard(tmp_path, 0)


def test_prints_are_drawn_over_their_twin_and_masks_are_left_alone(rows: list[dict[str, Any]]) -> None:
    order = np.arange(4)
    made = PadSource(rows, ViewParameters(side=64, spoil=0, redraw=1.0)).batch(order, 5)["input"].numpy()
    kept = PadSource(rows, ViewParameters(side=64, spoil=0)).batch(order, 5)["input"].numpy()
    assert np.array_equal(made[[0, 2, 3]], kept[[0, 2, 3]])
    assert kept[1].std() < 1 and made[1].std() > 8
    assert not np.array_equal(made[0], made[1])
    again = PadSource(rows, ViewParameters(side=64, spoil=0, redraw=1.0)).batch(order, 5)["input"].numpy()
    assert np.array_equal(made, again)
