"""From a trained run to the recipe that makes it smaller: pruned, quantised, or both, with the weights to start from.

``begin`` writes a folder with ``recipe.yaml`` (the run's own recipe, the new shape under ``domain``, the weights under
``init``), ``start.pt`` and ``report.json``; ``samebody train DIR/recipe.yaml --out RUN`` does the fine-tuning,
resumable and repeatable as every run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from samebody.errors import UsageError
from samebody.lab.data.files import faults, write_bytes
from samebody.lab.train.checkpoint import save_weights
from samebody.lab.train.compress.prune import Importance, PruneReport, prune
from samebody.lab.train.compress.quantise import quantised
from samebody.lab.train.objective import make_objective
from samebody.lab.train.recipe import changed, parse_recipe
from samebody.lab.train.run import OpenedRun, open_run
from samebody.lab.train.task import Data, Source

START, RECIPE, REPORT = "start.pt", "recipe.yaml", "report.json"
WATCH = 200


@dataclass(frozen=True)
class Begun:
    """What is ready to be fine-tuned.

    Attributes:
        recipe: path of the recipe.
        report: what pruning saved; None without pruning.
    """

    recipe: Path
    report: PruneReport | None


def begin(
    run: Path | str,
    out: Path | str,
    *,
    ratio: float = 0.0,
    importance: Importance = "l1",
    everywhere_alike: bool = True,
    quantise: bool = False,
    skip: tuple[str, ...] = (),
    changes: Mapping[str, Any] | None = None,
    cache: Path | str | None = None,
) -> Begun:
    """Write the recipe and the weights that make a finished run smaller.

    Args:
        run: folder of the run; its best weights are taken.
        out: new folder.
        ratio: share of the channels to cut; 0 = none.
        importance, everywhere_alike: see :func:`samebody.lab.train.compress.prune.prune`; ``taylor`` takes gradients of
            the recipe's losses over eight batches of its training data.
        quantise: train with fake quantisation.
        skip: layers that stay in floating point.
        changes: values put into the new recipe at dotted places (``steps``, ``optimiser.lr``, ``teacher`` ...).
        cache: of prepared data, for ``taylor``.

    Raises:
        RecipeInvalidError: ``changes`` make it so; every mistake.
        UsageError: neither pruning nor quantisation was asked for, ``out`` is taken, or the network cannot be traced.
        RunFolderError, CheckpointError: ``run`` is no finished run.
        CheckpointError, StorageError: the folder cannot be written.
    """
    if not ratio and not quantise:
        raise UsageError("nothing was asked for.", hint="Give a share to cut, or ask for quantisation.")
    folder = Path(out)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", hint="Choose another folder.")
    opened = open_run(run)
    _, made = opened.task.exported(opened.network)
    example = made.input.float()
    entries = [dict(part.model_dump()) for part in opened.recipe.domain]
    network, report = opened.network, None
    if ratio:
        if importance == "taylor":
            _gradients(opened, cache)
        network, report = prune(network, example, ratio, importance=importance, everywhere_alike=everywhere_alike)
        kept = {name: after for name, (_, after) in report.spaces.items()}
        entries.append({"name": "pruned", "kept": kept, "input": list(example.shape[1:])})
    if quantise:
        network = quantised(network, example, watch=WATCH, skip=skip)
        entries.append({"name": "quantised", "input": list(example.shape[1:]), "watch": WATCH, "skip": list(skip)})
    return _written(opened, folder, network, entries, report, changes or {})


def _written(
    opened: OpenedRun,
    folder: Path,
    network: nn.Module,
    entries: list[dict[str, Any]],
    report: PruneReport | None,
    changes: Mapping[str, Any],
) -> Begun:
    _recipe(opened, entries, "", changes)  # its mistakes come before anything is written
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
    sha256 = save_weights(folder / START, network.state_dict())
    text = _recipe(opened, entries, sha256, changes)
    about = {
        "run": opened.record["recipe_digest"],
        "weights_sha256": opened.weights_sha256,
        "pruned": report.to_dict() if report else None,
        "quantised": any(entry["name"] == "quantised" for entry in entries),
    }
    write_bytes(folder / REPORT, (json.dumps(about, indent=1) + "\n").encode())
    write_bytes(folder / RECIPE, text.encode())
    return Begun(folder / RECIPE, report)


def _recipe(opened: OpenedRun, entries: list[dict[str, Any]], sha256: str, changes: Mapping[str, Any]) -> str:
    """The new recipe as text, checked."""
    import yaml

    fields = opened.recipe.to_dict()
    fields.update(
        id=f"{opened.recipe.id[:74]}-small", domain=entries, init={"weights": START, "sha256": sha256}, compile=False
    )
    text = yaml.safe_dump({key: value for key, value in fields.items() if value is not None}, sort_keys=False)
    if changes:
        text = changed(text, changes)
    parse_recipe(text, f"{opened.recipe.id}, made smaller,")
    return text


def _gradients(opened: OpenedRun, cache: Path | str | None, batches: int = 8) -> None:
    """Gradients of the recipe's losses over some batches, left in the network's weights."""
    from samebody.lab.train.run import _cache

    data = opened.task.data(_cache(cache), seed=opened.recipe.seed)
    objective = make_objective(opened.task, opened.recipe, data)
    objective.network.load_state_dict(opened.network.state_dict())
    objective.eval()
    for step in range(batches):
        objective(_batch(data, opened.recipe.batch, step)).total.backward()
    for mine, other in zip(opened.network.parameters(), objective.network.parameters(), strict=True):
        mine.grad = other.grad


def _batch(data: Data, size: int, step: int) -> dict[str, Tensor]:
    source: Source = data.train
    places = np.random.default_rng([0, step]).choice(len(source), min(size, len(source)), replace=False)
    return source.batch(places.astype(np.int64), step)


__all__ = ["Begun", "begin"]
