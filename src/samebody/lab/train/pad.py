"""Task ``pad``: one RGB picture of a face, bona fide or an attack, learnt from synthetic attacks and their twins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from samebody import stage
from samebody.errors import InputError
from samebody.lab.train.pad_data import PadSource
from samebody.lab.train.pad_losses import PairOrder
from samebody.lab.train.pad_net import PadNet
from samebody.lab.train.pad_pairs import PadPairsError, PairPlan, PairSet, prepare_pairs
from samebody.lab.train.pad_sampler import PadPairs
from samebody.lab.train.pad_views import ViewParameters
from samebody.lab.train.task import Data, Example, Source, Task, tasks
from samebody.synth.attacks import families
from samebody.synth.attacks.shortcuts import ShortcutReport, probe_features

PARTS = (PadPairs, PairOrder)
"""Sampler and loss of this task; importing them registers ``pad-pairs`` and ``pair-order``."""

PRESENTED = ("screen_replay", "print", "paper_mask", "partial_mask")
"""Species whose instruments are held before a camera; the others are files that never saw one."""

WORST_SHORTCUT = 0.6
"""Cross-validated AUC of the shortcut probe at which the task refuses to train."""


class ShortcutError(InputError):
    """Size, JPEG quality, blur or mean colour tell attacks from their twins: a network would learn that."""

    code = "lab.pad_shortcut"


def require_no_shortcut(pairs: PairSet) -> ShortcutReport:
    """The report of the shortcut probe on exactly these pairs.

    Raises:
        ShortcutError: its AUC reaches :data:`WORST_SHORTCUT`.
    """
    found = probe_features(pairs.shortcut_features())
    if found.auc >= WORST_SHORTCUT:
        worst = max(found.by_feature, key=lambda name: found.by_feature[name])
        raise ShortcutError(
            f"a logistic regression on size, JPEG quality, blur and mean colour tells the pairs apart: AUC "
            f"{found.auc:.3f}, {worst} alone {found.by_feature[worst]:.3f}.",
            hint=f"It must stay below {WORST_SHORTCUT}: make the pairs alike before training on them.",
        )
    return found


def _pictures(named: str) -> Path:
    found = named or os.environ.get("SAMEBODY_DATA", "")
    if not found:
        raise PadPairsError(
            "the recipe names no pictures.",
            hint="Set SAMEBODY_DATA, or --set task.pictures=FOLDER with fairface in it.",
        )
    return Path(found)


@tasks.register("pad")
class Pad(Task):
    """Bona fide against attack from pairs; the weights that do best on what is held before a camera are kept."""

    monitor = "auc_presented"
    larger_is_better = True

    class Parameters(stage.Parameters):
        """What is made, what is seen.

        Attributes:
            pictures: folder of the picture sets; empty takes what the variable SAMEBODY_DATA names.
            repeats: reviewed list of pictures that show one person.
            seed: of the pairs; apart from the seed of the run, so that runs of several seeds share them.
            train, held: pairs of each family, by species.
            without: species, or species/family, left out of training and kept in the held-back pairs.
            views: how training looks at them.
            reaches: windows of the straight views that measuring averages, over the face box.
            processes: that make pairs.
            limit: pictures used at most.
            check_pairs: held-back pictures measured at most; 0 measures all.
        """

        pictures: str = ""
        repeats: str
        seed: int = Field(default=1, ge=0)
        train: dict[str, int]
        held: dict[str, int]
        without: tuple[str, ...] = ()
        views: ViewParameters = ViewParameters()
        reaches: tuple[float, ...] = Field(default=(1.3, 0.8), min_length=1)
        processes: int = Field(default=2, ge=1, le=256)
        limit: int | None = Field(default=None, ge=50)
        check_pairs: int = Field(default=0, ge=0)

    def data(self, folder: Path, *, seed: int) -> Data:
        """Make or open the pairs, and probe exactly those that are trained on.

        Raises:
            PadPairsError: no usable pictures.
            ShortcutError: the probe found a shortcut.
        """
        p: Any = self.parameters
        plan = PairPlan(_pictures(p.pictures), Path(p.repeats), p.seed, p.train, p.held, limit=p.limit)
        train, held = prepare_pairs(plan, folder, processes=p.processes)
        train = PairSet([row for row in train.rows if not self._left_out(row)], train.digest, train.files)
        report = require_no_shortcut(train)
        identity = {
            "pictures": "fairface",
            "files": train.files,
            "pairs": train.digest,
            "pair_seed": p.seed,
            "train_pairs": len(train.rows) // 2,
            "held_pairs": len(held.rows) // 2,
            "without": list(p.without),
            "shortcut_auc": round(report.auc, 4),
            "shortcut_interval": [round(value, 4) for value in report.interval],
        }
        return Data(PadSource(train.rows, p.views), PadSource(held.rows, p.views), identity, classes=2)

    def _left_out(self, row: Mapping[str, Any]) -> bool:
        p: Any = self.parameters
        return row["species"] in p.without or f"{row['species']}/{row['family']}" in p.without

    def network(self, parts: Mapping[str, Any]) -> nn.Module:
        """:class:`~samebody.lab.train.pad_net.PadNet` with the recipe's widths, mixing and dropout."""
        return PadNet(**{key: value for key, value in parts.items() if key != "name"})

    def measure(self, network: nn.Module, held: Source) -> dict[str, float]:
        """AUC of each species, the worst, the mean, the mean of those held before a camera; APCER at a BPCER of 5 %."""
        assert isinstance(held, PadSource)
        p: Any = self.parameters
        count = len(held) if not p.check_pairs else min(len(held), 2 * p.check_pairs)
        scores = scores_of(network, held, np.arange(count), p.reaches)
        figures = figures_by_species(scores, held.columns["label"][:count], held.columns["species"][:count])
        known = [name for name in families() if name not in p.without and f"auc_{name}" in figures]
        figures["auc_worst"] = min(figures[f"auc_{name}"] for name in known)
        presented = [name for name in known if name in PRESENTED] or known
        figures["auc_presented"] = float(np.mean([figures[f"auc_{name}"] for name in presented]))
        figures["auc_mean"] = float(np.mean([figures[f"auc_{name}"] for name in known]))
        return figures

    def exported(self, network: nn.Module) -> tuple[nn.Module, Example]:
        """Views, 0-255, to the likelihood of bona fide of each, not calibrated: :class:`Likelihood` with 1 and 0."""
        return Likelihood(network), self.example()

    def example(self) -> Example:
        """One input of the exported network, and the names of its ends."""
        side = self.parameters.views.side  # type: ignore[attr-defined]
        return Example(torch.rand(1, 3, side, side) * 255, "views", ("likelihood",))


class Likelihood(nn.Module):
    """[n, 3, side, side] 0-255 to [n] likelihoods of bona fide: sigmoid(slope x log odds + offset).

    Slope and offset are those of a logistic calibration; being linear in the log odds, calibrating each view and
    averaging is the same as calibrating the mean.
    """

    def __init__(self, network: nn.Module, slope: float = 1.0, offset: float = 0.0) -> None:
        super().__init__()
        self.network = network
        self.slope, self.offset = slope, offset

    def forward(self, views: Tensor) -> Tensor:
        """One likelihood a view."""
        logits = self.network(views)["logits"]
        return torch.sigmoid((logits[:, 1] - logits[:, 0]) * self.slope + self.offset)


@torch.no_grad()
def scores_of(
    network: nn.Module, source: PadSource, indices: NDArray[np.intp], reaches: tuple[float, ...], size: int = 64
) -> NDArray[np.float64]:
    """(n,) mean log odds of bona fide over the straight views."""
    found = []
    device = next(network.parameters()).device
    for start in range(0, len(indices), size):
        views = source.straight(indices[start : start + size], reaches)
        flat = torch.from_numpy(views.reshape(-1, *views.shape[2:])).permute(0, 3, 1, 2).float().to(device)
        logits = network(flat)["logits"]
        odds = (logits[:, 1] - logits[:, 0]).reshape(len(views), -1).mean(1)
        found.append(odds.double().cpu().numpy())
    return np.concatenate(found)


def figures_by_species(
    scores: NDArray[np.float64], label: NDArray[np.int64], species: NDArray[Any]
) -> dict[str, float]:
    """``auc_SPECIES`` and ``apcer5_SPECIES`` against all bona fide, and ``apcer5_worst``; no intervals."""
    from samebody.synth.attacks.shortcuts import area

    fair = scores[label == 1]
    threshold = float(np.quantile(fair, 0.05))
    figures: dict[str, float] = {}
    for name in sorted(set(species.tolist())):
        attack = scores[(label == 0) & (species == name)]
        if not len(attack):
            continue
        joined = np.concatenate([fair, attack])
        figures[f"auc_{name}"] = area(joined, np.concatenate([np.zeros(len(fair)), np.ones(len(attack))]))
        figures[f"auc_{name}"] = 1 - figures[f"auc_{name}"]
        figures[f"apcer5_{name}"] = float(np.mean(attack >= threshold))
    figures["apcer5_worst"] = max(v for k, v in figures.items() if k.startswith("apcer5_"))
    return figures
