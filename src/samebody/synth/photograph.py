"""Photograph a flat specimen: a pinhole camera's homography, then light, lens, sensor and JPEG, with exact truth."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.errors import UsageError
from samebody.synth import artwork, camera, optics, surroundings
from samebody.synth.forgery import DIGITAL, retouch, scan_pixels
from samebody.synth.layout import MRZ_CAP_HEIGHT, Layout
from samebody.synth.page import Specimen
from samebody.synth.reprint import display, draw_screen
from samebody.synth.truth import Photograph, SpecimenTruth
from samebody.types import Image, Pixels, Point, SourceInfo

Difficulty = Literal["clean", "moderate", "hard"]
EditedOn = Literal["photograph", "page"]
Develop = Callable[[NDArray[np.float32], np.random.Generator], tuple[bytes, int]]
"""A camera of one's own: what the lens throws on the sensor (float32 RGB, 0-255 as displayed) to a JPEG of the same
size and its quality on the IJG scale."""
DIFFICULTIES: tuple[Difficulty, ...] = ("clean", "moderate", "hard")

# A photograph taken with care: nothing a reader could complain about. Not part of ranges.toml, because no figure is
# reported on it; the demo and the speed benchmarks use it.
_CLEAN: dict[str, Any] = {
    "rotation_degrees": [0.0, 3.0],
    "quarter_turn_share": 0.0,
    "tilt_degrees": [0.0, 4.0],
    "character_height_px": [26.0, 32.0],
    "blur_sigma_px": [0.3, 0.5],
    "blur_motion_share": 0.0,
    "noise_sigma": [0.8, 1.6],
    "jpeg_quality": [92, 95],
    "shadow_strength": [0.0, 0.1],
    "glare_share": 0.0,
    "glare_strength": [0.0, 0.0],
    "glare_over_mrz": False,
    "background_share": [0.15, 0.30],
}


@lru_cache(maxsize=1)
def ranges() -> Mapping[str, Mapping[str, Any]]:
    """The committed ranges of ``moderate`` and ``hard`` (``ranges.toml``) and those of ``clean``."""
    text = (files("samebody.synth") / "ranges.toml").read_text("utf-8")
    return {**tomllib.loads(text), "clean": _CLEAN}


def draw_conditions(difficulty: str, random: np.random.Generator) -> dict[str, Any]:
    """Every condition of one photograph, uniform in the ranges of ``difficulty``; JSON-ready."""
    bounds = ranges()[difficulty]

    def uniform(name: str) -> float:
        low, high = bounds[name]
        return float(random.uniform(low, high))

    turn = uniform("rotation_degrees") * (1 if random.random() < 0.5 else -1)
    quarter = int(random.integers(1, 4)) * 90 if random.random() < bounds["quarter_turn_share"] else 0
    low, high = bounds["jpeg_quality"]
    motion = random.random() < bounds["blur_motion_share"]
    return {
        "difficulty": difficulty,
        "rotation_degrees": turn,
        "quarter_turn_degrees": quarter,
        "tilt_degrees": uniform("tilt_degrees"),
        "tilt_azimuth_degrees": float(random.uniform(0, 360)),
        "character_height_px": uniform("character_height_px"),
        "blur_sigma_px": uniform("blur_sigma_px"),
        "blur_motion_degrees": float(random.uniform(0, 180)) if motion else None,
        "noise_sigma": uniform("noise_sigma"),
        "noise_colour_share": float(random.uniform(0.1, 0.5)),
        "jpeg_quality": int(random.integers(low, high + 1)),
        "shadow_strength": uniform("shadow_strength"),
        "shadow_edge": [
            float(random.uniform(0.2, 0.8)),
            float(random.uniform(0.2, 0.6)),
            float(random.uniform(0, 2 * math.pi)),
            float(random.uniform(0.03, 0.35)),
        ],
        "glare_strength": uniform("glare_strength") if random.random() < bounds["glare_share"] else 0.0,
        "background_share_drawn": uniform("background_share"),
        "aspect": float(random.choice([4 / 3, 3 / 2, 16 / 9])),
        "focal_ratio": float(random.uniform(0.72, 1.1)),
        "offset": [float(random.uniform(-0.8, 0.8)), float(random.uniform(-0.8, 0.8))],
        "exposure": float(random.uniform(0.82, 1.04)),
        "white_balance": [float(random.uniform(0.90, 1.06)), 1.0, float(random.uniform(0.88, 1.08))],
        "vignette": float(random.uniform(0.0, 0.18)),
        "colour_filter": bool(random.random() < 0.5),
        "surroundings": str(random.choice(list(surroundings.TEXTURES))),
        "open_booklet": bool(random.random() < 0.4 and difficulty != "clean"),
    }


def reference_segment(layout: Layout, mrz_centre_mm: Point) -> NDArray[np.float64]:
    """The upright segment, one MRZ capital high, at the centre of the MRZ, whose length on the photograph is stated."""
    x, y = mrz_centre_mm
    return np.array([[x, y - MRZ_CAP_HEIGHT / 2], [x, y + MRZ_CAP_HEIGHT / 2]])


def _mrz_centre(specimen: Specimen) -> Point:
    """Centre of the MRZ in millimetres; for a side without MRZ, where it would be."""
    dots = specimen.dots_per_inch / 25.4
    if specimen.truth.mrz is not None:
        xs, ys = zip(*specimen.truth.mrz)
        return (sum(xs) / 4 / dots, sum(ys) / 4 / dots)
    return (specimen.layout.width / 2, specimen.layout.height - 11.6)


def photograph(
    specimen: Specimen,
    *,
    difficulty: str = "moderate",
    seed: int,
    megapixels: float | None = None,
    edited_on: EditedOn = "photograph",
    conditions: Mapping[str, Any] | None = None,
    develop: Develop | None = None,
) -> Photograph:
    """A photograph of ``specimen``, the same bytes for the same arguments on one machine.

    Args:
        specimen: the flat page.
        difficulty: ``clean``, ``moderate`` or ``hard``: the ranges that conditions are drawn from.
        seed: draws the conditions, the surroundings and the noise.
        megapixels: makes the photograph about that large (page and picture scaled together), whatever the ranges say
            about the character height; for the speed benchmarks.
        edited_on: where a digital forgery is made: on the ``photograph`` of the genuine page, which is then saved
            again, or on a flat scan, the ``page`` that is printed and photographed.
        conditions: values that replace drawn ones, by the names in ``truth.parameters``.
        develop: sensor, processing and file in place of the built-in ones (colour filter, noise and JPEG).

    Raises:
        UsageError: for an unknown difficulty or condition.
    """
    if difficulty not in DIFFICULTIES:
        raise UsageError(f"there is no difficulty {difficulty!r}.", hint=f"Known: {', '.join(DIFFICULTIES)}.")
    drawn = draw_conditions(difficulty, np.random.default_rng([seed, 11]))
    unknown = set(conditions or {}) - set(drawn)
    if unknown:
        raise UsageError(f"there is no condition {', '.join(sorted(unknown))}.", hint=f"Known: {', '.join(drawn)}.")
    drawn |= dict(conditions or {})
    drawn["open_booklet"] = drawn["open_booklet"] and specimen.layout.format == "TD3"
    view = solve_view(specimen, drawn, megapixels)
    random = np.random.default_rng([seed, 12])
    edited = specimen.truth.forgery in DIGITAL
    page = specimen.genuine.pixels if edited and edited_on == "photograph" else specimen.image.pixels
    if specimen.truth.forgery == "screen_recapture":
        drawn |= draw_screen(np.random.default_rng([seed, 13]))
        picture = _screen(page, specimen, drawn, view, random)
    else:
        around: NDArray[Any] = surroundings.draw_surroundings(drawn["surroundings"], random, view.height, view.width)
        if drawn["open_booklet"]:
            around = _open_booklet(specimen, view, around, random)
        picture = lay_page(page, specimen.corner_pixels, flat_to_photograph(specimen, view), around, random)
    picture = expose(picture, specimen, drawn, view, random, ranges()[difficulty]["glare_over_mrz"])
    if develop is not None:
        jpeg, quality = develop(picture, random)
    else:
        quality = drawn["jpeg_quality"]
        jpeg = optics.encode_jpeg(optics.quantise(sense(picture, drawn, random)), quality)
    if edited and edited_on == "photograph":
        facts = specimen.truth.parameters
        quality = facts["jpeg_quality_saved"]
        pixels = retouch(
            optics.decode_jpeg(jpeg),
            flat_to_photograph(specimen, view),
            specimen.edits,
            specimen.dots_per_inch,
            facts,
            drawn["blur_sigma_px"],
            drawn["noise_sigma"],
            random,
        )
        jpeg = optics.encode_jpeg(pixels, quality)
    facts = {**drawn, "photograph_seed": seed, "edited_on": edited_on if edited else None}
    return Photograph(image_of(jpeg, quality), jpeg, project_truth(specimen, view, facts))


def scan(specimen: Specimen, *, seed: int, margin_mm: float = 4.0) -> Photograph:
    """A flatbed scan of ``specimen`` at its own resolution under a white lid, upright; digital forgeries are made
    on it.

    Raises:
        UsageError: for a screen recapture, which needs a camera.
    """
    if specimen.truth.forgery == "screen_recapture":
        raise UsageError("a screen cannot be laid on a scanner.", hint="Photograph it.")
    random = np.random.default_rng([seed, 14])
    dots = specimen.dots_per_inch / 25.4
    edited = specimen.truth.forgery in DIGITAL
    page = specimen.genuine.pixels if edited else specimen.image.pixels
    border = round(margin_mm * dots)
    height, width = page.shape[0] + 2 * border, page.shape[1] + 2 * border
    lid = np.full((height, width, 3), random.uniform(236, 252), np.float32)
    cover = np.zeros(page.shape[:2], np.uint8)
    _rounded(cover, specimen.corner_pixels)
    share = cover[..., None].astype(np.float32) / 255
    inner = lid[border : height - border, border : width - border]
    inner += (page - inner) * share
    quality = int(random.integers(82, 96))
    drawn: dict[str, Any] = {"difficulty": "scan", "jpeg_quality": quality, "photograph_seed": seed}
    view = camera.View(np.array([[dots, 0, border], [0, dots, border], [0, 0, 1.0]]), width, height, 0.0, 0.0, 0.0)
    view = replace(view, page_share=page.shape[0] * page.shape[1] / (width * height))
    pixels = scan_pixels(optics.quantise(lid), random)
    jpeg = optics.encode_jpeg(pixels, quality)
    if edited:
        facts, matrix = specimen.truth.parameters, flat_to_photograph(specimen, view)
        quality = facts["jpeg_quality_saved"]
        pixels = retouch(
            optics.decode_jpeg(jpeg), matrix, specimen.edits, specimen.dots_per_inch, facts, 0.8, 1.5, random
        )
        jpeg = optics.encode_jpeg(pixels, quality)
    drawn["edited_on"] = "page" if edited else None
    return Photograph(image_of(jpeg, quality), jpeg, project_truth(specimen, view, drawn))


def image_of(jpeg: bytes, quality: int) -> Image:
    """The picture of a JPEG this package wrote, with what the file says about itself."""
    pixels = optics.decode_jpeg(jpeg)
    height, width = pixels.shape[:2]
    return Image(pixels, SourceInfo("jpeg", len(jpeg), width, height, jpeg_quality=quality))


def solve_view(specimen: Specimen, drawn: dict[str, Any], megapixels: float | None) -> camera.View:
    """The camera for the drawn conditions; with ``megapixels`` the character height is changed in ``drawn`` to fit."""
    layout = specimen.layout
    pose = camera.Pose(
        rotation_degrees=drawn["rotation_degrees"] + drawn["quarter_turn_degrees"],
        tilt_degrees=drawn["tilt_degrees"],
        tilt_azimuth_degrees=drawn["tilt_azimuth_degrees"],
        focal_ratio=drawn["focal_ratio"],
    )

    def solve() -> camera.View:
        return camera.solve(
            (layout.width, layout.height),
            pose,
            segment_mm=reference_segment(layout, _mrz_centre(specimen)),
            segment_px=drawn["character_height_px"],
            page_share=1 - drawn["background_share_drawn"],
            aspect=drawn["aspect"],
            offset=(drawn["offset"][0], drawn["offset"][1]),
        )

    view = solve()
    if megapixels is not None:
        for _ in range(3):
            drawn["character_height_px"] *= math.sqrt(megapixels * 1e6 / (view.width * view.height))
            view = solve()
    return view


def flat_to_photograph(specimen: Specimen, view: camera.View) -> NDArray[np.float64]:
    """The homography from pixels of the flat page to pixels of the photograph, corner convention."""
    millimetres = 25.4 / specimen.dots_per_inch
    return np.asarray(view.homography @ np.diag([millimetres, millimetres, 1.0]))


def project_truth(specimen: Specimen, view: camera.View, parameters: Mapping[str, Any]) -> SpecimenTruth:
    """The truth of ``specimen`` in pixels of the photograph."""
    matrix = flat_to_photograph(specimen, view)

    def moved(polygon: Any) -> Any:
        return None if polygon is None else camera.project_polygon(matrix, polygon)

    flat = specimen.truth
    merged = {**flat.parameters, **parameters}
    merged["field_polygons"] = {name: moved(quad) for name, quad in flat.parameters["field_polygons"].items()}
    if "edited" in flat.parameters:
        merged["edited"] = {name: moved(quad) for name, quad in flat.parameters["edited"].items()}
    merged |= {
        "background_share": 1 - view.page_share,
        "distance_mm": view.distance_mm,
        "focal_px": view.focal_px,
        "width": view.width,
        "height": view.height,
        "homography": [[float(value) for value in row] for row in matrix],
    }
    return replace(
        flat,
        page=moved(flat.page),
        mrz=moved(flat.mrz),
        portrait=moved(flat.portrait),
        ghost=moved(flat.ghost),
        parameters=merged,
    )


def expose(
    picture: NDArray[np.float32],
    specimen: Specimen,
    drawn: Mapping[str, Any],
    view: camera.View,
    random: np.random.Generator,
    glare_over_mrz: bool,
) -> NDArray[np.float32]:
    """What light and lens make of ``picture``, float32 RGB as it falls on the sensor."""
    shape = (view.height, view.width)
    light = drawn["exposure"] * optics.vignette(shape, drawn["vignette"])
    light *= optics.soft_shadow(shape, drawn["shadow_strength"], tuple(drawn["shadow_edge"]))
    optics.apply_light(picture, light)
    picture *= np.array(drawn["white_balance"], np.float32)
    if drawn["glare_strength"] > 0:
        optics.apply_glare(picture, _glare(specimen, view, random, glare_over_mrz), drawn["glare_strength"])
    direction = drawn["blur_motion_degrees"]
    rest = math.sqrt(max(0.0, drawn["blur_sigma_px"] ** 2 - optics.LENS_SIGMA**2))  # the lens has done its part
    return optics.blur(picture, rest, None if direction is None else math.radians(direction))


def sense(picture: NDArray[np.float32], drawn: Mapping[str, Any], random: np.random.Generator) -> NDArray[np.float32]:
    """What the sensor makes of ``picture``, float32 RGB before it is rounded and compressed."""
    if drawn["colour_filter"]:
        picture = optics.through_colour_filter(picture)
    optics.add_noise(picture, drawn["noise_sigma"], drawn["noise_colour_share"], random)
    return picture


def _open_booklet(
    specimen: Specimen, view: camera.View, around: NDArray[Any], random: np.random.Generator
) -> NDArray[np.float32]:
    """The page above the data page, hinged at the data page's upper edge, as far as it is in the picture."""
    page = artwork.facing_page(200, specimen.design.series)
    millimetres = 25.4 / 200
    lift = np.array([[millimetres, 0, 0], [0, millimetres, -specimen.layout.height - 0.2], [0, 0, 1.0]])
    return lay_page(page, 3.2 / millimetres, view.homography @ lift, around, random)


def _screen(
    page: Pixels, specimen: Specimen, drawn: Mapping[str, Any], view: camera.View, random: np.random.Generator
) -> NDArray[np.float32]:
    """The page shown on a screen, seen through the camera, before exposure."""
    raster, gain = display(page, drawn)
    shrink = page.shape[1] / raster.shape[1]
    matrix = flat_to_photograph(specimen, view) @ np.diag([shrink, page.shape[0] / raster.shape[0], 1.0])
    surround = 65535 / gain * (drawn["screen_surround"] / 255) ** 2.2
    around = np.full((view.height, view.width, 3), surround, np.float32)
    light = lay_page(raster, specimen.corner_pixels / shrink, matrix, around, random, drop_shadow=False)
    picture = 255 * np.power(np.clip(light * (gain / 65535), 0, 1), np.float32(1 / 2.2))
    shape = (view.height, view.width)
    centre = (random.uniform(0, view.width), random.uniform(0, view.height))
    reach = 0.35 * max(shape)
    mirror = optics.spot(shape, centre, (reach, reach * random.uniform(0.3, 0.8)), random.uniform(0, math.pi))
    optics.apply_glare(picture, mirror, drawn["screen_reflection"])
    return np.asarray(picture, np.float32)


def _glare(specimen: Specimen, view: camera.View, random: np.random.Generator, over_mrz: bool) -> NDArray[np.float32]:
    """A specular spot on the page; unless ``over_mrz``, on its visual zone and below 5 % of its centre on the MRZ."""
    shape = (view.height, view.width)
    layout = specimen.layout
    matrix = view.homography
    per_mm = math.sqrt(camera.polygon_area(camera.project(matrix, _corners(layout))) / (layout.width * layout.height))
    for _ in range(20):
        share = random.uniform(0.05, 0.95) if over_mrz else random.uniform(0.05, 0.45)
        centre = camera.project(matrix, np.array([[random.uniform(0.1, 0.9) * layout.width, share * layout.height]]))[0]
        axes = (random.uniform(5, 14) * per_mm, random.uniform(3, 8) * per_mm)
        mask = optics.spot(shape, (float(centre[0]), float(centre[1])), axes, random.uniform(0, math.pi))
        if over_mrz or specimen.truth.mrz is None:
            return mask
        zone = np.array(camera.project_polygon(flat_to_photograph(specimen, view), specimen.truth.mrz))
        inside = np.zeros(shape, np.uint8)
        cv2.fillPoly(inside, [np.rint(zone).astype(np.int32)], 1)
        if float((mask * inside).max()) < 0.05:
            return mask
    return np.zeros(shape, np.float32)


def _corners(layout: Layout) -> NDArray[np.float64]:
    return np.array([[0, 0], [layout.width, 0], [layout.width, layout.height], [0, layout.height]], np.float64)


def lay_page(
    page: NDArray[Any],
    corner: float,
    matrix: NDArray[np.float64],
    around: NDArray[Any],
    random: np.random.Generator,
    *,
    drop_shadow: bool = True,
) -> NDArray[np.float32]:
    """The page on its surroundings, seen through ``matrix`` (flat pixels to photograph pixels), float32 RGB.

    ``page`` is uint8, or uint16 for linear light; the result has the units of ``page`` and ``around``.

    Softened by the lens, reduced by area to about twice the photograph's resolution, sampled at that and averaged, so
    that neither the MRZ nor the guilloche aliases.
    """
    height, width = around.shape[:2]
    cover = np.zeros(page.shape[:2], np.uint8)
    _rounded(cover, corner)
    rows, columns = page.shape[:2]
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float64)
    outline = camera.project(matrix, corners)
    scale = math.sqrt(camera.polygon_area(outline) / (rows * columns))
    softness = optics.LENS_SIGMA / scale
    page = np.asarray(cv2.GaussianBlur(page, (0, 0), softness, borderType=cv2.BORDER_REPLICATE))
    if 2 * scale < 1:
        size = (max(1, round(columns * 2 * scale)), max(1, round(rows * 2 * scale)))
        page = np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_AREA))
        cover = np.asarray(cv2.resize(cover, size, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix @ np.diag([columns / size[0], rows / size[1], 1.0])
    low = np.maximum(np.floor(outline.min(axis=0)) - 2, 0).astype(int)
    high = np.minimum(np.ceil(outline.max(axis=0)) + 2, [width, height]).astype(int)
    part = high - low
    if part.min() <= 0:  # nothing of it is in the picture
        return around.astype(np.float32)
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
    double = np.diag([2.0, 2.0, 1.0]) @ np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
    to_fine = half @ double @ matrix @ np.linalg.inv(half)  # cv2 counts from pixel centres
    fine_size = (int(2 * part[0]), int(2 * part[1]))
    fine = cv2.warpPerspective(page, to_fine, fine_size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    fine_cover = cv2.warpPerspective(cover, to_fine, fine_size, flags=cv2.INTER_LINEAR)
    seen = cv2.resize(fine, (int(part[0]), int(part[1])), interpolation=cv2.INTER_AREA).astype(np.float32)
    share = cv2.resize(fine_cover, (int(part[0]), int(part[1])), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    picture = around.astype(np.float32)
    if drop_shadow:
        below = np.zeros((height, width), np.float32)
        below[low[1] : high[1], low[0] : high[0]] = share
        _drop_shadow(picture, below, 0.012 * math.hypot(*part), random)
    area = picture[low[1] : high[1], low[0] : high[0]]
    area += (seen - area) * share[..., None]
    return picture


def _rounded(cover: NDArray[np.uint8], radius: float) -> None:
    """Fill ``cover`` with 255 but for its rounded corners."""
    height, width = cover.shape
    cover[:] = 255
    reach = math.ceil(radius)
    if reach < 1:
        return
    y, x = np.mgrid[0:reach, 0:reach] + 0.5
    inside = np.clip(radius - np.hypot(radius - x, radius - y) + 0.5, 0, 1)
    corner = np.rint(255 * inside).astype(np.uint8)
    cover[:reach, :reach] = corner
    cover[:reach, width - reach :] = corner[:, ::-1]
    cover[height - reach :, :reach] = corner[::-1]
    cover[height - reach :, width - reach :] = corner[::-1, ::-1]


def _drop_shadow(
    picture: NDArray[np.float32], cover: NDArray[np.float32], reach: float, random: np.random.Generator
) -> None:
    """The page's own thin shadow on what it lies on."""
    angle = random.uniform(0, 2 * math.pi)
    height, width = cover.shape
    step = 4
    small = cv2.resize(cover, (width // step + 1, height // step + 1), interpolation=cv2.INTER_AREA)
    moved = np.array([[1, 0, 0.5 * reach / step * math.cos(angle)], [0, 1, 0.5 * reach / step * math.sin(angle)]])
    small = cv2.warpAffine(small, moved, (small.shape[1], small.shape[0]))
    small = cv2.GaussianBlur(small, (0, 0), max(reach / step * 0.5, 0.5))
    picture *= (1 - 0.45 * cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))[..., None]
