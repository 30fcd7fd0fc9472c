"""The page is found by its border, by its zone, or by both, and made flat."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from samebody.document.page import ZONE_MILLIMETRES, PageFinder, predict_quad, warp, zone_misfit
from samebody.document.page_edges import gradient_planes, snap_quad
from samebody.document.types import MrzFormat, MrzReading, Page, apply_homography
from samebody.types import Image


def scene(layout: MrzFormat, corners: NDArray[np.float64], *, border: bool = True) -> tuple[Image, MrzReading]:
    """A bright page with grey bars on a dark table, and the zone's true place on it."""
    width, height = layout.page_millimetres
    flat = np.full((round(height * 10), round(width * 10), 3), (222, 226, 214), np.uint8)
    for k in range(6):
        flat[80 + 50 * k : 92 + 50 * k, 400:700] = 90
    matrix = cv2.getPerspectiveTransform(
        np.array([[0, 0], [width * 10, 0], [width * 10, height * 10], [0, height * 10]], np.float32),
        corners.astype(np.float32),
    ).astype(np.float64)
    table = np.full((700, 1000, 3), (60, 50, 46) if border else (222, 226, 214), np.uint8)
    inside = cv2.warpPerspective(np.full(flat.shape[:2], 255, np.uint8), matrix, (1000, 700)) > 127
    table[inside] = cv2.warpPerspective(flat, matrix, (1000, 700))[inside]
    noise = np.random.default_rng(3).normal(0, 3, table.shape)
    left, right, top, bottom = ZONE_MILLIMETRES[layout]
    zone = 10 * np.array(
        [[left, height - top], [right, height - top], [right, height - bottom], [left, height - bottom]]
    )
    polygon = tuple((float(x), float(y)) for x, y in apply_homography(matrix, zone))
    reading = MrzReading(layout, (), {}, (), polygon, (), ())  # type: ignore[arg-type]
    return Image(np.clip(table + noise, 0, 255).astype(np.uint8)), reading


CORNERS = {
    "frontal": np.array([[150, 100], [850, 100], [850, 593], [150, 593]], np.float64),
    "tilted": np.array([[210, 120], [820, 90], [880, 560], [140, 600]], np.float64),
    "upside down": np.array([[850, 593], [150, 593], [150, 100], [850, 100]], np.float64),
}


@pytest.mark.parametrize("view", CORNERS)
def test_zone_and_border_together_give_the_corners(view: str) -> None:
    image, reading = scene(MrzFormat.TD3, CORNERS[view])
    page = PageFinder().find(image, reading)
    assert page is not None
    assert page.source == "both"
    assert page.upright
    assert np.abs(np.array(page.quad) - CORNERS[view]).max() < 6


def test_the_border_alone_gives_the_outline() -> None:
    image, _ = scene(MrzFormat.TD3, CORNERS["tilted"])
    page = PageFinder().find(image)
    assert page is not None
    assert page.source == "border"
    assert not page.upright
    for corner in CORNERS["tilted"]:
        assert np.linalg.norm(np.array(page.quad) - corner, axis=1).min() < 6


def test_without_a_visible_border_the_zone_predicts_the_page() -> None:
    image, reading = scene(MrzFormat.TD3, CORNERS["frontal"], border=False)
    page = PageFinder().find(image, reading)
    assert page is not None
    assert page.source == "mrz"
    assert page.confidence < 0.5
    assert np.abs(np.array(page.quad) - CORNERS["frontal"]).max() < 12


def test_an_empty_picture_has_no_page() -> None:
    assert PageFinder().find(Image(np.full((300, 400, 3), 128, np.uint8))) is None


@pytest.mark.parametrize("layout", list(MrzFormat))
def test_prediction_and_misfit_agree_with_the_nominal_layout(layout: MrzFormat) -> None:
    width, height = layout.page_millimetres
    corners = np.array([[100, 80], [100 + 6 * width, 80], [100 + 6 * width, 80 + 6 * height], [100, 80 + 6 * height]])
    _, reading = scene(layout, corners)
    assert np.abs(predict_quad(reading) - corners).max() < 0.5
    assert zone_misfit(corners, reading) < 0.05
    assert zone_misfit(corners + np.array([[0, 0], [0, 0], [0, 60], [0, 60]]), reading) > 3


def test_sides_snap_onto_edges_near_them() -> None:
    image, _ = scene(MrzFormat.TD1, CORNERS["frontal"])
    start = CORNERS["frontal"] + np.array([[9, -6], [-7, 5], [4, 8], [-8, -9]])
    quad, strengths = snap_quad(gradient_planes(image.pixels), start, (14.0, 14.0, 14.0, 14.0))
    assert min(strengths) > 0
    assert np.abs(quad - CORNERS["frontal"]).max() < 2


def test_points_go_to_the_page_and_back() -> None:
    image, reading = scene(MrzFormat.TD3, CORNERS["tilted"])
    page = PageFinder().find(image, reading)
    assert isinstance(page, Page)
    points = np.array([[300.0, 200.0], [700.0, 500.0]])
    assert np.abs(page.to_photograph(page.to_page(points)) - points).max() < 1e-6
    corners = page.to_page(np.array(page.quad))
    height, width = page.image.shape[:2]
    assert np.abs(corners - [[0, 0], [width, 0], [width, height], [0, height]]).max() < 1e-3
    assert abs(page.size_mm[0] - 125) < 1


def test_warping_by_the_identity_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    assert np.array_equal(warp(picture, np.eye(3), (60, 40)), picture)
