"""How a wrapper of networks is written: a function of network, data and checked parameters, found by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from samebody import stage
from samebody.lab.train.task import Data, wrappers

P = TypeVar("P", bound=stage.Parameters)


class Wrapper:
    """What stands in ``samebody.lab.train.task.wrappers``: called with (network, data, **parameters).

    Attributes:
        Parameters: the declared parameters, which recipes are checked against.
    """

    def __init__(
        self, name: str, parameters: type[Any], work: Callable[[nn.Module, Data | None, Any], nn.Module]
    ) -> None:
        self.name, self.Parameters, self._work = name, parameters, work
        self.__doc__ = work.__doc__

    def __call__(self, network: nn.Module, data: Data | None = None, **parameters: Any) -> nn.Module:
        """The network, changed in place or wrapped.

        Raises:
            ConfigError: a parameter is unknown or out of bounds, or does not fit the network.
        """
        return self._work(network, data, stage.checked(self.name, self.Parameters, parameters))


def wrapper(name: str, parameters: type[P]) -> Callable[[Callable[[nn.Module, Data | None, P], nn.Module]], Wrapper]:
    """Decorator: registers the function as the wrapper ``name``."""

    def register(work: Callable[[nn.Module, Data | None, P], nn.Module]) -> Wrapper:
        made = Wrapper(name, parameters, work)
        wrappers.register(name)(made)
        return made

    return register
