"""How often drift alarms in quiet months, and how soon a planted shift is found: ``python -m benchmarks.drift``.

Eight simulated checks (continuous, whole-numbered and bimodal scores; outcomes with rare ones), 80 to 120 cases a day,
each day against the same reference of 2,000 cases, with the default limits.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

import numpy as np

from samebody.measure import binomial_interval
from samebody.operate.drift import compare_windows
from samebody.operate.windows import ABSENT, CheckData, WindowData

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
CHECKS, DAYS = 8, 30
DEVIATION = 0.1
"""Standard deviation of the score that is shifted."""


def simulated(random: np.random.Generator, start: datetime, cases: int, shift: float = 0.0) -> WindowData:
    """A day of cases; ``shift`` moves the scores of the first check."""
    checks = {}
    for number in range(CHECKS):
        if number % 3 == 0:
            scores = random.normal(0.5 + (shift if number == 0 else 0.0), DEVIATION, cases)
        elif number % 3 == 1:
            scores = random.integers(0, 101, cases).astype(float)
        else:
            scores = np.where(random.random(cases) < 0.1, random.beta(2, 8, cases), random.beta(9, 2, cases))
        counts = random.multinomial(cases, [0.9, 0.06, 0.03, 0.01])
        checks[f"check.{number}"] = CheckData(
            np.sort(scores), dict(zip(("pass", "fail", "unsure", ABSENT), map(int, counts), strict=True))
        )
    return WindowData(start, start + DAY, cases, checks)


def month(seed: int, shift_on: int | None = None, size: float = DEVIATION) -> list[int]:
    """Alarms of each of 30 daily looks; from day ``shift_on`` on a score is shifted by ``size``."""
    random = np.random.default_rng(seed)
    reference = simulated(random, START, 2000)
    found = []
    for day in range(DAYS):
        shift = size if shift_on is not None and day >= shift_on else 0.0
        window = simulated(random, START + (day + 1) * DAY, int(random.integers(80, 121)), shift)
        found.append(len(compare_windows(reference, window).alarms))
    return found


def main() -> None:
    """Print both figures with exact intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=40)
    parser.add_argument("--shifted", type=int, default=3, help="months for each size of shift")
    options = parser.parse_args()
    noisy = sum(any(month(seed)) for seed in range(options.months))
    low, high = binomial_interval(noisy, options.months)
    print(f"quiet months with an alarm: {noisy} of {options.months} (95 % interval {low:.1%} to {high:.1%})")
    for size in (0.25, 0.5, 0.75, 1.0):
        days = [each > 0 for seed in range(options.shifted) for each in month(10_000 + seed, 0, size * DEVIATION)]
        print(f"shift by {size:g} standard deviations: alarm on {sum(days)} of {len(days)} days")


if __name__ == "__main__":
    main()
