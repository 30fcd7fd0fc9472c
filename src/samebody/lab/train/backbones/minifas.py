"""MiniFASNet-like backbone: inverted residuals with pruned middle channels, about 0.4 M parameters at 80 x 80 pixels.

The widths are those of the published networks for presentation attack detection (Silent-Face-Anti-Spoofing, Minivision
2020, Apache-2.0), which pruned MobileFaceNet's middle channels and kept its outputs.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from samebody.lab.train.backbones.inverted import InvertedNetwork, InvertedParameters
from samebody.lab.train.task import backbones

MIDDLES = {
    "v2": ((103, 13, 13, 13, 13), (231, 231, 52, 26, 77, 26, 26), (308, 26, 26)),
    "v1se": ((103, 13, 26, 13, 52), (231, 154, 52, 26, 52, 26, 26), (308, 26, 26)),
}
"""Middle channels of each block of the three stages."""


@backbones.register("minifas")
class MiniFas(InvertedNetwork):
    """MiniFASNet with a choice of pruned widths, rounded to multiples of 8; maps of stride 2, 4, 8 and 16."""

    class Parameters(InvertedParameters):
        """Those of :class:`InvertedParameters`, the table of widths, and the gates."""

        size: int = Field(default=80, ge=32, le=256, description="side of the square input, pixels")
        dropout: float = Field(default=0.2, ge=0, lt=1, description="before the last dense layer")
        table: Literal["v2", "v1se"] = Field(default="v2", description="published table of middle channels")
        middles: tuple[tuple[int, ...], ...] | None = Field(default=None, description="own table, three stages")
        squeeze: bool = Field(default=False, description="squeeze and excitation in the last block of each stage")

        @field_validator("middles")
        @classmethod
        def _three_stages(cls, value: tuple[tuple[int, ...], ...] | None) -> tuple[tuple[int, ...], ...] | None:
            if value is not None and (len(value) != 3 or any(not row or min(row) < 1 for row in value)):
                raise ValueError("needs three lists of middle channels, none empty, each at least 1")
            return value

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        middles = self.options.middles or MIDDLES[self.options.table]
        self._build(32, tuple(zip((64, 128, 128), middles, strict=True)), 512, self.options.squeeze)
