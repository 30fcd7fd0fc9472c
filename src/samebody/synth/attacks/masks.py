"""Paper worn on the face: whole masks and parts, printed and put on a mesh, in the source's own pixels.

``paper_mask``: ``wrapped`` follows the wearer's mesh as a mask that was cut in and glued; ``cutout`` is a flat sheet
with the face's outline held before the head. ``partial_mask``: ``patches`` are glued pieces over eyes, nose or mouth;
``band`` is one flat sheet over the upper or the lower half.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from samebody.synth.attacks import mesh
from samebody.synth.attacks.light import Light, Plane, gamut, grain, luminance, mixed, soft_field, to_light
from samebody.synth.attacks.mesh import Points
from samebody.synth.attacks.prints import blue_noise, reflect, separate
from samebody.synth.attacks.record import Draw, Source


def printed(light: Light, strength: float, draw: Draw) -> Light:
    """A print of ``light`` seen from where its dots are almost gone: gamut, tone, droplets, paper grain."""
    matrix = gamut(strength * draw.uniform("ink_gamut", 0.05, 0.4), strength * draw.normal("ink_hue", 0.05))
    exponent = 1 + strength * draw.uniform("print_gamma", -0.3, 0.25)
    ink = np.power(np.clip(mixed(light, matrix), 0, 1), np.float32(exponent)).astype(np.float32)
    cover = separate(ink, draw.uniform("black_share", 0.1, 0.9))
    contrast = strength * draw.uniform("drop_contrast", 0.05, 0.5)
    height, width = ink.shape[:2]
    mask = np.tile(blue_noise(), (height // 128 + 1, width // 128 + 1))[:height, :width]
    drops = np.stack([np.roll(mask, (37 * k, 61 * k), (0, 1)) < cover[k] for k in range(4)])
    lit = cv2.GaussianBlur(reflect(drops.astype(np.float32)), (0, 0), draw.uniform("bleed", 0.5, 0.9))
    even = reflect(cover)
    seen = even + np.float32(contrast) * (lit - even)
    white = 1 - strength * (
        1 - np.array([draw.uniform("paper_red", 0.85, 1.0), 0.93, draw.uniform("paper_blue", 0.82, 1.0)])
    )
    paper = 1 + np.float32(strength * draw.uniform("fibre_contrast", 0.005, 0.03)) * grain(
        (height, width), draw.uniform("fibre_size", 0.5, 1.3), draw.random
    )
    out = ink + np.float32(strength) * (seen - ink)
    return np.asarray(np.maximum(out * white.astype(np.float32) * paper[..., None], 0), np.float32)


def _lit_like(sheet: Light, face: Light, cover: Plane) -> Light:
    """The sheet under the lamp that lights the face: its mean light is brought near to the face's."""
    weight = max(float(cover.sum()), 1.0)
    own = float((luminance(sheet) * cover).sum()) / weight
    wanted = float((luminance(face) * cover).sum()) / weight
    return np.asarray(sheet * np.float32(np.clip((wanted / max(own, 1e-4)) ** 0.7, 0.4, 2.5)), np.float32)


def _put_on(face: Light, sheet: Light, cover: Plane, size: float, strength: float, draw: Draw, *, lift: float) -> Light:
    """``sheet`` over ``face`` where ``cover`` says: a shadow beside it, a white cut edge, then the paper.

    ``lift``: how far the paper stands off the skin, as a share of the face's size.
    """
    away = lift * size
    angle = draw.uniform("shadow_direction", 0.15 * math.pi, 0.85 * math.pi)
    dark = strength * draw.uniform("shadow", 0.15, 0.6)
    moved = cv2.warpAffine(
        cover,
        np.array([[1, 0, away * math.cos(angle)], [0, 1, away * math.sin(angle)]]),
        cover.shape[::-1],
        borderMode=cv2.BORDER_CONSTANT,
    )
    shadow = cv2.GaussianBlur(moved, (0, 0), 0.6 * away + 0.5)
    out = face * (1 - np.float32(dark) * shadow)[..., None]
    edge = np.clip(cover - cv2.erode(cover, np.ones((3, 3), np.uint8)), 0, 1) * np.float32(
        strength * draw.uniform("cut_edge", 0.0, 0.5)
    )
    paper = sheet + edge[..., None] * (np.float32(0.8) - sheet)
    opacity = np.float32(min(1.0, 5 * strength))  # paper is not seen through; at strength 0 there is none
    return np.asarray(out + (opacity * cover)[..., None] * (paper - out), np.float32)


def _print_for(source: Source, other: Source | None) -> Source:
    """Whose face is printed: another person's, or the wearer's own."""
    if other is None:
        return source
    mesh.require_fit(source.mesh(), other.mesh())
    return other


def _jagged(points: Points, size: float, draw: Draw) -> Points:
    """An outline as scissors cut it: fewer corners, each a little off."""
    step = draw.integer("cut_every", 1, 3)
    off = draw.random.normal(0, 0.008 * size, (len(points[::step]), 2))
    return np.asarray(points[::step] + off)


def _holes(cover: Plane, points: Points, draw: Draw) -> Plane:
    """Eyes and mouth cut out, or not."""
    height, width = cover.shape
    grow = draw.uniform("hole_size", 1.0, 1.7)
    if draw.flag("eyes_cut", 0.65):
        for ring in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
            cover = cover * (1 - mesh.polygon_mask(mesh.grown(points[list(ring)], grow), (height, width), 0.4))
    if draw.flag("mouth_cut", 0.2):
        cover = cover * (1 - mesh.polygon_mask(mesh.grown(points[list(mesh.LIPS)], 1.05), (height, width), 0.4))
    return np.asarray(cover, np.float32)


def wrapped(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """A printed face cut to shape, creased over nose and cheeks, worn like a mask."""
    victim = _print_for(source, other)
    own, points = to_light(source.pixels), source.mesh()
    size = mesh.face_size(points)
    anchors = list(mesh.ANCHORS)
    sheet_points = points[anchors].copy()
    stiff = draw.uniform("stiffness", 0.2, 0.8)  # paper follows the outline of a face, not its details
    flat = victim.mesh()[anchors] @ (affine := mesh.fitted_affine(victim.mesh()[anchors], sheet_points))[:, :2].T
    sheet_points += stiff * (flat + affine[:, 2] - sheet_points)
    maps = mesh.warp_maps(sheet_points, victim.mesh()[anchors], mesh.triangles(sheet_points), source.size)
    sheet = mesh.warped(printed(to_light(victim.pixels), strength, draw), maps)
    oval = _jagged(mesh.grown(points[list(mesh.OVAL)], draw.uniform("cut", 0.9, 1.0)), size, draw)
    cover = mesh.polygon_mask(oval, source.size, 0.35) * maps[2]
    cover = _holes(cover, points, draw)
    sheet = _lit_like(sheet, own, cover) * _creases(points, size, strength, draw, source.size)[..., None]
    return _put_on(own, sheet, cover, size, strength, draw, lift=draw.uniform("lift", 0.005, 0.03))


def _creases(points: Points, size: float, strength: float, draw: Draw, shape: tuple[int, int]) -> Plane:
    """Shade of paper bent around a head: a cylinder about the middle line, and folds out from the nose."""
    step = max(1, min(shape) // 200)  # creases are soft; a large picture needs no finer map
    rows, columns = (math.ceil(side / step) for side in shape)
    x = (np.arange(columns, dtype=np.float32)[None, :] + np.float32(0.5)) * step
    y = (np.arange(rows, dtype=np.float32)[:, None] + np.float32(0.5)) * step
    centre = points[list(mesh.OVAL)].mean(axis=0)
    across = np.clip((x - centre[0]) / (0.62 * size), -0.95, 0.95)
    lamp = draw.uniform("lamp_side", -0.6, 0.6)
    round_shade = np.sqrt(1 - across * across) + np.float32(lamp) * across
    shade = 1 + np.float32(strength * draw.uniform("roundness", 0.2, 0.7)) * (round_shade - 1) + 0 * y
    nose = points[4]
    for index in range(draw.integer("creases", 0, 4)):
        angle = draw.uniform(f"crease_{index}", 0, 2 * math.pi)
        along = (x - nose[0]) * math.cos(angle) + (y - nose[1]) * math.sin(angle)
        off = -(x - nose[0]) * math.sin(angle) + (y - nose[1]) * math.cos(angle)
        line = np.exp(-np.square(off / (0.012 * size + 0.4))) * (along > 0.15 * size)
        side = np.clip(off / (0.08 * size), -1, 1) * np.exp(-np.abs(off) / (0.12 * size)) * (along > 0.15 * size)
        depth = np.float32(strength * draw.uniform(f"crease_{index}_depth", 0.05, 0.3))
        shade = shade * (1 - depth * line + 0.6 * depth * side)
    soft = np.clip(cv2.GaussianBlur(shade.astype(np.float32), (0, 0), 0.7), 0.15, 1.6)
    return np.asarray(cv2.resize(soft, (columns * step, rows * step))[: shape[0], : shape[1]], np.float32)


def cutout(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """A flat print with the outline of a face, or a whole rectangle, held before the head."""
    victim = _print_for(source, other)
    own, points = to_light(source.pixels), source.mesh()
    size = mesh.face_size(points)
    anchors = list(mesh.ANCHORS)
    affine = mesh.fitted_affine(victim.mesh()[anchors], points[anchors], shear=False)
    scale = draw.uniform("held_scale", 0.95, 1.12)
    turn = math.radians(draw.normal("held_turn_degrees", 4.0))
    shift = np.array([draw.normal("held_x", 0.03), draw.normal("held_y", 0.03)]) * size
    centre = points[anchors].mean(axis=0)
    place = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    full = np.column_stack([place @ affine[:, :2], place @ (affine[:, 2] - centre) + centre + shift])
    shown = printed(to_light(victim.pixels), strength, draw)
    sheet = mesh.moved(shown, full, source.size)
    outline = victim.mesh()[list(mesh.OVAL)] @ full[:, :2].T + full[:, 2]
    if draw.flag("rectangle", 0.3):
        low, high = outline.min(axis=0) - 0.04 * size, outline.max(axis=0) + 0.04 * size
        outline = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    else:
        outline = _jagged(mesh.grown(outline, draw.uniform("cut", 0.96, 1.15)), size, draw)
    cover = mesh.polygon_mask(outline, source.size, 0.35)
    eyes = victim.mesh() @ full[:, :2].T + full[:, 2]
    cover = _holes(cover, eyes, draw)
    lit = 1 + np.float32(strength * draw.uniform("unevenness", 0.02, 0.2)) * soft_field(source.size, 1.5, draw.random)
    return _put_on(
        own,
        _lit_like(sheet, own, cover) * lit[..., None],
        cover,
        size,
        strength,
        draw,
        lift=draw.uniform("lift", 0.02, 0.08),
    )


_PATCHES = {
    "eyes": (mesh.RIGHT_EYE, mesh.LEFT_EYE),
    "nose": (mesh.NOSE_OUTLINE,),
    "mouth": (mesh.LIPS,),
    "eyes_and_nose": (mesh.RIGHT_EYE, mesh.LEFT_EYE, mesh.NOSE_OUTLINE),
    "all_parts": (mesh.RIGHT_EYE, mesh.LEFT_EYE, mesh.NOSE_OUTLINE, mesh.LIPS),
}


def patches(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """Printed pieces glued on: eyes, nose, mouth, or several."""
    victim = _print_for(source, other)
    own, points = to_light(source.pixels), source.mesh()
    size = mesh.face_size(points)
    anchors = list(mesh.ANCHORS)
    maps = mesh.warp_maps(points[anchors], victim.mesh()[anchors], mesh.triangles(points[anchors]), source.size)
    sheet = mesh.warped(printed(to_light(victim.pixels), strength, draw), maps)
    where = draw.choice("where", tuple(_PATCHES))
    grow = draw.uniform("patch_size", 1.5, 2.3)
    cover = np.zeros(source.size, np.float32)
    for ring in _PATCHES[where]:
        part = points[list(ring)]
        factor = grow if len(ring) == len(mesh.RIGHT_EYE) else 1 + 0.4 * (grow - 1)
        hull = cv2.convexHull(mesh.grown(part, factor).astype(np.float32))[:, 0].astype(np.float64)
        shift = draw.random.normal(0, 0.012 * size, 2)
        cover = np.maximum(cover, mesh.polygon_mask(_jagged(hull, size, draw) + shift, source.size, 0.3))
    cover *= maps[2]
    return _put_on(
        own, _lit_like(sheet, own, cover), cover, size, strength, draw, lift=draw.uniform("lift", 0.004, 0.02)
    )


def band(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """One flat sheet over the upper or the lower half of the face, its free edge straight or curled up."""
    victim = _print_for(source, other)
    own, points = to_light(source.pixels), source.mesh()
    size = mesh.face_size(points)
    half = draw.choice("half", ("upper", "lower"))
    outline = points[list(mesh.UPPER_FACE if half == "upper" else mesh.LOWER_FACE)]
    anchors = list(mesh.ANCHORS)
    affine = mesh.fitted_affine(victim.mesh()[anchors], points[anchors])
    sheet = mesh.moved(printed(to_light(victim.pixels), strength, draw), affine, source.size)
    cover = mesh.polygon_mask(
        _jagged(mesh.grown(outline, draw.uniform("cut", 0.95, 1.12)), size, draw), source.size, 0.35
    )
    if half == "upper" and draw.flag("eye_holes", 0.4):
        for ring in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
            cover *= 1 - mesh.polygon_mask(mesh.grown(points[list(ring)], 1.2), source.size, 0.4)
    y = np.arange(source.size[0], dtype=np.float32)[:, None] + 0.5
    free = points[4, 1]
    curl = np.exp(-np.abs(y - free) / np.float32(0.08 * size))
    shade = 1 + np.float32(strength * draw.uniform("curled_edge", -0.4, 0.4)) * curl
    sheet = _lit_like(sheet, own, cover) * shade[..., None]
    return _put_on(own, sheet, cover, size, strength, draw, lift=draw.uniform("lift", 0.01, 0.06))
