"""Cleaning: samples that cannot serve are put into quarantine with every reason, and never deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from samebody.capture.perceptual import Hashes, from_hex
from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.faces import FaceFacts, Progress, SampleFaces
from samebody.lab.data.facts import MISSING, PIXELS, FactStore, PixelFacts, pixel_facts
from samebody.lab.data.manifest import PARTS, Manifest, text

PREFIX = "clean."
"""What the reasons of cleaning begin with; a new cleaning replaces them and leaves all others."""


class CleanRules(BaseModel):
    """Limits below which a sample goes into quarantine. They are about usefulness for training, not about identity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_side: int = Field(default=48, ge=1, description="shorter side of a picture, pixels")
    min_inter_eye: float = Field(default=12.0, ge=0, description="distance between the eyes, pixels")
    min_sharpness: float = Field(
        default=0.03, ge=0, description="fine over coarse detail of the face; 1.5 % of FairFace lie below"
    )
    max_roll: float = Field(default=60.0, gt=0, le=180, description="tilt of the head in the picture plane, degrees")
    rival: bool = Field(default=True, description="whether a second face nearly as large as the first counts")
    faces: bool = Field(default=True, description="whether faces are looked for at all")


@dataclass(frozen=True, slots=True)
class CleanResult:
    """What cleaning found.

    Attributes:
        reasons: codes by sample, only samples that have one.
        counts: samples by reason.
        samples: how many were looked at.
    """

    reasons: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]
    samples: int


def inspect(
    data_set: DataSet,
    manifest: Manifest,
    rules: CleanRules | None = None,
    *,
    faces: SampleFaces | None = None,
    progress: Progress = lambda done, whole: None,
) -> CleanResult:
    """Every reason for quarantine of every sample.

    Args:
        data_set: whose samples.
        manifest: which of them.
        rules: limits.
        faces: what looks for faces; made when needed.
        progress: told while faces are looked for.
    """
    rules = rules or CleanRules()
    pixels = _pixels(data_set, manifest)
    readable = [name for name in dict.fromkeys(manifest["sha256"].tolist()) if not pixels[name].error]
    seen: Mapping[str, FaceFacts] = {}
    if rules.faces and readable:
        seen = (faces or SampleFaces(data_set)).facts(readable, progress)
    found = {}
    for sample, sha256 in zip(manifest["sample"], manifest["sha256"]):
        reasons = judge(pixels[sha256], seen.get(sha256), rules)
        if reasons:
            found[sample] = reasons
    counts = Counter(reason for reasons in found.values() for reason in reasons)
    return CleanResult(found, dict(sorted(counts.items())), len(manifest))


def judge(pixels: PixelFacts, face: FaceFacts | None, rules: CleanRules) -> tuple[str, ...]:
    """The reasons against one sample, from what was measured of it."""
    if pixels.error:
        return (f"{PREFIX}unreadable",)
    if min(pixels.width, pixels.height) < rules.min_side:
        return (f"{PREFIX}tiny",)  # what else such a picture shows or does not show says nothing
    reasons = []
    if not pixels.hash:
        reasons.append("flat")
    if face is not None:
        if face.faces == 0:
            reasons.append("no_face")
        else:
            if rules.rival and "face.several" in face.reasons:
                reasons.append("several_faces")
            if face.inter_eye < rules.min_inter_eye and "tiny" not in reasons:
                reasons.append("tiny")
            if abs(face.roll) > rules.max_roll:
                reasons.append("turned")
            if 0 <= face.sharpness < rules.min_sharpness:
                reasons.append("blurred")
    return tuple(f"{PREFIX}{reason}" for reason in reasons)


def quarantined(manifest: Manifest, reasons: Mapping[str, tuple[str, ...]], prefix: str) -> Manifest:
    """The manifest with reasons written into ``quarantine``; older reasons that begin with ``prefix`` are replaced."""
    cells = []
    for sample, cell in zip(manifest["sample"], manifest["quarantine"]):
        kept = [part for part in cell.split(PARTS) if part and not part.startswith(prefix)]
        cells.append(PARTS.join([*kept, *reasons.get(sample, ())]))
    return manifest.with_columns(quarantine=text(cells))


def clean(
    data_set: DataSet,
    rules: CleanRules | None = None,
    *,
    version: str | None = None,
    faces: SampleFaces | None = None,
    progress: Progress = lambda done, whole: None,
) -> tuple[Version, CleanResult]:
    """Inspect a version and commit one with the reasons in ``quarantine``."""
    rules = rules or CleanRules()
    base = data_set.version(version)
    manifest = data_set.manifest(base)
    result = inspect(data_set, manifest, rules, faces=faces, progress=progress)
    with data_set.writing():
        made = data_set.commit(
            quarantined(manifest, result.reasons, PREFIX),
            "clean",
            options=rules.model_dump(),
            figures=dict(result.counts),
            parents=[base.id],
        )
    return made, result


def _pixels(data_set: DataSet, manifest: Manifest) -> dict[str, PixelFacts]:
    """Pixel facts of all samples; those that ingestion did not leave behind are measured again."""
    store = FactStore(data_set.folder / "facts", PIXELS)
    found = {}
    for sha256 in dict.fromkeys(manifest["sha256"].tolist()):
        if sha256 in store:
            found[sha256] = PixelFacts.from_dict(store[sha256])
            continue
        found[sha256] = pixel_facts(data_set.object_path(sha256))
        if found[sha256].error != MISSING:
            store.put(sha256, found[sha256].to_dict())
    store.flush()
    return found


def hashes_of(data_set: DataSet, manifest: Manifest) -> tuple[Hashes, NDArray[np.int64]]:
    """Perceptual hashes (n, 4) uint64 and the (n,) rows they belong to; flat and unreadable samples have none."""
    pixels = _pixels(data_set, manifest)
    rows = [row for row, name in enumerate(manifest["sha256"]) if pixels[name].hash]
    values = [from_hex(pixels[manifest["sha256"][row]].hash) for row in rows]
    return np.array(values, np.uint64).reshape(len(rows), 4), np.array(rows, np.int64)
