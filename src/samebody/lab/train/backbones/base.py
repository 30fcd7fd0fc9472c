"""What every backbone offers: maps from fine to coarse, and one feature vector."""

from __future__ import annotations

from torch import Tensor, nn

from samebody.lab.train.part import Part


class Backbone(Part):
    """Base of backbones: ``stages`` turn the picture into maps, :meth:`pooled` turns the last map into features.

    Attributes:
        width: d, the length of the feature vector.
        channels: channels of each map of :meth:`features`.
        stages: one module per map; style mixing hooks in behind them.
    """

    width: int
    channels: tuple[int, ...]
    stages: nn.ModuleList

    def features(self, x: Tensor) -> list[Tensor]:
        """Maps [n, channels[i], h, w] from fine to coarse of pictures [n, c, h, w]."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def pooled(self, x: Tensor) -> Tensor:
        """Features [n, width] of the last map."""
        raise TypeError(f"{type(self).__name__} pools nothing")

    def maps_and_features(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Maps and feature vector of one pass."""
        maps = self.features(x)
        return maps, self.pooled(maps[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Features [n, width], not normalised."""
        return self.pooled(self.features(x)[-1])
