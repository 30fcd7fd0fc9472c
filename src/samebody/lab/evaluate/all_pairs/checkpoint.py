"""What a run over all pairs has counted so far, kept in one file so that a killed run goes on where it was."""

from __future__ import annotations

import os
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from samebody.errors import InputError, StorageError
from samebody.measure.pair_counts import Tally
from samebody.measure.pair_plan import PairPlan


class CheckpointError(InputError):
    """A checkpoint belongs to other templates or settings, or cannot be read."""

    code = "evaluate.checkpoint"


class CheckpointWriteError(StorageError):
    """A checkpoint cannot be written."""

    code = "evaluate.checkpoint_write"


class Checkpoint:
    """A file that holds the sums over finished tiles; replaced as a whole, at most every ``seconds``.

    Args:
        path: the file; it need not exist.
        plan: the work; a file of other work is refused.
        seconds: between two writings.
    """

    def __init__(self, path: Path, plan: PairPlan, seconds: float = 30.0) -> None:
        self._path, self._plan, self._seconds = path, plan, seconds
        self._digest = plan.digest()
        self._last = time.monotonic()

    def load(self) -> Tally:
        """The sums of an earlier run, or empty ones when there is no file.

        Raises:
            CheckpointError: the file belongs to other work, or cannot be read.
        """
        tally = Tally(self._plan)
        if not self._path.exists():
            return tally
        try:
            with np.load(self._path, allow_pickle=False) as kept:
                if str(kept["digest"]) != self._digest:
                    raise CheckpointError(
                        f"{self._path.name} was made by other templates, groups or settings.",
                        hint="Delete the file to start again, or name another.",
                    )
                tally.restore(
                    {int(number) for number in kept["done"]},
                    {str(name) for name in kept["processes"]},
                    kept["counts"],
                    (kept["scores"], kept["rows"], kept["columns"]),
                )
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"{self._path.name} is no checkpoint that can be read ({error}).",
                hint="Delete the file to start again.",
            ) from error
        return tally

    def after(self, tally: Tally) -> None:
        """Write if it is time to."""
        if time.monotonic() - self._last >= self._seconds:
            self.write(tally)
            self._last = time.monotonic()

    def write(self, tally: Tally) -> None:
        """Write now: to a temporary name, then renamed.

        Raises:
            CheckpointWriteError: the folder cannot be written to, or the disk is full.
        """
        scores, rows, columns = tally.compact()
        temporary: Path | None = None
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.", suffix=".part")
            temporary = Path(name)
            with os.fdopen(handle, "wb") as file:
                np.savez(
                    file,
                    digest=np.array(self._digest),
                    done=np.array(sorted(tally.done), dtype=np.int64),
                    processes=np.array(sorted(tally.processes), dtype=np.str_),
                    counts=tally.counts,
                    scores=scores,
                    rows=rows,
                    columns=columns,
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise CheckpointWriteError(
                f"the checkpoint {self._path} cannot be written ({error.strerror}).",
                hint="Name a file in a folder that exists, with room on the disk.",
            ) from error

    def remove(self) -> None:
        """The run is complete: nothing is left to resume."""
        self._path.unlink(missing_ok=True)
