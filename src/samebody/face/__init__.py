"""Faces: find them, align and embed them, fit the mesh, and say how good the picture is and what would improve it."""

from __future__ import annotations

from samebody.face.analyse import FaceAnalyser
from samebody.face.results import FaceAnalysis, FaceDetection, FaceMesh, FaceQuality, QualityComponent
from samebody.face.stream import EmbeddedFile, embed_files

__all__ = [
    "EmbeddedFile",
    "FaceAnalyser",
    "FaceAnalysis",
    "FaceDetection",
    "FaceMesh",
    "FaceQuality",
    "QualityComponent",
    "embed_files",
]
