"""Faces for the tests of the face room: the pulled example photographs, and development pictures where they are."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from samebody.capture import decode_image
from samebody.face import FaceAnalyser
from samebody.models import catalogue, weights_path
from samebody.models.errors import WeightsMissingError
from samebody.types import Image

DATA = Path(os.environ.get("SAMEBODY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def example(name: str) -> Image:
    try:
        return decode_image(weights_path(catalogue()[f"example/{name}"]))
    except WeightsMissingError as error:
        pytest.skip(f"{error.message} {error.hint}")


@pytest.fixture(scope="session")
def analyser() -> FaceAnalyser:
    for name in ("face/yunet", "face/sface", "face/landmarks", "face/blendshapes"):
        try:
            weights_path(catalogue()[name])
        except WeightsMissingError as error:
            pytest.skip(f"{error.message} {error.hint}")
    return FaceAnalyser()


@pytest.fixture(scope="session")
def astronaut() -> Image:
    return example("astronaut")


@pytest.fixture(scope="session")
def portrait(astronaut: Image) -> Image:
    """The astronaut's head and shoulders, enlarged to 120 pixels between the eyes: room above, below and beside."""
    crop = astronaut.pixels[0:350, 60:390]
    return Image(np.asarray(cv2.resize(crop, None, fx=2.9, fy=2.9, interpolation=cv2.INTER_CUBIC)))


@pytest.fixture(scope="session")
def portraits(portrait: Image) -> list[Image]:
    """Several people: the portrait and, where they are pulled or present, example photographs and orl pictures."""
    found = [portrait]
    for name in ("person-a-1", "person-b-1", "person-c-1"):
        try:
            image = decode_image(weights_path(catalogue()[f"example/{name}"]))
        except WeightsMissingError:
            continue
        scale = min(1.0, 1000 / max(image.width, image.height))
        size = (round(image.width * scale), round(image.height * scale))
        found.append(Image(np.asarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA))))
    for subject in (3, 17):
        path = DATA / "orl" / f"s{subject:02d}" / "1.pgm"
        if path.is_file():
            grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            large = cv2.resize(grey, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
            found.append(Image(cv2.cvtColor(large, cv2.COLOR_GRAY2RGB)))
    return found
