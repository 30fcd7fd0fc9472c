"""Priorities of tasks from a classifier on templates, trained on the labels that are there."""

from __future__ import annotations

import numpy as np

from samebody.lab.data.data_set import DataSet
from samebody.lab.data.faces import SampleFaces, Templates
from samebody.lab.data.label_noise import LogisticRegression, fold_numbers, out_of_sample
from samebody.lab.data.labelling.priority import priorities
from samebody.lab.data.labelling.schema import LabelSchema
from samebody.lab.data.manifest import Manifest


def model_priorities(
    data_set: DataSet,
    manifest: Manifest,
    schema: LabelSchema,
    model: str = "face/sface",
    templates: Templates | None = None,
) -> dict[str, float]:
    """Priority of each sample with a template: uncertainty plus disagreement, out of sample for labelled ones.

    Samples that have a label already are judged by a classifier that did not see them (subjects held out whole), the
    others by one that saw all labels.

    Raises:
        TooFewError: fewer than two classes have labels, or a class has a single sample or subject.
    """
    held = templates or SampleFaces(data_set, model).templates(manifest)
    given = manifest[schema.column][held.rows]
    known = np.array([label in schema.names for label in given], bool)
    classes = sorted(set(given[known].tolist()))
    place = {name: number for number, name in enumerate(classes)}
    target = np.array([place[label] for label in given[known]], np.int64)
    features = held.vectors.astype(np.float64)
    folds = fold_numbers(target, manifest["subject"][held.rows][known], 5, 0, tuple(classes))
    probabilities = np.zeros((len(held), len(classes)))
    probabilities[known] = out_of_sample(features[known], target, len(classes), folds)
    if not known.all():
        fitted = LogisticRegression.fit(features[known], target, len(classes))
        probabilities[~known] = fitted.probabilities(features[~known])
    found = priorities(probabilities, [label if ok else "" for label, ok in zip(given, known)], classes)
    return dict(zip(manifest["sample"][held.rows].tolist(), found.tolist()))
