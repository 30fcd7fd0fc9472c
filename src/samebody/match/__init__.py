"""One-to-one comparison: two templates in, a score out; a score in, a finding at an error rate out."""

from __future__ import annotations

from samebody.match.compare import compare
from samebody.match.decide import decide_match, describe_population, one_in
from samebody.match.errors import InvalidTemplateError, RecordMismatchError
from samebody.match.evidence import ScoreEvidence, score_evidence

__all__ = [
    "InvalidTemplateError",
    "RecordMismatchError",
    "ScoreEvidence",
    "compare",
    "decide_match",
    "describe_population",
    "one_in",
    "score_evidence",
]
