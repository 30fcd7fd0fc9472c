"""Splits by subject, stratified, with the proof that nothing stands on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.capture.perceptual import RADIUS
from samebody.lab.data.clean import hashes_of
from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.errors import LeakageError, SplitError
from samebody.lab.data.manifest import Manifest
from samebody.lab.data.near import connected, near_pairs

SHOWN = 50
"""Leaks of a kind spelled out; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was checked of a split, and what was found on both sides of it.

    Attributes:
        subjects, files, groups, near: how many subjects, different files, groups of the manifest and pairs of near
            pictures were held against the split.
        leaks: one sentence each; empty proves that there is none.
        radius: bits up to which pictures count as near.
        counts: usable samples by split.
    """

    subjects: int
    files: int
    groups: int
    near: int
    leaks: tuple[str, ...]
    radius: int
    counts: Mapping[str, int]

    @property
    def clean(self) -> bool:
        """Nothing stands on both sides."""
        return not self.leaks


@dataclass(frozen=True, slots=True)
class SplitResult:
    """A split with its proof and how near it came to the shares that were asked for.

    Attributes:
        proof: nothing stands on both sides.
        shares: realised share of usable samples by split.
        strata: largest difference between a split's share of a stratum and the share asked for, over strata with 20
            samples and more; 0 when there is none.
        without_subject: usable samples that name no subject: each counts as a person of its own.
    """

    proof: Proof
    shares: Mapping[str, float]
    strata: float
    without_subject: int


def assign(
    manifest: Manifest,
    shares: Mapping[str, float],
    *,
    stratify: Sequence[str] = (),
    seed: int = 0,
    tied: NDArray[np.int64] | None = None,
) -> NDArray[np.object_]:
    """The split of each row, ``''`` for rows that are not usable.

    Rows that share a subject, their bytes, a group or a component of ``tied`` form one block and go to one side. Blocks
    are dealt out largest first, in seeded order among equals, each to the split that lacks most of the block's strata:
    the split for which the sum over its strata of (wanted - held) is greatest.

    Args:
        manifest: rows.
        shares: split to its share; positive, they are scaled to sum to 1.
        stratify: columns whose combinations are kept in the same proportion in every split.
        seed: of the order.
        tied: (rows,) further components, for near duplicates.

    Raises:
        SplitError: shares that cannot be, or fewer blocks than splits.
    """
    if len(shares) < 2 or any(not name or share <= 0 or not np.isfinite(share) for name, share in shares.items()):
        raise SplitError("a split needs two names and more with positive shares.", hint="train=0.8,test=0.2")
    whole = sum(shares.values())
    names = list(shares)
    wanted_share = np.array([shares[name] / whole for name in names])
    usable = manifest.usable
    blocks = _blocks(manifest, tied)
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero(usable).tolist():
        members.setdefault(int(blocks[row]), []).append(row)
    if len(members) < len(names):
        raise SplitError(
            f"there are {len(members)} independent groups of samples for {len(names)} splits.",
            hint="Ingest more subjects, or check that `subject` is filled in.",
        )
    keys = list(zip(*(manifest[name].tolist() for name in stratify))) if stratify else [()] * len(manifest)
    codes = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    stratum = np.array([codes[key] for key in keys], np.int64)
    totals = np.bincount(stratum[usable], minlength=len(codes))
    wanted = wanted_share[:, None] * totals[None, :]
    held = np.zeros_like(wanted)
    random = np.random.default_rng(seed)
    order = sorted(members)
    random.shuffle(order)
    order.sort(key=lambda block: -len(members[block]))
    chosen = np.full(len(manifest), "", dtype=object)
    for place, block in enumerate(order):
        rows = members[block]
        count = np.bincount(stratum[rows], minlength=len(codes))
        touched = count > 0
        lack = ((wanted - held)[:, touched] * count[touched]).sum(axis=1) / np.maximum(wanted_share, 1e-12)
        overall = (wanted.sum(axis=1) - held.sum(axis=1)) / np.maximum(wanted_share, 1e-12)
        empty = [split for split in range(len(names)) if not held[split].any()]
        if len(order) - place <= len(empty):  # no split may stay empty
            split = empty[0]
        else:
            split = int(max(range(len(names)), key=lambda s: (round(float(lack[s]), 9), float(overall[s]), -s)))
        held[split] += count
        for row in rows:
            chosen[row] = names[split]
    return chosen


def prove(data_set: DataSet, manifest: Manifest, radius: int = RADIUS) -> Proof:
    """Hold a manifest's split against its subjects, bytes, groups and near pictures, all counted anew.

    Only usable rows with a split count. Near pictures are searched for among all of them, whether deduplication was run
    or not.
    """
    rows = np.flatnonzero(manifest.usable & (manifest["split"] != ""))
    part = manifest.where(rows)
    leaks: list[str] = []
    checked = {}
    for column, what in (("subject", "subject"), ("sha256", "file"), ("group", "group")):
        sides: dict[str, set[str]] = {}
        for value, split in zip(part[column], part["split"]):
            if value:
                sides.setdefault(value, set()).add(split)
        checked[column] = len(sides)
        crossing = [f"{what} {value} is in {' and '.join(sorted(on))}" for value, on in sides.items() if len(on) > 1]
        leaks += _shortened(sorted(crossing), what)
    hashes, named = hashes_of(data_set, part)
    near = near_pairs(hashes, radius)
    crossing = []
    for one, two, bits in zip(near.first.tolist(), near.second.tolist(), near.distances.tolist()):
        first, second = int(named[one]), int(named[two])
        if part["split"][first] != part["split"][second]:
            crossing.append(
                f"{part['sample'][first]} ({part['split'][first]}) and {part['sample'][second]} "
                f"({part['split'][second]}) are {bits} bits apart"
            )
    leaks += _shortened(crossing, "pair of near pictures")
    counts = Counter(part["split"].tolist())
    return Proof(checked["subject"], checked["sha256"], checked["group"], len(near), tuple(leaks), radius, dict(counts))


def split(
    data_set: DataSet,
    shares: Mapping[str, float],
    *,
    stratify: Sequence[str] = (),
    seed: int = 0,
    radius: int = RADIUS,
    version: str | None = None,
) -> tuple[Version, SplitResult]:
    """Divide a version by subject, prove that nothing leaks, and commit.

    Raises:
        SplitError: as :func:`assign`.
        LeakageError: the proof failed; nothing is committed. (It would be a fault of ours.)
    """
    base = data_set.version(version)
    manifest = data_set.manifest(base)
    chosen = assign(manifest, shares, stratify=stratify, seed=seed, tied=near_components(data_set, manifest, radius))
    marked = manifest.with_columns(split=chosen)
    proof = prove(data_set, marked, radius)
    if proof.leaks:
        raise LeakageError("the split", proof.leaks, hint="Please report this.")
    result = SplitResult(
        proof,
        {name: count / max(sum(proof.counts.values()), 1) for name, count in sorted(proof.counts.items())},
        _strata(marked, shares, stratify),
        int((marked.usable & (marked["subject"] == "")).sum()),
    )
    with data_set.writing():
        made = data_set.commit(
            marked,
            "split",
            options={"shares": dict(shares), "stratify": list(stratify), "seed": seed, "radius": radius},
            figures={
                "subjects": proof.subjects,
                "files": proof.files,
                "near pairs": proof.near,
                "leaks": 0,
                **{f"samples in {name}": count for name, count in sorted(proof.counts.items())},
            },
            parents=[base.id],
        )
    return made, result


def near_components(data_set: DataSet, manifest: Manifest, radius: int) -> NDArray[np.int64]:
    """(rows,) the lowest row of each row's component of pictures within ``radius`` bits of one another."""
    hashes, rows = hashes_of(data_set, manifest)
    near = near_pairs(hashes, radius)
    return connected(rows[near.first], rows[near.second], len(manifest))


def _blocks(manifest: Manifest, tied: NDArray[np.int64] | None) -> NDArray[np.int64]:
    first, second = [], []
    usable = manifest.usable
    for column in ("subject", "sha256", "group"):
        seen: dict[str, int] = {}
        for row, value in enumerate(manifest[column]):
            if value and usable[row]:
                if value in seen:
                    first.append(seen[value])
                    second.append(row)
                seen.setdefault(value, row)
    if tied is not None:
        lowest: dict[int, int] = {}
        for row, head in enumerate(tied.tolist()):
            if usable[row]:
                if head in lowest:
                    first.append(lowest[head])
                    second.append(row)
                lowest.setdefault(head, row)
    return connected(np.array(first, np.int64), np.array(second, np.int64), len(manifest))


def _strata(manifest: Manifest, shares: Mapping[str, float], stratify: Sequence[str]) -> float:
    if not stratify:
        return 0.0
    whole = sum(shares.values())
    usable = manifest.usable
    keys = list(zip(*(manifest[name].tolist() for name in stratify)))
    total = Counter(key for key, use in zip(keys, usable) if use)
    held = Counter((key, part) for key, part, use in zip(keys, manifest["split"], usable) if use)
    worst = 0.0
    for key, count in total.items():
        if count >= 20:
            for name, share in shares.items():
                worst = max(worst, abs(held[key, name] / count - share / whole))
    return worst


def _shortened(leaks: list[str], what: str) -> list[str]:
    more = [f"{len(leaks) - SHOWN} more of the kind {what}"] if len(leaks) > SHOWN else []
    return leaks[:SHOWN] + more
