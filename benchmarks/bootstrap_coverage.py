"""Do 95 % intervals hold the true rate 95 % of the time? Rows against people, on sets whose true rates are known.

Run ``python -m benchmarks.bootstrap_coverage [--simulations N]``; writes docs/results/bootstrap-coverage.md. Seeded:
the same command gives the same figures.
"""

from __future__ import annotations

import argparse
import itertools
import math
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.machine import commit
from samebody.measure import (
    BootstrapOptions,
    ListedPairs,
    clustered_rate,
    dyadic_rate,
    independent_rate,
    subject_bootstrap,
    vertex_bootstrap,
)

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SEED = 20260
Interval = tuple[float, float]


@dataclass(frozen=True)
class Scenario:
    """Scores are normal: a common mean, an effect of each person, and noise of each comparison; the variance is 1."""

    name: str
    mated: bool
    subjects: int
    pairs_each: int  # mated pairs of a person; non-mated sets hold every pair of people
    person_share: float  # share of the variance that belongs to people
    rate: float  # the true error rate


SCENARIOS = (
    Scenario("FNMR 5 %, 100 people x 10 pairs, no person effect", True, 100, 10, 0.0, 0.05),
    Scenario("FNMR 5 %, 100 people x 10 pairs, half of the variance is the person's", True, 100, 10, 0.5, 0.05),
    Scenario("FNMR 5 %, 400 people x 10 pairs, half of the variance is the person's", True, 400, 10, 0.5, 0.05),
    Scenario("FNMR 5 %, 100 people x 50 pairs, half of the variance is the person's", True, 100, 50, 0.5, 0.05),
    Scenario("FMR 1 %, all pairs of 150 people, no person effect", False, 150, 0, 0.0, 0.01),
    Scenario("FMR 1 %, all pairs of 150 people, 40 % of the variance is the people's", False, 150, 0, 0.4, 0.01),
    Scenario("FMR 0.1 %, all pairs of 300 people, 40 % of the variance is the people's", False, 300, 0, 0.4, 0.001),
)


@dataclass(frozen=True)
class Coverage:
    """How often one kind of interval held the true rate, and how wide it was in the median."""

    scenario: str
    method: str
    covered: int
    simulations: int
    median_width: float

    @property
    def share(self) -> float:
        return self.covered / self.simulations


def row_bootstrap(wrong: np.ndarray, generator: np.random.Generator, replicates: int) -> Interval:
    """Percentile interval of a bootstrap over rows: the errors among n rows drawn from n are a binomial number."""
    drawn = generator.binomial(wrong.size, wrong.mean(), replicates) / wrong.size
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def draws(scenario: Scenario, simulations: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """First people, second people (the same for mated pairs) and errors of each simulated set."""
    generator = np.random.default_rng([SEED, SCENARIOS.index(scenario)])
    limit = stats.norm.ppf(scenario.rate)
    if scenario.mated:
        first = second = np.repeat(np.arange(scenario.subjects), scenario.pairs_each)
        person, noise = math.sqrt(scenario.person_share), math.sqrt(1 - scenario.person_share)
    else:
        first, second = np.triu_indices(scenario.subjects, 1)
        person, noise = math.sqrt(scenario.person_share / 2), math.sqrt(1 - scenario.person_share)
    for _ in range(simulations):
        effect = person * generator.standard_normal(scenario.subjects)
        total = effect[first] if scenario.mated else effect[first] + effect[second]
        scores = total + noise * generator.standard_normal(first.size)
        # A low mated score is an error, and so is a high non-mated one.
        yield first, second, scores < limit if scenario.mated else scores > -limit


def methods(scenario: Scenario, replicates: int) -> dict[str, Callable[..., Interval]]:
    generator = np.random.default_rng([SEED, 99])

    def options() -> BootstrapOptions:
        # Fresh draws for every simulated set: shared draws would share their luck.
        return BootstrapOptions(replicates=replicates, seed=int(generator.integers(2**31)))

    def over_people(first: np.ndarray, second: np.ndarray, wrong: np.ndarray) -> Interval:
        if scenario.mated:
            return subject_bootstrap(first, wrong, options()).interval
        errors = ListedPairs(first[wrong], second[wrong], scenario.subjects)
        return vertex_bootstrap(ListedPairs(first, second, scenario.subjects), [errors], options())[0].interval

    def closed(first: np.ndarray, second: np.ndarray, wrong: np.ndarray) -> Interval:
        found = clustered_rate(first, wrong) if scenario.mated else dyadic_rate(first, second, wrong)
        return found.estimate.interval

    return {
        "rows: bootstrap": lambda _, __, wrong: row_bootstrap(wrong, generator, replicates),
        "rows: exact binomial": lambda _, __, wrong: independent_rate(int(wrong.sum()), wrong.size).interval,
        "people: bootstrap": over_people,
        "people: closed form": closed,
    }


def run(scenario: Scenario, simulations: int, replicates: int) -> list[Coverage]:
    ways = methods(scenario, replicates)
    covered, widths = dict.fromkeys(ways, 0), {name: [] for name in ways}
    for (first, second, wrong), (name, interval) in itertools.product(draws(scenario, simulations), ways.items()):
        low, high = interval(first, second, wrong)
        covered[name] += low <= scenario.rate <= high
        widths[name].append(high - low)
    return [Coverage(scenario.name, name, covered[name], simulations, float(np.median(widths[name]))) for name in ways]


def as_markdown(rows: list[Coverage], simulations: int, replicates: int) -> str:
    ways = list(dict.fromkeys(row.method for row in rows))
    spread = 100 * math.sqrt(0.95 * 0.05 / simulations)
    lines = [
        "# Coverage of intervals",
        "",
        f"Made by `python -m benchmarks.bootstrap_coverage --simulations {simulations} --replicates {replicates}`,",
        f"seed {SEED}, Python {platform.python_version()}, numpy {np.__version__}, commit {commit()}.",
        "",
        "Scores are simulated, so the true error rate is known. Each interval is a nominal 95 % one; the table says",
        f"how many of {simulations} simulated sets had the true rate inside. The simulation itself is good to about",
        f"{1.96 * spread:.1f} points.",
        "",
        "*Rows* treats every comparison as independent. *People* draws (or clusters by) the people: for false",
        "non-matches the person of the mated pair, for false matches both people of the pair.",
        "",
        "Each cell: how often the true rate was inside, and the median width of the interval in points of the rate.",
        "",
        "| set | " + " | ".join(ways) + " |",
        "|" + " --- |" * (1 + len(ways)),
    ]
    for name in dict.fromkeys(row.scenario for row in rows):
        cells = {row.method: row for row in rows if row.scenario == name}
        shown = [f"{100 * cells[way].share:.1f} % ({100 * cells[way].median_width:.3f})" for way in ways]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=500)
    options = parser.parse_args()
    rows = [row for scenario in SCENARIOS for row in run(scenario, options.simulations, options.replicates)]
    text = as_markdown(rows, options.simulations, options.replicates)
    RESULTS.mkdir(parents=True, exist_ok=True)
    unfinished = RESULTS / "bootstrap-coverage.md.part"
    unfinished.write_text(text)
    unfinished.replace(RESULTS / "bootstrap-coverage.md")
    print(text)


if __name__ == "__main__":
    main()
