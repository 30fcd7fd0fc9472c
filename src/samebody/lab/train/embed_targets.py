"""What the teacher says about each face, and about faces halfway between two; asked once and kept.

A halfway face is the mean of two aligned faces: nobody's. The teacher's answer to it is as good a lesson as any other,
and there is no end of such faces (mixed pictures of which the teacher is asked about the very same: Beyer et al.:
Knowledge distillation: a good teacher is patient and consistent, CVPR 2022).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.lab.data.files import write_bytes
from samebody.lab.train.embed_faces import AlignedFaces
from samebody.models import catalogue, embed
from samebody.types import Pixels

_AT_ONCE = 32


def partners(count: int, mix: int) -> NDArray[np.int64]:
    """int64 [count]: the other face of each halfway face of set ``mix``, never the face itself (count above 1)."""
    order = np.random.default_rng([mix, 7]).permutation(count)
    found = np.empty(count, np.int64)
    found[order] = np.roll(order, 1)
    return found


def halfway(one: Pixels, two: Pixels) -> Pixels:
    """The mean of two faces of one size, uint8; the second is mirrored, so that light does not come from one side."""
    mean: Pixels = ((one.astype(np.uint16) + two[..., ::-1, :] + 1) // 2).astype(np.uint8)
    return mean


def teacher_targets(
    faces: AlignedFaces,
    folder: Path,
    *,
    mix: int = 0,
    teacher: str = "face/sface",
    settings: Settings | None = None,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> NDArray[np.float32]:
    """Unit vectors float32 [n, d] of the teacher for all faces; asked anew or from ``folder``.

    Args:
        faces: of a set.
        folder: keeps the answers by data, set of halfway faces and the teacher's embedding space.
        mix: 0 asks about the faces as they are, k about the halfway faces of :func:`partners` k.
        teacher: record id.
        settings: where its weights are.
        progress: told (done, of how many).

    Raises:
        samebody.models.WeightsMissingError: the teacher was not pulled.
        StorageError: ``folder`` cannot be written.
    """
    settings = settings or load_settings()
    record = catalogue(settings)[teacher]
    path = targets_path(faces, folder, record.embedding_space().digest, mix)
    if path.is_file():
        kept: NDArray[np.float32] = np.load(path)
        return kept
    vectors = np.empty((len(faces), record.embedding_output.dimensions), np.float32)
    other = partners(len(faces), mix)
    for start in range(0, len(faces), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(faces))
        crops = np.ascontiguousarray(faces.middle(slice(start, stop)))
        if mix:
            crops = halfway(crops, faces.middle(other[start:stop]))
        vectors[start:stop] = embed(record, crops, settings, threads=settings.session_threads)
        progress(stop, len(faces))
    folder.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.save(stream, vectors)
    write_bytes(path, stream.getvalue())
    return vectors


def targets_path(faces: AlignedFaces, folder: Path, space: str, mix: int = 0) -> Path:
    """Where the answers for ``faces`` of the embedding space with this digest are kept."""
    text = json.dumps([faces.digest, space, *([mix] if mix else [])])
    return folder / f"targets-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
