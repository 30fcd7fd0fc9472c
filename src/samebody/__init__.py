"""samebody: is this the same, real, unique person, and does the document belong to them?

``import samebody`` is cheap: nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from samebody.pipeline.verify import verify as verify
    from samebody.types import Verdict as Verdict

_LAZY = {
    "verify": "samebody.pipeline.verify",
    "Verdict": "samebody.types",
    "Finding": "samebody.types",
    "SamebodyError": "samebody.errors",
}

__all__ = ["Verdict", "__version__", "verify"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'samebody' has no attribute {name!r}")
