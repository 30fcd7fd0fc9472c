"""``samebody synth attacks``: a page of examples to look at, or pairs of attack and bona fide twin as files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from samebody.config import Settings
    from samebody.face import FaceAnalyser
    from samebody.synth.attacks import Pair, Source
    from samebody.types import Pixels

EXAMPLES = (
    "example/person-a-1",
    "example/person-b-1",
    "example/person-a-2",
    "example/person-b-2",
    "example/person-c-1",
)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
NEED_MESH = ("paper_mask", "partial_mask", "face_swap", "morph")
NEED_OTHER = ("face_swap", "morph")
CANDIDATES = 12
"""Second persons that are tried; the one whose head is turned most alike is taken."""


@click.command("attacks")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of portraits, searched through; the example photographs by default.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="HTML page of examples to write.")
@click.option(
    "--files", type=click.Path(file_okay=False, path_type=Path), help="Folder for pairs as JPEG with labels.jsonl."
)
@click.option("--species", multiple=True, help="Only these, e.g. print or print/halftone; may be repeated.")
@click.option("--count", type=click.IntRange(min=1), default=4, show_default=True, help="Pairs of each family.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--strength", type=click.FloatRange(0, 1), help="0-1; drawn between 0.35 and 1 by default.")
@click.option("--framing", type=click.Choice(["tight", "scene"]), default="tight", show_default=True)
@click.option("--size", type=click.IntRange(64, 2048), default=224, show_default=True, help="Side of the pictures.")
@click.option("--crop/--no-crop", default=None, help="Crop to the face first; by default only the examples are.")
@click.option("--probe", is_flag=True, help="Say whether size, JPEG quality, blur or mean colour tell the pairs apart.")
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True)
def command(**options: Any) -> None:
    """Make attacks from bona fide pictures, each beside its bona fide twin.

    Species that are warped on the face need the face models; without them they are left out and named.
    """
    from samebody.config import load_settings

    plan = Plan(**options)
    if plan.out is None and plan.files is None and not plan.probe:
        raise click.UsageError("Give --out PAGE.html, --files FOLDER or --probe.")
    settings = load_settings()
    wanted = _chosen(plan)
    pictures, credits = _pictures(plan, settings)
    sources, notes = _sources(pictures, plan, settings, wanted)
    jobs = list(_jobs(sources, plan, wanted))
    if plan.files is not None:
        _write_files(plan.files, jobs, plan, sources)
    if plan.out is not None:
        _write_page(plan.out, jobs, plan, sources, [*credits, *notes])
    if plan.probe:
        _probe(jobs, plan, sources)
    for note in notes:
        click.echo(note, err=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """The options."""

    images: Path | None
    out: Path | None
    files: Path | None
    species: tuple[str, ...]
    count: int
    seed: int
    strength: float | None
    framing: str
    size: int
    crop: bool | None
    probe: bool
    processes: int


@dataclass(frozen=True, slots=True)
class Job:
    """One pair to make: indices of its sources and what it shall be."""

    source: int
    other: int | None
    species: str
    family: str
    seed: int


def _chosen(plan: Plan) -> list[tuple[str, str]]:
    from samebody.synth.attacks import AttackUnknownError, families

    known = [(species, family) for species, many in families().items() for family in many]
    if plan.framing == "scene":
        digital = ("face_swap", "morph", "generated", "injection")
        known = [entry for entry in known if entry[0] not in digital]
    if not plan.species:
        return known
    chosen: list[tuple[str, str]] = []
    for name in plan.species:
        species, _, family = name.partition("/")
        found = [entry for entry in known if entry[0] == species and (not family or entry[1] == family)]
        if not found:
            names = ", ".join(dict.fromkeys(entry[0] for entry in known))
            raise AttackUnknownError(f"there is no species {name!r} in this framing.", hint=f"Known: {names}.")
        chosen += [entry for entry in found if entry not in chosen]
    return chosen


def _pictures(plan: Plan, settings: Settings) -> tuple[list[Path], list[str]]:
    """Paths of the pictures and the credits to print beside them."""
    from samebody.errors import InputError

    if plan.images is not None:
        found = sorted(path for path in plan.images.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise InputError(f"no pictures in {plan.images}.", hint=f"Looked for {', '.join(SUFFIXES)}.")
        return found, []
    from samebody.models import catalogue, weights_path

    records = catalogue(settings)
    credits = [f"{identifier}: {records[identifier].licence.notice}" for identifier in EXAMPLES]
    return [weights_path(records[identifier], settings) for identifier in EXAMPLES], credits


def _sources(
    pictures: Sequence[Path], plan: Plan, settings: Settings, wanted: Sequence[tuple[str, str]]
) -> tuple[list[Source], list[str]]:
    """As many sources as the plan uses, with meshes where they are needed; and what to say about those left out."""
    from samebody.capture import decode_image
    from samebody.errors import InputError, ResourceError
    from samebody.synth.attacks import Source, generator

    crop = plan.crop if plan.crop is not None else plan.images is None
    meshes = crop or any(species in NEED_MESH for species, _ in wanted)
    notes: list[str] = []
    analyser = None
    if meshes:
        from samebody.face import FaceAnalyser

        analyser = FaceAnalyser(settings)
    order = generator(plan.seed, "order").permutation(len(pictures))
    need = max(plan.count, CANDIDATES) if meshes else plan.count
    sources: list[Source] = []
    skipped = 0
    for index in order[: 4 * need]:
        try:
            image = decode_image(pictures[index], limits=settings.limits)
            source = _source(image.pixels, analyser, plan.size, crop=crop)
        except ResourceError as error:
            if crop:
                raise
            notes.append(f"Left out what is warped on the face: {error}")
            analyser, source = None, Source(image.pixels)
        except InputError:
            source = None
        if source is None:
            skipped += 1
            continue
        sources.append(source)
        if len(sources) >= need:
            break
    if skipped:
        notes.append(f"{skipped} pictures left out: not readable, too small, or no face looking about ahead.")
    if not sources:
        raise InputError("no picture could be used.", hint="Give portraits of at least 64 pixels a side.")
    return sources, notes


def _source(pixels: Pixels, analyser: FaceAnalyser | None, size: int, *, crop: bool) -> Source | None:
    """The picture, or its face with a quarter of margin, at about ``size`` pixels; None when no face is usable."""
    import cv2
    import numpy as np

    from samebody.synth.attacks import Source
    from samebody.types import Image

    def scaled(picture: Pixels) -> Pixels:
        side = max(picture.shape[:2])
        part = size / side
        shape = (max(32, round(picture.shape[1] * part)), max(32, round(picture.shape[0] * part)))
        return np.asarray(
            cv2.resize(picture, shape, interpolation=cv2.INTER_AREA if part < 1 else cv2.INTER_CUBIC), np.uint8
        )

    if analyser is None:
        return Source(scaled(pixels))
    if crop:
        faces = analyser.detect(Image(pixels))
        if not faces:
            return None
        box = max(faces, key=lambda face: face.box.width * face.box.height).box
        half = 0.75 * max(box.width, box.height)
        x, y = box.centre
        left, top, right, bottom = (round(v) for v in (x - half, y - half, x + half, y + half))
        height, width = pixels.shape[:2]
        pixels = np.ascontiguousarray(pixels[max(0, top) : min(height, bottom), max(0, left) : min(width, right)])
    image = Image(scaled(pixels))
    faces = analyser.detect(image)
    if not faces:
        return None
    mesh = analyser.mesh(image, max(faces, key=lambda face: face.box.width * face.box.height))
    if mesh is None or abs(mesh.yaw) > 30 or abs(mesh.pitch) > 30:
        return None
    return Source(image.pixels, mesh.points[:, :2])


def _jobs(sources: Sequence[Source], plan: Plan, wanted: Sequence[tuple[str, str]]) -> Iterator[Job]:
    """One job a pair; sources take turns, seconds are those that fit."""
    from samebody.synth.attacks import generator, misfit
    from samebody.synth.attacks.mesh import WORST_FIT

    for species, family in wanted:
        random = generator(plan.seed, "jobs", species, family)
        start = int(random.integers(0, len(sources)))
        for number in range(plan.count):
            first = (start + number) % len(sources)
            other = None
            if species in NEED_MESH:
                if sources[first].landmarks is None:
                    continue
                others = [index for index in range(len(sources)) if index != first]
                tried = [int(index) for index in random.permutation(others)[:CANDIDATES]] if others else []
                fits = [(misfit(sources[first].mesh(), sources[index].mesh()), index) for index in tried]
                best = min(fits, default=(1.0, -1))
                other = best[1] if best[0] <= WORST_FIT else None
                if other is None and species in NEED_OTHER:
                    continue
            yield Job(first, other, species, family, plan.seed + number)


def _make(job: Job, plan: Plan, sources: Sequence[Source]) -> Pair:
    from samebody.synth.attacks import pair

    size = None
    if plan.framing == "scene":
        size = (round(1.5 * plan.size), round(1.5 * plan.size))
    return pair(
        sources[job.source],
        other=None if job.other is None else sources[job.other],
        species=job.species,
        family=job.family,
        seed=job.seed,
        strength=plan.strength,
        framing=plan.framing,
        size=size,
    )


def _write_page(out: Path, jobs: Sequence[Job], plan: Plan, sources: Sequence[Source], notes: Sequence[str]) -> None:
    from samebody.lab.evaluate.files import write_text
    from samebody.synth.attacks.page import examples_page

    rows: dict[tuple[str, str], list[Pair]] = {}
    for job in jobs:
        rows.setdefault((job.species, job.family), []).append(_make(job, plan, sources))
    write_text(out, examples_page(rows, title="Synthesised attacks", notes=notes))
    click.echo(f"{out}: {len(jobs)} pairs of {len(rows)} families")


def _probe(jobs: Sequence[Job], plan: Plan, sources: Sequence[Source]) -> None:
    from samebody.synth.attacks.shortcuts import probe

    report = probe([_make(job, plan, sources) for job in jobs])
    low, high = report.interval
    click.echo(f"shortcuts: AUC {report.auc:.3f} (95 % interval {low:.3f} to {high:.3f}, {report.pairs} pairs)")
    for name, value in report.by_feature.items():
        click.echo(f"  {name} alone: {value:.3f}")


# ------------------------------------------------------------------------------------------------------------- files

_SHARED: dict[str, Any] = {}
"""What a worker process was given when it started."""


def _start(plan: Plan, sources: Sequence[Source]) -> None:
    import cv2

    cv2.setNumThreads(1)
    _SHARED.update(plan=plan, sources=sources)


def _save(numbered: tuple[int, Job]) -> dict[str, Any]:
    number, job = numbered
    plan: Plan = _SHARED["plan"]
    made = _make(job, plan, _SHARED["sources"])
    assert plan.files is not None
    row: dict[str, Any] = {"pair": number, "source": job.source, "other": job.other}
    for role, shot in (("attack", made.attack), ("bona_fide", made.bona_fide)):
        name = f"{role}/{number:06d}.jpg"
        _write_whole(plan.files / name, shot.jpeg)
        row[role] = {"file": name, "label": shot.label.to_dict()}
    return row


def _write_whole(path: Path, data: bytes) -> None:
    """Write through a temporary name, so that a file is whole or not there."""
    from samebody.errors import StorageError

    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            f"{path} cannot be written: {error.strerror}.", hint="Free some space or choose another place."
        ) from None


def _write_files(folder: Path, jobs: Sequence[Job], plan: Plan, sources: Sequence[Source]) -> None:
    import json
    import multiprocessing

    from samebody.errors import StorageError
    from samebody.lab.evaluate.files import write_text

    try:
        for role in ("attack", "bona_fide"):
            (folder / role).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}.", hint="Choose another place.") from None
    numbered = list(enumerate(jobs))
    started = time.perf_counter()
    if plan.processes == 1:
        _start(plan, sources)
        rows = [_save(entry) for entry in numbered]
    else:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(plan.processes, spawn, _start, (plan, sources)) as pool:
            rows = list(pool.map(_save, numbered, chunksize=8))
    write_text(folder / "labels.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    click.echo(f"{folder}: {len(rows)} pairs in {time.perf_counter() - started:.1f} s; labels.jsonl says what each is")
