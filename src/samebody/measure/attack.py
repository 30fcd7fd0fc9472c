"""Error rates of attack detection: presentation attacks per species, injection attacks per method and instrument.

Scores are *bona fide scores*: the higher, the more the presentation looks bona fide; it passes when ``score >=
threshold``. Species are never pooled: one that always passes must not hide behind many that never do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.bootstrap import BootstrapOptions
from samebody.measure.errors import EmptyClassError, InvalidRateError, InvalidScoresError, checked_scores
from samebody.measure.estimates import estimate_rate
from samebody.measure.intervals import RateEstimate
from samebody.measure.labels import checked_flags, checked_labels
from samebody.measure.rates import allowed_errors, fnmr, threshold_at_fmr

Unit = Literal["frame", "video", "presentation", "subject"]
"""What one score stands for. A figure over frames and one over videos are different figures."""

Aggregation = Literal["none", "mean", "median", "min", "max"]
"""How scores of a smaller unit became one of this unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Presentations:
    """Attack and bona fide presentations with their bona fide scores.

    Attributes:
        attack_scores: (n,) float; NaN where the system did not respond.
        species: (n,) the PAI species of each attack (for injection: any label of the attack).
        bona_fide_scores: (m,) float; NaN where the system did not respond.
        unit: what one score stands for.
        aggregation: how smaller units were put together.
        attack_subjects, bona_fide_subjects: who presented, for intervals over people; None calls them independent.
    """

    attack_scores: NDArray[np.float64]
    species: NDArray[np.generic]
    bona_fide_scores: NDArray[np.float64]
    unit: Unit
    aggregation: Aggregation = "none"
    attack_subjects: NDArray[np.generic] | None = None
    bona_fide_subjects: NDArray[np.generic] | None = None


def presentations(
    attack_scores: ArrayLike,
    species: ArrayLike,
    bona_fide_scores: ArrayLike,
    *,
    unit: Unit,
    aggregation: Aggregation = "none",
    attack_subjects: ArrayLike | None = None,
    bona_fide_subjects: ArrayLike | None = None,
) -> Presentations:
    """A checked set of presentations; the unit and the aggregation must be said, because figures depend on them.

    Raises:
        InvalidScoresError: lengths differ, infinite scores, missing species.
        InvalidRateError: an unknown unit or aggregation.
    """
    if unit not in ("frame", "video", "presentation", "subject"):
        raise InvalidRateError(f"there is no unit {unit!r}.", hint="Use frame, video, presentation or subject.")
    if aggregation not in ("none", "mean", "median", "min", "max"):
        raise InvalidRateError(f"there is no aggregation {aggregation!r}.")
    attacks, bona_fide = _responses(attack_scores, "attack"), _responses(bona_fide_scores, "bona fide")
    checked_labels(species, attacks.size, "species")
    for who, rows, kind in (
        (attack_subjects, attacks.size, "attack"),
        (bona_fide_subjects, bona_fide.size, "bona fide"),
    ):
        if who is not None:
            checked_labels(who, rows, f"{kind} subject")
    return Presentations(
        attacks,
        np.asarray(species),
        bona_fide,
        unit,
        aggregation,
        None if attack_subjects is None else np.asarray(attack_subjects),
        None if bona_fide_subjects is None else np.asarray(bona_fide_subjects),
    )


def _responses(scores: ArrayLike, kind: str) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or np.any(np.isinf(values)):
        raise InvalidScoresError(f"{kind} scores must be a list of finite numbers, or NaN for no response.")
    return values


def aggregate_scores(
    scores: ArrayLike, units: ArrayLike, aggregation: Literal["mean", "median", "min", "max"]
) -> tuple[tuple[Any, ...], NDArray[np.float64]]:
    """Scores of frames put together to one for each video (or any larger unit): its ids, sorted, and the scores.

    Frames without a response (NaN) are left out; a unit of such frames alone has no response either.

    Raises:
        InvalidScoresError: lengths differ or infinite scores.
        InvalidRateError: unknown aggregation.
    """
    how: dict[str, Callable[[NDArray[np.float64]], Any]] = {
        "mean": np.mean,
        "median": np.median,
        "min": np.min,
        "max": np.max,
    }
    if aggregation not in how:
        raise InvalidRateError(f"there is no aggregation {aggregation!r}.", hint="Use mean, median, min or max.")
    values = _responses(scores, "frame")
    labels = checked_labels(units, values.size, "unit")
    found = np.full(len(labels), np.nan)
    for number, (_, rows) in enumerate(labels.rows()):
        given = values[rows][~np.isnan(values[rows])]
        if given.size:
            found[number] = float(how[aggregation](given))
    return labels.names, found


@dataclass(frozen=True, slots=True)
class SpeciesRates:
    """One species (or injection method, or morphing method).

    Attributes:
        species: its name.
        attack_potential: of the species, as given; None where none was.
        apcer: attacks that pass / attacks with a response; None where the system never responded.
        apnrr: attacks without a response / attacks.
    """

    species: Any
    attack_potential: Any
    apcer: RateEstimate | None
    apnrr: RateEstimate


@dataclass(frozen=True, slots=True)
class PotentialRates:
    """The worst species at one attack potential: what a system must be judged by.

    Attributes:
        attack_potential: None where species carry none; all species then form one potential.
        apcer: the maximum over the species.
        worst_species: the one that gave it.
        species: how many were tested.
    """

    attack_potential: Any
    apcer: float
    worst_species: Any
    species: int


@dataclass(frozen=True, slots=True)
class PadRates:
    """Rates of presentation attack detection at one threshold.

    Attributes:
        threshold: a presentation passes when ``score >= threshold``.
        unit, aggregation: what one trial is.
        species: one entry each; never pooled.
        potentials: the maximum over the species of each attack potential.
        bpcer: bona fide presentations taken for attacks / those with a response; None without any.
        bpnrr: bona fide presentations without a response / all of them; None without any.
    """

    threshold: float
    unit: Unit
    aggregation: Aggregation
    species: tuple[SpeciesRates, ...]
    potentials: tuple[PotentialRates, ...]
    bpcer: RateEstimate | None
    bpnrr: RateEstimate | None

    @property
    def worst(self) -> PotentialRates | None:
        """The highest APCER over all potentials; None where no species gave a response."""
        return max(self.potentials, key=lambda entry: entry.apcer, default=None)


def pad_rates(
    trials: Presentations,
    threshold: float,
    attack_potential: Mapping[Any, Any] | None = None,
    options: BootstrapOptions | None = None,
) -> PadRates:
    """APCER and APNRR per species, the maximum per attack potential, BPCER and BPNRR.

    ``APCER`` = attacks of a species that pass / attacks of it with a response. ``BPCER`` = bona fide presentations
    below the threshold / those with a response. Non-responses are a rate of their own (APNRR, BPNRR). Source: ISO/IEC
    30107-3:2023.

    Args:
        trials: of :func:`presentations`.
        threshold: pass when ``score >= threshold``.
        attack_potential: potential of each species; every species must be named.
        options: of the bootstrap over people.

    Raises:
        EmptyClassError: neither an attack nor a bona fide presentation.
        InvalidScoresError: a species without an attack potential.
    """
    attacks, bona_fide = trials.attack_scores, trials.bona_fide_scores
    if attacks.size + bona_fide.size == 0:
        raise EmptyClassError("there are no presentations.")
    rates: list[SpeciesRates] = []
    for name, rows in checked_labels(trials.species, attacks.size, "species").rows():
        if attack_potential is not None and name not in attack_potential:
            raise InvalidScoresError(f"species {name!r} has no attack potential.", hint="Name it for every species.")
        who = None if trials.attack_subjects is None else trials.attack_subjects[rows]
        passed, silent = _pair(attacks[rows], attacks[rows] >= np.float64(threshold), who, options)
        rates.append(SpeciesRates(name, None if attack_potential is None else attack_potential[name], passed, silent))
    bpcer = bpnrr = None
    if bona_fide.size:
        bpcer, bpnrr = _pair(bona_fide, bona_fide < np.float64(threshold), trials.bona_fide_subjects, options)
    return PadRates(
        threshold=float(threshold),
        unit=trials.unit,
        aggregation=trials.aggregation,
        species=tuple(rates),
        potentials=_maxima(rates),
        bpcer=bpcer,
        bpnrr=bpnrr,
    )


def _pair(
    scores: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    who: NDArray[np.generic] | None,
    options: BootstrapOptions | None,
) -> tuple[RateEstimate | None, RateEstimate]:
    """The error rate of the responses, and the rate of no response."""
    silent = np.isnan(scores)
    errors = None
    if not silent.all():
        errors = estimate_rate(wrong[~silent], None if who is None else who[~silent], options)
    return errors, estimate_rate(silent, who, options)


def _maxima(rates: list[SpeciesRates]) -> tuple[PotentialRates, ...]:
    found: dict[Any, list[SpeciesRates]] = {}
    for entry in rates:
        if entry.apcer is not None:
            found.setdefault(entry.attack_potential, []).append(entry)
    result = []
    for potential, entries in found.items():
        worst = max(entries, key=lambda entry: entry.apcer.rate if entry.apcer else 0.0)
        rate = worst.apcer.rate if worst.apcer else 0.0
        result.append(PotentialRates(potential, rate, worst.species, len(entries)))
    return tuple(result)


@dataclass(frozen=True, slots=True)
class BpcerAtApcer:
    """The BPCER at a fixed APCER.

    Attributes:
        name: ``BPCER20`` for an APCER of 5 %, ``BPCER100`` for 1 %, ``BPCER1000`` for 0.1 %.
        target_apcer: asked for, of the worst species.
        threshold: the highest of the species' thresholds, each ``nextafter`` above its ``(floor(target n) + 1)``-th
            largest attack score: ties are never split and nothing is interpolated.
        realised_apcer: of the worst species at the threshold; at most the target.
        deciding_species: whose threshold it is.
        bpcer: at the threshold.
        resolvable: whether every species has at least ``1 / target`` attacks, so that the target differs from "none
            may pass".
    """

    name: str
    target_apcer: float
    threshold: float
    realised_apcer: float
    deciding_species: Any
    bpcer: RateEstimate
    resolvable: bool


def bpcer_at_apcer(
    trials: Presentations, target: float, options: BootstrapOptions | None = None, *, name: str | None = None
) -> BpcerAtApcer:
    """The BPCER at the lowest threshold at which *every* species has ``APCER <= target``.

    Source: ISO/IEC 30107-3:2023, BPCER at a fixed APCER; the threshold rule is that of ``threshold_at_fmr``.

    Raises:
        EmptyClassError: no attack or no bona fide presentation with a response.
        InvalidRateError: ``target`` outside [0, 1).
    """
    attacks, bona_fide = trials.attack_scores, trials.bona_fide_scores
    answered = ~np.isnan(bona_fide)
    if not answered.any():
        raise EmptyClassError("there are no bona fide presentations with a response.")
    found: list[tuple[float, Any, NDArray[np.float64]]] = []
    for species, rows in checked_labels(trials.species, attacks.size, "species").rows():
        scores = attacks[rows][~np.isnan(attacks[rows])]
        if scores.size:
            found.append((threshold_at_fmr(scores, target).value, species, scores))
    if not found:
        raise EmptyClassError("there are no attack presentations with a response.")
    threshold, deciding, _ = max(found, key=lambda entry: entry[0])
    who = None if trials.bona_fide_subjects is None else trials.bona_fide_subjects[answered]
    return BpcerAtApcer(
        name=name or (f"BPCER{1 / target:g}" if target else "BPCER at APCER 0"),
        target_apcer=target,
        threshold=threshold,
        realised_apcer=max(float(np.mean(scores >= np.float64(threshold))) for _, _, scores in found),
        deciding_species=deciding,
        bpcer=estimate_rate(bona_fide[answered] < np.float64(threshold), who, options),
        resolvable=all(allowed_errors(target, scores.size) >= 1 for _, _, scores in found),
    )


def bpcer_points(trials: Presentations, options: BootstrapOptions | None = None) -> tuple[BpcerAtApcer, ...]:
    """BPCER20, BPCER100 and BPCER1000: BPCER at an APCER of 5, 1 and 0.1 %.

    Raises:
        EmptyClassError: no attack or no bona fide presentation with a response.
    """
    return tuple(
        bpcer_at_apcer(trials, target, options, name=f"BPCER{number}")
        for number, target in ((20, 0.05), (100, 0.01), (1000, 0.001))
    )


@dataclass(frozen=True, slots=True)
class ImpostorAttackRates:
    """What attacks achieve against a whole system: detection and comparison together.

    Attributes:
        species: IAPAR of each species, with its interval.
        iapar: the maximum over species; pooled rates are not given.
        worst_species: the one that gave it.
        frr: false reject rate of bona fide transactions that went in.
        riapar: ``1 + IAPAR - (1 - FRR)``: near 0 is good, and a system that rejects everyone does not look good.
    """

    species: tuple[tuple[Any, RateEstimate], ...]
    iapar: float
    worst_species: Any
    frr: float
    riapar: float


def impostor_attack_rates(
    accepted: ArrayLike,
    species: ArrayLike,
    frr: float,
    *,
    subjects: ArrayLike | None = None,
    options: BootstrapOptions | None = None,
) -> ImpostorAttackRates:
    """IAPAR per species and RIAPAR of a system that detects attacks and compares.

    ``IAPAR`` = impostor attack presentations that the whole system accepts / all of them (a rejection by either part,
    or no response, counts as not accepted). ``RIAPAR = 1 + IAPAR - (1 - FRR)``. Source: ISO/IEC 30107-3:2023.

    Args:
        accepted: (n,) bool, the decision on each impostor attack presentation.
        species: (n,) PAI species.
        frr: of the same system at the same settings on bona fide transactions, 0-1.
        subjects: (n,) whose biometric was imitated, for an interval over people.
        options: of the bootstrap.

    Raises:
        EmptyClassError: no attack.
        InvalidScoresError, InvalidRateError.
    """
    passed = checked_flags(accepted, None, "accepted")
    if passed.size == 0:
        raise EmptyClassError("there are no impostor attack presentations.")
    if not 0.0 <= frr <= 1.0:
        raise InvalidRateError(f"FRR lies in 0-1, got {frr}.")
    who = None if subjects is None else np.asarray(subjects)
    rates = tuple(
        (name, estimate_rate(passed[rows], None if who is None else who[rows], options))
        for name, rows in checked_labels(species, passed.size, "species").rows()
    )
    worst, estimate = max(rates, key=lambda entry: entry[1].rate)
    return ImpostorAttackRates(rates, estimate.rate, worst, frr, relative_iapar(estimate.rate, frr))


def relative_iapar(iapar: float, frr: float) -> float:
    """``RIAPAR = 1 + IAPAR - (1 - FRR)``, in 0-2. Source: ISO/IEC 30107-3:2023.

    Raises:
        InvalidRateError: a rate outside 0-1.
    """
    for name, rate in (("IAPAR", iapar), ("FRR", frr)):
        if not 0.0 <= rate <= 1.0:
            raise InvalidRateError(f"{name} lies in 0-1, got {rate}.")
    return 1 + iapar - (1 - frr)


@dataclass(frozen=True, slots=True)
class LiteratureAcer:
    """ACER as papers print it: the mean of two rates that cost differently. It never gates anything.

    Attributes:
        label: always ``ACER (literature)``.
        acer: ``(maximum APCER + BPCER) / 2`` on the test set.
        apcer, bpcer: its parts.
        threshold: fixed on the development set, at the smallest ``|maximum APCER - BPCER|`` there.
        development_attacks, development_bona_fide: presentations with a response that the threshold comes from.
    """

    label: str
    acer: float
    apcer: float
    bpcer: float
    threshold: float
    development_attacks: int
    development_bona_fide: int


def literature_acer(development: Presentations, test: Presentations) -> LiteratureAcer:
    """ACER with its threshold from a development set, so that the test set does not choose for itself.

    Source: the average classification error rate of ISO/IEC 30107-3:2017, dropped from the 2023 edition.

    Raises:
        EmptyClassError: a class without a response in either set.
        InvalidScoresError: both sets are the same object.
    """
    if development is test:
        raise InvalidScoresError(
            "the development set is the test set.", hint="Take the threshold from other subjects than it is judged on."
        )
    attacks, bona_fide = _answers(development)
    candidates = np.append(np.unique(np.concatenate([*attacks.values(), bona_fide])), np.inf)
    worst = np.max([_passing(scores, candidates) for scores in attacks.values()], axis=0)
    refused = np.searchsorted(np.sort(bona_fide), candidates, side="left") / bona_fide.size
    threshold = float(candidates[int(np.argmin(np.abs(worst - refused)))])
    test_attacks, test_bona_fide = _answers(test)
    apcer = max(float(np.mean(scores >= np.float64(threshold))) for scores in test_attacks.values())
    bpcer = fnmr(test_bona_fide, threshold)
    return LiteratureAcer(
        label="ACER (literature)",
        acer=(apcer + bpcer) / 2,
        apcer=apcer,
        bpcer=bpcer,
        threshold=threshold,
        development_attacks=sum(scores.size for scores in attacks.values()),
        development_bona_fide=int(bona_fide.size),
    )


def _answers(trials: Presentations) -> tuple[dict[Any, NDArray[np.float64]], NDArray[np.float64]]:
    attacks = {}
    for species, rows in checked_labels(trials.species, trials.attack_scores.size, "species").rows():
        scores = trials.attack_scores[rows][~np.isnan(trials.attack_scores[rows])]
        if scores.size:
            attacks[species] = scores
    bona_fide = trials.bona_fide_scores[~np.isnan(trials.bona_fide_scores)]
    if not attacks:
        raise EmptyClassError("there are no attack presentations with a response.")
    return attacks, checked_scores(bona_fide, "bona fide").astype(np.float64)


def _passing(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    return (scores.size - np.searchsorted(np.sort(scores), thresholds, side="left")) / scores.size


@dataclass(frozen=True, slots=True)
class InjectionCell:
    """One injection attack method carried out with one instrument.

    Attributes:
        method: how the data got in (virtual camera, hooked function, ...).
        instrument: what was injected (deepfake, replayed video, ...).
        accepted: attacks that pass / attacks with a response; None where the system never responded.
        no_response: attacks without a response / attacks.
    """

    method: Any
    instrument: Any
    accepted: RateEstimate | None
    no_response: RateEstimate


@dataclass(frozen=True, slots=True)
class InjectionRates:
    """Injection attacks by method and instrument; pooled rates are not given.

    Attributes:
        threshold: an attack passes when ``score >= threshold``.
        cells: every combination that was tested.
        worst: the cell with the highest rate; None where no cell gave a response.
        untested: combinations of a tested method and a tested instrument without any attack.
        bona_fide_rejected: bona fide captures below the threshold / those with a response; None without any.
    """

    threshold: float
    cells: tuple[InjectionCell, ...]
    worst: InjectionCell | None
    untested: tuple[tuple[Any, Any], ...]
    bona_fide_rejected: RateEstimate | None


def injection_rates(
    scores: ArrayLike,
    methods: ArrayLike,
    instruments: ArrayLike,
    threshold: float,
    *,
    bona_fide_scores: ArrayLike = (),
    subjects: ArrayLike | None = None,
    options: BootstrapOptions | None = None,
) -> InjectionRates:
    """Rates of injection attack detection for each method and instrument. Source: CEN/TS 18099.

    Args:
        scores: (n,) bona fide scores of attacks, NaN for no response.
        methods, instruments: (n,) labels.
        threshold: pass when ``score >= threshold``.
        bona_fide_scores: (m,) scores of captures that were not injected, NaN for no response.
        subjects: (n,) whose face was injected, for intervals over people.
        options: of the bootstrap.

    Raises:
        EmptyClassError: no attack.
        InvalidScoresError: lengths differ, infinite scores, missing labels.
    """
    values, bona_fide = _responses(scores, "injection"), _responses(bona_fide_scores, "bona fide")
    if values.size == 0:
        raise EmptyClassError("there are no injection attacks.")
    ways = checked_labels(methods, values.size, "method")
    tools = checked_labels(instruments, values.size, "instrument")
    who = None if subjects is None else np.asarray(subjects)
    cells, untested = [], []
    for way, method in enumerate(ways.names):
        for tool, instrument in enumerate(tools.names):
            rows = np.flatnonzero((ways.codes == way) & (tools.codes == tool))
            if rows.size == 0:
                untested.append((method, instrument))
                continue
            people = None if who is None else who[rows]
            passed, silent = _pair(values[rows], values[rows] >= np.float64(threshold), people, options)
            cells.append(InjectionCell(method, instrument, passed, silent))
    answered = [cell for cell in cells if cell.accepted is not None]
    rejected = None
    if bona_fide.size:
        rejected, _ = _pair(bona_fide, bona_fide < np.float64(threshold), None, options)
    return InjectionRates(
        threshold=float(threshold),
        cells=tuple(cells),
        worst=max(answered, key=lambda cell: cell.accepted.rate if cell.accepted else 0.0, default=None),
        untested=tuple(untested),
        bona_fide_rejected=rejected,
    )
