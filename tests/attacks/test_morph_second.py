"""The second generator of morphs and swaps shares nothing with the first and does what it says."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import morph_second
from benchmarks.morph_second import CONTROL, MORPHS, SWAPS, delivered, spline


def points(seed: int = 0) -> NDArray[np.float64]:
    """A mesh whose control points lie about where those of a face do."""
    random = np.random.default_rng(seed)
    mesh = np.tile([80.0, 90.0], (478, 1))
    angles = np.linspace(0, 2 * np.pi, len(morph_second.OUTLINE), endpoint=False)
    mesh[list(morph_second.OUTLINE)] = np.column_stack([80 + 45 * np.sin(angles), 90 - 58 * np.cos(angles)])
    mesh[list(morph_second.INNER)] = random.uniform((55, 65), (105, 120), (len(morph_second.INNER), 2))
    return mesh


def picture(seed: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    rows = np.linspace(0, 3, 170)[:, None, None] + np.linspace(0, 5, 160)[None, :, None]
    values = 128 + 60 * np.sin(rows + random.uniform(0, 6, 3)) + random.normal(0, 4, (170, 160, 3))
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def test_it_imports_nothing_of_the_first_generator() -> None:
    tree = ast.parse(Path(morph_second.__file__).read_text(encoding="utf-8"))
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not any("synth" in name for name in named)


def test_the_spline_passes_through_its_points_and_keeps_what_does_not_move() -> None:
    mesh = points()[list(CONTROL)]
    moved = mesh + np.array([3.0, -2.0])
    x, y = spline(mesh, moved, (170, 160))
    for (column, row), (left, top) in zip(np.rint(mesh).astype(int), moved, strict=True):
        assert abs(float(x[row, column]) - left) < 1.0
        assert abs(float(y[row, column]) - top) < 1.0


@pytest.mark.parametrize("name", [*MORPHS])
def test_a_morph_of_a_picture_with_itself_is_the_picture(name: str) -> None:
    own = picture(1)
    made = MORPHS[name](own, points(), own, points(), np.random.default_rng(2))
    assert np.abs(made.astype(int) - own).mean() < 4


@pytest.mark.parametrize("name", [*SWAPS])
def test_a_swap_changes_the_face_and_leaves_the_rest(name: str) -> None:
    own, other = picture(1), picture(9)
    made = SWAPS[name](own, points(), other, points(), np.random.default_rng(2))
    away = np.abs(made.astype(int) - own).mean(axis=2)
    assert away[60:120, 60:100].mean() > 1.0
    assert away[:8].max() <= 3 and away[:, :6].max() <= 3
    again = SWAPS[name](own, points(), other, points(), np.random.default_rng(2))
    np.testing.assert_array_equal(made, again)


def test_delivery_codes_and_scales() -> None:
    got, data = delivered(picture(3), np.random.default_rng(4), (90, 84))
    assert got.shape == (90, 84, 3)
    assert data[:2] == b"\xff\xd8"
