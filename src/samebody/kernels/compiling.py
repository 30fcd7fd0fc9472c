"""How the kernels are compiled: machine code without the interpreter lock, kept on disk where that is possible.

Importing this module imports numba; only kernel modules do, and they are imported when a search is run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.extending import intrinsic


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code: ``nogil``, division as in C, cached on disk when that is possible."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        code = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in can be written to
        code = numba.njit(**options)(function)
    return code


def vector_code(function: Callable[..., Any]) -> Any:
    """A numba intrinsic: the function gets the argument types and returns a signature and a generator of LLVM code."""
    return intrinsic(function)


def processor_features() -> dict[str, bool]:
    """What this processor can do, by LLVM's names (``avx512vpopcntdq``, ``avx512vnni`` ...); empty when unknown."""
    try:
        return {name: bool(value) for name, value in llvm.get_host_cpu_features().items()}
    except RuntimeError:
        return {}


def has(*features: str) -> bool:
    """Whether the processor has all of ``features``."""
    held = processor_features()
    return all(held.get(feature, False) for feature in features)
