"""Every part stands in the room's page, has a docstring and declares its parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.lab.train import parts
from samebody.stage import Parameters

PAGE = Path(__file__).parents[3] / "docs" / "rooms" / "lab-train-parts.md"
OWN = "samebody.lab.train."
REGISTRIES = {name: getattr(parts, name) for name in parts.__all__}
ENTRIES = [
    pytest.param(kind, name, id=f"{kind}-{name}")
    for kind, registry in REGISTRIES.items()
    for name in registry
    if getattr(registry[name], "__module__", OWN).startswith(OWN)
]


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_a_part_is_documented_and_declares_its_parameters(kind, name):
    entry = REGISTRIES[kind][name]
    assert (entry.__doc__ or "").strip()
    assert issubclass(entry.Parameters, Parameters)
    other_tasks = ("embed", "pad", "iris", "deepfake")  # documented with their models
    if not any(getattr(entry, "__module__", "").startswith(OWN + task) for task in other_tasks):
        assert f"`{name}`" in PAGE.read_text(encoding="utf-8"), f"{kind} {name} is not in {PAGE.name}"
