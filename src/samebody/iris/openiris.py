"""Templates of open-iris (its JSON form), taken over and handed back bit for bit, and the distances its matchers give.

open-iris (Worldcoin, MIT licence) writes a template as three texts: ``iris_codes`` and ``mask_codes``, base64 of the
bits of an array (rows 16, columns 256, wavelets 2, parts 2) packed most significant bit first, and
``iris_code_version``. That is the public shape of its ``IrisTemplate.serialize`` as of version 1.11.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from samebody.iris.compare import overlap_counts, require_comparable, rotation_order
from samebody.iris.errors import InvalidIrisTemplateError, OpenIrisFormatError, TooFewBitsError
from samebody.iris.space import PRECISION, code_shape
from samebody.iris.template import EYES, FILTERS, MAX_COLUMNS, PARTS, ROWS, Eye, IrisTemplate
from samebody.types import EmbeddingSpace

FALLBACK_VERSION = "v0.0"
"""Written where a template's version is not of the form ``v1.2`` that open-iris asks for."""

_VERSION = re.compile(r"v[0-9]+\.[0-9]+")
_OWN_KEY = "samebody"
_BYTES_PER_COLUMN = ROWS * FILTERS * PARTS // 8


def open_iris_space(iris_code_version: str, columns: int) -> EmbeddingSpace:
    """The space of templates that open-iris made: only templates of one ``iris_code_version`` and shape compare."""
    return EmbeddingSpace("open-iris", iris_code_version, "0" * 64, code_shape(columns), PRECISION)


def to_open_iris(template: IrisTemplate) -> dict[str, Any]:
    """The template as the dictionary that open-iris's ``IrisTemplate.deserialize`` reads; ``json.dumps`` takes it.

    A key of our own carries eye, space and version; open-iris passes over it. Codes of other than 256 columns need
    ``array_shape=(16, columns, 2, 2)`` there.
    """
    code, mask = template.to_bits()
    version = template.version if _VERSION.fullmatch(template.version) else FALLBACK_VERSION
    return {
        "iris_codes": base64.b64encode(np.packbits(code).tobytes()).decode("ascii"),
        "mask_codes": base64.b64encode(np.packbits(mask).tobytes()).decode("ascii"),
        "iris_code_version": version,
        _OWN_KEY: {"eye": template.eye, "space": template.space, "version": template.version},
    }


def from_open_iris(document: str | bytes | Mapping[str, Any], *, eye: Eye = "unknown") -> IrisTemplate:
    """An open-iris template as one of ours.

    Args:
        document: JSON text, or the dictionary; also a pipeline's output with the template under ``iris_template``.
        eye: which eye it is of, where the document does not say.

    Raises:
        OpenIrisFormatError: something is missing, of another shape, or not readable; all mistakes are named.
    """
    fields = _fields(document)
    mistakes: list[str] = []
    bits = [_bits(fields, name, mistakes) for name in ("iris_codes", "mask_codes")]
    version = fields.get("iris_code_version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        mistakes.append(f"iris_code_version: a text such as 'v2.1' is expected, not {version!r:.40}")
    if bits[0] is not None and bits[1] is not None and bits[0].shape != bits[1].shape:
        mistakes.append(f"iris_codes and mask_codes have {bits[0].shape[1]} and {bits[1].shape[1]} columns")
    own = fields.get(_OWN_KEY, {})
    if not isinstance(own, Mapping) or not all(isinstance(own.get(k, ""), str) for k in ("eye", "space", "version")):
        mistakes.append(f"{_OWN_KEY}: an object of texts eye, space, version is expected")
    elif own and own.get("eye", "unknown") not in EYES:
        mistakes.append(f"{_OWN_KEY}.eye: one of {', '.join(EYES)} is expected")
    if mistakes:
        raise OpenIrisFormatError(
            f"this is no open-iris template: {'; '.join(mistakes)}.", hint="Give the output of IrisTemplate.serialize."
        )
    code, mask = cast(list[NDArray[np.bool_]], bits)
    version = cast(str, version)
    return IrisTemplate.from_bits(
        code,
        mask,
        eye=cast(Eye, own.get("eye", eye)),
        space=own.get("space", open_iris_space(version, code.shape[1]).digest),
        version=own.get("version", version),
    )


def _fields(document: str | bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    parsed: Any = document
    if isinstance(document, (str, bytes)):
        try:
            parsed = json.loads(document)
        except (ValueError, RecursionError):
            raise OpenIrisFormatError("this is no JSON.", hint="Give the output of IrisTemplate.serialize.") from None
    if isinstance(parsed, Mapping) and isinstance(parsed.get("iris_template"), Mapping):
        parsed = parsed["iris_template"]
    if not isinstance(parsed, Mapping):
        raise OpenIrisFormatError("an open-iris template is an object with iris_codes, mask_codes, iris_code_version.")
    return parsed


def _bits(fields: Mapping[str, Any], name: str, mistakes: list[str]) -> NDArray[np.bool_] | None:
    text = fields.get(name)
    if not isinstance(text, str):
        mistakes.append(f"{name}: a base64 text is expected, not {type(text).__name__}")
        return None
    try:
        octets = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError):
        mistakes.append(f"{name}: not base64")
        return None
    columns, rest = divmod(octets.size, _BYTES_PER_COLUMN)
    if rest or not 1 <= columns <= MAX_COLUMNS:
        mistakes.append(f"{name}: {octets.size} bytes are no code of {ROWS} rows, {FILTERS} wavelets, {PARTS} parts")
        return None
    return np.unpackbits(octets).reshape(ROWS, columns, FILTERS, PARTS).astype(np.bool_)


@dataclass(frozen=True, slots=True)
class OpenIrisDistance:
    """What a matcher of open-iris says: a distance, *smaller* is more alike, and the turn of the probe in columns."""

    distance: float
    rotation: int


def open_iris_distance(
    probe: IrisTemplate,
    reference: IrisTemplate,
    matcher: Literal["HammingDistanceMatcher", "SimpleHammingDistanceMatcher"] = "HammingDistanceMatcher",
    *,
    rotation_shift: int = 15,
    normalise: bool | None = None,
    norm_mean: float = 0.45,
    norm_gradient: float = 0.00005,
    separate_half_matching: bool = True,
) -> OpenIrisDistance:
    """The distance that open-iris 1.11 gives for two templates, with its names and defaults of the parameters.

    ``SimpleHammingDistanceMatcher`` is the masked fractional Hamming distance, the smallest over the rotations.
    ``HammingDistanceMatcher`` rescales it as ``max(0, m - (m - HD) (g n + 0.5))`` with mean m, gradient g and n usable
    bits, and takes the mean of the whole and of the two halves weighted by their bits; with halves every bit counts
    twice, in n of the whole too. For figures to compare with: our own score is that of :mod:`samebody.iris.compare`.

    Raises:
        EmbeddingSpaceMismatchError, EyeMismatchError, InvalidIrisTemplateError: as there.
        TooFewBitsError: no usable bit is shared at any rotation (open-iris answers 1.0 then).
    """
    require_comparable(probe, reference)
    simple = matcher == "SimpleHammingDistanceMatcher"
    halves = separate_half_matching and not simple
    rescale = normalise if normalise is not None else not simple
    if halves and probe.columns % 2:
        raise InvalidIrisTemplateError(
            "halves need an even number of columns.", hint="Use separate_half_matching=False."
        )
    turns = rotation_order(rotation_shift)
    differing, shared = overlap_counts(probe, reference, turns)
    twice = 2 if halves else 1
    best, turn = 1.0, None
    for index in np.flatnonzero(shared.sum(axis=1) > 0):
        d, n = twice * differing[index], twice * shared[index]
        distance = float(d.sum() / n.sum())
        if rescale:
            distance = _rescaled(float(d.sum()), float(n.sum()), norm_mean, norm_gradient)
            if halves:
                # as open-iris has it: an empty second half makes both halves neutral, an empty first one weighs nothing
                parts = [
                    _rescaled(float(a), float(b), norm_mean, norm_gradient) if n[1] and b else norm_mean
                    for a, b in zip(d, n)
                ]
                distance = (distance + float(np.dot(parts, n)) / float(n.sum())) / 2
        if turn is None or distance < best:
            best, turn = distance, int(turns[index])
    if turn is None:
        raise TooFewBitsError("the two templates share no usable bit.", hint="Encode better pictures of the eyes.")
    return OpenIrisDistance(best, turn)


def _rescaled(differing: float, shared: float, mean: float, gradient: float) -> float:
    return max(0.0, mean - (mean - differing / shared) * (gradient * shared + 0.5))
