"""Validation: every rule that a version breaks, all at once. Columns are checked by a pandera schema."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from samebody.lab.data.data_set import SHORT, DataSet
from samebody.lab.data.errors import ManifestError, RulesError
from samebody.lab.data.manifest import DESCRIBED, INTEGERS, Manifest
from samebody.lab.data.split import prove
from samebody.lab.evaluate.errors import optional


class ColumnRule(BaseModel):
    """What the cells of one column must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: bool = Field(default=False, description="no cell may be empty")
    allowed: tuple[str, ...] = Field(default=(), description="values; each of them must occur")
    pattern: str = Field(default="", description="regular expression for the whole cell")
    least: int = Field(default=0, ge=0, description="samples that each value must have")
    least_subjects: int = Field(default=0, ge=0, description="subjects that each value must have")


class Rules(BaseModel):
    """Rules of a data set, as in a YAML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Mapping[str, ColumnRule] = Field(default_factory=dict)
    leakage: bool = Field(default=True, description="hold the split against subjects, bytes, groups and near pictures")
    retention: bool = Field(default=True, description="no sample may be kept beyond its day")
    readable: bool = Field(default=True, description="unreadable samples must be in quarantine")


DEFAULT = Rules(
    columns={
        "source": ColumnRule(required=True),
        "licence": ColumnRule(required=True),
        "country": ColumnRule(pattern=r"[A-Z]{3}"),
        "retain_until": ColumnRule(pattern=r"\d{4}-\d{2}-\d{2}"),
        "weight": ColumnRule(pattern=r"\d+(\.\d+)?([eE][-+]?\d+)?"),
    }
)
"""Held when no rules are given: where a sample comes from and under which licence is known."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule.

    Attributes:
        rule: stable name (``schema.required``, ``leakage``, ``class.empty`` ...).
        message: one sentence.
        sample: that breaks it; empty when it is about the whole.
    """

    rule: str
    message: str
    sample: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.sample + ': ' if self.sample else ''}{self.message}"


@dataclass(frozen=True, slots=True)
class Validation:
    """Everything that a version breaks.

    Attributes:
        problems: in the order of the rules.
        samples: rows that were checked.
        checked: names of the rules that ran.
    """

    problems: tuple[Problem, ...]
    samples: int
    checked: tuple[str, ...] = field(default=())

    @property
    def valid(self) -> bool:
        """No rule is broken."""
        return not self.problems

    def counts(self) -> dict[str, int]:
        """Problems by rule."""
        return dict(sorted(Counter(problem.rule for problem in self.problems).items()))

    def require(self, name: str = "the version") -> None:
        """Raise :class:`ManifestError` with all problems unless there is none."""
        if self.problems:
            raise ManifestError(name, [str(problem) for problem in self.problems])


def load_rules(path: Path | str) -> Rules:
    """Rules from a YAML file.

    Raises:
        RulesError: it cannot be read, or breaks the schema; all mistakes at once.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RulesError(str(path), [f"it cannot be read: {error}"]) from None
    try:
        rules = Rules.model_validate(content or {})
    except ValidationError as error:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        raise RulesError(str(path), found) from None
    import re

    wrong = []
    for name, rule in rules.columns.items():
        try:
            re.compile(rule.pattern)
        except re.error as error:
            wrong.append(f"columns.{name}.pattern: {error}")
    if wrong:
        raise RulesError(str(path), wrong)
    return rules


def validate(
    data_set: DataSet,
    manifest: Manifest,
    rules: Rules | None = None,
    *,
    deep: bool = False,
    today: date | None = None,
) -> Validation:
    """Hold a manifest against rules.

    Args:
        data_set: whose samples.
        manifest: rows; those in quarantine and duplicates are not held against rules of content.
        rules: as of :func:`load_rules`; :data:`DEFAULT` otherwise.
        deep: read all bytes and hash them, instead of their size only.
        today: for retention.
    """
    rules = rules or DEFAULT
    usable = manifest.where(manifest.usable)
    problems = [*_schema(usable, rules), *_objects(data_set, manifest, deep)]
    checked = ["schema", "bytes"]
    steps: list[tuple[str, bool, Callable[[], list[Problem]]]] = [
        ("class", True, lambda: _classes(usable, rules)),
        ("readable", rules.readable, lambda: _readable(usable)),
        ("retention", rules.retention, lambda: _retention(manifest, today or datetime.now(UTC).date())),
        ("leakage", rules.leakage and bool((usable["split"] != "").any()), lambda: _leakage(data_set, usable)),
    ]
    for name, asked, work in steps:
        if asked:
            checked.append(name)
            problems += work()
    return Validation(tuple(problems), len(manifest), tuple(checked))


def _schema(manifest: Manifest, rules: Rules) -> list[Problem]:
    pandas = optional("pandas", "validation")
    pandera = optional("pandera.pandas", "validation")
    missing = [name for name in rules.columns if name not in manifest.columns]
    problems = [Problem("schema.missing_column", f"there is no column {name!r}") for name in missing]
    check = pandera.Check
    columns: dict[str, Any] = {
        "sample": pandera.Column(object, check.str_matches(r"^\S(.*\S)?$"), unique=True),
        "sha256": pandera.Column(object, check.str_matches(r"^[0-9a-f]{64}$")),
        **{name: pandera.Column("int64", check.ge(0)) for name in INTEGERS},
    }
    for name, rule in rules.columns.items():
        if name in missing:
            continue
        checks = []
        if rule.required:
            checks.append(check(lambda cells: cells != "", name="required", error="it is empty"))
        if rule.allowed:
            allowed = ("", *rule.allowed)
            checks.append(
                check(
                    lambda cells, allowed=allowed: cells.isin(allowed),
                    name="allowed",
                    error=f"it is none of {', '.join(rule.allowed)}",
                )
            )
        if rule.pattern:
            checks.append(
                check(
                    lambda cells, rule=rule: (cells == "") | cells.str.fullmatch(rule.pattern),
                    name="pattern",
                    error=f"it does not fit {rule.pattern}",
                )
            )
        columns[name] = pandera.Column(object, checks)
    frame = pandas.DataFrame({name: manifest[name] for name in columns}, dtype=object)
    for name in INTEGERS:
        frame[name] = manifest[name]
    try:
        pandera.DataFrameSchema(columns).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        for case in error.failure_cases.to_dict("records"):
            row, column = case.get("index"), str(case.get("column"))
            sample = str(manifest["sample"][int(row)]) if row is not None and row == row else ""
            problems.append(Problem(f"schema.{_short(str(case['check']))}", _told(column, case), sample))
    return problems


def _short(check: str) -> str:
    known = {
        "it is empty": "required",
        "it is none": "allowed",
        "it does not fit": "pattern",
        "field_uniqueness": "unique",
    }
    return next((name for start, name in known.items() if check.startswith(start)), check.partition("(")[0])


def _told(column: str, case: Mapping[str, Any]) -> str:
    value = case.get("failure_case")
    return f"{column}: {value!r}: {case['check']}" if value not in ("", None) else f"{column}: {case['check']}"


def _objects(data_set: DataSet, manifest: Manifest, deep: bool) -> list[Problem]:
    problems = []
    checked: dict[str, str] = {}
    for sample, sha256, size in zip(manifest["sample"], manifest["sha256"], manifest["bytes"]):
        if sha256 not in checked:
            checked[sha256] = _object(data_set, sha256, int(size), deep)
        if checked[sha256]:
            problems.append(Problem("bytes", checked[sha256], sample))
    return problems


def _object(data_set: DataSet, sha256: str, size: int, deep: bool) -> str:
    path = data_set.object_path(sha256)
    try:
        found = path.stat().st_size
    except OSError:
        return f"the bytes {sha256[:SHORT]} are missing"
    if found != size:
        return f"the bytes {sha256[:SHORT]} are {found:,}, not {size:,}"
    if deep:
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                return f"the bytes {sha256[:SHORT]} have changed"
    return ""


def _classes(manifest: Manifest, rules: Rules) -> list[Problem]:
    problems = []
    for name, rule in rules.columns.items():
        if name not in manifest.columns:
            continue
        counts = Counter(value for value in manifest[name].tolist() if value)
        problems += [
            Problem("class.empty", f"{name}: no usable sample is {value!r}")
            for value in rule.allowed
            if not counts[value]
        ]
        for value, count in sorted(counts.items()):
            if count < rule.least:
                what = "a single sample" if count == 1 else f"{count} samples"
                problems.append(Problem("class.thin", f"{name}: {value!r} has {what}, {rule.least} are asked for"))
        if rule.least_subjects:
            held: dict[str, set[str]] = {}
            for value, subject in zip(manifest[name], manifest["subject"]):
                if value and subject:
                    held.setdefault(value, set()).add(subject)
            for value in sorted(counts):
                subjects = len(held.get(value, ()))
                if subjects < rule.least_subjects:
                    message = f"{name}: {value!r} has {subjects} subjects, {rule.least_subjects} are asked for"
                    problems.append(Problem("class.few_subjects", message))
    return problems


def _readable(manifest: Manifest) -> list[Problem]:
    rows = np.flatnonzero(manifest["format"] == "")
    return [
        Problem("readable", "it does not decode and is not in quarantine (`samebody data clean`)", sample)
        for sample in manifest["sample"][rows]
    ]


def _retention(manifest: Manifest, today: date) -> list[Problem]:
    problems = []
    for sample, cell in zip(manifest["sample"], manifest["retain_until"]):
        try:
            if cell and date.fromisoformat(cell) < today:
                problems.append(Problem("retention", f"it was to be erased after {cell}", sample))
        except ValueError:
            problems.append(Problem("retention", f"{cell!r} is no date (YYYY-MM-DD)", sample))
    return problems


def _leakage(data_set: DataSet, manifest: Manifest) -> list[Problem]:
    return [Problem("leakage", leak) for leak in prove(data_set, manifest).leaks]


def rules_template() -> str:
    """An example of a rules file with every kind of rule."""
    held = [name for name in DESCRIBED if name in ("source", "licence")]
    lines = ["# rules for `samebody data validate`", "columns:"]
    lines += [f"  {name}: {{required: true}}" for name in held]
    lines += [
        "  label: {required: true, allowed: [bona_fide, attack], least: 20}",
        "  subject: {required: true, least: 2}",
        "  country: {pattern: '[A-Z]{3}'}",
        "  gender: {least_subjects: 10}",
        "leakage: true",
        "retention: true",
        "readable: true",
    ]
    return "\n".join(lines) + "\n"
