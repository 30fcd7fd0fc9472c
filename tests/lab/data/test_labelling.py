"""Labelling: schema, order of tasks, independent answers, adjudication, agreement, exchange."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from samebody.errors import StorageError
from samebody.lab.data import DataSet
from samebody.lab.data.errors import DataSetError, LabelError, RulesError
from samebody.lab.data.faces import Templates
from samebody.lab.data.labelling import LabelProject, LabelSchema, krippendorff_alpha, load_schema
from samebody.lab.data.labelling.agreement import Metric, confusion
from samebody.lab.data.labelling.label_studio import configuration, export_tasks, import_annotations
from samebody.lab.data.labelling.priority import priorities
from samebody.lab.data.labelling.project import Label
from samebody.lab.data.labelling.queue import model_priorities
from samebody.lab.data.labelling.schema import EXAMPLE
from samebody.lab.data.manifest import text

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): four observers, twelve units, missing values
PUBLISHED = [
    "123321412...",
    "12332241250 3".replace("0 ", "."),
    ".33323422 51.".replace(" ", ""),
    "123324412 51.".replace(" ", ""),
]


def published_units() -> list[list[float]]:
    rows = [row.ljust(12, ".") for row in PUBLISHED]
    return [[float(row[k]) for row in rows if row[k] != "."] for k in range(12)]


@pytest.mark.parametrize(("metric", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_the_published_example(metric: Metric, value: float) -> None:
    assert krippendorff_alpha(published_units(), metric) == pytest.approx(value, abs=5e-4)


def naive_alpha(units: Sequence[Sequence[int]], metric: str) -> float | None:
    """1 - mean difference within units over mean difference between all values, pair by pair."""
    pairable = [unit for unit in units if len(unit) > 1]
    values = [value for unit in pairable for value in unit]

    def apart(one: int, two: int) -> float:
        if metric == "nominal":
            return float(one != two)
        if metric == "interval":
            return float((one - two) ** 2)
        low, high = min(one, two), max(one, two)
        between = sum(low <= value <= high for value in values)
        return (between - (values.count(low) + values.count(high)) / 2) ** 2 if one != two else 0.0

    expected = [apart(a, b) for a, b in permutations(values, 2)]
    if not expected or sum(expected) == 0:
        return None
    observed = sum(apart(a, b) / (len(unit) - 1) for unit in pairable for a, b in permutations(unit, 2)) / len(values)
    return 1 - observed / (sum(expected) / len(expected))


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=0, max_size=4), min_size=1, max_size=8),
    st.sampled_from(["nominal", "ordinal", "interval"]),
)
def test_alpha_is_that_of_the_definition(units: list[list[int]], metric: Metric) -> None:
    expected, found = naive_alpha(units, metric), krippendorff_alpha(units, metric)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert found == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=10))
def test_perfect_agreement_is_one(values: list[str]) -> None:
    assume(len(set(values)) > 1)
    assert krippendorff_alpha([[value, value] for value in values]) == pytest.approx(1.0)


def test_confusion_counts_pairs() -> None:
    assert confusion([("a", "a"), ("a", "b"), ("a", "b")], ["a", "b"]) == {"a": {"a": 1, "b": 2}, "b": {"a": 0, "b": 0}}


# -------------------------------------------------------------------------------------------------------------- schema


def test_the_example_schema_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "schema.yaml").write_text(EXAMPLE)
    schema = load_schema(tmp_path / "schema.yaml")
    assert schema.names == ("bona_fide", "attack") and schema.keys() == {"bona_fide": "1", "attack": "2"}


@pytest.mark.parametrize(
    "content",
    [
        "name: x",
        EXAMPLE.replace("name: attack", "name: bona_fide"),
        EXAMPLE.replace("  - name: attack", "  - name: attack\n    key: s"),
        EXAMPLE.replace("labels: 2", "labels: 0"),
        "- a list",
        "{",
    ],
)
def test_wrong_schemas_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "schema.yaml").write_text(content)
    with pytest.raises(RulesError):
        load_schema(tmp_path / "schema.yaml")


# ------------------------------------------------------------------------------------------------------------- project


@pytest.fixture
def schema(tmp_path: Path) -> LabelSchema:
    (tmp_path / "schema.yaml").write_text(EXAMPLE)
    return load_schema(tmp_path / "schema.yaml")


@pytest.fixture
def project(data_set: DataSet, schema: LabelSchema, tmp_path: Path) -> LabelProject:
    names = data_set.manifest()["sample"].tolist()[:4]
    gold = {data_set.manifest()["sample"][4]: "attack"}
    urgency = {names[2]: 1.5, names[0]: 0.5}
    return LabelProject.create(
        tmp_path / "project", data_set, data_set.version(), schema, names, priority=urgency, gold=gold
    )


def answer(project: LabelProject, who: str, sample: str, label: str) -> None:
    project.add(Label(f"raw/s{sample}.png", who, label))


def test_tasks_come_by_priority_and_never_twice(project: LabelProject) -> None:
    seen = []
    while task := project.next_task("ann"):
        seen.append(task.sample)
        project.add(Label(task.sample, "ann", "attack"))
    assert seen[0] == "raw/s0/2.png" and len(seen) == len(set(seen)) == 5
    assert project.next_task("bob") is not None


def test_two_agree_or_a_third_decides(project: LabelProject) -> None:
    answer(project, "ann", "0/0", "attack")
    assert project.state("raw/s0/0.png") == "open"
    answer(project, "bob", "0/0", "attack")
    answer(project, "ann", "0/1", "attack")
    answer(project, "bob", "0/1", "bona_fide")
    assert project.state("raw/s0/0.png") == "agreed" and project.state("raw/s0/1.png") == "disputed"
    assert project.next_task("ann", adjudicate=True) is None
    task = project.next_task("eve", adjudicate=True)
    assert task is not None and task.sample == "raw/s0/1.png"
    with pytest.raises(LabelError):
        project.add(Label(task.sample, "ann", "attack", "adjudication"))
    with pytest.raises(LabelError):
        project.add(Label("raw/s0/0.png", "eve", "attack", "adjudication"))
    project.add(Label(task.sample, "eve", "bona_fide", "adjudication"))
    assert project.final(task.sample) == "bona_fide" and project.state(task.sample) == "adjudicated"
    made = project.apply()
    labels = dict(zip(project.data_set.manifest(made)["sample"], project.data_set.manifest(made)["label"]))
    assert labels["raw/s0/0.png"] == "attack" and labels["raw/s0/1.png"] == "bona_fide"
    assert labels["raw/s1/0.png"] == "" and made.step["figures"]["labelled"] == 2


def test_skips_undo_and_a_third_labeller(project: LabelProject) -> None:
    answer(project, "ann", "0/0", "")
    answer(project, "bob", "0/0", "attack")
    assert project.state("raw/s0/0.png") == "open"
    answer(project, "eve", "0/0", "attack")
    assert project.final("raw/s0/0.png") == "attack"
    project.add(Label("raw/s0/0.png", "bob", "", "undo"))
    assert project.state("raw/s0/0.png") == "open" and "bob" not in project.answers("raw/s0/0.png")
    answer(project, "bob", "0/0", "bona_fide")
    assert project.state("raw/s0/0.png") == "disputed"


@pytest.mark.parametrize(
    ("sample", "who", "label"),
    [
        ("none", "ann", "attack"),
        ("raw/s0/0.png", " ", "attack"),
        ("raw/s0/0.png", "ann", "other"),
        ("raw/s0/0.png", "x" * 65, ""),
    ],
)
def test_answers_that_do_not_fit_are_refused_and_not_written(
    project: LabelProject, sample: str, who: str, label: str
) -> None:
    good = Label("raw/s0/1.png", "ann", "attack")
    with pytest.raises(LabelError):
        project.add(good, Label(sample, who, label))
    assert not project.labels() and not LabelProject(project.folder).labels()
    project.add(good)
    with pytest.raises(LabelError, match="already"):
        project.add(good)


def test_answers_survive_and_a_torn_line_is_dropped(project: LabelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(project, "ann", "0/0", "attack")
    with (project.folder / "labels.jsonl").open("ab") as stream:
        stream.write(b'{"sample": "raw/s0/1.png", "lab')
    again = LabelProject(project.folder)
    assert len(again.labels()) == 1
    answer(again, "ann", "0/1", "attack")
    answer(project, "bob", "0/1", "attack")  # the first process sees what the second wrote
    assert project.state("raw/s0/1.png") == "agreed" and len(LabelProject(project.folder).labels()) == 3

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("samebody.lab.data.labelling.project.os.fsync", full)
    with pytest.raises(StorageError):
        answer(project, "ann", "0/2", "attack")
    assert "ann" not in project.answers("raw/s0/2.png")


def test_the_report_shows_agreement_gold_and_confusion(project: LabelProject) -> None:
    for who, labels in {"ann": "aabba", "bob": "aabab"}.items():
        for sample, label in zip(("0/0", "0/1", "0/2", "1/0", "1/1"), labels):
            answer(project, who, sample, {"a": "attack", "b": "bona_fide"}[label])
    project.add(Label("raw/s1/0.png", "eve", "bona_fide", "adjudication"))
    report = project.report()
    assert report.tasks == {"open": 0, "agreed": 3, "disputed": 1, "adjudicated": 1}
    units = [["a", "a"], ["a", "a"], ["b", "b"], ["b", "a"], ["a", "b"]]
    assert report.alpha == pytest.approx(krippendorff_alpha(units)) and report.units == 5
    assert report.pairs == {"ann / bob": 0.6}
    assert report.labellers["ann"]["gold accuracy"] == 1.0 and report.labellers["bob"]["gold accuracy"] == 0.0
    assert report.labellers["bob"]["confusion"]["bona_fide"] == {"bona_fide": 1, "attack": 1}
    assert set(report.labellers) == {"ann", "bob"}


def test_projects_over_what_is_not_there_are_refused(
    data_set: DataSet, schema: LabelSchema, project: LabelProject, tmp_path: Path
) -> None:
    version = data_set.version()
    with pytest.raises(LabelError, match="not in the version"):
        LabelProject.create(tmp_path / "a", data_set, version, schema, ["none"])
    with pytest.raises(LabelError, match="no class"):
        LabelProject.create(tmp_path / "b", data_set, version, schema, [], gold={"raw/s0/0.png": "odd"})
    with pytest.raises(DataSetError, match="not empty"):
        LabelProject.create(project.folder, data_set, version, schema, ["raw/s0/0.png"])
    with pytest.raises(DataSetError):
        LabelProject(tmp_path)
    with pytest.raises(LabelError, match="final answer"):
        project.apply()


# ------------------------------------------------------------------------------------------------------------ priority


def test_the_unsure_and_the_contradicted_come_first() -> None:
    probabilities = np.array([[0.98, 0.02], [0.5, 0.5], [0.02, 0.98], [0.98, 0.02]])
    found = priorities(probabilities, ["a", "a", "a", ""], ["a", "b"])
    assert found[1] == pytest.approx(1.0) and found[2] > found[1] > found[0] and found[3] == pytest.approx(found[0])
    models = [np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.8, 0.2], [0.1, 0.9]])]
    two = priorities(models, ["", ""], ["a", "b"])
    assert two[1] > two[0] + 0.5


def test_the_queue_of_a_model_puts_a_wrong_label_first(data_set: DataSet, schema: LabelSchema) -> None:
    labels = ["attack", "bona_fide", "attack"] * 4
    manifest = data_set.manifest().with_columns(label=text([*labels[:11], ""]))
    features = np.zeros((12, 4), np.float32)
    features[:, 0] = [1 if label == "attack" else -1 for label in labels]
    features[7, 0] *= -1
    found = model_priorities(data_set, manifest, schema, templates=Templates(features, np.arange(12), "space"))
    assert max(found, key=lambda name: found[name]) == manifest["sample"][7] and len(found) == 12


# ------------------------------------------------------------------------------------------------------------ exchange


def test_what_is_exported_comes_back(project: LabelProject, data_set: DataSet, schema: LabelSchema) -> None:
    answer(project, "ann", "0/0", "attack")
    answer(project, "bob", "0/0", "")
    content = json.dumps(export_tasks(project, "/objects/"))
    assert "gold" not in content
    other = LabelProject.create(
        project.folder.parent / "other", data_set, data_set.version(), schema, list(project.tasks)
    )
    assert import_annotations(other, content) == 2 and import_annotations(other, content) == 0
    assert other.answers("raw/s0/0.png") == {"ann": "attack", "bob": ""}
    first = json.loads(content)[0]
    assert first["data"]["image"] == f"/objects/{first['data']['sha256'][:2]}/{first['data']['sha256']}"


def test_an_export_of_the_other_tool_is_read(project: LabelProject) -> None:
    task = {
        "id": 7,
        "data": {"image": "/x.png", "sample": "raw/s0/0.png"},
        "annotations": [
            {
                "completed_by": 3,
                "was_cancelled": False,
                "lead_time": 4.2,
                "result": [
                    {"from_name": "c", "to_name": "i", "type": "choices", "value": {"choices": ["attack"]}, "id": "z"}
                ],
            }
        ],
    }
    assert import_annotations(project, [task]) == 1
    assert project.labels()[0].labeller == "3" and project.labels()[0].seconds == 4.2


def test_exports_that_do_not_fit_change_nothing(project: LabelProject) -> None:
    result = [{"value": {"choices": ["odd"]}}]
    bad = [
        {"data": {"sample": "none"}, "annotations": []},
        {"data": {"sample": "raw/s0/0.png"}, "annotations": [{"completed_by": "a", "result": result}]},
        {"data": {"sample": "raw/s0/1.png"}, "annotations": [{"completed_by": "a", "result": [{"value": 3}]}]},
        {"data": {"sample": "raw/s0/2.png"}, "annotations": [{"completed_by": "a", "result": []}]},
        "text",
    ]
    with pytest.raises(RulesError) as caught:
        import_annotations(project, bad)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 4 and not project.labels()
    for content in ("{", "{}", "3"):
        with pytest.raises(RulesError):
            import_annotations(project, content)


def test_the_interface_names_every_class(schema: LabelSchema) -> None:
    from xml.etree import ElementTree

    view = ElementTree.fromstring(configuration(schema))
    assert [choice.get("value") for choice in view.iter("Choice")] == list(schema.names)
