"""Pairs stay together, species are shared out as asked, and the confused ones come more often."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.errors import UsageError
from samebody.lab.train.pad_sampler import PadPairs


def columns(counts: dict[str, int] | None = None) -> dict[str, Any]:
    rows = []
    for name, count in (counts or {"print/halftone": 6, "print/photo": 4, "morph/splice": 10}).items():
        for _ in range(count):
            pair = len(rows) // 2
            rows += [(1, name.split("/")[0], name, pair), (0, name.split("/")[0], name, pair)]
    label, species, family, pairs = zip(*rows, strict=True)
    return {
        "label": np.array(label),
        "species": np.array(species),
        "family": np.array(family),
        "pair": np.array(pairs),
    }


def test_every_attack_comes_with_its_twin() -> None:
    data = columns()
    chosen = PadPairs(data).indices(0, 40, 3)
    pairs = data["pair"][chosen].reshape(-1, 2)
    assert (pairs[:, 0] == pairs[:, 1]).all()
    assert (data["label"][chosen].reshape(-1, 2) == [0, 1]).all()
    assert len(PadPairs(data).indices(0, 7, 3)) == 7


def test_shares_and_families_are_kept() -> None:
    data = columns()
    sampler = PadPairs(data, shares={"morph": 0.25})
    assert sampler.chances()[sampler.names.index("morph")] == pytest.approx(0.2)
    seen = Counter(data["family"][np.concatenate([sampler.indices(step, 40, 1) for step in range(60)])].tolist())
    total = sum(seen.values())
    assert seen["morph/splice"] / total == pytest.approx(0.2, abs=0.04)
    assert abs(seen["print/halftone"] - seen["print/photo"]) <= 2


def test_every_picture_is_seen_before_one_is_seen_again() -> None:
    data = columns({"print/photo": 8})
    sampler = PadPairs(data)
    chosen = sampler.indices(0, 16, 5)
    assert sorted(chosen.tolist()) == list(range(16))


def test_confused_species_come_more_often_and_a_resumed_run_goes_on_alike() -> None:
    data = columns()
    sampler = PadPairs(data, worst=2.0, memory=0.5)
    before = sampler.chances()[sampler.names.index("morph")]
    morphs = np.flatnonzero(data["species"] == "morph")
    prints = np.flatnonzero(data["species"] == "print")
    for _ in range(10):
        sampler.observe(morphs, np.full(len(morphs), 1.0, np.float32))
        sampler.observe(prints, np.full(len(prints), 0.1, np.float32))
    after = sampler.chances()[sampler.names.index("morph")]
    assert after > before + 0.2
    sampler.indices(0, 20, 9)
    resumed = PadPairs(data, worst=2.0, memory=0.5)
    resumed.restore(sampler.state())
    assert np.array_equal(resumed.indices(1, 20, 9), sampler.indices(1, 20, 9))


def test_columns_that_are_missing_are_named() -> None:
    with pytest.raises(UsageError, match="family"):
        PadPairs({"species": np.array(["print"]), "label": np.array([0]), "pair": np.array([0])})
