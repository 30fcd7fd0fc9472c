"""A labelling project: tasks and an append-only list of labels in a folder; all else is counted from them."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from samebody.errors import StorageError
from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.errors import DataSetError, LabelError
from samebody.lab.data.files import faults, locked, write_bytes
from samebody.lab.data.labelling.agreement import confusion, krippendorff_alpha, pairwise_agreement
from samebody.lab.data.labelling.schema import LabelSchema, load_schema
from samebody.lab.data.manifest import text

State = Literal["open", "agreed", "disputed", "adjudicated"]


@dataclass(frozen=True, slots=True)
class Task:
    """One sample to be labelled.

    Attributes:
        sample, sha256: of the data set.
        priority: higher comes first.
        gold: the known answer of a task that checks the labellers; ``''`` for all others. Never shown.
    """

    sample: str
    sha256: str
    priority: float = 0.0
    gold: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """One answer.

    Attributes:
        sample: of the task.
        labeller: who.
        label: a class, ``''`` for a skip.
        role: ``label``, ``adjudication``, or ``undo`` (takes back the labeller's last answer to the sample).
        seconds: it took; 0 when unknown.
        at: when (UTC).
    """

    sample: str
    labeller: str
    label: str
    role: Literal["label", "adjudication", "undo"] = "label"
    seconds: float = 0.0
    at: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How a project stands.

    Attributes:
        tasks: by state.
        alpha: Krippendorff's alpha (nominal) over independent labels; None when nothing can be compared.
        units: tasks with two labels and more.
        pairs: share of agreement by pair of labellers.
        labellers: for each: labels, skips, accuracy on gold tasks and their number, confusion against the final answer.
    """

    tasks: dict[str, int]
    alpha: float | None
    units: int
    pairs: dict[str, float]
    labellers: dict[str, dict[str, Any]] = field(default_factory=dict)


class LabelProject:
    """A project's folder: ``schema.yaml``, ``project.json``, ``tasks.jsonl``, ``labels.jsonl``.

    Two labellers answer independently: nobody sees another's answer, and nobody gets a task twice. Where the answers
    differ the task is disputed until somebody who did not label it adjudicates.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            about = json.loads((self.folder / "project.json").read_text(encoding="utf-8"))
            self.data_set, self.version = DataSet.open(about["data_set"]), str(about["version"])
            lines = (self.folder / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
            self.tasks = {task.sample: task for task in (Task(**json.loads(line)) for line in lines)}
        except (OSError, ValueError, KeyError, TypeError):
            raise DataSetError(
                f"{self.folder} is no labelling project.", hint="Make one with `samebody data label start`."
            ) from None
        self.schema: LabelSchema = load_schema(self.folder / "schema.yaml")
        self._guard = threading.RLock()
        self._set(self._read())

    def _set(self, labels: Iterable[Label]) -> None:
        self._labels: list[Label] = []
        self._by_sample: dict[str, list[Label]] = {}
        for label in labels:
            self._put(label)

    def _put(self, label: Label) -> None:
        self._labels.append(label)
        self._by_sample.setdefault(label.sample, []).append(label)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        data_set: DataSet,
        version: Version,
        schema: LabelSchema,
        samples: Iterable[str],
        *,
        priority: Mapping[str, float] | None = None,
        gold: Mapping[str, str] | None = None,
    ) -> LabelProject:
        """A new project over samples of a version.

        Args:
            folder: new or empty.
            data_set, version: where the samples are.
            schema: what is asked.
            samples: names.
            priority: by sample, see :mod:`samebody.lab.data.labelling.priority`; 0 otherwise.
            gold: known answers of samples that check the labellers.

        Raises:
            DataSetError: the folder is in use.
            LabelError: a sample is not in the version, a gold answer is no class.
        """
        root = Path(folder)
        if root.exists() and any(root.iterdir()):
            raise DataSetError(f"{root} is not empty.", hint="Choose another folder.")
        manifest = data_set.manifest(version)
        hashes = dict(zip(manifest["sample"], manifest["sha256"]))
        names = list(dict.fromkeys([*samples, *(gold or {})]))
        missing = [name for name in names if name not in hashes]
        wrong = [answer for answer in (gold or {}).values() if answer not in schema.names]
        if missing or wrong or not names:
            problems = [f"{len(missing)} samples are not in the version ({missing[0]})"] if missing else []
            problems += [f"{wrong[0]!r} is no class"] if wrong else []
            raise LabelError("; ".join(problems or ["there is no sample to label"]) + ".", hint="Check the list.")
        urgency = {name: float((priority or {}).get(name, 0.0)) for name in names}
        others = [urgency[name] for name in names if name not in (gold or {})]
        for name in gold or {}:  # a gold task must not stand out by coming last: it takes the place of some other task
            if name not in (priority or {}) and others:
                urgency[name] = others[int(hashes[name][:8], 16) % len(others)]
        tasks = [Task(name, hashes[name], urgency[name], (gold or {}).get(name, "")) for name in names]
        content = schema.model_dump(mode="json")
        write_bytes(root / "schema.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())
        lines = "".join(json.dumps(asdict(task), ensure_ascii=False) + "\n" for task in tasks)
        write_bytes(root / "tasks.jsonl", lines.encode())
        about = {"data_set": str(data_set.folder.resolve()), "version": version.id}
        write_bytes(root / "project.json", json.dumps(about).encode())
        return cls(root)

    # ------------------------------------------------------------------------------------------------------- labels

    def _read(self) -> list[Label]:
        path = self.folder / "labels.jsonl"
        found: list[Label] = []
        if path.exists():
            data = path.read_bytes()
            for line in data[: data.rfind(b"\n") + 1].splitlines():
                try:
                    found.append(Label(**json.loads(line)))
                except (ValueError, TypeError):
                    raise LabelError(f"{path} is damaged.", hint="Restore it from a copy.") from None
        return found

    def add(self, *labels: Label) -> None:
        """Write answers; they are on the disk when this returns.

        Raises:
            LabelError: an unknown task or class, a second answer of one labeller, an adjudication by somebody who
                labelled the task. Then none is written.
            DataSetLockedError: another process writes at the same moment.
        """
        with self._guard, locked(self.folder):
            # another process (a second page, an import) may have written since: its answers count
            before = self._read()
            self._set(before)
            try:
                for label in labels:
                    self._check(label)
                    self._put(label)
            except LabelError:
                self._set(before)
                raise
            added = self._labels[len(before) :]
            try:
                self._write([self._dated(label) for label in added], bool(before))
            except StorageError:
                self._set(before)
                raise

    def _write(self, labels: Sequence[Label], some: bool) -> None:
        lines = "".join(json.dumps(asdict(label), ensure_ascii=False) + "\n" for label in labels)
        path = self.folder / "labels.jsonl"
        with faults(path), path.open("r+b" if path.exists() else "wb") as stream:
            if some:  # a torn last line, left by a kill, is written over
                stream.seek(path.read_bytes().rfind(b"\n") + 1)
            stream.truncate()
            stream.write(lines.encode())
            stream.flush()
            os.fsync(stream.fileno())

    @staticmethod
    def _dated(label: Label) -> Label:
        return label if label.at else Label(**{**asdict(label), "at": datetime.now(UTC).isoformat(timespec="seconds")})

    def _check(self, label: Label) -> None:
        if label.sample not in self.tasks:
            raise LabelError(f"there is no task {label.sample!r}.", hint="Reload the page.")
        if not label.labeller.strip() or len(label.labeller) > 64:
            raise LabelError("a label needs the name of its labeller (64 characters at most).", hint="Say who you are.")
        answers = self.answers(label.sample)
        if label.role == "undo":
            if label.labeller not in answers:
                raise LabelError("there is no answer to take back.", hint="Reload the page.")
            return
        if label.label and label.label not in self.schema.names:
            raise LabelError(f"{label.label!r} is no class.", hint=f"Classes: {', '.join(self.schema.names)}.")
        if label.labeller in answers:
            raise LabelError(f"{label.labeller} has answered {label.sample} already.", hint="Undo it first.")
        if label.role == "adjudication":
            if not label.label:
                raise LabelError("an adjudication needs a class.", hint="Leave the task disputed otherwise.")
            if self.state(label.sample) != "disputed":
                raise LabelError(f"{label.sample} is not disputed.", hint="Only disputed tasks are adjudicated.")
        elif len(answers) >= self.schema.labels and self.state(label.sample) != "open":
            raise LabelError(f"{label.sample} has all its labels.", hint="Take the next task.")

    def answers(self, sample: str) -> dict[str, str]:
        """Independent answers by labeller, what was taken back left out; skips are ``''``."""
        found: dict[str, str] = {}
        for label in self._by_sample.get(sample, ()):
            if label.role != "adjudication":
                if label.role == "undo":
                    found.pop(label.labeller, None)
                else:
                    found[label.labeller] = label.label
        return found

    def final(self, sample: str) -> str:
        """The answer that counts: adjudicated or agreed; ``''`` as long as there is none."""
        decided = [entry for entry in self._by_sample.get(sample, ()) if entry.role == "adjudication"]
        if decided:
            return decided[-1].label
        given = [label for label in self.answers(sample).values() if label]
        return given[0] if len(given) >= self.schema.labels and len(set(given)) == 1 else ""

    def state(self, sample: str) -> State:
        """Where a task stands."""
        if any(entry.role == "adjudication" for entry in self._by_sample.get(sample, ())):
            return "adjudicated"
        given = [label for label in self.answers(sample).values() if label]
        if len(given) < self.schema.labels:
            return "open"
        return "agreed" if len(set(given)) == 1 else "disputed"

    def next_task(self, labeller: str, adjudicate: bool = False) -> Task | None:
        """The task that ``labeller`` should answer next; None when there is none.

        Highest priority first; of equal ones those that lack the fewest labels, so that tasks are finished. Gold tasks
        have the priority they were given. An adjudicator gets disputed tasks that they did not label.
        """
        with self._guard:
            wanted: State = "disputed" if adjudicate else "open"
            free = []
            for task in self.tasks.values():
                answers = self.answers(task.sample)
                if labeller not in answers and self.state(task.sample) == wanted:
                    free.append((-task.priority, -len(answers), task.sample, task))
            return min(free, key=lambda entry: entry[:3])[3] if free else None

    # ------------------------------------------------------------------------------------------------------- figures

    def report(self) -> Report:
        """States, agreement, and every labeller's figures."""
        answers = {name: {who: label for who, label in self.answers(name).items() if label} for name in self.tasks}
        finals = {name: self.final(name) or task.gold for name, task in self.tasks.items()}
        units = [list(given.values()) for given in answers.values() if len(given) > 1]
        everyone = sorted({label.labeller for label in self._labels if label.role != "adjudication"})
        people: dict[str, dict[str, Any]] = {}
        for who in everyone:
            own = {name: given[who] for name, given in answers.items() if who in given}
            golden = [(self.tasks[name].gold, label) for name, label in own.items() if self.tasks[name].gold]
            times = [label.seconds for label in self._labels if label.labeller == who and label.seconds > 0]
            people[who] = {
                "labels": len(own),
                "skips": sum(self.answers(name).get(who) == "" for name in self.tasks),
                "gold": len(golden),
                "gold accuracy": sum(a == b for a, b in golden) / len(golden) if golden else None,
                "median seconds": float(np.median(times)) if times else None,
                "confusion": confusion(
                    [(finals[name], label) for name, label in own.items() if finals[name]], self.schema.names
                ),
            }
        states = Counter(self.state(name) for name in self.tasks)
        return Report(
            {name: states[name] for name in ("open", "agreed", "disputed", "adjudicated")},
            krippendorff_alpha(units),
            len(units),
            pairwise_agreement(answers),
            people,
        )

    def labels(self) -> Sequence[Label]:
        """Every answer in the order in which it came."""
        return tuple(self._labels)

    def apply(self) -> Version:
        """Write the final answers into the data set's last version (tasks that were erased since are left out).

        Raises:
            LabelError: no task has a final answer yet.
        """
        with self.data_set.writing():
            manifest = self.data_set.manifest()
            here = dict(zip(manifest["sample"], manifest["sha256"]))
            finals = {
                name: final
                for name, task in self.tasks.items()
                if (final := self.final(name)) and here.get(name) == task.sha256
            }
            if not finals:
                raise LabelError("no task has a final answer yet.", hint="Label, then adjudicate what is disputed.")
            old = manifest[self.schema.column] if self.schema.column in manifest.columns else text([""] * len(manifest))
            cells = text(finals.get(name, cell) for name, cell in zip(manifest["sample"], old))
            report = self.report()
            alpha = None if report.alpha is None else round(report.alpha, 4)
            return self.data_set.commit(
                manifest.with_columns(**{self.schema.column: cells}),
                "label",
                options={"schema": self.schema.name, "column": self.schema.column},
                figures={"labelled": len(finals), "alpha": alpha, "units": report.units},
            )
