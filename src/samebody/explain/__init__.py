"""Why a score is what it is: maps by occlusion, RISE and CorrRISE for any model, judged, and told in plain words."""

from __future__ import annotations

from samebody.explain.adapters import AlignedFace, aligned_face, embedder_pair, record_score
from samebody.explain.judge import Case, Judgement, judge
from samebody.explain.methods import CorrRise, Method, Occlusion, Rise, methods
from samebody.explain.regions import face_regions
from samebody.explain.saliency import PairSaliency, Saliency
from samebody.explain.score import PairScore, PictureScore
from samebody.explain.words import RegionShare, describe, region_shares

__all__ = [
    "AlignedFace",
    "Case",
    "CorrRise",
    "Judgement",
    "Method",
    "Occlusion",
    "PairSaliency",
    "PairScore",
    "PictureScore",
    "RegionShare",
    "Rise",
    "Saliency",
    "aligned_face",
    "describe",
    "embedder_pair",
    "face_regions",
    "judge",
    "methods",
    "record_score",
    "region_shares",
]
