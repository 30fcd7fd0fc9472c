"""An append-only file of finished pieces of work, so that a killed run goes on where it was.

One JSON line a piece, each with a checksum. A line that was cut by a kill or a power loss is dropped and its piece is
done again; a line that was changed elsewhere in the file is an error, never skipped.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import IO, Any

from samebody.durable import sync_folder
from samebody.errors import InputError, StorageError

VERSION = 1


class JournalError(InputError):
    """A journal belongs to other work, or was damaged."""

    code = "search.journal"


class JournalWriteError(StorageError):
    """A journal cannot be written."""

    code = "search.journal_write"


class Journal:
    """The pieces of one run.

    Args:
        path: the file; made when it does not exist.
        work: digest of everything that the results depend on; a file of other work is refused.

    Raises:
        JournalError, JournalWriteError.
    """

    def __init__(self, path: Path | str, work: str) -> None:
        self._path, self._work = Path(path), work
        self.pieces: dict[str, Any] = {}
        try:
            end = self._read() if self._path.exists() else 0
            self._file: IO[bytes] = self._path.open("r+b" if end else "wb")
            self._file.seek(end)
            self._file.truncate()
            if not end:
                self._append({"journal": VERSION, "work": work})
                sync_folder(self._path.parent)
        except OSError as error:
            raise self._failed(error) from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def add(self, piece: str, result: Any) -> None:
        """Keep the JSON-ready ``result`` of ``piece``; it is on the disk when this returns.

        Raises:
            JournalWriteError: the disk is full, or the folder cannot be written to.
        """
        try:
            self._append({"piece": piece, "result": result})
        except OSError as error:
            raise self._failed(error) from None
        self.pieces[piece] = result

    def close(self) -> None:
        """Close the file and keep it."""
        self._file.close()

    def remove(self) -> None:
        """The run is complete: nothing is left to go on with."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _append(self, entry: dict[str, Any]) -> None:
        text = json.dumps(entry, separators=(",", ":"))
        self._file.write(f"{zlib.crc32(text.encode()):08x} {text}\n".encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self) -> int:
        """Take over the whole lines; returns where they end."""
        data, end = self._path.read_bytes(), 0
        for number, line in enumerate(data.split(b"\n")[:-1]):
            entry = _entry(line)
            last = end + len(line) + 1 == len(data)
            if entry is None:
                if last:
                    break  # torn: the piece is done again
                raise JournalError(
                    f"{self._path} was changed at line {number + 1}.", hint="Delete it to start the run again."
                )
            if number == 0:
                if entry.get("journal") != VERSION or entry.get("work") != self._work:
                    raise JournalError(
                        f"{self._path} belongs to another gallery, another state of it, or other settings.",
                        hint="Delete it to start again, or name another file.",
                    )
            else:
                self.pieces[str(entry["piece"])] = entry["result"]
            end += len(line) + 1
        return end

    def _failed(self, error: OSError) -> JournalWriteError:
        return JournalWriteError(
            f"the journal {self._path} cannot be written: {(error.strerror or 'unknown reason').lower()}.",
            hint="Name a file in a folder that exists, with room on the disk.",
        )


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        kept, text = int(line[:8], 16), line[9:]
        if zlib.crc32(text) != kept:
            return None
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
