"""A backbone with heads: the usual network of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from samebody.lab.train.backbones.base import Backbone
from samebody.lab.train.task import backbones


class MapHead(nn.Module):
    """A map [n, outputs, h, w] from one map of the backbone: 3x3 convolution, ReLU, 1x1 convolution (logits).

    Args:
        inputs: channels of the backbone's map.
        outputs: channels of the answer.
        index: which map of ``Backbone.features``, 0 the finest; -1 the coarsest.
    """

    def __init__(self, inputs: int, outputs: int = 1, *, index: int = -1, hidden: int = 32) -> None:
        super().__init__()
        self.index = index
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, outputs, 1),
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """[n, outputs, h, w] at the size of the chosen map."""
        answer: Tensor = self.layers(maps[self.index])
        return answer


def build(parts: Mapping[str, Any]) -> Backbone:
    """The backbone of a recipe's ``network`` entry: ``name`` and its parameters.

    Raises:
        UsageError: there is none of that name.
        ConfigError: a parameter is unknown or out of bounds.
    """
    own = dict(parts)
    backbone: Backbone = backbones[str(own.pop("name", ""))](**own)
    return backbone


class Network(nn.Module):
    """Backbone, heads on its feature vector, heads on its maps; answers an Output.

    Args:
        backbone: answers features [n, d] and maps.
        heads: by name, from [n, d]; a classifier is ``{"logits": nn.Linear(backbone.width, classes)}``.
        map_heads: by name, from the list of maps (:class:`MapHead`).
    """

    def __init__(
        self,
        backbone: Backbone,
        heads: Mapping[str, nn.Module] | None = None,
        map_heads: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict(dict(heads or {}))
        self.map_heads = nn.ModuleDict(dict(map_heads or {}))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """``embedding`` [n, d], one entry per head, one per map head."""
        maps, embedding = self.backbone.maps_and_features(x)
        output = {"embedding": embedding}
        output.update({name: head(embedding) for name, head in self.heads.items()})
        output.update({name: head(maps) for name, head in self.map_heads.items()})
        return output
