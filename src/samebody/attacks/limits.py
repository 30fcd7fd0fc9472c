"""Measured limits of the active and injection checks; ``python -m benchmarks.active_rating limits`` writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

LIMITS_FILE = "limits.json"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit and what stands behind it. All of it comes from generated motion.

    Attributes:
        value: of the parameter.
        rule: how it follows from what was measured.
        bona_fide, others: how many values of each kind it was set on, from ``people`` people.
        bona_fide_lost: share of those bona fide values that are on the wrong side of it.
        others_through: share of the others that are.
    """

    value: float
    rule: str
    people: int
    bona_fide: int
    others: int
    bona_fide_lost: float | None = None
    others_through: float | None = None


@lru_cache(maxsize=1)
def measured_limits() -> Mapping[str, Mapping[str, Limit]]:
    """The committed limits by check and parameter."""
    content: Any = json.loads((files("samebody.attacks") / LIMITS_FILE).read_text("utf-8"))
    return {check: {name: Limit(**each) for name, each in held.items()} for check, held in content["limits"].items()}


def measured(check: str, name: str) -> float:
    """The value of one limit.

    Raises:
        KeyError: it was not measured.
    """
    return measured_limits()[check][name].value
