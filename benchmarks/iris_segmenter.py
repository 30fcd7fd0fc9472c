"""The learned iris segmenter beside the classical one: on people it never saw, on altered copies, on synthetic eyes.

    python -m benchmarks.iris_segmenter [--data DIR] [--second FILE.onnx] [--work DIR] [--quick]

DIR holds mmu1/ (or PERSON/left/1.png ...), by default SAMEBODY_DATA. Figures are on every second person, from the
second on; the others are those whose classical labels the network given by ``--second`` was trained with (recipe
``iris-segment-real``; research-only data, so it is measured and not shipped). The pipelines differ in the segmenter
and in nothing else. Parts that are done are kept in ``--work`` and not made again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.iris_segmenter_page import page, verdict
from benchmarks.machine import describe_machine
from samebody.iris import ComparisonParameters, IrisPipeline, Segmentation
from samebody.iris.compare import score_many
from samebody.iris.pipeline import bundled_text
from samebody.lab.evaluate.files import write_text
from samebody.lab.evaluate.iris_scores import Trials, equal_error, rates_of, same_side, score_matrix
from samebody.lab.evaluate.iris_sets import EncodedSet, EyeSample, EyeSet, encode_set, read_eye_folder
from samebody.lab.train.iris_segment_data import half_of
from samebody.lab.train.iris_segment_pictures import EyePool
from samebody.measure import BootstrapOptions, draw_weights, threshold_at_fmr
from samebody.models.catalogue import BUNDLED_RECORDS
from samebody.synth.iris import capture_eye, draw_identity

Grey = NDArray[np.uint8]
FMRS = (1e-2, 1e-3)
SECOND = "local/segment-real"
Report = dict[str, Any]


def pipelines(second: Path | None, folder: Path) -> dict[str, IrisPipeline]:
    """The classical pipeline, and the same with a network in the place of its segmentation."""
    found = {"classical": IrisPipeline.load("default"), "network": IrisPipeline.load("network")}
    if second:
        install(second, folder)
        text = bundled_text("network").replace(
            "  - stage: network_segmenter\n", f"  - stage: network_segmenter\n    parameters: {{record: {SECOND}}}\n"
        )
        found["second"] = IrisPipeline.parse(text, "network-real")
    return found


def install(weights: Path, folder: Path) -> None:
    """A record of one's own for ``weights``, with the contracts of the shipped one, in a folder of this run."""
    data = weights.read_bytes()
    text = (BUNDLED_RECORDS / "iris" / "segment.toml").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        key = line.split(" = ")[0]
        values = {
            "id": SECOND,
            "sha256": hashlib.sha256(data).hexdigest(),
            "kind": "file" if line == 'kind = "bundled"' else None,
            "path": "segment-real.onnx",
        }
        value = values.get(key)
        lines.append(f'{key} = "{value}"' if value else f"bytes = {len(data)}" if key == "bytes" else line)
    place = folder / "local"
    place.mkdir(parents=True, exist_ok=True)
    (place / "segment-real.onnx").write_bytes(data)
    write_text(place / "segment-real.toml", "\n".join(lines) + "\n")
    os.environ["SAMEBODY_RECORDS_DIRS"] = json.dumps([str(folder)])


@dataclass
class Rival:
    """One pipeline on one set of pictures; what was measured of it is kept in a folder."""

    name: str
    pipeline: IrisPipeline
    source: EyeSet
    work: Path

    @cached_property
    def encoded(self) -> EncodedSet:
        return encode_set(self.source, self.pipeline, progress)

    def part(self, name: str, make: Callable[[Rival], Report]) -> Report:
        return measured(self.work, f"{name} {self.name}".replace(" ", "-"), lambda: make(self))


# --------------------------------------------------------------------------------------------- people never seen


def on_people(encoded: EncodedSet, options: BootstrapOptions) -> Report:
    """Failure to enrol and error rates over all pictures of a set."""
    trials = same_side(score_matrix(encoded, ComparisonParameters(), progress))
    eer = equal_error(trials, options)
    rates = []
    for fmr in FMRS:
        threshold = threshold_at_fmr(trials.non_mated, fmr)
        one = rates_of(fmr, (threshold,), [(trials, threshold.value)], options)
        rates.append(
            {
                "fmr": fmr,
                "threshold": threshold.value,
                "fnmr": estimate(one.fnmr),
                "gfrr": estimate(one.gfrr),
                "missed_by_person": missed(trials, threshold.value).tolist(),
                "mated_by_person": mated(trials).tolist(),
            }
        )
    return {
        "pictures": len(encoded.templates),
        "refused": encoded.failed,
        "refused_interval": list(encoded.failure_interval()),
        "reasons": encoded.reason_counts(),
        "eyes_never_enrolled": encoded.failed_eyes,
        "eer": eer.rate.value,
        "eer_interval": list(eer.interval),
        "mated": int(trials.mated.size),
        "non_mated": int(trials.non_mated.size),
        "mated_mean": float(trials.mated.mean()),
        "mated_deviation": float(trials.mated.std()),
        "rates": rates,
    }


def missed(trials: Trials, threshold: float) -> NDArray[np.int64]:
    """(people,) mated pairs of each person that do not match, refused pictures among them."""
    owner = np.concatenate([trials.mated_person[trials.mated < threshold], trials.lost_person])
    return np.bincount(owner, minlength=trials.people)


def mated(trials: Trials) -> NDArray[np.int64]:
    """(people,) mated pairs of each person."""
    return np.bincount(np.concatenate([trials.mated_person, trials.lost_person]), minlength=trials.people)


def difference(one: Report, other: Report, options: BootstrapOptions) -> list[float]:
    """GFRR of ``one`` less that of ``other`` at one FMR each, with its interval over the same resampled people."""
    first, second = np.array(one["missed_by_person"]), np.array(other["missed_by_person"])
    pairs = np.array(one["mated_by_person"])
    found = []
    for weights in draw_weights(len(pairs), options.replicates, options.seed):
        found += [float(w @ (first - second) / (w @ pairs)) for w in weights.T]
    low, high = np.quantile(found, [0.025, 0.975])
    return [float((first - second).sum() / pairs.sum()), float(low), float(high)]


def estimate(rate: Any) -> list[float]:
    return [float(rate.rate), float(rate.interval[0]), float(rate.interval[1])]


# ------------------------------------------------------------------------------------------------- altered copies


def lamps(grey: Grey, rng: np.random.Generator) -> Grey:
    """Three more reflections near the middle of the picture."""
    out = grey.copy()
    height, width = grey.shape
    for _ in range(3):
        at = (int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.35, 0.65)))
        axes = (max(1, int(width * rng.uniform(0.01, 0.03))), max(1, int(width * rng.uniform(0.01, 0.02))))
        cv2.ellipse(out, at, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    return np.asarray(out, dtype=np.uint8)


def toned(gain: float, gamma: float) -> Callable[[Grey, np.random.Generator], Grey]:
    table = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255).round().astype(np.uint8)
    return lambda grey, rng: np.asarray(cv2.LUT(grey, table), dtype=np.uint8)


def sized(factor: float) -> Callable[[Grey, np.random.Generator], Grey]:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda grey, rng: np.asarray(cv2.resize(grey, None, fx=factor, fy=factor, interpolation=way), np.uint8)


def noisy(deviation: float) -> Callable[[Grey, np.random.Generator], Grey]:
    return lambda grey, rng: (
        np.clip(grey + deviation * rng.standard_normal(grey.shape), 0, 255).round().astype(np.uint8)
    )


def smaller_eye(grey: Grey, rng: np.random.Generator) -> Grey:
    """The eye at 0.7 of its size, off the middle, the edge repeated around it."""
    height, width = grey.shape
    size = (round(0.7 * width), round(0.7 * height))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    left, top = (int(rng.integers(0, room + 1)) for room in (width - size[0], height - size[1]))
    sides = (top, height - size[1] - top, left, width - size[0] - left)
    return np.asarray(cv2.copyMakeBorder(small, *sides, cv2.BORDER_REPLICATE), dtype=np.uint8)


def coded(grey: Grey, rng: np.random.Generator) -> Grey:
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 25])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


ALTERATIONS: dict[str, Callable[[Grey, np.random.Generator], Grey]] = {
    "twice the size": sized(2.0),
    "0.7 of the size": sized(0.7),
    "smaller eye off the middle": smaller_eye,
    "three more lamps": lamps,
    "half the light": toned(0.5, 1.0),
    "flat tones (gamma 0.5)": toned(1.0, 0.5),
    "deep tones (gamma 1.8)": toned(1.0, 1.8),
    "defocus of 1.5 pixels": lambda grey, rng: np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.5), dtype=np.uint8),
    "noise of 10 grey levels": noisy(10.0),
    "JPEG quality 25": coded,
}


def on_altered(rival: Rival, *, name: str, threshold: float, probes: int) -> Report:
    """The first ``probes`` pictures of each eye, altered, against the other pictures of that eye as they are.

    The threshold is the one that gave the FMR on the pictures as they are; a refused probe counts as a non-match.
    """
    source, encoded = rival.source, rival.encoded
    by_eye: dict[tuple[str, str], list[int]] = {}
    for index, sample in enumerate(source.samples):
        by_eye.setdefault(sample.eye_class, []).append(index)
    trials = misses = refused = count = 0
    for number, members in enumerate(by_eye.values()):
        progress(f"altered: {name}", number + 1, len(by_eye))
        usable = [t for other in members[probes:] if (t := encoded.templates[other]) is not None]
        for index in members[:probes]:
            picture = ALTERATIONS[name](grey_of(source, source.samples[index]), np.random.default_rng([7, index]))
            template = rival.pipeline.encode(picture, source.samples[index].eye).template
            count += 1
            refused += template is None
            trials += len(members) - probes
            misses += len(members) - probes
            if template is not None and usable:
                codes, masks = np.stack([t.code for t in usable]), np.stack([t.mask for t in usable])
                scores = score_many(template, codes, masks, ComparisonParameters())
                misses -= int((scores >= threshold).sum())
    return {"pictures": count, "refused": refused, "trials": trials, "missed": misses}


def grey_of(source: EyeSet, sample: EyeSample) -> Grey:
    pixels = source.pixels(sample)
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


# ---------------------------------------------------------------------------------------- agreement and synthetic


def visible(found: Segmentation) -> NDArray[np.bool_]:
    """(height, width) iris that nothing hides."""
    rings = []
    for contour in (found.limbus, found.pupil):
        canvas = np.zeros(found.occlusion.shape, dtype=np.uint8)
        cv2.fillPoly(canvas, [np.round((contour.points - 0.5) * 16).astype(np.int32)], 1, shift=4)
        rings.append(canvas > 0)
    return np.asarray(rings[0] & ~rings[1] & ~found.occlusion)


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0


def agreement(rival: Rival) -> Report:
    """Overlap of the visible iris with the classical one's where both enrol; every fourth picture."""
    source, pipeline = rival.source, rival.pipeline
    samples = source.samples[::4]
    classical = IrisPipeline.load("default")
    shares, radii = [], []
    for number, sample in enumerate(samples, start=1):
        progress("agreement", number, len(samples))
        picture = grey_of(source, sample)
        one, other = pipeline.encode(picture, sample.eye), classical.encode(picture, sample.eye)
        if one.template is None or other.template is None or one.segmentation is None or other.segmentation is None:
            continue
        shares.append(overlap(visible(one.segmentation), visible(other.segmentation)))
        a, b = one.segmentation, other.segmentation
        radii.append([abs(a.pupil.radius - b.pupil.radius), abs(a.limbus.radius - b.limbus.radius)])
    return {
        "pictures": len(shares),
        "median": statistics.median(shares),
        "low": float(np.quantile(shares, 0.05)),
        "pupil_pixels": float(np.median(np.array(radii)[:, 0])),
        "limbus_pixels": float(np.median(np.array(radii)[:, 1])),
    }


def on_synthetic(rival: Rival, *, kind: str, count: int) -> Report:
    """Eyes of seeds that nothing was trained on: overlap and distance of the contours from the truth."""
    pool = EyePool(903, 12) if kind == "as trained" else None
    shares, pupil, limbus, missing = [], [], [], 0
    for number in range(count):
        progress(f"synthetic, {kind}", number + 1, count)
        if pool is not None:
            eye = pool.draw(number)
            if not eye.maps[1].any():
                continue
            image, rings = eye.image, (eye.pupil, eye.limbus)
            half = eye.maps > 127
            seen = half[1] & ~half[0] & half[2] & ~half[3]
            truth = cv2.resize(seen.astype(np.uint8), image.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        else:
            shot = capture_eye(draw_identity(902, number // 4), number, width=320, height=240, difficulty=1.5)
            image, rings, truth = shot.image, (shot.truth.pupil, shot.truth.limbus), shot.truth.visible
        found = rival.pipeline.encode(image).segmentation
        if found is None:
            missing += 1
            continue
        shares.append(overlap(visible(found), truth))
        radius = float(np.hypot(*(rings[1] - rings[1].mean(axis=0)).T).mean())
        pupil.append(contour_error(found.pupil.points, rings[0]) / radius)
        limbus.append(contour_error(found.limbus.points, rings[1]) / radius)
    return {
        "pictures": len(shares) + missing,
        "no_iris_found": missing,
        "overlap": statistics.median(shares),
        "overlap_low": float(np.quantile(shares, 0.1)),
        "pupil": statistics.median(pupil),
        "limbus": statistics.median(limbus),
        "lost": float(np.mean(np.array(limbus) > 0.2)),
    }


def contour_error(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Mean distance of the true points to the found polygon, in pixels."""
    dense = np.concatenate([np.linspace(a, b, 4) for a, b in zip(found, np.roll(found, -1, axis=0))])
    return float(np.hypot(*(truth[::4, None] - dense[None]).transpose(2, 0, 1)).min(axis=1).mean())


def times(source: EyeSet, kinds: dict[str, IrisPipeline], count: int) -> Report:
    """Median milliseconds of the segmentation alone (up to the unwrapping), the pipelines taking turns."""
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for sample in source.samples[:: max(1, len(source.samples) // count)][:count]:
        for name, pipeline in kinds.items():
            spent = pipeline.encode(grey_of(source, sample), sample.eye).milliseconds
            stop = list(spent).index("rubber_sheet") if "rubber_sheet" in spent else len(spent)
            found[name].append(sum(list(spent.values())[:stop]))
    return {name: statistics.median(values[1:]) for name, values in found.items()}


def progress(what: str, done: int, whole: int) -> None:
    if done == whole or done % 50 == 0:
        print(f"{what}: {done} of {whole}", file=sys.stderr, flush=True)


def measured(work: Path, name: str, make: Callable[[], Report]) -> Report:
    """The part ``name`` of the results, from the folder where it is there already."""
    path = work / f"{name}.json"
    if path.is_file():
        kept: Report = json.loads(path.read_text())
        return kept
    result = make()
    write_text(path, json.dumps(result, indent=1))
    return result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("SAMEBODY_DATA") or Path(__file__).parents[2] / "shared" / "data").resolve()
    parser.add_argument("--data", type=Path, default=default, help="folder of eye pictures")
    parser.add_argument("--second", type=Path, help="weights of the network that also saw real eyes (ONNX)")
    parser.add_argument("--work", type=Path, help="folder for parts of the result")
    parser.add_argument("--out", type=Path, default=Path("docs/results/iris-segmenter.md"))
    parser.add_argument("--quick", action="store_true", help="a quarter of the people, few pictures")
    chosen = parser.parse_args(arguments)
    if not chosen.data.is_dir():
        print(f"there is no {chosen.data}; set SAMEBODY_DATA or give --data", file=sys.stderr)
        return 66
    cv2.setNumThreads(1)
    os.environ.setdefault("SAMEBODY_THREADS", "1")
    options = BootstrapOptions(replicates=300 if chosen.quick else 1000, seed=20260)
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary) / "parts"
        kinds = pipelines(chosen.second, Path(temporary) / "records")
        whole = read_eye_folder(chosen.data)
        samples = half_of(whole.samples, "odd")
        people = sorted({sample.person for sample in samples})[:: 4 if chosen.quick else 1]
        source = replace(whole, samples=tuple(sample for sample in samples if sample.person in people))
        results: Report = {"people": {}, "altered": {}, "agreement": {}, "synthetic": {}, "persons": len(people)}
        results["probes"] = 1
        count = 24 if chosen.quick else 80
        for kind, pipeline in kinds.items():
            rival = Rival(kind, pipeline, source, work)
            results["people"][kind] = rival.part("people", lambda one: on_people(one.encoded, options))
            if kind != "classical":
                results["agreement"][kind] = rival.part("agreement", agreement)
            if kind == "second":  # what it gained from real eyes shows on people
                continue
            threshold = results["people"][kind]["rates"][1]["threshold"]
            altered = partial(on_altered, threshold=threshold, probes=results["probes"])
            results["altered"][kind] = {
                name: rival.part(f"altered {name}", partial(altered, name=name)) for name in ALTERATIONS
            }
            for name in ("as trained", "plain"):
                results["synthetic"].setdefault(name, {})[kind] = rival.part(
                    f"synthetic {name}", partial(on_synthetic, kind=name, count=count)
                )
        results["times"] = measured(work, "times", partial(times, source, kinds, 8 if chosen.quick else 40))
    results["differences"] = {
        kind: [
            difference(results["people"][kind]["rates"][at], results["people"]["classical"]["rates"][at], options)
            for at in range(len(FMRS))
        ]
        for kind in kinds
        if kind != "classical"
    }
    results["machine"] = "Machine: " + "; ".join(f"{key} {value}" for key, value in describe_machine().items()) + "."
    results["verdict"] = verdict(results)
    words = ["python -m benchmarks.iris_segmenter", *(["--second FILE.onnx"] if chosen.second else [])]
    write_text(chosen.out, page(results, " ".join(words + (["--quick"] if chosen.quick else []))))
    print(results["verdict"])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
