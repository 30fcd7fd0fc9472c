"""The embedding space of iris codes: digests of what made them, in place of the hash of weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from samebody.iris.template import FILTERS, PARTS, ROWS
from samebody.types import EmbeddingSpace

PRECISION = "binary"


def pipeline_sha256(stages: Any) -> str:
    """SHA-256 over the canonical JSON of everything that shapes a code: stages in order, with all their parameters.

    Args:
        stages: JSON-ready; defaults filled in, so that a changed default changes the digest.
    """
    canonical = json.dumps(stages, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def code_shape(columns: int) -> str:
    """The shape of a code as its space names it, e.g. ``iris-code-16x200x2x2``."""
    return f"iris-code-{ROWS}x{columns}x{FILTERS}x{PARTS}"


def pipeline_space(model_id: str, version: str, stages: Mapping[str, Any] | list[Any], columns: int) -> EmbeddingSpace:
    """The space of templates that a pipeline makes; its ``digest`` is what :class:`IrisTemplate` carries.

    Args:
        model_id: of the record, e.g. ``iris/default``.
        version: of the code that runs the pipeline; raised whenever the code gives other bits for one picture.
        stages: see :func:`pipeline_sha256`.
        columns: of the code.
    """
    return EmbeddingSpace(
        model_id=model_id,
        version=version,
        weights_sha256=pipeline_sha256(stages),
        preprocessing=code_shape(columns),
        precision=PRECISION,
    )
