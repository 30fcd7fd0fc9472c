"""The iris template: a binary code with its mask, packed one 64-bit word per column, pinned to its embedding space.

A code is an array of bits with the axes rows, columns, filters, parts: ``rows`` rings of the unwrapped iris from pupil
to limbus, ``columns`` angles, ``filters`` wavelets, and the signs of the real and imaginary ``parts`` of each response
(Daugman, "How iris recognition works", IEEE TCSVT 14(1), 2004). Bit ``(row * filters + filter) * parts + part`` of word
``column`` holds it, so that a rotation of the eye by k columns is a rotation of the word array by k.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from samebody.errors import StorageError
from samebody.iris.errors import InvalidIrisTemplateError, IrisTemplateFormatError, IrisTemplateVersionError

Eye = Literal["left", "right", "unknown"]
EYES: tuple[str, ...] = get_args(Eye)
"""Which eye a template is of, as the person has it; a comparison of ``left`` with ``right`` is refused."""

ROWS, FILTERS, PARTS = 16, 2, 2
"""Axes of a code beside its columns; their product fills one 64-bit word."""
COLUMNS = 200
"""Columns of samebody's own code: 12,800 bits."""
OPEN_IRIS_COLUMNS = 256
"""Columns of the public open-iris shape: 16,384 bits."""
MAX_COLUMNS = 4096

Words = NDArray[np.uint64]

_MAGIC = b"\x89IRT\r\n\x1a\n"
_FORMAT = 1
_HEAD = struct.Struct("<8sHBBHHH")
"""Magic, format version, eye, reserved, columns, bytes of the space, bytes of the version; strings follow."""
_CHECKSUM_BYTES = 16
_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True, eq=False)
class IrisTemplate:
    """One iris, as bits.

    Attributes:
        code: (columns,) uint64, bits of the code; ``repr`` never prints it. A bit whose mask is 0 has no meaning.
        mask: (columns,) uint64, 1 = the bit of the code is usable.
        eye: ``left``, ``right`` or ``unknown``.
        space: digest of what made the code (pipeline parameters and code version); only equal spaces compare.
        version: of the encoder, for people; the comparison asks for ``space``.

    Raises:
        InvalidIrisTemplateError: shapes or dtypes differ from the above, or a label is not one of its values.
    """

    code: Words = field(repr=False)
    mask: Words = field(repr=False)
    eye: Eye = "unknown"
    space: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        for name in ("code", "mask"):
            words = getattr(self, name)
            if not isinstance(words, np.ndarray) or words.dtype != np.uint64 or words.ndim != 1:
                found = f"{words.dtype} {words.shape}" if isinstance(words, np.ndarray) else type(words).__name__
                raise InvalidIrisTemplateError(f"{name} must be an array of uint64 with one axis, not {found}.")
            if words.flags.writeable:
                words = words.copy()
                words.flags.writeable = False
                object.__setattr__(self, name, words)
        if self.code.shape != self.mask.shape or not 1 <= self.code.size <= MAX_COLUMNS:
            raise InvalidIrisTemplateError(
                f"code and mask must have the same 1 to {MAX_COLUMNS} columns, "
                f"not {self.code.size} and {self.mask.size}."
            )
        if self.eye not in EYES:
            raise InvalidIrisTemplateError(f"there is no eye {self.eye!r}.", hint=f"Use one of {', '.join(EYES)}.")
        for name in ("space", "version"):
            if not isinstance(getattr(self, name), str) or len(getattr(self, name).encode()) > _MAX_TEXT:
                raise InvalidIrisTemplateError(f"{name} must be a text of at most {_MAX_TEXT} bytes.")

    @property
    def columns(self) -> int:
        """Number of angles of the code."""
        return int(self.code.size)

    @property
    def bits(self) -> int:
        """All bits of the code, usable or not."""
        return self.columns * ROWS * FILTERS * PARTS

    @property
    def usable_bits(self) -> int:
        """Bits whose mask is 1."""
        return int(popcount(self.mask).sum())

    @classmethod
    def from_bits(
        cls,
        code: NDArray[np.bool_],
        mask: NDArray[np.bool_],
        *,
        eye: Eye = "unknown",
        space: str = "",
        version: str = "",
    ) -> IrisTemplate:
        """A template of two bool arrays (rows 16, columns, filters 2, parts 2).

        Raises:
            InvalidIrisTemplateError: the arrays have another shape or dtype.
        """
        return cls(pack_bits(code), pack_bits(mask), eye=eye, space=space, version=version)

    def to_bits(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Code and mask as bool arrays (rows 16, columns, filters 2, parts 2)."""
        return unpack_words(self.code), unpack_words(self.mask)

    def to_bytes(self) -> bytes:
        """The template as bytes that :meth:`from_bytes` reads; ends with a checksum, and is not sealed."""
        space, version = self.space.encode(), self.version.encode()
        head = _HEAD.pack(_MAGIC, _FORMAT, EYES.index(self.eye), 0, self.columns, len(space), len(version))
        body = b"".join((head, space, version, self.code.astype("<u8").tobytes(), self.mask.astype("<u8").tobytes()))
        return body + hashlib.sha256(body).digest()[:_CHECKSUM_BYTES]

    def save(self, path: Path | str) -> Path:
        """Write :meth:`to_bytes` to a file, whole or not at all.

        Raises:
            StorageError: it cannot be written; what stood there before is untouched.
        """
        target, temporary = Path(path), None
        try:
            handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            with os.fdopen(handle, "wb") as stream:
                stream.write(self.to_bytes())
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(target)  # keeps the mode 0600 of the temporary file: a template is nobody else's
        except OSError as error:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            raise StorageError(
                f"{target} cannot be written: {error.strerror}.", hint="Free some space or choose another place."
            ) from None
        return target

    @classmethod
    def load(cls, path: Path | str) -> IrisTemplate:
        """Read what :meth:`save` wrote.

        Raises:
            IrisTemplateFormatError, IrisTemplateVersionError: as :meth:`from_bytes`; or the file cannot be read.
        """
        try:
            return cls.from_bytes(Path(path).read_bytes())
        except OSError as error:
            raise IrisTemplateFormatError(f"{path} cannot be read: {error.strerror}.") from None

    @classmethod
    def from_bytes(cls, data: bytes) -> IrisTemplate:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            IrisTemplateFormatError: not a template, cut short, with bytes too many, or altered (checksum).
            IrisTemplateVersionError: written by a newer format.
        """
        if len(data) < _HEAD.size or data[: len(_MAGIC)] != _MAGIC:
            raise IrisTemplateFormatError(
                "this is no iris template.", hint="Make one with: samebody iris encode PICTURE --out FILE.irt"
            )
        _, number, eye, _, columns, space_size, version_size = _HEAD.unpack_from(data)
        if number > _FORMAT:
            raise IrisTemplateVersionError(
                f"the iris template has format {number}, this samebody reads up to {_FORMAT}.", hint="Update samebody."
            )
        words_at = _HEAD.size + space_size + version_size
        end = words_at + 16 * columns
        if len(data) != end + _CHECKSUM_BYTES:
            raise IrisTemplateFormatError(
                f"the iris template should have {end + _CHECKSUM_BYTES} bytes and has {len(data)}: it was cut or "
                "joined.",
                hint="Take it from its source again.",
            )
        if hashlib.sha256(data[:end]).digest()[:_CHECKSUM_BYTES] != data[end:]:
            raise IrisTemplateFormatError(
                "the iris template does not fit its checksum: it was altered.", hint="Take it from its source again."
            )
        if eye >= len(EYES):
            raise IrisTemplateFormatError(f"the iris template names eye {eye}, which does not exist.")
        try:
            space = data[_HEAD.size : _HEAD.size + space_size].decode()
            version = data[_HEAD.size + space_size : words_at].decode()
        except UnicodeDecodeError:
            raise IrisTemplateFormatError("the iris template's space or version is no UTF-8 text.") from None
        words = np.frombuffer(data, dtype="<u8", count=2 * columns, offset=words_at).astype(np.uint64)
        return cls(words[:columns], words[columns:], eye=cast(Eye, EYES[eye]), space=space, version=version)


def popcount(words: Words) -> NDArray[np.uint8]:
    """How many bits are set in each word; same shape as ``words``."""
    counts: NDArray[np.uint8]
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts = np.bitwise_count(words)
    else:
        octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)
        counts = np.unpackbits(octets, axis=-1).sum(axis=-1, dtype=np.uint8)
    return counts


def pack_bits(bits: NDArray[np.bool_]) -> Words:
    """Pack (rows 16, columns, filters 2, parts 2) bool into (columns,) uint64, one word per column.

    Raises:
        InvalidIrisTemplateError: another shape or dtype.
    """
    array: Any = bits
    if not (
        isinstance(array, np.ndarray)
        and array.dtype == np.bool_
        and array.ndim == 4
        and (array.shape[0], *array.shape[2:]) == (ROWS, FILTERS, PARTS)
    ):
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise InvalidIrisTemplateError(
            f"bits must be bool of shape ({ROWS}, columns, {FILTERS}, {PARTS}), not {found}."
        )
    columns = bits.shape[1]
    flat = np.ascontiguousarray(bits.transpose(1, 0, 2, 3)).reshape(columns, ROWS * FILTERS * PARTS)
    return np.packbits(flat, axis=1, bitorder="little").view("<u8").reshape(columns).astype(np.uint64)


def unpack_words(words: Words) -> NDArray[np.bool_]:
    """The inverse of :func:`pack_bits`: (columns,) uint64 to (rows 16, columns, filters 2, parts 2) bool."""
    octets = np.ascontiguousarray(words, dtype="<u8").view(np.uint8).reshape(words.size, 8)
    bits = np.unpackbits(octets, axis=1, bitorder="little").reshape(words.size, ROWS, FILTERS, PARTS)
    return np.ascontiguousarray(bits.transpose(1, 0, 2, 3)).astype(np.bool_)
