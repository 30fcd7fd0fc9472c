"""Many cases from a table to one verdict a line: workers may die, the run may be killed, nothing is lost or repeated.

The results file is the only state. The parent alone appends to it, one line and one ``fsync`` a case; on the next
start a half-written last line is cut off and every case already there is skipped.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from samebody.config import Settings
from samebody.errors import InputError, SamebodyError, StorageError, UsageError

COLUMNS = ("case_id", "selfie", "document", "reference", "policy")
RESULT_SCHEMA_VERSION = "1.0"


class CasesFileError(InputError):
    """The table of cases cannot be used; the message lists every mistake."""

    code = "cases.invalid"


class ResultsBusyError(UsageError):
    """Another run is writing the same results file."""

    code = "cases.results_busy"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table: what to verify, against what, under which policy (None: the run's)."""

    case_id: str
    selfie: Path
    document: Path | None = None
    reference: Path | None = None
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did: counts by decision, of errors, of cases found finished, and whether it was interrupted."""

    decisions: dict[str, int]
    errors: int
    skipped: int
    interrupted: bool


def read_cases(path: Path) -> list[Case]:
    """Read a CSV table with the columns ``case_id, selfie`` and ``document`` or ``reference``, optionally ``policy``.

    Relative picture paths are relative to the table.

    Raises:
        CasesFileError: missing columns, empty or repeated case ids, rows without pictures; all mistakes at once.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            rows = list(reader)
    except FileNotFoundError:
        raise CasesFileError(f"there is no file {path}.", hint="Check the path.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CasesFileError(f"{path} cannot be read as CSV: {error}.", hint="Save it as UTF-8 CSV.") from None
    mistakes = [f"column {name!r} is missing" for name in ("case_id", "selfie") if name not in header]
    mistakes += [f"column {name!r} is not known" for name in header if name not in COLUMNS]
    if "document" not in header and "reference" not in header:
        mistakes.append("a column 'document' or 'reference' is needed")
    cases: list[Case] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows if not mistakes else [], start=2):
        cell = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if None in row:
            mistakes.append(f"line {number} has more cells than the header")
        if not cell["case_id"]:
            mistakes.append(f"line {number} has no case_id")
        elif cell["case_id"] in seen:
            mistakes.append(f"line {number} repeats the case_id of line {seen[cell['case_id']]}")
        seen.setdefault(cell["case_id"], number)
        if not cell["selfie"] or not (cell["document"] or cell["reference"]):
            mistakes.append(f"line {number} needs a selfie and a document or a reference")
            continue
        paths = {n: (path.parent / cell[n] if cell[n] else None) for n in ("selfie", "document", "reference")}
        assert paths["selfie"] is not None
        cases.append(
            Case(cell["case_id"], paths["selfie"], paths["document"], paths["reference"], cell["policy"] or None)
        )
    if not rows and not mistakes:
        mistakes.append("there are no rows")
    if mistakes:
        shown = "; ".join(mistakes[:20]) + (f"; and {len(mistakes) - 20} more" if len(mistakes) > 20 else "")
        raise CasesFileError(f"{path} has {len(mistakes)} mistake(s): {shown}.", hint="Nothing was run.")
    return cases


class ResultsFile:
    """The append-only JSON-lines file of results, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: io.FileIO | None = None

    def __enter__(self) -> ResultsFile:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("a+b", buffering=0)
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResultsBusyError(
                f"another run writes to {self.path}.", hint="Wait for it, or choose another --out."
            ) from None
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written: {error.strerror}.") from None
        return self

    def __exit__(self, *exc: object) -> None:
        if self._stream:
            self._stream.close()

    def finished(self) -> dict[str, str]:
        """Repair the end of the file and return what is there: case id to decision (or ``error``).

        Raises:
            CasesFileError: a complete line is not a result, so this is some other file; nothing is changed then.
        """
        assert self._stream
        done: dict[str, str] = {}
        good_end = 0
        with self.path.open("rb") as existing:
            for number, line in enumerate(existing, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    record = json.loads(line)
                    done[record["case_id"]] = record["verdict"]["decision"] if record["verdict"] else "error"
                except (ValueError, KeyError, TypeError):
                    raise CasesFileError(
                        f"line {number} of {self.path} is not a result of a run.", hint="Choose another --out."
                    ) from None
                good_end += len(line)
        self._stream.seek(0, os.SEEK_END)
        if self._stream.tell() > good_end:
            self._stream.truncate(good_end)
        return done

    def append(self, record: dict[str, Any]) -> None:
        """Write one result so that it survives a kill.

        Raises:
            StorageError: it could not be written; a half-written line was taken back.
        """
        assert self._stream
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        self._stream.seek(0, os.SEEK_END)
        start = self._stream.tell()
        try:
            written = 0
            while written < len(line):
                written += self._stream.write(line[written:]) or 0
            os.fsync(self._stream.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._stream.fileno(), start)
            raise StorageError(
                f"{self.path} cannot be written: {error.strerror}.", hint="Free space and run again; it resumes."
            ) from None


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    case: Case | None = None
    since: float = 0.0
    idle: bool = False


@dataclass(slots=True)
class _Pool:
    """Worker processes that take one case at a time; a dead or stuck one is replaced and its case tried once more."""

    settings: Settings
    policy: str
    size: int
    case_timeout: float
    verify: Callable[[Settings, str, Case], dict[str, Any]]
    workers: list[_Worker] = field(default_factory=list)

    def start_worker(self) -> None:
        # spawn: a forked child would inherit model sessions and their threads in an undefined state
        context = multiprocessing.get_context("spawn")
        parent_end, child_end = context.Pipe()
        process = context.Process(
            target=_work, args=(child_end, self.settings, self.policy, self.verify, os.getpid()), daemon=True
        )
        process.start()
        child_end.close()
        self.workers.append(_Worker(process, parent_end))

    def run(self, cases: list[Case]) -> Iterator[tuple[Case, dict[str, Any]]]:
        waiting = deque(cases)
        failures: dict[str, int] = {}
        open_cases = len(cases)
        for _ in range(min(self.size, len(cases))):
            self.start_worker()
        try:
            while open_cases:
                for worker in self.workers:
                    if worker.idle and waiting:
                        worker.case, worker.since, worker.idle = waiting.popleft(), time.monotonic(), False
                        with contextlib.suppress(OSError):  # a death here is seen as end of file below
                            worker.pipe.send(worker.case)
                ready = wait([worker.pipe for worker in self.workers], timeout=1.0)
                for worker in list(self.workers):
                    lost = None
                    if worker.pipe in ready:
                        try:
                            message = worker.pipe.recv()
                        except (EOFError, OSError):
                            lost = "worker_died"
                        else:
                            if worker.case is not None:
                                case, worker.case = worker.case, None
                                open_cases -= 1
                                yield case, message
                            worker.idle = True
                    elif worker.case is not None and time.monotonic() - worker.since > self.case_timeout:
                        lost = "timeout"
                    if lost:
                        finished = self._replace(worker, lost, failures, waiting)
                        if finished:
                            open_cases -= 1
                            yield finished
        finally:
            self.stop()

    def _replace(
        self, worker: _Worker, why: str, failures: dict[str, int], waiting: deque[Case]
    ) -> tuple[Case, dict[str, Any]] | None:
        self.workers.remove(worker)
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        key = worker.case.case_id if worker.case else ""
        failures[key] = failures.get(key, 0) + 1
        if not key and failures[key] > 2 * self.size:
            raise StorageError("worker processes die before they take a case.", hint="Run one case by hand to see why.")
        self.start_worker()
        if worker.case is None:
            return None
        if why == "worker_died" and failures[key] < 2:
            waiting.appendleft(worker.case)
            return None
        message = (
            f"the worker process died twice on this case (exit code {worker.process.exitcode})."
            if why == "worker_died"
            else f"the case took longer than {self.case_timeout:.0f} s and was stopped."
        )
        return worker.case, {"verdict": None, "error": {"code": f"cases.{why}", "message": message, "hint": ""}}

    def stop(self) -> None:
        for worker in self.workers:
            with contextlib.suppress(OSError):
                worker.pipe.close()
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(timeout=5)
        self.workers.clear()


def _work(
    pipe: Connection,
    settings: Settings,
    policy: str,
    verify: Callable[[Settings, str, Case], dict[str, Any]],
    parent: int,
) -> None:
    """A worker process: say that it is ready, then answer cases until the pipe closes."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when an interrupted run ends
    pipe.send(None)
    while True:
        try:
            while not pipe.poll(5.0):
                if os.getppid() != parent:  # the parent was killed: do not outlive it
                    return
            case = pipe.recv()
            pipe.send(verify(settings, policy, case))
        except (EOFError, OSError):
            return


_VERIFIERS: dict[int, Any] = {}


def verify_case(settings: Settings, policy: str, case: Case) -> dict[str, Any]:
    """Verify one case and return its result fields; every error becomes data, none leaves the function."""
    from samebody.decide import verdict_to_dict
    from samebody.pipeline.verify import Verifier

    try:
        verifier = _VERIFIERS.setdefault(os.getpid(), None) or Verifier(settings)
        _VERIFIERS[os.getpid()] = verifier
        result = verifier.verify(
            selfie=case.selfie,
            document=case.document,
            reference=case.reference,
            policy=case.policy or policy,
            case_id=case.case_id,
        )
        return {"verdict": verdict_to_dict(result.verdict), "error": None}
    except SamebodyError as error:
        return {"verdict": None, "error": error.to_dict()}
    except Exception as error:  # one bad case never stops the run; the type is enough to find the fault
        message = f"an internal fault stopped this case ({type(error).__name__})."
        return {"verdict": None, "error": {"code": "internal", "message": message, "hint": "Please report it."}}


def run_cases(
    cases: list[Case],
    out: Path,
    *,
    policy: str = "default",
    workers: int = 1,
    settings: Settings,
    case_timeout: float = 120.0,
    progress: Callable[[str, str], None] | None = None,
    on_start: Callable[[int, int], None] | None = None,
    verify: Callable[[Settings, str, Case], dict[str, Any]] = verify_case,
) -> RunSummary:
    """Verify ``cases`` in ``workers`` processes and append one JSON line each to ``out``; resume when ``out`` is there.

    Args:
        case_timeout: seconds after which a case is stopped and recorded as an error.
        progress: called with case id and decision (or ``error``) after each case is safely written.
        on_start: called with the number of all cases and of those already finished.
        verify: what a worker does with a case; must be importable in a fresh process.

    Raises:
        ResultsBusyError: another run holds ``out``.
        StorageError: ``out`` cannot be written; what was written before stays and the next run goes on from there.
    """
    decisions: dict[str, int] = {}
    errors = 0
    interrupted = False
    with ResultsFile(out) as results:
        done = results.finished()
        remaining = [case for case in cases if case.case_id not in done]
        if on_start:
            on_start(len(cases), len(cases) - len(remaining))
        pool = _Pool(settings, policy, max(1, workers), case_timeout, verify)
        try:
            for case, outcome in pool.run(remaining):
                decision = outcome["verdict"]["decision"] if outcome["verdict"] else "error"
                results.append(
                    {
                        "schema_version": RESULT_SCHEMA_VERSION,
                        "case_id": case.case_id,
                        "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
                        **outcome,
                    }
                )
                if decision == "error":
                    errors += 1
                else:
                    decisions[decision] = decisions.get(decision, 0) + 1
                if progress:
                    progress(case.case_id, decision)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            pool.stop()
    return RunSummary(decisions, errors, len(cases) - len(remaining), interrupted)
