"""Duplicates: the same bytes, the same picture saved or scaled anew, neighbours in the embedding space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from samebody.capture.perceptual import RADIUS, luminance
from samebody.lab.data.clean import hashes_of, quarantined
from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.faces import Templates
from samebody.lab.data.facts import load_sample
from samebody.lab.data.manifest import Manifest, text
from samebody.lab.data.near import MAX_RADIUS, connected, near_between, near_pairs
from samebody.lab.data.perceptual import turned

Kind = Literal["exact", "perceptual", "turned", "near", "embedding"]

ALIKE = 0.993
"""Pictures of one person taken a moment apart reach 0.993 on ORL; saved at quality 20-92 and scaled by 0.3-1.7, one
picture keeps 0.9951 in 95 cases of 100 there (0.9967 in all of 600 on FairFace)."""

GRID = 16

CONFLICT = "dedupe.two_subjects"
"""Reason of quarantine: one picture stands under two subjects, and nobody can tell which is right."""


class DedupeRules(BaseModel):
    """What counts as the same picture or its neighbour."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    radius: int = Field(default=RADIUS, ge=0, le=MAX_RADIUS, description="bits of the perceptual hash, of 256")
    alike: float = Field(
        default=ALIKE, ge=-1, le=1, description="least correlation of two pictures at 16 x 16 pixels to be one picture"
    )
    turned: bool = Field(default=False, description="look for mirrored and turned copies too")
    embedding_score: float | None = Field(
        default=None, description="least cosine of two templates to be neighbours; None leaves templates out"
    )


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two samples that are one picture, or neighbours.

    Attributes:
        kind: ``exact`` (the same bytes), ``perceptual`` (the same picture saved anew), ``turned``, ``near`` (within the
            radius and still another picture: a moment later), ``embedding``; the strongest when several hold.
        first, second: samples; ``second`` repeats ``first``.
        value: bits apart for hashes, score for templates.
        across: they stand in different splits.
        conflict: they name different subjects.
        turn: for ``turned``: what turns the second into the first.
    """

    kind: Kind
    first: str
    second: str
    value: float
    across: bool
    conflict: bool
    turn: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class DedupeResult:
    """All duplicates of a manifest.

    Attributes:
        pairs: exact ones first, then by hash, then by template.
        repeats: sample to the sample of its group that is kept; exact and perceptual copies only.
        groups: sample to its group's name, for groups of two and more, neighbours included.
        conflicts: samples of copies that name different subjects.
        counts: pairs by kind, pairs across splits, conflicts.
    """

    pairs: tuple[Duplicate, ...] = field(repr=False)
    repeats: dict[str, str] = field(repr=False)
    groups: dict[str, str] = field(repr=False)
    conflicts: tuple[str, ...]
    counts: dict[str, int]


def find_duplicates(
    data_set: DataSet, manifest: Manifest, rules: DedupeRules | None = None, templates: Templates | None = None
) -> DedupeResult:
    """Duplicates among the readable samples of ``manifest``.

    Of copies the one with most pixels is kept, then the one with most bytes, then the first by name. Copies that name
    two subjects are all conflicts, and none of them is kept.

    Args:
        data_set: whose samples.
        manifest: which of them.
        rules: radius and score.
        templates: of the manifest's rows, when neighbours are wanted.
    """
    rules = rules or DedupeRules()
    found = [*_exact(manifest), *_perceptual(data_set, manifest, rules)]
    copies = [entry for entry in found if entry[0] != "near"]
    if templates is not None and rules.embedding_score is not None:
        found += _neighbours(templates, rules.embedding_score)
    strongest: dict[tuple[int, int], tuple[Kind, int, int, float, str]] = {}
    for entry in found:
        strongest.setdefault((min(entry[1:3]), max(entry[1:3])), entry)
    copy_root = _components(copies, len(manifest))
    kept = _kept(manifest, copy_root)
    group_root = _components(found, len(manifest))
    samples, subjects, splits = manifest["sample"], manifest["subject"], manifest["split"]
    conflict_roots = _conflicting(copy_root, subjects)
    pairs = []
    for kind, one, two, value, turn in strongest.values():
        first, second = (one, two) if kept.get(two, one) != two else (two, one)
        pairs.append(
            Duplicate(
                kind,
                samples[first],
                samples[second],
                value,
                bool(splits[first] and splits[second] and splits[first] != splits[second]),
                bool(subjects[first] and subjects[second] and subjects[first] != subjects[second]),
                turn,
            )
        )
    repeats, groups, conflicts = {}, {}, []
    sizes = Counter(group_root.tolist())
    for row in range(len(manifest)):
        root = int(copy_root[row])
        if root in conflict_roots:
            conflicts.append(samples[row])
        elif kept.get(root, row) != row:
            repeats[samples[row]] = samples[kept[root]]
        if sizes[int(group_root[row])] > 1:
            groups[samples[row]] = samples[int(group_root[row])]
    counts = Counter[str](pair.kind for pair in pairs)
    counts["across splits"] = sum(pair.across for pair in pairs)
    counts["repeats"], counts["conflicts"] = len(repeats), len(conflicts)
    order = {"exact": 0, "perceptual": 1, "turned": 2, "near": 3, "embedding": 4}
    pairs.sort(
        key=lambda pair: (order[pair.kind], -pair.value if pair.kind == "embedding" else pair.value, pair.second)
    )
    return DedupeResult(tuple(pairs), repeats, groups, tuple(conflicts), dict(counts))


def dedupe(
    data_set: DataSet,
    rules: DedupeRules | None = None,
    *,
    version: str | None = None,
    templates: Templates | None = None,
) -> tuple[Version, DedupeResult]:
    """Find duplicates of a version and commit one with ``duplicate_of``, ``group`` and conflicts in ``quarantine``."""
    rules = rules or DedupeRules()
    base = data_set.version(version)
    manifest = data_set.manifest(base)
    result = find_duplicates(data_set, manifest, rules, templates)
    marked = quarantined(manifest, dict.fromkeys(result.conflicts, (CONFLICT,)), CONFLICT)
    marked = marked.with_columns(
        duplicate_of=text(result.repeats.get(sample, "") for sample in manifest["sample"]),
        group=text(result.groups.get(sample, "") for sample in manifest["sample"]),
    )
    with data_set.writing():
        made = data_set.commit(
            marked, "dedupe", options=rules.model_dump(), figures=dict(sorted(result.counts.items())), parents=[base.id]
        )
    return made, result


_Found = tuple[Kind, int, int, float, str]


def _exact(manifest: Manifest) -> list[_Found]:
    first: dict[str, int] = {}
    found: list[_Found] = []
    for row, (sha256, readable) in enumerate(zip(manifest["sha256"], manifest["format"])):
        if not readable:  # two empty files are no copies of one picture
            continue
        if sha256 in first:
            found.append(("exact", first[sha256], row, 0.0, ""))
        first.setdefault(sha256, row)
    return found


def _perceptual(data_set: DataSet, manifest: Manifest, rules: DedupeRules) -> list[_Found]:
    hashes, rows = hashes_of(data_set, manifest)
    if not len(hashes):
        return []
    near = near_pairs(hashes, rules.radius)
    grids: dict[int, NDArray[np.float32]] = {}
    found: list[_Found] = []
    for one, two, bits in zip(rows[near.first].tolist(), rows[near.second].tolist(), near.distances.tolist()):
        alike = _alike(data_set, manifest, grids, one, two)
        found.append(("perceptual" if alike >= rules.alike else "near", one, two, float(bits), ""))
    if rules.turned:
        for turn, variants in turned(hashes).items():
            near = near_between(hashes, variants, rules.radius)
            found += [
                ("turned", int(rows[one]), int(rows[two]), float(bits), turn)
                for one, two, bits in zip(near.first.tolist(), near.second.tolist(), near.distances.tolist())
                if one < two
            ]
    return found


def _alike(data_set: DataSet, manifest: Manifest, grids: dict[int, NDArray[np.float32]], one: int, two: int) -> float:
    """Correlation of two samples' luminance at :data:`GRID` pixels a side: blind to brightness and contrast."""
    for row in (one, two):
        if row not in grids:
            image = load_sample(data_set.object_path(manifest["sha256"][row]))
            small = cv2.resize(luminance(image.pixels), (GRID, GRID), interpolation=cv2.INTER_AREA)
            small = small - small.mean()
            grids[row] = np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)
    return float((grids[one] * grids[two]).sum())


def _neighbours(templates: Templates, score: float) -> list[_Found]:
    from samebody.search.all_pairs import pairs_above
    from samebody.search.engines import build
    from samebody.search.engines.arrays import ArraySource

    if len(templates) < 2:
        return []
    source = ArraySource.of_vectors(templates.vectors, templates.space)
    near = pairs_above(source, score, lambda part: build(part, "float32"))
    return [
        ("embedding", int(templates.rows[one]), int(templates.rows[two]), float(value), "")
        for one, two, value in zip(near.first.tolist(), near.second.tolist(), near.scores.tolist())
    ]


def _components(found: Iterable[_Found], rows: int) -> NDArray[np.int64]:
    entries = list(found)
    first = np.array([entry[1] for entry in entries], np.int64)
    second = np.array([entry[2] for entry in entries], np.int64)
    return connected(first, second, rows)


def _kept(manifest: Manifest, root: NDArray[np.int64]) -> dict[int, int]:
    """For each component of several rows, by its root and by every member: the row that is kept."""
    pixels = manifest["width"] * manifest["height"]
    members: dict[int, list[int]] = {}
    for row, head in enumerate(root.tolist()):
        members.setdefault(head, []).append(row)
    kept: dict[int, int] = {}
    for rows in members.values():
        if len(rows) > 1:
            best = min(rows, key=lambda row: (-int(pixels[row]), -int(manifest["bytes"][row]), row))
            kept.update(dict.fromkeys(rows, best))
    return kept


def _conflicting(root: NDArray[np.int64], subjects: NDArray[Any]) -> set[int]:
    named: dict[int, set[str]] = {}
    for row, head in enumerate(root.tolist()):
        if subjects[row]:
            named.setdefault(head, set()).add(subjects[row])
    return {head for head, names in named.items() if len(names) > 1}
