"""Documents: find the page, read its machine-readable zone and its printed data, and check them against each other."""

from samebody.document.classify import classify
from samebody.document.forgery import PortraitEvidence, run_checks
from samebody.document.reader import DocumentReader
from samebody.document.types import (
    CheckDigit,
    DocumentClass,
    DocumentKind,
    DocumentReading,
    MrzField,
    MrzFormat,
    MrzReading,
    Page,
)

__all__ = [
    "CheckDigit",
    "DocumentClass",
    "DocumentKind",
    "DocumentReader",
    "DocumentReading",
    "MrzField",
    "MrzFormat",
    "MrzReading",
    "Page",
    "PortraitEvidence",
    "classify",
    "run_checks",
]
