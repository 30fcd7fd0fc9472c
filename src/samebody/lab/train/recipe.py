"""Recipes: all that decides a training run, in one YAML file, checked as a whole with the line of each mistake."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from samebody.errors import UsageError
from samebody.lab.evaluate.rules import MAX_BYTES, RuleFileError, parse_rules
from samebody.lab.train import known
from samebody.lab.train.errors import RecipeInvalidError, RecipeNotFoundError
from samebody.lab.train.task import augmentations, backbones, losses, samplers, tasks, teachers, wrappers
from samebody.located_yaml import Place, read_located
from samebody.stage import Registry


class Entry(BaseModel):
    """Base of all parts of a recipe: unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(BaseModel):
    """A part found by its name in a registry, with the parameters that part declares."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(min_length=1)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the part is made with."""
        return dict(self.model_extra or {})


class LossPart(Part):
    """A loss and its weight in the sum."""

    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)


Share = Annotated[float, Field(ge=0, lt=1)]


class Optimiser(Entry):
    """AdamW (Loshchilov and Hutter, arXiv:1711.05101) or SGD with Nesterov momentum."""

    name: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    weight_decay: float = Field(default=0.05, ge=0, description="of weights; biases and norms have none")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd only")
    betas: tuple[Share, Share] = Field(default=(0.9, 0.999), description="adamw only")
    loss_lr: float = Field(default=1.0, gt=0, description="learning rate of a loss's own weights, times lr")


class Schedule(Entry):
    """The learning rate over the steps, as a factor."""

    name: Literal["cosine", "step", "constant"] = "cosine"
    warmup: int = Field(default=0, ge=0, description="steps of linear rise from 0")
    final: float = Field(default=0.01, ge=0, le=1, description="cosine: factor at the last step")
    milestones: tuple[Share, ...] = Field(default=(0.5, 0.75), description="step: shares of the steps, ascending")
    gamma: float = Field(default=0.1, gt=0, le=1, description="step: factor at each milestone")

    def factor(self, step: int, steps: int) -> float:
        """The factor at ``step`` (0-based) of ``steps``."""
        import math

        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.name == "constant":
            return 1.0
        if self.name == "step":
            return self.gamma ** sum(step >= share * steps for share in self.milestones)
        done = (step - self.warmup) / max(steps - self.warmup, 1)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class EarlyStopping(Entry):
    """Stop when the monitored figure has not become better."""

    patience: int = Field(gt=0, description="evaluations without a better figure")
    least: float = Field(default=0.0, ge=0, description="what counts as better")


class Initial(Entry):
    """Weights to start from (fine-tuning)."""

    weights: str = Field(min_length=1, description="a run folder or a .pt file, relative to the recipe")
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$", description="of the file, if it must be that one")
    partial: bool = Field(default=False, description="take what fits by name and shape, leave the rest as it begins")


class Loader(Entry):
    """How batches are prepared beside the training step."""

    workers: int = Field(default=0, ge=0, le=64, description="processes; 0 = a thread of this process")
    ahead: int = Field(default=1, ge=1, le=64, description="batches prepared in advance")


class Recipe(Entry):
    """Everything that decides a run, except the data themselves and the machine.

    The names of the fields are those of the YAML file; see docs/how-to/train.md for one with comments.
    """

    recipe: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")
    seed: int = Field(default=0, ge=0, lt=2**63)
    task: Part
    network: Mapping[str, Any]
    losses: tuple[LossPart, ...] = Field(min_length=1)
    sampler: Part = Part(name="uniform")
    augment: tuple[Part, ...] = ()
    domain: tuple[Part, ...] = Field(default=(), description="wrappers of the network, applied in order")
    teacher: Part | None = None
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    batch: int = Field(gt=0, le=65536, description="samples of a step, over all processes")
    steps: int = Field(gt=0, le=100_000_000)
    evaluate_every: int = Field(default=0, ge=0, description="steps; 0 = only at the end")
    checkpoint_every: int = Field(default=0, ge=0, description="steps; 0 = with each evaluation, at least ten a run")
    ema: float = Field(default=0.0, ge=0, lt=1, description="decay of the running mean of the weights; 0 = none")
    early_stopping: EarlyStopping | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False
    compile: bool = False
    gradient_clip: float = Field(default=0.0, ge=0, description="largest norm of the gradient; 0 = no limit")
    threads: int = Field(default=0, ge=0, le=1024, description="of the processor for each operation; 0 = the machine's")
    deterministic: bool = Field(default=True, description="refuse operations whose result depends on chance")
    loader: Loader = Loader()
    init: Initial | None = None

    @model_validator(mode="after")
    def _named_network(self) -> Recipe:
        if not isinstance(self.network.get("name"), str):
            raise ValueError("network needs a name")
        return self

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields, defaults written out."""
        found: dict[str, Any] = self.model_dump(mode="json")
        return found

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of all fields: comments, order and defaults left out make no difference."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def evaluations(self) -> int:
        """Steps between evaluations."""
        return self.evaluate_every or self.steps

    @property
    def checkpoints(self) -> int:
        """Steps between checkpoints."""
        return self.checkpoint_every or max(1, min(self.evaluations, self.steps // 10))


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A recipe with where it came from.

    Attributes:
        recipe: the fields.
        text: as it was written.
        folder: what relative paths in it start from.
    """

    recipe: Recipe
    text: str
    folder: Path


def bundled_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    folder = resources.files("samebody.lab.train") / "recipes"
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_recipe(name_or_path: str | Path, changes: Mapping[str, Any] | None = None) -> LoadedRecipe:
    """The recipe of that bundled name or path.

    Args:
        name_or_path: ``pad`` (bundled) or a path.
        changes: values put in at dotted places before it is checked (``optimiser.lr``, ``losses.0.weight``).

    Raises:
        RecipeNotFoundError: there is none.
        RecipeInvalidError: it has mistakes; every one is named, with its line.
    """
    name = str(name_or_path)
    if name in bundled_recipes():
        path = resources.files("samebody.lab.train") / "recipes" / f"{name}.yaml"
        text, folder = path.read_text(encoding="utf-8"), Path(str(path)).parent
    else:
        text, folder = _read(Path(name)), Path(name).resolve().parent
    if changes:
        text = changed(text, changes, name)
        name = f"{name} with {', '.join(changes)} put in"  # lines are those of that text
    return LoadedRecipe(parse_recipe(text, name), text, folder)


def parse_recipe(text: str, name: str = "the recipe", changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe in ``text``.

    Raises:
        RecipeInvalidError: with every mistake and its line.
    """
    if changes:
        text = changed(text, changes, name)
    try:
        recipe = parse_rules(text, Recipe, name)
        mistakes: list[str] = []
    except RuleFileError as error:
        mistakes = [message.replace("`schema_version: 1`", "`recipe: 1`") for message in error.mistakes]
        recipe = None
    mistakes += _part_mistakes(text)
    if recipe is None or mistakes:
        raise RecipeInvalidError(name, sorted(mistakes, key=_line))
    return recipe


def changed(text: str, changes: Mapping[str, Any], name: str = "the recipe") -> str:
    """``text`` as YAML with values put in at dotted places; a number in a place counts in a list, from 0.

    Raises:
        RecipeInvalidError: a place that is not there and cannot be made.
    """
    import yaml

    values = _values(text, name)
    for place, value in changes.items():
        steps = place.split(".")
        target: Any = values
        for step in steps[:-1]:
            target = _inner(target, step, place, name)
        last = steps[-1]
        if isinstance(target, list) and last.isdigit() and int(last) < len(target):
            target[int(last)] = value
        elif isinstance(target, dict):
            target[last] = value
        else:
            raise RecipeInvalidError(name, [f"{place}: there is no such place"])
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _inner(target: Any, step: str, place: str, name: str) -> Any:
    if isinstance(target, list) and step.isdigit() and int(step) < len(target):
        return target[int(step)]
    if isinstance(target, dict):
        if target.get(step) is None:
            target[step] = {}
        return target[step]
    raise RecipeInvalidError(name, [f"{place}: there is no such place"])


def _values(text: str, name: str) -> Any:
    try:
        return read_located(text).values
    except ValueError as problem:
        raise RecipeInvalidError(name, [str(problem)]) from None


def _part_mistakes(text: str) -> list[str]:
    """Names that stand in no registry and parameters that their parts refuse, as far as the text can be read."""
    try:
        located = read_located(text)
    except ValueError:
        return []
    if not isinstance(located.values, dict):
        return []
    known.load_parts()
    found = []
    for where, registry, values in _parts(located.values):
        name = values.get("name")
        if not isinstance(name, str):
            continue
        if registry is tasks:
            known.load_task(name)
        try:
            entry = registry[name]
        except UsageError as error:
            line = located.place((*where, "name"))[0]
            found.append(f"line {line}: {'.'.join(map(str, where))}: {error}")
            continue
        model = getattr(entry, "Parameters", None)
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        own = {key: value for key, value in values.items() if key not in _OUTSIDE.get(where[0], ("name",))}
        try:
            model.model_validate(own)
        except ValidationError as error:
            for entry_error in error.errors(include_url=False, include_context=False):
                place: Place = (*where, *entry_error["loc"])
                line = located.place(place)[0]
                found.append(f"line {line}: {'.'.join(map(str, place))}: {entry_error['msg']}")
    return found


_OUTSIDE: dict[Any, tuple[str, ...]] = {"losses": ("name", "weight")}
"""Keys of a part that are not its own parameters."""


def _parts(values: dict[str, Any]) -> Iterator[tuple[Place, Registry[Any], dict[str, Any]]]:
    single = {"task": tasks, "sampler": samplers, "teacher": teachers}
    several = {"losses": losses, "augment": augmentations, "domain": wrappers}
    for key, registry in single.items():
        if isinstance(values.get(key), dict):
            yield (key,), registry, values[key]
    for key, registry in several.items():
        entries = values.get(key)
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                yield (key, number), registry, entry


def _line(mistake: str) -> int:
    found = re.match(r"line (\d+)", mistake)
    return int(found[1]) if found else 0


def _read(path: Path) -> str:
    known_names = ", ".join(bundled_recipes()) or "none"
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeNotFoundError(
            f"There is no recipe {str(path)!r} ({error.strerror}).",
            hint=f"Give a path, or a bundled name: {known_names}.",
        ) from None
    if len(data) > MAX_BYTES:
        raise RecipeNotFoundError(f"{str(path)!r} is too large to be a recipe.", hint="The limit is 256 kB.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RecipeNotFoundError(f"{str(path)!r} is no text.", hint="Write it as UTF-8.") from None


__all__ = ["LoadedRecipe", "Part", "Recipe", "backbones", "bundled_recipes", "load_recipe", "parse_recipe"]
