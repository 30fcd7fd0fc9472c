"""MobileFaceNet-like backbone: about 1 M parameters at width 1, for faces of 80 to 128 pixels.

Chen, Liu, Gao, Han: MobileFaceNets: efficient CNNs for accurate real-time face verification on mobile devices (2018).
"""

from __future__ import annotations

from typing import Any

from samebody.lab.train.backbones.inverted import InvertedNetwork, InvertedParameters
from samebody.lab.train.task import backbones

ROWS = ((64, (128,) * 5), (128, (256,) * 7), (128, (512,) + (256,) * 2))
"""Outputs and middle channels of each stage, table 1 of the paper."""


@backbones.register("mobileface")
class MobileFace(InvertedNetwork):
    """MobileFaceNet with a width multiplier; maps of stride 2, 4, 8 and 16."""

    class Parameters(InvertedParameters):
        """See :class:`InvertedParameters`."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._build(64, ROWS, 512)
