"""Irises: from a near-infrared picture of an eye to a template, and from two templates to a score."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samebody.iris.template import IrisTemplate as IrisTemplate

_LAZY = {
    "IrisTemplate": "samebody.iris.template",
}

__all__ = ["IrisTemplate"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'samebody.iris' has no attribute {name!r}")
