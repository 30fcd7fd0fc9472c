"""The manifest: one row for each sample, columns of text and whole numbers, in Parquet; and its digest."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.lab.data.errors import ManifestError
from samebody.lab.evaluate.errors import optional

Column = NDArray[Any]
"""(rows,) object array of text, or int64."""

INTEGERS = ("bytes", "width", "height")
"""Columns of whole numbers: size of the file in bytes, of the upright picture in pixels (0 when unreadable)."""

MEASURED = ("sample", "sha256", *INTEGERS, "format")
"""What ingestion finds out by itself: the sample's name, unique in a version; SHA-256 of its bytes; size; format
(``jpeg``, ``png`` ...; empty when unreadable)."""

DESCRIBED = (
    "subject",
    "session",
    "device",
    "label",
    "pai_species",
    "document_type",
    "country",
    "conditions",
    "age",
    "gender",
    "race",
    "consent",
    "retain_until",
    "source",
    "licence",
)
"""What the caller says about a sample, as text, empty when unknown: subject, capture session and device; class label
and presentation attack instrument species; document type and country (ISO 3166-1 alpha-3); capture conditions; labels
of evaluation groups; basis of consent; last day it may be kept (ISO 8601); where it comes from; licence (SPDX)."""

DECIDED = ("split", "quarantine", "duplicate_of", "group", "weight")
"""What later steps write: ``train``, ``test`` ...; reasons for quarantine, separated by ``;``; the sample it repeats;
samples that must stay on one side of a split; weight in training as text."""

COLUMNS = (*MEASURED, *DESCRIBED, *DECIDED)

PARTS = ";"
"""Between reasons in one cell."""


@dataclass(frozen=True, eq=False)
class Manifest:
    """Rows sorted by ``sample``; every column of :data:`COLUMNS` and any further columns of text.

    Attributes:
        columns: name to (rows,) array; whole numbers for :data:`INTEGERS`, text for all others, ``''`` when unknown.

    Raises:
        ManifestError: missing columns, unequal lengths, samples named twice or not at all.
    """

    columns: Mapping[str, Column] = field(repr=False)

    def __post_init__(self) -> None:
        problems = [f"column {name!r} is missing" for name in MEASURED if name not in self.columns]
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) > 1:
            problems.append(f"its columns have different lengths: {sorted(lengths)}")
        if problems:
            raise ManifestError("the manifest", problems)
        rows = lengths.pop()
        whole: dict[str, Column] = {name: _typed(name, self.columns[name]) for name in self.columns}
        for name in COLUMNS:
            if name not in whole:
                whole[name] = text([""] * rows)
        samples = whole["sample"]
        repeated = sorted(_repeated(samples))
        problems = [f"the sample {name!r} is named twice" for name in repeated if name]
        if rows and "" in set(samples):
            problems.append("a sample has no name")
        if problems:
            raise ManifestError("the manifest", problems, hint="Give each sample a name of its own.")
        order = np.argsort(samples.astype(str), kind="stable") if rows else np.zeros(0, np.intp)
        ordered = [*COLUMNS, *sorted(name for name in whole if name not in COLUMNS)]
        object.__setattr__(self, "columns", {name: whole[name][order] for name in ordered})

    def __len__(self) -> int:
        return len(self.columns["sample"])

    def __getitem__(self, name: str) -> Column:
        """The column ``name``; raises :class:`ManifestError` when there is none."""
        if name not in self.columns:
            raise ManifestError(
                "the manifest", [f"there is no column {name!r}"], hint=f"It has {', '.join(self.columns)}."
            )
        return self.columns[name]

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, object]]) -> Manifest:
        """A manifest from dictionaries; keys that a row lacks are empty there."""
        kept = list(rows)
        names = list(dict.fromkeys([*MEASURED, *(name for row in kept for name in row)]))
        return cls(
            {
                name: np.array([int(str(row.get(name, 0) or 0)) for row in kept], np.int64)
                if name in INTEGERS
                else text([str(row.get(name, "") or "") for row in kept])
                for name in names
            }
        )

    def rows(self) -> list[dict[str, Any]]:
        """Each row as a dictionary of text and whole numbers."""
        names = list(self.columns)
        return [dict(zip(names, values)) for values in zip(*(self.columns[name].tolist() for name in names))]

    def where(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Manifest:
        """The rows of a mask (rows,) bool, or of row numbers."""
        return Manifest({name: column[keep] for name, column in self.columns.items()})

    def with_columns(self, **columns: Sequence[object] | Column) -> Manifest:
        """A copy with columns put in or replaced, in the order of the rows."""
        return Manifest({**self.columns, **{name: np.asarray(value, object) for name, value in columns.items()}})

    def updated(self, other: Manifest) -> Manifest:
        """These rows and those of ``other``, whose row counts where both name a sample."""
        named = set(other["sample"])
        keep = np.array([sample not in named for sample in self["sample"]], bool)
        return Manifest.from_rows([*self.where(keep).rows(), *other.rows()])

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(rows,) bool: neither in quarantine nor a duplicate of another sample."""
        return np.asarray((self["quarantine"] == "") & (self["duplicate_of"] == ""), bool)

    def row_digests(self) -> list[str]:
        """SHA-256 over each row's columns that are not empty, as canonical JSON: 64 hex digits, in row order.

        Empty cells do not count, so that a column added by a later release of the schema changes no older digest.
        """
        return [
            hashlib.sha256(
                json.dumps(
                    {name: value for name, value in row.items() if value not in ("", 0)},
                    sort_keys=True,
                    ensure_ascii=False,
                    separators=(",", ":"),
                ).encode()
            ).hexdigest()
            for row in self.rows()
        ]

    def to_parquet(self) -> bytes:
        """The rows as a Parquet file.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        arrow = optional("pyarrow", "a manifest")
        parquet = optional("pyarrow.parquet", "a manifest")
        arrays = {
            name: arrow.array(column.tolist(), arrow.int64() if name in INTEGERS else arrow.string())
            for name, column in self.columns.items()
        }
        sink = io.BytesIO()
        parquet.write_table(arrow.table(arrays), sink, compression="zstd")
        return sink.getvalue()

    @classmethod
    def from_parquet(cls, data: bytes, name: str = "the manifest") -> Manifest:
        """Read what :meth:`to_parquet` wrote.

        Raises:
            ManifestError: it is damaged, or no manifest.
            MissingExtraError: pyarrow is not installed.
        """
        arrow = optional("pyarrow", "a manifest")
        parquet = optional("pyarrow.parquet", "a manifest")
        try:
            table = parquet.read_table(io.BytesIO(data))
        except (arrow.ArrowException, OSError, ValueError):
            raise ManifestError(name, ["it is damaged or no Parquet file"]) from None
        columns: dict[str, Column] = {}
        for column in table.column_names:
            values = table[column].to_pylist()
            columns[column] = (
                np.array([value or 0 for value in values], np.int64)
                if column in INTEGERS
                else text(["" if value is None else str(value) for value in values])
            )
        return cls(columns)


def text(values: Iterable[str]) -> Column:
    """Text as an (n,) object array."""
    kept = list(values)
    column = np.empty(len(kept), dtype=object)
    column[:] = kept
    return column


def content_digest(row_digests: Iterable[str]) -> str:
    """SHA-256 over the sorted row digests, one a line: what names the content of a version."""
    return hashlib.sha256("".join(f"{digest}\n" for digest in sorted(row_digests)).encode()).hexdigest()


def mapped(column: Column, work: Callable[[str], str]) -> Column:
    """``work`` of each cell."""
    return text(work(value) for value in column)


def _typed(name: str, column: Column) -> Column:
    if name in INTEGERS:
        return np.asarray(column, np.int64)
    return text("" if value is None else str(value) for value in np.asarray(column, object).tolist())


def _repeated(samples: Column) -> set[str]:
    names, counts = np.unique(samples.astype(str), return_counts=True)
    return set(names[counts > 1].tolist())
