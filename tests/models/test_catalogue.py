"""Records are read strictly, all mistakes at once; operating points stand beside them and never change a space."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.config import Settings
from samebody.errors import NotMeasuredError
from samebody.models import ModelRecord, ScoreHistogram, catalogue, read_records, write_operating_points
from samebody.models.catalogue import read_provenance
from samebody.models.errors import ContractError, NotWritableError, RecordError, UnknownModelError
from samebody.types import OperatingPoint

from .factory import record_text, tiny_embedder

DATA, _ = tiny_embedder(16, 16, 8)
OWN = '[[sources]]\nkind = "file"\npath = "tiny.onnx"\n'


def point(fmr: float, threshold: float, **changes: object) -> OperatingPoint:
    base = OperatingPoint(
        fmr=fmr,
        threshold=threshold,
        realised_fmr=fmr * 0.99,
        population="matched-adults",
        dataset="d",
        pairs=10**6,
        subjects=2000,
        errors=100,
        effective_errors=50.0,
        fmr_interval=(fmr / 2, fmr * 2),
        fnmr=0.02,
        fnmr_interval=(0.01, 0.03),
        mated_pairs=500,
        mated_subjects=40,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.fixture
def own(settings: Settings) -> Path:
    folder = settings.records_dirs[0]
    folder.mkdir(parents=True)
    (folder / "tiny.onnx").write_bytes(DATA)
    (folder / "tiny.toml").write_text(record_text(DATA, sources=OWN))
    return folder / "tiny.toml"


def test_own_records_stand_beside_the_bundled_ones(settings: Settings, own: Path) -> None:
    known = catalogue(settings)
    assert known["own/tiny"].path == own and not known["own/tiny"].bundled
    assert known["face/sface"].bundled
    assert list(known) == sorted(known)
    assert set(read_records(own.parent)) == {"own/tiny"}


def test_an_unknown_id_names_the_known_ones(settings: Settings) -> None:
    with pytest.raises(UnknownModelError, match="face/sface"):
        catalogue(settings)["face/nobody"]


def test_all_mistakes_of_all_files_come_at_once(settings: Settings, own: Path) -> None:
    text = own.read_text()
    broken = text.replace('colour = "rgb"', 'colour = "blue"').replace('spdx = "Apache-2.0"', "spdx = 7")
    (own.parent / "a.toml").write_text(broken + 'extra = "x"\n')
    (own.parent / "b.toml").write_text("id = \n")
    (own.parent / "c.toml").write_bytes(b"\xff\xfe")
    (own.parent / "d.toml").write_text(text.replace("own/tiny", "face/sface"))
    (own.parent / "e.toml").write_text(text)
    with pytest.raises(RecordError) as error:
        catalogue(settings)
    lines = str(error.value).splitlines()
    for expected in (
        ("a.toml", "input.image.colour"),
        ("a.toml", "licence.spdx"),
        ("a.toml", "extra"),
        ("b.toml", ""),
        ("c.toml", ""),
        ("d.toml", "id: face/sface"),
        ("tiny.toml", "id: own/tiny is taken"),
    ):
        assert any(all(part in line for part in expected) for line in lines), expected


@pytest.mark.parametrize("suffix", ["pt", "pth", "pkl", "pickle", "ckpt", "joblib", "bin", "npy", "PT"])
def test_a_record_cannot_name_a_pickle(settings: Settings, own: Path, suffix: str) -> None:
    own.write_text(own.read_text().replace("tiny.onnx", f"tiny.{suffix}"))
    with pytest.raises(RecordError, match="pickle"):
        catalogue(settings)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../x.onnx", "a/../../x.onnx", "C:/x.onnx", "a\\\\x.onnx"])
def test_a_record_cannot_name_a_file_outside_its_folder(settings: Settings, own: Path, path: str) -> None:
    own.write_text(own.read_text().replace('path = "tiny.onnx"', f'path = "{path}"'))
    with pytest.raises(RecordError, match="relative path"):
        catalogue(settings)


def test_a_folder_without_records_is_a_typed_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RecordError):
            read_records(folder)


def test_points_are_written_beside_the_record_and_read_back(settings: Settings, own: Path) -> None:
    before = catalogue(settings)["own/tiny"]
    histogram = ScoreHistogram(start=-1, stop=1, count=4, mated=(0, 0, 3, 4), non_mated=(9, 5, 0, 0), dataset="d")
    points = [
        point(1e-4, 0.5),
        point(1e-2, 0.25),
        point(1e-2, 0.2, population="all-pairs"),
        point(1e-6, 0.8, extrapolated=True, realised_fmr=0.0),
    ]
    text = own.read_text()
    path = write_operating_points("own/tiny", points, histogram, {"command": "measure"}, settings=settings)
    assert path == own.with_name("tiny.points.json") and own.read_text() == text
    after = catalogue(settings)["own/tiny"]
    assert set(after.operating_points) == set(points)
    assert after.score_histogram == histogram
    assert after.embedding_space() == before.embedding_space()
    assert read_provenance(after) == {"command": "measure"}
    assert after.operating_point(1e-4).threshold == 0.5
    assert after.operating_point(1e-2, population="all-pairs").threshold == 0.2
    assert sorted(p.name for p in own.parent.iterdir()) == ["tiny.onnx", "tiny.points.json", "tiny.toml"]


def test_a_rate_that_was_not_measured_is_an_error_and_extrapolation_must_be_asked_for(
    settings: Settings, own: Path
) -> None:
    write_operating_points(own, [point(1e-4, 0.5), point(1e-6, 0.8, extrapolated=True)])
    record = catalogue(settings)["own/tiny"]
    for fmr, population in (
        (1e-3, "matched-adults"),
        (5e-5, "matched-adults"),
        (1e-4, "minors"),
        (1e-6, "matched-adults"),
    ):
        with pytest.raises(NotMeasuredError) as error:
            record.operating_point(fmr, population)
        assert error.value.hint
    assert record.operating_point(1e-6, allow_extrapolated=True).extrapolated
    assert record.operating_point(0.1**4).threshold == 0.5  # however 1e-4 was computed


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([point(1e-2, 0.2), point(1e-2, 0.3)], "two points"),
        ([point(1e-2, 0.3), point(1e-3, 0.2)], "threshold falls"),
        ([point(1e-4, 0.5), point(5e-7, 0.9, extrapolated=True)], "100 times"),
        ([point(1e-6, 0.9, extrapolated=True)], "100 times"),
        ([point(1e-2, 0.2, realised_fmr=0.02)], "realised_fmr"),
        ([point(1e-2, 0.2, effective_errors=12.0)], "rule of 30"),
        ([point(1e-2, float("nan"))], "threshold"),
        ([point(1e-2, 0.2, fmr_interval=(0.2, 0.1))], "fmr_interval"),
        ([point(1e-2, 0.2, mated_pairs=0)], "mated_pairs"),
    ],
)
def test_points_that_contradict_each_other_are_not_written(
    settings: Settings, own: Path, points: list[OperatingPoint], message: str
) -> None:
    write_operating_points(own, [point(1e-4, 0.4)])
    before = own.with_name("tiny.points.json").read_bytes()
    with pytest.raises(RecordError, match=message):
        write_operating_points(own, points)
    assert own.with_name("tiny.points.json").read_bytes() == before


def test_points_of_another_space_are_refused(settings: Settings, own: Path) -> None:
    write_operating_points(own, [point(1e-4, 0.4)])
    own.write_text(own.read_text().replace('colour = "rgb"', 'colour = "bgr"'))
    with pytest.raises(RecordError, match="measure again"):
        catalogue(settings)


def test_points_in_two_places_are_refused(settings: Settings, own: Path) -> None:
    write_operating_points(own, [point(1e-4, 0.4)])
    entry = json.loads(own.with_name("tiny.points.json").read_text())["operating_points"][0]
    table = "\n".join(f"{name} = {json.dumps(value)}" for name, value in entry.items())
    own.write_text(f"{own.read_text()}\n[[operating_points]]\n{table}\n")
    with pytest.raises(RecordError, match="remove one"):
        catalogue(settings)
    own.with_name("tiny.points.json").unlink()
    assert catalogue(settings)["own/tiny"].operating_point(1e-4).threshold == 0.4


@pytest.mark.parametrize("content", ["", "[]", '{"space": "x"}', '{"schema_version": 2, "space": "0123456789abcdef"}'])
def test_a_broken_sidecar_is_a_typed_error(settings: Settings, own: Path, content: str) -> None:
    own.with_name("tiny.points.json").write_text(content)
    with pytest.raises(RecordError, match=r"tiny\.points\.json"):
        catalogue(settings)


def test_a_failed_write_leaves_the_old_points(settings: Settings, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_operating_points(own, [point(1e-4, 0.4)])

    def broken(descriptor: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("samebody.models.points.os.fsync", broken)
    with pytest.raises(NotWritableError):
        write_operating_points(own, [point(1e-4, 0.6)])
    assert catalogue(settings)["own/tiny"].operating_point(1e-4).threshold == 0.4
    assert len(list(own.parent.iterdir())) == 3


def test_only_an_embedder_has_points(settings: Settings) -> None:
    with pytest.raises((ContractError, RecordError)):
        write_operating_points("face/yunet", [point(1e-4, 0.4)], settings=settings)


def test_a_record_cannot_be_changed_in_place(settings: Settings) -> None:
    record: ModelRecord = catalogue(settings)["face/sface"]
    with pytest.raises(ValueError, match="frozen"):
        record.version = "x"  # type: ignore[misc]


@given(
    position=st.integers(0, 1500),
    length=st.integers(0, 40),
    replacement=st.binary(max_size=12)
    | st.sampled_from([b"[" * 3000, b"= 1", b'"""', b"\n[input]\n", b"1e999", b"nan"]),
)
def test_a_record_with_anything_in_it_is_read_or_refused(
    settings: Settings, position: int, length: int, replacement: bytes
) -> None:
    folder = settings.records_dirs[0]
    folder.mkdir(parents=True, exist_ok=True)
    text = record_text(DATA, sources=OWN).encode()
    (folder / "tiny.toml").write_bytes(text[:position] + replacement + text[position + length :])
    try:
        assert isinstance(next(iter(read_records(folder).values())), ModelRecord)
    except RecordError as error:
        assert "tiny.toml" in str(error)


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: f'{{"space": "{text}"}}'.encode()))
def test_a_sidecar_with_anything_in_it_is_refused(settings: Settings, content: bytes) -> None:
    folder = settings.records_dirs[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.toml").write_text(record_text(DATA, sources=OWN))
    (folder / "tiny.points.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"tiny\.points\.json"):
        read_records(folder)
