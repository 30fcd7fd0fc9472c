"""Make an attack, its bona fide twin, or both: the table of species and families, and the way every picture goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks import capture, injection, masks, prints, screens, swap
from samebody.synth.attacks.capture import CaptureChain, draw_chain
from samebody.synth.attacks.light import LUMINANCE, Light, Plane, luminance, raw_to_shown, to_raw
from samebody.synth.attacks.record import (
    BONA_FIDE,
    AttackInputError,
    AttackLabel,
    AttackUnknownError,
    Draw,
    Pair,
    Shot,
    Source,
    generator,
)
from samebody.synth.attacks.scene import Scene, bona_fide_light
from samebody.synth.attacks.view import View, draw_view

FRAMINGS = ("tight", "scene")
LEAST_SIDE, MOST_SIDE = 64, 4096
_LARGEST_SENSOR = 576
_LOOKED_AT = 256

Recapture = Callable[[Scene, float, Draw], Light]
"""Light on the sensor of an instrument held before the camera."""

Worn = Callable[[Source, Source | None, float, Draw], Light]
"""Light, in the source's pixels, of a person who wears the instrument."""

Digital = Callable[[Source, Source | None, float, Draw], Light]
"""Light, in the source's pixels, of a picture that was changed after capture and never saw a camera again."""

RECAPTURED: Mapping[str, Mapping[str, Recapture]] = MappingProxyType(
    {
        "screen_replay": {"lcd": screens.lcd, "oled": screens.oled, "video": screens.video},
        "print": {"halftone": prints.halftone, "inkjet": prints.inkjet, "photo": prints.photo},
    }
)
"""Instruments put before a camera, by species and family."""

WORN: Mapping[str, Mapping[str, Worn]] = MappingProxyType(
    {
        "paper_mask": {"wrapped": masks.wrapped, "cutout": masks.cutout},
        "partial_mask": {"patches": masks.patches, "band": masks.band},
    }
)
"""Instruments worn on the face, by species and family."""

DIGITAL: Mapping[str, Mapping[str, Digital]] = MappingProxyType(
    {
        "face_swap": {"mesh": swap.swap_mesh, "poisson": swap.swap_poisson, "decoder": swap.swap_decoder},
        "morph": {"landmark": swap.morph_landmark, "splice": swap.morph_splice, "pyramid": swap.morph_pyramid},
        "generated": {"transposed": injection.transposed, "nearest": injection.nearest, "latent": injection.latent},
        "injection": {
            "virtual_camera": injection.virtual_camera,
            "interpolated": injection.interpolated,
            "codec": injection.codec,
        },
    }
)
"""Pictures changed after capture, by species and family."""


def families() -> dict[str, tuple[str, ...]]:
    """Families by species. Those of one species work on different principles, so that one can be held out whole."""
    return {species: tuple(makers) for table in (RECAPTURED, WORN, DIGITAL) for species, makers in table.items()}


def attack(
    source: Source,
    *,
    species: str,
    family: str,
    seed: int,
    strength: float | None = None,
    framing: str = "tight",
    size: tuple[int, int] | None = None,
    other: Source | None = None,
) -> Shot:
    """A picture of an attack made from ``source``; the same arguments give the same bytes on one machine.

    Args:
        source: the bona fide picture; with a mesh where the attack is warped on the face.
        species, family: one of :func:`families`.
        seed: whole number from 0.
        strength: 0-1; None draws it between 0.35 and 1.
        framing: ``tight`` or ``scene``; pictures changed digitally have no scene.
        size: (height, width) of the result; None takes the source's, half as large again in a scene.
        other: a second person, for swaps, morphs and the wearer of a mask; None where the family can do without.

    Raises:
        AttackUnknownError: no such species, family or framing.
        AttackInputError: size, strength or seed out of range, a mesh or a second person is missing.
    """
    return _shoot(source, species, family, seed, strength, framing, size, other, twin=False).attack


def pair(
    source: Source,
    *,
    species: str,
    family: str,
    seed: int,
    strength: float | None = None,
    framing: str = "tight",
    size: tuple[int, int] | None = None,
    other: Source | None = None,
) -> Pair:
    """The picture :func:`attack` makes, and its bona fide twin.

    The twin is the source through the same view, camera, noise level, scaling and JPEG qualities. Its exposure has the
    same target and its lens is defocused (or its picture sharpened) until both are equally sharp, so that size, JPEG
    quality, blur and mean colour do not tell them apart. Arguments and errors as :func:`attack`.
    """
    return _shoot(source, species, family, seed, strength, framing, size, other, twin=True)


def bona_fide(
    source: Source, *, seed: int, framing: str = "tight", size: tuple[int, int] | None = None, camera: bool = True
) -> Shot:
    """``source`` through a capture drawn by ``seed``, without a counterpart; for training take :func:`pair`.

    Raises:
        AttackUnknownError: no such framing.
        AttackInputError: size or seed out of range.
    """
    _check(seed, 0.0, framing, size)
    scene = _scene(source, BONA_FIDE, "capture", seed, framing, size, camera)
    out = _final_shape(source, framing, size)
    light = bona_fide_light(scene) if camera else _resampled(scene, scene.light)
    target = _target(light, scene.chain)
    return _finish(light, target, scene, out, _label(BONA_FIDE, "capture", seed, 0.0, scene, {}), "bona fide")


def _check(seed: int, strength: float, framing: str, size: tuple[int, int] | None) -> None:
    if framing not in FRAMINGS:
        raise AttackUnknownError(f"there is no framing {framing!r}.", hint=f"Known: {', '.join(FRAMINGS)}.")
    if seed < 0:
        raise AttackInputError(f"seeds count from 0, got {seed}.", hint="Give a whole number from 0.")
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        raise AttackInputError(f"strength goes from 0 to 1, got {strength}.", hint="Give a number within.")
    if size is not None and (min(size) < LEAST_SIDE or max(size) > MOST_SIDE):
        raise AttackInputError(
            f"pictures are {LEAST_SIDE} to {MOST_SIDE} pixels a side, got {size}.", hint="Choose a size within."
        )


def _shoot(
    source: Source,
    species: str,
    family: str,
    seed: int,
    strength: float | None,
    framing: str,
    size: tuple[int, int] | None,
    other: Source | None,
    *,
    twin: bool,
) -> Pair:
    known = families()
    if species not in known:
        raise AttackUnknownError(f"there is no species {species!r}.", hint=f"Known: {', '.join(known)}.")
    if family not in known[species]:
        raise AttackUnknownError(f"{species} has no family {family!r}.", hint=f"Known: {', '.join(known[species])}.")
    given = strength if strength is not None else float(generator(seed, "strength", species, family).uniform(0.35, 1))
    _check(seed, given, framing, size)
    if species in DIGITAL and framing != "tight":
        raise AttackUnknownError(f"{species} is made after capture and has no scene.", hint="Leave framing at 'tight'.")
    scene = _scene(source, species, family, seed, framing, size, species not in DIGITAL)
    draw = Draw(generator(seed, "instrument", species, family))
    if species in RECAPTURED:
        light = RECAPTURED[species][family](scene, given, draw)
        own = bona_fide_light(scene)
    elif species in WORN:
        worn = WORN[species][family](source, other, given, draw)
        light = bona_fide_light(scene, worn)
        own = bona_fide_light(scene)
    else:
        light = _resampled(scene, DIGITAL[species][family](source, other, given, draw))
        own = _resampled(scene, scene.light)
    target = _target(own, scene.chain)
    out = _final_shape(source, framing, size)
    light, own, amounts = _equally_sharp(light, own, scene, target, out, twin=twin)
    facts = {**draw.facts, "softened": amounts[0]}
    shot = _finish(light, target, scene, out, _label(species, family, seed, given, scene, facts), "attack")
    if not twin:
        return Pair(shot, shot)
    facts = {"twin_of": [species, family], "softened": amounts[1]}
    fair = _finish(own, target, scene, out, _label(BONA_FIDE, "capture", seed, 0.0, scene, facts), "bona fide")
    return Pair(fair, shot)


def _equally_sharp(
    light: Light, own: Light, scene: Scene, target: NDArray[np.float64], out: tuple[int, int], *, twin: bool
) -> tuple[Light, Light, tuple[float, float]]:
    """The attack's and the twin's light, equally sharp as exposed, and how much each was softened for it.

    It is the twin that is defocused or sharpened; only where a raster is harsher than any sharpening can answer, the
    attack is softened by what is left. Where no twin is wanted, it is returned as it came.
    """
    where = None
    if scene.framing != "tight":
        where = np.asarray(scene.outside(*scene.grid) < -0.08 * min(scene.source.size), np.uint8)
    middle = _middle(scene.shape[0]), _middle(scene.shape[1])
    if where is None:  # the middle is enough to judge by, and cheaper
        seen_shape = [part.stop - part.start for part in middle]
        out = (
            round(out[0] * seen_shape[0] / scene.shape[0]),
            round(out[1] * seen_shape[1] / scene.shape[1]),
        )

    def exposed(light: Light) -> Plane:
        seen = light if where is not None else np.ascontiguousarray(light[middle])
        return luminance(seen, LUMINANCE * capture.gains(light, scene.chain, target))

    theirs, mine = exposed(light), exposed(own)
    wanted = capture.sharpness(theirs, where, out)
    most = capture.sharpness(capture.softened(mine, capture.SHARPEST), where, out)
    less = 0.0
    if wanted > most:
        less = capture.match_sharpness(theirs, most, where, out, sharpen=False)
        light = capture.softened(light, less)
        wanted = most
    if not twin or abs(wanted - capture.sharpness(mine, where, out)) < 0.02:
        return light, own, (less, 0.0)
    amount = capture.match_sharpness(mine, wanted, where, out)
    return light, capture.softened(own, amount), (less, amount)


def _middle(side: int) -> slice:
    return slice(max(0, (side - _LOOKED_AT) // 2), min(side, (side + _LOOKED_AT) // 2))


def _label(
    species: str, family: str, seed: int, strength: float, scene: Scene, facts: Mapping[str, object]
) -> AttackLabel:
    parameters = {**facts, "view": dict(scene.facts), "capture": scene.chain.to_dict()}
    return AttackLabel(species, family, seed, strength, scene.framing, parameters)


def _final_shape(source: Source, framing: str, size: tuple[int, int] | None) -> tuple[int, int]:
    if size is not None:
        return size
    height, width = source.size
    part = 1.0 if framing == "tight" else 1.5
    return max(LEAST_SIDE, round(part * height)), max(LEAST_SIDE, round(part * width))


def _scene(
    source: Source, species: str, family: str, seed: int, framing: str, size: tuple[int, int] | None, camera: bool
) -> Scene:
    chain = draw_chain(generator(seed, "chain", species, family), camera=camera)
    out = _final_shape(source, framing, size)
    scale = min(chain.sensor_scale, max(1.0, _LARGEST_SENSOR / max(out)))
    shape = (2 * max(16, round(out[0] * scale / 2)), 2 * max(16, round(out[1] * scale / 2)))
    draw = Draw(generator(seed, "view", species, family))
    view = draw_view(draw, source.size, shape, framing) if camera else _upright(draw, source.size, shape)
    return Scene(source, view, chain, framing, seed, draw.facts)


def _upright(draw: Draw, source_shape: tuple[int, int], shape: tuple[int, int]) -> View:
    """A crop of the source, scaled: what a file goes through that no camera sees again."""
    zoom = draw.uniform("zoom", 1.0, 1.15) if draw.flag("cropped", 0.5) else 1.0
    x, y = draw.uniform("crop_x", 0, 1), draw.uniform("crop_y", 0, 1)
    height, width = source_shape
    scale = zoom * max(shape[0] / height, shape[1] / width)
    left, top = x * (scale * width - shape[1]), y * (scale * height - shape[0])
    return View(np.array([[scale, 0, -left], [0, scale, -top], [0, 0, 1.0]]), shape, source_shape)


def _resampled(scene: Scene, light: Light) -> Light:
    return scene.show(light)


def _target(own: Light, chain: CaptureChain) -> NDArray[np.float64]:
    """What exposure aims at: the source's own level, changed as the chain says, not beyond what stays unclipped."""
    wanted = capture.mean_shown(own) * np.sqrt(np.asarray(chain.exposure))
    return np.asarray(np.clip(wanted, 0.08, 0.86))


def _finish(
    light: Light, target: NDArray[np.float64], scene: Scene, out: tuple[int, int], label: AttackLabel, role: str
) -> Shot:
    exposed = capture.expose(light, scene.chain, target)
    if scene.chain.camera:
        noise = generator(label.seed, "noise", role, label.species, label.family)
        shown = capture.develop(exposed, scene.chain, noise)
    else:
        shown = raw_to_shown(to_raw(exposed))
    pixels, data = capture.deliver(shown, scene.chain, out)
    height, width = scene.shape
    scale = np.diag([out[1] / width, out[0] / height, 1.0])
    return Shot(pixels, data, label, scale @ scene.view.homography)
