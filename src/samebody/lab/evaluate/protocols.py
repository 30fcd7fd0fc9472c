"""Protocols: which samples are compared, who is enrolled and who is searched, which subjects set thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.errors import ProtocolError
from samebody.lab.evaluate.sources import open_table, text_cells
from samebody.measure.errors import SubjectLeakageError


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Pairs of samples to compare.

    Attributes:
        probe, reference: (n,) sample names.
        mated: (n,) bool as the file says; None where it does not.
        fold: (n,) int16; None without folds.
        name: of the file.
        description: in words, for the report.
        notes: remarks for the reader of the figures.
    """

    probe: tuple[str, ...] = field(repr=False)
    reference: tuple[str, ...] = field(repr=False)
    mated: NDArray[np.bool_] | None = field(default=None, repr=False)
    fold: NDArray[np.int16] | None = field(default=None, repr=False)
    name: str = "pairs"
    description: str = "listed pairs"
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.probe)


def read_pairs(path: Path | str) -> PairList:
    """Read a list of pairs by its suffix: ``.txt`` as LFW's ``pairs.txt``, anything else as a table.

    Raises:
        ProtocolError: the file breaks its format; every line that does is named.
        ScoreTableError: a table that cannot be read.
    """
    return read_lfw_pairs(path) if Path(path).suffix.lower() == ".txt" else read_pair_table(path)


def read_lfw_pairs(path: Path | str) -> PairList:
    """Read LFW's format: ``folds <tab> n`` (or ``n``), then for each fold n mated lines ``name i j`` and n non-mated
    lines ``name i other j``. Sample ``i`` of a name is ``name/name_000i``.

    Raises:
        ProtocolError: with all broken lines.
    """
    where = Path(path)
    try:
        lines = where.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{where} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from None
    head = lines[0].split() if lines else []
    if len(head) not in (1, 2) or not all(word.isdigit() for word in head):
        raise ProtocolError(
            f"{where} must begin with a line of one or two numbers: folds and pairs of each kind.",
            hint="This is the format of LFW's pairs.txt; give other lists as CSV with probe_id and reference_id.",
        )
    folds, size = (1, int(head[0])) if len(head) == 1 else (int(head[0]), int(head[1]))
    body = [(number, line) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    problems: list[str] = []
    if len(body) != 2 * folds * size:
        problems.append(f"{len(body)} pairs instead of {folds} x 2 x {size}")
    probe, reference, mated, fold = [], [], [], []
    for position, (number, line) in enumerate(body):
        words = line.split("\t") if "\t" in line else line.split()
        expected_mated = (position // size) % 2 == 0 if size else True
        if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
            one, two, same = (words[0], int(words[1])), (words[0], int(words[2])), True
        elif len(words) == 4 and words[1].isdigit() and words[3].isdigit():
            one, two, same = (words[0], int(words[1])), (words[2], int(words[3])), False
        else:
            problems.append(f"line {number} is neither 'name i j' nor 'name i other j'")
            continue
        if same != expected_mated:
            problems.append(
                f"line {number} is {'mated' if same else 'non-mated'}, the order of the file says otherwise"
            )
        if not same and one[0] == two[0]:
            problems.append(f"line {number} names one person as two")
        if one == two:
            problems.append(f"line {number} compares a sample with itself")
        probe.append(lfw_sample(*one))
        reference.append(lfw_sample(*two))
        mated.append(same)
        fold.append(position // (2 * size) if size else 0)
    if problems:
        raise ProtocolError(_several(str(where), problems))
    return PairList(
        tuple(probe),
        tuple(reference),
        np.array(mated, dtype=bool),
        np.array(fold, dtype=np.int16) if folds > 1 else None,
        str(where),
        f"{where.name}, {folds} folds of 2 x {size} pairs" if folds > 1 else f"{where.name}, 2 x {size} pairs",
    )


def lfw_sample(name: str, number: int) -> str:
    """The name of LFW's picture ``number`` of a person, without suffix."""
    return f"{name}/{name}_{number:04d}"


def read_pair_table(path: Path | str) -> PairList:
    """Read a table with ``probe_id`` and ``reference_id``, and where known ``mated`` and ``fold``.

    Raises:
        ProtocolError: a missing column, an empty cell, a pair named twice, a sample with itself; all of them at once.
        ScoreTableError: it cannot be read.
    """
    columns = _read(path, ("probe_id", "reference_id"), ("mated", "fold"))
    probe, reference = columns["probe_id"], columns["reference_id"]
    problems = []
    for key in ("probe_id", "reference_id"):
        empty = [str(row + 1) for row, cell in enumerate(columns[key]) if not cell]
        if empty:
            problems.append(f"an empty {key} in row {', '.join(empty[:3])}")
    own = [str(row + 1) for row, (one, two) in enumerate(zip(probe, reference)) if one == two and one]
    if own:
        problems.append(f"a sample compared with itself in row {', '.join(own[:3])}")
    pairs = list(zip(probe, reference))
    if len(set(pairs)) < len(pairs):
        problems.append(f"{len(pairs) - len(set(pairs))} pairs are named twice")
    mated = None
    if "mated" in columns:
        said = [cell.lower() for cell in columns["mated"]]
        known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        bad = [str(row + 1) for row, cell in enumerate(said) if cell not in known]
        if bad:
            problems.append(f"mated is neither true nor false in row {', '.join(bad[:3])}")
        else:
            mated = np.array([known[cell] for cell in said], dtype=bool)
    if not pairs:
        problems.append("it holds no pair")
    if problems:
        raise ProtocolError(_several(str(path), problems))
    fold = None
    if "fold" in columns:
        fold = np.unique(np.array(columns["fold"]), return_inverse=True)[1].astype(np.int16)
    name = Path(path).name
    return PairList(tuple(probe), tuple(reference), mated, fold, str(path), f"{name}, {len(pairs):,} pairs")


# ------------------------------------------------------------------------------------------------- identification


@dataclass(frozen=True, slots=True, eq=False)
class SearchProtocol:
    """Who is enrolled and who is searched.

    Attributes:
        enrolled, enrolled_subjects: (n,) samples of the database and their subjects.
        probes, probe_subjects: (m,) samples searched and their subjects.
        name: of the files.
    """

    enrolled: tuple[str, ...] = field(repr=False)
    enrolled_subjects: tuple[str, ...] = field(repr=False)
    probes: tuple[str, ...] = field(repr=False)
    probe_subjects: tuple[str, ...] = field(repr=False)
    name: str = ""

    @property
    def closed(self) -> bool:
        """Whether everybody searched for is enrolled."""
        return set(self.probe_subjects) <= set(self.enrolled_subjects)

    @property
    def description(self) -> str:
        """In words, with N."""
        enrolled = set(self.enrolled_subjects)
        non_mated = sum(subject not in enrolled for subject in self.probe_subjects)
        kind = "closed set" if not non_mated else f"open set, {non_mated:,} non-mated searches"
        return f"1:N, N = {len(enrolled):,} subjects, {len(self.probes):,} searches, {kind}"


def read_search_protocol(enrolment: Path | str, probes: Path | str) -> SearchProtocol:
    """Read two tables with ``sample`` and ``subject``: who is enrolled and who is searched.

    Raises:
        ProtocolError: a missing column, a sample named twice, a sample enrolled and searched, a sample of two subjects;
            all of them at once.
        ScoreTableError: a file that cannot be read.
    """
    sides = [_read(path, ("sample", "subject"), ()) for path in (enrolment, probes)]
    problems = []
    for path, side in zip((enrolment, probes), sides):
        twice = len(side["sample"]) - len(set(side["sample"]))
        if twice:
            problems.append(f"{Path(path).name} names {twice} samples twice")
        if not side["sample"]:
            problems.append(f"{Path(path).name} holds no sample")
        if "" in side["sample"] or "" in side["subject"]:
            problems.append(f"{Path(path).name} has empty cells")
    both = sorted(set(sides[0]["sample"]) & set(sides[1]["sample"]))
    if both:
        problems.append(f"{len(both)} samples are enrolled and searched ({', '.join(both[:3])})")
    if problems:
        raise ProtocolError(_several(f"{enrolment} and {probes}", problems))
    return SearchProtocol(
        tuple(sides[0]["sample"]),
        tuple(sides[0]["subject"]),
        tuple(sides[1]["sample"]),
        tuple(sides[1]["subject"]),
        f"{Path(enrolment).name}, {Path(probes).name}",
    )


# --------------------------------------------------------------------------------------------------------- splits


@dataclass(frozen=True, slots=True)
class Split:
    """Subjects that thresholds come from, and subjects they are reported on.

    Attributes:
        development, test: names; no subject stands in both.
        name: of the file.
    """

    development: tuple[str, ...]
    test: tuple[str, ...]
    name: str = ""


def read_split(path: Path | str) -> Split:
    """Read a table with ``subject`` and ``split`` (``dev`` or ``test``); a subject may stand in several rows.

    Raises:
        SubjectLeakageError: a subject stands in both parts.
        ProtocolError: a missing column, another split, an empty part.
        ScoreTableError: it cannot be read.
    """
    columns = _read(path, ("subject", "split"), ())
    names = {"dev": 0, "development": 0, "train": 0, "test": 1}
    parts: tuple[set[str], set[str]] = (set(), set())
    unknown = sorted({cell for cell in columns["split"] if cell.lower() not in names})
    if unknown:
        raise ProtocolError(f"{path} has the unknown split {', '.join(unknown[:3])}.", hint="Use dev and test.")
    for subject, split in zip(columns["subject"], columns["split"]):
        parts[names[split.lower()]].add(subject)
    if not parts[0] or not parts[1]:
        raise ProtocolError(f"{path} has no subject in {'dev' if not parts[0] else 'test'}.")
    shared = sorted(parts[0] & parts[1])
    if shared:
        raise SubjectLeakageError(
            f"{path}: {len(shared)} subjects stand in dev and in test ({', '.join(shared[:3])}).",
            hint="Split by subject, not by sample.",
        )
    return Split(tuple(sorted(parts[0])), tuple(sorted(parts[1])), str(path))


def _read(path: Path | str, needed: tuple[str, ...], more: tuple[str, ...]) -> Mapping[str, list[str]]:
    table = open_table(path)
    missing = [key for key in needed if key not in table.columns]
    if missing:
        raise ProtocolError(
            f"{path} has no column {' and no column '.join(missing)}.", hint=f"It has {', '.join(table.columns)}."
        )
    wanted = [*needed, *(key for key in more if key in table.columns)]
    cells: dict[str, list[Any]] = {key: [] for key in wanted}
    for chunk in table.chunks(wanted):
        for key in wanted:
            cells[key].extend(text_cells(chunk[key]))
    return cells


def _several(source: str, problems: list[str]) -> str:
    shown = "".join(f"\n  - {problem}" for problem in problems[:20])
    more = f"\n  ... and {len(problems) - 20} more" if len(problems) > 20 else ""
    return f"{source} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:{shown}{more}"
