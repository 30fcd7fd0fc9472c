"""Whole transactions of one or several attempts: FAR and FRR from attempts, GFAR and GFRR with enrolment.

FMR and FNMR belong to comparisons. FAR and FRR belong to transactions: a person may try again, and an attempt may fail
to acquire a sample at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.bootstrap import BootstrapOptions
from samebody.measure.errors import EmptyClassError, InvalidRateError, InvalidScoresError
from samebody.measure.estimates import estimate_rate
from samebody.measure.intervals import RateEstimate
from samebody.measure.labels import Labels, checked_flags, checked_labels

Rule = Literal["any", "best", "mean", "all"]
"""How attempts become one decision: ``any`` accepts at the first accepted attempt and stops there; ``best`` and
``mean`` compare the highest and the mean score of the acquired attempts; ``all`` wants every attempt acquired and
accepted."""


@dataclass(frozen=True, slots=True)
class AcquisitionRates:
    """Failures to acquire and to enrol, counted apart from every comparison.

    Attributes:
        fta: failed attempts / attempts; None where none was made.
        fte: subjects that could not be enrolled / subjects that tried; None where none tried.
    """

    fta: RateEstimate | None
    fte: RateEstimate | None


def acquisition_rates(
    acquired: ArrayLike | None = None,
    attempt_subjects: ArrayLike | None = None,
    enrolled: ArrayLike | None = None,
    options: BootstrapOptions | None = None,
) -> AcquisitionRates:
    """FTA over attempts and FTE over subjects. Source: ISO/IEC 19795-1:2021, failure-to-acquire and -enrol rates.

    Args:
        acquired: (n,) bool, one for each verification attempt; None where none was recorded.
        attempt_subjects: (n,) whose attempt it was, for an interval over people; None calls attempts independent.
        enrolled: (m,) bool, one for each subject that tried to enrol.
        options: of the bootstrap over people.

    Raises:
        InvalidScoresError: lengths differ or values that are no truth values.
    """
    fta = fte = None
    if acquired is not None and np.size(acquired):
        fta = estimate_rate(~checked_flags(acquired, None, "acquired"), attempt_subjects, options)
    if enrolled is not None and np.size(enrolled):
        fte = estimate_rate(~checked_flags(enrolled, None, "enrolled"), None, options)
    return AcquisitionRates(fta, fte)


@dataclass(frozen=True, slots=True, eq=False)
class TransactionDecisions:
    """Attempts turned into one decision a transaction.

    Attributes:
        transactions: (t,) their ids, in sorted order.
        accepted: (t,) bool.
        acquired: (t,) bool, whether at least one used attempt gave a score.
        used: (t,) attempts used; under ``any`` those after an accepted one do not count.
        rule, attempts, threshold: what was applied.
    """

    transactions: tuple[object, ...]
    accepted: NDArray[np.bool_]
    acquired: NDArray[np.bool_]
    used: NDArray[np.int64]
    rule: Rule
    attempts: int
    threshold: float


def decide_transactions(
    transaction: ArrayLike, attempt: ArrayLike, score: ArrayLike, threshold: float, *, attempts: int, rule: Rule = "any"
) -> TransactionDecisions:
    """Accept or reject each transaction from at most ``attempts`` of its attempts, in the order of ``attempt``.

    Args:
        transaction: (n,) which transaction each attempt belongs to.
        attempt: (n,) numbers that order the attempts of a transaction; no two alike within one.
        score: (n,) similarity; NaN where no sample was acquired.
        threshold: accept when ``score >= threshold``.
        attempts: k, the most attempts a transaction may use, 1 or more.
        rule: see :data:`Rule`.

    Raises:
        InvalidScoresError: lengths differ, infinite scores, or an attempt number twice in one transaction.
        InvalidRateError: ``attempts`` below 1 or an unknown rule.
        EmptyClassError: no attempt.
    """
    values = np.asarray(score, dtype=np.float64)
    if values.ndim != 1 or np.any(np.isinf(values)):
        raise InvalidScoresError("scores of attempts must be a list of finite numbers, or NaN where none was acquired.")
    if values.size == 0:
        raise EmptyClassError("there are no attempts.")
    if attempts < 1 or rule not in ("any", "best", "mean", "all"):
        raise InvalidRateError(f"a transaction uses 1 or more attempts by a known rule, got {attempts} and {rule!r}.")
    ids = checked_labels(transaction, values.size, "transaction")
    numbers = np.asarray(attempt)
    checked_labels(numbers, values.size, "attempt")
    order = np.lexsort((numbers, ids.codes))
    codes, values, numbers = ids.codes[order], values[order], numbers[order]
    starts = np.searchsorted(codes, np.arange(len(ids)))
    if np.any((np.diff(codes) == 0) & (numbers[1:] == numbers[:-1])):
        raise InvalidScoresError("an attempt number stands twice in one transaction.")
    position = np.arange(codes.size) - starts[codes]
    within = position < attempts
    accepted = within & (values >= np.float64(threshold))  # NaN compares as false: nothing acquired, nothing accepted
    if rule == "any":
        first = np.full(len(ids), attempts, dtype=np.int64)
        np.minimum.at(first, codes[accepted], position[accepted])
        within &= position <= first[codes]
    scored = within & ~np.isnan(values)
    used, given, good = (np.bincount(codes[mask], minlength=len(ids)) for mask in (within, scored, accepted & within))
    if rule in ("any", "best"):
        decision = good > 0
    elif rule == "all":
        decision = good == used
    else:
        total = np.bincount(codes[scored], weights=values[scored], minlength=len(ids))
        decision = (given > 0) & (total / np.maximum(given, 1) >= np.float64(threshold))
    return TransactionDecisions(ids.names, decision, given > 0, used, rule, attempts, float(threshold))


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """Rates of whole transactions, measured on attempts rather than computed from comparison rates.

    Attributes:
        rule, attempts, threshold: what was applied; ``attempts`` is the most a transaction may use.
        far: non-mated transactions accepted / all of them; None without any.
        frr: mated transactions rejected / all of them, failures to acquire among them; None without any.
        fta: mated and non-mated attempts used without a sample / attempts used.
        transactions_without_sample: transactions in which no used attempt gave a sample; all of them rejected.
        mean_attempts: attempts used in a mated transaction on average; None without any.
        fte: failure-to-enrol rate used below.
        gfar, gfrr: ``FAR (1 - FTE)`` and ``FTE + (1 - FTE) FRR``; None where FAR or FRR is.
    """

    rule: Rule
    attempts: int
    threshold: float
    far: RateEstimate | None
    frr: RateEstimate | None
    fta: float
    transactions_without_sample: int
    mean_attempts: float | None
    fte: float
    gfar: float | None
    gfrr: float | None


def measure_transactions(
    transaction: ArrayLike,
    attempt: ArrayLike,
    score: ArrayLike,
    mated: ArrayLike,
    threshold: float,
    *,
    attempts: int,
    rule: Rule = "any",
    subjects: ArrayLike | None = None,
    fte: float = 0.0,
    options: BootstrapOptions | None = None,
) -> TransactionResult:
    """FAR, FRR, GFAR and GFRR of transactions of up to ``attempts`` attempts, from a table of attempts.

    Attempts of one transaction are not independent, so ``FMR^k`` arithmetic is never used: the decisions are made
    and counted. Source: ISO/IEC 19795-1:2021, false accept and false reject rates of transactions.

    Args:
        transaction, attempt, score, threshold, attempts, rule: as in :func:`decide_transactions`.
        mated: (n,) bool; the same for all attempts of a transaction.
        subjects: (n,) who made the attempt; the same within a transaction; None calls transactions independent.
        fte: failure-to-enrol rate, 0-1.
        options: of the bootstrap over people.

    Raises:
        InvalidScoresError, InvalidRateError, EmptyClassError.
    """
    if not 0.0 <= fte <= 1.0:
        raise InvalidRateError(f"FTE lies in 0-1, got {fte}.")
    decided = decide_transactions(transaction, attempt, score, threshold, attempts=attempts, rule=rule)
    ids = checked_labels(transaction, None, "transaction")
    genuine = _one_value(ids, checked_flags(mated, ids.codes.size, "mated").astype(np.int64), "mated and non-mated")
    who = None
    if subjects is not None:
        people = checked_labels(subjects, ids.codes.size, "subject")
        who = _one_value(ids, people.codes, "two subjects'")
    rates: list[RateEstimate | None] = []
    for kind, wrong in ((0, decided.accepted), (1, ~decided.accepted)):
        rows = genuine == kind
        rates.append(estimate_rate(wrong[rows], None if who is None else who[rows], options) if rows.any() else None)
    far, frr = rates
    used, without = int(decided.used.sum()), _attempts_without_sample(ids, attempt, score, decided)
    return TransactionResult(
        rule=rule,
        attempts=attempts,
        threshold=float(threshold),
        far=far,
        frr=frr,
        fta=without / used,
        transactions_without_sample=int(np.count_nonzero(~decided.acquired)),
        mean_attempts=float(decided.used[genuine == 1].mean()) if np.any(genuine == 1) else None,
        fte=fte,
        gfar=None if far is None else far.rate * (1 - fte),
        gfrr=None if frr is None else fte + (1 - fte) * frr.rate,
    )


def _attempts_without_sample(ids: Labels, attempt: ArrayLike, score: ArrayLike, decided: TransactionDecisions) -> int:
    values = np.asarray(score, dtype=np.float64)
    order = np.lexsort((np.asarray(attempt), ids.codes))
    codes = ids.codes[order]
    position = np.arange(codes.size) - np.searchsorted(codes, np.arange(len(ids)))[codes]
    return int(np.count_nonzero(np.isnan(values[order]) & (position < decided.used[codes])))


def _one_value(ids: Labels, values: NDArray[np.int64], kind: str) -> NDArray[np.int64]:
    """The value that all attempts of a transaction share."""
    found = np.empty(len(ids), dtype=np.int64)
    found[ids.codes] = values
    if np.any(found[ids.codes] != values):
        raise InvalidScoresError(f"a transaction holds {kind} attempts.", hint="Give each transaction one id.")
    return found
