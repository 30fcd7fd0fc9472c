"""Command line: ``python -m benchmarks.service_load [throughput overhead overload slow] [--quick] [--write FOLDER]``.

The whole takes about ten minutes on two quiet cores. Without ``--write`` the page is printed and nothing is kept;
``--write docs/results`` rewrites ``service-load.md`` and ``service-load.json`` (with all four parts only).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.service_load import overhead, overload, slow, throughput
from benchmarks.service_load.page import render
from benchmarks.service_load.pictures import cheap, real

PARTS = ("throughput", "overhead", "overload", "slow")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 when a figure that was asked for is not held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all by default")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures mean little")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", type=Path, help="folder for service-load.md and .json")
    chosen = parser.parse_args(arguments)
    parts = tuple(chosen.parts) or PARTS
    if chosen.write and (chosen.quick or set(parts) != set(PARTS)):
        parser.error("--write needs all parts, and not --quick")
    begun, quick, workers = time.monotonic(), chosen.quick, chosen.workers
    asked = ["python -m benchmarks.service_load", *chosen.parts, *(["--quick"] if quick else [])]
    report: dict[str, Any] = {
        "command": " ".join(asked), "machine": describe_machine(), "load_before": os.getloadavg()[0],
    }  # fmt: skip
    pictures = real(0.5 if quick else 2) if {"throughput", "overhead", "overload"} & set(parts) else cheap()
    if "throughput" in parts:
        turns, seconds = (1, 4.0) if quick else (4, 15.0)
        report["throughput"] = throughput.measure(pictures, workers=workers, turns=turns, seconds=seconds)
    if "overhead" in parts:
        report["overhead"] = overhead.measure(pictures, sessions=3 if quick else 20)
    if "overload" in parts:
        known = report["throughput"]["service_per_second"] if "throughput" in report else None
        capacity = sum(known) / len(known) if known else None
        report["overload"] = overload.measure(
            pictures, workers=workers, seconds=8.0 if quick else 120.0, capacity=capacity
        )
    if "slow" in parts:
        report["slow"] = slow.measure(count=10 if quick else 100, seconds=5.0 if quick else 20.0)
    report["minutes"] = (time.monotonic() - begun) / 60
    page = render(report)
    print(page)
    if chosen.write:
        chosen.write.mkdir(parents=True, exist_ok=True)
        (chosen.write / "service-load.md").write_text(page, "utf-8")
        (chosen.write / "service-load.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", "utf-8")
    return 0 if all(report[name]["met"] for name in parts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
