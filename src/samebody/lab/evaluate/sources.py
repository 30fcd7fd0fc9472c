"""Columns out of anything that holds a table: CSV, Parquet, NPZ, dictionaries of arrays, pandas and polars frames.

Files are read in chunks, as often as needed, so that a table larger than memory never stands in memory.
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.errors import ScoreTableError, optional

CHUNK_ROWS = 262_144
Column = NDArray[Any]
Chunk = dict[str, Column]
"""Column name to (rows,) array: numbers, or text as unicode or object; missing text is ``''``."""


class Table(Protocol):
    """Columns that can be read in chunks, again and again."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names, as the table has them."""
        ...

    def chunks(self, columns: Sequence[str], rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """The named columns, ``rows`` at a time."""
        ...

    def digest(self) -> str:
        """SHA-256 of the table's bytes."""
        ...


def open_table(source: object, name: str = "") -> Table:
    """A table over a file (by its suffix) or over columns in memory.

    Args:
        source: path to ``.csv``, ``.tsv``, ``.parquet`` or ``.npz``; a mapping of names to columns; a numpy record
            array; a pandas, polars or any other frame with ``columns`` and ``frame[name]``.
        name: what to call it in messages; the path otherwise.

    Raises:
        ScoreTableError: no such file, or a kind that is not known.
        MissingExtraError: Parquet without pyarrow.
    """
    if isinstance(source, (ColumnTable, NpzTable, CsvTable, ParquetTable)):
        return source
    if isinstance(source, (str, Path)):
        path = Path(source)
        if not path.is_file():
            raise ScoreTableError(str(path), ["there is no such file"])
        kinds: dict[str, Callable[[Path], Table]] = {
            ".csv": CsvTable,
            ".tsv": CsvTable,
            ".parquet": ParquetTable,
            ".pq": ParquetTable,
            ".npz": NpzTable,
        }
        if path.suffix.lower() not in kinds:
            raise ScoreTableError(str(path), [f"its suffix {path.suffix!r} is not one of {', '.join(kinds)}"])
        return kinds[path.suffix.lower()](path)
    if isinstance(source, Mapping):
        return ColumnTable({str(key): np.asarray(value) for key, value in source.items()}, name or "the table")
    if isinstance(source, np.ndarray) and source.dtype.names:
        return ColumnTable({key: source[key] for key in source.dtype.names}, name or "the array")
    if hasattr(source, "columns") and hasattr(source, "__getitem__"):
        frame: Any = source
        return ColumnTable({str(key): np.asarray(frame[key]) for key in frame.columns}, name or "the frame")
    raise ScoreTableError(
        name or "the input",
        [f"{type(source).__name__} is no table"],
        hint="Give a path, a dictionary of columns, or a pandas or polars frame.",
    )


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """Columns in memory."""

    data: Mapping[str, Column]
    name: str

    def __post_init__(self) -> None:
        sizes = {key: value.shape for key, value in self.data.items()}
        if any(len(shape) != 1 for shape in sizes.values()) or len(set(sizes.values())) > 1:
            shown = ", ".join(f"{key} {shape}" for key, shape in sizes.items())
            raise ScoreTableError(self.name, [f"its columns are not one-dimensional and of one length: {shown}"])

    @property
    def columns(self) -> tuple[str, ...]:
        """Names."""
        return tuple(self.data)

    def chunks(self, columns: Sequence[str], rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Slices."""
        length = len(next(iter(self.data.values()))) if self.data else 0
        for start in range(0, length, rows):
            yield {key: self.data[key][start : start + rows] for key in columns}

    def digest(self) -> str:
        """SHA-256 over names and bytes of the columns; text as UTF-8."""
        state = hashlib.sha256()
        for key in sorted(self.data):
            column = self.data[key]
            state.update(key.encode())
            if column.dtype.kind in "OUST":
                state.update("\0".join(map(str, column.tolist())).encode())
            else:
                state.update(np.ascontiguousarray(column).tobytes())
        return state.hexdigest()


class NpzTable:
    """Arrays of one length in an ``.npz`` archive, without pickled objects."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        try:
            with np.load(path, allow_pickle=False) as archive:
                self._table = ColumnTable({key: archive[key] for key in archive.files}, str(path))
        except (ValueError, OSError, EOFError, zipfile.BadZipFile):
            why = "it holds Python objects" if holds_pickle(path) else "it is damaged or no NPZ archive"
            raise ScoreTableError(str(path), [why], hint="Save plain arrays with numpy.savez.") from None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return self._table.columns

    def chunks(self, columns: Sequence[str], rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Slices of the arrays."""
        return self._table.chunks(columns, rows)

    def digest(self) -> str:
        """Of the file."""
        return file_digest(self._path)


class CsvTable:
    """A CSV (or ``.tsv``) file with a header line; lines that begin with ``#`` are remarks."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        with self._open() as stream:
            header = next(self._reader(stream), [])
        self._header = tuple(cell.strip() for cell in header)
        repeated = sorted({cell for cell in self._header if self._header.count(cell) > 1})
        if not self._header or repeated:
            raise ScoreTableError(
                self.name, [f"column {cell!r} is named twice" for cell in repeated] or ["it is empty"]
            )

    def _open(self) -> Any:
        return self._path.open(newline="", encoding="utf-8-sig", errors="replace")

    def _reader(self, stream: Any) -> Iterator[list[str]]:
        return csv.reader((line for line in stream if not line.startswith("#")), delimiter=self._delimiter)

    @property
    def columns(self) -> tuple[str, ...]:
        """The header."""
        return self._header

    def chunks(self, columns: Sequence[str], rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Rows as text; a line with another number of cells is a problem."""
        with self._open() as stream:
            reader = self._reader(stream)
            next(reader, None)
            number = 1
            while lines := list(islice(reader, rows)):
                filled = [line for line in lines if line]
                for offset, line in enumerate(filled):
                    if len(line) != len(self._header):
                        raise ScoreTableError(
                            self.name,
                            [f"row {number + offset} has {len(line)} cells, the header has {len(self._header)}"],
                        )
                number += len(filled)
                cells = list(zip(*filled))
                places = {key: self._header.index(key) for key in columns}
                if filled:
                    yield {key: np.array(cells[place], dtype=object) for key, place in places.items()}

    def digest(self) -> str:
        """Of the file."""
        return file_digest(self._path)


class ParquetTable:
    """A Parquet file, read batch by batch with pyarrow."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        self._parquet = optional("pyarrow.parquet", "reading Parquet")
        arrow = optional("pyarrow", "reading Parquet")
        try:
            with self._parquet.ParquetFile(path) as file:
                self._columns = tuple(file.schema_arrow.names)
        except (arrow.ArrowInvalid, OSError):
            raise ScoreTableError(str(path), ["it is damaged or no Parquet file"]) from None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the schema."""
        return self._columns

    def chunks(self, columns: Sequence[str], rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Record batches as arrays; a missing number is NaN, a missing text ``''``."""
        with self._parquet.ParquetFile(self._path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
                yield {key: _from_arrow(batch.column(batch.schema.get_field_index(key))) for key in columns}

    def digest(self) -> str:
        """Of the file."""
        return file_digest(self._path)


def _from_arrow(column: Any) -> Column:
    array: Column = column.to_numpy(zero_copy_only=False)
    if array.dtype.kind == "O":
        return np.array(["" if cell is None else cell for cell in array.tolist()], dtype=object)
    return array


def holds_pickle(path: Path) -> bool:
    """Whether numpy refused a file because of Python objects, and not because it is something else."""
    with path.open("rb") as stream:
        return stream.read(6) == b"\x93NUMPY" or zipfile.is_zipfile(path)


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Names:
    """Names to numbers in the order they appear, chunk by chunk."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._cells: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def codes(self, column: Column) -> NDArray[np.int32]:
        """(rows,) code of each cell; numbers are named by how they are written (``7``, not ``7.0``)."""
        if column.dtype.kind in "iub":
            distinct, inverse = np.unique(column, return_inverse=True)
            return self._looked_up(distinct.tolist())[inverse]
        return self._looked_up(column.tolist())

    def _looked_up(self, cells: list[Any]) -> NDArray[np.int32]:
        """Codes of cells; each distinct one is turned into text once."""
        known, codes = self._cells, self._codes
        for cell in dict.fromkeys(cells):
            if cell not in known:
                known[cell] = codes.setdefault(_text(cell), len(codes))
        return np.fromiter(map(known.__getitem__, cells), dtype=np.int32, count=len(cells))

    def find(self, name: str) -> int | None:
        """The code of a name that was seen."""
        return self._codes.get(name)

    def names(self) -> NDArray[np.str_]:
        """(n,) names in the order of their codes."""
        return np.array(list(self._codes) or [], dtype=np.str_)


def text_cells(column: Column) -> list[str]:
    """Cells as text, trimmed; ``None`` and NaN become ``''``."""
    return [_text(cell) for cell in column.tolist()]


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace").strip()
    return str(cell)


def numbers(column: Column) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """(rows,) cells as numbers, float32 kept, and which could not be read; an empty cell is NaN."""
    if column.dtype.kind == "f":
        values = column if column.dtype in (np.float32, np.float64) else column.astype(np.float32)
        return values, np.zeros(len(values), dtype=bool)
    if column.dtype.kind in "iub":
        return column.astype(np.float64), np.zeros(len(column), dtype=bool)
    cells = column.tolist()
    try:
        return np.array([float("nan") if cell in ("", None) else float(cell) for cell in cells]), np.zeros(
            len(cells), dtype=bool
        )
    except (TypeError, ValueError):
        found, bad = np.full(len(cells), np.nan), np.zeros(len(cells), dtype=bool)
        for index, cell in enumerate(cells):
            try:
                found[index] = float("nan") if cell in ("", None) else float(cell)
            except (TypeError, ValueError):
                bad[index] = True
        return found, bad
