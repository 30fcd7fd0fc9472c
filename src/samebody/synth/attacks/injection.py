"""Pictures that reach the verifier past its camera: generated, interpolated, re-coded, or from a virtual camera.

``generated`` holds the traces of up-sampling networks (Odena et al., Deconvolution and checkerboard artifacts, 2016;
Durall et al., Watch your up-convolution, 2020): ``transposed`` inserts zeros and filters unevenly, ``nearest`` repeats
pixels and smooths, ``latent`` decodes a grid of coarse blocks. ``injection`` holds those of a video put in a camera's
place: ``virtual_camera`` (scaled, wrong range, coarse colour), ``interpolated`` (frames between frames), ``codec``.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks.light import Light, grain, soft_field, to_light
from samebody.synth.attacks.record import Draw, Source

Shown = NDArray[np.float32]


def _shown(source: Source) -> Shown:
    return source.pixels.astype(np.float32)


def _light(shown: Shown) -> Light:
    return to_light(np.asarray(np.clip(np.rint(shown), 0, 255), np.uint8))


def _blend(own: Shown, changed: Shown, strength: float) -> Light:
    return _light(own + np.float32(strength) * (changed - own))


def _halved(shown: Shown, factor: int) -> Shown:
    height, width = shown.shape[:2]
    size = (math.ceil(width / factor), math.ceil(height / factor))
    return np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA), np.float32)


# ----------------------------------------------------------------------------------------------------------- generated


def uneven_kernel(stride: int, unevenness: float, random: np.random.Generator) -> NDArray[np.float32]:
    """A transposed convolution's kernel whose overlaps do not sum to the same everywhere.

    An even kernel is a triangle of side 2 ``stride`` - 1; each of the ``stride`` squared phases is scaled on its own by
    up to ``unevenness``, which leaves a pattern with the period of the stride.
    """
    side = 2 * stride - 1
    ramp = 1 - np.abs(np.arange(side) - (stride - 1)) / stride
    kernel = np.outer(ramp, ramp)
    scale = 1 + unevenness * random.uniform(-1, 1, (stride, stride))
    rows, columns = (np.arange(side) - (stride - 1)) % stride, (np.arange(side) - (stride - 1)) % stride
    return np.asarray(kernel * scale[np.ix_(rows, columns)], np.float32)


def transposed(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """Enlarged by zeros between pixels and an uneven kernel, once or twice: a checkerboard and its replicas."""
    own = _shown(source)
    stride = draw.choice("stride", (2, 4), (0.75, 0.25))
    unevenness = draw.uniform("unevenness", 0.04, 0.22)
    height, width = source.size
    low = _halved(own, stride)
    low += np.float32(draw.uniform("texture", 0.0, 5.0)) * grain(low.shape[:2], 0.6, draw.random)[..., None]
    out = np.zeros((low.shape[0] * stride, low.shape[1] * stride, 3), np.float32)
    for channel in range(3):
        spread = np.zeros(out.shape[:2], np.float32)
        spread[::stride, ::stride] = low[..., channel]
        kernel = uneven_kernel(stride, unevenness, draw.random)
        out[..., channel] = cv2.filter2D(spread, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    sharp = np.float32(draw.uniform("sharpening", 0.0, 0.8))
    out += sharp * (out - cv2.GaussianBlur(out, (0, 0), 1.0))
    return _blend(own, out[:height, :width], strength)


def nearest(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """Enlarged by repeating pixels and a learnt-looking smoothing: no energy where it should be, too much beside it."""
    own = _shown(source)
    height, width = source.size
    low = _halved(own, 2)
    low += np.float32(draw.uniform("texture", 0.0, 6.0)) * grain(low.shape[:2], 0.5, draw.random)[..., None]
    out = np.repeat(np.repeat(low, 2, axis=0), 2, axis=1)[:height, :width]
    edge = draw.uniform("kernel_edge", 0.05, 0.22)
    line = np.array([edge, 1 - 2 * edge, edge])
    kernel = np.outer(line, line) + 0.03 * draw.random.standard_normal((3, 3))
    out = cv2.filter2D(out, -1, (kernel / kernel.sum()).astype(np.float32), borderType=cv2.BORDER_REFLECT)
    smooth = cv2.bilateralFilter(out, 5, draw.uniform("smoothing", 5, 30), 2.0)
    return _blend(own, np.asarray(smooth, np.float32), strength)


def latent(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """Decoded from coarse blocks, as a latent decoder does: fine detail re-invented from a few coefficients a block."""
    own = _shown(source)
    height, width = source.size
    block = draw.choice("block", (4, 8), (0.4, 0.6))
    rows, columns = math.ceil(height / block) * block, math.ceil(width / block) * block
    padded = cv2.copyMakeBorder(own, 0, rows - height, 0, columns - width, cv2.BORDER_REFLECT)
    basis = _cosines(block)
    cells = padded.reshape(rows // block, block, columns // block, block, 3)
    coefficients = np.einsum("ua,iajbc,vb->iujvc", basis, cells, basis, optimize=True)
    order = np.add.outer(np.arange(block), np.arange(block))
    kept = draw.integer("kept_orders", 2, 3 + block // 4)
    coarse = coefficients * (order <= kept)[None, :, None, :, None]
    energy = np.sqrt(np.mean(np.square(coefficients - coarse), axis=(1, 3), keepdims=True))
    invented = (
        draw.random.standard_normal(coefficients.shape, dtype=np.float32) * (order > kept)[None, :, None, :, None]
    )
    coarse = coarse + np.float32(draw.uniform("invented", 0.2, 0.9)) * energy * invented
    back = np.einsum("ua,iujvc,vb->iajbc", basis, coarse, basis, optimize=True).reshape(rows, columns, 3)
    out = cv2.GaussianBlur(np.ascontiguousarray(back[:height, :width], np.float32), (0, 0), 0.7)
    tone = soft_field(source.size, 3.0, draw.random) * np.float32(draw.uniform("tone_drift", 0.0, 4.0))
    return _blend(own, out + tone[..., None], strength)


def _cosines(size: int) -> NDArray[np.float32]:
    """The orthonormal DCT-II, (size, size)."""
    k = np.arange(size)[:, None]
    rows = np.cos(np.pi * (2 * np.arange(size)[None, :] + 1) * k / (2 * size)) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return np.asarray(rows, np.float32)


# ----------------------------------------------------------------------------------------------------------- injection


def virtual_camera(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """Scaled to a camera's format and back, colour at half size and shifted, range taken for another."""
    own = _shown(source)
    height, width = source.size
    part = draw.uniform("format_size", 0.55, 1.7)
    way = draw.choice("scaled_by", ("nearest", "linear", "lanczos"), (0.4, 0.35, 0.25))
    flags = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "lanczos": cv2.INTER_LANCZOS4}[way]
    size = (max(16, round(width * part)), max(16, round(height * part * draw.uniform("aspect_error", 0.97, 1.03))))
    there = cv2.resize(own, size, interpolation=flags)
    yuv = cv2.cvtColor(np.clip(there, 0, 255) / 255, cv2.COLOR_RGB2YCrCb)
    coarse = draw.choice("colour_step", (2, 4), (0.7, 0.3))
    small = (max(4, size[0] // coarse), max(4, size[1] // coarse))
    colour = cv2.resize(yuv[..., 1:], small, interpolation=cv2.INTER_NEAREST)
    colour = cv2.resize(colour, size, interpolation=cv2.INTER_NEAREST)
    shift = draw.integer("colour_shift", 0, 2)
    yuv[..., 1:] = np.roll(colour, shift, axis=1)
    mode = draw.choice("range", ("right", "narrowed", "stretched"), (0.5, 0.25, 0.25))
    if mode == "narrowed":
        yuv[..., 0] = 16 / 255 + yuv[..., 0] * 219 / 255
    elif mode == "stretched":
        yuv[..., 0] = np.clip((yuv[..., 0] - 16 / 255) * 255 / 219, 0, 1)
    levels = draw.choice("levels", (255, 127, 63), (0.5, 0.3, 0.2))
    yuv[..., 0] = np.rint(yuv[..., 0] * levels) / levels
    rgb = 255 * np.clip(cv2.cvtColor(yuv, cv2.COLOR_YCrCb2RGB), 0, 1)
    return _blend(own, np.asarray(cv2.resize(rgb, (width, height), interpolation=flags), np.float32), strength)


def interpolated(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """A frame made up between two: each moved half the way by a coarse, wrong motion, then mixed; halos at edges."""
    own = _shown(source)
    height, width = source.size
    reach = draw.uniform("motion_share", 0.004, 0.025) * max(height, width) * strength
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    cells = draw.uniform("motion_cells", 3, 9)
    flow_x = soft_field(source.size, cells, draw.random) + np.float32(draw.normal("pan", 0.7))
    flow_y = soft_field(source.size, cells, draw.random)
    step = draw.choice("motion_block", (1, 8, 16), (0.4, 0.3, 0.3))
    if step > 1:  # motion is found by block
        small = (math.ceil(width / step), math.ceil(height / step))
        flow_x = cv2.resize(cv2.resize(flow_x, small), (width, height), interpolation=cv2.INTER_NEAREST)
        flow_y = cv2.resize(cv2.resize(flow_y, small), (width, height), interpolation=cv2.INTER_NEAREST)
    wrong = 1 + draw.uniform("motion_error", 0.3, 1.2)

    def moved(by: float) -> Shown:
        scale = np.float32(by * reach)
        return np.asarray(
            cv2.remap(own, x + scale * flow_x, y + scale * flow_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT),
            np.float32,
        )

    out = 0.5 * (moved(0.5) + moved(-0.5 * wrong))
    halo = np.float32(strength * draw.uniform("halo", 0.0, 0.8))
    return _light(out + halo * (out - cv2.GaussianBlur(out, (0, 0), 1.5)))


def codec(source: Source, other: Source | None, strength: float, draw: Draw) -> Light:
    """A video's picture: blocks coded with few bits, some carried over from a frame before, edges between smoothed."""
    own = _shown(source)
    height, width = source.size
    block = draw.choice("transform", (8, 16), (0.6, 0.4))
    rows, columns = math.ceil(height / block) * block, math.ceil(width / block) * block
    before = cv2.warpAffine(
        own,
        np.array([[1, 0, draw.normal("moved_x", 2.5)], [0, 1, draw.normal("moved_y", 1.5)]]),
        (width, height),
        borderMode=cv2.BORDER_REFLECT,
    )
    ycc = cv2.cvtColor(own / 255, cv2.COLOR_RGB2YCrCb) * 255
    old = cv2.cvtColor(before / 255, cv2.COLOR_RGB2YCrCb) * 255
    basis = _cosines(block)
    step = draw.log_uniform("quantiser", 10, 48) * np.array([1.0, 1.6, 1.6], np.float32)
    grown = 1 + 0.35 * np.add.outer(np.arange(block), np.arange(block))

    def cells(picture: Shown) -> NDArray[np.float32]:
        padded = cv2.copyMakeBorder(picture, 0, rows - height, 0, columns - width, cv2.BORDER_REFLECT)
        return np.asarray(padded.reshape(rows // block, block, columns // block, block, 3), np.float32)

    now, then = cells(ycc), cells(old)
    scale = (step[None, None, None, None, :] * grown[None, :, None, :, None] * block / 16).astype(np.float32)
    coded = np.einsum("ua,iajbc,vb->iujvc", basis, now, basis, optimize=True)
    coded = np.rint(coded / scale) * scale
    back = np.einsum("ua,iujvc,vb->iajbc", basis, coded, basis, optimize=True)
    change = np.abs(now - then).mean(axis=(1, 3, 4))
    limit = np.quantile(change, draw.uniform("skipped_share", 0.0, 0.4))
    skip = (change < limit)[:, None, :, None, None]
    out = np.where(skip, then, back).reshape(rows, columns, 3)[:height, :width]
    rgb = 255 * cv2.cvtColor(np.ascontiguousarray(np.clip(out, 0, 255) / 255, np.float32), cv2.COLOR_YCrCb2RGB)
    if draw.flag("deblocked", 0.6):
        rgb = cv2.bilateralFilter(np.asarray(rgb, np.float32), 5, 14, 1.5)
    return _blend(own, np.asarray(rgb, np.float32), strength)
