"""Optimisers: which weights decay, and at which share of the learning rate each kind moves."""

from __future__ import annotations

from typing import Any

import torch

from samebody.lab.train.objective import Objective
from samebody.lab.train.recipe import Optimiser


def make_optimiser(options: Optimiser, objective: Objective) -> Any:
    """The optimiser over all that is trained: matrices and kernels decay, biases and norms do not.

    Each group carries ``share``: its learning rate over that of the recipe.
    """
    own = {id(parameter) for loss in objective.losses for parameter in loss.parameters()}
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for parameter in objective.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in own, parameter.ndim > 1), []).append(parameter)
    listed = [
        {
            "params": parameters,
            "weight_decay": options.weight_decay if decays else 0.0,
            "share": options.loss_lr if of_loss else 1.0,
        }
        for (of_loss, decays), parameters in sorted(groups.items())
    ]
    if options.name == "sgd":
        return torch.optim.SGD(listed, lr=options.lr, momentum=options.momentum, nesterov=options.momentum > 0)
    return torch.optim.AdamW(listed, lr=options.lr, betas=options.betas, foreach=True)
