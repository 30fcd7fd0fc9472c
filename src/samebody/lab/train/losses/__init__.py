"""Losses: each is found by name in ``samebody.lab.train.task.losses``."""

from samebody.lab.train.losses.contrastive import SupervisedContrastive
from samebody.lab.train.losses.cross_entropy import CrossEntropy, Focal, effective_number_weights
from samebody.lab.train.losses.distil import DistilFeatures, DistilLogits, DistilRelations
from samebody.lab.train.losses.domain import Domain
from samebody.lab.train.losses.maps import FourierMap, PixelMap
from samebody.lab.train.losses.margin import AdaFace, ArcFace, CosFace
from samebody.lab.train.losses.multi_task import MultiTask

__all__ = [
    "AdaFace",
    "ArcFace",
    "CosFace",
    "CrossEntropy",
    "DistilFeatures",
    "DistilLogits",
    "DistilRelations",
    "Domain",
    "Focal",
    "FourierMap",
    "MultiTask",
    "PixelMap",
    "SupervisedContrastive",
    "effective_number_weights",
]
