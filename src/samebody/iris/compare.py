"""One-to-one comparison of two iris codes: masked fractional Hamming distance, the best of several rotations.

At rotation r the probe is turned by r columns and

    HD = popcount((code_p ^ code_r) & mask_p & mask_r) / n,  n = popcount(mask_p & mask_r)

(Daugman, IEEE TCSVT 14(1), 2004). The fewer bits were compared, the more a distance varies by chance; rescaled by

    HDn = 0.5 - (0.5 - HD) * sqrt(n / N0)

it varies alike whatever n is (Daugman, "New methods in iris recognition", IEEE TSMC-B 37(5), 2007). The smallest HDn of
all rotations counts, and the score is the similarity ``1 - HDn``. Bulk comparison is in samebody.kernels and
samebody.search; this module is their meaning for a single pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody.errors import EmbeddingSpaceMismatchError
from samebody.iris.errors import EyeMismatchError, InvalidIrisTemplateError, TooFewBitsError
from samebody.iris.template import IrisTemplate, Words, popcount
from samebody.stage import Parameters

ROTATIONS = 15
"""Columns that a probe is turned either way: 27 degrees of 200 columns, 21 of 256."""
REFERENCE_BITS = 12_800
"""N0: a pair that shares this many usable bits keeps its distance; with all bits of samebody's own code the score is
between 0 and 1. Every pair shares the factor 1 / sqrt(N0), so its choice moves thresholds and no decision."""
MINIMUM_BITS = 1_600
"""Pairs that share fewer usable bits are not comparable: one eighth of samebody's own code."""


class ComparisonParameters(Parameters):
    """How two codes are compared.

    Attributes:
        rotations: columns the probe is turned either way.
        minimum_bits: rotations at which fewer usable bits are shared do not count.
        normalisation: ``sqrt`` as above, or ``none`` for the plain HD.
        reference_bits: N0 of ``sqrt``.
        halves: mean of the distance as a whole and of those of the two halves (columns 0 to half, half to end: below
            and above the pupil), each normalised by twice its own usable bits and weighted by them: what was found in a
            half of which little is usable moves the score less. Follows open-iris's ``separate_half_matching``.
    """

    rotations: int = Field(default=ROTATIONS, ge=0, le=2048)
    minimum_bits: int = Field(default=MINIMUM_BITS, ge=1)
    normalisation: Literal["sqrt", "none"] = "sqrt"
    reference_bits: int = Field(default=REFERENCE_BITS, ge=1)
    halves: bool = False


DEFAULT = ComparisonParameters()


@dataclass(frozen=True, slots=True)
class IrisComparison:
    """The outcome of one comparison.

    Attributes:
        score: ``1 - normalised_distance``, rounded to float32; accept if ``score >= threshold``.
        distance: plain fractional Hamming distance at the best rotation, 0-1, for people.
        normalised_distance: what the score is made of.
        rotation: columns the probe was turned at best; positive towards higher columns.
        usable_bits: shared at that rotation.
        disagreeing_bits: of these, those that differ.
        space: digest of the space of both templates.
        eye: of the templates; ``unknown`` when one of them does not know.
    """

    score: float
    distance: float
    normalised_distance: float
    rotation: int
    usable_bits: int
    disagreeing_bits: int
    space: str
    eye: str


def compare_irises(
    probe: IrisTemplate, reference: IrisTemplate, parameters: ComparisonParameters = DEFAULT
) -> IrisComparison:
    """Compare two templates of one space and one eye.

    Raises:
        EmbeddingSpaceMismatchError: made by different pipelines.
        EyeMismatchError: one is of a left eye and one of a right eye.
        InvalidIrisTemplateError: different columns; halves of an odd number of columns.
        TooFewBitsError: at no rotation do they share ``minimum_bits`` usable bits.
    """
    require_comparable(probe, reference)
    turns = rotation_order(parameters.rotations)
    differing, shared = overlap_counts(probe, reference, turns)
    usable = shared.sum(axis=1) >= parameters.minimum_bits
    if not usable.any():
        raise TooFewBitsError(
            f"the two templates share at most {int(shared.sum(axis=1).max())} usable bits, and "
            f"{parameters.minimum_bits} are needed.",
            hint="Take a picture with the eye wide open, without reflections.",
        )
    distances = np.where(usable, normalised_distances(differing, shared, parameters), np.inf)
    best = int(np.argmin(distances))  # the first of equal ones, so the smallest turn
    bits, disagreeing = int(shared[best].sum()), int(differing[best].sum())
    return IrisComparison(
        score=float(np.float32(1.0 - distances[best])),
        distance=disagreeing / bits,
        normalised_distance=float(distances[best]),
        rotation=int(turns[best]),
        usable_bits=bits,
        disagreeing_bits=disagreeing,
        space=probe.space,
        eye=probe.eye if probe.eye == reference.eye else "unknown",
    )


def require_comparable(probe: IrisTemplate, reference: IrisTemplate) -> None:
    """Raise unless both templates have one space, one number of columns, and not two different eyes.

    Raises:
        EmbeddingSpaceMismatchError, EyeMismatchError, InvalidIrisTemplateError.
    """
    if probe.space != reference.space:
        raise EmbeddingSpaceMismatchError(
            f"iris templates of the spaces {probe.space or '(none)'} ({probe.version or 'no version'}) and "
            f"{reference.space or '(none)'} ({reference.version or 'no version'}) cannot be compared.",
            hint="Encode both pictures again with one pipeline.",
        )
    if "unknown" not in (probe.eye, reference.eye) and probe.eye != reference.eye:
        raise EyeMismatchError(
            f"a {probe.eye} eye cannot be compared with a {reference.eye} eye: the two irises of a person differ.",
            hint="Compare pictures of the same eye; encode with --eye unknown if it is not known which one it is.",
        )
    if probe.columns != reference.columns:
        raise InvalidIrisTemplateError(f"codes of {probe.columns} and {reference.columns} columns cannot be compared.")


def rotation_order(rotations: int) -> NDArray[np.int64]:
    """(2 rotations + 1,) turns in columns, smallest first: 0, -1, 1, -2, 2, ..."""
    steps = np.arange(1, rotations + 1, dtype=np.int64)
    return np.concatenate([np.zeros(1, dtype=np.int64), np.stack([-steps, steps], axis=1).ravel()])


def overlap_counts(
    probe: IrisTemplate, reference: IrisTemplate, turns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Differing and shared usable bits, each (turns, 2): below (first half of the columns) and above the pupil."""
    columns = probe.columns
    source = (np.arange(columns)[None, :] - turns[:, None]) % columns
    shared = probe.mask[source] & reference.mask[None, :]
    differing = (probe.code[source] ^ reference.code[None, :]) & shared
    return _by_half(differing), _by_half(shared)


def _by_half(words: Words) -> NDArray[np.int64]:
    """(..., 2) bits set in the first and the second half of the last axis."""
    counts, middle = popcount(words), words.shape[-1] // 2
    return np.stack(
        [counts[..., :middle].sum(axis=-1, dtype=np.int64), counts[..., middle:].sum(axis=-1, dtype=np.int64)], axis=-1
    )


def normalised_distances(
    differing: NDArray[np.int64], shared: NDArray[np.int64], parameters: ComparisonParameters = DEFAULT
) -> NDArray[np.float64]:
    """(turns,) distances of :func:`overlap_counts`, normalised as ``parameters`` say; NaN where nothing is shared."""
    with np.errstate(invalid="ignore", divide="ignore"):
        distances = _normalised(differing.sum(axis=1), shared.sum(axis=1), parameters)
        if not parameters.halves:
            return distances
        parts = np.where(shared > 0, _normalised(2 * differing, 2 * shared, parameters), 0.5)
        weighted = (parts * shared).sum(axis=1) / shared.sum(axis=1)
    return np.asarray((distances + weighted) / 2, dtype=np.float64)


def _normalised(
    differing: NDArray[np.int64], shared: NDArray[np.int64], parameters: ComparisonParameters
) -> NDArray[np.float64]:
    distance = differing / shared
    if parameters.normalisation == "sqrt":
        distance = 0.5 - (0.5 - distance) * np.sqrt(shared / parameters.reference_bits)
    return np.asarray(distance, dtype=np.float64)


def score_many(
    probe: IrisTemplate, codes: Words, masks: Words, parameters: ComparisonParameters = DEFAULT, chunk: int = 64
) -> NDArray[np.float32]:
    """(n,) scores of one probe against many codes, each as :func:`compare_irises` gives it; -inf where not comparable.

    For measurements over some thousand templates; a search of millions goes through samebody.search.

    Args:
        probe: whose space and eye the caller has checked.
        codes, masks: (n, columns) uint64.
        chunk: codes taken at once.

    Raises:
        InvalidIrisTemplateError: another number of columns.
    """
    if codes.shape != masks.shape or codes.ndim != 2 or codes.shape[1] != probe.columns:
        raise InvalidIrisTemplateError(
            f"codes {codes.shape} and masks {masks.shape} do not fit a probe of {probe.columns} columns."
        )
    turns = rotation_order(parameters.rotations)
    source = (np.arange(probe.columns)[None, :] - turns[:, None]) % probe.columns
    code, mask = probe.code[source][:, None, :], probe.mask[source][:, None, :]
    scores = np.full(len(codes), -np.inf, dtype=np.float32)
    for start in range(0, len(codes), chunk):
        block = slice(start, start + chunk)
        shared = mask & masks[None, block]
        differing, usable = _by_half((code ^ codes[None, block]) & shared), _by_half(shared)
        flat = normalised_distances(differing.reshape(-1, 2), usable.reshape(-1, 2), parameters).reshape(len(turns), -1)
        distances = np.where(usable.sum(axis=2) >= parameters.minimum_bits, flat, np.inf)
        scores[block] = (1.0 - distances.min(axis=0)).astype(np.float32)
    return scores
