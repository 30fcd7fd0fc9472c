"""Studies: which places of a recipe are varied, how, and how many trials; read from YAML with line numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from samebody.lab.evaluate.rules import RuleFileError, RuleFileMissingError, load_rules
from samebody.lab.train.errors import RecipeInvalidError, RecipeNotFoundError
from samebody.lab.train.recipe import LoadedRecipe, bundled_recipes, load_recipe


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Entry):
    """What a place of the recipe may hold: one of ``choices``, or a number from ``low`` to ``high``.

    Whole numbers for both ends mean whole numbers in between.
    """

    choices: tuple[Any, ...] | None = Field(default=None, min_length=1)
    low: int | float | None = None
    high: int | float | None = None
    log: bool = Field(default=False, description="drawn evenly in the logarithm")

    @model_validator(mode="after")
    def _one_of_both(self) -> Range:
        if self.choices is not None:
            if self.low is not None or self.high is not None or self.log:
                raise ValueError("either choices, or low and high")
            return self
        if self.low is None or self.high is None:
            raise ValueError("needs choices, or low and high")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("a logarithm needs low above 0")
        return self

    @property
    def first(self) -> Any:
        """A value that is in the range."""
        return self.choices[0] if self.choices is not None else self.low


class Pruner(_Entry):
    """When a trial is given up: worse than the median of the others (median), or not among the best share of its rung.

    ``asha``: asynchronous successive halving (Li et al., arXiv:1810.05934).
    """

    name: Literal["median", "asha", "none"] = "median"
    trials: int = Field(default=4, ge=1, description="median: trials before any is given up")
    steps: int = Field(default=0, ge=0, description="steps before a trial is given up")
    reduction: int = Field(default=3, ge=2, le=10, description="asha: one in so many goes on")


class Study(_Entry):
    """A search over recipes."""

    study: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")
    recipe: str = Field(min_length=1, description="path, relative to this file, or a bundled name")
    trials: int = Field(gt=0, le=100_000)
    seed: int = Field(default=0, ge=0, lt=2**63)
    space: Mapping[str, Range] = Field(min_length=1, description="dotted places of the recipe")
    sampler: Literal["tpe", "random"] = Field(default="tpe", description="tree-structured Parzen estimator, or chance")
    pruner: Pruner = Pruner()


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """A study with the path of its recipe."""

    study: Study
    recipe: str

    def recipe_with(self, values: Mapping[str, Any]) -> LoadedRecipe:
        """The recipe with the values of a trial."""
        return load_recipe(self.recipe, changes=values)


def load_study(path: Path | str) -> LoadedStudy:
    """The study at ``path``; its recipe is tried with the first value of every range.

    Raises:
        RecipeNotFoundError: the study or its recipe is not there.
        RecipeInvalidError: either has mistakes; every one is named, with its line.
    """
    try:
        study = load_rules(path, Study)
    except RuleFileMissingError as error:
        raise RecipeNotFoundError(str(error).replace("rule file", "study")) from None
    except RuleFileError as error:
        found = [message.replace("`schema_version: 1`", "`study: 1`") for message in error.mistakes]
        raise RecipeInvalidError(str(path), found) from None
    recipe = study.recipe
    if recipe not in bundled_recipes():
        recipe = str(Path(path).parent / recipe)
    loaded = LoadedStudy(study, recipe)
    loaded.recipe_with({place: values.first for place, values in study.space.items()})
    return loaded
