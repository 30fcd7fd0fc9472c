"""The threat model is held: every flow that is drawn has its threats, every threat a test that exists and is run."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
STRIDE = {"S", "T", "R", "I", "D", "E"}


def sections() -> dict[str, list[list[str]]]:
    """Rows of the table of each flow, by its heading."""
    part = TEXT.partition("## Data flows")[2].partition("\n## ")[0]
    found: dict[str, list[list[str]]] = {}
    for block in part.split("\n### ")[1:]:
        name, _, body = block.partition("\n")
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line[:1] == "|"]
        if name.startswith("F"):
            found[name] = rows[2:]
    return found


@cache
def slow_of(path: Path) -> dict[str, bool]:
    """Every test of a file, and whether it is run by ``make test-full`` alone."""
    tree = ast.parse(path.read_text("utf-8"))
    marks = [node.value for node in tree.body if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node)]
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {test.name: any("slow" in ast.unparse(each) for each in (*marks, *test.decorator_list)) for test in tests}


def named(cell: str) -> list[str]:
    return re.findall(r"`([\w/]+\.py::test_\w+)`", cell)


@pytest.mark.parametrize("flow", sections())
def test_every_threat_names_a_test_that_exists(flow: str) -> None:
    rows = sections()[flow]
    assert len(rows) >= 6
    for row in rows:
        assert len(row) == 4 and all(row), row
        tests = named(row[3])
        assert tests and re.sub(r"`[^`]*`|[,\s]", "", row[3]) == "", row
        for each in tests:
            file, _, name = each.partition("::")
            path = ROOT / "tests" / file
            assert path.is_file() and name in slow_of(path), each


@pytest.mark.parametrize("flow", sections())
def test_every_flow_is_looked_at_in_all_six_ways(flow: str) -> None:
    assert {row[0] for row in sections()[flow]} == STRIDE


def test_every_flow_that_is_drawn_has_its_threats_and_none_else() -> None:
    drawing = re.search(r"```mermaid\n(.*?)```", TEXT, re.DOTALL)
    assert drawing is not None
    drawn = set(re.findall(r"\bF\d+\b", drawing[1]))
    described = set(re.findall(r"\bF\d+\b", " ".join(name.partition(":")[0] for name in sections())))
    assert drawn == described and len(drawn) >= 10


def test_named_tests_are_not_only_slow_ones() -> None:
    slow = []
    for rows in sections().values():
        for row in rows:
            if all(slow_of(ROOT / "tests" / file)[name] for file, name in (each.split("::") for each in named(row[3]))):
                slow.append(row[1])
    assert slow == []
