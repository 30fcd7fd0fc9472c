"""Augmentations on batches; each is found by name in ``samebody.lab.train.task.augmentations``.

Every one draws from the generator it is handed and from nothing else, so the same batch and seed give the same bits.
"""

from samebody.lab.train.augment.colour import Colour
from samebody.lab.train.augment.erase import Erase
from samebody.lab.train.augment.geometry import Affine, Flip
from samebody.lab.train.augment.mix import CutMix, MixUp
from samebody.lab.train.augment.sensor import Blur, Downscale, Jpeg, MotionBlur, Noise

__all__ = ["Affine", "Blur", "Colour", "CutMix", "Downscale", "Erase", "Flip", "Jpeg", "MixUp", "MotionBlur", "Noise"]
