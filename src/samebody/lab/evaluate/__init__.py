"""Evaluation to the field's standards: tables, templates or pictures in, typed figures and a run folder out."""

from __future__ import annotations

from samebody.lab.evaluate.api import evaluate_verification, identification, pad, score_set, verification
from samebody.lab.evaluate.errors import (
    MissingExtraError,
    ProtocolError,
    RunFolderError,
    ScoreTableError,
)
from samebody.lab.evaluate.identification import IdentificationOptions, IdentificationResult
from samebody.lab.evaluate.non_mated import CountedNonMated, ListedNonMated
from samebody.lab.evaluate.pad import PadOptions, PadResult, read_presentations
from samebody.lab.evaluate.protocols import (
    PairList,
    SearchProtocol,
    Split,
    read_pairs,
    read_search_protocol,
    read_split,
)
from samebody.lab.evaluate.results import Algorithm, DataSet, VerificationResult
from samebody.lab.evaluate.runs import Run, load_run, save_run
from samebody.lab.evaluate.score_tables import TableOptions, read_scores
from samebody.lab.evaluate.scores import MatedScores, ScoreSet, check_leakage
from samebody.lab.evaluate.templates import (
    CompareOptions,
    TemplateSet,
    compare_templates,
    read_templates,
    template_set,
)
from samebody.lab.evaluate.verification import GivenThreshold, VerificationOptions
from samebody.measure.errors import SubjectLeakageError

__all__ = [
    "Algorithm",
    "CompareOptions",
    "CountedNonMated",
    "DataSet",
    "GivenThreshold",
    "IdentificationOptions",
    "IdentificationResult",
    "ListedNonMated",
    "MatedScores",
    "MissingExtraError",
    "PadOptions",
    "PadResult",
    "PairList",
    "ProtocolError",
    "Run",
    "RunFolderError",
    "ScoreSet",
    "ScoreTableError",
    "SearchProtocol",
    "Split",
    "SubjectLeakageError",
    "TableOptions",
    "TemplateSet",
    "VerificationOptions",
    "VerificationResult",
    "check_leakage",
    "compare_templates",
    "evaluate_verification",
    "identification",
    "load_run",
    "pad",
    "read_pairs",
    "read_presentations",
    "read_scores",
    "read_search_protocol",
    "read_split",
    "read_templates",
    "save_run",
    "score_set",
    "template_set",
    "verification",
]
