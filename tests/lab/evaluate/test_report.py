"""The report: self-contained, complete, escaped, and honest about rates of zero."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from samebody.cli.evaluate_report import command
from samebody.lab.evaluate.report import ReportOptions, charts, report_files
from samebody.lab.evaluate.report.words import one_in, plain_words, share
from samebody.lab.evaluate.runs import Run
from samebody.lab.evaluate.scores import ScoreSet
from samebody.measure import Costs
from tests.lab.evaluate.factory import counted, measured, synthetic_scores, written


def run_of(scores: ScoreSet, name: str = "toy/a", **options: object) -> Run:
    return Run(Path(name), measured(scores, name, replicates=30, **options), scores)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run() -> Run:
    return run_of(synthetic_scores(failed=(3,)))


@pytest.fixture(scope="module")
def files(run: Run) -> dict[str, str]:
    return report_files([run])


class _Well(HTMLParser):
    """Notes tags that do not close in order."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def sound(html: str) -> None:
    """No outside reference, no script, tags that close, charts that are XML."""
    assert "<script" not in html and "http:" not in html and "https:" not in html and "url(" not in html
    assert "default-src 'none'" in html
    checker = _Well()
    checker.feed(html)
    assert not checker.wrong and not checker.open
    drawn = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    for picture in drawn:
        root = ET.fromstring(picture)
        assert root.attrib["role"] == "img" and root.attrib["aria-label"]
        numbers = re.findall(r'(?:x|y|x1|x2|y1|y2|cx|cy|r|points)="([^"]*)"', picture)
        assert not [n for n in numbers if "nan" in n or "inf" in n]


def test_the_report_is_self_contained_and_holds_every_part(files: dict[str, str]) -> None:
    html = files["report.html"]
    sound(html)
    for part in (
        "In plain words",
        "Thresholds",
        "Detection error trade-off",
        "Failures, and whole attempts",
        "Groups, at the same thresholds for everybody",
        "False matches between groups",
        "Quality",
        "What mistakes cost",
        "Example costs; give your own",
        "Calibration",
        "Worst errors",
        "How this was made",
        "The words",
    ):
        assert part in html, part


def test_json_and_csv_hold_the_figures_of_the_run(run: Run, files: dict[str, str]) -> None:
    data = json.loads(files["report.json"])
    figures = run.result.to_dict()
    assert data["runs"][0]["thresholds"] == json.loads(json.dumps(figures["thresholds"]))
    assert len(data["runs"][0]["worst_false_matches"]) == 20
    best = data["runs"][0]["cost"]
    assert best["optimum"]["expected_cost"] == min(best["expected_cost"])
    rows = list(csv.DictReader(io.StringIO(files["report.csv"])))
    assert len(rows) == 3 * 4
    assert {row["group"] for row in rows} == {"all", "north", "east", "south"}
    assert float(rows[0]["fmr"]) == run.result.thresholds[0].fmr.rate


def test_the_worst_errors_are_the_worst(run: Run, files: dict[str, str]) -> None:
    worst = json.loads(files["report.json"])["runs"][0]
    mated = np.sort(run.scores.mated.scores)[:20]
    assert [entry["score"] for entry in worst["worst_false_non_matches"]] == pytest.approx(mated.tolist())
    assert [entry["score"] for entry in worst["worst_false_matches"]] == pytest.approx(
        np.sort(run.scores.non_mated.scores)[::-1][:20].tolist()  # type: ignore[union-attr]
    )
    assert all(len(set(entry["subjects"])) == 2 for entry in worst["worst_false_matches"])


def test_names_are_text_and_never_markup(run: Run) -> None:
    bad = "<script>alert(1)</script>"
    scores = replace(
        run.scores,
        samples=np.array([f"{bad}{n}" for n in range(len(run.scores.samples))]),
        subjects=np.array([f"{bad}{n}" for n in range(len(run.scores.subjects))]),
        group_names=(f'"><img src=x onerror=1>{bad}', "b&b", "c"),
    )
    html = report_files([run_of(scores, bad)])["report.html"]
    sound(html)
    assert "<img" not in html and "b&amp;b" in html


def test_a_rate_of_zero_is_drawn_at_its_bound_and_marked() -> None:
    run = run_of(synthetic_scores(subjects=30, separation=9.0), targets=(1e-2,))
    row = run.result.thresholds[0]
    assert row.fnmr is not None and row.fnmr.errors == 0
    html = report_files([run])["report.html"]
    sound(html)
    assert 'class="mark hollow' in html and "none seen: FNMR at most" in html
    assert "0 seen" in html and "at most 9.5 %" in html
    assert "no pairs of the same person (with 95 % confidence at most 10 in 100)" in html


@pytest.mark.parametrize("kind", ["no mated", "no groups", "counted", "independent", "no quality", "given"])
def test_runs_of_every_kind_have_a_report(kind: str) -> None:
    from samebody.lab.evaluate.verification import GivenThreshold

    scores = synthetic_scores(subjects=30, groups=() if kind == "no groups" else ("north", "south"))
    options: dict[str, object] = {}
    if kind == "no mated":
        scores = replace(scores, mated=scores.mated.chosen(np.zeros(len(scores.mated), bool)))
    if kind == "counted":
        scores = counted(scores, 300)
    if kind == "independent":
        scores = replace(scores, independent=True)
    if kind == "no quality":
        scores = synthetic_scores(subjects=30, quality=False)
    if kind == "given":
        options["given"] = [GivenThreshold(0.3)]
    files = report_files([run_of(scores, **options)])
    sound(files["report.html"])
    json.loads(files["report.json"])
    assert ("<h2>Detection error trade-off" in files["report.html"]) == (kind != "no mated")


def test_several_runs_share_one_report(run: Run) -> None:
    other = run_of(synthetic_scores(algorithm=1), "toy/b")
    files = report_files([run, other])
    sound(files["report.html"])
    assert "Side by side" in files["report.html"] and "2 runs" in files["report.html"]
    assert len(list(csv.DictReader(io.StringIO(files["report.csv"])))) == 24


def test_costs_given_are_costs_used(run: Run) -> None:
    costs = Costs(false_accept=1000, false_reject=2, impostor=0.05, review=0.1)
    html = report_files([run], ReportOptions(costs=costs))["report.html"]
    assert "Example costs" not in html and "With reviewers who are right" in html
    optimum = json.loads(report_files([run], ReportOptions(costs=costs))["report.json"])["runs"][0]["cost"]["optimum"]
    cheap = json.loads(report_files([run])["report.json"])["runs"][0]["cost"]["optimum"]
    assert optimum["accept_at"] > cheap["accept_at"]


def test_pictures_only_when_asked_and_only_from_inside_the_folder(run: Run, tmp_path: Path) -> None:
    from PIL import Image as Pillow

    inside = tmp_path / "samples"
    inside.mkdir()
    names = run.scores.samples.copy()
    worst = run.scores.worst_mated(1)[0]
    one, two = run.scores.mated.probe[worst], run.scores.mated.reference[worst]
    names = names.astype("<U40")
    names[one], names[two] = "face.png", "../secret.png"
    for path in (inside / "face.png", tmp_path / "secret.png"):
        Pillow.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(path)
    named = replace(run, scores=replace(run.scores, samples=names))
    assert "data:image" not in report_files([named], ReportOptions(worst=1))["report.html"]
    html = report_files([named], ReportOptions(worst=1, pictures=inside))["report.html"]
    assert html.count("data:image/jpeg") == 1 and "not found" in html


def test_the_command_writes_beside_the_run_or_where_it_is_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name, synthetic_scores(subjects=24), f"toy/{name}", replicates=20)
    done = CliRunner().invoke(command, [str(tmp_path / "a")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a" / "report.html").is_file() and (tmp_path / "a" / "run.json").is_file()
    both = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert CliRunner().invoke(command, both).exception is not None
    done = CliRunner().invoke(command, [*both, "--out", str(tmp_path / "out"), "--worst", "0"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.csv", "report.html", "report.json"]
    half = CliRunner().invoke(command, [both[0], "--cost-false-accept", "3"])
    assert "--cost-false-reject, --impostors" in str(half.exception)


# ------------------------------------------------------------------------------------------------------------ pieces


@given(st.floats(1e-9, 0.999))
def test_shares_are_said_within_their_rounding(rate: float) -> None:
    part, _, whole = share(rate).partition(" in ")
    assert float(part) / float(whole.replace(",", "")) == pytest.approx(rate, rel=0.5)
    if rate < 0.5:
        assert 1 / float(one_in(rate).split(" in ")[1].replace(",", "")) == pytest.approx(rate, rel=0.35)


@pytest.mark.parametrize(
    ("rate", "said"), [(0.5, "50 in 100"), (0.013, "1 in 100"), (0.0021, "2 in 1,000"), (0, "0"), (1e-4, "1 in 10,000")]
)
def test_shares_as_people_say_them(rate: float, said: str) -> None:
    assert share(rate) == said


def test_the_plain_words_name_the_group_with_most_mistakes() -> None:
    result = measured(synthetic_scores(mated_shift={"south": -1.5}), bands=False)
    text = " ".join(plain_words(result))
    assert "In the group south people are not recognised as themselves" in text
    assert "living person" in text


@given(low=st.floats(-1e3, 1e3), span=st.floats(1e-6, 1e4))
def test_ticks_lie_between_the_ends(low: float, span: float) -> None:
    ticks = charts.nice_ticks(low, low + span)
    assert 1 <= len(ticks) <= 12
    slack = 1e-6 * max(span, abs(low), 1)
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


@given(st.floats(1e-12, 0.5), st.floats(1e-12, 0.5))
def test_the_probit_axis_keeps_the_order(first: float, second: float) -> None:
    frame = charts.Frame(charts.probit, charts.probit, (1e-9, 0.6), (1e-9, 0.6))
    if first < second:
        assert frame.at_x(first) <= frame.at_x(second)
        assert frame.at_y(first) >= frame.at_y(second)
