"""How an embedder holds when pictures get worse, and when somebody wants it to fail."""

from __future__ import annotations

from samebody.lab.evaluate.robustness.attacks import AttackOptions, attack_embedder
from samebody.lab.evaluate.robustness.ladder import LadderOptions, run_ladder
from samebody.lab.evaluate.robustness.patches import PatchOptions, attack_with_patches
from samebody.lab.evaluate.robustness.results import AttackRow, LadderRow, RobustnessResult
from samebody.lab.evaluate.robustness.run import RobustnessOptions, evaluate_robustness

__all__ = [
    "AttackOptions",
    "AttackRow",
    "LadderOptions",
    "LadderRow",
    "PatchOptions",
    "RobustnessOptions",
    "RobustnessResult",
    "attack_embedder",
    "attack_with_patches",
    "evaluate_robustness",
    "run_ladder",
]
