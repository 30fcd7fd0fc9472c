"""Template sets: checked at once, compared as a comparison of two is, listed or counted with the same figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samebody.lab.evaluate import (
    CompareOptions,
    PairList,
    ProtocolError,
    ScoreTableError,
    compare_templates,
    read_templates,
    template_set,
)
from samebody.lab.evaluate.non_mated import CountedNonMated, ListedNonMated
from samebody.match import compare
from samebody.measure import EmptyClassError
from samebody.types import EmbeddingSpace, Template
from tests.lab.evaluate.test_verification import templates


def test_a_set_is_read_from_npz_and_from_a_matrix_with_a_table(tmp_path: Path) -> None:
    chosen = templates(5, 2)
    arrays = {"vectors": chosen.vectors, "sample": chosen.samples, "subject": chosen.subjects, "group": chosen.groups}
    np.savez(tmp_path / "set.npz", **arrays)
    one = read_templates(tmp_path / "set.npz")
    np.save(tmp_path / "set.npy", chosen.vectors)
    rows = [
        "sample,subject,group",
        *(f"{a},{b},{c}" for a, b, c in zip(chosen.samples, chosen.subjects, chosen.groups)),
    ]
    (tmp_path / "set.csv").write_text("\n".join(rows))
    two = read_templates(tmp_path / "set.npy", tmp_path / "set.csv")
    for found in (one, two):
        np.testing.assert_allclose(found.vectors, chosen.vectors, atol=1e-6)
        assert found.samples.tolist() == chosen.samples.tolist() and len(found.digest) == 64


def test_all_problems_of_a_set_are_reported_at_once() -> None:
    chosen = templates(4, 2)
    vectors = chosen.vectors.copy()
    vectors[0, 0], vectors[1] = np.nan, 0
    samples, groups = chosen.samples.copy(), chosen.groups.copy() if chosen.groups is not None else None
    samples[3] = samples[2]
    assert groups is not None
    groups[4] = "z"
    with pytest.raises(ScoreTableError) as caught:
        template_set({"vectors": vectors, "sample": samples, "subject": chosen.subjects, "group": groups})
    text = "\n".join(caught.value.problems)
    for part in ("NaN or infinite", "of zeros", "named twice", "a subject in two groups"):
        assert part in text
    with pytest.raises(ScoreTableError, match="'sample' is missing"):
        template_set({"vectors": vectors})
    with pytest.raises(ScoreTableError, match="subject has shape"):
        template_set({"vectors": vectors, "sample": samples, "subject": ["a"]})


def test_scores_are_those_of_a_comparison_of_two() -> None:
    chosen = templates(4, 2, seed=3)
    space = EmbeddingSpace("toy", "1", "0", "0")
    found = compare_templates(chosen)
    assert isinstance(found.non_mated, ListedNonMated)
    for part in (found.mated, found.non_mated):
        for row in range(len(part.scores)):
            one, two = (Template(chosen.vectors[code[row]], space) for code in (part.probe, part.reference))
            assert compare(one, two).score == float(part.scores[row])


def test_lengths_are_divided_out_and_said() -> None:
    chosen = templates(4, 2)
    found = template_set({"vectors": chosen.vectors * 3, "sample": chosen.samples, "subject": chosen.subjects})
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)
    assert "unit length" in found.notes[0]


def test_listed_and_counted_comparisons_give_the_same_figures() -> None:
    chosen = templates(30, 4)
    listed = compare_templates(chosen)
    counted = compare_templates(chosen, options=CompareOptions(listed=10, keep_fmr=0.05))
    assert isinstance(listed.non_mated, ListedNonMated) and isinstance(counted.non_mated, CountedNonMated)
    assert sorted(counted.mated.scores.tolist()) == sorted(listed.mated.scores.tolist())
    assert counted.non_mated.pairs == listed.non_mated.pairs
    for target in (0.05, 0.01, 0.001):
        assert counted.non_mated.threshold(target)[0] == listed.non_mated.threshold(target)[0]
    value = listed.non_mated.threshold(0.01)[0].value
    np.testing.assert_array_equal(counted.group_pair_errors(value), listed.group_pair_errors(value))
    np.testing.assert_array_equal(
        counted.non_mated.group_trials(counted.subject_group, 2), listed.non_mated.group_trials(listed.subject_group, 2)
    )
    weights = np.random.default_rng(0).integers(0, 3, (30, 6)).astype(float)
    for one, two in (
        (counted.non_mated.graph(30), listed.non_mated.graph(30)),
        (
            counted.non_mated.group_graph(counted.subject_group, 1),
            listed.non_mated.group_graph(listed.subject_group, 1),
        ),
    ):
        np.testing.assert_allclose(
            one.weighted_pairs(weights[: one.subjects]), two.weighted_pairs(weights[: one.subjects])
        )


def test_failures_take_their_comparisons_with_them_and_are_counted() -> None:
    chosen = templates(6, 3)
    acquired = np.ones(18, dtype=bool)
    acquired[[0, 4, 5]] = False
    vectors = chosen.vectors.copy()
    vectors[~acquired] = 0
    found = compare_templates(
        template_set({"vectors": vectors, "sample": chosen.samples, "subject": chosen.subjects, "acquired": acquired})
    )
    assert found.failures is not None
    assert int(found.failures.failed.sum()) == 3 and int(found.failures.attempts.sum()) == 18
    assert found.failures.lost_mated == 6 * 3 - len(found.mated)
    assert found.failures.lost_non_mated == 153 - 18 - found.non_mated.pairs


def test_listed_pairs_are_compared_and_checked() -> None:
    chosen = templates(5, 3)
    names = chosen.samples.tolist()
    pairs = PairList((names[0], names[0], names[3]), (names[1], names[4], names[8]), np.array([True, False, False]))
    found = compare_templates(chosen, pairs)
    assert len(found.mated) == 1 and found.non_mated.pairs == 2
    wrong = PairList((names[0],), (names[1],), np.array([False]))
    with pytest.raises(ProtocolError, match="contradicts"):
        compare_templates(chosen, wrong)
    with pytest.raises(ProtocolError, match="nobody/1"):
        compare_templates(chosen, PairList(("nobody/1",), (names[1],)))
    with pytest.raises(EmptyClassError):
        compare_templates(chosen, PairList((names[0],), (names[1],)))


@pytest.mark.slow
def test_a_ray_cluster_counts_the_same_in_two_processes_named_in_the_result() -> None:
    pytest.importorskip("ray")
    from samebody.lab.evaluate import VerificationOptions, evaluate_verification
    from samebody.measure import BootstrapOptions

    chosen = templates(600, 4)
    options = VerificationOptions(bootstrap=BootstrapOptions(replicates=20))
    here, _ = evaluate_verification(chosen, compare=CompareOptions(listed=10), options=options)
    there, _ = evaluate_verification(chosen, compare=CompareOptions(engine="ray", workers=2), options=options)
    assert there.provenance.engine["engine"] == "ray" and len(there.provenance.engine["processes"].split()) == 2
    assert here.provenance.engine["engine"] == "local"
    assert (here.thresholds, here.groups, here.cross_groups) == (there.thresholds, there.groups, there.cross_groups)
