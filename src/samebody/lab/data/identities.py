"""Identity noise: samples under the wrong subject, one subject that is two people, two subjects that are one.

Decided by medians of many comparisons against the matcher's threshold, so that one poor picture moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.lab.data.faces import Templates
from samebody.lab.data.near import connected

MARGIN = 0.05
"""How much nearer a sample must be to the other subject than to its own, in cosine."""


@dataclass(frozen=True, slots=True)
class IdentityNoise:
    """What the templates say about the subjects.

    Attributes:
        misplaced: (row, its subject, the subject it belongs to, median score with its own, with the other); the other
            is ``''`` when it matches nobody.
        mixed: (subject, rows of its smaller part): subjects that fall into two people.
        same: (subject, subject, median score): subjects that are one person.
        checked: subjects with two templates and more.
        single: subjects with one template, about which only ``same`` can speak.
    """

    misplaced: tuple[tuple[int, str, str, float, float], ...]
    mixed: tuple[tuple[str, tuple[int, ...]], ...]
    same: tuple[tuple[str, str, float], ...]
    checked: int
    single: int


def find_identity_noise(
    templates: Templates, subjects: Sequence[str] | NDArray[Any], threshold: float, margin: float = MARGIN
) -> IdentityNoise:
    """Hold the subjects against their templates.

    A sample is *misplaced* when its median score with its own subject is below ``threshold`` and it either matches
    another subject (median at least ``threshold``, by ``margin`` more than its own) or nobody while the others of its
    subject match each other. A subject is *mixed* when its samples fall into two parts of two and more samples each
    that match within and not between. Two subjects are *the same* when the median over the pairs between them reaches
    the threshold, samples that are misplaced left out.

    Args:
        templates: unit vectors; ``rows`` index ``subjects``.
        subjects: (rows of the manifest,) subject of each; ``''`` takes no part.
        threshold: least score of two samples of one person.
        margin: see above.
    """
    given = np.asarray(subjects, object)[templates.rows]
    named = np.flatnonzero(given != "")
    if not len(named):
        return IdentityNoise((), (), (), 0, 0)
    vectors, rows, given = templates.vectors[named], templates.rows[named], given[named]
    names, code = np.unique(given.astype(str), return_inverse=True)
    members = [np.flatnonzero(code == number) for number in range(len(names))]
    mixed, part_of_mixed = _mixed(vectors, members, threshold)
    medians = _medians(vectors, members, code)
    misplaced = _misplaced(medians, vectors, members, code, names, rows, threshold, margin, part_of_mixed)
    out = {entry[0] for entry in misplaced} | {int(rows[place]) for parts in part_of_mixed.values() for place in parts}
    same = _same(vectors, members, names, rows, threshold, out)
    return IdentityNoise(
        tuple(misplaced),
        tuple((str(names[number]), tuple(int(rows[place]) for place in parts)) for number, parts in mixed),
        tuple(same),
        sum(len(places) > 1 for places in members),
        sum(len(places) == 1 for places in members),
    )


def _medians(
    vectors: NDArray[np.float32], members: list[NDArray[np.int64]], code: NDArray[np.int64], block: int = 1024
) -> NDArray[np.float32]:
    """(samples, subjects) median score with each subject's samples, the sample itself left out; NaN for nobody."""
    found = np.full((len(vectors), len(members)), np.nan, np.float32)
    for start in range(0, len(vectors), block):
        scores = vectors[start : start + block] @ vectors.T
        places = np.arange(start, start + len(scores))
        scores[places - start, places] = np.nan
        for number, rows in enumerate(members):
            part = scores[:, rows]
            if len(rows) == 1:
                found[start : start + len(scores), number] = part[:, 0]
            else:
                found[start : start + len(scores), number] = np.nanmedian(part, axis=1)
    return found


def _misplaced(
    medians: NDArray[np.float32],
    vectors: NDArray[np.float32],
    members: list[NDArray[np.int64]],
    code: NDArray[np.int64],
    names: NDArray[Any],
    rows: NDArray[np.int64],
    threshold: float,
    margin: float,
    parts: dict[int, tuple[int, ...]],
) -> list[tuple[int, str, str, float, float]]:
    found = []
    for place in range(len(code)):
        own = int(code[place])
        if len(members[own]) < 2 or own in parts:
            continue
        own_score = float(medians[place, own])
        if own_score >= threshold:
            continue
        others = medians[place].copy()
        others[own] = np.nan
        best = int(np.nanargmax(others)) if np.isfinite(others).any() else -1
        other_score = float(others[best]) if best >= 0 else -1.0
        if other_score >= max(threshold, own_score + margin):
            found.append((int(rows[place]), str(names[own]), str(names[best]), own_score, other_score))
            continue
        rest = members[own][members[own] != place]
        if len(rest) > 1 and own_score < threshold / 2:
            between = vectors[rest] @ vectors[rest].T
            if float(np.median(between[np.triu_indices(len(rest), 1)])) >= threshold:
                found.append((int(rows[place]), str(names[own]), "", own_score, other_score))
    found.sort(key=lambda entry: entry[3] - entry[4])
    return found


def _mixed(
    vectors: NDArray[np.float32], members: list[NDArray[np.int64]], threshold: float
) -> tuple[list[tuple[int, tuple[int, ...]]], dict[int, tuple[int, ...]]]:
    found: list[tuple[int, tuple[int, ...]]] = []
    for number, places in enumerate(members):
        if len(places) < 4:
            continue
        scores = vectors[places] @ vectors[places].T
        first, second = np.nonzero(np.triu(scores >= threshold, 1))
        root = connected(first.astype(np.int64), second.astype(np.int64), len(places))
        heads, sizes = np.unique(root, return_counts=True)
        large = heads[sizes >= 2]
        if len(large) < 2:
            continue
        order = sorted(large.tolist(), key=lambda head: -int(sizes[heads == head][0]))
        main, others = root == order[0], np.isin(root, order[1:])
        if float(np.median(scores[np.ix_(main, others)])) < threshold:
            found.append((number, tuple(int(place) for place in places[others])))
    return found, dict(found)


def _same(
    vectors: NDArray[np.float32],
    members: list[NDArray[np.int64]],
    names: NDArray[Any],
    rows: NDArray[np.int64],
    threshold: float,
    out: set[int],
) -> list[tuple[str, str, float]]:
    kept = [np.array([place for place in places if int(rows[place]) not in out], np.int64) for places in members]
    centres = np.zeros((len(members), vectors.shape[1]), np.float32)
    for number, places in enumerate(kept):
        if len(places):
            centres[number] = vectors[places].mean(axis=0)
    lengths = np.linalg.norm(centres, axis=1, keepdims=True)
    unit = centres / np.maximum(lengths, 1e-9)
    found = []
    for start in range(0, len(unit), 1024):
        # subjects whose mean templates are far apart cannot have a median that reaches the threshold by much
        near = unit[start : start + 1024] @ unit.T >= threshold
        for one, two in np.argwhere(near).tolist():
            one += start
            if one < two and len(kept[one]) and len(kept[two]):
                score = float(np.median(vectors[kept[one]] @ vectors[kept[two]].T))
                if score >= threshold:
                    found.append((str(names[one]), str(names[two]), score))
    found.sort(key=lambda entry: (-entry[2], entry[0], entry[1]))
    return found
