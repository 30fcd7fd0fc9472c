"""What is held against the samples before a run begins: every reason not to train, at once."""

from __future__ import annotations

import numpy as np

from samebody.lab.train.errors import TrainingDataError
from samebody.lab.train.task import Data

SHOWN = 5


def check_data(data: Data) -> None:
    """Refuse samples that cannot be trained on.

    Held against them: nothing to learn from or to stop by, columns of another length, a class without a sample or
    with a single one, labels outside the classes, a subject on both sides.

    Raises:
        TrainingDataError: with every reason.
    """
    problems = []
    for name, source in (("train", data.train), ("held", data.held)):
        if not len(source):
            problems.append(f"there is no sample in {name}")
        for column, values in source.columns.items():
            if len(values) != len(source):
                problems.append(f"{name}: the column {column} has {len(values)} values for {len(source)} samples")
    if data.classes:
        problems += _class_problems(data)
    shared = _subjects(data.train.columns.get("subject")) & _subjects(data.held.columns.get("subject"))
    if shared:
        names = ", ".join(sorted(shared)[:SHOWN]) + (" ..." if len(shared) > SHOWN else "")
        problems.append(f"{len(shared)} subjects stand in train and in held: {names}")
    if problems:
        raise TrainingDataError(
            "the data of this run", problems, hint="`samebody data validate` and `samebody data split` help."
        )


def _class_problems(data: Data) -> list[str]:
    labels = data.train.columns.get("label")
    if labels is None:
        return [f"there are {data.classes} classes and no column label"]
    problems = []
    for name, source in (("train", data.train), ("held", data.held)):
        found = source.columns.get("label")
        if found is not None and len(found) and (np.min(found) < 0 or np.max(found) >= data.classes):
            problems.append(f"{name}: labels reach from {np.min(found)} to {np.max(found)} for {data.classes} classes")
    counts = np.bincount(labels[(labels >= 0) & (labels < data.classes)].astype(np.int64), minlength=data.classes)
    for count, what in ((0, "no sample"), (1, "a single sample")):
        few = np.flatnonzero(counts == count)
        if len(few):
            names = ", ".join(map(str, few[:SHOWN])) + (" ..." if len(few) > SHOWN else "")
            problems.append(f"train: {len(few)} of {data.classes} classes have {what}: {names}")
    return problems


def _subjects(column: object) -> set[str]:
    return {str(name) for name in column if str(name)} if isinstance(column, np.ndarray) else set()
