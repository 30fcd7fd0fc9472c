"""Copies are found and marked, splits never leak, and the proof counts for itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from samebody.lab.data import DataSet, Manifest, ingest
from samebody.lab.data.dedupe import CONFLICT, DedupeRules, dedupe, find_duplicates
from samebody.lab.data.errors import SplitError
from samebody.lab.data.faces import Templates
from samebody.lab.data.manifest import text
from samebody.lab.data.split import assign, prove, split
from tests.lab.data.conftest import OPTIONS
from tests.lab.data.pictures import encoded, folder, picture


@pytest.fixture
def with_copies(tmp_path: Path) -> DataSet:
    raw = folder(tmp_path / "raw", 4, 3)
    (raw / "s0" / "bytes.png").write_bytes((raw / "s0" / "0.png").read_bytes())
    large = picture(1).resize((192, 192), Image.Resampling.LANCZOS)
    (raw / "s0" / "large.jpg").write_bytes(encoded(large, "JPEG", quality=70))
    (raw / "s2" / "other.jpg").write_bytes(encoded(picture(100), "JPEG", quality=80))  # s1/0 under another subject
    (raw / "s3" / "mirrored.png").write_bytes(encoded(picture(301).transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    for number in (1, 2):
        (raw / "s3" / f"empty{number}.jpg").write_bytes(b"")
    ingest([str(raw)], tmp_path / "set", options=OPTIONS, workers=1)
    return DataSet.open(tmp_path / "set")


def test_copies_are_marked_and_the_largest_is_kept(with_copies: DataSet) -> None:
    made, result = dedupe(with_copies)
    kinds = {frozenset((p.first, p.second)): p.kind for p in result.pairs}
    assert kinds == {
        frozenset(("raw/s0/0.png", "raw/s0/bytes.png")): "exact",
        frozenset(("raw/s0/1.png", "raw/s0/large.jpg")): "perceptual",
        frozenset(("raw/s1/0.png", "raw/s2/other.jpg")): "perceptual",
    }
    rows = {row["sample"]: row for row in with_copies.manifest(made).rows()}
    assert rows["raw/s0/1.png"]["duplicate_of"] == "raw/s0/large.jpg"
    assert rows["raw/s0/bytes.png"]["duplicate_of"] == "raw/s0/0.png"
    assert rows["raw/s1/0.png"]["quarantine"] == rows["raw/s2/other.jpg"]["quarantine"] == CONFLICT
    assert rows["raw/s3/empty1.jpg"]["quarantine"] == ""  # two empty files are no copies of one picture
    assert with_copies.manifest(made).usable.sum() == len(rows) - 4


def test_mirrored_copies_are_found_when_asked_for(with_copies: DataSet) -> None:
    result = find_duplicates(with_copies, with_copies.manifest(), DedupeRules(turned=True))
    turned = [pair for pair in result.pairs if pair.kind == "turned"]
    assert [(p.turn, {p.first, p.second}) for p in turned] == [("mirrored", {"raw/s3/1.png", "raw/s3/mirrored.png"})]


def test_deduplicating_twice_says_the_same(with_copies: DataSet) -> None:
    first, _ = dedupe(with_copies)
    second, result = dedupe(with_copies)
    assert with_copies.manifest(first).rows() == with_copies.manifest(second).rows() and len(result.pairs) == 3


def test_a_similar_picture_is_near_and_not_dropped(tmp_path: Path) -> None:
    raw = folder(tmp_path / "raw", 2, 2)
    moved = np.asarray(picture(0)).astype(float)
    moved[10:30, 10:30] += 40  # the hash hardly sees it, the pixels do
    (raw / "s0" / "moved.png").write_bytes(encoded(Image.fromarray(np.clip(moved, 0, 255).astype(np.uint8))))
    brighter = ImageEnhance.Brightness(picture(1)).enhance(0.8)
    (raw / "s0" / "brighter.png").write_bytes(encoded(brighter))
    ingest([str(raw)], tmp_path / "set", options=OPTIONS, workers=1)
    held = DataSet.open(tmp_path / "set")
    result = find_duplicates(held, held.manifest())
    kinds = {frozenset((p.first, p.second)): p.kind for p in result.pairs}
    assert kinds[frozenset(("raw/s0/1.png", "raw/s0/brighter.png"))] == "perceptual"
    assert kinds[frozenset(("raw/s0/0.png", "raw/s0/moved.png"))] == "near"
    assert "raw/s0/moved.png" not in result.repeats and "raw/s0/moved.png" in result.groups


def test_neighbours_in_the_embedding_space_are_grouped_only(data_set: DataSet) -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(12, 32)).astype(np.float32)
    vectors[5] = vectors[0] + 0.05 * vectors[1]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    held = Templates(vectors, np.arange(12), "space")
    manifest = data_set.manifest().with_columns(split=text(["train"] * 3 + ["test"] * 9))
    result = find_duplicates(data_set, manifest, DedupeRules(embedding_score=0.9), held)
    (pair,) = result.pairs
    assert pair.kind == "embedding" and pair.across and pair.conflict
    assert not result.repeats and not result.conflicts
    assert result.groups == {"raw/s0/0.png": "raw/s0/0.png", "raw/s1/2.png": "raw/s0/0.png"}


def test_a_split_is_proven_and_kept_in_proportion(with_copies: DataSet) -> None:
    dedupe(with_copies)
    made, result = split(with_copies, {"train": 0.5, "test": 0.5}, seed=3)
    manifest = with_copies.manifest(made)
    assert result.proof.clean and set(result.proof.counts) == {"train", "test"}
    sides: dict[str, set[str]] = {}
    for subject, side, use in zip(manifest["subject"], manifest["split"], manifest.usable):
        assert bool(side) == bool(use)
        if use:
            sides.setdefault(subject, set()).add(side)
    assert all(len(on) == 1 for on in sides.values())


def test_near_pictures_of_two_subjects_stay_on_one_side_without_deduplication(with_copies: DataSet) -> None:
    for seed in range(6):
        made, result = split(with_copies, {"train": 0.5, "test": 0.5}, seed=seed)
        rows = {row["sample"]: row for row in with_copies.manifest(made).rows()}
        assert rows["raw/s1/0.png"]["split"] == rows["raw/s2/other.jpg"]["split"]
        assert result.proof.near >= 3


@pytest.mark.parametrize(
    ("splits", "leak"),
    [
        ({"raw/s0/2.png": "test"}, "subject s0 is in"),
        ({"raw/s2/other.jpg": "test", "raw/s2/0.png": "test", "raw/s2/1.png": "test", "raw/s2/2.png": "test"}, "bits"),
        ({"raw/s0/bytes.png": "test"}, "file "),
    ],
)
def test_every_kind_of_leak_is_seen(with_copies: DataSet, splits: dict[str, str], leak: str) -> None:
    manifest = with_copies.manifest()
    cells = [splits.get(name, "train") for name in manifest["sample"]]
    proof = prove(with_copies, manifest.with_columns(split=text(cells)))
    assert not proof.clean and any(leak in entry for entry in proof.leaks)


def test_a_split_of_everything_onto_one_side_does_not_leak(with_copies: DataSet) -> None:
    manifest = with_copies.manifest()
    assert prove(with_copies, manifest.with_columns(split=text(["train"] * len(manifest)))).clean


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 30), st.sampled_from("ab")),
        min_size=8,
        max_size=60,
    ),
    st.floats(0.1, 0.9),
    st.integers(0, 100),
)
def test_assignment_never_parts_what_belongs_together(
    made: list[tuple[int, int, int, str]], share: float, seed: int
) -> None:
    manifest = Manifest.from_rows(
        {
            "sample": f"{n:03d}",
            "sha256": f"{sha:064x}",
            "subject": f"s{who}" if who else "",
            "group": f"g{group}" if group else "",
            "label": kind,
        }
        for n, (who, group, sha, kind) in enumerate(made)
    )
    try:
        sides = assign(manifest, {"train": share, "test": 1 - share}, stratify=["label"], seed=seed)
    except SplitError:
        return
    assert set(sides) == {"train", "test"}  # all are usable, none stays empty
    for column in ("subject", "sha256", "group"):
        held: dict[str, set[str]] = {}
        for value, side in zip(manifest[column], sides):
            if value:
                held.setdefault(value, set()).add(side)
        assert all(len(on) == 1 for on in held.values()), column


def test_shares_and_strata_are_met_when_they_can_be() -> None:
    random = np.random.default_rng(1)
    manifest = Manifest.from_rows(
        {"sample": f"{n:05d}", "sha256": f"{n:064x}", "subject": f"s{n // 2}", "gender": g, "race": r}
        for n, (g, r) in enumerate(zip(random.choice(["f", "m"], 3000), random.choice(["x", "y", "z"], 3000)))
    )
    sides = assign(manifest, {"train": 0.7, "val": 0.1, "test": 0.2}, stratify=["gender", "race"], seed=1)
    for name, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        assert abs((sides == name).mean() - share) < 0.01
        for gender in "fm":
            for race in "xyz":
                cell = (manifest["gender"] == gender) & (manifest["race"] == race)
                assert abs((sides[cell] == name).mean() - share) < 0.02
    assert (assign(manifest, {"a": 1, "b": 1}, seed=5) == assign(manifest, {"a": 1, "b": 1}, seed=5)).all()


@pytest.mark.parametrize("shares", [{"all": 1.0}, {"a": 1.0, "b": 0.0}, {"a": 1.0, "b": float("nan")}, {"a": 1, "": 1}])
def test_shares_that_cannot_be_are_refused(shares: dict[str, float], data_set: DataSet) -> None:
    with pytest.raises(SplitError):
        split(data_set, shares)


def test_fewer_subjects_than_splits_is_an_error(data_set: DataSet) -> None:
    with pytest.raises(SplitError, match="4 independent groups"):
        split(data_set, {f"part{n}": 1.0 for n in range(5)})
