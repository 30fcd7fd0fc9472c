"""Presentation attack detection from a table: rates per species, BPCER at APCER, and ACER named as literature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.errors import ScoreTableError
from samebody.lab.evaluate.results import Algorithm, DataSet, Provenance
from samebody.lab.evaluate.sources import numbers, open_table, text_cells
from samebody.lab.evaluate.stored import StoredResult
from samebody.measure import BootstrapOptions
from samebody.measure.attack import (
    Aggregation,
    BpcerAtApcer,
    LiteratureAcer,
    PadRates,
    Presentations,
    Unit,
    aggregate_scores,
    bpcer_points,
    literature_acer,
    pad_rates,
    presentations,
)

BONA_FIDE = ("", "bona fide", "bona-fide", "bona_fide", "bonafide")
"""What ``pai_species`` says of a presentation that is no attack."""


@dataclass(frozen=True, slots=True)
class PadTable:
    """Presentations of a table with what else it says.

    Attributes:
        trials: attacks and bona fide presentations.
        potentials: attack potential of each species; None where the table has none.
        subjects: who presented, as far as named.
    """

    trials: Presentations
    potentials: Mapping[str, str] | None
    subjects: frozenset[str]


@dataclass(frozen=True, slots=True)
class PadResult(StoredResult):
    """One detector on one data set (ISO/IEC 30107-3:2023).

    Attributes:
        algorithm, dataset: what was measured.
        attacks, bona_fide: presentations.
        rates: at each threshold: those given, then those of ``points``.
        points: BPCER20, BPCER100, BPCER1000.
        acer: only as literature prints it, with its threshold from a development set; None without one.
        provenance, warnings: how it was made, and what to know.
    """

    KIND: ClassVar[str] = "pad"

    algorithm: Algorithm
    dataset: DataSet
    attacks: int
    bona_fide: int
    rates: tuple[PadRates, ...]
    points: tuple[BpcerAtApcer, ...]
    acer: LiteratureAcer | None
    provenance: Provenance
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PadOptions:
    """What is measured: thresholds given, bootstrap."""

    thresholds: Sequence[float] = ()
    bootstrap: BootstrapOptions = field(default_factory=BootstrapOptions)


def read_presentations(source: object, *, unit: Unit, aggregation: Aggregation = "none") -> PadTable:
    """Read a table with ``score``, ``pai_species``; where known ``subject``, ``presentation``, ``attack_potential``.

    The score says how bona fide a presentation looks; an empty score is a presentation without a response. An empty
    species, or ``bona fide``, is a bona fide presentation.

    Args:
        source: as in :func:`~samebody.lab.evaluate.sources.open_table`.
        unit: what one score stands for, after aggregation.
        aggregation: how rows of one ``presentation`` are put together; ``none`` takes each row for itself.

    Raises:
        ScoreTableError: with every problem found.
    """
    table = open_table(source)
    optional_columns = ("subject", "presentation", "attack_potential")
    problems = [f"column {key!r} is missing" for key in ("score", "pai_species") if key not in table.columns]
    if aggregation != "none" and "presentation" not in table.columns:
        problems.append("column 'presentation' is missing, which the aggregation goes by")
    if problems:
        raise ScoreTableError(table.name, problems, hint=f"It has {', '.join(table.columns)}.")
    wanted = ["score", "pai_species", *(key for key in optional_columns if key in table.columns)]
    cells: dict[str, list[str]] = {key: [] for key in wanted[1:]}
    values, unread = [], 0
    for chunk in table.chunks(wanted):
        found, bad = numbers(chunk["score"])
        values.append(found.astype(np.float64))
        unread += int(bad.sum())
        for key in wanted[1:]:
            cells[key].extend(text_cells(chunk[key]))
    score = np.concatenate(values) if values else np.empty(0)
    columns = {key: np.array(value, dtype=np.str_) for key, value in cells.items()}
    species = columns["pai_species"]
    is_attack = ~np.isin(np.char.lower(species), BONA_FIDE)
    if unread:
        problems.append(f"a score that is no number: {unread} times")
    if np.isinf(score).any():
        problems.append(f"an infinite score: {int(np.isinf(score).sum())} times")
    problems += [
        f"there is no {kind} presentation"
        for kind, there in (("attack", is_attack.any()), ("bona fide", (~is_attack).any()))
        if not there
    ]
    if "subject" in columns and np.any(columns["subject"] == ""):
        problems.append(f"an empty subject: {int(np.sum(columns['subject'] == ''))} times")
    potentials = _potentials(columns, species, is_attack, problems)
    if aggregation != "none" and not problems:
        score, columns, is_attack = _put_together(score, columns, is_attack, aggregation, problems)
        species = columns["pai_species"]
    if problems:
        raise ScoreTableError(table.name, problems)
    who = columns.get("subject")
    trials = presentations(
        score[is_attack],
        species[is_attack],
        score[~is_attack],
        unit=unit,
        aggregation=aggregation,
        attack_subjects=None if who is None else who[is_attack],
        bona_fide_subjects=None if who is None else who[~is_attack],
    )
    return PadTable(trials, potentials, frozenset() if who is None else frozenset(who.tolist()))


def _potentials(
    columns: Mapping[str, NDArray[np.str_]],
    species: NDArray[np.str_],
    is_attack: NDArray[np.bool_],
    problems: list[str],
) -> dict[str, str] | None:
    if "attack_potential" not in columns:
        return None
    found: dict[str, str] = {}
    for name, potential in zip(species[is_attack].tolist(), columns["attack_potential"][is_attack].tolist()):
        if found.setdefault(name, potential) != potential:
            problem = f"species {name!r} has two attack potentials"
            if problem not in problems:
                problems.append(problem)
    return found


def _put_together(
    score: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.str_]],
    is_attack: NDArray[np.bool_],
    aggregation: Aggregation,
    problems: list[str],
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.str_]], NDArray[np.bool_]]:
    """Rows of one presentation as one."""
    assert aggregation != "none"
    _, merged = aggregate_scores(score, columns["presentation"], aggregation)
    _, first, which = np.unique(columns["presentation"], return_index=True, return_inverse=True)
    for key in ("pai_species", "subject"):
        if key in columns and np.any(columns[key] != columns[key][first][which]):
            problems.append(f"a presentation with two values of {key}")
    return merged, {key: column[first] for key, column in columns.items()}, is_attack[first]


def measure_pad(
    table: PadTable,
    algorithm: Algorithm,
    dataset: DataSet,
    options: PadOptions | None = None,
    *,
    development: PadTable | None = None,
    command: str = "",
) -> PadResult:
    """All figures of attack detection.

    Args:
        table: presentations.
        algorithm, dataset: what they are of.
        options: thresholds and bootstrap.
        development: another set, of other people, for the threshold of the ACER.
        command: what makes the figures again.

    Raises:
        samebody.measure.errors.SubjectLeakageError: a person stands in both sets.
        samebody.measure.EmptyClassError: a class without a response.
    """
    from samebody.measure.calibration import require_disjoint

    options = options or PadOptions()
    warnings = []
    acer = None
    if development is not None:
        if table.subjects and development.subjects:
            require_disjoint(sorted(development.subjects), sorted(table.subjects))
        else:
            warnings.append("the tables name no subjects: nobody knows whether development and test share people")
        acer = literature_acer(development.trials, table.trials)
    points = bpcer_points(table.trials, options.bootstrap)
    thresholds = [*options.thresholds, *(point.threshold for point in points)]
    rates = tuple(pad_rates(table.trials, value, table.potentials, options.bootstrap) for value in thresholds)
    warnings += [
        f"{point.name}: too few attacks of a species to resolve the rate" for point in points if not point.resolvable
    ]
    if not options.thresholds:
        warnings.append("thresholds were set on the same data they are reported on; take them from another set")
    if not table.subjects:
        warnings.append("the table names no subjects: presentations are taken as independent")
    return PadResult(
        algorithm=algorithm,
        dataset=dataset,
        attacks=len(table.trials.attack_scores),
        bona_fide=len(table.trials.bona_fide_scores),
        rates=rates,
        points=points,
        acer=acer,
        provenance=Provenance(
            command=command,
            version=version("samebody"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=options.bootstrap.seed,
            replicates=options.bootstrap.replicates,
            level=options.bootstrap.level,
        ),
        warnings=tuple(warnings),
    )
