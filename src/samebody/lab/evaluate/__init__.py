"""Evaluation to the field's standards: tables, templates or pictures in, typed figures and a run folder out."""

from __future__ import annotations

from samebody.lab.evaluate.errors import (
    MissingExtraError,
    ProtocolError,
    RunFolderError,
    ScoreTableError,
    SubjectLeakageError,
)
from samebody.lab.evaluate.results import VerificationResult
from samebody.lab.evaluate.runs import Run, load_run, save_run
from samebody.lab.evaluate.scores import CountedNonMated, ListedNonMated, MatedScores, ScoreSet

__all__ = [
    "CountedNonMated",
    "ListedNonMated",
    "MatedScores",
    "MissingExtraError",
    "ProtocolError",
    "Run",
    "RunFolderError",
    "ScoreSet",
    "ScoreTableError",
    "SubjectLeakageError",
    "VerificationResult",
    "load_run",
    "save_run",
]
