"""What a single comparison says: a calibrated log-likelihood ratio, its uncertainty by quality, and how good it is.

Fitted on one half of the people and judged on the other. What comes out is the optional part of a record's sidecar
(:class:`samebody.models.Reliability`), which a verdict can show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.face import FaceAnalyser
from samebody.lab.evaluate.corruptions import generator
from samebody.lab.evaluate.errors import ScoreTableError
from samebody.lab.evaluate.images import Picture, PictureSet
from samebody.lab.evaluate.mitigation import split_people
from samebody.lab.evaluate.robustness.acquire import Acquired, CorruptedFaces
from samebody.lab.evaluate.robustness.ladder import chosen_probes
from samebody.lab.evaluate.robustness.results import FixedThreshold
from samebody.lab.evaluate.robustness.run import POPULATION, TARGETS, clean_templates, fixed_thresholds, read_sets
from samebody.measure import (
    BootstrapOptions,
    CllrParts,
    cllr_parts,
    draw_weights,
    fit_logistic,
    require_disjoint,
    subject_bootstrap,
)
from samebody.measure import Reliability as Diagram
from samebody.measure import reliability as diagram
from samebody.models import Reliability, catalogue
from samebody.models.reliability import Line, MissRate, QualityBin

DEGRADATIONS = (("blur", 3.0), ("low light", 1 / 32), ("resolution", 14.0), ("noise", 20.0), ("motion", 14.0))
"""What is done to copies so that poor pictures are there too; one of them for each picture."""

LEAST_MATED, LEAST_NON_MATED = 10, 30
"""People that a quality bin must hold on either side to get a line of its own."""

LEAST_WIDTH = 5
"""Points of quality that a bin spans at least: a finer one says more of the assessor than of the pictures."""

_BOOTSTRAP_PAIRS = 40_000
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """Mated and non-mated comparisons with the quality of their poorer picture.

    Attributes:
        mated, mated_subject, mated_quality: (m,) scores, who, 0-100 or NaN.
        non_mated, first, second, non_mated_quality: (n,) scores, both people, 0-100 or NaN.
    """

    mated: NDArray[np.float64] = field(repr=False)
    mated_subject: NDArray[np.str_] = field(repr=False)
    mated_quality: NDArray[np.float64] = field(repr=False)
    non_mated: NDArray[np.float64] = field(repr=False)
    first: NDArray[np.str_] = field(repr=False)
    second: NDArray[np.str_] = field(repr=False)
    non_mated_quality: NDArray[np.float64] = field(repr=False)

    def people(self) -> NDArray[np.str_]:
        """Everybody who takes part."""
        return np.unique(np.concatenate([self.mated_subject, self.first, self.second]))

    def within(self, low: float, high: float) -> ScoredPairs:
        """The comparisons with ``low <= quality < high``."""
        same = (self.mated_quality >= low) & (self.mated_quality < high)
        other = (self.non_mated_quality >= low) & (self.non_mated_quality < high)
        return ScoredPairs(
            self.mated[same],
            self.mated_subject[same],
            self.mated_quality[same],
            self.non_mated[other],
            self.first[other],
            self.second[other],
            self.non_mated_quality[other],
        )


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityResult:
    """The part for the record, and how it was judged.

    Attributes:
        reliability: what is written.
        plain, by_quality: Cllr of the line of all, and of the lines by quality, on the judging half.
        diagram: predicted against observed probability on the judging half.
        command: how it was made.
    """

    reliability: Reliability
    plain: CllrParts
    by_quality: CllrParts
    diagram: Diagram
    command: str = ""


def fit_line(pairs: ScoredPairs, options: BootstrapOptions) -> Line:
    """Logistic calibration with the covariance of its two numbers over resampled people.

    People of mated pairs and of non-mated pairs are drawn on their own; a non-mated pair counts as often as the product
    of its two people's draws. Where there are very many non-mated pairs, replicates are fitted on a random part.

    Raises:
        EmptyClassError, CalibrationError: see :func:`samebody.measure.fit_logistic`.
    """
    fitted = fit_logistic(pairs.mated, pairs.non_mated)
    chosen = np.arange(len(pairs.non_mated))
    if len(chosen) > _BOOTSTRAP_PAIRS:
        chosen = generator(options.seed, "bootstrap pairs").choice(chosen, _BOOTSTRAP_PAIRS, replace=False)
    known, owner = np.unique(pairs.mated_subject, return_inverse=True)
    people, ends = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    first, second = ends[: len(pairs.first)][chosen], ends[len(pairs.first) :][chosen]
    other = pairs.non_mated[chosen]
    found: list[tuple[float, float]] = []
    draws = zip(
        draw_weights(len(known), options.replicates, options.seed),
        draw_weights(len(people), options.replicates, options.seed + 1),
    )
    for mated_weights, other_weights in draws:
        for column in range(mated_weights.shape[1]):
            same = np.repeat(pairs.mated, mated_weights[owner, column].astype(np.int64))
            times = (other_weights[first, column] * other_weights[second, column]).astype(np.int64)
            different = np.repeat(other, times)
            if len(same) and len(different):
                again = fit_logistic(same, different)
                found.append((again.slope, again.offset))
    spread = np.cov(np.array(found).T)
    return Line(
        slope=fitted.slope,
        offset=fitted.offset,
        covariance=(float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])),
        mated_pairs=len(pairs.mated),
        mated_subjects=len(known),
        non_mated_pairs=len(pairs.non_mated),
        non_mated_subjects=len(people),
    )


def quality_edges(qualities: NDArray[np.float64], bins: int = 3) -> tuple[int, ...]:
    """Whole numbers from 0 to 101 that share the comparisons out evenly; fewer bins where quality hardly varies."""
    finite = qualities[np.isfinite(qualities)]
    inner = np.quantile(finite, np.arange(1, bins) / bins) if len(finite) else np.empty(0)
    edges = [0]
    for edge in inner.tolist():
        if round(edge) - edges[-1] >= LEAST_WIDTH and 101 - round(edge) >= LEAST_WIDTH:
            edges.append(round(edge))
    return (*edges, 101)


def fit_reliability(
    fit: ScoredPairs,
    judge: ScoredPairs,
    thresholds: Sequence[FixedThreshold],
    *,
    dataset: str,
    population: str,
    options: BootstrapOptions | None = None,
    bins: int = 3,
    provenance: dict[str, Any] | None = None,
    command: str = "",
) -> ReliabilityResult:
    """Fit on some people, judge on others.

    Args:
        fit, judge: comparisons of different people.
        thresholds: at which misses are counted in each quality bin, on the judging people.
        dataset, population: in words, for the record.
        options: of bootstraps; the fits use at most 100 replicates.
        bins: of quality, at most.
        provenance: JSON-ready.
        command: how it is made.

    Raises:
        SubjectLeakageError: somebody stands in both.
        EmptyClassError, CalibrationError: nothing to fit.
    """
    options = options or BootstrapOptions(replicates=300)
    require_disjoint(fit.people(), judge.people())
    refits = BootstrapOptions(min(options.replicates, 100), options.seed, options.level)
    line = fit_line(fit, refits)
    edges = quality_edges(fit.mated_quality, bins)
    found = []
    for low, high in pairwise(edges):
        inside, own = fit.within(low, high), None
        enough = len(np.unique(inside.mated_subject)) >= LEAST_MATED
        if enough and len(np.unique(np.concatenate([inside.first, inside.second]))) >= LEAST_NON_MATED:
            own = fit_line(inside, refits)
        found.append(
            QualityBin(low=low, high=high, line=own, misses=_misses(judge.within(low, high), thresholds, options))
        )
    draft = Reliability(
        dataset=dataset,
        population=population,
        line=line,
        bins=tuple(found),
        level=options.level,
        cllr=0.0,
        cllr_min=0.0,
        provenance={**(provenance or {}), "replicates": refits.replicates, "seed": options.seed},
    )
    plain = cllr_parts(*(_ratios(draft, scores, None) for scores in (judge.mated, judge.non_mated)))
    same = _ratios(draft, judge.mated, judge.mated_quality)
    other = _ratios(draft, judge.non_mated, judge.non_mated_quality)
    parts = cllr_parts(same, other)
    reliability = draft.model_copy(
        update={
            "cllr": parts.cllr,
            "cllr_min": parts.cllr_min,
            "judged_mated_subjects": len(np.unique(judge.mated_subject)),
            "judged_non_mated_subjects": len(np.unique(np.concatenate([judge.first, judge.second]))),
        }
    )
    return ReliabilityResult(reliability, plain, parts, diagram(same, other), command)


def _misses(
    pairs: ScoredPairs, thresholds: Sequence[FixedThreshold], options: BootstrapOptions
) -> tuple[MissRate, ...]:
    if not len(pairs.mated):
        return ()
    found = []
    for entry in thresholds:
        rate = subject_bootstrap(pairs.mated_subject, pairs.mated < entry.value, options)
        found.append(
            MissRate(
                fmr=entry.target,
                threshold=entry.value,
                fnmr=rate.rate,
                interval=rate.interval,
                pairs=rate.trials,
                subjects=rate.subjects,
            )
        )
    return tuple(found)


def _ratios(
    reliability: Reliability, scores: NDArray[np.float64], qualities: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """(n,) ratios as :meth:`samebody.models.Reliability.likelihood` gives them one by one."""

    def along(line: Line, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(line.slope * values + line.offset, *line.bounds)

    found = along(reliability.line, scores)
    if qualities is not None:
        for entry in reliability.bins:
            if entry.line is not None:
                inside = (qualities >= entry.low) & (qualities < entry.high)
                found[inside] = along(entry.line, scores[inside])
    return found


# ---------------------------------------------------------------------------------------------------- from the pictures


def evaluate_reliability(
    images: Path,
    model: str = "face/sface",
    *,
    repeats: Path | None = None,
    per_subject: int = 4,
    per_group: int = 30,
    options: BootstrapOptions | None = None,
    settings: Settings | None = None,
    seed: int = 20260,
    command: str = "",
    progress: Progress = lambda what, done, whole: None,
) -> ReliabilityResult:
    """Calibrate an embedder on ORL (mated) and FairFace adults (non-mated, within race and gender).

    Some pictures of each person, and one degraded copy of each, are also assessed for quality; the other adults serve
    the line of all qualities.

    Args:
        images: folder with ``orl`` and ``fairface``.
        model: record id of the embedder.
        repeats: list of pictures of fairface that show one person twice.
        per_subject, per_group: pictures of each person of orl, people of each label of fairface, with quality.
        options: of bootstraps.
        settings: where weights and caches are.
        seed: of degraded copies and of the split.
        command: for the page.
        progress: told (what, done, of how many).

    Raises:
        ScoreTableError: one of the two sets is missing.
        NotMeasuredError: the record has no operating points.
    """
    settings, options = settings or load_settings(), options or BootstrapOptions(replicates=300)
    record = catalogue(settings)[model]
    thresholds = fixed_thresholds(record, TARGETS, POPULATION)
    sets = read_sets(images, repeats=repeats)
    labelled = next((chosen for chosen in sets if any(picture.group for picture in chosen.pictures)), None)
    people = next((chosen for chosen in sets if chosen is not labelled), None)
    if labelled is None or people is None:
        raise ScoreTableError(str(images), ["it holds not both orl and fairface"], hint="Name the folder of the sets.")
    analyser = FaceAnalyser(settings, embedder=model)
    faces = CorruptedFaces(analyser, settings, seed=seed, quality=True)
    mated = with_copies(faces, people, chosen_probes(people.pictures, per_subject, per_subject), progress)
    assessed = with_copies(faces, labelled, chosen_probes(labelled.pictures, 1, per_group), progress)
    clean = clean_templates(labelled, model, settings, progress)
    seen = {picture.file for picture in assessed.pictures}
    halves = _halves(mated, assessed, clean, seen, seed)
    dataset = f"mated: {people.name} and degraded copies; non-mated: {labelled.name} and degraded copies"
    provenance = {
        "command": command,
        "version": version("samebody"),
        "sets": [{"name": chosen.name, "sha256_of_list": chosen.digest} for chosen in (people, labelled)],
        "degradations": [f"{name} {strength:g}" for name, strength in DEGRADATIONS],
    }
    progress("fitting", 0, 0)
    return fit_reliability(
        *halves,
        thresholds,
        dataset=dataset,
        population="same labels of race and gender, adults",
        options=options,
        provenance=provenance,
        command=command,
    )


def with_copies(faces: CorruptedFaces, chosen: PictureSet, pictures: Sequence[Picture], progress: Progress) -> Acquired:
    """Templates with quality of pictures and of one degraded copy of each."""
    parts = [faces.acquire(chosen, pictures, progress=progress)]
    for number, (name, strength) in enumerate(DEGRADATIONS):
        some = pictures[number :: len(DEGRADATIONS)]
        if some:
            parts.append(faces.acquire(chosen, some, name, strength, progress))
    return Acquired(
        tuple(picture for part in parts for picture in part.pictures),
        np.concatenate([part.vectors for part in parts]),
        tuple(picture for part in parts for picture in part.failed),
        tuple(reason for part in parts for reason in part.reasons),
        np.concatenate([part.quality for part in parts if part.quality is not None]),
    )


def _halves(
    mated: Acquired, assessed: Acquired, clean: Acquired, seen: set[str], seed: int
) -> tuple[ScoredPairs, ScoredPairs]:
    people = sorted({picture.subject for picture in mated.pictures})
    order = generator(seed, "halves").permutation(len(people))
    first_half = {people[number] for number in order[: len(people) // 2].tolist()}
    everybody = (*assessed.pictures, *clean.pictures)
    subjects = np.array([picture.subject for picture in everybody], dtype=np.str_)
    groups = np.array([picture.group for picture in everybody], dtype=np.str_)
    # half of the people in one part and half in the other two
    one = {str(name) for name in subjects[split_people(subjects, groups, 0.5, seed)[0]].tolist()}
    found = []
    for number in (0, 1):
        keep = [(picture.subject in one) == (number == 0) for picture in assessed.pictures]
        rest = [(picture.subject in one) == (number == 0) and picture.file not in seen for picture in clean.pictures]
        scores, subject, quality = _mated(mated, [(p.subject in first_half) == (number == 0) for p in mated.pictures])
        found.append(ScoredPairs(scores, subject, quality, *_non_mated(assessed, keep, clean, rest)))
    return found[0], found[1]


def _mated(found: Acquired, keep: Sequence[bool]) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.float64]]:
    """Pairs of one person from different pictures (a picture and its own copy are none)."""
    rows = np.flatnonzero(keep)
    subject = np.array([found.pictures[row].subject for row in rows], dtype=np.str_)
    file = np.array([found.pictures[row].file for row in rows], dtype=np.str_)
    one, two = np.triu_indices(len(rows), 1)
    good = (subject[one] == subject[two]) & (file[one] != file[two])
    one, two = one[good], two[good]
    return _scores(found.vectors[rows], one, two), subject[one], _poorer(found, rows, one, two)


def _non_mated(
    assessed: Acquired, keep: Sequence[bool], clean: Acquired, rest: Sequence[bool]
) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.str_], NDArray[np.float64]]:
    """Pairs of different people of one label: all of the assessed pictures, and all of the others."""
    columns: list[tuple[NDArray[Any], ...]] = []
    for part, chosen in ((assessed, keep), (clean, rest)):
        rows = np.flatnonzero(chosen)
        subject = np.array([part.pictures[row].subject for row in rows], dtype=np.str_)
        group = np.array([part.pictures[row].group for row in rows], dtype=np.str_)
        for name in sorted(set(group.tolist())):
            own = np.flatnonzero(group == name)
            one, two = np.triu_indices(len(own), 1)
            one, two = own[one], own[two]
            good = subject[one] != subject[two]
            one, two = one[good], two[good]
            scores = _scores(part.vectors[rows], one, two)
            columns.append((scores, subject[one], subject[two], _poorer(part, rows, one, two)))
    scores, first, second, quality = (np.concatenate(column) for column in zip(*columns))
    return scores, first, second, quality


def _scores(vectors: NDArray[np.float32], one: NDArray[np.int64], two: NDArray[np.int64]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return np.asarray(np.clip(np.einsum("nd,nd->n", wide[one], wide[two]), -1.0, 1.0), dtype=np.float64)


def _poorer(
    found: Acquired, rows: NDArray[np.int64], one: NDArray[np.int64], two: NDArray[np.int64]
) -> NDArray[np.float64]:
    if found.quality is None:
        return np.full(len(one), np.nan)
    quality = found.quality[rows].astype(np.float64)
    return np.minimum(quality[one], quality[two])


# ------------------------------------------------------------------------------------------------------------- the page


def markdown(result: ReliabilityResult, label: str) -> str:
    """The calibration as Markdown."""
    found = result.reliability
    low, high = found.line.bounds
    lines = [f"# What one comparison says, {label}", ""]
    lines += ["    " + result.command, ""] if result.command else []
    lines += [
        f"- {found.dataset}; non-mated pairs: {found.population}",
        f"- fitted on {found.line.mated_pairs:,} mated pairs of {found.line.mated_subjects} people and "
        f"{found.line.non_mated_pairs:,} non-mated pairs of {found.line.non_mated_subjects:,}; judged on "
        f"{found.judged_mated_subjects} and {found.judged_non_mated_subjects:,} others",
        f"- natural log-likelihood ratio = {found.line.slope:.2f} x score {found.line.offset:+.2f}, given out from "
        f"{low:.2f} to {high:.2f}",
        f"- Cllr {result.plain.cllr:.4f}, Cllr_min {result.plain.cllr_min:.4f} bits with one line; "
        f"{result.by_quality.cllr:.4f} and {result.by_quality.cllr_min:.4f} with lines by quality (1 says nothing)",
        "",
        "Mated pairs are of one set of 40 people photographed in one place, non-mated ones of another set of strangers "
        "from the web: what tells the sets apart also tells mated from non-mated, so the ratios are likely too good. "
        "Nothing is decided by them.",
        "",
        _compared(result),
        "",
        _line(["quality of the poorer picture", "line", "mated people", "non-mated people", "FNMR at FMR"]),
        _line(["---"] * 5),
    ]
    for entry in found.bins:
        own = entry.line
        misses = "; ".join(
            f"{miss.fmr:g}: {100 * miss.fnmr:.2f} % [{100 * miss.interval[0]:.2g}, {100 * miss.interval[1]:.2g}] of "
            f"{miss.pairs:,}"
            for miss in entry.misses
        )
        lines.append(
            _line(
                [
                    f"{entry.low} to {entry.high - 1}",
                    "that of all" if own is None else f"{own.slope:.2f} x score {own.offset:+.2f}",
                    "-" if own is None else str(own.mated_subjects),
                    "-" if own is None else str(own.non_mated_subjects),
                    misses or "-",
                ]
            )
        )
    lines += ["", "Predicted and observed probability of one person at even odds, on the judging people:", ""]
    lines += [_line(["predicted", "observed", "interval (independent pairs)", "mated", "non-mated"])]
    lines += [_line(["---"] * 5)]
    for step in result.diagram.bins:
        shown = f"[{step.interval[0]:.3f}, {step.interval[1]:.3f}]"
        cells = [f"{step.predicted:.3f}", f"{step.observed:.3f}", shown, f"{step.mated:,}", f"{step.non_mated:,}"]
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _compared(result: ReliabilityResult) -> str:
    gain = result.plain.cllr - result.by_quality.cllr
    if gain > 0:
        return f"Lines by quality lower Cllr by {gain:.4f} bits."
    return (
        f"Lines by quality do not lower Cllr here ({-gain:.4f} bits more): each is fitted on fewer people, and so is "
        "bounded more tightly and less certain. They are kept because their intervals and miss rates are those of "
        "pictures of like quality."
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
