from __future__ import annotations

import cv2
import numpy as np
import pytest

from samebody.document.forgery import checks
from samebody.document.forgery.compression import (
    dips,
    grid_offset,
    grid_strength,
    like_texture,
    recompression_errors,
    texture,
)
from samebody.document.forgery.noise import ResidualMap
from samebody.types import Outcome, Pixels
from tests.document import pages


def figures(check: str, pixels: Pixels, **evidence) -> dict[str, float]:
    measured = checks[check]().measure(pages.evidence(pixels, **evidence))
    return {figure.name: figure.value for figure in measured.figures}


def with_pasted_portrait(photograph: Pixels, seed: int, *, noise: float = 0.0) -> Pixels:
    p = pages.PORTRAIT
    picture = pages.face(seed, int(p.width), int(p.height)).astype(np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8)
    picture += np.random.default_rng(seed).normal(0, noise, picture.shape) if noise else 0.0
    result = photograph.copy()
    result[int(p.y) : int(p.y + p.height), int(p.x) : int(p.x + p.width)] = np.clip(np.rint(picture), 0, 255)
    return result


# ------------------------------------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_portrait_pasted_without_noise_is_smoother_than_the_page(seed: int) -> None:
    genuine = pages.photograph(pages.draw_page(seed, portrait=seed), seed, noise=4, quality=None)
    pasted = with_pasted_portrait(genuine, seed + 50)
    before, after = figures("noise", genuine), figures("noise", pasted)
    assert after["portrait_smoother"] > before["portrait_smoother"] + 0.7
    assert after["portrait_smoother_coarse"] > before["portrait_smoother_coarse"] + 0.7


def test_a_portrait_pasted_with_more_noise_is_noisier_than_the_page() -> None:
    genuine = pages.photograph(pages.draw_page(2, portrait=2), 2, noise=2, quality=None)
    pasted = with_pasted_portrait(genuine, 60, noise=12)
    assert figures("noise", pasted)["portrait_noisier"] > figures("noise", genuine)["portrait_noisier"] + 0.5


def test_a_retouched_field_is_smoother_and_named() -> None:
    genuine = pages.photograph(pages.draw_page(1), 1, noise=5, quality=None)
    retouched = genuine.copy()
    retouched[268:296, 350:560] = cv2.GaussianBlur(genuine, (0, 0), 2.0)[268:296, 350:560]
    assert figures("noise", retouched)["field_smoother"] > figures("noise", genuine)["field_smoother"] + 0.3
    measured = checks["noise"]().measure(pages.evidence(retouched))
    named = next(figure for figure in measured.figures if figure.name == "field_smoother")
    assert named.regions[0].name == "document_number"


def test_noise_that_grows_with_the_light_is_no_paste() -> None:
    page = pages.draw_page(2, portrait=2).astype(np.float32)
    shot = np.random.default_rng(5).normal(0, 1, page.shape) * np.sqrt(page / 255) ** 3 * 9
    found = figures("noise", np.clip(np.rint(page + shot), 0, 255).astype(np.uint8))
    assert abs(found["portrait_smoother"]) < 0.35


def test_noise_abstains_where_compression_left_none() -> None:
    flat = np.full((pages.HEIGHT, pages.WIDTH, 3), 200, np.uint8)
    finding = checks["noise"]().run(pages.evidence(flat))
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].code == "document.forgery.noise_no_noise"


def test_the_residual_measures_the_deviation_of_white_noise() -> None:
    pixels = np.clip(np.random.default_rng(1).normal(128, 6, (704, 1000, 1)), 0, 255).repeat(3, axis=2).astype(np.uint8)
    assert ResidualMap(pages.evidence(pixels, with_candidates=False), 1).page_level() == pytest.approx(6, rel=0.05)


# ------------------------------------------------------------------------------------------------------- compression


def grained(pixels: Pixels, seed: int) -> Pixels:
    """Soft grain over everything, so that portrait and ground share some texture, as printed pictures and paper do."""
    grain = cv2.GaussianBlur(np.random.default_rng([seed, 3]).normal(0, 1, pixels.shape[:2]), (0, 0), 2.0)
    grained = pixels + 5 * (grain / grain.std())[..., None]
    return np.clip(np.rint(grained), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("first", [60, 70, 75])
def test_a_portrait_pasted_between_two_compressions_lacks_the_first(first: int) -> None:
    plain = pages.draw_page(2, portrait=2)
    page = pages.photograph(grained(plain, 1), 2, quality=first)
    forged = page.copy()
    p = pages.PORTRAIT
    area = (slice(int(p.y), int(p.y + p.height)), slice(int(p.x), int(p.x + p.width)))
    forged[area] = with_pasted_portrait(grained(pages.draw_page(2, portrait=51), 2), 51, noise=3)[area]
    forged[area] = grained(forged, 2)[area]
    genuine, pasted = pages.compress(page, 93), pages.compress(forged, 93)
    before = figures("compression", genuine, jpeg_quality=93)
    after = figures("compression", pasted, jpeg_quality=93)
    assert after["portrait_history"] > before["portrait_history"] + 0.3


def test_a_portrait_pasted_last_has_no_grid() -> None:
    page = pages.photograph(grained(pages.draw_page(3, portrait=3), 1), 3, noise=1, quality=50)
    pasted = with_pasted_portrait(page, 52, noise=1)
    p = pages.PORTRAIT
    area = (slice(int(p.y), int(p.y + p.height)), slice(int(p.x), int(p.x + p.width)))
    pasted[area] = grained(pasted, 2)[area]
    before, after = figures("compression", page), figures("compression", pasted)
    assert after["portrait_grid"] > 0.5
    assert after["portrait_grid"] > before["portrait_grid"] + 0.3


def test_the_dip_lies_at_the_first_quality() -> None:
    twice = pages.compress(pages.photograph(pages.draw_page(1), 1, quality=70), 95)
    luma = cv2.cvtColor(twice, cv2.COLOR_RGB2GRAY).astype(np.float32)
    qualities = (55, 60, 65, 70, 75, 80, 85)
    errors = recompression_errors(luma, qualities)
    assert errors.shape == (7, pages.HEIGHT // 8, pages.WIDTH // 8)
    assert qualities[1:-1][int(np.argmax(dips(errors, np.ones(errors.shape[1:], bool))))] == 70


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, 5), (7, 1)])
def test_the_grid_is_found_wherever_the_picture_was_cut(dx: int, dy: int) -> None:
    once = pages.photograph(pages.draw_page(1), 1, noise=1.0, quality=40)
    luma = cv2.cvtColor(once[dy:, dx:], cv2.COLOR_RGB2GRAY).astype(np.float32)
    assert grid_offset(luma) == ((-dx) % 8, (-dy) % 8)


def test_an_uncompressed_picture_has_no_grid() -> None:
    raw = cv2.cvtColor(pages.photograph(pages.draw_page(1), 1, quality=None), cv2.COLOR_RGB2GRAY).astype(np.float32)
    assert abs(grid_strength(raw, np.ones((pages.HEIGHT // 8, pages.WIDTH // 8), bool))) < 0.05


def test_the_grid_of_the_last_save_accuses_no_portrait() -> None:
    page = pages.photograph(pages.draw_page(3, portrait=3), 3, noise=1, quality=80)
    assert "portrait_grid" not in figures("compression", page, jpeg_quality=80)


def test_compression_abstains_after_a_coarse_last_save() -> None:
    page = pages.photograph(pages.draw_page(2, portrait=2), 2, quality=60)
    finding = checks["compression"]().run(pages.evidence(page, jpeg_quality=60))
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].code == "document.forgery.compression_compressed"


def test_the_texture_of_a_block_is_its_deviation() -> None:
    plane = np.random.default_rng(4).uniform(0, 255, (24, 40)).astype(np.float32)
    pairs = plane.reshape(12, 2, 20, 2).mean(axis=(1, 3))
    expected = [[pairs[4 * r : 4 * r + 4, 4 * c : 4 * c + 4].std() for c in range(5)] for r in range(3)]
    assert texture(plane) == pytest.approx(np.array(expected), rel=1e-3)


def test_a_part_is_held_against_ground_of_its_own_texture() -> None:
    textures = np.array([[2.0] * 30 + [30.0] * 30, [2.0] * 10 + [30.0] * 10 + [100.0] * 40], np.float32)
    part, ground = np.zeros(textures.shape, bool), np.zeros(textures.shape, bool)
    ground[0], part[1, :20] = True, True
    kept, weights = like_texture(textures, part, ground, 0.6)  # type: ignore[misc]
    assert kept.sum() == 20
    assert weights[:30].sum() == pytest.approx(10) and weights[30:].sum() == pytest.approx(10)
    part[1, 20:] = True  # two thirds of it now have no like
    assert like_texture(textures, part, ground, 0.6) is None


def test_compression_abstains_without_a_history() -> None:
    raw = pages.photograph(pages.draw_page(1), 1, noise=6, quality=None)
    finding = checks["compression"]().run(pages.evidence(raw))
    assert finding.outcome is Outcome.UNSURE
    assert {"document.forgery.compression_no_grid", "document.forgery.compression_single"} & {
        reason.code for reason in finding.reasons
    }
