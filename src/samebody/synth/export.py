"""Write specimens and their truth to files, and read the truth back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2

from samebody.errors import StorageError, UsageError
from samebody.synth.truth import SpecimenTruth
from samebody.types import Image


class SpecimenNotSavedError(StorageError):
    """A specimen could not be written."""

    code = "synth.not_saved"


def save_picture(path: Path, image: Image, *, jpeg: bytes | None = None) -> None:
    """Write ``image`` as PNG or JPEG by the file's suffix; a JPEG that is already encoded is written as it is.

    Raises:
        UsageError: for another suffix.
        SpecimenNotSavedError: when writing fails.
    """
    suffix = path.suffix.lower()
    if suffix in (".jpg", ".jpeg"):
        data = jpeg
        if data is None:
            bgr = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2BGR)
            data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    elif suffix == ".png":
        data = cv2.imencode(".png", cv2.cvtColor(image.pixels, cv2.COLOR_RGB2BGR))[1].tobytes()
    else:
        raise UsageError(
            f"specimens are not written as {suffix or 'files without a suffix'}.", hint="Use .png or .jpg."
        )
    _write(path, data)


def save_truth(path: Path, truth: SpecimenTruth) -> None:
    """Write ``truth`` as JSON.

    Raises:
        SpecimenNotSavedError: when writing fails.
    """
    _write(path, (json.dumps(dataclasses.asdict(truth), indent=2, ensure_ascii=False) + "\n").encode())


def load_truth(path: Path) -> SpecimenTruth:
    """The truth that :func:`save_truth` wrote; polygons come back as tuples."""
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    for name in ("page", "mrz", "portrait", "ghost"):
        if values[name] is not None:
            values[name] = tuple((float(x), float(y)) for x, y in values[name])
    values["mrz_lines"] = tuple(values["mrz_lines"])
    return SpecimenTruth(**values)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise SpecimenNotSavedError(
            f"{path} cannot be written: {error.strerror}.", hint="Choose another place."
        ) from None
