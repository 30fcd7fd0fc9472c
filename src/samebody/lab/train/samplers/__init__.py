"""Samplers: which samples a step sees; each is found by name in ``samebody.lab.train.task.samplers``."""

from samebody.lab.train.samplers.balanced import Balanced, GroupAware
from samebody.lab.train.samplers.hard import HardNegative, HardPositive
from samebody.lab.train.samplers.identities import Identities
from samebody.lab.train.samplers.uniform import Uniform

__all__ = ["Balanced", "GroupAware", "HardNegative", "HardPositive", "Identities", "Uniform"]
