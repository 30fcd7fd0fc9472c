"""Every figure of the iris encoder in one call: records, points and pages of both shapes, and the synthetic page.

    python -m benchmarks.iris_results [--data DIR] [--only NAME ...]

DIR holds mmu1/ (or PERSON/left/1.png ...), by default SAMEBODY_DATA; without it only the synthetic figures are made and
the run says so. To be run again whenever the pipeline changes: the records pin its digest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

RESULTS = "docs/results"
MEASURE = ["evaluate", "operating-points", "--model"]
STEPS = {
    "default": [*MEASURE, "iris/default", "--write", "--page", f"{RESULTS}/iris-operating-points.md"],
    "openiris-shape": [
        *MEASURE,
        "iris/openiris-shape",
        "--write",
        "--page",
        f"{RESULTS}/iris-operating-points-16384.md",
    ],
    "network": [
        *MEASURE,
        *("iris/network", "--write", "--page", f"{RESULTS}/iris-operating-points-network.md"),
    ],
    "synthetic": [
        *MEASURE,
        *("iris/default", "--synthetic", "45", "--page", f"{RESULTS}/iris-synthetic.md"),
        *("--points", f"{RESULTS}/iris-synthetic.points.json"),
    ],
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("SAMEBODY_DATA") or Path(__file__).parents[2] / "shared" / "data").resolve()
    parser.add_argument("--data", type=Path, default=default, help="folder of eye pictures")
    parser.add_argument("--only", nargs="*", choices=sorted(STEPS), help="which figures; all unless given")
    chosen = parser.parse_args(arguments)
    for name in chosen.only or STEPS:
        if name != "synthetic" and not chosen.data.is_dir():
            print(f"{name} skipped: there is no {chosen.data}; set SAMEBODY_DATA", file=sys.stderr)
            continue
        words = STEPS[name] + ([] if name == "synthetic" else ["--data", str(chosen.data)])
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "samebody", *words])
        sys.stdout.write(f"{name}: {time.perf_counter() - start:.0f} s, exit code {done.returncode}\n")
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
