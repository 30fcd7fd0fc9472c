"""Pairs on disk and the task over them, from a handful of drawn faces: no photograph, no face model."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import torch

from samebody.errors import StorageError
from samebody.lab.evaluate.evaluation_sets import read_fairface
from samebody.lab.train import pad, pad_pairs
from samebody.lab.train.pad import Pad, ShortcutError, figures_by_species, require_no_shortcut
from samebody.lab.train.pad_files import write_arrays
from samebody.lab.train.pad_losses import PairOrder
from samebody.lab.train.pad_net import PadNet, mix_style
from samebody.lab.train.pad_pairs import PadPairsError, PairPlan, PairSet, prepare_pairs
from samebody.lab.train.recipe import load_recipe
from tests.synth.attack_pictures import drawn_face

COUNT, SIDE = 140, 80
WANTED = {"print": 7, "partial_mask": 2}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of sets with a fairface of drawn faces, and a list of repeats that joins the first two."""
    root = tmp_path_factory.mktemp("sets")
    (root / "fairface" / "images").mkdir(parents=True)
    rows = []
    for number in range(COUNT):
        name = f"images/{number}.png"
        cv2.imwrite(str(root / "fairface" / name), drawn_face(number, SIDE).pixels[..., ::-1])
        rows.append({"file": name, "age": "30-39", "gender": "Female", "race": "Drawn"})
    with (root / "fairface" / "labels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["file", "age", "gender", "race"])
        writer.writeheader()
        writer.writerows(rows)
    first, second = (root / "fairface" / f"images/{n}.png" for n in (0, 1))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)]
    (root / "repeats.csv").write_text(
        "file_a,sha256_a,file_b,sha256_b,decision\n"
        f"fairface/images/0.png,{digests[0]},fairface/images/1.png,{digests[1]},same\n"
    )
    yield root


def prepared(root: Path, cache: Path) -> Path:
    """A cache that knows where the drawn faces are."""
    found = read_fairface(root)
    cache.mkdir(exist_ok=True)
    boxes = np.tile(np.array([[16, 10, 48, 60]], np.float32), (COUNT, 1))
    points = np.stack([drawn_face(number, SIDE).mesh() for number in range(COUNT)]).astype(np.float32)
    files = np.array([sample.file for sample in found.samples])
    write_arrays(cache / f"faces-{found.digest[:16]}.npz", files=files, boxes=boxes, points=points)
    return cache


@pytest.fixture(scope="module")
def cache(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(pictures, tmp_path_factory.mktemp("cache") / "pad")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pad_pairs, "SHARD", 10)
    monkeypatch.setattr(pad_pairs, "CANDIDATES", 6)
    monkeypatch.setattr(pad_pairs, "TIGHT_SIDES", (64, 80))
    monkeypatch.setattr(pad_pairs, "SCENE_SIDES", (80, 100))


def plan_of(root: Path, **changes: Any) -> PairPlan:
    values: dict[str, Any] = {"train": WANTED, "held": {"print": 2}}
    return PairPlan(root, root / "repeats.csv", 5, **{**values, **changes})


def test_pairs_are_made_once_with_their_truth_and_people_stay_on_one_side(pictures: Path, cache: Path) -> None:
    train, held = prepare_pairs(plan_of(pictures), cache, processes=1)
    assert len(train.rows) == 2 * (3 * 7 + 2 * 2) and len(held.rows) == 2 * 3 * 2
    for fair, attack in zip(train.rows[::2], train.rows[1::2], strict=True):
        assert (fair["label"], attack["label"]) == (1, 0)
        assert fair["pair"] == attack["pair"] and fair["source"] == attack["source"]
    people = {row["person"] for row in train.rows}, {row["person"] for row in held.rows}
    assert not people[0] & people[1]
    assert "fairface/images/1.png" not in people[0] | people[1]  # joined with 0.png
    stamps = {path: path.stat().st_mtime_ns for path in cache.rglob("*.bin")}
    again, _ = prepare_pairs(plan_of(pictures), cache, processes=1)
    assert again.rows == train.rows and stamps == {p: p.stat().st_mtime_ns for p in cache.rglob("*.bin")}


def test_a_missing_shard_is_made_again_to_the_same_bytes(pictures: Path, cache: Path) -> None:
    train, _ = prepare_pairs(plan_of(pictures), cache, processes=1)
    shard = Path(train.rows[0]["file"])
    before = shard.read_bytes()
    shard.with_suffix(".jsonl").unlink()
    shard.write_bytes(b"half")
    again, _ = prepare_pairs(plan_of(pictures), cache, processes=1)
    assert shard.read_bytes() == before and again.rows == train.rows


def test_too_few_pictures_and_unknown_species_are_refused(pictures: Path, cache: Path) -> None:
    with pytest.raises(PadPairsError, match="too few"):
        prepare_pairs(plan_of(pictures, limit=40), cache, processes=1)
    with pytest.raises(PadPairsError, match="gelatine"):
        prepare_pairs(plan_of(pictures, train={"gelatine": 1}), cache, processes=1)


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe as chance: 25 pairs of drawn faces are too few for it, and it is tested by itself below."""
    monkeypatch.setattr(pad, "WORST_SHORTCUT", 1.01)


def task_of(root: Path, **changes: Any) -> Pad:
    values: dict[str, Any] = {"train": WANTED, "held": {"print": 2}, "views": {"side": 48}, "processes": 1}
    return Pad(pictures=str(root), repeats=str(root / "repeats.csv"), seed=5, **{**values, **changes})


def test_the_task_trains_measures_and_exports(pictures: Path, cache: Path, lenient: None) -> None:
    task = task_of(pictures)
    data = task.data(cache, seed=0)
    assert data.classes == 2 and 0.3 < data.identity["shortcut_auc"] < 0.8
    batch = data.train.batch(np.arange(8), 3)
    assert batch["input"].shape == (8, 3, 48, 48) and batch["label"].tolist() == [1, 0] * 4
    assert torch.equal(batch["input"], data.train.batch(np.arange(8), 3)["input"])
    network = task.network({"name": "pad", "widths": [4, 6, 8, 10, 12]}).eval()
    figures = task.measure(network, data.held)
    assert {"auc_print", "apcer5_print", "auc_worst", "auc_presented"} <= set(figures)
    module, example = task.exported(network)
    likelihood = module(example.input)
    logits = network(example.input)["logits"]
    assert likelihood.item() == pytest.approx(torch.softmax(logits, 1)[0, 1].item(), abs=1e-6)


def test_left_out_families_are_held_back_whole(pictures: Path, cache: Path, lenient: None) -> None:
    task = task_of(pictures, without=["partial_mask/band"], held={"print": 2, "partial_mask": 2})
    data = task.data(cache, seed=0)
    assert "partial_mask/band" not in data.train.columns["family"].tolist()
    assert "partial_mask/patches" in data.train.columns["family"].tolist()
    assert "partial_mask/band" in data.held.columns["family"].tolist()


def test_pairs_that_a_shortcut_tells_apart_are_refused() -> None:
    random = np.random.default_rng(0)
    rows = []
    for number in range(80):
        for label in (1, 0):
            quality = 70 + 20 * label + random.normal(0, 4)
            rows.append({"features": [224, 224, quality, *random.normal(0, 1, 4)], "pair": number, "label": label})
    with pytest.raises(ShortcutError, match="jpeg_quality"):
        require_no_shortcut(PairSet(rows, "x", "y"))
    for row in rows:
        row["features"][2] = 80 + random.normal(0, 4)
    assert require_no_shortcut(PairSet(rows, "x", "y")).auc < 0.6


def test_a_damaged_shard_is_a_typed_error(pictures: Path, cache: Path, lenient: None) -> None:
    data = task_of(pictures).data(cache, seed=0)
    data.train.rows[0]["offset"] = 10**9  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match="damaged"):
        data.train.batch(np.array([0]), 0)


def test_figures_by_species_agree_with_counting() -> None:
    label = np.array([1] * 40 + [0] * 30)
    species = np.array(["print"] * 20 + ["morph"] * 20 + ["print"] * 10 + ["morph"] * 20)
    scores = np.random.default_rng(2).normal(0, 1, 70) + label
    figures = figures_by_species(scores, label, species)
    attack = scores[(label == 0) & (species == "print")]
    wins = np.mean([float(fair > other) for fair in scores[label == 1] for other in attack])
    assert figures["auc_print"] == pytest.approx(wins)
    threshold = np.quantile(scores[label == 1], 0.05)
    assert figures["apcer5_print"] == pytest.approx(np.mean(attack >= threshold))


def test_the_loss_of_pairs_is_the_softplus_of_their_difference() -> None:
    logits = torch.tensor([[0.0, 1.0], [0.5, -0.5], [0.0, 0.2], [0.0, 2.0]])
    label = torch.tensor([0, 1, 1, 0])
    odds = [1.0, -1.0, 0.2, 2.0]
    expected = np.mean([np.log1p(np.exp(-(odds[1] - odds[0]))), np.log1p(np.exp(-(odds[2] - odds[3])))])
    assert PairOrder()({"logits": logits}, {"label": label}).item() == pytest.approx(expected, abs=1e-6)
    from samebody.errors import UsageError

    with pytest.raises(UsageError, match="pairs"):
        PairOrder()({"logits": logits}, {"label": torch.tensor([1, 1, 0, 0])})


def test_the_network_answers_what_its_losses_ask_and_mixed_styles_keep_their_shape() -> None:
    network = PadNet(widths=(4, 6, 8, 10, 12), mix=0.5, fourier=True).train()
    answers = network(torch.rand(4, 3, 48, 48) * 255)
    assert answers["logits"].shape == (4, 2) and answers["map"].shape == (4, 1, 3, 3)
    assert answers["fourier"].shape[:2] == (4, 1)
    assert set(network.eval()(torch.rand(1, 3, 48, 48))) == {"logits", "map"}
    x = torch.randn(6, 5, 8, 8)
    assert torch.allclose(mix_style(x, 0.0), x, atol=1e-5)


def test_the_bundled_network_has_at_most_a_million_parameters() -> None:
    recipe = load_recipe("pad").recipe
    network = PadNet(**{k: v for k, v in recipe.network.items() if k != "name"})
    assert sum(p.numel() for p in network.parameters()) < 1_000_000
