"""Explanations judged over a folder of pictures: the cases, and the page of figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from samebody.config import Settings, load_settings
from samebody.errors import InputError
from samebody.explain import Case, Judgement, aligned_face, embedder_pair
from samebody.explain.errors import ExplainInputError
from samebody.explain.judge import REFERENCE, Estimate, Judged
from samebody.face import FaceAnalyser
from samebody.lab.evaluate.explained import Seen
from samebody.lab.evaluate.images import load_picture, read_pictures
from samebody.models import ModelRecord
from samebody.types import Pixels

Progress = Callable[[int, int], None]
Look = Callable[[Path], Seen]
"""One file to what the model sees of it; raises InputError where it cannot be used."""


def pair_cases(
    folder: Path,
    record: ModelRecord,
    *,
    subjects: int,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Progress = lambda done, whole: None,
) -> tuple[list[Case], str]:
    """One mated pair for each subject: the similarity as a function of the first picture.

    Args:
        folder: a folder of pictures for each subject.
        record: of the embedder.
        subjects: most subjects taken, in an order that ``seed`` decides.
        seed: of the order.
        settings: where the weights are.
        progress: told (subjects read, of how many).

    Returns:
        The cases, and name and digest of the folder. Of each subject the first two pictures that show a usable face.

    Raises:
        ExplainInputError: fewer than two subjects are usable.
    """
    settings = settings or load_settings()
    analyser = FaceAnalyser(settings, embedder=record.id)
    found = read_pictures(folder)
    people: dict[str, list[Path]] = {}
    for picture in found.pictures:
        people.setdefault(picture.subject, []).append(found.root / picture.file)
    names = [name for name in sorted(people) if len(people[name]) > 1]
    cases: list[Case] = []
    for name in np.random.default_rng(seed).permutation(names).tolist():
        faces: list[Pixels] = []
        for path in people[name]:
            try:
                faces.append(aligned_face(load_picture(path, settings.limits), analyser).pixels)
            except InputError:  # not decodable, or no usable face: the next picture of the subject
                continue
            if len(faces) == 2:
                pair = embedder_pair(record, faces[0], faces[1], settings)
                cases.append(Case(pair.first, faces[0], name))
                break
        progress(len(cases), min(subjects, len(names)))
        if len(cases) == subjects:
            break
    return _enough(cases, folder), f"{found.name}, digest {found.digest[:12]}"


def picture_cases(
    folder: Path,
    look: Look,
    *,
    pictures: int,
    seed: int = 0,
    progress: Progress = lambda done, whole: None,
) -> tuple[list[Case], str]:
    """One case for each picture, as ``look`` sees it; pictures that it refuses are left out.

    Args:
        folder: pictures, in any folders; each is taken for another person.
        look: file to what the model sees of it.
        pictures: most pictures taken, in an order that ``seed`` decides.
        seed: of the order.
        progress: told (pictures read, of how many).

    Raises:
        ExplainInputError: fewer than two pictures are usable.
    """
    found = read_pictures(folder)
    cases: list[Case] = []
    for index in np.random.default_rng(seed).permutation(len(found.pictures)).tolist():
        file = found.pictures[index].file
        try:
            seen = look(found.root / file)
        except InputError:
            continue
        cases.append(Case(seen.score, seen.pixels, file))
        progress(len(cases), min(pictures, len(found.pictures)))
        if len(cases) == pictures:
            break
    return _enough(cases, folder), f"{found.name}, digest {found.digest[:12]}"


def _enough(cases: list[Case], folder: Path) -> list[Case]:
    if len(cases) < 2:
        raise ExplainInputError(
            f"{folder} gives {len(cases)} usable cases; judging needs two.",
            hint="Embedders need two subjects with two pictures each, in a folder for each subject.",
        )
    return cases


def judgement_text(found: Judgement, *, model: str, dataset: str) -> str:
    """The figures as lines for a terminal."""
    lines = [f"{model} on {dataset}: {found.cases} pictures of {found.units} people"]
    width = max(len(row.name) for row in found.rows)
    for row in found.rows:
        areas = f"deletion {_figure(row.deletion)}  insertion {_figure(row.insertion)}"
        lines.append(f"  {row.name:<{width}}  {areas}  {_verdict(row)}".rstrip())
    return "\n".join(lines)


INTRODUCTION = (
    "Deletion covers the pixels that a map calls most supporting first and watches the score fall; the area below",
    "the curve is low for a good map. Insertion shows them first on a blurred picture; a good map has a high area.",
    "Gains are over a smooth random map, case by case; above 0 is better. A map is worth little where it does not also",
    "beat edges, and a hill in the middle of the picture, which know nothing of the model.",
)


def judgement_page(found: Judgement, *, model: str, dataset: str, command: str, machine: Mapping[str, str]) -> str:
    """The figures as a Markdown page."""
    level = found.settings["bootstrap"]["level"]
    lines = [
        f"# How good the explanations of {model} are",
        "",
        *INTRODUCTION,
        "",
        f"{found.cases} pictures of {found.units} people of {dataset}. Scores are the model's own (cosine, or",
        f"likelihood of bona fide). Intervals hold {100 * level:g} % (bootstrap over people).",
        "",
        "| map | deletion area | insertion area | deletion gain | insertion gain | better than random |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in found.rows:
        gains = ("", "", "") if row.name == REFERENCE else (
            _signed(row.deletion_gain), _signed(row.insertion_gain), "yes" if row.better_than_random else "**no**"
        )  # fmt: skip
        lines.append(f"| {row.name} | {_figure(row.deletion)} | {_figure(row.insertion)} | {' | '.join(gains)} |")
    lines += ["", "Mean score along the curves:", ""]
    shown = sorted({round(i * (len(found.fractions) - 1) / 8) for i in range(9)})
    lines.append("| share of pixels | " + " | ".join(f"{100 * found.fractions[i]:.0f} %" for i in shown) + " |")
    lines.append("| --- |" + " --- |" * len(shown))
    for row in found.rows:
        for kind, curve in (("deletion", row.mean_deletion), ("insertion", row.mean_insertion)):
            lines.append(f"| {row.name}, {kind} | " + " | ".join(f"{curve[i]:.3f}" for i in shown) + " |")
    settings = found.settings
    methods = "; ".join(
        f"{name}: {', '.join(f'{key} {value}' for key, value in parameters.items() if key != 'batch')}"
        for name, parameters in settings["methods"].items()
    )
    lines += [
        "",
        f"{settings['steps']} steps; covered pixels show `{settings['fill']}` (insertion: "
        f"`{settings['insertion_fill']}`). {methods}.",
        f"Machine: {machine['processor']}, {machine['cores']} cores, onnxruntime {machine['onnxruntime']}.",
        "",
        f"    {command}",
        "",
    ]
    return "\n".join(lines)


def _figure(value: Estimate) -> str:
    return f"{value.mean:.3f} [{value.interval[0]:.3f}, {value.interval[1]:.3f}]"


def _signed(value: Estimate) -> str:
    return f"{value.mean:+.3f} [{value.interval[0]:+.3f}, {value.interval[1]:+.3f}]"


def _verdict(row: Judged) -> str:
    if row.name == REFERENCE:
        return ""
    return "better than random" if row.better_than_random else "NOT better than random"
