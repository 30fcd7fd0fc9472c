"""`samebody gallery`: every command on small galleries, with the exit codes and the JSON it promises."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from samebody.cli.main import cli
from samebody.errors import SamebodyError
from samebody.search.thresholds import synthetic_vector_space

DIMENSION = 32
SPACE = synthetic_vector_space(DIMENSION).digest
KEY = "ab" * 32


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["gallery", *map(str, arguments)], env=environment)


def answer(*arguments: object, code: int = 0, **environment: str) -> dict[str, Any]:
    result = run(*arguments, "--json", **environment)
    assert result.exit_code == code, (result.output, result.exception)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refusal(*arguments: object, **environment: str) -> SamebodyError:
    result = run(*arguments, **environment)
    assert isinstance(result.exception, SamebodyError), (result.output, result.exception)
    return result.exception


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    path = tmp_path / "people"
    made = answer("create", path, "--synthetic", "vector", "--count", 300, "--dimension", DIMENSION, "--plain")
    assert made["records"] == 300 and made["protection"] == "plain"
    return path


def templates(path: Path, vectors: np.ndarray, subjects: list[str], **more: Any) -> Path:
    np.savez(path, vectors=vectors, subjects=np.array(subjects), **{"space": np.array(SPACE), **more})
    return path


def unit(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_gallery_is_sealed_or_said_to_be_plain(tmp_path: Path) -> None:
    layout = ("--vector-space", f"{SPACE}:{DIMENSION}")
    assert refusal("create", tmp_path / "a", *layout).code == "usage"
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    assert refusal("create", tmp_path / "a", *layout, "--plain", "--key-file", key).code == "usage"
    assert refusal("create", tmp_path / "a", "--plain").code == "usage"  # nothing to hold
    assert answer("create", tmp_path / "a", *layout, "--key-file", key)["protection"] == "sealed"
    assert answer("stats", tmp_path / "a", "--key-file", key)["protection"] == "sealed"
    assert answer("stats", tmp_path / "a", SAMEBODY_GALLERY_KEY=KEY)["subjects"] == 0
    assert refusal("stats", tmp_path / "a", SAMEBODY_GALLERY_KEY="cd" * 32).exit_code in (64, 74)
    assert refusal("stats", tmp_path / "a").exit_code == 64
    key.write_text("short")
    assert refusal("stats", tmp_path / "a", "--key-file", key).code == "gallery.key_file"


def test_synthetic_people_are_found_and_marked(gallery: Path) -> None:
    stats = answer("stats", gallery)
    assert stats["synthetic"] is True and stats["subjects"] == 300
    found = answer("identify", gallery, "--synthetic-person", 42)
    (search,) = found["searches"]
    assert search["answer"] == "match" and search["candidates"][0]["subject"] == "synthetic-000000042"
    assert search["comparisons"] == 300 and search["thresholds"]["vector"]["synthetic"] is True
    assert search["expected_fpir"] == pytest.approx(0.01)
    text = run("identify", gallery, "--synthetic-person", 42).output
    assert "match" in text and "synthetic-000000042" in text and "300 references" in text


def test_a_stranger_is_not_found(gallery: Path, tmp_path: Path) -> None:
    probe = templates(tmp_path / "p.npz", unit(1, 5), ["x"])
    (search,) = answer("identify", gallery, probe, code=1, )["searches"]  # fmt: skip
    assert search["answer"] == "none" and search["candidates"] == []
    (search,) = answer("identify", gallery, probe, "--below", "--candidates", 3, code=1)["searches"]
    assert [c["place"] for c in search["candidates"]] == ["below"] * 3


def test_identify_asks_for_a_probe_and_for_the_right_space(gallery: Path, tmp_path: Path) -> None:
    assert refusal("identify", gallery).code == "usage"
    foreign = templates(tmp_path / "p.npz", unit(1, 5), ["x"], space=np.array("0" * 16))
    assert refusal("identify", gallery, foreign).code == "search.space_mismatch"
    broken = tmp_path / "b.npz"
    broken.write_bytes(b"PK no")
    assert refusal("identify", gallery, broken).code == "gallery.template_file"
    for wrong in (np.zeros(3), np.array([["a"]]), np.zeros((2, 2), np.int64)):
        assert refusal("identify", gallery, templates(broken, wrong, ["x"])).code == "gallery.template_file"
    tables = tmp_path / "t.parquet"
    tables.write_bytes(b"PAR1 no")
    assert refusal("enrol", gallery, tables, "--space", SPACE).code == "gallery.template_file"
    assert refusal("identify", tmp_path / "nowhere", foreign).exit_code == 69
    assert refusal("identify", gallery, "--synthetic-person", 1, "--engine", "nonsense").code == "search.unknown_engine"


def test_duplicates_are_refused_flagged_or_allowed(gallery: Path, tmp_path: Path) -> None:
    vectors = unit(3, 9)
    first = templates(tmp_path / "one.npz", vectors, ["anna", "berta", "clara"])
    assert answer("enrol", gallery, first)["enrolled"] == 3
    assert answer("enrol", gallery, first)["known"] == 3  # the same again changes nothing
    again = templates(tmp_path / "two.npz", vectors[:1], ["alias"])
    report = tmp_path / "report.jsonl"
    refused = answer("enrol", gallery, again, "--report", report, code=1)
    assert refused["refused"] == 1 and refused["not_enrolled"][0]["candidates"] == ["anna"]
    assert json.loads(report.read_text())["outcome"] == "refused"
    assert answer("enrol", gallery, again, "--duplicates", "flag")["flagged"] == 1
    third = templates(tmp_path / "three.npz", vectors[1:2], ["alias2"])
    assert answer("enrol", gallery, third, "--duplicates", "allow")["enrolled"] == 1
    assert answer("enrol", gallery, third, "--duplicates", "allow")["known"] == 1
    found = answer("dedupe", gallery, "--out", tmp_path / "groups.json", code=1)
    people = [[name for _, name in group["people"]] for group in found["groups"] if group["kind"] == "duplicate"]
    assert ["alias", "anna"] in people and ["alias2", "berta"] in people
    assert found["expected_false_pairs"] == pytest.approx(1.0, rel=1e-3)
    assert found["pairs"]["vector"] == 305 * 304 // 2 and found["exact"] is True
    assert json.loads((tmp_path / "groups.json").read_text())["groups"] == found["groups"]
    assert "alias" in run("dedupe", gallery).output


def test_templates_of_a_table_are_enrolled(gallery: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra 'lab')")
    from pyarrow import parquet

    table = pyarrow.table({"subject": ["anna", "berta"], "vector": [row.tolist() for row in unit(2, 21)]})
    parquet.write_table(table, tmp_path / "t.parquet")
    options = ("--space", SPACE, "--duplicates", "allow")
    assert answer("enrol", gallery, tmp_path / "t.parquet", *options)["enrolled"] == 2
    assert refusal("enrol", gallery, tmp_path / "t.parquet").code == "gallery.template_file"


def test_two_galleries_are_compared(gallery: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    answer("create", other, "--vector-space", f"{SPACE}:{DIMENSION}", "--plain")
    assert answer("dedupe", gallery, "--with", other)["groups"] == []
    vectors = unit(2, 11)
    one = templates(tmp_path / "one.npz", vectors, ["anna", "berta"])
    two = templates(tmp_path / "two.npz", vectors[:1], ["a. smith"])
    answer("enrol", gallery, one, "--duplicates", "allow")
    answer("enrol", other, two)
    rate = ("--false-pairs", "1e-4", "--review-false-pairs", "1e-4")
    found = answer("dedupe", gallery, "--with", other, *rate, code=1)
    assert [[0, "anna"], [1, "a. smith"]] in [group["people"] for group in found["groups"]]


def test_deleted_people_are_gone_from_every_file(tmp_path: Path) -> None:
    path = tmp_path / "people"
    answer("create", path, "--vector-space", f"{SPACE}:{DIMENSION}", "--plain")
    vectors = unit(2, 13)
    answer("enrol", path, templates(tmp_path / "t.npz", vectors, ["anna-the-first", "berta"]))
    assert any(b"anna-the-first" in file.read_bytes() for file in path.iterdir())
    deleted = answer("delete", path, "anna-the-first", "nobody", code=1)
    assert deleted["deleted"] == {"anna-the-first": 1, "nobody": 0} and deleted["not_enrolled"] == ["nobody"]
    for file in path.iterdir():
        assert b"anna-the-first" not in file.read_bytes() and vectors[0].tobytes() not in file.read_bytes()
    assert answer("stats", path)["subjects"] == 1
    answer("delete", path, "berta", "--keep-bytes")
    answer("compact", path)
    assert answer("stats", path)["subjects"] == 0


def test_snapshots_are_restored_and_damage_is_named(gallery: Path, tmp_path: Path) -> None:
    answer("snapshot", gallery, tmp_path / "copy")
    answer("restore", tmp_path / "copy", tmp_path / "back")
    assert answer("stats", tmp_path / "back")["subjects"] == 300
    assert answer("verify", tmp_path / "back")["sound"] is True
    largest = max((tmp_path / "back").iterdir(), key=lambda file: file.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(bytes(data))
    broken = answer("verify", tmp_path / "back", code=1)
    assert broken["corruptions"][0]["file"] == largest.name
    assert "corrupt" in run("verify", tmp_path / "back").output


def test_bench_prints_speed_and_recall(gallery: Path) -> None:
    found = answer("bench", gallery, "--engines", "float32,cosine-numpy", "--probes", 5, "--repeats", 1)
    assert [row["engine"] for row in found["engines"]] == ["int8", "float32", "cosine-numpy"]
    assert all(row["recall"] == 1.0 and row["mates_found"] == 1.0 for row in found["engines"])
    assert "records/s" in run("bench", gallery, "--engines", "float32", "--probes", 5, "--repeats", 1).output
    assert refusal("bench", gallery, "--engines", "nonsense").code == "search.unknown_engine"


def test_iris_galleries_find_another_capture(tmp_path: Path) -> None:
    path = tmp_path / "irises"
    answer("create", path, "--synthetic", "iris", "--count", 60, "--plain")
    (search,) = answer("identify", path, "--synthetic-person", 7)["searches"]
    assert search["answer"] == "match" and search["candidates"][0]["subject"] == "synthetic-000000007"
    text = run("identify", path, "--synthetic-person", 7).output
    assert "HDn 0." in text and "distance" in text
    (search,) = answer("identify", path, "--synthetic-person", 7, "--engine", "hamming-cascade")["searches"]
    assert search["answer"] == "match" and search["engines"]["iris"]["miss_bound"] == pytest.approx(1e-6)
    (search,) = answer("identify", path, "--synthetic-person", 7, "--fpir", "1e-9", code=3)["searches"]
    assert search["answer"] == "undecided" and search["undecided"]["code"] == "search.threshold_unknown"


def test_pictures_of_a_manifest_are_enrolled_bad_ones_listed_and_a_repeat_is_known(
    tmp_path: Path, _weights: None
) -> None:
    from samebody.models import catalogue, weights_path

    records = catalogue()
    people = {"a": "example/person-a-1", "b": "example/person-b-1"}
    rows = ["subject,path"]
    for subject, name in people.items():
        target = tmp_path / f"{subject}.jpg"
        target.write_bytes(weights_path(records[name]).read_bytes())
        rows.append(f"{subject},{target.name}")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    rows += ["c,bad.png", "d,missing.jpg"]
    manifest = tmp_path / "people.csv"
    manifest.write_text("\n".join(rows) + "\n")
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    path = tmp_path / "faces"
    answer("create", path, "--face", "--key-file", key)
    done = answer("enrol", path, manifest, "--key-file", key, code=4)
    assert done["enrolled"] == 2 and done["bad"] == 2
    assert {turned["subject"] for turned in done["not_enrolled"]} == {"c", "d"}
    assert all(turned["reasons"][0]["message"] for turned in done["not_enrolled"])
    assert answer("enrol", path, manifest, "--key-file", key, code=4)["known"] == 2
    probe = weights_path(records["example/person-a-2"])
    (search,) = answer("identify", path, probe, "--key-file", key)["searches"]
    assert search["answer"] == "match" and search["candidates"][0]["subject"] == "a"
    assert not any(b"people" in file.read_bytes() or b'"a"' in file.read_bytes() for file in path.iterdir())


def test_a_manifest_names_every_problem(gallery: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("subject,path,modality,eye\n,a.png,,\nx,b.png,voice,\ny,c.png,iris,third\n")
    error = refusal("enrol", gallery, manifest)
    assert error.code == "search.manifest" and len(error.problems) == 3  # type: ignore[attr-defined]
    manifest.write_text("name\nx\n")
    assert len(refusal("enrol", gallery, manifest).problems) == 2  # type: ignore[attr-defined]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal("enrol", gallery, empty).code == "search.manifest"
