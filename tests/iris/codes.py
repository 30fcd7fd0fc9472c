"""Templates for tests, and the naive meaning of a comparison."""

from __future__ import annotations

import numpy as np

from samebody.iris import IrisTemplate


def random_template(seed: int, columns: int = 40, usable: float = 0.8, **fields: str) -> IrisTemplate:
    rng = np.random.default_rng(seed)
    shape = (16, columns, 2, 2)
    return IrisTemplate.from_bits(rng.random(shape) < 0.5, rng.random(shape) < usable, **fields)  # type: ignore[arg-type]


def noisy(template: IrisTemplate, share: float, turn: int = 0, seed: int = 0, **fields: str) -> IrisTemplate:
    """The template with a share of its bits turned over, rotated by ``turn`` columns."""
    rng = np.random.default_rng(seed)
    code, mask = template.to_bits()
    code = np.roll(code ^ (rng.random(code.shape) < share), turn, axis=1)
    labels = {"eye": template.eye, "space": template.space, "version": template.version, **fields}
    return IrisTemplate.from_bits(code, np.roll(mask, turn, axis=1), **labels)  # type: ignore[arg-type]


def naive_counts(probe: IrisTemplate, reference: IrisTemplate, turn: int) -> tuple[int, int]:
    """Differing and shared usable bits at one turn, bit by bit."""
    (pc, pm), (rc, rm) = probe.to_bits(), reference.to_bits()
    differing = shared = 0
    rows, columns, filters, parts = pc.shape
    for row in range(rows):
        for column in range(columns):
            source = (column - turn) % columns
            for f in range(filters):
                for p in range(parts):
                    if pm[row, source, f, p] and rm[row, column, f, p]:
                        shared += 1
                        differing += bool(pc[row, source, f, p]) != bool(rc[row, column, f, p])
    return differing, shared
