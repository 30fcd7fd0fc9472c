"""The task ``deepfake``: a small network over the traces of :mod:`samebody.attacks.deepfake_features`, from a table.

The table is made by ``python -m benchmarks.deepfake_results prepare``: one row a picture, attacks and bona fide
twins.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samebody import stage
from samebody.attacks.deepfake_features import names
from samebody.lab.train.errors import TrainingDataError
from samebody.lab.train.task import Data, Example, Source, Task, tasks

COLUMNS = ("x", "attack", "species", "family", "person", "part")
LIMIT = 5.0
"""Standardised features are cut at so many deviations."""


@dataclass(eq=False)
class Rows:
    """Rows of the table in memory; see :class:`samebody.lab.train.task.Source`."""

    x: NDArray[np.float32]
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.x)

    def batch(self, indices: NDArray[np.int64], seed: int) -> dict[str, Tensor]:
        """``input`` float32 [n, features], ``label`` int64 [n], 1 = bona fide; nothing is drawn at random."""
        return {
            "input": torch.from_numpy(self.x[indices]),
            "label": torch.from_numpy(self.columns["label"][indices]),
        }


class FeatureNetwork(nn.Module):
    """One hidden layer over standardised features. Input float32 [n, d]; output ``logits`` [n, 2], 1 = bona fide.

    Args:
        features: d.
        hidden: units.
        noise: deviation of the noise that training adds to standardised features.
        dropout: share of hidden units left out in training.
    """

    def __init__(self, features: int, hidden: int, noise: float, dropout: float) -> None:
        super().__init__()
        self.standard = nn.BatchNorm1d(features, affine=False, momentum=None)  # plain mean over all steps
        self.first = nn.Linear(features, hidden)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(hidden, 1)
        self.noise = noise

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """``logits``: 0 for an attack, the log odds of bona fide for the other class."""
        values = self.standard(x).clamp(-LIMIT, LIMIT)
        if self.training and self.noise > 0:
            values = values + self.noise * torch.randn_like(values)
        odds = self.last(self.dropout(functional.relu(self.first(values))))
        return {"logits": torch.cat([torch.zeros_like(odds), odds], dim=1)}


class _Likelihood(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = torch.softmax(self.network(x)["logits"], dim=1)[:, 1:]
        return found


class _Network(stage.Parameters):
    name: Literal["feature-mlp"] = "feature-mlp"
    hidden: int = Field(default=64, ge=1, le=4096)
    noise: float = Field(default=0.3, ge=0, le=5)
    dropout: float = Field(default=0.5, ge=0, lt=1)


@tasks.register("deepfake")
class Deepfake(Task):
    """Bona fide against generated, swapped, morphed and injected faces."""

    monitor = "area"
    larger_is_better = True

    class Parameters(Task.Parameters):
        """Which table, and what of it is not to be seen."""

        table: str = Field(min_length=1, description="NPZ file with x, attack, species, family, person, part")
        leave_out: tuple[str, ...] = Field(
            default=(), description="species, or species/family, whose attacks and twins are left out"
        )
        held_share: float = Field(default=0.15, gt=0, lt=1, description="of the people of part `train`, to watch by")

    parameters: Parameters

    def data(self, folder: Path, *, seed: int) -> Data:
        """Rows of part ``train``; people are divided by a hash of their name.

        Raises:
            TrainingDataError: no such table, columns missing, other features, a class that is empty.
        """
        del folder, seed
        path = Path(self.parameters.table)
        table = _read(path)
        kinds = [f"{one}/{two}" for one, two in zip(table["species"].tolist(), table["family"].tolist())]
        out = set(self.parameters.leave_out)
        unknown = out - set(kinds) - set(table["species"].tolist())
        used = (table["part"] == "train") & ~np.isin(kinds, sorted(out)) & ~np.isin(table["species"], sorted(out))
        watched = np.array([_draw(name) < self.parameters.held_share for name in table["person"].tolist()])
        sides, problems = [], [f"nothing is called {name!r} to be left out" for name in sorted(unknown)]
        for name, rows in (("learn from", used & ~watched), ("watch by", used & watched)):
            label = (~table["attack"][rows]).astype(np.int64)
            problems += [
                f"no {kind} to {name}" for code, kind in enumerate(("attack", "bona fide")) if code not in label
            ]
            columns = {"label": label, "subject": table["person"][rows]}
            columns |= {key: table[key][rows] for key in ("species", "family")}
            sides.append(Rows(np.ascontiguousarray(table["x"][rows], dtype=np.float32), columns))
        if problems:
            raise TrainingDataError(str(path), problems, hint="Make it again, or leave out less.")
        identity = {"table": hashlib.sha256(path.read_bytes()).hexdigest(), "leave_out": sorted(out)}
        return Data(sides[0], sides[1], identity, classes=2)

    def network(self, parts: Mapping[str, Any]) -> nn.Module:
        """A :class:`FeatureNetwork`; the recipe may give ``hidden``, ``noise`` and ``dropout``."""
        chosen = stage.checked("network", _Network, dict(parts))
        return FeatureNetwork(len(names()), chosen.hidden, chosen.noise, chosen.dropout)

    def measure(self, network: nn.Module, held: Source) -> dict[str, float]:
        """``area`` under the ROC curve and ``loss`` (mean cross-entropy)."""
        batch = held.batch(np.arange(len(held)), 0)
        with torch.no_grad():
            logits = network(batch["input"].to(next(network.parameters()).device))["logits"].cpu()
        odds, label = logits[:, 1].numpy(), batch["label"].numpy()
        fair, attack = odds[label == 1], np.sort(odds[label == 0])
        below = (np.searchsorted(attack, fair, "left") + np.searchsorted(attack, fair, "right")).sum() / 2
        return {
            "area": float(below / (len(fair) * len(attack))),
            "loss": float(functional.cross_entropy(logits, batch["label"])),
        }

    def exported(self, network: nn.Module) -> tuple[nn.Module, Example]:
        """Likelihood of bona fide, float32 [n, 1]."""
        return _Likelihood(network), Example(torch.zeros(1, len(names())), "features", ("bona_fide",))


def _draw(name: str) -> float:
    return int.from_bytes(hashlib.sha256(f"watched {name}".encode()).digest()[:6], "big") / 2**48


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """The table's columns.

    Raises:
        TrainingDataError: it cannot be read, or has other columns or features.
    """
    hint = "Make it with: python -m benchmarks.deepfake_results prepare"
    try:
        with np.load(path, allow_pickle=False) as stored:
            table = {name: stored[name] for name in COLUMNS if name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingDataError(str(path), [f"it cannot be read: {error}"], hint=hint) from None
    missing = [f"column {name} is missing" for name in COLUMNS if name not in table]
    if not missing and table["x"].shape != (len(table["attack"]), len(names())):
        missing = [f"x has shape {table['x'].shape}, {len(names())} features are known"]
    if not missing and not np.isfinite(table["x"]).all():
        missing = ["x holds numbers that are not finite"]
    if missing:
        raise TrainingDataError(str(path), missing, hint=hint)
    return table
