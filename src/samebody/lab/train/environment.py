"""What decides a run beside its recipe: code, libraries, processor, threads; and what makes it repeatable."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from samebody.lab.train.errors import DeviceError


def derived(seed: int, *words: int | str) -> int:
    """A seed below 2^63 for one purpose: SHA-256 over the run's seed and the words that name the purpose."""
    text = "/".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_everything(seed: int) -> None:
    """Seed the global generators of torch, numpy and Python; each step does, so that no state of theirs is kept.

    Not by ``torch.manual_seed``: that notes a stack trace for each kind of accelerator that is not in use, which
    costs more than all the rest.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def choose_device(name: str) -> torch.device:
    """``auto`` is the first CUDA device, or the processor.

    Raises:
        DeviceError: it is not there.
    """
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(
            f"The device {name!r} cannot be used: {str(error).splitlines()[0]}", hint="Use auto, cpu or cuda:0."
        ) from None
    return device


@contextmanager
def repeatable(threads: int, deterministic: bool) -> Iterator[int]:
    """Fix the number of threads and let torch refuse operations whose result depends on chance; undone afterwards.

    Args:
        threads: 0 keeps what torch chose.
        deterministic: refuse operations that have no repeatable form.

    Yields:
        The number of threads.
    """
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.benchmark,
    )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        if threads:
            torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = False
        torch.backends.cudnn.benchmark = not deterministic
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = before[2]
        torch.backends.cudnn.benchmark = before[3]
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


def environment(device: torch.device, threads: int) -> dict[str, Any]:
    """The machine and libraries of a run, JSON-ready; nothing that names a host or a folder."""
    found = {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": str(np.__version__),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": threads,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }
    if device.type == "cuda":
        found["cuda"] = str(torch.version.cuda)
    return found


@functools.cache
def code_version() -> dict[str, str]:
    """Version of the package, SHA-256 over the sources of this room, commit of the checkout if it is one."""
    folder = Path(__file__).parent
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        whole.update(path.relative_to(folder).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    found = {"samebody": importlib.metadata.version("samebody"), "sources": whole.hexdigest()}
    commit = _git(folder, "rev-parse", "HEAD")
    if re.fullmatch("[0-9a-f]{40}", commit) and _git(folder, "ls-files", "--", Path(__file__).name):
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
        found["commit"] = commit + ("+" if changed else "")
    return found


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()
