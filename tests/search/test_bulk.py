"""Bulk enrolment: bad pictures are listed, nothing is done twice, and a kill loses nothing that was acknowledged."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from samebody.search.bulk import (
    BulkReport,
    Embedded,
    Item,
    ManifestError,
    enrol_items,
    enrol_templates,
    folder_items,
    manifest_items,
)
from samebody.search.enrolment import EnrolmentPolicy
from samebody.search.gallery import Gallery
from samebody.search.identify import SearchPolicy
from samebody.search.session import Session, synthetic_iris_space
from samebody.search.thresholds import synthetic_vector_space
from samebody.search.types import Layout
from samebody.types import Reason

DIMENSION = 32
LAYOUT = Layout("vector", synthetic_vector_space(DIMENSION).digest, DIMENSION)
IRIS = Layout("iris", synthetic_iris_space(200).digest, 200)


class FakeFaces:
    """A vector drawn from the content of a file; a file that says ``bad`` has none."""

    space = LAYOUT.space

    def __init__(self) -> None:
        self.opened: list[str] = []

    def embed(self, items: Iterable[Item]) -> Iterator[Embedded]:
        for item in items:
            self.opened.append(item.path.name)
            content = item.path.read_bytes() if item.path.exists() else b"bad"
            if content.startswith(b"bad"):
                yield Embedded(item, reasons=(Reason("face.none", "No face.", "Look here."),))
                continue
            seed = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
            vector = np.random.default_rng(seed).standard_normal(DIMENSION)
            yield Embedded(item, vector=(vector / np.linalg.norm(vector)).astype(np.float32))


class FakeIrises:
    """Codes of synthetic person number = content of the file."""

    space = IRIS.space

    def embed(self, items: Iterable[Item]) -> Iterator[Embedded]:
        from samebody.synth.iris import IrisCodePopulation

        for item in items:
            codes, masks = IrisCodePopulation(3).references(int(item.path.read_text()), 1)
            yield Embedded(item, iris=(codes[0], masks[0]))


def run(
    gallery: Gallery, items: list[Item], faces: FakeFaces, duplicates: str = "refuse", batch: int = 4
) -> BulkReport:
    search = SearchPolicy(fpir=1e-6, review_fpir=1e-5, allow_extrapolated=True)
    policy = EnrolmentPolicy(duplicates=duplicates, search=search)  # type: ignore[arg-type]
    enroller = Session(gallery).enroller(policy)
    return enrol_items(enroller, gallery, items, {"vector": faces, "iris": FakeIrises()}, batch=batch)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for person in ("anna", "berta", "clara"):
        (folder / person).mkdir(parents=True)
        for number in range(3):
            (folder / person / f"{number}.png").write_text(f"{person} {number}")
    (folder / "clara" / "2.png").write_text("bad picture")
    (folder / "emil.jpg").write_text("emil")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_folders_name_subjects_and_eyes(pictures: Path) -> None:
    items = folder_items(pictures)
    assert [(item.subject, item.name) for item in items][:2] == [("anna", "anna/0.png"), ("anna", "anna/1.png")]
    assert len(items) == 10 and items[-1].subject == "emil" and len({item.digest for item in items}) == 10
    (pictures / "anna" / "left").mkdir()
    (pictures / "anna" / "left" / "1.png").write_text("0")
    (pictures / "anna" / "R.png").write_text("1")
    eyes = {item.name: item.eye for item in folder_items(pictures, "iris")}
    assert eyes["anna/left/1.png"] == "left" and eyes["anna/R.png"] == "right" and eyes["anna/0.png"] == "unknown"


def test_bad_pictures_are_listed_and_stop_nothing(pictures: Path, tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "g", layouts=[LAYOUT], key=None) as gallery:
        report = run(gallery, folder_items(pictures), FakeFaces())
        assert (report.items, report.enrolled, report.bad) == (10, 9, 1)
        (turned,) = report.turned
        assert turned.subject == "clara" and turned.path.endswith("2.png") and turned.reasons[0].message == "No face."
        assert len(gallery.records_of("anna")) == 3 and gallery.subject_count() == 4


def test_a_repeat_opens_only_what_is_not_enrolled(pictures: Path, tmp_path: Path) -> None:
    faces = FakeFaces()
    with Gallery.create(tmp_path / "g", layouts=[LAYOUT], key=None) as gallery:
        run(gallery, folder_items(pictures)[:5], faces)
        assert len(faces.opened) == 5
        report = run(gallery, folder_items(pictures), faces)
        assert (report.known, report.enrolled, report.bad) == (5, 4, 1) and len(faces.opened) == 10
        again = run(gallery, folder_items(pictures), faces)
        assert (again.known, again.enrolled) == (9, 0) and faces.opened[10:] == ["2.png"]  # the bad one is tried again
        assert len(gallery) == 9


def test_a_person_under_another_name_is_refused_with_the_candidate(pictures: Path, tmp_path: Path) -> None:
    (pictures / "zoe").mkdir()
    (pictures / "zoe" / "a.png").write_text("anna 1")  # the very picture of anna
    with Gallery.create(tmp_path / "g", layouts=[LAYOUT], key=None) as gallery:
        report = run(gallery, folder_items(pictures), FakeFaces())
        assert report.refused == 1 and report.turned[-1].candidates == ("anna",) and not gallery.has("zoe")
        flagged = run(gallery, folder_items(pictures), FakeFaces(), "flag")
        assert flagged.flagged == 1 and gallery.records_of("zoe")[0].attributes["flag"] == "duplicate"


def test_faces_and_irises_of_one_person_are_enrolled_together(tmp_path: Path) -> None:
    (tmp_path / "f.png").write_text("face")
    (tmp_path / "e.png").write_text("17")
    manifest = tmp_path / "m.csv"
    manifest.write_text("subject,path,modality,eye,birth\nanna,f.png,face,,b1\nanna,e.png,iris,left,\n")
    items = manifest_items(manifest)
    assert [(item.modality, item.eye) for item in items] == [("vector", "unknown"), ("iris", "left")]
    with Gallery.create(tmp_path / "g", layouts=[LAYOUT, IRIS], key=None) as gallery:
        assert run(gallery, items, FakeFaces(), "allow").enrolled == 2
        held = {record.modality: record.attributes for record in gallery.records_of("anna")}
        assert held["iris"]["eye"] == "left" and held["vector"]["birth"] == "b1"
        assert held["iris"]["item"] == held["vector"]["item"] and held["iris"]["source"] != held["vector"]["source"]
        assert run(gallery, items, FakeFaces(), "allow").known == 2


@pytest.mark.parametrize(
    ("text", "problems"),
    [("subject,path\n", 1), ("a,b\n1,2\n", 2), ("subject,path,eye\nx,y,up\nz,,\n,w,\n", 3)],
)
def test_a_manifest_names_all_its_problems(tmp_path: Path, text: str, problems: int) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(ManifestError) as caught:
        manifest_items(path)
    assert len(caught.value.problems) == problems


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no picture"):
        folder_items(tmp_path)
    with pytest.raises(ManifestError, match="no folder"):
        folder_items(tmp_path / "nowhere")


def test_templates_are_written_once(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).standard_normal((2500, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"s{number}" for number in range(2500)]
    with Gallery.create(tmp_path / "g", layouts=[LAYOUT], key=None) as gallery:
        enroller = Session(gallery).enroller(EnrolmentPolicy(duplicates="allow"))
        first = enrol_templates(enroller, gallery, "vector", names, vectors, space=LAYOUT.space, name="file")
        again = enrol_templates(enroller, gallery, "vector", names, vectors, space=LAYOUT.space, name="file")
        assert (first.enrolled, again.enrolled, again.known) == (2500, 0, 2500) and len(gallery) == 2500


def test_templates_that_are_none_are_listed_and_stop_nothing(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).standard_normal((50, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[7, 3], vectors[9] = np.nan, 0.0
    names = [f"s{number}" for number in range(50)]
    for duplicates in ("allow", "refuse"):
        policy = EnrolmentPolicy(duplicates=duplicates, search=SearchPolicy(fpir=1e-9, review_fpir=1e-9))  # type: ignore[arg-type]
        with Gallery.create(tmp_path / duplicates, layouts=[LAYOUT], key=None) as gallery:
            enroller = Session(gallery).enroller(policy)
            done = enrol_templates(
                enroller, gallery, "vector", names, vectors, space=LAYOUT.space, name="file", batch=10
            )
            assert (done.items, done.enrolled, done.bad) == (50, 48, 2)
            assert [turned.subject for turned in done.turned] == ["s7", "s9"] and not gallery.has("s7")


PROGRAM = """
import sys
from pathlib import Path
from tests.search.test_bulk import FakeFaces, run
from samebody.search.bulk import folder_items
from samebody.search.gallery import Gallery
gallery = Gallery.open(sys.argv[1], mode="w")
print("ready", flush=True)
report = run(gallery, folder_items(Path(sys.argv[2])), FakeFaces(), "allow", batch=3)
print(report.enrolled, report.known, flush=True)
"""


def test_killed_runs_go_on_without_repeating_or_losing(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    for number in range(240):
        (folder / f"p{number % 60}").mkdir(parents=True, exist_ok=True)
        (folder / f"p{number % 60}" / f"{number}.png").write_text(f"picture {number}")
    Gallery.create(tmp_path / "g", layouts=[LAYOUT], key=None).close()
    generator = np.random.default_rng(4)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "g"), str(folder)]
    counts = [0]
    for _ in range(3):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert child.stdout is not None and child.stdout.readline().strip() == b"ready"
        time.sleep(float(generator.uniform(0.02, 0.25)))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        with Gallery.open(tmp_path / "g") as gallery:
            counts.append(len(gallery))
    assert counts == sorted(counts)
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    enrolled, known = map(int, done.stdout.split()[1:])
    assert known == counts[-1] and enrolled + known == 240
    with Gallery.open(tmp_path / "g") as gallery:
        sources = [r.attributes["source"] for name in gallery.subjects() for r in gallery.records_of(name)]
        assert len(sources) == len(set(sources)) == 240
