"""Gate files: every mistake at once, and each limit means what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samebody.lab.evaluate.compare import Comparison, Difference
from samebody.lab.evaluate.gates import GateFile, judge_gates, load_gates
from samebody.lab.evaluate.rules import RuleFileError, RuleFileMissingError, parse_rules

ENTRY = Difference(
    metric="fnmr",
    target=1e-3,
    group="all",
    a=0.02,
    b=0.03,
    difference=0.01,
    interval=(0.004, 0.016),
    simultaneous=(-0.001, 0.021),
    ratio=1.5,
    ratio_interval=(1.2, 1.9),
    a_upper=0.02,
    errors_a=20,
    errors_b=30,
    trials_a=1000,
    trials_b=1000,
    only_a=5,
    only_b=15,
    subjects=200,
    indicative=False,
)


def comparison(*entries: Difference) -> Comparison:
    return Comparison("a", "b", "A", "B", "set", {1e-3: (0.4, 0.4)}, entries, (1e-3,), 1, 100, 0.95, 3.0, 0.1)


def judged(rule: str, *entries: Difference) -> list[str]:
    gates = parse_rules(f"schema_version: 1\ngates:\n  - {{metric: fnmr, at_fmr: 1e-3, {rule}}}\n", GateFile)
    return [outcome.status for outcome in judge_gates(gates, comparison(*(entries or (ENTRY,)))).outcomes]


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ("beyond_interval: true", "broken"),
        ("worse_by_points: 0.3", "broken"),  # the lower end is +0.4 points
        ("worse_by_points: 0.5", "kept"),
        ("worse_by_points: 0.5, judge: estimate", "broken"),
        ("worse_by_points: 1.2, judge: estimate", "kept"),
        ("worse_by_points: 1.2, judge: upper", "broken"),  # not shown to be within 1.2 points
        ("worse_by_points: 1.7, judge: upper", "kept"),
        ("worse_by_factor: 1.1", "broken"),
        ("worse_by_factor: 1.3", "kept"),
        ("worse_by_factor: 1.4, judge: estimate", "broken"),
        ("worse_by_factor: 1.6, judge: estimate", "kept"),
        ("worse_by_factor: 1.8, judge: upper", "broken"),
        ("worse_by_factor: 2, judge: upper", "kept"),
        ("beyond_interval: true, least_errors: 31", "not judged"),
    ],
)
def test_each_limit_and_each_way_to_judge(rule: str, status: str) -> None:
    assert judged(rule) == [status]


def test_each_group_is_judged_by_the_simultaneous_interval() -> None:
    groups = [replace(ENTRY, group=name) for name in ("north", "east")]
    assert judged("group: north, beyond_interval: true", *groups) == ["broken"]
    assert judged("group: each, beyond_interval: true", *groups) == ["kept", "kept"]
    clear = replace(groups[1], simultaneous=(0.001, 0.019))
    assert judged("group: each, beyond_interval: true", groups[0], clear) == ["kept", "broken"]
    assert judged("group: each, worse_by_factor: 1.1", groups[0], clear) == ["kept", "broken"]


def test_a_better_run_keeps_every_gate() -> None:
    better = replace(ENTRY, a=0.03, b=0.02, difference=-0.01, interval=(-0.016, -0.004), ratio_interval=(0.5, 0.8))
    for rule in (
        "beyond_interval: true",
        "worse_by_points: 0",
        "worse_by_factor: 1",
        "worse_by_factor: 1, judge: upper",
    ):
        assert judged(rule, better) == ["kept"]


def test_a_rate_of_zero_in_the_live_run_counts_as_its_upper_bound() -> None:
    none = replace(ENTRY, a=0.0, b=0.03, errors_a=0, ratio=None, a_upper=0.02)
    assert judged("worse_by_factor: 1.4, judge: estimate", none) == ["broken"]
    assert judged("worse_by_factor: 1.6, judge: estimate", none) == ["kept"]


def test_every_mistake_of_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gates.yaml"
    path.write_text(
        "schema_version: 1\n"
        "gates:\n"
        "  - metric: fnmrr\n"  # 3
        "    at_fmr: 2\n"  # 4
        "    beyond_interval: true\n"
        "  - metric: fnmr\n"  # 6: two limits
        "    at_fmr: 1e-3\n"
        "    worse_by_points: 1\n"
        "    worse_by_factor: 2\n"
        "  - metric: fta\n"  # 10: fta with a threshold
        "    at_fmr: 1e-3\n"
        "    beyond_interval: true\n"
        "  - metric: fmr\n"
        "    at_fmr: 1e-3\n"
        "    worse_by_facter: 2\n"  # 15
        "    metric: fmr\n"  # 16: twice
    )
    with pytest.raises(RuleFileError) as caught:
        load_gates(path)
    text = str(caught.value)
    assert len(caught.value.mistakes) == 6, text
    for part in (
        "line 3: gates.0.metric: 'fnmrr' does not fit",
        "line 4: gates.0.at_fmr: '2.0' does not fit" if "'2.0'" in text else "line 4: gates.0.at_fmr: '2' does not fit",
        "line 6: gates.1: needs exactly one of",
        "line 10: gates.2: at_fmr belongs to fnmr and fmr",
        "line 15: gates.3.worse_by_facter: is not known; did you mean worse_by_factor?",
        "line 16: gates.3.metric stands twice",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    "text", ["", "[]", "gates: {", "a: *b", "schema_version: 1\ngates: []", "schema_version: 2\ngates: [1]", "\x00"]
)
def test_what_is_no_gate_file_is_refused_in_words(text: str) -> None:
    with pytest.raises(RuleFileError):
        parse_rules(text, GateFile)


def test_aliases_that_hold_themselves_and_bombs_are_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdef", "bcdefg")
    )
    for text in ("gates: &a [*a]", bomb):
        with pytest.raises(RuleFileError):
            parse_rules(text, GateFile)


def test_a_missing_file_and_a_binary_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleFileMissingError):
        load_gates(tmp_path / "none.yaml")
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(RuleFileMissingError):
        load_gates(tmp_path / "x.yaml")


def test_gates_on_what_was_not_compared_are_all_named() -> None:
    gates = parse_rules(
        """
        schema_version: 1
        gates:
          - {metric: fnmr, at_fmr: 1e-5, beyond_interval: true}
          - {metric: fnmr, at_fmr: 1e-3, group: nobody, beyond_interval: true}
          - {metric: fnmr, at_fmr: 1e-3, group: each, beyond_interval: true}
          - {metric: fmr, at_fmr: 1e-3, beyond_interval: true}
          - {metric: fta, beyond_interval: true}
          - {metric: fnmr, at_fmr: 1e-3, beyond_interval: true}
        """,
        GateFile,
    )
    with pytest.raises(RuleFileError) as caught:
        judge_gates(gates, comparison(ENTRY))
    assert len(caught.value.mistakes) == 5
    for part in ("FMR 1e-05 was not compared", "no group 'nobody'", "no groups", "set by the thresholds", "no failure"):
        assert part in str(caught.value)


def test_the_example_in_the_documentation_is_a_gate_file() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "compare-runs.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    gates = parse_rules(example, GateFile).gates
    assert len(gates) == 4
    for key in type(gates[0]).model_fields:
        assert key == "name" or f"`{key}`" in page or f"`{key}:" in page
