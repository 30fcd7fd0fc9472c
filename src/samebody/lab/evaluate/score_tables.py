"""Score tables to score sets: one schema, every problem reported at once, any size.

Columns: ``score``, ``probe_subject`` and ``reference_subject`` (or ``mated``) must be there; ``probe_id``,
``reference_id``, ``probe_group``, ``reference_group``, ``probe_quality``, ``reference_quality``, ``transaction``,
``attempt``, ``acquired`` and ``fold`` may be. A table is read once to check it and, when it holds more non-mated
comparisons than are held one by one, a second time to count them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.counting import BINS, PAIR_LIMIT, Counter
from samebody.lab.evaluate.errors import ScoreTableError
from samebody.lab.evaluate.non_mated import NO_GROUP, Codes, CountedNonMated, ListedNonMated, Scores
from samebody.lab.evaluate.scores import Attempts, Failures, MatedScores, ScoreSet
from samebody.lab.evaluate.sources import CHUNK_ROWS, Chunk, Names, Table, numbers, open_table, text_cells
from samebody.lab.evaluate.table_checks import Assigned, SeenPairs, Tally, transaction_problems
from samebody.measure import allowed_errors

Direction = Literal["auto", "similarity", "distance"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "score": ("score", "similarity"),
    "probe_subject": ("probe_subject", "probe_subject_id"),
    "reference_subject": ("reference_subject", "reference_subject_id"),
    "mated": ("mated", "is_mated", "genuine"),
    "probe_id": ("probe_id", "probe"),
    "reference_id": ("reference_id", "reference"),
    "probe_group": ("probe_group",),
    "reference_group": ("reference_group",),
    "quality": ("quality",),
    "probe_quality": ("probe_quality",),
    "reference_quality": ("reference_quality",),
    "transaction": ("transaction", "transaction_id"),
    "attempt": ("attempt", "attempt_id"),
    "acquired": ("acquired",),
    "fold": ("fold",),
}
"""Names of the schema, and the names a table may use for them."""

_SAMPLE = 500_000  # scores of each class that the direction is judged from
_FALSE, _TRUE = ("0", "false", "no", "f", "n"), ("1", "true", "yes", "t", "y")


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How a table is read.

    Attributes:
        columns: name of the schema to the table's own name, where they differ.
        direction: ``auto`` takes scores for similarities and refuses a table that looks like distances; ``similarity``
            does not look; ``distance`` negates.
        groups: label of each subject, instead of the table's own.
        need_mated: whether a table without mated comparisons is refused.
        listed: non-mated comparisons held one by one; a larger table is counted.
        keep_fmr: share of the counted comparisons, the highest, that is kept exactly.
        keep_most: but never more than this.
        bins: of the histograms of counted comparisons.
        pair_limit: distinct pairs of subjects held; see :class:`~samebody.lab.evaluate.counting.Counter`.
        chunk_rows: rows read at a time.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    direction: Direction = "auto"
    groups: Mapping[str, str] | None = None
    need_mated: bool = True
    listed: int = 20_000_000
    keep_fmr: float = 0.01
    keep_most: int = 10_000_000
    bins: int = BINS
    pair_limit: int = PAIR_LIMIT
    chunk_rows: int = CHUNK_ROWS


def read_scores(source: object, options: TableOptions | None = None, name: str = "") -> ScoreSet:
    """Read a score table.

    Args:
        source: see :func:`~samebody.lab.evaluate.sources.open_table`.
        options: names of columns, direction of the score, limits of memory.
        name: what to call the table in messages.

    Raises:
        ScoreTableError: with every problem found: missing columns, scores that are no finite numbers, pairs named
            twice, a sample compared with itself, a sample of two subjects, a subject in two groups, distances, empty
            classes.
        MissingExtraError: Parquet without pyarrow.
    """
    options = options or TableOptions()
    table = open_table(source, name)
    places = _places(table, options)
    reading = _Reading(table, places, options)
    for chunk in reading.chunks():
        reading.take(chunk)
    return reading.finish()


def _places(table: Table, options: TableOptions) -> dict[str, str]:
    """Schema name to the table's name of each column that is there."""
    problems = [f"{key!r} is no column of the schema" for key in options.columns if key not in COLUMNS]
    places: dict[str, str] = {}
    for key, aliases in COLUMNS.items():
        if key in options.columns:
            if options.columns[key] not in table.columns:
                problems.append(f"there is no column {options.columns[key]!r} (for {key})")
            else:
                places[key] = options.columns[key]
            continue
        there = [alias for alias in aliases if alias in table.columns]
        if len(there) > 1:
            problems.append(f"columns {' and '.join(map(repr, there))} both mean {key}")
        elif there:
            places[key] = there[0]
    if "score" not in places:
        problems.append("column 'score' is missing")
    if "mated" not in places or "probe_subject" in places or "reference_subject" in places:
        problems += [
            f"column {key!r} is missing" for key in ("probe_subject", "reference_subject") if key not in places
        ]
    one_sided = (("probe_id", "reference_id"), ("probe_group", "reference_group"), ("transaction", "attempt"))
    for one, two in one_sided:
        if (one in places) != (two in places):
            problems.append(
                f"column {two if one in places else one!r} is missing, {one if one in places else two!r} is there"
            )
    if problems:
        raise ScoreTableError(
            table.name,
            problems,
            hint=f"It has the columns {', '.join(table.columns)}; name others with --column NAME=ITS_NAME.",
        )
    return places


@dataclass(slots=True)
class _Rows:
    """One chunk, checked and in numbers."""

    scores: Scores
    mated: NDArray[np.bool_]
    first: Codes
    second: Codes
    probe: Codes
    reference: Codes
    quality: NDArray[np.float32] | None
    fold: NDArray[np.int16] | None

    def part(self, keep: NDArray[np.bool_]) -> _Rows:
        return _Rows(
            self.scores[keep],
            self.mated[keep],
            self.first[keep],
            self.second[keep],
            self.probe[keep],
            self.reference[keep],
            None if self.quality is None else self.quality[keep],
            None if self.fold is None else self.fold[keep],
        )


class _Reading:
    """The state of reading one table."""

    def __init__(self, table: Table, places: Mapping[str, str], options: TableOptions) -> None:
        self._table, self._places, self._options = table, places, options
        self._subjects, self._samples, self._groups = Names(), Names(), Names()
        self._owner, self._group_of = Assigned(), Assigned()
        self._tally = Tally()
        self._row = 1
        self._mated: list[_Rows] = []
        self._listed: list[_Rows] | None = []
        self._counts = [0, 0]  # non-mated, mated
        self._bounds = [float("inf"), -float("inf")]
        self._float64 = False
        self._looked: tuple[list[Scores], list[Scores]] = ([], [])
        self._seen = SeenPairs()
        self._attempts: list[dict[str, NDArray[Any]]] = []
        self._failed: list[tuple[Codes, NDArray[np.bool_]]] = []
        self._transactions, self._folds = Names(), Names()
        self._independent = "probe_subject" not in places

    def chunks(self) -> Any:
        """The table's chunks under the names of the schema."""
        for chunk in self._table.chunks(list(self._places.values()), self._options.chunk_rows):
            yield {key: chunk[own] for key, own in self._places.items()}

    # ------------------------------------------------------------------------------------------------- first pass

    def take(self, chunk: Chunk) -> None:
        """Check one chunk and hold what is held."""
        length = len(chunk["score"])
        scores = self._numbers(chunk)
        acquired = self._flags(chunk, "acquired") if "acquired" in chunk else np.ones(length, dtype=bool)
        missing = np.isnan(scores) & acquired
        self._tally.rows("a score that is missing or NaN", missing, self._row)
        self._tally.rows("an infinite score", np.isinf(scores) & acquired, self._row)
        rows = self._in_numbers(chunk, scores)
        self._check_samples(chunk, rows)
        self._check_groups(chunk, rows)
        if "transaction" in chunk:
            self._keep_attempts(chunk, rows, acquired)
        if "acquired" in chunk:
            self._failed.append((rows.first, ~acquired))
        rows = rows.part(acquired & np.isfinite(scores))
        self._row += length
        self._hold(rows)

    def _numbers(self, chunk: Chunk) -> Scores:
        scores, unread = numbers(chunk["score"])
        self._tally.rows("a score that is no number", unread, self._row)
        self._float64 |= scores.dtype == np.float64
        return -scores if self._options.direction == "distance" else scores

    def _flags(self, chunk: Chunk, key: str) -> NDArray[np.bool_]:
        column = chunk[key]
        if column.dtype.kind == "b":
            return column
        cells = [cell.lower() for cell in text_cells(column)]
        bad = np.array([cell not in _TRUE and cell not in _FALSE for cell in cells], dtype=bool)
        self._tally.rows(f"{key} that is neither true nor false", bad, self._row)
        return np.array([cell in _TRUE for cell in cells], dtype=bool)

    def _names(self, chunk: Chunk, key: str, names: Names) -> Codes:
        codes = names.codes(chunk[key])
        empty = names.find("")
        if empty is not None:
            self._tally.rows(f"an empty {key}", codes == empty, self._row)
        return codes

    def _in_numbers(self, chunk: Chunk, scores: Scores) -> _Rows:
        length = len(scores)
        numbered = np.arange(self._row - 1, self._row - 1 + length, dtype=np.int64)
        if self._independent:
            mated = self._flags(chunk, "mated")
            first = np.zeros(length, dtype=np.int32)
            second = first
        else:
            first = self._names(chunk, "probe_subject", self._subjects)
            second = self._names(chunk, "reference_subject", self._subjects)
            mated = first == second
            if "mated" in chunk:
                said = self._flags(chunk, "mated")
                self._tally.rows("mated that contradicts the subjects", said != mated, self._row)
        if "probe_id" in chunk:
            probe = self._names(chunk, "probe_id", self._samples)
            reference = self._names(chunk, "reference_id", self._samples)
        else:
            probe = reference = numbered.astype(np.int32)
        return _Rows(scores, mated, first, second, probe, reference, self._quality(chunk), self._fold(chunk))

    def _quality(self, chunk: Chunk) -> NDArray[np.float32] | None:
        values = []
        for key in ("quality", "probe_quality", "reference_quality"):
            if key in chunk:
                found, unread = numbers(chunk[key])
                self._tally.rows(f"{key} that is no finite number", unread | ~np.isfinite(found), self._row)
                values.append(found.astype(np.float32))
        return np.minimum.reduce(values) if values else None

    def _fold(self, chunk: Chunk) -> NDArray[np.int16] | None:
        return self._folds.codes(chunk["fold"]).astype(np.int16) if "fold" in chunk else None

    def _check_samples(self, chunk: Chunk, rows: _Rows) -> None:
        if "probe_id" not in chunk:
            return
        # attempts compare one probe with one reference again and again only when they are numbered
        if "transaction" not in chunk:
            again = self._seen.again(rows.probe, rows.reference, len(self._samples))
            self._tally.rows("a pair that stands in the table before", again, self._row)
        self._tally.rows("a sample compared with itself", rows.probe == rows.reference, self._row)
        if not self._independent:
            for codes, owner in ((rows.probe, rows.first), (rows.reference, rows.second)):
                self._tally.rows("a sample of two subjects", self._owner.clashes(codes, owner), self._row)

    def _check_groups(self, chunk: Chunk, rows: _Rows) -> None:
        if "probe_group" not in chunk or self._independent or self._options.groups is not None:
            return
        for key, codes in (("probe_group", rows.first), ("reference_group", rows.second)):
            groups = self._groups.codes(chunk[key])
            empty = self._groups.find("")
            if empty is not None:
                groups = np.where(groups == empty, -1, groups).astype(np.int32)
            clash = self._group_of.clashes(codes, groups)
            if clash.any():
                who = self._subjects.names()[np.unique(codes[clash])[:3]]
                self._tally.note("a subject in two groups", int(clash.sum()), [f"subject {name}" for name in who])

    def _keep_attempts(self, chunk: Chunk, rows: _Rows, acquired: NDArray[np.bool_]) -> None:
        order, unread = numbers(chunk["attempt"])
        self._tally.rows("an attempt that is no number", unread | np.isnan(order), self._row)
        self._attempts.append(
            {
                "transaction": self._names(chunk, "transaction", self._transactions),
                "attempt": order.astype(np.float64),
                "score": np.where(acquired, rows.scores, np.nan).astype(np.float64),
                "mated": rows.mated,
                "subject": rows.first,
            }
        )

    def _hold(self, rows: _Rows) -> None:
        mated, other = rows.part(rows.mated), rows.part(~rows.mated)
        self._mated.append(mated)
        self._counts[1] += len(mated.scores)
        self._counts[0] += len(other.scores)
        for kind, part in ((0, other), (1, mated)):
            if sum(map(len, self._looked[kind])) < _SAMPLE:
                self._looked[kind].append(part.scores)
        if len(other.scores):
            self._bounds[0] = min(self._bounds[0], float(other.scores.min()))
            self._bounds[1] = max(self._bounds[1], float(other.scores.max()))
        if self._listed is not None:
            self._listed.append(other)
            if self._counts[0] > self._options.listed:
                self._listed = None

    # ---------------------------------------------------------------------------------------------------- the end

    def finish(self) -> ScoreSet:
        """The score set, or every problem."""
        attempts = self._joined_attempts()
        problems = [*self._tally.problems(), *transaction_problems(attempts)]
        if self._counts[0] == 0:
            problems.append("there is no non-mated comparison (two different subjects)")
        if self._counts[1] == 0 and self._options.need_mated:
            problems.append("there is no mated comparison (one subject twice)")
        hint = ""
        if (auc := self._looks_like_distance()) is not None and self._options.direction == "auto":
            problems.append(
                "the scores look like distances: a mated score is above a non-mated one in only "
                f"{100 * auc:.1f} % of cases"
            )
            hint = "Pass --distance to negate them, or --similarity when they are similarities all the same."
        if problems:
            raise ScoreTableError(self._table.name, problems, hint=hint)
        folds: tuple[NDArray[np.int16], NDArray[np.int16]] | None = None
        mated = _joined(self._mated)
        dtype = np.float64 if self._float64 else np.float32
        non_mated: ListedNonMated | CountedNonMated
        if self._listed is not None:
            other = _joined(self._listed)
            non_mated = ListedNonMated(
                other.scores.astype(dtype), other.first, other.second, other.probe, other.reference, other.quality
            )
            if mated.fold is not None and other.fold is not None:
                folds = (mated.fold, other.fold)
        else:
            non_mated = self._count_again(dtype)
        return ScoreSet(
            mated=MatedScores(mated.scores.astype(dtype), mated.first, mated.probe, mated.reference, mated.quality),
            non_mated=non_mated,
            subjects=np.array(["all"]) if self._independent else self._subjects.names(),
            samples=self._samples.names(),
            subject_group=self._subject_groups(),
            group_names=self._group_names(),
            failures=self._failures(),
            notes=self._notes(non_mated, mated),
            folds=folds,
            attempts=attempts,
            independent=self._independent,
        )

    def _looks_like_distance(self) -> float | None:
        """P(mated > non-mated) + P(equal) / 2, where it is far below one half; None otherwise."""
        if not self._counts[0] or not self._counts[1]:
            return None
        genuine = np.concatenate(self._looked[1]).astype(np.float64)
        impostor = np.sort(np.concatenate(self._looked[0]).astype(np.float64))
        below = np.searchsorted(impostor, genuine, "left") + np.searchsorted(impostor, genuine, "right")
        auc = float(below.mean() / (2 * len(impostor)))
        n, m = len(genuine), len(impostor)
        spread = np.sqrt((n + m + 1) / (12 * n * m))  # of the statistic when both classes are one (Mann-Whitney)
        return auc if auc < 0.4 and auc < 0.5 - 3 * spread else None

    def _count_again(self, dtype: Any) -> CountedNonMated:
        options = self._options
        keep = min(allowed_errors(options.keep_fmr, self._counts[0]) + 1, options.keep_most)
        counter = Counter((self._bounds[0], self._bounds[1]), keep, dtype, options.bins, options.pair_limit)
        groups = self._subject_groups()
        self._row = 1
        for chunk in self.chunks():
            scores = self._numbers(chunk)
            acquired = self._flags(chunk, "acquired") if "acquired" in chunk else np.isfinite(scores)
            rows = self._in_numbers(chunk, scores.astype(dtype))
            self._row += len(scores)
            rows = rows.part(acquired & ~rows.mated)
            counter.add(
                rows.scores,
                rows.first,
                rows.second,
                rows.probe,
                rows.reference,
                groups[rows.first],
                groups[rows.second],
            )
        return counter.finish()

    def _group_codes(self) -> dict[int, int]:
        """Code of a group as it was read to its code in sorted order."""
        names = self._groups.names().tolist()
        return {names.index(name): code for code, name in enumerate(sorted(name for name in names if name))}

    def _group_names(self) -> tuple[str, ...]:
        if self._options.groups is not None and not self._independent:
            known = self._options.groups
            return tuple(sorted({known.get(name, "") for name in self._subjects.names().tolist()} - {""}))
        return tuple(sorted(name for name in self._groups.names().tolist() if name))

    def _subject_groups(self) -> NDArray[np.int16]:
        count = 1 if self._independent else len(self._subjects)
        found = np.full(count, NO_GROUP, dtype=np.int16)
        if self._options.groups is not None and not self._independent:
            codes = {name: code for code, name in enumerate(self._group_names())}
            labels = [self._options.groups.get(name, "") for name in self._subjects.names().tolist()]
            return np.array([codes.get(label, NO_GROUP) for label in labels], dtype=np.int16)
        for old, new in self._group_codes().items():
            found[: len(self._group_of.values)][self._group_of.values == old] = new
        return found

    def _failures(self) -> Failures | None:
        if not self._failed or self._independent:
            return None
        who = np.concatenate([codes for codes, _ in self._failed])
        failed = np.concatenate([flags for _, flags in self._failed])
        return Failures(
            attempts=np.bincount(who, minlength=len(self._subjects)),
            failed=np.bincount(who[failed], minlength=len(self._subjects)),
        )

    def _joined_attempts(self) -> Attempts | None:
        if not self._attempts:
            return None
        columns = {key: np.concatenate([part[key] for part in self._attempts]) for key in self._attempts[0]}
        return Attempts(**columns)

    def _notes(self, non_mated: ListedNonMated | CountedNonMated, mated: _Rows) -> tuple[str, ...]:
        notes = []
        if self._options.direction == "distance":
            notes.append("the table holds distances; they were negated, so thresholds are negative distances")
        if self._independent:
            notes.append("the table names no subjects: comparisons are taken as independent, intervals are too narrow")
        if "probe_id" not in self._places:
            notes.append("the table names no samples: pairs given twice could not be found")
        elif self._seen.gave_up:
            notes.append(f"pairs given twice were looked for in the first {self._seen.checked:,} rows only")
        if isinstance(non_mated, CountedNonMated):
            notes.append(
                f"{non_mated.pairs:,} non-mated comparisons were counted, {len(non_mated.tail):,} kept exactly"
            )
            if non_mated.pair_graph.approximate:
                notes.append("too many pairs of subjects to hold: intervals of FMR rest on comparisons per subject")
        if self._options.groups is not None and not self._independent:
            known = self._options.groups
            missing = sum(not known.get(name) for name in self._subjects.names().tolist())
            if missing:
                notes.append(f"{missing:,} subjects have no label")
        if not self._independent and len(mated.first):
            share = np.bincount(mated.first).max() / len(mated.first)
            people = len(np.unique(mated.first))
            if people < 30:
                notes.append(f"only {people} subjects have mated comparisons")
            elif share > 0.1:
                notes.append(f"one subject has {100 * share:.0f} % of the mated comparisons")
        return tuple(notes)


def _joined(parts: list[_Rows]) -> _Rows:
    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return _Rows(
        column("scores"),
        column("mated"),
        column("first"),
        column("second"),
        column("probe"),
        column("reference"),
        None if parts[0].quality is None else column("quality"),
        None if parts[0].fold is None else column("fold"),
    )


def read_labels(path: object, group_by: Sequence[str]) -> dict[str, str]:
    """Label of each subject from a table with ``subject`` and the columns that make the group, joined by a space.

    Raises:
        ScoreTableError: a missing column, or a subject in two groups.
    """
    table = open_table(path)
    wanted = ["subject", *group_by]
    problems = [f"column {key!r} is missing" for key in wanted if key not in table.columns]
    if problems or not group_by:
        hint = f"It has {', '.join(table.columns)}."
        raise ScoreTableError(table.name, problems or ["no column is named that makes the group (--group)"], hint=hint)
    found: dict[str, str] = {}
    twice: dict[str, None] = {}
    for chunk in table.chunks(wanted):
        cells = [text_cells(chunk[key]) for key in wanted]
        for subject, *parts in zip(*cells):
            label = " ".join(parts).strip()
            if found.setdefault(subject, label) != label:
                twice[subject] = None
    if twice:
        some = ", ".join(list(twice)[:3])
        raise ScoreTableError(table.name, [f"a subject in two groups: {len(twice)} ({some})"])
    return found
