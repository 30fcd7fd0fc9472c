"""Choose the characters of a zone from what the network saw: field types first, check digits where they decide.

Costs are negative log posteriors. Within a field type the likeliest character stands; where a check digit then
disagrees, the cheapest change that makes it agree is searched exactly (Viterbi over residues modulo 10) and taken
only when it is clearly cheaper than any other.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.document.icao9303 import KIND_CHARACTERS, LAYOUTS, LONG_NUMBER_FORMATS, CheckSpec, Kind, compute_checks
from samebody.document.mrz_strip import ALPHABET
from samebody.document.types import MrzFormat

Costs = NDArray[np.float64]

VALUES = np.array([*range(36), 0])
"""Value of ``ALPHABET[k]`` in a check digit (Doc 9303-3 clause 4.9)."""

LOOKALIKES: dict[str, str] = {
    "G": "6", "6": "G", "L": "1", "1": "L", "S": "8", "8": "S", "Y": "4", "4": "Y", "U": "0", "0": "U<", "K": "<",
    "<": "K0",
}  # fmt: skip
"""Characters of like shape with the same value modulo 10: a check digit cannot tell them apart."""


LETTER_O_COST = 1.2
"""Nats against the letter O where letters and digits mix: issuers avoid it there because it looks like 0. A clear O
outweighs it."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The characters chosen.

    Attributes:
        lines: of the layout's length.
        costs: (lines, cells, 37) float64, negative log posterior of every character; inf outside its field's type.
        free_lines: the likeliest characters of any type.
        corrected: ``(line, column, read, corrected)`` where check digits changed the likeliest character of the type.
        ambiguous: a check digit disagrees and no change is clearly the right one.
        cost: of the characters chosen, over that of the likeliest ones of any type; per zone, nats.
    """

    lines: tuple[str, ...]
    costs: Costs
    free_lines: tuple[str, ...]
    corrected: tuple[tuple[int, int, str, str], ...]
    ambiguous: bool
    cost: float


def kind_grid(layout: MrzFormat) -> list[list[Kind]]:
    """The kind of every position."""
    grid: list[list[Kind]] = [["mixed"] * layout.line_length for _ in range(layout.line_count)]
    for spec in LAYOUTS[layout].fields:
        for column in range(spec.start, spec.end):
            grid[spec.line][column] = spec.kind
    for check in LAYOUTS[layout].checks:
        grid[check.line][check.column] = "check"
    return grid


def type_costs(layout: MrzFormat, log_posteriors: NDArray[np.float32]) -> Costs:
    """Costs with impossible characters ruled out; (lines, cells, 37)."""
    costs: Costs = -log_posteriors.astype(np.float64)
    masks = {kind: np.array([c not in allowed for c in ALPHABET]) for kind, allowed in KIND_CHARACTERS.items()}
    letter_o = ALPHABET.index("O")
    optional_check = {"optional_data"}
    fillers = {
        (check.line, check.column)
        for check in LAYOUTS[layout].checks
        if check.name not in optional_check and not (check.name == "document_number" and layout in LONG_NUMBER_FORMATS)
    }
    for line, row in enumerate(kind_grid(layout)):
        for column, kind in enumerate(row):
            costs[line, column, masks[kind]] = np.inf
            if kind == "mixed":
                costs[line, column, letter_o] += LETTER_O_COST
            if (line, column) in fillers:
                costs[line, column, ALPHABET.index("<")] = np.inf
    if layout in (MrzFormat.MRV_A, MrzFormat.MRV_B):
        keep = ALPHABET.index("V")
    else:
        keep = -1
    first = costs[0, 0].copy()
    if keep >= 0:
        costs[0, 0] = np.inf
        costs[0, 0, keep] = first[keep]
    else:
        costs[0, 0, [ALPHABET.index("V"), ALPHABET.index("<")]] = np.inf
    return costs


def _text(costs: Costs) -> tuple[str, ...]:
    return tuple("".join(ALPHABET[k] for k in row.argmin(axis=1)) for row in costs)


def decode(
    layout: MrzFormat, log_posteriors: NDArray[np.float32], *, limit: float = 14.0, margin: float = 2.0
) -> Decoded:
    """Choose the characters of a zone.

    Args:
        layout: its format.
        log_posteriors: (lines, cells, 37) float32, natural logarithms over :data:`ALPHABET`.
        limit: a correction may cost this much over the likeliest characters, nats.
        margin: and must be this much cheaper than the next possible one, nats.
    """
    free = tuple("".join(ALPHABET[k] for k in row.argmax(axis=1)) for row in log_posteriors)
    costs = type_costs(layout, log_posteriors)
    first = _text(costs)
    lines, ambiguous = first, False
    if not all(check.ok for check in compute_checks(layout, first)):
        options = _corrections(layout, costs, first, limit)
        if options and (len(options) == 1 or options[1][0] - options[0][0] >= margin):
            lines = options[0][1]
        else:
            ambiguous = True
    corrected = tuple(
        (line, column, before, after)
        for line, (old, new) in enumerate(zip(first, lines, strict=True))
        for column, (before, after) in enumerate(zip(old, new, strict=True))
        if before != after
    )
    return Decoded(
        lines, costs, free, corrected, ambiguous, _cost(costs, lines) + float(log_posteriors.max(axis=2).sum())
    )


def _cost(costs: Costs, lines: Sequence[str]) -> float:
    return float(
        sum(costs[line, column, ALPHABET.index(c)] for line, text in enumerate(lines) for column, c in enumerate(text))
    )


def _corrections(
    layout: MrzFormat, costs: Costs, lines: tuple[str, ...], limit: float
) -> list[tuple[float, tuple[str, ...]]]:
    """Ways to make all check digits agree, cheapest first, at most a few, each as (extra cost, lines).

    Each check but the composite is made to agree by itself, cheapest ways first; the composite then picks among
    their combinations and may move the characters that no other digit covers.
    """
    groups: list[list[tuple[int, int]]] = []
    composite: CheckSpec | None = None
    for check in LAYOUTS[layout].checks:
        if check.name == "composite":
            composite = check
            continue
        places = [(line, c) for line, start, end in check.over for c in range(start, end)]
        groups.append([*places, (check.line, check.column)])
    covered = {place for group in groups for place in group}
    if composite is not None:
        rest = [(line, c) for line, start, end in composite.over for c in range(start, end)]
        groups.append([p for p in [*rest, (composite.line, composite.column)] if p not in covered])
    changes = [_ways(costs, lines, group, limit) for group in groups]
    found: list[tuple[float, tuple[str, ...]]] = []
    heap: list[tuple[float, tuple[int, ...]]] = [(0.0, (0,) * len(groups))]
    seen = {heap[0][1]}
    tried = 0
    while heap and tried < 4000 and len(found) < 3:
        cost, picks = heapq.heappop(heap)
        if cost > limit:
            break
        tried += 1
        candidate = [list(text) for text in lines]
        for ways, pick in zip(changes, picks, strict=True):
            for (line, column), character in ways[pick][1]:
                candidate[line][column] = character
        texts = tuple("".join(row) for row in candidate)
        if all(check.ok for check in compute_checks(layout, texts)):
            found.append((cost, texts))
        for group, pick in enumerate(picks):
            if pick + 1 < len(changes[group]):
                further = (*picks[:group], pick + 1, *picks[group + 1 :])
                if further not in seen:
                    seen.add(further)
                    step = changes[group][pick + 1][0] - changes[group][pick][0]
                    heapq.heappush(heap, (cost + step, further))
    return found


Change = tuple[tuple[tuple[int, int], str], ...]


def _ways(
    costs: Costs, lines: tuple[str, ...], group: list[tuple[int, int]], limit: float
) -> list[tuple[float, Change]]:
    """The cheapest sets of changes within a group of places, nothing changed first, at most three places at a time."""
    single: list[tuple[float, tuple[int, int], str]] = []
    for line, column in group:
        here = costs[line, column]
        base = here[ALPHABET.index(lines[line][column])]
        for k in np.argsort(here)[:6]:
            extra = float(here[k] - base)
            if ALPHABET[k] != lines[line][column] and extra <= limit:
                single.append((extra, (line, column), ALPHABET[k]))
    single.sort(key=lambda change: change[0])
    single = single[:40]
    ways: list[tuple[float, Change]] = [(0.0, ())]
    ways += [(cost, ((place, character),)) for cost, place, character in single]
    for i, (cost, place, character) in enumerate(single[:24]):
        for other_cost, other, second in single[i + 1 : 24]:
            if other != place and cost + other_cost <= limit:
                ways.append((cost + other_cost, ((place, character), (other, second))))
    ways.sort(key=lambda way: way[0])
    return ways[:160]


def margins(decoded: Decoded) -> NDArray[np.float64]:
    """Posterior of each chosen character within its type, (lines, cells), 0-1."""
    result = np.zeros(decoded.costs.shape[:2])
    for line, text in enumerate(decoded.lines):
        for column, character in enumerate(text):
            here = np.exp(-decoded.costs[line, column])
            result[line, column] = here[ALPHABET.index(character)] / max(float(here.sum()), 1e-12)
    return result
