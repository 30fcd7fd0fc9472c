"""What is wrong with a score table: problems by kind, values that clash, pairs that stand twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.non_mated import Codes
from samebody.lab.evaluate.scores import Attempts


class Assigned:
    """A number for each code, set once; says where a later value differs."""

    def __init__(self) -> None:
        self.values = np.empty(0, dtype=np.int32)

    def clashes(self, codes: Codes, values: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(n,) whether ``values`` differ from what the codes were given before; negative values say nothing."""
        top = int(codes.max(initial=-1)) + 1
        if top > len(self.values):
            self.values = np.concatenate([self.values, np.full(top - len(self.values), -1, dtype=np.int32)])
        said = values >= 0
        fresh = said & (self.values[codes] < 0)
        self.values[codes[fresh]] = values[fresh]
        return np.asarray(said & (self.values[codes] != values))


class Tally:
    """Problems of one kind: how many rows, and the first few."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, list[str]]] = {}

    def rows(self, kind: str, mask: NDArray[np.bool_], start: int) -> None:
        """Note the rows of a chunk that begins at row ``start`` (from 1, the header not counted)."""
        if mask.any():
            self.note(kind, int(mask.sum()), [f"row {start + int(row)}" for row in np.flatnonzero(mask)[:3]])

    def note(self, kind: str, count: int, examples: list[str]) -> None:
        """Note ``count`` more of a kind."""
        before, known = self._found.get(kind, (0, []))
        self._found[kind] = (before + count, [*known, *(e for e in examples if e not in known)][:3])

    def problems(self) -> list[str]:
        """One line a kind."""
        lines = []
        for kind, (count, examples) in self._found.items():
            more = ", ..." if count > len(examples) else ""
            lines.append(f"{kind}: {count:,} time{'s' if count != 1 else ''} ({', '.join(examples)}{more})")
        return lines


def transaction_problems(attempts: Attempts | None) -> list[str]:
    """What a transaction may not be: half mated, of two people, or with one attempt twice."""
    if attempts is None or not len(attempts.transaction):
        return []
    found = []
    order = np.lexsort((attempts.attempt, attempts.transaction))
    codes = attempts.transaction[order]
    inside = np.diff(codes) == 0
    for what, column in (
        ("mated and non-mated attempts", attempts.mated),
        ("attempts of two subjects", attempts.subject),
    ):
        differs = inside & (column[order][1:] != column[order][:-1])
        if differs.any():
            found.append(f"a transaction with {what}: {len(np.unique(codes[1:][differs])):,}")
    again = inside & (np.diff(attempts.attempt[order]) == 0)
    if again.any():
        found.append(f"an attempt that stands twice in its transaction: {int(again.sum()):,}")
    return found


class SeenPairs:
    """Which pairs of samples were seen: sorted keys while they are few, one bit for each possible pair when many."""

    def __init__(self) -> None:
        self._keys: list[NDArray[np.int64]] = []
        self._held = 0
        self.checked, self.gave_up = 0, False

    def again(self, probe: Codes, reference: Codes, samples: int) -> NDArray[np.bool_]:
        """(n,) whether a pair was seen before, in this chunk or an earlier one; the order of its two samples counts."""
        key = probe.astype(np.int64) << 32 | reference
        order = np.argsort(key, kind="stable")
        twice = np.zeros(len(key), dtype=bool)
        twice[order[1:]] = np.diff(key[order]) == 0
        if self.gave_up:
            return np.zeros(len(key), dtype=bool)
        for known in self._keys:
            place = np.minimum(np.searchsorted(known, key), len(known) - 1)
            twice |= known[place] == key
        self.checked += len(key)
        self._merge(key[order])
        return twice

    def _merge(self, key: NDArray[np.int64]) -> None:
        """Hold sorted runs, each at least twice as long as the next, so that few are searched."""
        self._keys.append(key)
        while len(self._keys) > 1 and len(self._keys[-2]) < 2 * len(self._keys[-1]):
            last, before = self._keys.pop(), self._keys.pop()
            joined = np.concatenate([before, last])
            joined.sort(kind="stable")
            self._keys.append(joined)
        self._held += len(key)
        if self._held > 50_000_000:  # 400 MB
            self._keys, self.gave_up = [], True
