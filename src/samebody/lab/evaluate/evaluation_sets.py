"""Evaluation pictures as files with labels: reading the two sets, grouping repeats of people, forming populations.

Labels of race, gender and age belong to the evaluation data. They are never an output of the product.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.config import Limits
from samebody.errors import InputError, UsageError
from samebody.lab.evaluate.images import digest_of, load_picture
from samebody.types import Image

AGE_BANDS = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
FIRST_ADULT_BAND = AGE_BANDS.index("20-29")
POPULATIONS = ("matched-adults", "all-pairs", "matched-minors")

CREDITS = {
    "fairface": "FairFace: K. Kärkkäinen and J. Joo, WACV 2021; CC BY 4.0. A subset of its training part: 12,600 "
    "pictures, 900 of each of 7 race x 2 gender labels.",
    "orl": "The ORL Database of Faces, AT&T Laboratories Cambridge; F. Samaria and A. Harter, 1994. 400 "
    "pictures of 40 people.",
}


class DataSetError(InputError):
    """A folder of evaluation pictures is missing, incomplete or labelled in an unknown way."""

    code = "measure.data_set"


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of an evaluation set.

    Attributes:
        file: path below the folder of all sets, with ``/``: its identifier.
        sha256: of the file.
        person: who it shows as far as the set knows; the file itself where the set has no identity labels.
        race, gender, age: labels of the set; empty where it has none.
    """

    file: str
    sha256: str
    person: str
    race: str = ""
    gender: str = ""
    age: str = ""

    @property
    def group(self) -> str:
        """Label of race and gender."""
        return f"{self.race} {self.gender}".strip()


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """A set of labelled pictures below ``root``."""

    name: str
    root: Path
    samples: tuple[Sample, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted lines ``sha256  file``: what ``sha256sum`` prints, so that anybody can check it."""
        return digest_of((sample.sha256, sample.file) for sample in self.samples)

    def load(self, sample: Sample, limits: Limits | None = None) -> Image:
        """Decode the picture of ``sample``; raises the typed errors of :func:`samebody.capture.decode_image`."""
        return load_picture(self.root / sample.file, limits)


def read_fairface(root: Path, name: str = "fairface") -> EvaluationSet:
    """Read ``root/fairface``: ``labels.csv`` with columns file, age, gender, race, and the pictures it names.

    Raises:
        DataSetError: with what is missing or unknown.
    """
    labels = root / name / "labels.csv"
    try:
        with labels.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise DataSetError(f"{labels} cannot be read: {error.strerror}.", hint="Name the folder of the sets.") from None
    if not rows or {"file", "age", "gender", "race"} - set(rows[0]):
        raise DataSetError(f"{labels} must have columns file, age, gender, race.")
    unknown = sorted({row["age"] for row in rows} - set(AGE_BANDS))
    if unknown:
        raise DataSetError(f"{labels} has unknown age bands: {', '.join(unknown)}.")
    samples = []
    for row in rows:
        file = f"{name}/{row['file']}"
        digest = _digest(root / file)
        samples.append(Sample(file, digest, file, row["race"], row["gender"], row["age"]))
    return EvaluationSet(name, root, tuple(samples))


def read_orl(root: Path, name: str = "orl") -> EvaluationSet:
    """Read ``root/orl``: one folder for each person with grey ``.pgm`` pictures.

    Raises:
        DataSetError: when there is no such folder, or fewer than two people.
    """
    paths = sorted((root / name).glob("*/*.pgm"), key=lambda path: (path.parent.name, len(path.stem), path.stem))
    if len({path.parent for path in paths}) < 2:
        raise DataSetError(f"{root / name} holds no folders of people with .pgm pictures.")
    samples = tuple(
        Sample(f"{name}/{path.parent.name}/{path.name}", _digest(path), f"{name}/{path.parent.name}") for path in paths
    )
    return EvaluationSet(name, root, samples)


def _digest(path: Path) -> str:
    if not path.is_file():
        raise DataSetError(f"{path} is named in the labels and is not there.")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# ------------------------------------------------------------------------------------------------- repeats of people


@dataclass(frozen=True, slots=True)
class Repeats:
    """Groups of files that show one person, although the set calls them different pictures.

    Attributes:
        groups: file identifiers, each group sorted, at least two in each.
        pairs: reviewed pairs that were found to show one person.
        reviewed: all pairs that were reviewed.
        sha256: of the list.
    """

    groups: tuple[tuple[str, ...], ...]
    pairs: int
    reviewed: int
    sha256: str

    def people(self, samples: Sequence[Sample]) -> list[str]:
        """The person of each sample, with the members of a group made one person."""
        first = {file: group[0] for group in self.groups for file in group}
        return [first.get(sample.file, sample.person) for sample in samples]


def read_repeats(path: Path, samples: Iterable[Sample]) -> Repeats:
    """Read a reviewed list: columns file_a, sha256_a, file_b, sha256_b, decision (``same`` or ``different``), and more.

    Pairs decided ``same`` are joined into connected components.

    Raises:
        DataSetError: unknown columns or decisions, or a file whose hash is not that of the set.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataSetError(f"the list of repeats {path} cannot be read: {error.strerror}.") from None
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    if rows and {"file_a", "sha256_a", "file_b", "sha256_b", "decision"} - set(rows[0]):
        raise DataSetError(f"{path} must have columns file_a, sha256_a, file_b, sha256_b, decision.")
    known = {sample.file: sample.sha256 for sample in samples}
    same = []
    for row in rows:
        for side in ("a", "b"):
            if known.get(row[f"file_{side}"]) != row[f"sha256_{side}"]:
                raise DataSetError(f"{path} names {row[f'file_{side}']} with a hash that is not that of the set.")
        if row["decision"] not in ("same", "different"):
            raise DataSetError(f"{path} has the unknown decision {row['decision']!r}.")
        if row["decision"] == "same":
            same.append((row["file_a"], row["file_b"]))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Repeats(connected_components(same), len(same), len(rows), digest)


def connected_components(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Groups of names that are linked by pairs, each sorted, in sorted order."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        leader.setdefault(name, name)
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for one, two in pairs:
        leader[find(one)] = find(two)
    groups: dict[str, list[str]] = {}
    for name in leader:
        groups.setdefault(find(name), []).append(name)
    return tuple(sorted(tuple(sorted(group)) for group in groups.values()))


# ------------------------------------------------------------------------------------------------------ populations


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Which templates meet which.

    Attributes:
        name: one of :data:`POPULATIONS`, or with a group's name behind a colon.
        members: (n,) positions in the list of samples.
        cells: (n,) cell of each member.
        compatible: (c, c) symmetric bool; which cells meet.
    """

    name: str
    members: NDArray[np.int64]
    cells: NDArray[np.int64]
    compatible: NDArray[np.bool_]


def population(name: str, samples: Sequence[Sample], group: str | None = None) -> Population:
    """The members of a population among ``samples`` and the cells that meet.

    ``matched-adults``: same race and gender label, same or neighbouring age band, both 20 or older.
    ``matched-minors``: the same below 20. ``all-pairs``: everybody meets everybody.

    Args:
        group: only this label of race and gender.

    Raises:
        UsageError: unknown name.
    """
    if name not in POPULATIONS:
        raise UsageError(f"there is no population {name!r}.", hint=f"Known: {', '.join(POPULATIONS)}.")
    chosen = [
        (position, sample)
        for position, sample in enumerate(samples)
        if (group is None or sample.group == group) and _belongs(name, sample)
    ]
    full_name = name if group is None else f"{name}:{group}"
    members = np.array([position for position, _ in chosen], dtype=np.int64)
    if name == "all-pairs":
        return Population(full_name, members, np.zeros(len(members), dtype=np.int64), np.ones((1, 1), dtype=bool))
    keys = [(sample.group, AGE_BANDS.index(sample.age)) for _, sample in chosen]
    order: Mapping[tuple[str, int], int] = {key: number for number, key in enumerate(sorted(set(keys)))}
    cells = np.array([order[key] for key in keys], dtype=np.int64)
    compatible = np.array([[a == b and abs(i - j) <= 1 for b, j in order] for a, i in order], dtype=bool)
    return Population(full_name, members, cells, compatible.reshape(len(order), len(order)))


def _belongs(name: str, sample: Sample) -> bool:
    if name == "all-pairs":
        return True
    adult = AGE_BANDS.index(sample.age) >= FIRST_ADULT_BAND
    return adult if name == "matched-adults" else not adult
