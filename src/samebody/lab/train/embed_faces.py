"""Aligned faces with a margin, cut once from an evaluation set and kept as one memory-mapped file.

The margin lets an augmentation turn, shift and zoom a face without an edge coming into sight. The middle of a crop is,
pixel for pixel, what the product hands to the embedder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.errors import InputError
from samebody.face import FaceAnalyser, geometry
from samebody.face.stream import ordered
from samebody.lab.data.files import write_bytes
from samebody.lab.evaluate.evaluation_sets import EvaluationSet, Sample
from samebody.lab.evaluate.images import acquisition_key
from samebody.types import Pixels

MARGIN = 16
"""Pixels kept around the embedder's crop on every side."""

VERSION = 1
"""Of the way crops are cut; part of their key."""


class NoFacesError(InputError):
    """A set of pictures in which no face was found."""

    code = "train.no_faces"


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFaces:
    """Faces of a set.

    Attributes:
        crops: (n, side + 2 MARGIN, side + 2 MARGIN, 3) uint8 RGB, mapped from disk and read-only.
        samples: (n,) which picture of the set each crop shows.
        failed: number of pictures without a usable face.
        digest: of the set, the detector and the way of cutting; names the data of a run.
    """

    crops: NDArray[np.uint8] = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)
    failed: int
    digest: str

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def side(self) -> int:
        """Side of the embedder's crop in pixels."""
        return int(self.crops.shape[1]) - 2 * MARGIN

    def middle(self, index: Any) -> NDArray[np.uint8]:
        """The crop(s) at ``index`` as the product aligns them, (..., side, side, 3)."""
        found = self.crops[index]
        return np.asarray(found[..., MARGIN:-MARGIN, MARGIN:-MARGIN, :])


def aligned_faces(
    chosen: EvaluationSet,
    folder: Path,
    *,
    embedder: str = "face/sface",
    settings: Settings | None = None,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> AlignedFaces:
    """The faces of ``chosen``, cut anew or from ``folder``.

    Args:
        chosen: pictures with labels.
        folder: keeps the crops; one file pair for each set, detector and version.
        embedder: whose alignment is used.
        settings: where the detector is.
        progress: told (done, of how many) while faces are cut.

    Raises:
        NoFacesError: no picture shows a usable face.
        samebody.models.WeightsMissingError: the detector was not pulled.
        OSError: ``folder`` cannot be written.
    """
    settings = settings or load_settings()
    analyser = FaceAnalyser(settings, embedder=embedder)
    contract = analyser.embedder.image_input
    side = contract.width or 0
    text = json.dumps([VERSION, MARGIN, side, chosen.digest, acquisition_key(analyser), contract.alignment])
    digest = hashlib.sha256(text.encode()).hexdigest()
    pixels, index = folder / f"faces-{digest[:16]}.npy", folder / f"faces-{digest[:16]}.json"
    if not index.is_file():
        _cut(chosen, analyser, side, pixels, index, settings, progress)
    kept: list[int] = json.loads(index.read_text(encoding="utf-8"))
    crops = np.load(pixels, mmap_mode="r")
    samples = tuple(chosen.samples[place] for place in kept)
    return AlignedFaces(crops, samples, len(chosen.samples) - len(kept), digest)


def cut(analyser: FaceAnalyser, image: Any, side: int) -> Pixels | None:
    """The chosen face of one picture with its margin; None without a usable face."""
    face = analyser.aligned(image).chosen
    if face is None:
        return None
    target = analyser.embedder.image_input.alignment_points().astype(np.float64) + MARGIN
    matrix = geometry.similarity(face.landmark_array(), target)
    return geometry.warp(image.pixels, matrix, (side + 2 * MARGIN, side + 2 * MARGIN))


def _cut(
    chosen: EvaluationSet,
    analyser: FaceAnalyser,
    side: int,
    pixels: Path,
    index: Path,
    settings: Settings,
    progress: Callable[[int, int], None],
) -> None:
    single = analyser.single_threaded()

    def work(place: int) -> tuple[int, Pixels | None]:
        return place, cut(single, chosen.load(chosen.samples[place], settings.limits), side)

    wide = side + 2 * MARGIN
    pixels.parent.mkdir(parents=True, exist_ok=True)
    draft = pixels.with_name(f".{pixels.name}.{os.getpid()}.tmp")
    kept: list[int] = []
    try:
        with draft.open("wb") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(chosen.samples), wide, wide, 3)}
            np.lib.format.write_array_header_1_0(stream, header)
            places: Sequence[int] = range(len(chosen.samples))
            for place, crop in ordered(work, places, workers=settings.session_threads):
                if crop is not None:
                    stream.write(crop.tobytes())
                    kept.append(place)
                progress(place + 1, len(places))
            if not kept:
                raise NoFacesError(
                    f"no picture of {chosen.name} shows a usable face.", hint="Look at some of the pictures."
                )
            # the header is padded to a multiple of 64 bytes, so that one with fewer rows takes the same room
            stream.seek(0)
            np.lib.format.write_array_header_1_0(stream, {**header, "shape": (len(kept), wide, wide, 3)})
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(pixels)
    finally:
        draft.unlink(missing_ok=True)
    write_bytes(index, json.dumps(kept).encode())
