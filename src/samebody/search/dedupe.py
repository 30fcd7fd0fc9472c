"""Who is enrolled twice: all groups of subjects that look like one person, with the pair that joins them.

All pairs of records are compared (:mod:`samebody.search.all_pairs`); what reaches the threshold joins its two subjects.
Nothing is deleted here: a group is evidence for the person who decides. Pairs in the band below the threshold, pairs
with a hint of a common birth, and modalities that disagree are reported apart, for review.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from samebody.search.all_pairs import TILE, Progress, ScoredPairs, pairs_above
from samebody.search.candidates import Builder, GalleryView, block_probes, records_of, records_source, score_records
from samebody.search.fusion import FusionRule, fuse, rule_for
from samebody.search.identify import LOWEST, SearchPolicy
from samebody.search.thresholds import ErrorRates, RateThreshold, ThresholdUnknownError, needed_fmr
from samebody.search.types import Engine, Source

Person = tuple[int, str]
"""Which gallery (0 or 1) and which subject."""

Hint = Callable[[str, str], bool]
"""Whether two subjects may be of one birth (twins), as far as their files tell."""


class Groups:
    """Union-find with path halving and union by size (R. Tarjan, J. ACM 22, 1975)."""

    def __init__(self) -> None:
        self._parent: dict[Any, Any] = {}
        self._size: dict[Any, int] = {}

    def find(self, node: Hashable) -> Hashable:
        """The representative of the group of ``node``; a new node is a group of its own."""
        if node not in self._parent:
            self._parent[node], self._size[node] = node, 1
            return node
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, one: Hashable, other: Hashable) -> bool:
        """Put both into one group; False when they were in one already."""
        first, second = self.find(one), self.find(other)
        if first == second:
            return False
        if self._size[first] < self._size[second]:
            first, second = second, first
        self._parent[second] = first
        self._size[first] += self._size[second]
        return True


@dataclass(frozen=True, slots=True)
class Join:
    """The pair that joins two subjects.

    Attributes:
        first, second: gallery (0 or 1) and subject.
        scores: similarity in each modality that both have.
        records: the two records behind each score.
        fmr: upper value of the rate at which two people look at least like this.
        rule: how modalities were put together.
        reason: why it is for review; empty for a duplicate.
    """

    first: Person
    second: Person
    scores: Mapping[str, float]
    records: Mapping[str, tuple[int, int]]
    fmr: float
    rule: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Subjects that look like one person.

    Attributes:
        kind: ``duplicate``: all are joined by pairs that reach the threshold; ``review``: two people to be looked at.
        people: gallery and subject.
        joins: the strongest pairs that hold the group together, one fewer than people, best first.
    """

    kind: Literal["duplicate", "review"]
    people: tuple[Person, ...]
    joins: tuple[Join, ...]


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """All duplicates of a gallery, or between two.

    Attributes:
        groups: duplicates first, then by size and name.
        pairs: pairs of records compared, by modality.
        comparisons: N that the threshold stands for: references that each record was compared with.
        needed_fmr, thresholds, llr, rule: of a comparison.
        expected_false_pairs: pairs of different people expected above the threshold in the whole run.
        engines: by modality.
        exact: no pair was missed.
        miss_bound: for a pair; nan where an engine gives none.
        resumed: tiles taken over from a journal.
        extrapolated: a threshold lies beyond the measured tail.
    """

    groups: tuple[Group, ...]
    pairs: Mapping[str, int]
    comparisons: int
    needed_fmr: float
    thresholds: Mapping[str, RateThreshold]
    llr: float | None
    rule: str
    expected_false_pairs: float
    engines: Mapping[str, str]
    exact: bool
    miss_bound: float
    resumed: int = 0
    extrapolated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields; an unknown miss bound is None."""
        fields = asdict(self)
        if self.miss_bound != self.miss_bound:
            fields["miss_bound"] = None
        return fields


@dataclass(frozen=True, slots=True)
class Side:
    """One of the galleries: its names and its references by modality."""

    gallery: GalleryView
    sources: Mapping[str, Source]


@dataclass(slots=True)
class _Pair:
    """Two people and the best score of each modality."""

    scores: dict[str, float] = field(default_factory=dict)
    records: dict[str, tuple[int, int]] = field(default_factory=dict)


def find_duplicates(
    side: Side,
    rates: Mapping[str, ErrorRates],
    build: Builder,
    *,
    exact: Builder | None = None,
    engines: Mapping[str, Engine] | None = None,
    other: Side | None = None,
    policy: SearchPolicy | None = None,
    same_birth: Hint | None = None,
    journal: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    tile: int = TILE,
    settings: str = "",
) -> DuplicateReport:
    """All duplicate groups within a gallery, or between two.

    The threshold is that of a search of the whole gallery: ``policy.fpir`` is the share of people enrolled once who
    are joined to somebody else, at most; ``expected_false_pairs`` says how many pairs that makes.

    Args:
        side: the gallery.
        rates: by modality.
        build: makes engines.
        exact: makes the exact engines that few candidates are compared with; ``build`` where it is not given.
        engines: over the whole of the gallery that is searched (a cluster), by modality, instead of tile by tile.
        other: a second gallery; pairs within either are then not looked at.
        policy: FPIR, FPIR of the review, extrapolation.
        same_birth: pairs for which it is true are for review unless an iris says that it is one person: irises differ
            between twins (J. Daugman, C. Downing, Proc. R. Soc. B 268, 2001), faces hardly.
        journal: base name of the files of finished tiles, one for each modality.
        progress: told (modality, pairs done, pairs in all).
        tile, settings: see :func:`samebody.search.all_pairs.pairs_above`.

    Raises:
        ThresholdUnknownError: no operating point is strict enough.
        SearchSpaceMismatchError, JournalError, JournalWriteError.
    """
    asked = policy or SearchPolicy()
    names = sorted(set(side.sources) & set((other or side).sources))
    target = other or side
    comparisons = max([len(target.sources[name]) for name in names], default=0)
    if comparisons == 0 or not names:
        return DuplicateReport((), {}, 0, 0.0, {}, None, "single", 0.0, {}, True, 0.0)
    held = {name: rates[name] for name in names}
    judge = _Judge(held, comparisons, asked)
    pairs: dict[tuple[Person, Person], _Pair] = {}
    runs: dict[str, ScoredPairs] = {}
    for name in names:
        runs[name] = pairs_above(
            side.sources[name],
            judge.floor(name),
            build,
            engine=None if engines is None else engines[name],
            other=None if other is None else other.sources[name],
            journal=None if journal is None else f"{journal}.{name}",
            progress=_named(progress, name),
            tile=tile,
            settings=settings,
            keep_journal=True,
        )
        _collect(pairs, runs[name], name, side, other)
    if len(names) > 1:
        _complete(pairs, names, side, target, exact or build)
    joins = [join for people, pair in pairs.items() if (join := judge.join(people, pair, same_birth)) is not None]
    if journal is not None:
        for name in names:
            Path(f"{journal}.{name}").unlink(missing_ok=True)
    bounds = [run.miss_bound for run in runs.values()]
    compared = {name: run.compared for name, run in runs.items()}
    return DuplicateReport(
        groups=grouped(joins),
        pairs=compared,
        comparisons=comparisons,
        needed_fmr=judge.strict.fmr,
        thresholds=judge.strict.thresholds,
        llr=judge.strict.llr,
        rule=judge.strict.rule,
        expected_false_pairs=judge.rate() * max(compared.values()),
        engines={name: run.engine for name, run in runs.items()},
        exact=all(run.exact for run in runs.values()),
        miss_bound=float(np.max(bounds)),
        resumed=sum(run.resumed for run in runs.values()),
        extrapolated=judge.strict.extrapolated,
    )


class _Judge:
    """The rules of one run, and what they say about a pair of people."""

    def __init__(self, rates: Mapping[str, ErrorRates], comparisons: int, policy: SearchPolicy) -> None:
        self._rates, self._policy = rates, policy
        options = {"independent": policy.independent, "allow_extrapolated": policy.allow_extrapolated}
        strict_fmr = needed_fmr(policy.fpir, comparisons)
        loose_fmr = needed_fmr(policy.review_fpir, comparisons)
        try:
            self.strict = rule_for(rates, strict_fmr, **options)
            self.loose = rule_for(rates, loose_fmr, **options)
        except ThresholdUnknownError as error:
            raise ThresholdUnknownError(
                f"an FPIR of {policy.fpir:g} among {comparisons:,} references needs a false match rate of "
                f"{strict_fmr:.3g}: {error.message}",
                hint=error.hint,
            ) from None
        self._strict_single = self._singles(strict_fmr, self.strict)
        self._loose_single = self._singles(loose_fmr, self.loose)

    def _singles(self, fmr: float, whole: FusionRule) -> dict[str, FusionRule]:
        if len(self._rates) == 1:
            return dict.fromkeys(self._rates, whole)
        found = {}
        for name, rates in self._rates.items():
            try:
                found[name] = rule_for({name: rates}, fmr, allow_extrapolated=self._policy.allow_extrapolated)
            except ThresholdUnknownError:
                continue
        return found

    def floor(self, name: str) -> float:
        """Pairs below it cannot matter in this modality, unless another one finds them."""
        floors = [self.loose.floors[name]]
        if name in self._loose_single:
            floors.append(self._loose_single[name].floors[name])
        return max(min(floors), LOWEST)

    def rate(self) -> float:
        """What the thresholds in use stand for, per pair."""
        fmrs = [threshold.fmr for threshold in self.strict.thresholds.values()]
        if not fmrs:
            return self.strict.fmr
        return float(np.prod(fmrs)) if self.strict.independent else min(fmrs)

    def join(self, people: tuple[Person, Person], pair: _Pair, same_birth: Hint | None) -> Join | None:
        """The join of two people, or None when they stay apart."""
        extrapolated = self._policy.allow_extrapolated
        strict = fuse(pair.scores, self._rates, self.strict, self._strict_single, allow_extrapolated=extrapolated)
        loose = fuse(pair.scores, self._rates, self.loose, self._loose_single, allow_extrapolated=extrapolated)
        alone = [
            name
            for name, rule in self._strict_single.items()
            if name in pair.scores and pair.scores[name] >= rule.thresholds[name].score
        ]
        reason = ""
        if not strict.accepted:
            if not loose.accepted and not (len(pair.scores) > 1 and alone):
                return None
            reason = "search.look_alike" if loose.accepted else "search.modalities_disagree"
        elif same_birth is not None and "iris" not in alone and same_birth(people[0][1], people[1][1]):
            reason = "search.same_birth"
        first, second = people
        return Join(first, second, dict(pair.scores), dict(pair.records), strict.fmr, strict.rule, reason)


def _collect(
    pairs: dict[tuple[Person, Person], _Pair], run: ScoredPairs, name: str, side: Side, other: Side | None
) -> None:
    """Records become people; pairs within one person are no duplicates. The first of each pair is its best."""
    owners = side.gallery.subject_of(run.first)
    mates = (other or side).gallery.subject_of(run.second)
    number = 1 if other is not None else 0
    rows = zip(run.first.tolist(), run.second.tolist(), run.scores.tolist(), owners, mates, strict=True)
    for first, second, score, owner, mate in rows:
        if owner is None or mate is None or (other is None and owner == mate):
            continue
        people: tuple[Person, Person] = ((0, owner), (number, mate))
        records = (first, second)
        if other is None and mate < owner:
            people, records = (people[1], people[0]), (second, first)
        pair = pairs.setdefault(people, _Pair())
        if name not in pair.scores:
            pair.scores[name], pair.records[name] = score, records


def _complete(
    pairs: dict[tuple[Person, Person], _Pair],
    names: Sequence[str],
    side: Side,
    target: Side,
    build: Builder,
) -> None:
    """Score found people in the modalities in which they were below the floor."""
    for (first, second), pair in pairs.items():
        for name in names:
            if name in pair.scores:
                continue
            own = records_of(side.gallery, first[1])
            mates = records_of(target.gallery, second[1])
            held = records_source(side.gallery, side.sources[name], own)
            best: tuple[float, int, int] | None = None
            for block in held.blocks():
                for row, record in enumerate(block.record_ids.tolist()):
                    probe = block_probes(block, held.layout.space, np.array([row]))
                    found = score_records(build, target.gallery, target.sources[name], probe, mates)
                    for mate, score in found.items():
                        if best is None or score > best[0]:
                            best = (score, record, mate)
            if best is not None:
                pair.scores[name], pair.records[name] = best[0], (best[1], best[2])


def grouped(joins: Iterable[Join]) -> tuple[Group, ...]:
    """Groups from joins.

    Duplicates are the connected components of the joins without a reason for review. A join for review makes a group of
    its two people alone, where they are not duplicates already: look-alikes of look-alikes are not chained.
    """
    ordered = sorted(joins, key=lambda j: (j.fmr, -max(j.scores.values()), j.first, j.second))
    groups = Groups()
    used = [join for join in ordered if not join.reason and groups.join(join.first, join.second)]
    members: dict[Hashable, set[Person]] = {}
    held: dict[Hashable, list[Join]] = {}
    for join in used:
        root = groups.find(join.first)
        members.setdefault(root, set()).update((join.first, join.second))
        held.setdefault(root, []).append(join)
    made = [Group("duplicate", tuple(sorted(people)), tuple(held[root])) for root, people in members.items()]
    for join in ordered:
        if join.reason and groups.find(join.first) != groups.find(join.second):
            made.append(Group("review", (join.first, join.second), (join,)))
    return tuple(sorted(made, key=lambda group: (group.kind, -len(group.people), group.people)))


def _named(progress: Callable[[str, int, int], None] | None, name: str) -> Progress | None:
    if progress is None:
        return None
    return lambda done, every: progress(name, done, every)
