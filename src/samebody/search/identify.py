"""Identification: who among those enrolled is this, and how often would a stranger get the same answer?

The caller asks for a false positive identification rate (FPIR) of the whole search. The threshold follows from it and
from the number of references the gallery holds *now* (:mod:`samebody.search.thresholds`), so it tightens as the gallery
grows. Candidates between the threshold and that of a looser FPIR are for a person to look at, never silently dropped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import Field, model_validator

from samebody.errors import UsageError
from samebody.search.candidates import (
    Builder,
    Found,
    GalleryView,
    SearchedWith,
    best_subjects,
    one_probe,
    records_of,
    score_records,
)
from samebody.search.fusion import Fused, FusionRule, fuse, rule_for
from samebody.search.thresholds import ErrorRates, RateThreshold, ThresholdUnknownError, fpir_of, needed_fmr
from samebody.search.types import Engine, Probes, Source
from samebody.stage import Parameters
from samebody.types import Reason

Place = Literal["match", "review", "below"]
Answer = Literal["match", "review", "none", "undecided"]


class SearchPolicy(Parameters):
    """What a search is asked for. There are no scores in it: they follow from the error rates.

    Attributes:
        fpir: searches of people who are not enrolled that may return a match, at most.
        review_fpir: the same for a candidate to be looked at by a person; not below ``fpir``.
        candidates: subjects listed, at most; all that are a match or for review are listed, however many.
        below: fill the list with the next best, who are neither. Off by default: they are strangers, most likely.
        allow_extrapolated: points beyond the measured tail may be used; the result says where one was.
        independent: face and iris may be taken as independent where the rule ``both`` is used.
        undecided: what to do when no operating point is strict enough: ``refuse`` raises, ``list`` returns the
            candidates without a decision.
    """

    fpir: float = Field(default=0.01, gt=0.0, lt=1.0)
    review_fpir: float = Field(default=0.1, gt=0.0, lt=1.0)
    candidates: int = Field(default=10, ge=1, le=10_000)
    below: bool = False
    allow_extrapolated: bool = False
    independent: bool = False
    undecided: Literal["refuse", "list"] = "refuse"

    @model_validator(mode="after")
    def _ordered(self) -> SearchPolicy:
        if self.review_fpir < self.fpir:
            raise ValueError("review_fpir lies below fpir")
        return self


class IdentifyError(UsageError):
    """A search was asked for with probes, engines or error rates that do not fit together."""

    code = "search.identify"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One enrolled subject that a search returned.

    Attributes:
        rank: from 1.
        subject: who.
        place: ``match`` (reaches the threshold), ``review`` (only that of ``review_fpir``) or ``below``.
        scores: similarity in each modality that probe and subject both have.
        records: the reference behind each score.
        fmr: upper value of the rate at which a comparison with somebody else looks at least like this.
        fpir: ``1 - (1 - fmr)^N``: how often a search for a stranger would return something at least like this.
        rule, llr: how modalities were put together.
        extrapolated: a figure rests on a point beyond the measured tail.
        reasons: what a reviewer should know.
    """

    rank: int
    subject: str
    place: Place
    scores: Mapping[str, float]
    records: Mapping[str, int]
    fmr: float
    fpir: float
    rule: str
    llr: float | None
    extrapolated: bool
    reasons: tuple[Reason, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Identification:
    """The answer to one search.

    Attributes:
        answer: ``match`` (exactly one subject), ``review`` (several, a look-alike, or modalities that disagree),
            ``none``, or ``undecided`` (no threshold is known).
        candidates: best first.
        comparisons: N that the rates are stated for: references searched.
        fpir: asked for.
        expected_fpir: at the thresholds that were used; None without a threshold.
        needed_fmr: per comparison.
        rule: how candidates with all modalities of the probe are decided.
        thresholds: by modality where the rule has some; ``llr`` is the sum asked for where it has none.
        engines: by modality: name, exactness, miss bound.
        milliseconds: of the search.
        undecided: why there is no threshold: the error's fields.
    """

    answer: Answer
    candidates: tuple[Candidate, ...]
    comparisons: int
    fpir: float
    expected_fpir: float | None
    needed_fmr: float | None
    rule: str
    thresholds: Mapping[str, RateThreshold]
    llr: float | None
    engines: Mapping[str, SearchedWith]
    milliseconds: float
    undecided: Mapping[str, str] = field(default_factory=dict)

    @property
    def extrapolated(self) -> bool:
        """Whether a threshold lies beyond the measured tail."""
        return any(threshold.extrapolated for threshold in self.thresholds.values())

    @property
    def matches(self) -> tuple[Candidate, ...]:
        """The candidates that reach the threshold."""
        return tuple(candidate for candidate in self.candidates if candidate.place == "match")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields; an unknown miss bound is None."""
        fields = asdict(self) | {"extrapolated": self.extrapolated}
        for engine in fields["engines"].values():
            if math.isnan(engine["miss_bound"]):
                engine["miss_bound"] = None
        return fields


@dataclass(frozen=True, slots=True)
class _Rules:
    """What decides one search: rules at the FPIR asked for and at that of the review."""

    strict: FusionRule | None
    loose: FusionRule | None
    strict_single: Mapping[str, FusionRule]
    loose_single: Mapping[str, FusionRule]
    needed: float | None
    error: Mapping[str, str]


class Identifier:
    """Searches one gallery under one policy; may be kept and used for many searches.

    Args:
        gallery: names the subjects of records.
        sources: by modality, one consistent view of the references.
        rates: by modality, of the gallery's embedding spaces.
        build: makes an engine over a source; the same for whole galleries and for single candidates.
        engines: by modality, when they exist already (a cluster of shards, an approximate index); others are built.
        policy: what to ask for.

    Raises:
        IdentifyError: a modality without error rates.
    """

    def __init__(
        self,
        gallery: GalleryView,
        sources: Mapping[str, Source],
        rates: Mapping[str, ErrorRates],
        build: Builder,
        *,
        engines: Mapping[str, Engine] | None = None,
        policy: SearchPolicy | None = None,
    ) -> None:
        missing = sorted(set(sources) - set(rates))
        if missing:
            raise IdentifyError(
                f"no error rates are known for {', '.join(missing)}.",
                hint="Name the model record, or a file of operating points.",
            )
        self.policy = policy or SearchPolicy()
        self._gallery, self._sources, self._rates, self._build = gallery, dict(sources), dict(rates), build
        self._people: int | None = None
        self._engines = {name: (engines or {}).get(name) or build(source) for name, source in sources.items()}

    @property
    def engines(self) -> Mapping[str, Engine]:
        """By modality."""
        return self._engines

    def size(self, modalities: Sequence[str] | None = None) -> int:
        """N of the rates: the references that a search with these modalities is compared with.

        With two modalities that is the number of pairs of references a subject offers, summed over subjects and taken
        as evenly spread, because the best of each is taken.
        """
        names = list(modalities or self._sources)
        counts = [len(self._sources[name]) for name in names]
        if len(counts) < 2:
            return counts[0] if counts else 0
        if self._people is None:
            people = getattr(self._gallery, "subject_count", None)
            self._people = int(people()) if callable(people) else min(counts)
        subjects = self._people
        return max(*counts, math.ceil(math.prod(counts) / max(subjects, 1)) if subjects else 0)

    def refresh(self, sources: Mapping[str, Source]) -> None:
        """Go over to a newer view of the gallery; what was prepared for known blocks is kept."""
        for name, source in sources.items():
            if name not in self._sources:
                raise IdentifyError(f"the identifier was not made for {name}.")
            self._engines[name].refresh(source)
            self._sources[name] = source
        self._people = None

    def identify(self, probes: Mapping[str, Probes], *, comparisons: int | None = None) -> list[Identification]:
        """Search for q people at once.

        Args:
            probes: by modality; all with the same number of rows, row i of each of the same person.
            comparisons: N that the rates are stated for, where this search is a part of a larger one.

        Returns:
            One :class:`Identification` for each row.

        Raises:
            IdentifyError: no probe, an unknown modality, or numbers of rows that differ.
            ThresholdUnknownError: no operating point is strict enough, and the policy does not list undecided.
            SearchSpaceMismatchError, InvalidProbeError: the probes do not fit the gallery.
        """
        start = time.perf_counter()
        rows = self._checked(probes)
        comparisons = max(self.size(list(probes)), comparisons or 0)
        if self.size(list(probes)) == 0:
            spent = 1000 * (time.perf_counter() - start) / max(rows, 1)
            return [self._empty(probes, spent) for _ in range(rows)]
        rules = self._rules(list(probes), comparisons)
        people: list[dict[str, Found]] = [{} for _ in range(rows)]
        engines: dict[str, SearchedWith] = {}
        for name, held in probes.items():
            minimum = self._floor(name, rules)
            found, engines[name] = best_subjects(
                self._gallery,
                self._lister(name) if minimum is None else self._engines[name],
                held,
                count=self.policy.candidates,
                minimum=minimum,
                modality=name,
            )
            if minimum is not None and self.policy.below:
                more, _ = best_subjects(
                    self._gallery, self._lister(name), held, count=self.policy.candidates, modality=name
                )
                found = [{**listed, **kept} for listed, kept in zip(more, found, strict=True)]
            for row, subjects in enumerate(found):
                for subject, entry in subjects.items():
                    known = people[row].setdefault(subject, Found(subject))
                    for modality, score in entry.scores.items():
                        known.add(modality, score, entry.records[modality])
        if len(probes) > 1:
            for row in range(rows):
                self._complete(people[row], probes, row)
        spent = 1000 * (time.perf_counter() - start) / max(rows, 1)
        return [self._answer(found, list(probes), comparisons, rules, engines, spent) for found in people]

    # ------------------------------------------------------------------------------------------------------- steps

    def _checked(self, probes: Mapping[str, Probes]) -> int:
        if not probes:
            raise IdentifyError("a search needs at least one probe.")
        unknown = sorted(set(probes) - set(self._sources))
        if unknown:
            known = ", ".join(sorted(self._sources)) or "nothing"
            raise IdentifyError(f"the gallery holds no {', '.join(unknown)}.", hint=f"It holds {known}.")
        counts = {len(held) for held in probes.values()}
        if len(counts) != 1:
            raise IdentifyError(f"modalities bring different numbers of probes: {sorted(counts)}.")
        for name, held in probes.items():
            held.check_layout(self._sources[name].layout)
        return counts.pop()

    def _empty(self, probes: Mapping[str, Probes], spent: float) -> Identification:
        engines = {name: SearchedWith(self._engines[name].name, True, 0.0) for name in probes}
        return Identification("none", (), 0, self.policy.fpir, 0.0, None, "single", {}, None, engines, spent)

    def _rules(self, names: list[str], comparisons: int) -> _Rules:
        policy = self.policy
        asked = {name: self._rates[name] for name in names}
        options = {"independent": policy.independent, "allow_extrapolated": policy.allow_extrapolated}
        strict_fmr, loose_fmr = needed_fmr(policy.fpir, comparisons), needed_fmr(policy.review_fpir, comparisons)
        try:
            strict = rule_for(asked, strict_fmr, **options)
            loose = rule_for(asked, loose_fmr, **options)
        except ThresholdUnknownError as error:
            wrapped = ThresholdUnknownError(
                f"an FPIR of {policy.fpir:g} in a gallery of {comparisons:,} references needs a false match rate of "
                f"{strict_fmr:.3g}: {error.message}",
                hint=error.hint,
            )
            if policy.undecided == "refuse":
                raise wrapped from None
            return _Rules(None, None, {}, {}, strict_fmr, wrapped.to_dict())
        return _Rules(
            strict,
            loose,
            self._singles(asked, strict_fmr, strict),
            self._singles(asked, loose_fmr, loose),
            strict_fmr,
            {},
        )

    def _singles(self, asked: Mapping[str, ErrorRates], fmr: float, whole: FusionRule) -> dict[str, FusionRule]:
        """Rules for subjects with one of several modalities; one that has no strict enough point decides nothing."""
        if len(asked) == 1:
            return dict.fromkeys(asked, whole)
        found = {}
        for name, rates in asked.items():
            try:
                found[name] = rule_for({name: rates}, fmr, allow_extrapolated=self.policy.allow_extrapolated)
            except ThresholdUnknownError:
                continue
        return found

    def _floor(self, name: str, rules: _Rules) -> float | None:
        """Score that every match or candidate for review reaches in this modality or in another; None without rules."""
        if rules.loose is None:
            return None
        floors = [rules.loose.floors[name]]
        if name in rules.loose_single:
            floors.append(rules.loose_single[name].floors[name])
        return max(min(floors), LOWEST)

    def _lister(self, name: str) -> Engine:
        """An engine that lists without a minimum score, which a cascade cannot."""
        engine = self._engines[name]
        return self._build(self._sources[name]) if engine.name in NEEDS_MINIMUM else engine

    def _complete(self, people: dict[str, Found], probes: Mapping[str, Probes], row: int) -> None:
        """Score found subjects in the modality in which no list held them."""
        owners: dict[int, str] = {}
        for subject in people:
            owners.update(dict.fromkeys(records_of(self._gallery, subject), subject))
        for name, held in probes.items():
            wanted = [record for record, subject in owners.items() if name not in people[subject].scores]
            scores = score_records(self._build, self._gallery, self._sources[name], one_probe(held, row), wanted)
            for record, score in scores.items():
                people[owners[record]].add(name, score, record)

    def _answer(
        self,
        people: Mapping[str, Found],
        names: list[str],
        comparisons: int,
        rules: _Rules,
        engines: Mapping[str, SearchedWith],
        spent: float,
    ) -> Identification:
        judged = [self._judge(found, names, comparisons, rules) for found in people.values()]
        judged.sort(key=lambda c: (-_weight(c.place), c.fmr, -sum(c.scores.values()), c.subject))
        decided = sum(candidate.place != "below" for candidate in judged)
        fill = self.policy.candidates if self.policy.below or rules.strict is None else 0
        listed = judged[: max(fill, decided)]
        candidates = tuple(
            Candidate(**{**{f: getattr(c, f) for f in Candidate.__slots__}, "rank": rank})
            for rank, c in enumerate(listed, 1)
        )
        strict = rules.strict
        return Identification(
            answer="undecided" if strict is None else answer_of(candidates),
            candidates=candidates,
            comparisons=comparisons,
            fpir=self.policy.fpir,
            expected_fpir=None if strict is None else fpir_of(_rule_fmr(strict), comparisons),
            needed_fmr=rules.needed,
            rule="single" if strict is None else strict.rule,
            thresholds={} if strict is None else strict.thresholds,
            llr=None if strict is None else strict.llr,
            engines=engines,
            milliseconds=spent,
            undecided=rules.error,
        )

    def _judge(self, found: Found, names: list[str], comparisons: int, rules: _Rules) -> Candidate:
        extrapolated = self.policy.allow_extrapolated
        rates = {name: self._rates[name] for name in found.scores}
        blank = FusionRule("single" if len(names) == 1 else "both", 1.0)
        strict = fuse(found.scores, rates, rules.strict or blank, rules.strict_single, allow_extrapolated=extrapolated)
        loose = fuse(found.scores, rates, rules.loose or blank, rules.loose_single, allow_extrapolated=extrapolated)
        place: Place = "below"
        if rules.strict is not None:
            place = "match" if strict.accepted else "review" if loose.accepted else "below"
        reasons = []
        if place == "review":
            reasons.append(
                Reason("search.look_alike", "The score is high, but not high enough for a gallery of this size.")
            )
        apart = _disagreeing(found.scores, strict, rules)
        if apart and rules.strict is not None:
            place = "review"
            reasons.append(
                Reason("search.modalities_disagree", f"{apart[0]} speaks for this person, {apart[1]} against.")
            )
        return Candidate(
            rank=0,
            subject=found.subject,
            place=place,
            scores=dict(found.scores),
            records=dict(found.records),
            fmr=strict.fmr,
            fpir=fpir_of(min(strict.fmr, 1.0), comparisons),
            rule=strict.rule,
            llr=strict.llr,
            extrapolated=strict.extrapolated,
            reasons=tuple(reasons),
        )


NEEDS_MINIMUM = ("hamming-cascade",)
"""Engines that search only for records at or above a score."""

LOWEST = -1e6
"""Below every score; a finite minimum that excludes nothing."""

AGAINST = 0.05
"""A score that more than this share of non-mated comparisons reach speaks against one person."""


def _disagreeing(scores: Mapping[str, float], fused: Fused, rules: _Rules) -> tuple[str, str] | None:
    """The modality that matches by itself and the one that looks like somebody else, if there are such."""
    if len(scores) < 2:
        return None
    alone = [n for n, rule in rules.strict_single.items() if n in scores and scores[n] >= rule.thresholds[n].score]
    against = [name for name, rate in fused.rates.items() if rate.fmr > AGAINST]
    return (alone[0], against[0]) if alone and against and alone[0] != against[0] else None


def answer_of(candidates: Sequence[Candidate]) -> Answer:
    """One subject that matches is a match; several, or only look-alikes, are for a person to look at."""
    matches = sum(candidate.place == "match" for candidate in candidates)
    reviews = sum(candidate.place == "review" for candidate in candidates)
    if matches == 1:
        return "match"
    return "review" if matches or reviews else "none"


def _weight(place: Place) -> int:
    return {"match": 2, "review": 1, "below": 0}[place]


def _rule_fmr(rule: FusionRule) -> float:
    """The rate that the thresholds in use really stand for."""
    fmrs = [threshold.fmr for threshold in rule.thresholds.values()]
    if not fmrs:
        return rule.fmr
    return math.prod(fmrs) if rule.independent else min(fmrs)
