"""Measure the MRZ reader on seeded photographs of the first renderer: exact, wrong, silent and time, per format.

    python -m benchmarks.mrz_cells.sweep --count 20 --first 7000

A read is *silent* when a field is wrong, all check digits are valid, and that field is not marked unsure.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from datetime import date

import cv2
import numpy as np

from samebody.document.icao9303 import parse
from samebody.document.mrz_fields import assemble
from samebody.document.mrz_read import MrzReader
from samebody.document.types import MrzFormat, MrzReading
from samebody.synth import specimen
from samebody.synth.photograph import photograph

TODAY = date(2026, 6, 1)


def is_silent(reading: MrzReading, truth: tuple[str, ...]) -> bool:
    """Whether a wrong field passes without a mark."""
    if not reading.valid:
        return False
    if tuple(map(len, reading.lines)) != tuple(map(len, truth)):
        return not reading.unsure_fields
    expected = parse(truth, TODAY)
    raw = dict(expected.raw)
    names = raw.pop("names")
    cut = names.find("<<")
    cut = len(names) if cut < 0 else cut
    raw |= {"surname": names[:cut], "given_names": names[cut:]}
    if expected.long_number:
        raw["document_number"] = expected.document_number
    return any(
        reading.fields[name].raw != text and not reading.fields[name].unsure
        for name, text in raw.items()
        if name in reading.fields
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="specimens per format and difficulty")
    parser.add_argument("--first", type=int, default=7000, help="first seed")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    reader = MrzReader()
    times: list[float] = []
    for difficulty in ("moderate", "hard"):
        for layout in MrzFormat:
            counts: Counter[str] = Counter()
            for seed in range(options.first, options.first + options.count):
                shot = photograph(specimen.render(str(layout), seed=seed), difficulty=difficulty, seed=seed)
                start = time.thread_time()
                zone = reader.read(np.ascontiguousarray(shot.image.pixels))
                reading = None if zone is None else assemble(zone, TODAY)
                times.append((time.thread_time() - start) * 1000)
                if reading is None:
                    counts["not read"] += 1
                elif reading.lines == shot.truth.mrz_lines:
                    counts["exact"] += 1
                else:
                    counts["wrong"] += 1
                    counts["silent"] += is_silent(reading, shot.truth.mrz_lines)
                    print(f"  {layout} {difficulty} {seed}: {reading.lines} for {shot.truth.mrz_lines}", flush=True)
            print(f"{difficulty:9s} {layout:6s} n={options.count} {dict(counts)}", flush=True)
    print(f"median {statistics.median(times):.0f} ms of CPU, worst {max(times):.0f} ms")


if __name__ == "__main__":
    main()
