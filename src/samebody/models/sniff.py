"""What a file really is, from its bytes: weights are ONNX, TFLite or a zip of TFLite, never a pickle."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath

from samebody.models.errors import UnsafeWeightsError
from samebody.models.record import FileFormat
from samebody.models.sources import PICKLE_SUFFIXES

_MODEL_PROTO_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""Field numbers of ``ModelProto`` (onnx.proto3) and their wire types: 0 a number, 2 a length and bytes."""
_GRAPH_FIELD = 7
_MAX_ZIP_MEMBERS = 64
_MAX_ZIP_PREFIX = 64
"""The first member starts in here: the published bundle aligns its models with a few bytes before it."""
_ZIP_MEMBER_SUFFIXES = frozenset({".tflite", ".binarypb", ".txt", ".json"})


def require_format(data: bytes, expected: FileFormat, *, name: str) -> None:
    """Hold the content of a file against the format that its record states.

    Args:
        data: the whole file.
        expected: format in the record.
        name: of the file or model, for the message.

    Raises:
        UnsafeWeightsError: when the content is of another format; a pickle is called by its name.
    """
    if matches(data, expected):
        return
    if looks_like_pickle(data):
        raise UnsafeWeightsError(
            f"{name} is a pickle or holds one, and a pickle runs code when it is read.",
            hint="Export the model to ONNX and name that file.",
        )
    raise UnsafeWeightsError(
        f"{name} is not a file of format {expected}.", hint="Correct [format] in the record, or export the model again."
    )


def matches(data: bytes, expected: FileFormat) -> bool:
    """Whether ``data`` is, from first to last byte where that can be told, a file of format ``expected``."""
    if expected == "onnx":
        return _is_onnx(data)
    if expected == "tflite":
        return data[4:8] == b"TFL3"
    if expected == "zip":
        return _is_zip_of_models(data)
    magics = {
        "ttf": (b"\x00\x01\x00\x00", b"true"),
        "otf": (b"OTTO",),
        "png": (b"\x89PNG\r\n\x1a\n",),
        "jpeg": (b"\xff\xd8\xff",),
    }
    return data.startswith(magics[expected])


def looks_like_pickle(data: bytes) -> bool:
    """Whether ``data`` is a pickle of protocol 2 or later, a textual pickle, or a zip with a pickle in it.

    Nothing is ever unpickled to find out.
    """
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return any(PurePosixPath(name).suffix.lower() in PICKLE_SUFFIXES for name in archive.namelist())
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return False
    return data[-1:] == b"." and data[:1] in (b"(", b"c", b"]", b"}", b"I", b"S", b"V", b"F", b"N")


def _is_zip_of_models(data: bytes) -> bool:
    if b"PK\x03\x04" not in data[:_MAX_ZIP_PREFIX]:
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    suffixes = {PurePosixPath(name).suffix.lower() for name in names}
    return 0 < len(names) <= _MAX_ZIP_MEMBERS and ".tflite" in suffixes and suffixes <= _ZIP_MEMBER_SUFFIXES


def _is_onnx(data: bytes) -> bool:
    """Walk the top-level fields of the protocol buffer: known ones only, a graph among them, no byte left over."""
    view, position, seen = memoryview(data), 0, set()
    while position < len(view):
        tag, position = _varint(view, position)
        number, wire_type = tag >> 3, tag & 7
        if position < 0 or _MODEL_PROTO_FIELDS.get(number) != wire_type:
            return False
        value, position = _varint(view, position)
        if position < 0:
            return False
        if wire_type == 2:
            position += value
        seen.add(number)
    return position == len(view) and _GRAPH_FIELD in seen


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    """A variable-length number and the position behind it; position -1 when there is none."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(view):
            return 0, -1
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    return 0, -1
