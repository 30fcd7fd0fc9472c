"""The schema of a labelling: the question, the classes with definitions and examples, the rules, how many labels."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from samebody.lab.data.errors import RulesError

RESERVED = "su"
"""Keys of the page: skip, undo."""


class LabelClass(BaseModel):
    """One class that a labeller may choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=64, description="what stands in the manifest")
    key: str = Field(default="", max_length=1, description="key on the page; its number otherwise")
    definition: str = Field(min_length=1, description="when it applies, in one or two sentences")
    examples: tuple[str, ...] = Field(default=(), description="samples that show it")


class LabelSchema(BaseModel):
    """What is asked of labellers, as in a YAML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    column: str = Field(default="label", description="column of the manifest that the answer is for")
    question: str = Field(min_length=1)
    classes: tuple[LabelClass, ...] = Field(min_length=2, max_length=30)
    rules: tuple[str, ...] = Field(default=(), description="what to do in doubtful cases")
    labels: int = Field(default=2, ge=1, le=10, description="independent labels for each task")

    @model_validator(mode="after")
    def _distinct(self) -> LabelSchema:
        names = [entry.name for entry in self.classes]
        keys = list(self.keys().values())
        problems = [f"the class {name!r} is named twice" for name in sorted({n for n in names if names.count(n) > 1})]
        problems += [f"the key {key!r} is given twice" for key in sorted({k for k in keys if keys.count(k) > 1})]
        problems += [f"the key {key!r} is reserved (skip, undo)" for key in keys if key in RESERVED]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def keys(self) -> dict[str, str]:
        """Class to its key: as given, or 1-9 and then the letters."""
        free = [key for key in "123456789abcdefghijklmnopqrtvwxyz" if key not in {c.key for c in self.classes}]
        return {entry.name: entry.key.lower() or free.pop(0) for entry in self.classes}

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(entry.name for entry in self.classes)


def load_schema(path: Path | str) -> LabelSchema:
    """A schema from a YAML file.

    Raises:
        RulesError: it cannot be read or breaks the schema; all mistakes at once.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RulesError(str(path), [f"it cannot be read: {error}"]) from None
    try:
        return LabelSchema.model_validate(content)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc'])) or 'schema'}: {e['msg']}" for e in error.errors(include_url=False)]
        raise RulesError(str(path), found) from None


EXAMPLE = """\
name: presentation
column: label
question: Does the picture show a living person in front of the camera?
classes:
  - name: bona_fide
    definition: A living person, not shown through paper, a screen or a mask.
  - name: attack
    definition: A print, a screen or a mask stands in for the person.
    examples: []
rules:
  - A frame or bezel in view decides for attack, whatever the face looks like.
  - When in doubt, skip; do not guess.
labels: 2
"""
