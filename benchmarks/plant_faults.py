"""Plant faults in a copy of a labelled picture set, and keep the truth apart; score afterwards what the tools found.

    python -m benchmarks.plant_faults plant FOLDER --out RAW --truth TRUTH.json --seed 7
    samebody data ingest RAW --into SET --pattern '{split}/{subject}/*' ...        (and so on, see docs/how-to/data.md)
    python -m benchmarks.plant_faults score SET --truth TRUTH.json

FOLDER has one folder for each subject. RAW gets one folder for each split, with one for each subject. The
kinds of fault, how many and where are drawn from the seed. No tool reads the truth; `score` reads it.
"""

from __future__ import annotations

import argparse
import io
import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

SUFFIXES = {".pgm", ".png", ".jpg", ".jpeg"}


def plant(folder: Path, out: Path, truth: Path, seed: int, share: float = 0.05) -> dict[str, Any]:
    """Write the set with faults to ``out`` and the truth to ``truth``."""
    draw = random.Random(seed)
    subjects = sorted(path.name for path in folder.iterdir() if path.is_dir())
    side = {name: "test" if draw.random() < 0.3 else "train" for name in subjects}
    files: dict[str, bytes] = {}
    for name in subjects:
        for number, path in enumerate(sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES)):
            files[f"{side[name]}/{name}/{number:04d}.jpg"] = encoded(
                Image.open(path).convert("RGB"), draw.randint(88, 97)
            )
    kinds: dict[str, Callable[[dict[str, bytes], random.Random, int], list[Any]]] = {
        "duplicate": plant_duplicates,
        "swapped": plant_swaps,
        "corrupt": plant_corrupt,
        "leaked": plant_leaks,
        "turned": plant_turned,
        "blurred": plant_blurred,
        "no_face": plant_no_face,
        "tiny": plant_tiny,
    }
    always = ["duplicate", "swapped", "corrupt", "leaked"]
    further = draw.sample([name for name in kinds if name not in always], draw.randint(1, 3))
    faults: dict[str, list[Any]] = {}
    touched: set[str] = set()
    clean = len(files)
    for name in [*always, *further]:
        count = max(2, round(clean * share * draw.uniform(0.3, 1.2)))
        free = {path: data for path, data in files.items() if path not in touched}
        before = dict(free)
        planted = kinds[name](free, draw, count)
        for path in before.keys() - free.keys():
            del files[path]
        files.update(free)
        faults[name] = planted
        touched |= {path for path in free if free[path] is not before.get(path)}
        touched |= {path for entry in planted for path in (entry if isinstance(entry, list) else [entry])}
    for path, data in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(data)
    whole = {"seed": seed, "samples": len(files), "faults": faults}
    truth.write_text(json.dumps(whole, indent=1))
    return whole


def encoded(picture: Image.Image, quality: int) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=quality)
    return sink.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def parts(path: str) -> tuple[str, str, str]:
    side, subject, name = path.split("/")
    return side, subject, name


def plant_duplicates(files: dict[str, bytes], draw: random.Random, count: int) -> list[Any]:
    """Copies beside the original: byte for byte, encoded anew, scaled."""
    found = []
    for path in draw.sample(sorted(files), min(count, len(files))):
        side, subject, _ = parts(path)
        copy = f"{side}/{subject}/{draw.randrange(10**6):06d}.jpg"
        kind = draw.choice(["bytes", "quality", "scale", "both"])
        picture = opened(files[path])
        if kind in ("scale", "both"):
            factor = draw.choice([0.6, 0.8, 1.3, 1.7])
            picture = picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.LANCZOS)
        quality = draw.randint(40, 75) if kind in ("quality", "both") else 92
        files[copy] = files[path] if kind == "bytes" else encoded(picture, quality)
        found.append([copy, path])
    return found


def plant_swaps(files: dict[str, bytes], draw: random.Random, count: int) -> list[Any]:
    """Two pictures of two subjects exchange their places."""
    found: list[Any] = []
    paths = draw.sample(sorted(files), len(files))
    while len(found) < count and len(paths) > 1:
        one = paths.pop()
        other = next((path for path in paths if parts(path)[1] != parts(one)[1]), None)
        if other is None:
            break
        paths.remove(other)
        files[one], files[other] = files[other], files[one]
        found += [one, other]
    return found


def plant_corrupt(files: dict[str, bytes], draw: random.Random, count: int) -> list[Any]:
    """Cut off, overwritten in the middle, zeroed, empty, no picture at all."""
    found = []
    for path in draw.sample(sorted(files), min(count, len(files))):
        data = files[path]
        kind = draw.choice(["cut", "overwritten", "zeroed", "empty", "text"])
        place = draw.randint(len(data) // 3, 2 * len(data) // 3)
        length = max(64, len(data) // 8)
        if kind == "cut":
            data = data[:place]
        elif kind == "overwritten":
            data = data[:place] + draw.randbytes(length) + data[place + length :]
        elif kind == "zeroed":
            data = data[:place] + bytes(length) + data[place + length :]
        elif kind == "empty":
            data = b""
        else:
            data = b"<html>not found</html>" * 20
        files[path] = bytes(data)
        found.append(path)
    return found


def plant_leaks(files: dict[str, bytes], draw: random.Random, count: int) -> list[Any]:
    """Subjects of whom some pictures stand in the other split, under the same name or under another one."""
    found: list[Any] = []
    by_subject: dict[str, list[str]] = defaultdict(list)
    for path in sorted(files):
        by_subject[parts(path)[1]].append(path)
    large = [name for name, paths in by_subject.items() if len(paths) >= 4]
    for subject in draw.sample(large, min(max(2, count // 8), len(large))):
        moved = draw.sample(by_subject[subject], draw.randint(2, len(by_subject[subject]) // 2))
        alias = subject if draw.random() < 0.5 else f"x{draw.randrange(10**5):05d}"
        for path in moved:
            side, _, name = parts(path)
            files[f"{'train' if side == 'test' else 'test'}/{alias}/{name}"] = files.pop(path)
        found.append(sorted({subject, alias}))
    return found


def _edited(
    files: dict[str, bytes], draw: random.Random, count: int, edit: Callable[[Image.Image], Image.Image]
) -> list[Any]:
    chosen = draw.sample(sorted(files), min(max(2, count // 2), len(files)))
    for path in chosen:
        files[path] = encoded(edit(opened(files[path])), 92)
    return chosen


def plant_turned(files: dict[str, bytes], draw: random.Random, count: int) -> list[Any]:
    return _edited(files, draw, count, lambda picture: picture.rotate(draw.choice([90, 180, 270]), expand=True))


def plant_blurred(files: dict[str, bytes], draw: random.Random, count: int) -> list[Any]:
    return _edited(files, draw, count, lambda p: p.filter(ImageFilter.GaussianBlur(0.05 * min(p.size))))


def plant_tiny(files: dict[str, bytes], draw: random.Random, count: int) -> list[Any]:
    return _edited(files, draw, count, lambda picture: picture.resize((24, 24)))


def plant_no_face(files: dict[str, bytes], draw: random.Random, count: int) -> list[Any]:
    def clouds(picture: Image.Image) -> Image.Image:
        noise = np.random.default_rng(draw.randrange(2**32)).integers(0, 255, (6, 6, 3), np.uint8)
        return Image.fromarray(noise).resize(picture.size, Image.BICUBIC)

    return _edited(files, draw, count, clouds)


# -------------------------------------------------------------------------------------------------------------- score

QUARANTINE = {
    "corrupt": "clean.unreadable",
    "turned": "clean.turned",
    "blurred": "clean.blurred",
    "no_face": "clean.no_face",
    "tiny": "clean.tiny",
}


def score(folder: Path, truth: Path, fmr: float = 1e-3) -> dict[str, Any]:
    """Recall and precision of each kind, from what the versions of the data set say."""
    from samebody.lab.data import DataSet
    from samebody.lab.data.labels import check_subjects
    from samebody.lab.data.split import prove

    data_set = DataSet.open(folder)
    known = json.loads(truth.read_text())
    faults = known["faults"]
    steps = {}
    for version in data_set.versions():
        steps[version.step["name"]] = version
    last = data_set.manifest()
    short = {name: name.split("/", 1)[1] for name in last["sample"]}
    reasons = {short[name]: cell.split(";") for name, cell in zip(last["sample"], last["quarantine"]) if cell}
    planted_files = {p for entries in faults.values() for e in entries for p in (e if isinstance(e, list) else [e])}
    found: dict[str, set[Any]] = {}
    wanted: dict[str, set[Any]] = {}
    for kind, code in QUARANTINE.items():
        wanted[kind] = set(faults.get(kind, ()))
        found[kind] = {name for name, cells in reasons.items() if code in cells}
    wanted["duplicate"] = {frozenset(pair) for pair in faults["duplicate"]}
    found["duplicate"] = {
        frozenset((short[one], short[two])) for one, two in zip(last["sample"], last["duplicate_of"]) if two
    }
    wanted["swapped"] = set(faults["swapped"])
    found["swapped"] = {
        name for name, cells in reasons.items() if {"labels.wrong_subject", "labels.two_people"} & set(cells)
    }
    # subjects on both sides by name, and people under two names whose names stand on both sides
    first = steps["ingest"]
    names = data_set.manifest(first)
    sides: dict[str, set[str]] = defaultdict(set)
    for subject, side in zip(names["subject"], names["split"]):
        sides[subject].add(side)
    crossing = {(subject,) for subject, on in sides.items() if len(on) > 1}
    assert all(any(f"subject {name} " in leak for leak in prove(data_set, names).leaks) for (name,) in crossing)
    check = check_subjects(data_set, version=steps["labels"].id, fmr=fmr)
    crossing |= {(min(a, b), max(a, b)) for a, b, _ in check.same if sides[a] != sides[b]}
    wanted["leaked"] = {tuple(names) for names in faults["leaked"]}
    found["leaked"] = crossing
    result: dict[str, Any] = {}
    for kind in sorted(wanted):
        hits = wanted[kind] & found[kind]
        result[kind] = {
            "planted": len(wanted[kind]),
            "found": len(found[kind]),
            "right": len(hits),
            "recall": len(hits) / len(wanted[kind]) if wanted[kind] else None,
            "precision": len(hits) / len(found[kind]) if found[kind] else None,
            "missed": sorted(map(str, wanted[kind] - found[kind]))[:10],
            "false": sorted(map(str, found[kind] - wanted[kind]))[:10],
        }
    clean = [name for name in short.values() if name not in planted_files]
    flagged = {name for name in clean if name in reasons} | {
        short[name]
        for name, of in zip(last["sample"], last["duplicate_of"])
        if of and short[name] not in planted_files and frozenset((short[name], short[of])) not in wanted["duplicate"]
    }
    result["all"] = {
        "seed": known["seed"],
        "planted": sum(len(entries) for entries in wanted.values()),
        "right": sum(entry["right"] for entry in result.values()),
        "false": sum(entry["found"] - entry["right"] for entry in result.values()),
        "clean samples": len(clean),
        "clean samples flagged": len(flagged),
        "false alarm rate": len(flagged) / max(len(clean), 1),
    }
    result["all"]["recall"] = result["all"]["right"] / max(result["all"]["planted"], 1)
    result["all"]["precision"] = result["all"]["right"] / max(result["all"]["right"] + result["all"]["false"], 1)
    return result


HEAD = """\
# Faults planted and found

{count} copies of ORL (seeds {seeds}) with faults planted by `benchmarks/plant_faults.py`, kinds and numbers drawn from
the seed, taken through `samebody data ingest`, `clean`, `dedupe` and `labels --quarantine`, scored by the same script,
written by `python -m benchmarks.plant_faults page`. Exact 95 % intervals in brackets.

| kind | recall | precision |
| --- | --- | --- |"""


def page(sets: list[dict[str, Any]]) -> str:
    """Counts of several scored sets, added up, with exact intervals over faults, which were planted independently."""
    from samebody.measure.intervals import binomial_interval

    def share(hits: int, whole: int) -> str:
        if not whole:
            return "-"
        low, high = binomial_interval(hits, whole)
        return f"{100 * hits / whole:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {whole}"

    lines = [HEAD.format(count=len(sets), seeds=", ".join(str(one["all"]["seed"]) for one in sets))]
    for kind in (name for name in sets[0] if name != "all"):
        planted, found, right = (sum(one[kind][key] for one in sets) for key in ("planted", "found", "right"))
        lines.append(f"| {kind.replace('_', ' ')} | {share(right, planted)} | {share(right, found)} |")
    planted, right, false = (sum(one["all"][key] for one in sets) for key in ("planted", "right", "false"))
    lines.append(f"| all | {share(right, planted)} | {share(right, right + false)} |")
    flagged, clean = (sum(one["all"][key] for one in sets) for key in ("clean samples flagged", "clean samples"))
    lines += [
        "",
        f"Clean samples flagged as faulty: {share(flagged, clean)}.",
        "",
        "A sample with one fault that was flagged for another reason counts against precision, and not as a clean one.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    planting = commands.add_parser("plant")
    planting.add_argument("folder", type=Path)
    planting.add_argument("--out", type=Path, required=True)
    planting.add_argument("--truth", type=Path, required=True)
    planting.add_argument("--seed", type=int, default=0)
    planting.add_argument("--share", type=float, default=0.05)
    scoring = commands.add_parser("score")
    scoring.add_argument("data_set", type=Path)
    scoring.add_argument("--truth", type=Path, required=True)
    scoring.add_argument("--json", type=Path, help="write the figures")
    paging = commands.add_parser("page", help="figures of several sets as one page")
    paging.add_argument("figures", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "page":
        print(page([json.loads(path.read_text()) for path in given.figures]))
        return
    if given.command == "plant":
        whole = plant(given.folder, given.out, given.truth, given.seed, given.share)
        print(f"{whole['samples']} files written")
        return
    figures = score(given.data_set, given.truth)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))
    for kind, entry in figures.items():
        recall = "-" if entry["recall"] is None else f"{100 * entry['recall']:.1f} %"
        precision = "-" if entry["precision"] is None else f"{100 * entry['precision']:.1f} %"
        print(f"{kind:10} planted {entry['planted']:4}  recall {recall:>8}  precision {precision:>8}", end="")
        print("" if kind == "all" else f"  missed {entry['missed'][:3]} false {entry['false'][:3]}")
        if kind == "all":
            print(
                f"\nfalse alarms: {entry['clean samples flagged']} of {entry['clean samples']} clean samples "
                f"({100 * entry['false alarm rate']:.1f} %)"
            )


if __name__ == "__main__":
    main()
