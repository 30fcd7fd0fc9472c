"""The finding of a detector that has a record: score, band of abstention, whether real attacks stand behind it."""

from __future__ import annotations

import time

from samebody.models import ModelRecord
from samebody.types import Finding, Outcome, Reason, Region


def detector_finding(
    check: str,
    record: ModelRecord,
    outcome: Outcome,
    reasons: tuple[Reason, ...],
    started: float,
    score: float | None = None,
    regions: tuple[Region, ...] = (),
) -> Finding:
    """What a check that stands on ``record`` says; ``started`` is ``time.perf_counter()`` from when it began."""
    detection = record.detection
    assert detection is not None
    return Finding(
        check,
        outcome,
        score=score,
        reasons=reasons,
        model_ids=(record.label,),
        milliseconds=1000 * (time.perf_counter() - started),
        regions=regions,
        details={"unsure_band": list(detection.unsure), "validated": detection.validated},
    )
