"""Checkpoints and weights on the disk: whole or not at all, tensors and plain values only, no pickled objects."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from samebody.errors import StorageError
from samebody.lab.data.files import faults, write_bytes
from samebody.lab.train.errors import CheckpointError, RunFolderError

CHECKPOINT, BEST, LAST = "checkpoint.pt", "best.pt", "last.pt"
NEXT = "best-next.pt"
"""The best weights until the checkpoint that knows of them is written; then they take the name :data:`BEST`."""
FORMAT = 1


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Write ``checkpoint.pt``; the one before it stays until the new one is whole.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the earlier checkpoint is untouched.
    """
    stream = io.BytesIO()
    torch.save({"format": FORMAT, **plain(state)}, stream)
    try:
        write_bytes(folder / CHECKPOINT, stream.getvalue())
    except StorageError as error:
        kept = "The checkpoint before it is untouched" if (folder / CHECKPOINT).exists() else "There was none before"
        raise CheckpointError(error.message, hint=f"{kept}. {error.hint}") from None


def load_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The checkpoint of a run; None when there is none yet.

    Raises:
        CheckpointError: it is damaged or of another version.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    state = load_tensors(path, device)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of this version.", hint="Choose another --out.")
    return state


def load_tensors(path: Path, device: torch.device | str = "cpu") -> Any:
    """What a ``.pt`` file holds, read without running anything in it.

    Raises:
        CheckpointError: missing, damaged, or holding more than tensors and plain values.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}.", hint="Train first.") from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path} cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}.",
            hint="It is damaged, or holds more than tensors; delete it and train again.",
        ) from None


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> str:
    """Write a state dictionary and, beside it, ``<name>.sha256``; returns the SHA-256 of the file.

    Raises:
        CheckpointError: it cannot be written; what stood there before is untouched.
    """
    stream = io.BytesIO()
    torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, stream)
    sha256 = hashlib.sha256(stream.getvalue()).hexdigest()
    try:
        write_bytes(path, stream.getvalue())
        write_bytes(path.with_suffix(".sha256"), f"{sha256}  {path.name}\n".encode())
    except StorageError as error:
        raise CheckpointError(error.message, hint=error.hint) from None
    return sha256


def promote_best(folder: Path, sha256: str) -> None:
    """Let ``best.pt`` be the weights with this SHA-256, of which the checkpoint speaks; newer ones are dropped.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    try:
        with faults(folder):
            for name in (NEXT, BEST):
                path = folder / name
                if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                    path.replace(folder / BEST)
                    write_bytes((folder / BEST).with_suffix(".sha256"), f"{sha256}  {BEST}\n".encode())
                    break
            for name in (NEXT, Path(NEXT).with_suffix(".sha256").name):
                (folder / name).unlink(missing_ok=True)
    except StorageError as error:
        raise CheckpointError(error.message, hint=error.hint) from None


def load_weights(path: Path, sha256: str = "") -> dict[str, Tensor]:
    """A state dictionary, held against ``sha256`` or the file beside it.

    Raises:
        CheckpointError: missing or damaged.
        RunFolderError: its bytes are not those that were written.
    """
    expected = sha256 or _expected(path)
    if expected and path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise RunFolderError(f"{path} is not the file that was written: its SHA-256 differs.", hint="Train again.")
    found = load_tensors(path)
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise CheckpointError(f"{path} holds no weights.", hint="It must be a state dictionary of tensors.")
    return found


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, by name: equal if and only if the weights are."""
    whole = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        whole.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()


def plain(value: Any) -> Any:
    """``value`` with arrays as tensors, numpy's numbers as Python's, containers as dictionaries, lists and tuples.

    Raises:
        CheckpointError: it holds something else.
    """
    if isinstance(value, Tensor | str | bytes | bool | int | float | None):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(entry) for entry in value) if type(value) in (list, tuple) else list(map(plain, value))
    raise CheckpointError(
        f"a checkpoint cannot keep a {type(value).__name__}.", hint="Samplers and losses keep tensors and plain values."
    )


def _expected(path: Path) -> str:
    try:
        return path.with_suffix(".sha256").read_text(encoding="ascii").split()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return ""
