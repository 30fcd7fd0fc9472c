"""Sets of templates with labels: read and checked, compared by a protocol or all with all."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.all_pairs import compare_all
from samebody.lab.evaluate.all_pairs.engine import Engine
from samebody.lab.evaluate.errors import ProtocolError, ScoreTableError
from samebody.lab.evaluate.non_mated import NO_GROUP, Codes, CountedNonMated, GraphOfPairs, ListedNonMated
from samebody.lab.evaluate.protocols import PairList
from samebody.lab.evaluate.scores import Failures, MatedScores, ScoreSet, encode
from samebody.lab.evaluate.sources import file_digest, holds_pickle, numbers, open_table, text_cells
from samebody.measure import EmptyClassError
from samebody.measure.all_pairs import Progress

LISTED = 2_000_000
"""So many pairs of templates are listed one by one; more are counted by the all-pairs engine."""

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "sample": ("sample", "sample_id", "file"),
    "subject": ("subject", "subject_id", "person"),
    "group": ("group",),
    "quality": ("quality",),
    "acquired": ("acquired",),
    "reason": ("reason",),
}
_VECTORS = ("vectors", "templates", "embeddings")


@dataclass(frozen=True, eq=False)
class TemplateSet:
    """Templates of one embedding space with what is known of each sample.

    Attributes:
        vectors: (n, d) float32 rows of unit length.
        samples: (n,) names, each once.
        subjects: (n,) name of the subject of each sample.
        groups: (n,) label of each sample, ``''`` without one; None where there are none.
        quality: (n,) float32, NaN where unknown; None where none is known.
        failed: names of samples that gave no template, ``failed_subjects`` theirs, ``reasons`` why.
        name, digest: of the set.
        space: digest of the embedding space, where known.
        notes: remarks for the reader of the figures.
    """

    vectors: NDArray[np.float32] = field(repr=False)
    samples: NDArray[np.str_] = field(repr=False)
    subjects: NDArray[np.str_] = field(repr=False)
    groups: NDArray[np.str_] | None = field(default=None, repr=False)
    quality: NDArray[np.float32] | None = field(default=None, repr=False)
    failed: tuple[str, ...] = field(default=(), repr=False)
    failed_subjects: tuple[str, ...] = field(default=(), repr=False)
    failed_groups: tuple[str, ...] = field(default=(), repr=False)
    reasons: tuple[str, ...] = field(default=(), repr=False)
    name: str = "templates"
    digest: str = ""
    space: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.vectors)

    def of_subjects(self, chosen: NDArray[np.str_] | Sequence[str]) -> TemplateSet:
        """The templates (and failures) of some subjects."""
        keep = np.isin(self.subjects, np.asarray(chosen, dtype=np.str_))
        wanted = set(np.asarray(chosen, dtype=np.str_).tolist())
        lost = [index for index, subject in enumerate(self.failed_subjects) if subject in wanted]
        return replace(
            self,
            vectors=self.vectors[keep],
            samples=self.samples[keep],
            subjects=self.subjects[keep],
            groups=None if self.groups is None else self.groups[keep],
            quality=None if self.quality is None else self.quality[keep],
            failed=tuple(self.failed[index] for index in lost),
            failed_subjects=tuple(self.failed_subjects[index] for index in lost),
            failed_groups=tuple(self.failed_groups[index] for index in lost) if self.failed_groups else (),
            reasons=tuple(self.reasons[index] for index in lost),
        )


def read_templates(source: Path | str, metadata: Path | str | None = None) -> TemplateSet:
    """Read a template set.

    Args:
        source: ``.npz`` with ``vectors`` (n, d) and ``sample``, ``subject``, and where known ``group``, ``quality``,
            ``acquired``, ``reason``, each (n,); or ``.npy`` with the matrix alone.
        metadata: table with those columns for an ``.npy``, in the order of its rows.

    Raises:
        ScoreTableError: with every problem found.
    """
    path = Path(source)
    if not path.is_file():
        raise ScoreTableError(str(path), ["there is no such file"])
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays: dict[str, Any] = {"vectors": loaded}
        else:
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        why = "it holds Python objects" if holds_pickle(path) else "it is no NPZ or NPY file"
        raise ScoreTableError(str(path), [why], hint="Save plain arrays with numpy.savez.") from None
    if metadata is not None:
        table = open_table(metadata)
        wanted = [name for names in _COLUMNS.values() for name in names if name in table.columns]
        parts = list(table.chunks(wanted))
        arrays |= {name: np.concatenate([part[name] for part in parts]) for name in wanted} if parts else {}
    return template_set(arrays, str(path), file_digest(path))


def template_set(arrays: Mapping[str, Any], name: str = "templates", digest: str = "", space: str = "") -> TemplateSet:
    """A checked template set from arrays; see :func:`read_templates` for their names.

    Raises:
        ScoreTableError: with every problem found.
    """
    problems: list[str] = []
    places = {key: next((alias for alias in names if alias in arrays), None) for key, names in _COLUMNS.items()}
    where = next((alias for alias in _VECTORS if alias in arrays), None)
    problems += [f"array {key!r} is missing" for key in ("sample", "subject") if places[key] is None]
    if where is None:
        problems.append("array 'vectors' is missing")
        raise ScoreTableError(name, problems, hint=f"It has {', '.join(arrays) or 'nothing'}.")
    vectors = np.asarray(arrays[where])
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or not vectors.size:
        problems.append(f"vectors must be a matrix of numbers, got {vectors.dtype} of shape {vectors.shape}")
        raise ScoreTableError(name, problems)
    columns = {key: np.asarray(arrays[alias]) for key, alias in places.items() if alias is not None}
    for key, column in columns.items():
        if column.shape != (len(vectors),):
            problems.append(f"{key} has shape {column.shape}, there are {len(vectors)} vectors")
    if problems:
        raise ScoreTableError(name, problems)
    acquired = _flags(columns.get("acquired"), len(vectors))
    samples = np.array(text_cells(columns["sample"]), dtype=np.str_)
    subjects = np.array(text_cells(columns["subject"]), dtype=np.str_)
    groups = np.array(text_cells(columns["group"]), dtype=np.str_) if "group" in columns else None
    quality = numbers(columns["quality"])[0].astype(np.float32) if "quality" in columns else None
    problems += _problems(vectors, acquired, samples, subjects, groups)
    if problems:
        raise ScoreTableError(name, problems)
    kept = vectors[acquired].astype(np.float64)
    length = np.linalg.norm(kept, axis=1)
    notes: tuple[str, ...] = ()
    if np.any(np.abs(length - 1) > 1e-3):
        notes = ("templates were not of unit length; they were divided by their length, scores are cosines",)
    unit = (kept / length[:, None]).astype(np.float32)
    reasons = text_cells(columns["reason"]) if "reason" in columns else ["not acquired"] * len(vectors)
    lost = np.flatnonzero(~acquired)
    return TemplateSet(
        vectors=unit,
        samples=samples[acquired],
        subjects=subjects[acquired],
        groups=None if groups is None else groups[acquired],
        quality=None if quality is None else quality[acquired],
        failed=tuple(samples[lost].tolist()),
        failed_subjects=tuple(subjects[lost].tolist()),
        failed_groups=() if groups is None else tuple(groups[lost].tolist()),
        reasons=tuple(reasons[index] for index in lost.tolist()),
        name=name,
        digest=digest,
        space=space,
        notes=notes,
    )


def _flags(column: NDArray[Any] | None, count: int) -> NDArray[np.bool_]:
    if column is None:
        return np.ones(count, dtype=bool)
    if column.dtype.kind in "biuf":
        return column.astype(bool)
    return np.array([cell.lower() in ("1", "true", "yes", "t", "y") for cell in text_cells(column)], dtype=bool)


def _problems(
    vectors: NDArray[Any],
    acquired: NDArray[np.bool_],
    samples: NDArray[np.str_],
    subjects: NDArray[np.str_],
    groups: NDArray[np.str_] | None,
) -> list[str]:
    found = []
    wide = vectors.astype(np.float64)
    for kind, bad in (
        ("a vector with NaN or infinite numbers", acquired & ~np.isfinite(wide).all(axis=1)),
        ("a vector of zeros", acquired & (wide == 0).all(axis=1)),
        ("an empty sample", samples == ""),
        ("an empty subject", subjects == ""),
    ):
        rows = np.flatnonzero(bad)
        if len(rows):
            found.append(f"{kind}: {len(rows)} times (row {', row '.join(str(row + 1) for row in rows[:3])})")
    names, counts = np.unique(samples, return_counts=True)
    if np.any(counts > 1):
        found.append(f"a sample named twice: {int(np.sum(counts > 1))} ({', '.join(names[counts > 1][:3])})")
    if groups is not None:
        pairs = np.unique(np.stack([subjects, groups], axis=1)[groups != ""], axis=0)
        people, many = np.unique(pairs[:, 0], return_counts=True)
        if np.any(many > 1):
            some = ", ".join(f"subject {name}" for name in people[many > 1][:3])
            found.append(f"a subject in two groups: {int(np.sum(many > 1))} ({some})")
    if not acquired.any():
        found.append("no sample was acquired")
    return found


# ----------------------------------------------------------------------------------------------------- comparing


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How templates are compared.

    Attributes:
        listed: so many pairs are listed one by one; more are counted. A cluster always counts.
        keep_fmr: share of the non-mated scores, the highest, kept exactly when they are counted.
        engine: ``local`` or ``ray``, for counting.
        workers: threads or Ray workers; None takes one for each core.
        checkpoint: file to resume the counting from.
    """

    listed: int = LISTED
    keep_fmr: float = 1e-2
    engine: Engine = "local"
    workers: int | None = None
    checkpoint: Path | None = None


def compare_templates(
    templates: TemplateSet,
    pairs: PairList | None = None,
    options: CompareOptions | None = None,
    progress: Progress | None = None,
) -> ScoreSet:
    """Cosine scores of listed pairs, or of all pairs; a product in float64 rounded once to float32.

    Args:
        templates: of one space.
        pairs: which to compare; None compares all with all.
        options: how.
        progress: told while pairs are counted.

    Raises:
        ProtocolError: the list names a sample that is not there, or contradicts the subjects.
        EmptyClassError: no non-mated pair.
    """
    options = options or CompareOptions()
    coded = _Coded(templates)
    if pairs is not None:
        return coded.listed(*coded.places(pairs), notes=pairs.notes, pairs=pairs)
    count = len(templates)
    if options.engine == "local" and count * (count - 1) // 2 <= options.listed:
        first, second = np.triu_indices(count, 1)
        return coded.listed(first.astype(np.int32), second.astype(np.int32))
    return coded.counted(options, progress)


class _Coded:
    """A template set with numbers for names; samples keep their order, failed ones come behind."""

    def __init__(self, templates: TemplateSet) -> None:
        self._set = templates
        everyone = np.concatenate([templates.subjects, np.array(templates.failed_subjects, dtype=np.str_)])
        self.subjects, codes = encode(everyone)
        self.owner = codes[: len(templates)]
        self._failed_owner = codes[len(templates) :]
        self.group_names, self.subject_group = self._groups(codes)

    def _groups(self, codes: Codes) -> tuple[tuple[str, ...], NDArray[np.int16]]:
        found = np.full(len(self.subjects), NO_GROUP, dtype=np.int16)
        if self._set.groups is None:
            return (), found
        labels = np.concatenate([self._set.groups, np.array(self._set.failed_groups, dtype=np.str_)])
        names = tuple(sorted(set(labels.tolist()) - {""}))
        place = {name: code for code, name in enumerate(names)} | {"": NO_GROUP}
        of_sample = np.array([place[label] for label in labels.tolist()], dtype=np.int16)
        known = of_sample >= 0
        found[codes[: len(labels)][known]] = of_sample[known]
        return names, found

    def places(self, pairs: PairList) -> tuple[Codes, Codes]:
        """Rows of the pairs that can be compared."""
        row = {name: index for index, name in enumerate(self._set.samples.tolist())}
        failed = set(self._set.failed)
        unknown = sorted({name for name in (*pairs.probe, *pairs.reference) if name not in row and name not in failed})
        if unknown:
            raise ProtocolError(
                f"{pairs.name} names {len(unknown)} samples that are not in {self._set.name}: "
                f"{', '.join(unknown[:3])}{', ...' if len(unknown) > 3 else ''}.",
                hint="Sample names are paths below the folder, or the names in the template set.",
            )
        first = np.array([row.get(name, -1) for name in pairs.probe], dtype=np.int32)
        second = np.array([row.get(name, -1) for name in pairs.reference], dtype=np.int32)
        if pairs.mated is not None:
            both = (first >= 0) & (second >= 0)
            wrong = both & ((self.owner[first] == self.owner[second]) != pairs.mated)
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                raise ProtocolError(
                    f"{pairs.name} contradicts the subjects of {self._set.name} in {int(wrong.sum())} pairs, "
                    f"first with {pairs.probe[at]} and {pairs.reference[at]}.",
                    hint="A pair of one subject is mated; check the labels.",
                )
        return first, second

    def listed(
        self, first: Codes, second: Codes, notes: tuple[str, ...] = (), pairs: PairList | None = None
    ) -> ScoreSet:
        """Every pair one by one."""
        there = (first >= 0) & (second >= 0)
        folds = None if pairs is None or pairs.fold is None else pairs.fold[there]
        lost = (0, 0) if pairs is None else self._lost(pairs, there)
        first, second = first[there], second[there]
        scores = products(self._set.vectors, first, second)
        mated = self.owner[first] == self.owner[second]
        if mated.all():
            raise EmptyClassError("no pair of templates has two different subjects.")
        quality = None
        if self._set.quality is not None:
            quality = np.minimum(self._set.quality[first], self._set.quality[second])
        other = ~mated
        genuine = MatedScores(
            scores[mated],
            self.owner[first[mated]],
            first[mated],
            second[mated],
            None if quality is None else quality[mated],
        )
        impostor = ListedNonMated(
            scores[other],
            self.owner[first[other]],
            self.owner[second[other]],
            first[other],
            second[other],
            None if quality is None else quality[other],
        )
        return self._score_set(
            genuine, impostor, notes, lost if pairs is not None else self._lost_of_all(), folds, mated
        )

    def counted(self, options: CompareOptions, progress: Progress | None) -> ScoreSet:
        """Non-mated pairs counted, mated ones listed."""
        groups = self.subject_group[self.owner].astype(np.int64)
        found = compare_all(
            self._set.vectors,
            self.owner,
            groups,
            keep_fmr=options.keep_fmr,
            engine=options.engine,
            workers=options.workers,
            checkpoint=options.checkpoint,
            progress=progress,
        )
        quality = None
        if self._set.quality is not None:
            quality = np.minimum(self._set.quality[found.mated_first], self._set.quality[found.mated_second])
        mated = MatedScores(found.mated, self.owner[found.mated_first], found.mated_first, found.mated_second, quality)
        cells = np.zeros(len(self._set), dtype=np.int32)
        counted = CountedNonMated(
            low=-1.0,
            high=1.0,
            counts=found.counts,
            group_pairs=found.group_pairs,
            tail=found.tail,
            first=self.owner[found.first],
            second=self.owner[found.second],
            first_sample=found.first,
            second_sample=found.second,
            floor=found.floor,
            pair_graph=GraphOfPairs(
                template_subject=self.owner,
                template_cell=cells,
                compatible=np.ones((1, 1), dtype=bool),
                pairs=found.pairs,
            ),
        )
        run = found.run
        made_by = {
            "engine": run.engine,
            "kernel": run.kernel,
            "workers": str(run.workers),
            "processes": " ".join(run.processes),
        }
        return replace(self._score_set(mated, counted, (), self._lost_of_all(), None, None), engine=made_by)

    def _lost(self, pairs: PairList, there: NDArray[np.bool_]) -> tuple[int, int]:
        owner = dict(zip(self._set.samples.tolist(), self._set.subjects.tolist()))
        owner |= dict(zip(self._set.failed, self._set.failed_subjects))
        gone = np.flatnonzero(~there).tolist()
        mated = sum(owner[pairs.probe[index]] == owner[pairs.reference[index]] for index in gone)
        return mated, len(gone) - mated

    def _lost_of_all(self) -> tuple[int, int]:
        """Mated and non-mated pairs that the failures took away."""
        tried = np.bincount(np.concatenate([self.owner, self._failed_owner]), minlength=len(self.subjects))
        have = np.bincount(self.owner, minlength=len(self.subjects))
        mated = int((tried * (tried - 1) // 2).sum() - (have * (have - 1) // 2).sum())
        whole, left = int(tried.sum()), int(have.sum())
        return mated, whole * (whole - 1) // 2 - left * (left - 1) // 2 - mated

    def _score_set(
        self,
        mated: MatedScores,
        non_mated: ListedNonMated | CountedNonMated,
        notes: tuple[str, ...],
        lost: tuple[int, int],
        folds: NDArray[np.int16] | None,
        is_mated: NDArray[np.bool_] | None,
    ) -> ScoreSet:
        chosen = self._set
        reasons: dict[str, int] = {}
        for reason in chosen.reasons:
            reasons[reason] = reasons.get(reason, 0) + 1
        everyone = np.concatenate([self.owner, self._failed_owner])
        failures = Failures(
            attempts=np.bincount(everyone, minlength=len(self.subjects)),
            failed=np.bincount(self._failed_owner, minlength=len(self.subjects)),
            reasons=dict(sorted(reasons.items())),
            samples=chosen.failed,
            lost_mated=lost[0],
            lost_non_mated=lost[1],
        )
        return ScoreSet(
            mated=mated,
            non_mated=non_mated,
            subjects=self.subjects,
            samples=chosen.samples,
            subject_group=self.subject_group,
            group_names=self.group_names,
            failures=failures,
            notes=(*chosen.notes, *notes),
            folds=None if folds is None or is_mated is None else (folds[is_mated], folds[~is_mated]),
            sample_subject=self.owner,
            sample_quality=chosen.quality,
        )


def products(vectors: NDArray[np.float32], first: Codes, second: Codes) -> NDArray[np.float32]:
    """(n,) cosines of listed pairs, from float64, rounded once: what :func:`samebody.match.compare` gives."""
    scores = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), 65_536):
        part = slice(start, start + 65_536)
        one, two = vectors[first[part]].astype(np.float64), vectors[second[part]].astype(np.float64)
        scores[part] = np.einsum("nd,nd->n", one, two)
    return np.clip(scores, np.float32(-1.0), np.float32(1.0))
