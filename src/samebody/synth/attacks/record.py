"""What a synthetic attack says about itself: species, generator family, and every value that was drawn for it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.errors import InputError, UsageError
from samebody.types import Pixels

BONA_FIDE = "bona_fide"
"""Stands where a label names a PAI species and the picture is no attack."""


class AttackInputError(InputError):
    """The picture or the mesh that an attack shall be made from cannot be used."""

    code = "synth.attack_input"


class AttackUnknownError(UsageError):
    """There is no such species, generator family or framing."""

    code = "synth.attack_unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A bona fide picture that attacks are made from.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, at least 32 pixels a side.
        landmarks: (468 or 478, 2 or 3) mesh points in pixels as :class:`samebody.face.FaceMesh` has them; None where
            the attack needs none.

    Raises:
        AttackInputError: another shape or dtype, too small, or points that are not finite.
    """

    pixels: Pixels
    landmarks: NDArray[np.floating[Any]] | None = None

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8 or min(shape[:2]) < 32:
            raise AttackInputError(
                f"an attack is made from (height, width, 3) uint8 pixels of 32 or more a side, got {shape} {dtype}.",
                hint="Decode the picture with samebody.capture first, or choose a larger one.",
            )
        points = self.landmarks
        if points is None:
            return
        if points.ndim != 2 or points.shape[0] not in (468, 478) or points.shape[1] not in (2, 3):
            raise AttackInputError(
                f"the mesh has 468 or 478 points of 2 or 3 coordinates, got shape {points.shape}.",
                hint="Take the points of samebody.face's mesh in pixels of this picture.",
            )
        if not np.isfinite(points).all():
            raise AttackInputError("the mesh has points that are not finite.", hint="Leave this picture out.")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    def mesh(self) -> NDArray[np.float64]:
        """(n, 2) mesh points.

        Raises:
            AttackInputError: the source has none.
        """
        if self.landmarks is None:
            raise AttackInputError(
                "this attack is warped on the face and needs the points of its mesh.",
                hint="Give Source(pixels, landmarks) with the points of samebody.face's mesh.",
            )
        return np.ascontiguousarray(self.landmarks[:, :2], np.float64)


@dataclass(frozen=True, slots=True)
class AttackLabel:
    """Ground truth of one picture.

    Attributes:
        species: PAI species (ISO/IEC 30107-3), or ``bona_fide``.
        family: the generator; families of one species work on different principles, so that one can be held out whole.
        seed: what was given.
        strength: 0-1, how far the instrument's traces stand out; 0 leaves none but the capture's.
        framing: ``tight`` (the source's own crop), ``scene`` (the instrument and what lies around it).
        parameters: every value drawn, JSON-ready.
    """

    species: str
    family: str
    seed: int
    strength: float
    framing: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    @property
    def is_attack(self) -> bool:
        """False for a bona fide picture."""
        return self.species != BONA_FIDE

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "species": self.species,
            "family": self.family,
            "seed": self.seed,
            "strength": self.strength,
            "framing": self.framing,
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AttackLabel:
        """The label that :meth:`to_dict` wrote.

        Raises:
            AttackInputError: a field is missing or of the wrong kind.
        """
        try:
            return cls(
                str(values["species"]),
                str(values["family"]),
                int(values["seed"]),
                float(values["strength"]),
                str(values["framing"]),
                dict(values["parameters"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise AttackInputError(f"not the label of an attack: {error}.", hint="Use AttackLabel.to_dict.") from None


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A finished picture.

    Attributes:
        pixels: (H, W, 3) uint8 RGB: the decoded file.
        jpeg: the file itself.
        label: the truth.
        homography: (3, 3), pixels of the source (origin at the outer corner of the first pixel) to pixels of this
            picture; exact where the sheet is flat.
    """

    pixels: Pixels
    jpeg: bytes
    label: AttackLabel
    homography: NDArray[np.float64]

    def carry(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(n, 2 or more) points of the source in this picture, (n, 2)."""
        lifted = np.column_stack([np.asarray(points, np.float64)[:, :2], np.ones(len(points))]) @ self.homography.T
        return np.asarray(lifted[:, :2] / lifted[:, 2:])


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """An attack and its bona fide twin: the same source through the same geometry, camera, scaling and JPEG chain."""

    bona_fide: Shot
    attack: Shot


class Draw:
    """Draws values and notes them by name, so that the label holds whatever was drawn.

    Args:
        random: where the values come from.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.facts: dict[str, Any] = {}

    def uniform(self, name: str, low: float, high: float) -> float:
        """Uniform between two bounds."""
        value = float(self.random.uniform(low, high))
        self.note(name, value)
        return value

    def log_uniform(self, name: str, low: float, high: float) -> float:
        """Uniform in the logarithm."""
        value = math.exp(self.random.uniform(math.log(low), math.log(high)))
        self.note(name, value)
        return value

    def normal(self, name: str, deviation: float, limit: float = 2.5) -> float:
        """Normal about 0, cut at ``limit`` deviations."""
        value = float(np.clip(self.random.standard_normal(), -limit, limit)) * deviation
        self.note(name, value)
        return value

    def flag(self, name: str, share: float) -> bool:
        """True in ``share`` of the cases."""
        value = bool(self.random.random() < share)
        self.note(name, value)
        return value

    def choice(self, name: str, options: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
        """One of ``options``."""
        shares = None if weights is None else np.asarray(weights, np.float64) / np.sum(weights)
        return self.note(name, options[int(self.random.choice(len(options), p=shares))])

    def integer(self, name: str, low: int, high: int) -> int:
        """Uniform whole number, both ends included."""
        value = int(self.random.integers(low, high + 1))
        self.note(name, value)
        return value

    def note(self, name: str, value: Any) -> Any:
        """Keep ``value`` under ``name`` and return it."""
        self.facts[name] = value
        return value


def generator(seed: int, *names: object) -> np.random.Generator:
    """Randomness that depends on ``seed`` and on what it is for, and on nothing else."""
    text = "\n".join(map(str, (seed, *names)))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))
