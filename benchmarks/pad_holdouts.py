"""Trains the passive detector again and again without some species or families, to see what it does with unknown ones.

    python -m benchmarks.pad_holdouts --out DIR [--steps 600] [--cache DIR]

Each run is the recipe ``pad`` with fewer steps and ``task.without``. Whole species are left out two at a time, so that
four runs show all eight; that is harder than one at a time. Families are left out in three folds: every species' first,
second, third family. A run that is done is left alone, one that was killed goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from samebody.synth.attacks import families

SPECIES_FOLDS = (
    ("screen_replay", "morph"),
    ("print", "generated"),
    ("paper_mask", "face_swap"),
    ("partial_mask", "injection"),
)
STEPS = 600


def family_fold(number: int) -> tuple[str, ...]:
    """``species/family`` of every species' family ``number``; species with fewer have none."""
    return tuple(f"{species}/{names[number]}" for species, names in families().items() if number < len(names))


def holdouts() -> dict[str, tuple[str, ...]]:
    """What each run leaves out, by the run's name."""
    runs: dict[str, tuple[str, ...]] = {f"species-{'+'.join(fold)}": fold for fold in SPECIES_FOLDS}
    for number in range(3):
        runs[f"families-{number + 1}"] = family_fold(number)
    return runs


def run_holdouts(out: Path, cache: Path, steps: int, only: str = "") -> None:
    """Train what is missing below ``out``."""
    from samebody.lab.train.run import train

    for name, without in holdouts().items():
        if only and only not in name:
            continue
        changes = {
            "task.without": list(without),
            "steps": steps,
            "evaluate_every": steps,
            "checkpoint_every": 100,
            "ema": 0.985,
        }
        result = train("pad", out / name, cache=cache, changes=changes, threads=1)
        worst = min((v, k) for k, v in result.best.items() if k.startswith("auc_"))
        print(f"{name}: {result.status}, {result.seconds:.0f} s, lowest {worst[1]} {worst[0]:.3f}", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--only", default="", help="part of a run's name")
    chosen = parser.parse_args()
    run_holdouts(chosen.out, chosen.cache, chosen.steps, chosen.only)


if __name__ == "__main__":
    main()
