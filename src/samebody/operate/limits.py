"""The guard rails of a promotion: declared limits that a shadow's intervals must show to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from samebody.located_yaml import UnreadableYamlError, read_located
from samebody.operate.errors import LimitsInvalidError


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a candidate may differ from what is live.

    Each is held against the *upper end* of the interval: too few cases do not pass as no difference.

    Attributes:
        least_cases: compared.
        most_changed: share of cases with another decision, 0-1.
        most_more_accepts: rise of the share accepted, 0-1: the side that lets impostors in.
        most_more_rejects: rise of the share rejected, 0-1.
        days: a comparison of a model is as old at most.
    """

    least_cases: int = 200
    most_changed: float = 0.05
    most_more_accepts: float = 0.03
    most_more_rejects: float = 0.03
    days: int = 30

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Limits:
        """From the values of a file.

        Raises:
            LimitsInvalidError: an unknown name, or a value out of its bounds.
        """
        known = {each.name for each in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise LimitsInvalidError(f"there is no limit {name!r}.", hint=f"Known: {', '.join(sorted(known))}.")
            whole = name in ("least_cases", "days")
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise LimitsInvalidError(f"{name} is a {'whole ' if whole else ''}number.")
            if not (value >= 1 if whole else 0 <= value <= 1):
                raise LimitsInvalidError(f"{name} lies {'at 1 or above' if whole else 'between 0 and 1'}.")
        return cls(**values)

    def broken(self, figures: Mapping[str, Any]) -> list[str]:
        """What is not kept, in words; empty when all is.

        Args:
            figures: ``cases, changed_high, accept_high, reject_high``, as :func:`figures_of` and the audit log say.
        """
        found = []
        if figures["cases"] < self.least_cases:
            found.append(f"{figures['cases']} cases were compared, at least {self.least_cases} are asked for")
        for name, limit, words in (
            ("changed_high", self.most_changed, "decisions that change"),
            ("accept_high", self.most_more_accepts, "the rise of accepts"),
            ("reject_high", self.most_more_rejects, "the rise of rejects"),
        ):
            if figures[name] > limit:
                found.append(f"{words} may be up to {figures[name]:.1%}, at most {limit:.1%} are allowed")
        return found


def read_limits(path: Path) -> Limits:
    """Limits from a YAML file.

    Raises:
        LimitsInvalidError.
    """
    return Limits.of(read_mapping(path, LimitsInvalidError))


def read_mapping(path: Path, error: type[LimitsInvalidError] | type[Any]) -> dict[str, Any]:
    """The one mapping in a YAML file; anything else is an ``error``."""
    try:
        found = read_located(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path} cannot be read: {type(problem).__name__}.") from None
    except UnreadableYamlError as problem:
        raise error(f"{path}, line {problem.line}: {problem}.") from None
    if found.doubled:
        twice = found.doubled[0]
        raise error(f"{path}, line {twice.line}: {twice.where[-1]} stands twice.", hint="Keep one of them.")
    if not isinstance(found.values, dict):
        raise error(f"{path} holds no mapping.", hint="Write lines of `name: value`.")
    return dict(found.values)
