"""Forgery checks: each looks for one kind of trace on a photograph, and abstains where it can see none."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from samebody.document.forgery import compression, font, ghost, noise, recapture
from samebody.document.forgery.base import Check, Figure, Limit, Measurement, checks
from samebody.document.forgery.evidence import ForgeryEvidence, PortraitEvidence
from samebody.document.types import DocumentReading
from samebody.types import Box, Finding, Image, Region

__all__ = [
    "Check",
    "Figure",
    "ForgeryEvidence",
    "Limit",
    "Measurement",
    "PortraitEvidence",
    "checks",
    "compression",
    "font",
    "ghost",
    "noise",
    "recapture",
    "run_checks",
]


def run_checks(
    image: Image, reading: DocumentReading, portraits: Sequence[PortraitEvidence | Box] = ()
) -> tuple[Finding, ...]:
    """Every registered check on one photograph, in the order of their names.

    Args:
        image: the photograph that ``reading`` was made from.
        reading: of the document room.
        portraits: faces that the pipeline found on the document; checks use them where there are any. A bare box
            (pixels of the photograph) counts as the portrait when it is the largest, as a ghost when it is smaller.

    Returns:
        One finding for each check, named ``document.forgery.<name>``.
    """
    evidence = ForgeryEvidence.of(image, reading, _as_evidence(portraits))
    # two at a time: most of their work is in OpenCV and numpy, which release the interpreter lock
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="samebody-forgery") as workers:
        return tuple(workers.map(lambda name: checks[name]().run(evidence), checks))


def _as_evidence(portraits: Sequence[PortraitEvidence | Box]) -> tuple[PortraitEvidence, ...]:
    largest = max((p.area for p in portraits if isinstance(p, Box)), default=0.0)
    result = []
    for portrait in portraits:
        if isinstance(portrait, Box):
            name: Literal["portrait", "ghost"] = "portrait" if portrait.area == largest else "ghost"
            portrait = PortraitEvidence(Region(name, portrait.corners(), "document"), name)
        result.append(portrait)
    return tuple(result)
