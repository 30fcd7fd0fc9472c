"""Evaluation to the field's standards: tables, templates or pictures in, typed figures and a run folder out."""

from __future__ import annotations

from samebody.lab.evaluate.errors import (
    MissingExtraError,
    ProtocolError,
    RunFolderError,
    ScoreTableError,
)
from samebody.lab.evaluate.results import VerificationResult
from samebody.lab.evaluate.runs import Run, load_run, save_run
from samebody.lab.evaluate.scores import CountedNonMated, ListedNonMated, MatedScores, ScoreSet
from samebody.measure.errors import SubjectLeakageError

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
