"""Base of networks, losses and augmentations that declare their parameters as stages do."""

from __future__ import annotations

from typing import Any

from torch import nn

from samebody import stage


class Part(nn.Module):
    """A module with a nested ``class Parameters(stage.Parameters)``; what was asked for stands in :attr:`options`.

    Raises:
        ConfigError: when a parameter is unknown or out of bounds; names every mistake at once.
    """

    class Parameters(stage.Parameters):
        """No parameters."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__()
        self.options: Any = stage.checked(type(self).__name__, self.Parameters, parameters)
