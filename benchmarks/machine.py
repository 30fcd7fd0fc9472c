"""What machine a figure was made on, and how a figure is summed up."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def describe_machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory, Python and library versions, commit; nothing that names a host."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {
        name: importlib.metadata.version(name)
        for name in ("numpy", "opencv-python-headless", "onnxruntime", "ai-edge-litert", "Pillow")
    }
    return {
        "processor": model,
        "cores": cores,
        "memory_gib": round(memory, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit(),
    }


def commit() -> str:
    """The checked-out commit, with ``+`` when the working tree differs from it; ``unknown`` outside a checkout."""
    root = Path(__file__).parents[1]
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if dirty else "")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles, extremes and count."""
    ordered = sorted(values)
    quartiles = statistics.quantiles(ordered, n=4) if len(ordered) > 1 else [ordered[0]] * 3
    return {
        "median": statistics.median(ordered),
        "lower_quartile": quartiles[0],
        "upper_quartile": quartiles[2],
        "minimum": ordered[0],
        "maximum": ordered[-1],
        "count": len(ordered),
    }


def peak_memory() -> float:
    """Most resident memory that this process held, MiB.

    Not ``ru_maxrss``: that one survives exec, so it would report the process that started this one.
    """
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
