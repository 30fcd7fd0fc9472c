"""Losses: each is found by name in ``samebody.lab.train.task.losses``."""

from samebody.lab.train.losses.cross_entropy import CrossEntropy
from samebody.lab.train.losses.distil import DistilFeatures, DistilRelations
from samebody.lab.train.losses.maps import FourierMap, PixelMap

__all__ = ["CrossEntropy", "DistilFeatures", "DistilRelations", "FourierMap", "PixelMap"]
