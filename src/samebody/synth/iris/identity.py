"""Who a synthetic eye is: the texture and the shapes that stay the same from capture to capture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from samebody.synth.iris.texture import Field, iris_texture

Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True, eq=False)
class EyeIdentity:
    """One eye of one person that does not exist.

    Lengths are in radii of the limbus; the picture's scale comes with the capture.

    Attributes:
        seed, person, eye: what it was drawn from.
        texture: (radii, angles) float32, see :func:`samebody.synth.iris.texture.iris_texture`.
        reflectance, contrast: grey level of the iris (0-255) and of one standard deviation of its texture.
        pupil_offset: centre of the pupil from the centre of the limbus, in radii.
        pupil_shape, limbus_shape: (3, 2) cosine and sine amplitudes of the contour's 2nd to 4th harmonic, in radii.
        aspect: height of the limbus over its width.
        width, upper, lower: half width of the opening between the lids, and its height above and below the centre.
        tilt: of the line between the corners of the eye, in radians; the outer corner higher is positive.
        skin, sclera: grey levels.
        lashes: seed of the lashes, which keep their places.
        lash_count, lash_length: of the upper lid, length in radii.
        lash_droop: how far the upper lashes hang over the eye, 0-1, before they sweep up.
    """

    seed: int
    person: int
    eye: Side
    texture: Field = field(repr=False)
    reflectance: float
    contrast: float
    pupil_offset: tuple[float, float]
    pupil_shape: tuple[tuple[float, float], ...]
    limbus_shape: tuple[tuple[float, float], ...]
    aspect: float
    width: float
    upper: float
    lower: float
    tilt: float
    skin: float
    sclera: float
    lashes: int
    lash_count: int
    lash_length: float
    lash_droop: float

    @property
    def label(self) -> str:
        """``seed/person/eye``."""
        return f"{self.seed}/{self.person}/{self.eye}"


def draw_identity(seed: int, person: int, eye: Side = "left") -> EyeIdentity:
    """The eye number ``person`` of the population ``seed``; the same arguments give the same eye.

    The two eyes of a person share shapes and grey levels; their textures are independent of each other.

    Args:
        seed, person: not negative.
    """
    shared = np.random.default_rng(np.random.SeedSequence([seed, person, 101]))
    own = np.random.default_rng(np.random.SeedSequence([seed, person, 1 if eye == "left" else 2]))
    reflectance, contrast = float(shared.uniform(80, 125)), float(shared.uniform(9, 17))
    width, upper = float(shared.uniform(2.3, 2.9)), float(shared.uniform(0.86, 1.12))
    lower, tilt = float(shared.uniform(0.93, 1.12)), float(shared.normal(0.06, 0.05))
    skin, sclera = float(shared.uniform(150, 220)), float(shared.uniform(145, 190))
    count, length = int(shared.integers(30, 75)), float(shared.uniform(0.35, 0.7))
    droop = float(max(0.0, shared.uniform(-0.4, 0.9)))

    def harmonics(scale: float) -> tuple[tuple[float, float], ...]:
        return tuple(
            (float(own.normal(0, scale / order)), float(own.normal(0, scale / order))) for order in range(1, 4)
        )

    return EyeIdentity(
        seed=seed,
        person=person,
        eye=eye,
        texture=iris_texture(own),
        reflectance=reflectance,
        contrast=contrast,
        pupil_offset=(float(own.normal(0.03 if eye == "left" else -0.03, 0.02)), float(own.normal(0.01, 0.02))),
        pupil_shape=harmonics(0.008),
        limbus_shape=harmonics(0.006),
        aspect=float(own.uniform(0.97, 1.0)),
        width=width,
        upper=upper * float(own.normal(1, 0.02)),
        lower=lower * float(own.normal(1, 0.02)),
        tilt=tilt,
        skin=skin,
        sclera=sclera,
        lashes=int(own.integers(0, 2**31)),
        lash_count=count,
        lash_length=length,
        lash_droop=droop,
    )
