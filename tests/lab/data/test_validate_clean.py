"""Validation names every broken rule at once; cleaning gives reasons and deletes nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samebody.lab.data import DataSet, ingest
from samebody.lab.data.clean import PREFIX, CleanRules, clean, inspect, judge, quarantined
from samebody.lab.data.errors import ManifestError, RulesError
from samebody.lab.data.faces import FaceFacts
from samebody.lab.data.facts import PIXELS, FactStore, PixelFacts, pixel_facts
from samebody.lab.data.manifest import text
from samebody.lab.data.validate import ColumnRule, Rules, load_rules, rules_template, validate
from tests.lab.data.conftest import OPTIONS
from tests.lab.data.pictures import encoded, folder, picture


def test_a_set_that_is_as_it_should_be_has_no_problem(data_set: DataSet) -> None:
    result = validate(data_set, data_set.manifest(), deep=True)
    assert result.valid and result.samples == 12 and "schema" in result.checked
    result.require()


def test_every_broken_rule_is_named_at_once(data_set: DataSet) -> None:
    manifest = data_set.manifest()
    rows = manifest.rows()
    rows[0]["licence"] = ""
    rows[1]["country"] = "Germany"
    rows[2]["retain_until"] = "2020-01-01"
    rows[3]["label"] = "odd"
    rows[4]["sha256"] = "xyz"
    rows[5]["bytes"] = 3
    for row, side in zip(rows, ["train"] * 2 + ["test"] * 10):
        row["split"] = side
        row["label"] = row["label"] or "bona_fide"
    data_set.object_path(rows[6]["sha256"]).unlink()
    rules = Rules(
        columns={
            "licence": ColumnRule(required=True),
            "country": ColumnRule(pattern="[A-Z]{3}"),
            "label": ColumnRule(allowed=("bona_fide", "attack"), least=2),
            "subject": ColumnRule(least=4, least_subjects=1),
            "nothing": ColumnRule(),
        }
    )
    result = validate(data_set, type(manifest).from_rows(rows), rules, today=date(2026, 1, 1))
    assert result.counts() == {
        "bytes": 3,
        "class.empty": 1,
        "class.thin": 5,
        "leakage": 1,
        "retention": 1,
        "schema.allowed": 1,
        "schema.missing_column": 1,
        "schema.pattern": 1,
        "schema.required": 1,
        "schema.str_matches": 1,
    }
    messages = " ".join(map(str, result.problems))
    for said in (
        "'attack'",
        "'odd' has a single sample",
        "subject s0 is in test and train",
        "'Germany'",
        "raw/s0/0.png",
    ):
        assert said in messages
    with pytest.raises(ManifestError) as caught:
        result.require()
    assert len(caught.value.problems) == len(result.problems)


def test_changed_bytes_of_the_same_size_are_found_by_a_deep_look_only(data_set: DataSet) -> None:
    manifest = data_set.manifest()
    path = data_set.object_path(manifest["sha256"][0])
    path.write_bytes(bytes(path.stat().st_size))
    assert validate(data_set, manifest).valid
    assert validate(data_set, manifest, deep=True).counts() == {"bytes": 1}


def test_what_is_in_quarantine_is_not_held_against_rules_of_content(data_set: DataSet) -> None:
    manifest = data_set.manifest()
    rows = manifest.rows()
    rows[0]["source"], rows[0]["quarantine"] = "", "by.hand"
    assert validate(data_set, type(manifest).from_rows(rows)).valid


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("columns: {a: {required: perhaps}, b: {most: 3}}", "most"),
        ("columns: {a: {pattern: '['}}", "pattern"),
        ("{", "cannot be read"),
        ("leakage: maybe\nunknown: 1", "unknown"),
    ],
)
def test_wrong_rules_are_refused_with_all_mistakes(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "rules.yaml").write_text(content)
    with pytest.raises(RulesError, match=said):
        load_rules(tmp_path / "rules.yaml")
    with pytest.raises(RulesError):
        load_rules(tmp_path / "none.yaml")


def test_the_example_of_rules_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(rules_template())
    assert load_rules(tmp_path / "rules.yaml").columns["label"].allowed == ("bona_fide", "attack")


# --------------------------------------------------------------------------------------------------------------- clean


def test_pixels_alone_give_unreadable_tiny_and_flat(tmp_path: Path) -> None:
    raw = folder(tmp_path / "raw", 1, 1)
    (raw / "s0" / "cut.jpg").write_bytes(encoded(picture(5), "JPEG")[:900])
    (raw / "s0" / "tiny.png").write_bytes(encoded(picture(6, 24)))
    (raw / "s0" / "flat.png").write_bytes(encoded(Image.new("RGB", (90, 90), (9, 9, 9))))
    ingest([str(raw)], tmp_path / "set", options=OPTIONS, workers=1)
    held = DataSet.open(tmp_path / "set")
    assert validate(held, held.manifest()).counts() == {"readable": 1}
    before = set((held.folder / "objects").rglob("*"))
    made, result = clean(held, CleanRules(faces=False))
    assert result.reasons == {
        "raw/s0/cut.jpg": ("clean.unreadable",),
        "raw/s0/flat.png": ("clean.flat",),
        "raw/s0/tiny.png": ("clean.tiny",),
    }
    assert validate(held, held.manifest(made)).valid and before == set((held.folder / "objects").rglob("*"))
    again, _ = clean(held, CleanRules(faces=False, min_side=8))
    assert "raw/s0/tiny.png" in held.manifest(again)["sample"][held.manifest(again).usable]


@pytest.mark.parametrize(
    ("face", "reasons"),
    [
        (FaceFacts(0, ("face.none",)), ("clean.no_face",)),
        (FaceFacts(2, ("face.several",), 0.9, 40.0, 0.0, 0.2), ("clean.several_faces",)),
        (FaceFacts(1, (), 0.9, 40.0, -90.0, 0.2), ("clean.turned",)),
        (FaceFacts(1, (), 0.9, 5.0, 0.0, 0.01), ("clean.tiny", "clean.blurred")),
        (FaceFacts(1, (), 0.9, 40.0, 5.0, 0.2), ()),
        (FaceFacts(1, (), 0.9, 40.0, 5.0, -1.0), ()),
        (None, ()),
    ],
)
def test_each_fact_of_a_face_has_its_reason(face: FaceFacts | None, reasons: tuple[str, ...]) -> None:
    assert judge(PixelFacts(format="png", width=200, height=200, hash="0" * 64), face, CleanRules()) == reasons


def test_cleaning_replaces_its_own_reasons_and_leaves_others(data_set: DataSet) -> None:
    manifest = data_set.manifest().with_columns(quarantine=text(["clean.old;by.hand"] * 12))
    made = quarantined(manifest, {"raw/s0/0.png": ("clean.new",)}, PREFIX)
    assert made["quarantine"].tolist() == ["by.hand;clean.new"] + ["by.hand"] * 11


def test_facts_are_measured_once_and_a_damaged_shard_is_measured_again(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(picture(1)))
    facts = pixel_facts(tmp_path / "a.png")
    store = FactStore(tmp_path / "facts", PIXELS)
    store.put("a" * 64, facts.to_dict())
    store.put("b" * 64, facts.to_dict())
    store.flush()
    again = FactStore(tmp_path / "facts", PIXELS)
    assert PixelFacts.from_dict(again["a" * 64]) == facts and len(again) == 2
    assert again.forget(["a" * 64]) == 1 and "a" * 64 not in again
    assert len(FactStore(tmp_path / "facts", PIXELS)) == 1
    for path in (tmp_path / "facts" / PIXELS).glob("*.jsonl"):
        path.write_bytes(b'{"sha256": "half')
    assert len(FactStore(tmp_path / "facts", PIXELS)) == 0


@pytest.mark.weights
def test_faces_are_found_blurred_turned_doubled_or_missing(tmp_path: Path) -> None:
    from PIL import ImageFilter

    from samebody.models import catalogue, weights_path

    portrait = Image.open(weights_path(catalogue()["example/person-a-1"])).convert("RGB")
    portrait.thumbnail((420, 420))
    double = Image.new("RGB", (2 * portrait.width, portrait.height))
    double.paste(portrait, (0, 0))
    double.paste(portrait, (portrait.width, 0))
    raw = tmp_path / "raw" / "s"
    raw.mkdir(parents=True)
    pictures = {
        "good": portrait,
        "blurred": portrait.filter(ImageFilter.GaussianBlur(12)),
        "turned": portrait.rotate(90, expand=True),
        "several_faces": double,
        "no_face": picture(3, 300),
    }
    for name, image in pictures.items():
        (raw / f"{name}.png").write_bytes(encoded(image))
    ingest([str(tmp_path / "raw")], tmp_path / "set", options=OPTIONS, workers=1)
    held = DataSet.open(tmp_path / "set")
    result = inspect(held, held.manifest())
    found = {name.rpartition("/")[2].removesuffix(".png"): reasons for name, reasons in result.reasons.items()}
    assert found == {name: (f"clean.{name}",) for name in pictures if name != "good"}
    assert result.samples == 5 and np.isclose(sum(result.counts.values()), 4)
