"""What every stage of an iris pipeline is: a class with declared parameters, types it takes, and one type it gives."""

from __future__ import annotations

from typing import Any, ClassVar

from samebody.stage import Registry, Stage


class IrisStage(Stage):
    """Base of the stages. ``run`` is pure and takes one argument for each type in ``takes``, in order.

    Attributes:
        takes: types of :mod:`samebody.iris.results` that the stage reads.
        gives: the type it returns. Where a stage can find nothing it returns None, and all that need it are left out.
    """

    takes: ClassVar[tuple[type, ...]] = ()
    gives: ClassVar[type]

    def run(self, *inputs: Any) -> Any:
        """The stage's result, an instance of ``gives`` or None."""
        raise TypeError(f"{type(self).__name__} is a base class and does not run")

    def pins(self) -> dict[str, Any]:
        """What shapes the result beside the parameters (weights of a network), JSON-ready; part of the space."""
        return {}


stages: Registry[type[IrisStage]] = Registry("iris stage")
"""All stages that a pipeline file may name."""
