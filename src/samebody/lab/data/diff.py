"""What changed between two versions: samples that came, went and changed, and which cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from samebody.lab.data.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Difference:
    """The way from one version to another.

    Attributes:
        added, removed: samples.
        changed: sample to {column: (before, after)}.
        columns: changed cells by column.
        unchanged: samples that are the same in all columns.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, Mapping[str, tuple[str, str]]]
    columns: Mapping[str, int]
    unchanged: int


def diff(before: Manifest, after: Manifest) -> Difference:
    """Compare two manifests by the names of their samples."""
    old = {row["sample"]: row for row in before.rows()}
    new = {row["sample"]: row for row in after.rows()}
    changed: dict[str, dict[str, tuple[str, str]]] = {}
    for sample in sorted(old.keys() & new.keys()):
        names = [*new[sample], *(name for name in old[sample] if name not in new[sample])]
        cells = {
            name: (str(old[sample].get(name, "")), str(new[sample].get(name, "")))
            for name in names
            if old[sample].get(name, "") != new[sample].get(name, "")
        }
        if cells:
            changed[sample] = cells
    columns = Counter(name for cells in changed.values() for name in cells)
    return Difference(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        changed,
        dict(sorted(columns.items())),
        len(old.keys() & new.keys()) - len(changed),
    )
