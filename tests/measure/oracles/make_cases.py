"""Writes cases.json: score sets that every oracle is asked about. Run with any Python that has numpy.

The scores themselves are frozen, so that no random generator of another version can change them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def main() -> None:
    generator = np.random.default_rng(20260)
    mated, non_mated = generator.normal(0.55, 0.16, 200).round(6), generator.normal(0.1, 0.13, 900).round(6)
    sets = {
        "smooth": (mated, non_mated),
        "ties": (mated.round(1), non_mated.round(1)),
        "rounded": (mated.round(2), non_mated.round(2)),
        "integers": ((mated * 20).round(), (non_mated * 20).round()),
        "overlapping": (generator.normal(0.2, 0.3, 60).round(3), generator.normal(0.1, 0.3, 80).round(3)),
        "separated": (generator.uniform(0.7, 0.9, 40).round(4), generator.uniform(0.0, 0.3, 120).round(4)),
        "constant": (np.full(30, 0.5), np.full(50, 0.5)),
        "constant apart": (np.full(30, 0.75), np.full(50, 0.25)),
        "single": (np.array([0.5]), np.array([0.25, 0.5, 0.75])),
        "no mated": (np.empty(0), non_mated[:40]),
        "no non-mated": (mated[:40], np.empty(0)),
    }
    cases = {
        name: {
            "mated": same.tolist(),
            "non_mated": other.tolist(),
            # on scores, between them and outside
            "thresholds": [-2.0, *np.unique(np.concatenate([same, other]))[::37][:12].tolist(), 0.123456789, 0.5, 30.0],
            "targets": [0.001, 0.01, 0.05, 0.1, 0.3],
        }
        for name, (same, other) in sets.items()
    }
    searches = generator.normal(0.0, 0.2, (70, 40)).round(3)
    searches[np.arange(40), np.arange(40)] += generator.normal(0.5, 0.25, 40).round(3)
    groups = {
        "group": generator.choice(["a", "b", "c"], 600, p=[0.6, 0.3, 0.1]).tolist(),
        "mated": (generator.random(600) < 0.4).astype(int).tolist(),
        "accepted": (generator.random(600) < 0.45).astype(int).tolist(),
    }
    (HERE / "cases.json").write_text(
        json.dumps({"scores": cases, "searches": searches.round(3).tolist(), "groups": groups}) + "\n"
    )


if __name__ == "__main__":
    main()
