"""Faces swapped and morphed by landmarks, in the source's own pixels.

``face_swap``: ``mesh`` warps the other face triangle by triangle and fades it in; ``poisson`` moves it as a whole and
solves for its gradients (Perez et al., Poisson image editing, 2003); ``decoder`` pastes a small, smooth face as an
auto-encoder returns it. ``morph``: ``landmark`` averages both whole pictures on their mean mesh; ``splice`` puts the
morphed inner face into one of the pictures; ``pyramid`` takes coarse detail from one and fine detail from the other
(Burt and Adelson, 1983).

The identity is always swapped or mixed; ``strength`` is how much of the seams, colours and lost detail is left.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks import mesh
from samebody.synth.attacks.light import Light, Plane, to_light, to_pixels
from samebody.synth.attacks.mesh import Points
from samebody.synth.attacks.record import AttackInputError, Draw, Source


def _second(source: Source, other: Source | None) -> Source:
    if other is None:
        raise AttackInputError("a swap or a morph needs a second person.", hint="Give other=Source(pixels, landmarks).")
    mesh.require_fit(source.mesh(), other.mesh())
    return other


def _anchors(source: Source) -> Points:
    return np.asarray(source.mesh()[list(mesh.ANCHORS)])


def _face_cover(points: Points, shape: tuple[int, int], inner: float, feather: float) -> Plane:
    """The face without its rim: the oval shrunk by ``inner``, softened."""
    return mesh.polygon_mask(mesh.grown(points[list(mesh.OVAL)], inner), shape, feather)


# ---------------------------------------------------------------------------------------------------------------- swap


def swap_mesh(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """The other person's face warped on the source's mesh and faded in."""
    second = _second(source, other)
    own, points = to_light(source.pixels), source.mesh()
    target = _anchors(source)
    maps = mesh.warp_maps(target, _anchors(second), mesh.triangles(target), source.size)
    face = mesh.warped(to_light(second.pixels), maps)
    size = mesh.face_size(points)
    feather = size * (0.07 - strength * draw.uniform("hard_edge", 0.02, 0.066))
    cover = _face_cover(points, source.size, draw.uniform("inner", 0.84, 0.97), feather) * maps[2]
    core = _face_cover(points, source.size, 0.8, 0.02 * size)
    face = mesh.colour_like(face, own, core, 1 - strength * draw.uniform("colour_left", 0.0, 0.6))
    return np.asarray(own + cover[..., None] * (face - own), np.float32)


def swap_poisson(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """The other person's face moved by one affine map and blended by its gradients."""
    second = _second(source, other)
    points, size = source.mesh(), mesh.face_size(source.mesh())
    affine = mesh.fitted_affine(_anchors(second), _anchors(source))
    placed = to_pixels(mesh.moved(to_light(second.pixels), affine, source.size))
    cover = _face_cover(points, source.size, draw.uniform("inner", 0.85, 0.98), 0.0)
    hard = np.asarray(cover > 0.5, np.uint8)
    hard[:2], hard[-2:], hard[:, :2], hard[:, -2:] = 0, 0, 0, 0
    if int(hard.sum()) < 64:
        raise AttackInputError("the face is too small or outside of the picture.", hint="Choose another picture.")
    blended = solve_gradients(placed, source.pixels, hard)
    face = to_light(blended)
    soft = strength * draw.uniform("detail_lost", 0.0, 1.4)
    if soft > 0.2:
        face = cv2.GaussianBlur(face, (0, 0), soft)
    own = to_light(source.pixels)
    ghost = draw.uniform("seam", 0.0, 0.015) * size
    rim = cv2.GaussianBlur(hard.astype(np.float32), (0, 0), max(0.6, (1 - strength) * 0.03 * size + ghost))
    return np.asarray(own + np.clip(rim, 0, 1)[..., None] * (face - own), np.float32)


def solve_gradients(face: NDArray[np.uint8], around: NDArray[np.uint8], where: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``face`` inside ``where`` with its own gradients and the values of ``around`` on the border.

    Laplace's equation for the difference on the border, relaxed from coarse to fine: the membrane of Perez et al.
    """
    difference = around.astype(np.float32) - face
    membrane = _membrane(difference, where.astype(np.float32))
    out = np.where(where[..., None] > 0, face + membrane, around)
    return np.asarray(np.clip(np.rint(out), 0, 255), np.uint8)


def _membrane(values: NDArray[np.float32], inside: Plane, steps: int = 12) -> NDArray[np.float32]:
    """Smooth values inside that meet ``values`` outside: a multigrid descent with Jacobi steps."""
    height, width = inside.shape
    if min(height, width) <= 8:
        known = (1 - inside)[..., None]
        mean = (values * known).sum(axis=(0, 1)) / max(float(known.sum()), 1e-3)
        start = np.where(inside[..., None] > 0.5, mean, values).astype(np.float32)
    else:
        small = ((width + 1) // 2, (height + 1) // 2)
        known = 1 - inside
        weight = cv2.resize(known, small, interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(values * known[..., None], small, interpolation=cv2.INTER_AREA)
        coarse = coarse / np.maximum(weight, 1e-3)[..., None]
        low = _membrane(np.asarray(coarse, np.float32), np.asarray(weight < 0.02, np.float32), steps)
        start = cv2.resize(low, (width, height), interpolation=cv2.INTER_LINEAR)
        start = np.where(inside[..., None] > 0.5, start, values).astype(np.float32)
    kernel = np.array([[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]], np.float32)
    mask = np.asarray(inside > 0.5, np.uint8)
    for _ in range(steps if max(height, width) < 100 else steps // 2):  # fine levels have little left to do
        cv2.copyTo(cv2.filter2D(start, -1, kernel, borderType=cv2.BORDER_REPLICATE), mask, start)
    return np.asarray(start, np.float32)


def swap_decoder(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """A small smooth face, as an auto-encoder for one person returns it, enlarged into its place."""
    second = _second(source, other)
    own, points = to_light(source.pixels), source.mesh()
    size = mesh.face_size(points)
    target = _anchors(source)
    maps = mesh.warp_maps(target, _anchors(second), mesh.triangles(target), source.size)
    face = mesh.warped(to_light(second.pixels), maps)
    face = mesh.colour_like(face, own, _face_cover(points, source.size, 0.8, 0.02 * size), 0.95)
    side = draw.integer("decoder_side", 40, 112)
    part = min(1.0, side / (1.3 * size)) ** strength
    small = (max(8, round(source.size[1] * part)), max(8, round(source.size[0] * part)))
    low = cv2.resize(face, small, interpolation=cv2.INTER_AREA)
    smooth = cv2.bilateralFilter(low, 5, 0.08 * strength + 1e-3, 2.0)
    checker = (np.indices(small[::-1]).sum(axis=0) % 2 * 2 - 1).astype(np.float32)
    smooth *= (1 + np.float32(strength * draw.uniform("checker", 0.0, 0.03)) * checker)[..., None]
    face = cv2.resize(smooth, source.size[::-1], interpolation=draw.choice("enlarged_by", (1, 2, 2)))
    outline = points[list(mesh.OVAL)]
    if draw.flag("square_mask", 0.4):
        low_corner, high_corner = outline.min(axis=0), outline.max(axis=0)
        inset = 0.1 * (high_corner - low_corner)
        a, b = low_corner + inset, high_corner - inset
        outline = np.array([a, (b[0], a[1]), b, (a[0], b[1])])
    feather = size * (0.06 - strength * draw.uniform("hard_edge", 0.0, 0.05))
    cover = mesh.polygon_mask(mesh.grown(outline, draw.uniform("inner", 0.88, 1.0)), source.size, feather) * maps[2]
    return np.asarray(own + cover[..., None] * (np.maximum(face, 0) - own), np.float32)


# --------------------------------------------------------------------------------------------------------------- morph


def _aligned(source: Source, second: Source) -> tuple[Light, Points, Light, Points]:
    """Both pictures in the source's frame, the second moved by a similarity so that its head has the same place."""
    affine = mesh.fitted_affine(_anchors(second), _anchors(source), shear=False)
    light = mesh.moved(to_light(second.pixels), affine, source.size)
    return to_light(source.pixels), _anchors(source), light, _anchors(second) @ affine[:, :2].T + affine[:, 2]


def _on_mean(source: Source, second: Source, share: float, *, whole: bool) -> tuple[Light, Light, Points, Plane]:
    """Both pictures warped to the mesh between them; ``share`` of it is the second person's."""
    first, a, moved, b = _aligned(source, second)
    mean = (1 - share) * a + share * b
    if whole:
        frame = mesh.frame_points(source.size)
        a, b, mean = (np.vstack([part, frame]) for part in (a, b, mean))
    simplices = mesh.triangles(mean)
    one = mesh.warp_maps(mean, a, simplices, source.size)
    two = mesh.warp_maps(mean, b, simplices, source.size)
    return mesh.warped(first, one), mesh.warped(moved, two), mean, one[2]


def _mean_oval(mean: Points) -> Points:
    order = [mesh.ANCHORS.index(index) for index in mesh.OVAL]
    return np.asarray(mean[order])


def morph_landmark(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """Both whole pictures averaged on their mean mesh: hair and shoulders of both are seen, faintly."""
    second = _second(source, other)
    share = draw.uniform("share_of_second", 0.3, 0.7)
    one, two, mean, _ = _on_mean(source, second, share, whole=True)
    size = float(np.ptp(_mean_oval(mean), axis=0).prod() ** 0.5)
    face = mesh.polygon_mask(mesh.grown(_mean_oval(mean), 1.0), source.size, 0.06 * size)
    two = mesh.colour_like(two, one, face, 1 - strength * draw.uniform("colour_left", 0.0, 0.7))
    outside = np.float32(strength * draw.uniform("ghosts", 0.5, 1.0))
    weight = np.float32(share) * (face + outside * (1 - face))
    return np.asarray(one + weight[..., None] * (two - one), np.float32)


def morph_splice(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """The inner face of the morph solved into the source's picture: no ghosts, but one head around two faces."""
    second = _second(source, other)
    share = draw.uniform("share_of_second", 0.3, 0.7)
    first, a, moved, b = _aligned(source, second)
    simplices = mesh.triangles(a)
    maps = mesh.warp_maps(a, b, simplices, source.size)
    two = mesh.warped(moved, maps)
    core = mesh.polygon_mask(mesh.grown(_mean_oval(a), 0.85), source.size, 1.0) * maps[2]
    two = mesh.colour_like(two, first, core, 1 - strength * draw.uniform("colour_left", 0.0, 0.8))
    mixed = first + np.float32(share) * (two - first)
    oval = mesh.grown(_mean_oval(a), draw.uniform("inner", 0.82, 0.96))
    where = np.asarray(mesh.polygon_mask(oval, source.size) > 0.5, np.uint8)
    where[:2], where[-2:], where[:, :2], where[:, -2:] = 0, 0, 0, 0
    solved = to_light(solve_gradients(to_pixels(mixed), source.pixels, where))
    size = mesh.face_size(source.mesh())
    cover = mesh.polygon_mask(oval, source.size, size * (0.06 - 0.055 * strength)) * maps[2]
    return np.asarray(first + cover[..., None] * (solved - first), np.float32)


def morph_pyramid(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """Coarse levels of one face, fine levels of the other, joined level by level."""
    second = _second(source, other)
    share = draw.uniform("share_of_second", 0.3, 0.7)
    one, two, mean, inside = _on_mean(source, second, share, whole=True)
    oval = _mean_oval(mean)
    size = float(np.ptp(oval, axis=0).prod() ** 0.5)
    face = mesh.polygon_mask(mesh.grown(oval, draw.uniform("inner", 0.86, 1.0)), source.size, 0.01 * size) * inside
    two = mesh.colour_like(two, one, face, 0.9)
    levels = draw.integer("levels", 3, 5)
    fine = draw.uniform("fine_from_second", 0.0, 1.0)
    a, b = np.sqrt(np.maximum(one, 0)), np.sqrt(np.maximum(two, 0))
    out = np.zeros_like(a)
    mask = face
    for level in range(levels):
        sigma = 1.2 * 2**level
        last = level == levels - 1
        low_a, low_b = (a, b) if last else (cv2.GaussianBlur(a, (0, 0), sigma), cv2.GaussianBlur(b, (0, 0), sigma))
        part = share + strength * (fine - share) * (1 - level / (levels - 1))
        weight = (np.float32(part) * mask)[..., None]
        detail_a, detail_b = (a, b) if last else (a - low_a, b - low_b)
        out += detail_a + weight * (detail_b - detail_a)
        a, b = low_a, low_b
        mask = cv2.GaussianBlur(mask, (0, 0), sigma)
    return np.asarray(np.square(np.clip(out, 0, 1)), np.float32)
