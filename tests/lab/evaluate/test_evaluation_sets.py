"""Reading the sets, grouping repeats of people, forming populations: against small sets written by the test."""

from __future__ import annotations

import csv
import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from samebody.errors import UsageError
from samebody.lab.evaluate.evaluation_sets import (
    AGE_BANDS,
    DataSetError,
    Sample,
    connected_components,
    population,
    read_fairface,
    read_orl,
    read_repeats,
)
from samebody.lab.evaluate.grey_maps import GreyMapError


def write_fairface(root: Path, rows: list[tuple[str, str, str]]) -> None:
    (root / "fairface" / "images").mkdir(parents=True)
    with (root / "fairface" / "labels.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "age", "gender", "race"])
        for number, (age, gender, race) in enumerate(rows):
            writer.writerow([f"images/{number}.png", age, gender, race])
            pixels = np.full((24, 24, 3), number, dtype=np.uint8)
            PillowImage.fromarray(pixels).save(root / "fairface" / "images" / f"{number}.png")


def write_orl(root: Path, people: int = 3, each: int = 2) -> None:
    for person, number in itertools.product(range(1, people + 1), range(1, each + 1)):
        folder = root / "orl" / f"s{person:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        grey = np.full((30, 20), 10 * person + number, dtype=np.uint8)
        (folder / f"{number}.pgm").write_bytes(b"P5\n# made by a test\n20 30\n255\n" + grey.tobytes())


ROWS = [("20-29", "Male", "Black"), ("30-39", "Male", "Black"), ("3-9", "Female", "White"), ("50-59", "Male", "Black")]


def test_fairface_is_read_with_labels_hashes_and_pixels(tmp_path):
    write_fairface(tmp_path, ROWS)
    found = read_fairface(tmp_path)
    assert [(s.file, s.age, s.group) for s in found.samples][1] == ("fairface/images/1.png", "30-39", "Black Male")
    content = (tmp_path / "fairface/images/1.png").read_bytes()
    assert found.samples[1].sha256 == hashlib.sha256(content).hexdigest()
    assert found.load(found.samples[3]).pixels.mean() == 3


def test_orl_is_read_as_people_with_grey_pictures(tmp_path):
    write_orl(tmp_path, each=11)
    found = read_orl(tmp_path)
    assert len(found.samples) == 33
    assert [s.file for s in found.samples[:11]][-1] == "orl/s01/11.pgm"  # in the order of numbers, not of letters
    assert {s.person for s in found.samples} == {"orl/s01", "orl/s02", "orl/s03"}
    image = found.load(found.samples[0])
    assert image.pixels.shape == (30, 20, 3)
    assert np.all(image.pixels == 11)


def test_the_digest_is_that_of_the_sha256sum_lines_in_any_order(tmp_path):
    write_orl(tmp_path)
    found = read_orl(tmp_path)
    lines = sorted(f"{sample.sha256}  {sample.file}\n" for sample in reversed(found.samples))
    assert found.digest == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_sets_that_are_not_as_expected_are_refused(tmp_path):
    with pytest.raises(DataSetError):
        read_fairface(tmp_path)
    with pytest.raises(DataSetError):
        read_orl(tmp_path)
    write_fairface(tmp_path, [("ancient", "Male", "Black")])
    with pytest.raises(DataSetError, match="ancient"):
        read_fairface(tmp_path)
    (tmp_path / "fairface" / "labels.csv").write_text("file,age\nimages/0.png,20-29\n")
    with pytest.raises(DataSetError, match="columns"):
        read_fairface(tmp_path)
    (tmp_path / "fairface" / "labels.csv").write_text("file,age,gender,race\nimages/9.png,20-29,Male,Black\n")
    with pytest.raises(DataSetError, match="not there"):
        read_fairface(tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"P5", b"P5 4 4 255\nxx", b"P6 1 1 255\nabc", b"P5 1 1 65535\nab", b"P5 a b c\n"]
)
def test_a_damaged_grey_map_is_refused(tmp_path, data):
    write_orl(tmp_path)
    found = read_orl(tmp_path)
    (tmp_path / found.samples[0].file).write_bytes(data)
    with pytest.raises(GreyMapError):
        found.load(found.samples[0])


def write_repeats(path: Path, rows: list[tuple[Sample, Sample, str]]) -> Path:
    lines = ["# a comment", "file_a,sha256_a,file_b,sha256_b,score,decision"]
    lines += [f"{a.file},{a.sha256},{b.file},{b.sha256},0.7,{decision}" for a, b, decision in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def samples(count: int) -> list[Sample]:
    return [Sample(f"f/{n}.jpg", f"{n:064x}", f"f/{n}.jpg") for n in range(count)]


def test_pairs_decided_same_join_pictures_into_people(tmp_path):
    known = samples(6)
    rows = [(known[0], known[1], "same"), (known[1], known[2], "same"), (known[3], known[4], "different")]
    found = read_repeats(write_repeats(tmp_path / "r.csv", rows), known)
    assert found.groups == (("f/0.jpg", "f/1.jpg", "f/2.jpg"),)
    assert (found.pairs, found.reviewed) == (2, 3)
    people = found.people(known)
    assert people[0] == people[1] == people[2]
    assert len(set(people)) == 4


def test_a_list_for_other_pictures_is_refused(tmp_path):
    known = samples(2)
    path = write_repeats(tmp_path / "r.csv", [(known[0], Sample("f/1.jpg", "0" * 64, ""), "same")])
    with pytest.raises(DataSetError, match="hash"):
        read_repeats(path, known)
    path = write_repeats(tmp_path / "r.csv", [(known[0], known[1], "perhaps")])
    with pytest.raises(DataSetError, match="perhaps"):
        read_repeats(path, known)
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataSetError, match="columns"):
        read_repeats(tmp_path / "r.csv", known)
    with pytest.raises(DataSetError):
        read_repeats(tmp_path / "none.csv", known)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_components_hold_exactly_what_paths_connect(pairs):
    names = [(str(a), str(b)) for a, b in pairs]
    groups = connected_components(names)
    reach = {name: {name} for pair in names for name in pair}
    for _ in range(10):
        for a, b in names:
            union = reach[a] | reach[b]
            for name in union:
                reach[name] = reach[name] | union
    assert {frozenset(group) for group in groups} == {frozenset(members) for members in reach.values()}


people = st.lists(
    st.tuples(st.sampled_from(AGE_BANDS), st.sampled_from(["Male", "Female"]), st.sampled_from(["Black", "White"])),
    max_size=30,
)


@given(people, st.sampled_from(["matched-adults", "matched-minors", "all-pairs"]))
def test_populations_pair_whom_the_standard_says(rows, name):
    known = [Sample(str(n), "", str(n), race, gender, age) for n, (age, gender, race) in enumerate(rows)]
    chosen = population(name, known)
    cell = dict(zip(chosen.members.tolist(), chosen.cells.tolist()))
    for i, j in itertools.combinations(range(len(known)), 2):
        a, b = known[i], known[j]
        bands = (AGE_BANDS.index(a.age), AGE_BANDS.index(b.age))
        if name == "all-pairs":
            expected = True
        else:
            side = min(bands) >= 3 if name == "matched-adults" else max(bands) < 3
            expected = side and a.group == b.group and abs(bands[0] - bands[1]) <= 1
        meets = i in cell and j in cell and bool(chosen.compatible[cell[i], cell[j]])
        assert meets == expected


def test_a_group_keeps_its_own_people_only():
    known = [Sample(str(n), "", str(n), race, "Male", "20-29") for n, race in enumerate(["Black", "White", "Black"])]
    assert population("matched-adults", known, "Black Male").members.tolist() == [0, 2]


def test_an_unknown_population_is_refused():
    with pytest.raises(UsageError):
        population("twins", [])
