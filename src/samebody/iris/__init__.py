"""Irises: from a near-infrared picture of an eye to a template, and from two templates to a score."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samebody.iris.compare import ComparisonParameters as ComparisonParameters
    from samebody.iris.compare import IrisComparison as IrisComparison
    from samebody.iris.compare import compare_irises as compare_irises
    from samebody.iris.fuse import fuse_eyes as fuse_eyes
    from samebody.iris.multiframe import merge_frames as merge_frames
    from samebody.iris.openiris import from_open_iris as from_open_iris
    from samebody.iris.openiris import to_open_iris as to_open_iris
    from samebody.iris.pipeline import IrisPipeline as IrisPipeline
    from samebody.iris.results import IrisEncoding as IrisEncoding
    from samebody.iris.results import Segmentation as Segmentation
    from samebody.iris.template import IrisTemplate as IrisTemplate

_LAZY = {
    "ComparisonParameters": "samebody.iris.compare",
    "IrisComparison": "samebody.iris.compare",
    "compare_irises": "samebody.iris.compare",
    "fuse_eyes": "samebody.iris.fuse",
    "merge_frames": "samebody.iris.multiframe",
    "from_open_iris": "samebody.iris.openiris",
    "to_open_iris": "samebody.iris.openiris",
    "IrisEncoding": "samebody.iris.results",
    "IrisPipeline": "samebody.iris.pipeline",
    "IrisTemplate": "samebody.iris.template",
    "Segmentation": "samebody.iris.results",
}

__all__ = [
    "ComparisonParameters",
    "IrisComparison",
    "IrisEncoding",
    "IrisPipeline",
    "IrisTemplate",
    "Segmentation",
    "compare_irises",
    "from_open_iris",
    "fuse_eyes",
    "merge_frames",
    "to_open_iris",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'samebody.iris' has no attribute {name!r}")
