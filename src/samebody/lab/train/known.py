"""Which module holds which task: the allow-list that recipes choose from, imported when asked for."""

from __future__ import annotations

import importlib
import importlib.util

TASKS = {
    "classify": "samebody.lab.train.classify",
    "deepfake": "samebody.lab.train.deepfake",
    "embed-distil": "samebody.lab.train.embed",
    "iris-segment": "samebody.lab.train.iris_segment",
    "pad": "samebody.lab.train.pad",
}
"""Task to the module that registers it."""

PARTS = "samebody.lab.train.parts"
"""The module whose import registers backbones, losses, samplers, augmentations."""


def load_parts() -> None:
    """Fill the registries of networks, losses, samplers and augmentations."""
    if importlib.util.find_spec(PARTS) is not None:
        importlib.import_module(PARTS)


def load_task(name: str) -> None:
    """Import the module that registers ``name``; a task registered by the caller's own code needs none."""
    if name in TASKS:
        importlib.import_module(TASKS[name])
