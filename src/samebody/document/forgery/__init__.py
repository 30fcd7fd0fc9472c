"""Forgery checks: each looks for one kind of trace on a photograph of a document, and abstains where it can see none."""

from __future__ import annotations

from collections.abc import Sequence

from samebody.document.forgery import compression, font, ghost, noise, recapture
from samebody.document.forgery.base import Check, Figure, Limit, Measurement, checks
from samebody.document.forgery.evidence import ForgeryEvidence, PortraitEvidence
from samebody.document.types import DocumentReading
from samebody.types import Finding, Image

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
    image: Image, reading: DocumentReading, portraits: Sequence[PortraitEvidence] = ()
) -> tuple[Finding, ...]:
    """Every registered check on one photograph, in the order of their names.

    Args:
        image: the photograph that ``reading`` was made from.
        reading: of the document room.
        portraits: faces that the pipeline found on the document; checks use them where there are any.

    Returns:
        One finding for each check, named ``document.forgery.<name>``.
    """
    evidence = ForgeryEvidence.of(image, reading, portraits)
    return tuple(checks[name]().run(evidence) for name in checks)
