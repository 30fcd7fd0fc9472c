"""Enrolment into a gallery of people who should each be there once: search first, then write, and say what was found.

A repeated request changes nothing. A duplicate is refused, flagged or allowed, as the policy says, and the candidate it
rests on is named. Look-alikes, twins and contradicting modalities are held for review: no machine rejects them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody.errors import InputError
from samebody.search.candidates import Builder
from samebody.search.engines.arrays import ArraySource
from samebody.search.identify import Candidate, Identification, Identifier, SearchPolicy, answer_of
from samebody.search.thresholds import ErrorRates
from samebody.search.types import Engine, Layout, Probes, Source
from samebody.stage import Parameters
from samebody.types import Reason

Outcome = Literal["enrolled", "flagged", "refused", "review", "known"]

BIRTH = "birth"
"""Attribute that is equal for people of one birth (a digest of date and mother, say): the hint for twins."""
ITEM = "item"
"""Attribute that names what was enrolled, so that a repeated request is recognised."""
FLAG = "flag"
"""Attribute of a record that was enrolled although somebody like it was there: ``duplicate`` or ``review``."""

ATTRIBUTES = (ITEM, FLAG)


class ApplicantError(InputError):
    """An applicant has no template, or templates that do not fit the gallery."""

    code = "search.applicant"


class EnrolmentPolicy(Parameters):
    """What happens to somebody who seems to be enrolled already.

    Attributes:
        duplicates: ``refuse`` (not enrolled; look-alikes wait for review), ``flag`` (enrolled, and the record says so)
            or ``allow`` (no search is made).
        search: the FPIR that the search is made at, and that of the review.
    """

    duplicates: Literal["refuse", "flag", "allow"] = "refuse"
    search: SearchPolicy = Field(default_factory=SearchPolicy)


@dataclass(frozen=True, slots=True, eq=False)
class Applicant:
    """Somebody to be enrolled.

    Attributes:
        subject: name in the gallery, 1 to 256 bytes.
        vector: (dimension,) float32 of unit length, or None.
        iris: code and mask, (columns,) uint64 each, or None.
        spaces: digest of the embedding space of each modality that is given.
        attributes: small JSON facts, kept with each record. ``birth`` is the hint for twins.
        facts: by modality: what is kept with the record of that modality besides.
        request: name of the request; by default made from the content.
    """

    subject: str
    vector: NDArray[np.float32] | None = field(default=None, repr=False)
    iris: tuple[NDArray[np.uint64], NDArray[np.uint64]] | None = field(default=None, repr=False)
    spaces: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    request: str | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that are given."""
        return tuple(name for name in ("iris", "vector") if getattr(self, name) is not None)

    @property
    def item(self) -> str:
        """Sixteen hexadecimal digits that name this request: equal for equal requests."""
        digest = hashlib.sha256(json.dumps([self.subject, self.request]).encode())
        if self.request is None:
            for payload in (self.vector, *(self.iris or ())):
                digest.update(b"-" if payload is None else np.ascontiguousarray(payload).tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of one applicant.

    Attributes:
        subject: as asked.
        outcome: ``enrolled``, ``flagged`` (enrolled, and marked), ``refused`` (a duplicate), ``review`` (not enrolled;
            a person has to decide) or ``known`` (this very request was carried out before).
        record_ids: by modality; of what was or had been written.
        candidates: enrolled subjects that it rests on, best first; of other subjects only.
        fpir: that the search was made at; None when none was made.
        reasons: why.
    """

    subject: str
    outcome: Outcome
    record_ids: Mapping[str, int] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()
    fpir: float | None = None
    reasons: tuple[Reason, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return {
            "subject": self.subject,
            "outcome": self.outcome,
            "record_ids": dict(self.record_ids),
            "fpir": self.fpir,
            "reasons": [{"code": reason.code, "message": reason.message} for reason in self.reasons],
            "candidates": [candidate.to_dict() for candidate in self.candidates],
        }


class WritableGallery(Protocol):
    """What enrolment asks of a gallery that is open for writing."""

    @property
    def layouts(self) -> Sequence[Layout]:
        """Of its modalities."""
        ...

    def subject_of(self, record_ids: Sequence[int] | NDArray[np.integer]) -> Sequence[str | None]:
        """Whose each record is."""
        ...

    def records_of(self, subject: str) -> Sequence[Any]:
        """Stored records of a subject: ``record_id``, ``modality``, ``attributes``."""
        ...

    def source(self, modality: str) -> Source:
        """A consistent view of the references."""
        ...


Writer = Callable[[Sequence[tuple[Applicant, Mapping[str, Any]]]], Sequence[Mapping[str, int]]]
"""Writes applicants with their attributes durably, and returns the record ids of each by modality."""


class Enroller:
    """Enrols batches of applicants into one gallery.

    Args:
        gallery: open for writing.
        write: writes a batch; acknowledged means durable.
        rates: by modality; may be empty when duplicates are allowed.
        build: makes engines.
        policy: what to do with duplicates.
        engines: by modality, when they exist already.
    """

    def __init__(
        self,
        gallery: WritableGallery,
        write: Writer,
        rates: Mapping[str, ErrorRates],
        build: Builder,
        *,
        policy: EnrolmentPolicy | None = None,
        engines: Mapping[str, Engine] | None = None,
    ) -> None:
        self.policy = policy or EnrolmentPolicy()
        self._gallery, self._write, self._rates, self._build = gallery, write, dict(rates), build
        self._layouts: dict[str, Layout] = {layout.modality: layout for layout in gallery.layouts}
        self._identifier: Identifier | None = None
        self._engines = dict(engines or {})

    def enrol(self, applicants: Sequence[Applicant]) -> list[Enrolled]:
        """Enrol a batch: searched as one, compared with each other too, written as one.

        Returns:
            One :class:`Enrolled` for each applicant, in order.

        Raises:
            ApplicantError: no template, or one that does not fit; nothing of the batch is written.
            ThresholdUnknownError: duplicates are to be found, and no operating point is strict enough for it.
        """
        for applicant in applicants:
            self._check(applicant)
        known = [self._known(applicant) for applicant in applicants]
        new = self._distinct([number for number, held in enumerate(known) if not held], applicants)
        results: dict[int, Enrolled] = {
            number: Enrolled(applicants[number].subject, "known", held) for number, held in enumerate(known) if held
        }
        verdicts = {number: Enrolled(applicants[number].subject, "enrolled") for number in new}
        if self.policy.duplicates != "allow" and new:
            verdicts = self._searched(applicants, new)
        writing = [number for number in new if verdicts[number].outcome in ("enrolled", "flagged")]
        written = self._write([(applicants[n], self._attributes(applicants[n], verdicts[n])) for n in writing])
        ids = dict(zip(writing, written, strict=True))
        for number in new:
            results[number] = replace(verdicts[number], record_ids=dict(ids.get(number, {})))
        first = {applicants[number].item: number for number in new}
        for number, applicant in enumerate(applicants):
            if number not in results:  # the same request twice in one batch
                twin = results[first[applicant.item]]
                results[number] = replace(twin, outcome="known") if twin.record_ids else twin
        return [results[number] for number in range(len(applicants))]

    # ------------------------------------------------------------------------------------------------------- steps

    def _check(self, applicant: Applicant) -> None:
        if not applicant.modalities:
            raise ApplicantError(f"{applicant.subject!r} brings no template.", hint="Give a vector, an iris, or both.")
        for name in applicant.modalities:
            if name not in self._layouts:
                raise ApplicantError(f"the gallery holds no {name}.", hint=f"It holds {', '.join(self._layouts)}.")
            _probes(name, [applicant], self._layouts[name]).check_layout(self._layouts[name])

    def _known(self, applicant: Applicant) -> dict[str, int]:
        """Record ids of this very request, when it was carried out before."""
        item = applicant.item
        return {
            record.modality: record.record_id
            for record in self._gallery.records_of(applicant.subject)
            if record.attributes.get(ITEM) == item
        }

    def _distinct(self, numbers: Sequence[int], applicants: Sequence[Applicant]) -> list[int]:
        first: dict[str, int] = {}
        for number in numbers:
            first.setdefault(applicants[number].item, number)
        return sorted(first.values())

    def _searched(self, applicants: Sequence[Applicant], new: Sequence[int]) -> dict[int, Enrolled]:
        found = self._found(applicants, new)
        verdicts: dict[int, Enrolled] = {}
        for number in new:
            applicant = applicants[number]
            earlier = {
                applicants[other].subject
                for other, verdict in verdicts.items()
                if verdict.outcome in ("enrolled", "flagged")
            }
            listed = [
                candidate
                for candidate, in_batch in found[number]
                if candidate.subject != applicant.subject and (not in_batch or candidate.subject in earlier)
            ]
            verdicts[number] = self._verdict(applicant, listed, applicants)
        return verdicts

    def _found(self, applicants: Sequence[Applicant], new: Sequence[int]) -> dict[int, list[tuple[Candidate, bool]]]:
        """Candidates of each new applicant: in the gallery, and (True) in the batch itself."""
        found: dict[int, list[tuple[Candidate, bool]]] = {number: [] for number in new}
        kinds: dict[tuple[str, ...], list[int]] = {}
        for number in new:
            kinds.setdefault(applicants[number].modalities, []).append(number)
        gallery = self._over_gallery()
        batch = self._over_batch([applicants[number] for number in new])
        for names, numbers in kinds.items():
            members = [applicants[number] for number in numbers]
            probes = {name: _probes(name, members, self._layouts[name]) for name in names}
            size = gallery.size(names) + len(new)
            for identifier, in_batch in ((gallery, False), (batch, True)):
                answers: list[Identification] = identifier.identify(probes, comparisons=size)
                for number, answer in zip(numbers, answers, strict=True):
                    found[number] += [(candidate, in_batch) for candidate in answer.candidates]
        return found

    def _over_gallery(self) -> Identifier:
        sources = {name: self._gallery.source(name) for name in self._layouts}
        if self._identifier is None:
            self._identifier = Identifier(
                self._gallery, sources, self._rates, self._build, engines=self._engines, policy=self.policy.search
            )
        else:
            self._identifier.refresh(sources)
        return self._identifier

    def _over_batch(self, members: Sequence[Applicant]) -> Identifier:
        directory = _Batch(members, self._layouts)
        sources = {name: directory.source(name) for name in self._layouts}
        return Identifier(directory, sources, self._rates, self._build, policy=self.policy.search)

    def _verdict(self, applicant: Applicant, listed: list[Candidate], batch: Sequence[Applicant]) -> Enrolled:
        judged = tuple(self._with_hint(applicant, candidate, batch) for candidate in listed)
        answer = answer_of(judged)
        fpir = self.policy.search.fpir
        if answer == "none":
            return Enrolled(applicant.subject, "enrolled", fpir=fpir)
        certain = any(candidate.place == "match" for candidate in judged)
        best = max(judged, key=lambda c: (c.place == "match", -c.fmr))
        reasons = (_reason(best, certain), *best.reasons)
        if self.policy.duplicates == "flag":
            return Enrolled(applicant.subject, "flagged", {}, judged, fpir, reasons)
        return Enrolled(applicant.subject, "refused" if certain else "review", {}, judged, fpir, reasons)

    def _with_hint(self, applicant: Applicant, candidate: Candidate, batch: Sequence[Applicant]) -> Candidate:
        """A match of faces between people of one birth is for review; one of irises stays: twins' irises differ."""
        birth = applicant.attributes.get(BIRTH)
        if birth is None or candidate.place != "match" or "iris" in candidate.scores:
            return candidate
        others = [record.attributes for record in self._gallery.records_of(candidate.subject)]
        others += [other.attributes for other in batch if other.subject == candidate.subject]
        if all(held.get(BIRTH) != birth for held in others):
            return candidate
        twin = Reason("search.same_birth", "Both are recorded with one birth: they may be twins.")
        return replace(candidate, place="review", reasons=(*candidate.reasons, twin))

    def _attributes(self, applicant: Applicant, verdict: Enrolled) -> dict[str, Any]:
        held = {**applicant.attributes, ITEM: applicant.item}
        if verdict.outcome == "flagged":
            sure = any(candidate.place == "match" for candidate in verdict.candidates)
            held[FLAG] = "duplicate" if sure else "review"
        return held


def _reason(best: Candidate, certain: bool) -> Reason:
    scores = ", ".join(f"{name} {score:.4f}" for name, score in best.scores.items())
    if certain:
        return Reason(
            "search.duplicate",
            f"{best.subject!r} is enrolled already and matches ({scores}); a stranger would find somebody as alike in "
            f"at most {best.fpir:.2g} of searches of this gallery.",
        )
    return Reason("search.look_alike", f"{best.subject!r} is enrolled and looks alike ({scores}): a person decides.")


def _probes(name: str, members: Sequence[Applicant], layout: Layout) -> Probes:
    space = {member.spaces.get(name, "") for member in members}
    if len(space) != 1:
        raise ApplicantError(f"{name} templates of different embedding spaces stand in one batch.")
    try:
        if name == "vector":
            return Probes(space.pop(), vectors=np.stack([np.asarray(member.vector) for member in members]))
        pairs = [member.iris for member in members if member.iris is not None]
        return Probes(space.pop(), codes=np.stack([p[0] for p in pairs]), masks=np.stack([p[1] for p in pairs]))
    except ValueError as error:
        raise ApplicantError(f"templates of {layout.modality} differ in shape: {error}.") from None


class _Batch:
    """The applicants of a batch as a small gallery, with numbers of its own."""

    def __init__(self, members: Sequence[Applicant], layouts: Mapping[str, Layout]) -> None:
        self._members, self._layouts = members, layouts

    def subject_of(self, record_ids: Sequence[int] | NDArray[np.integer]) -> list[str]:
        return [self._members[int(number)].subject for number in record_ids]

    def records_of(self, subject: str) -> list[int]:
        return [number for number, member in enumerate(self._members) if member.subject == subject]

    def source(self, name: str) -> ArraySource:
        layout = self._layouts[name]
        rows = [number for number, member in enumerate(self._members) if name in member.modalities]
        ids = np.array(rows, dtype=np.uint64)
        if not rows:
            return ArraySource(layout, [])
        held = _probes(name, [self._members[row] for row in rows], layout)
        if held.vectors is not None:
            return ArraySource.of_vectors(held.vectors, layout.space, ids=ids)
        assert held.codes is not None and held.masks is not None
        return ArraySource.of_codes(held.codes, held.masks, layout.space, ids=ids)
