"""Morphing attacks: what a morph achieves against comparison (MMPMR, RMMR, MAP), and how well it is detected.

A morph threatens when it matches *all* the people it was made of, so every figure takes the weakest of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.attack import BpcerAtApcer, SpeciesRates, bpcer_at_apcer, pad_rates, presentations
from samebody.measure.bootstrap import BootstrapOptions
from samebody.measure.clustered import dyadic_rate
from samebody.measure.errors import EmptyClassError, InvalidRateError, InvalidScoresError, checked_scores
from samebody.measure.estimates import independent_rate
from samebody.measure.intervals import RateEstimate
from samebody.measure.labels import Labels, checked_flags, checked_labels


@dataclass(frozen=True, slots=True)
class MorphRates:
    """What morphs achieve at one threshold.

    Attributes:
        threshold: a comparison matches when ``score >= threshold``.
        morphs, subjects, comparisons: what it rests on.
        mmpmr: mated morph presentation match rate: morphs for which the best attempt of *every* contributing subject
            matches / morphs (MinMax-MMPMR; with one attempt a subject the plain MMPMR). Its interval heeds that morphs
            share subjects where every morph has two.
        prod_avg: ProdAvg-MMPMR: mean over morphs of the product over subjects of the share of matching attempts.
        fnmr: of the same system at the threshold, as given.
        rmmr: relative morph match rate ``1 + MMPMR - (1 - FNMR)``.
        rmmr_prod_avg: the same with ProdAvg.
    """

    threshold: float
    morphs: int
    subjects: int
    comparisons: int
    mmpmr: RateEstimate
    prod_avg: float
    fnmr: float
    rmmr: float
    rmmr_prod_avg: float


def morph_rates(
    morph: ArrayLike, subject: ArrayLike, score: ArrayLike, threshold: float, fnmr: float, *, level: float = 0.95
) -> MorphRates:
    """MMPMR (MinMax), ProdAvg-MMPMR and RMMR of morphs compared with probes of their contributing subjects.

    ``MMPMR = 1/M sum_m [min_n max_i S_mni >= t]``; ``ProdAvg = 1/M sum_m prod_n (1/I_n) sum_i [S_mni >= t]``;
    ``RMMR = 1 + MMPMR - (1 - FNMR)``. Source: U. Scherhag et al., "Biometric Systems under Morphing Attacks", BIOSIG
    2017; ISO/IEC 20059:2025. The papers accept above the threshold, we at it as everywhere else.

    Args:
        morph: (n,) which morph each comparison used.
        subject: (n,) which contributing subject the probe shows.
        score: (n,) similarity.
        threshold: match when ``score >= threshold``.
        fnmr: of bona fide mated comparisons at the same threshold, 0-1.
        level: of confidence.

    Raises:
        EmptyClassError: no comparison.
        InvalidScoresError: lengths differ, or a morph with fewer than two contributing subjects.
        InvalidRateError: ``fnmr`` outside 0-1.
    """
    values = checked_scores(score, "morph")
    if not 0.0 <= fnmr <= 1.0:
        raise InvalidRateError(f"FNMR lies in 0-1, got {fnmr}.")
    table = _contributions(morph, subject, values.size)
    share = table.mean(values >= threshold)
    weakest = np.ones(len(table.morphs))
    np.minimum.at(weakest, table.morph_of, (share > 0).astype(np.float64))
    product = np.ones(len(table.morphs))
    np.multiply.at(product, table.morph_of, share)
    success = weakest > 0
    people = int(np.unique(table.subject_of).size)
    if np.all(np.bincount(table.morph_of) == 2):
        two = table.subject_of.reshape(-1, 2)
        mmpmr = dyadic_rate(two[:, 0], two[:, 1], success, level).estimate
    else:
        mmpmr = independent_rate(int(success.sum()), int(success.size), level, subjects=people)
    average = float(product.mean())
    return MorphRates(
        threshold=float(threshold),
        morphs=len(table.morphs),
        subjects=people,
        comparisons=int(values.size),
        mmpmr=mmpmr,
        prod_avg=average,
        fnmr=fnmr,
        rmmr=1 + mmpmr.rate - (1 - fnmr),
        rmmr_prod_avg=1 + average - (1 - fnmr),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Contributions:
    """Comparisons grouped by (morph, contributing subject), sorted by morph."""

    morphs: Labels
    group: NDArray[np.int64]
    morph_of: NDArray[np.int64]
    subject_of: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.morph_of.size)

    def mean(self, values: NDArray[np.bool_]) -> NDArray[np.float64]:
        sums = np.bincount(self.group, weights=values, minlength=len(self))
        return np.asarray(sums / np.bincount(self.group, minlength=len(self)), dtype=np.float64)


def _contributions(morph: ArrayLike, subject: ArrayLike, rows: int) -> _Contributions:
    morphs, people = checked_labels(morph, rows, "morph"), checked_labels(subject, rows, "subject")
    keys, group = np.unique(morphs.codes * len(people) + people.codes, return_inverse=True)
    morph_of, subject_of = np.divmod(keys, len(people))
    alone = np.flatnonzero(np.bincount(morph_of, minlength=len(morphs)) < 2)
    if alone.size:
        raise InvalidScoresError(
            f"{alone.size} morphs are compared with one subject only, {morphs.names[alone[0]]!r} among them.",
            hint="A morph needs probes of at least two contributing subjects.",
        )
    return _Contributions(morphs, group.reshape(-1), morph_of, subject_of)


@dataclass(frozen=True, slots=True, eq=False)
class MorphingAttackPotential:
    """MAP[r, c]: how many attempts and how many systems a morph fools.

    Attributes:
        values: (attempts, systems) float64; ``values[r-1, c-1]`` = share of morphs that match with at least ``r``
            attempts of *each* contributing subject on at least ``c`` systems. It falls along both axes.
        morphs: how many.
        attempts: the most attempts that every subject of every morph made on every system: the rows of ``values``.
        systems: their names.
    """

    values: NDArray[np.float64]
    morphs: int
    attempts: int
    systems: tuple[Any, ...]

    def at(self, attempts: int, systems: int) -> float:
        """MAP[r, c] for ``r`` attempts and ``c`` systems, both from 1.

        Raises:
            InvalidRateError: outside the matrix.
        """
        rows, columns = self.values.shape
        if not (1 <= attempts <= rows and 1 <= systems <= columns):
            raise InvalidRateError(
                f"MAP holds 1..{rows} attempts and 1..{columns} systems, not [{attempts},{systems}]."
            )
        return float(self.values[attempts - 1, systems - 1])


def morphing_attack_potential(
    morph: ArrayLike, subject: ArrayLike, system: ArrayLike, matched: ArrayLike
) -> MorphingAttackPotential:
    """MAP[r, c] over several attempts and several recognition systems, each decided at its own threshold.

    Source: M. Ferrara et al., "Morphing Attack Potential", IWBF 2022; ISO/IEC 20059:2025.

    Args:
        morph: (n,) which morph.
        subject: (n,) which contributing subject the probe shows; each row is one attempt.
        system: (n,) which recognition system compared.
        matched: (n,) bool, its decision.

    Raises:
        EmptyClassError: no attempt.
        InvalidScoresError: lengths differ, a morph with fewer than two subjects, or a subject of a morph without any
            attempt on some system.
    """
    hits = checked_flags(matched, None, "matched")
    if hits.size == 0:
        raise EmptyClassError("there are no attempts.")
    table = _contributions(morph, subject, hits.size)
    systems = checked_labels(system, hits.size, "system")
    shape = (len(table), len(systems))
    flat = table.group * len(systems) + systems.codes
    made = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
    good = np.bincount(flat, weights=hits, minlength=shape[0] * shape[1]).reshape(shape)
    attempts = int(made.min())
    if attempts == 0:
        raise InvalidScoresError(
            "some contributing subject has no attempt on some system.", hint="Run every probe on every system."
        )
    weakest = np.full((len(table.morphs), len(systems)), np.inf)
    np.minimum.at(weakest, table.morph_of, good)
    values = np.empty((attempts, len(systems)))
    for row in range(attempts):
        fooled = np.count_nonzero(weakest >= row + 1, axis=1)
        values[row] = [np.mean(fooled >= number) for number in range(1, len(systems) + 1)]
    return MorphingAttackPotential(values, len(table.morphs), attempts, systems.names)


@dataclass(frozen=True, slots=True)
class MorphDetectionRates:
    """How well morphs are told from bona fide samples.

    Attributes:
        threshold: a sample passes as bona fide when ``score >= threshold``.
        methods: one entry per morphing method; its ``apcer`` is the MACER.
        macer: the maximum over methods; None where no method gave a response.
        worst_method: the one that gave it.
        bscer: bona fide samples taken for morphs / bona fide samples with a response; None without any.
        points: BSCER at a MACER of 10, 5 and 1 % of the worst method; empty without both classes.
    """

    threshold: float
    methods: tuple[SpeciesRates, ...]
    macer: float | None
    worst_method: Any
    bscer: RateEstimate | None
    points: tuple[BpcerAtApcer, ...]


def morph_detection_rates(
    morph_scores: ArrayLike,
    methods: ArrayLike,
    bona_fide_scores: ArrayLike,
    threshold: float,
    options: BootstrapOptions | None = None,
) -> MorphDetectionRates:
    """MACER per morphing method and BSCER at a threshold, and BSCER at fixed MACERs. Source: ISO/IEC 20059:2025.

    Scores are bona fide scores as in :mod:`samebody.measure.attack`; NaN where the detector gave none.

    Raises:
        EmptyClassError: no sample at all.
        InvalidScoresError: lengths differ, infinite scores, missing methods.
    """
    trials = presentations(morph_scores, methods, bona_fide_scores, unit="presentation")
    rates = pad_rates(trials, threshold, options=options)
    both = rates.bpcer is not None and rates.worst is not None
    targets = (0.1, 0.05, 0.01) if both else ()
    return MorphDetectionRates(
        threshold=rates.threshold,
        methods=rates.species,
        macer=None if rates.worst is None else rates.worst.apcer,
        worst_method=None if rates.worst is None else rates.worst.worst_species,
        bscer=rates.bpcer,
        points=tuple(bpcer_at_apcer(trials, target, options, name=f"BSCER at MACER {target:g}") for target in targets),
    )
