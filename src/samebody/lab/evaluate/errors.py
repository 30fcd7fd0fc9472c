"""The typed errors of evaluation: tables that do not hold together, folders that are no runs, extras not installed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

from samebody.errors import InputError, ResourceError

SHOWN = 20
"""Problems spelled out in a message; the rest is counted."""


class ScoreTableError(InputError):
    """A table of scores or a set of templates breaks its schema; every problem found is in ``problems``."""

    code = "evaluate.score_table"

    def __init__(self, source: str, problems: Sequence[str], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        shown = "".join(f"\n  - {problem}" for problem in self.problems[:SHOWN])
        more = f"\n  ... and {len(self.problems) - SHOWN} more" if len(self.problems) > SHOWN else ""
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        super().__init__(f"{source} has {count}:{shown}{more}", hint=f"\n{hint}" if hint else "")


class ProtocolError(InputError):
    """A protocol file names pairs or samples in a way that cannot be used, or names what is not there."""

    code = "evaluate.protocol"


class RunFolderError(InputError):
    """A folder is no run of `samebody evaluate`, or one of another version."""

    code = "evaluate.run_folder"


class MissingExtraError(ResourceError):
    """An optional package is needed and not installed."""

    code = "evaluate.missing_extra"


def optional(module: str, why: str, extra: str = "lab") -> ModuleType:
    """Import an optional package when it is first needed.

    Raises:
        MissingExtraError: it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(
            f"{why} needs the package {module.partition('.')[0]}.",
            hint=f"Install the extra: pip install 'samebody[{extra}]'.",
        ) from None
