"""Confident learning finds planted errors, the regression is the optimum, and identities are told apart."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samebody.lab.data import DataSet
from samebody.lab.data.errors import TooFewError
from samebody.lab.data.faces import Templates
from samebody.lab.data.identities import find_identity_noise
from samebody.lab.data.label_noise import (
    LogisticRegression,
    confident_learning,
    find_label_noise,
    fold_numbers,
)
from samebody.lab.data.labels import check_classes
from samebody.lab.data.manifest import text


def clouds(seed: int, count: int = 300, classes: int = 3, spread: float = 0.7) -> tuple[NDArray[Any], NDArray[Any]]:
    random = np.random.default_rng(seed)
    centres = 3 * random.normal(size=(classes, 8))
    target = random.integers(0, classes, count)
    return centres[target] + spread * random.normal(size=(count, 8)), target


def test_planted_label_errors_are_found_and_few_others() -> None:
    features, target = clouds(0, spread=0.4)
    random = np.random.default_rng(1)
    wrong = random.choice(300, 24, replace=False)
    given_labels = target.copy()
    given_labels[wrong] = (target[wrong] + 1) % 3
    noise = find_label_noise(features, [f"c{k}" for k in given_labels])
    found = set(noise.suspects.tolist())
    assert len(found & set(wrong.tolist())) >= 22 and len(found - set(wrong.tolist())) <= 3
    assert abs(noise.expected_errors - 24) < 6
    rows = noise.suspects[:10]
    assert [noise.classes[k] for k in noise.suggested[:10]] == [f"c{k}" for k in target[rows]]
    assert (np.diff(noise.margins) <= 0).all()


def test_right_labels_raise_no_alarm() -> None:
    features, target = clouds(3, spread=0.3)
    assert len(find_label_noise(features, target.astype(str)).suspects) == 0


@settings(max_examples=50)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_the_confident_joint_is_that_of_the_definition(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), 40)
    target = np.concatenate([np.arange(classes), random.integers(0, classes, 40 - classes)])
    noise = confident_learning(probabilities, target, tuple(map(str, range(classes))))
    joint = np.zeros((classes, classes), int)
    bars = [np.mean([probabilities[n, k] for n in range(40) if target[n] == k]) for k in range(classes)]
    for n in range(40):
        over = [k for k in range(classes) if probabilities[n, k] >= bars[k] - 1e-12]
        if over:
            joint[target[n], max(over, key=lambda k: probabilities[n, k])] += 1
    assert (noise.joint == joint).all()
    assert len(noise.suspects) <= joint.sum() - np.trace(joint)


def test_the_regression_is_where_its_slope_vanishes() -> None:
    features, target = clouds(5, 80)
    model = LogisticRegression.fit(features, target, 3, regularisation=0.1)
    inputs = np.hstack([(features - model.mean) / model.scale, np.ones((80, 1))])
    slope = inputs.T @ (model.probabilities(features) - np.eye(3)[target]) / 80
    slope[:-1] += 0.1 * model.weights[:-1]
    assert np.abs(slope).max() < 1e-3
    assert np.allclose(model.probabilities(features).sum(axis=1), 1)


@given(st.integers(0, 500))
def test_blocks_are_held_out_whole_and_classes_spread(seed: int) -> None:
    random = np.random.default_rng(seed)
    target = np.concatenate([[0, 0, 1, 1], random.integers(0, 2, 60)])
    blocks = np.array([f"b{k}" for k in [100, 101, 102, 103, *random.integers(0, 20, 60)]], object)
    blocks[10] = blocks[11] = ""
    folds = fold_numbers(target, blocks, 5, seed)
    for name in set(blocks) - {""}:
        assert len(set(folds[blocks == name].tolist())) == 1
    assert set(folds.tolist()) <= set(range(5))


def test_a_class_of_one_sample_or_one_subject_cannot_be_checked(data_set: DataSet) -> None:
    features, target = clouds(0, 50)
    labels = target.astype(str).astype(object)
    labels[7] = "lonely"
    with pytest.raises(TooFewError, match="lonely"):
        find_label_noise(features, labels)
    with pytest.raises(TooFewError, match="single subject"):
        find_label_noise(features, target.astype(str), blocks=[f"s{k}" for k in target])
    with pytest.raises(TooFewError, match="two classes"):
        find_label_noise(features, ["a"] * 50)


def test_suspects_of_a_data_set_go_into_quarantine_when_asked(data_set: DataSet) -> None:
    manifest = data_set.manifest().with_columns(label=text(["a", "b", "a"] * 4))
    with data_set.writing():
        data_set.commit(manifest, "by hand")
    features = np.zeros((12, 8), np.float32)
    features[:, 0] = [1 if label == "a" else -1 for label in manifest["label"]]
    features[5, 0] *= -1
    held = Templates(features, np.arange(12), "space")
    only = check_classes(data_set, "label", margin=0.3, templates=held)
    assert [s.sample for s in only.suspects] == ["raw/s1/2.png"] and only.version.id == data_set.version().id
    assert "seems 'b'" in str(only.suspects[0])
    made = check_classes(data_set, "label", margin=0.3, templates=held, quarantine=True)
    assert data_set.manifest(made.version)["quarantine"][5] == "labels.wrong_class"


# ---------------------------------------------------------------------------------------------------------- identities


def people(subjects: int, each: int, seed: int = 0, noise: float = 0.35) -> tuple[NDArray[np.float32], list[str]]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(subjects, 64))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = np.repeat(centres, each, axis=0) + noise * random.normal(size=(subjects * each, 64)) / 8
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), [f"p{k:02d}" for k in range(subjects) for _ in range(each)]


def look(vectors: NDArray[np.float32], names: list[str]) -> Any:
    return find_identity_noise(Templates(vectors, np.arange(len(vectors)), "space"), names, 0.5)


def test_clean_subjects_raise_no_alarm() -> None:
    noise = look(*people(20, 6))
    assert not noise.misplaced and not noise.mixed and not noise.same and noise.checked == 20


def test_swapped_samples_are_found_with_where_they_belong() -> None:
    vectors, names = people(20, 6)
    swapped = names.copy()
    for one, two in ((0, 30), (50, 90), (13, 119)):
        swapped[one], swapped[two] = names[two], names[one]
    noise = look(vectors, swapped)
    assert {(row, other) for row, _, other, _, _ in noise.misplaced} == {
        (row, names[row]) for row in (0, 30, 50, 90, 13, 119)
    }


def test_a_stranger_among_a_subjects_samples_matches_nobody() -> None:
    vectors, names = people(6, 5)
    stranger = np.zeros((1, 64), np.float32)
    stranger[0, 3] = 1.0
    noise = look(np.vstack([vectors, stranger]), [*names, "p02"])
    assert [(row, own, other) for row, own, other, _, _ in noise.misplaced] == [(30, "p02", "")]


def test_one_subject_that_is_two_people_and_two_that_are_one() -> None:
    vectors, names = people(12, 6)
    mixed = ["p00" if name == "p01" else name for name in names]
    noise = look(vectors, mixed)
    assert [name for name, _ in noise.mixed] == ["p00"] and len(noise.mixed[0][1]) == 6
    assert {names[row] for row in noise.mixed[0][1]} in ({"p00"}, {"p01"})
    parted = [f"{name}x" if name == "p05" and row % 2 else name for row, name in enumerate(names)]
    noise = look(vectors, parted)
    assert [(one, two) for one, two, _ in noise.same] == [("p05", "p05x")] and not noise.misplaced


def test_subjects_without_a_name_or_template_take_no_part() -> None:
    vectors, names = people(4, 3)
    assert find_identity_noise(Templates(vectors[:0], np.zeros(0, np.int64), "s"), names, 0.5).checked == 0
    noise = look(vectors, [""] * 6 + names[6:])
    assert noise.checked == 2 and noise.single == 0


def test_every_pair_of_single_samples_of_one_person_is_named() -> None:
    vectors, _ = people(3, 2)
    noise = look(vectors, [f"n{k}" for k in range(6)])
    assert {(one, two) for one, two, _ in noise.same} == {("n0", "n1"), ("n2", "n3"), ("n4", "n5")}
    assert noise.single == 6 and all(
        (f"n{a}", f"n{b}") not in {(o, t) for o, t, _ in noise.same} for a, b in product((0, 1), (2, 3))
    )
