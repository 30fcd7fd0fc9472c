"""What of a picture in a file a model looks at, and its score there: see `samebody explain picture`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from samebody.config import Settings, load_settings
from samebody.errors import UsageError
from samebody.explain import record_score
from samebody.lab.evaluate.images import load_picture
from samebody.models import ModelRecord
from samebody.pipeline.explained import LARGEST, LIMIT, Seen, log_odds, seen_on
from samebody.types import Pixels

__all__ = ["LIMIT", "Seen", "log_odds", "seen_by"]


def seen_by(record: ModelRecord, path: Path, *, settings: Settings | None = None, index: int | None = None) -> Seen:
    """What the model of ``record`` sees of the picture at ``path``.

    Detectors of attacks as :func:`samebody.pipeline.explained.seen_on` says.

    Args:
        record: of a detector, or of any model with one picture as input.
        path: of the picture.
        settings: where the weights are.
        index: which number of the output, for models that are no detectors.

    Raises:
        NoFaceError: the detector needs a face and there is no usable one.
        UnsupportedModelError: the record compares two pictures, or takes something else than a picture.
    """
    settings = settings or load_settings()
    if record.makes_templates or record.task == "morph-detection":
        raise UsageError(
            f"{record.id} compares two pictures.", hint="Explain the similarity: samebody explain pair A B."
        )
    image = load_picture(path, settings.limits)
    if record.task in ("presentation-attack-detection", "deepfake-detection"):
        return seen_on(record, image, settings)
    score = record_score(record, settings, index=index)
    return Seen(score, _within(image.pixels, LARGEST // 2), None, "score", "The picture")


def _within(pixels: Pixels, longest: int) -> Pixels:
    scale = longest / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = (max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
