"""What the teacher says about each face, asked once and kept."""

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

_AT_ONCE = 32


def teacher_targets(
    faces: AlignedFaces,
    folder: Path,
    *,
    teacher: str = "face/sface",
    settings: Settings | None = None,
    progress: Callable[[int, int], None] = lambda done, whole: None,
) -> NDArray[np.float32]:
    """Unit vectors float32 [n, d] of the teacher for all faces; asked anew or from ``folder``.

    Args:
        faces: of a set.
        folder: keeps the answers by data and the teacher's embedding space.
        teacher: record id.
        settings: where its weights are.
        progress: told (done, of how many).

    Raises:
        samebody.models.WeightsMissingError: the teacher was not pulled.
        StorageError: ``folder`` cannot be written.
    """
    settings = settings or load_settings()
    record = catalogue(settings)[teacher]
    path = targets_path(faces, folder, record.embedding_space().digest)
    if path.is_file():
        kept: NDArray[np.float32] = np.load(path)
        return kept
    vectors = np.empty((len(faces), record.embedding_output.dimensions), np.float32)
    for start in range(0, len(faces), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(faces))
        crops = np.ascontiguousarray(faces.middle(slice(start, stop)))
        vectors[start:stop] = embed(record, crops, settings, threads=settings.session_threads)
        progress(stop, len(faces))
    folder.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.save(stream, vectors)
    write_bytes(path, stream.getvalue())
    return vectors


def targets_path(faces: AlignedFaces, folder: Path, space: str) -> Path:
    """Where the answers for ``faces`` of the embedding space with this digest are kept."""
    text = json.dumps([faces.digest, space])
    return folder / f"targets-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
