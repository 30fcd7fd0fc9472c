"""Samplers: which samples a step sees; each is found by name in ``samebody.lab.train.task.samplers``."""

from samebody.lab.train.samplers.balanced import Balanced
from samebody.lab.train.samplers.uniform import Uniform

__all__ = ["Balanced", "Uniform"]
