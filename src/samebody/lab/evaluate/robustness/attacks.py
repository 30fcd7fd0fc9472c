"""Attacks on the embedder by changing the aligned crop a little everywhere: black-box search, transfer, random noise.

The crop that goes into the embedder is changed by at most a given number of grey levels (L-infinity). That is what an
injected picture can do; a printed or shown one cannot. Nothing here needs the weights: the search asks for scores, the
transfer attack uses gradients of a surrogate (:mod:`samebody.lab.evaluate.robustness.surrogate`).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from samebody.errors import StorageError, UsageError
from samebody.lab.evaluate.corruptions import generator
from samebody.lab.evaluate.robustness.acquire import FaceCrop
from samebody.lab.evaluate.robustness.results import AttackRow, FixedThreshold
from samebody.measure import BootstrapOptions, EmptyClassError, RateEstimate, estimate_rate
from samebody.types import Pixels

Goal = Literal["dodging", "impersonation"]
GOALS: tuple[Goal, ...] = ("dodging", "impersonation")
Scorer = Callable[[Pixels], NDArray[np.float32]]
"""(n, H, W, 3) uint8 crops, one for each pair, to (n,) scores with the references of these pairs: one query each."""

_FIRST_SHARE = 0.1
"""Share of the crop that the first squares cover."""


class Surrogate(Protocol):
    """A model of the attacker's own that can be differentiated."""

    def embed(self, crops: Pixels) -> NDArray[np.float64]:
        """(n, d) vectors of (n, H, W, 3) uint8 crops, not of unit length."""
        ...

    def cosine_gradient(
        self, crops: NDArray[np.float64], targets: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) cosines of crops with (n, d) targets and their (n, H, W, 3) gradients for each grey level."""
        ...


@dataclass(frozen=True, slots=True)
class AttackOptions:
    """How much is tried.

    Attributes:
        pairs: for each goal; every pair has an attacker of its own.
        strengths: largest change in grey levels of 0-255.
        queries: comparisons that the black-box attacker may ask for, for each pair.
        steps: of the transfer attack, on the surrogate; it asks for nothing.
        bootstrap: of the intervals.
        seed: of everything random.
    """

    pairs: int = 12
    strengths: tuple[float, ...] = (4.0, 8.0, 16.0)
    queries: int = 200
    steps: int = 20
    bootstrap: BootstrapOptions = field(default_factory=lambda: BootstrapOptions(replicates=300))
    seed: int = 20260


@dataclass(frozen=True, slots=True, eq=False)
class AttackPairs:
    """Who attacks whom.

    Attributes:
        goal: what for.
        attackers: crops that are changed.
        references: crops of the references, for the surrogate.
        templates: (n, d) float32 templates of the references, for the comparison.
    """

    goal: Goal
    attackers: tuple[FaceCrop, ...]
    references: tuple[FaceCrop, ...]
    templates: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.attackers)

    @property
    def sign(self) -> float:
        """+1 where a high score is a success."""
        return 1.0 if self.goal == "impersonation" else -1.0

    def crops(self) -> Pixels:
        """(n, H, W, 3) crops before the attack."""
        return np.stack([entry.crop for entry in self.attackers])


def attack_pairs(faces: Sequence[FaceCrop], templates: NDArray[np.float32], goal: Goal, count: int) -> AttackPairs:
    """``count`` pairs from ``faces`` (sorted by subject and file): everybody attacks once.

    Dodging: the first picture of a subject against their second. Impersonation: the first picture of a subject against
    the first of the next but one, so that the neighbours of a list do not decide.

    Raises:
        EmptyClassError: fewer than two subjects, or for dodging nobody with two pictures.
    """
    places: dict[str, list[int]] = {}
    for number, entry in enumerate(faces):
        places.setdefault(entry.picture.subject, []).append(number)
    if goal == "dodging":
        chosen = [(own[0], own[1]) for own in places.values() if len(own) > 1]
    else:
        first = [own[0] for own in places.values()]
        step = 2 if len(first) > 2 else 1
        chosen = [(one, first[(number + step) % len(first)]) for number, one in enumerate(first) if len(first) > 1]
    chosen = chosen[:count]
    if not chosen:
        raise EmptyClassError(f"no pair for {goal}.", hint="Name a set with several people and pictures of each.")
    one, two = [pair[0] for pair in chosen], [pair[1] for pair in chosen]
    return AttackPairs(goal, tuple(faces[n] for n in one), tuple(faces[n] for n in two), templates[two])


# --------------------------------------------------------------------------------------------------------- the searches


@dataclass(frozen=True, slots=True, eq=False)
class Attacked:
    """What became of each pair.

    Attributes:
        before, after: (n,) scores; ``after`` is the best that was found.
        course: (n, queries) best score after each query; one column where nothing was asked for.
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    course: NDArray[np.float32]


def square_search(
    crops: Pixels, scorer: Scorer, sign: float, epsilon: float, queries: int, rng: np.random.Generator
) -> tuple[Pixels, NDArray[np.float32]]:
    """Random search over squares of full strength, for all pairs side by side.

    Starts from vertical stripes of ``+-epsilon``; each step proposes a square of one colour of ``+-epsilon`` and keeps
    it where the score moved the right way. The squares shrink as the budget goes. Source: M. Andriushchenko, F. Croce,
    N. Flammarion, M. Hein, "Square Attack", ECCV 2020 (L-infinity); its loss is replaced by the score.

    Args:
        crops: (n, H, W, 3) uint8.
        scorer: one query for each pair and call.
        sign: +1 raises the score, -1 lowers it.
        epsilon: grey levels.
        queries: calls of ``scorer``, 1 or more.
        rng: of stripes and squares.

    Returns:
        Changed crops and (n, queries) best scores after each query; the first column is that of the stripes or of the
        crops as they were, whichever is better, without counting the latter as a query.
    """
    count, height, width, _ = crops.shape
    clean = crops.astype(np.float64)
    start = scorer(crops)
    best, kept = start.copy(), crops.copy()
    delta = np.zeros(clean.shape)
    course = np.empty((count, queries), dtype=np.float32)
    for query in range(queries):
        proposal = delta.copy()
        if query == 0:
            proposal[:] = epsilon * rng.choice([-1.0, 1.0], size=(count, 1, width, 3))
        else:
            side = max(1, round(np.sqrt(_share(query, queries) * height * width)))
            for number in range(count):
                top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
                window = proposal[number, top : top + side, left : left + side]
                window[:] = epsilon * rng.choice([-1.0, 1.0], size=3)
        tried = _inside(clean + proposal, clean, epsilon)
        score = scorer(tried)
        better = sign * (score - best) > 0
        best[better], kept[better], delta[better] = score[better], tried[better], proposal[better]
        course[:, query] = best
    return kept, course


def _share(query: int, queries: int) -> float:
    """Share of the crop that a square covers: halved at the published fractions of the budget."""
    stages = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
    return float(_FIRST_SHARE / 2 ** sum(query / queries > stage for stage in stages))


def transfer_attack(
    crops: Pixels, references: Pixels, surrogate: Surrogate, sign: float, epsilon: float, steps: int
) -> Pixels:
    """Sign steps with momentum along the surrogate's gradient of the cosine with the reference.

    Source: Y. Dong et al., "Boosting adversarial attacks with momentum", CVPR 2018 (MI-FGSM).

    Returns:
        (n, H, W, 3) uint8 crops within ``epsilon`` grey levels.
    """
    clean = crops.astype(np.float64)
    targets = surrogate.embed(references)
    changed, momentum = clean.copy(), np.zeros_like(clean)
    for _ in range(steps):
        _, gradient = surrogate.cosine_gradient(changed, targets)
        size = np.abs(gradient).mean(axis=(1, 2, 3), keepdims=True)
        momentum += gradient / np.maximum(size, 1e-30)
        changed = changed + sign * (2 * epsilon / steps) * np.sign(momentum)
        changed = np.clip(np.clip(changed, clean - epsilon, clean + epsilon), 0, 255)
    return _inside(changed, clean, epsilon)


def random_noise(crops: Pixels, epsilon: float, rng: np.random.Generator) -> Pixels:
    """Every value moved by ``+-epsilon`` at random: what the strength alone does."""
    clean = crops.astype(np.float64)
    return _inside(clean + epsilon * rng.choice([-1.0, 1.0], size=crops.shape), clean, epsilon)


def _inside(changed: NDArray[np.float64], clean: NDArray[np.float64], epsilon: float) -> Pixels:
    """Whole grey levels no further than ``epsilon`` from ``clean``: rounding must not step out of the ball."""
    whole = np.clip(np.rint(changed), np.ceil(clean - epsilon), np.floor(clean + epsilon))
    return whole.clip(0, 255).astype(np.uint8)


# ------------------------------------------------------------------------------------------------------------- the runs


def attack_embedder(
    pairs: Sequence[AttackPairs],
    embed: Callable[[Pixels], NDArray[np.float32]],
    thresholds: Sequence[FixedThreshold],
    surrogate: Surrogate | None,
    options: AttackOptions,
    *,
    checkpoint: Path | None = None,
    key: str = "",
    progress: Callable[[str, int, int], None] = lambda what, done, whole: None,
) -> tuple[AttackRow, ...]:
    """Noise, transfer (with a surrogate) and black-box search for each goal and strength.

    Args:
        pairs: for each goal.
        embed: (n, H, W, 3) uint8 crops to (n, d) float32 unit vectors.
        thresholds: fixed beforehand.
        surrogate: of the transfer attack; None leaves it out.
        options: how much.
        checkpoint: folder for finished parts; a run that is taken up again does not repeat them.
        key: names model and data of the checkpoint.
        progress: told after each part and during the search.

    Raises:
        StorageError: the checkpoint cannot be written.
    """
    parts = [
        (method, group, strength)
        for group in pairs
        for strength in options.strengths
        for method in ("random noise", "transfer", "black box")
        if method != "transfer" or surrogate is not None
    ]
    rows: list[AttackRow] = []
    for number, (method, group, strength) in enumerate(parts):
        what = f"{method}, {group.goal}, {strength:g} grey levels"
        progress(what, number, len(parts))

        def work(method: str = method, group: AttackPairs = group, strength: float = strength) -> Attacked:
            return _attacked(method, group, strength, embed, surrogate, options)

        names = [method, group.goal, strength, len(group), options.queries, options.steps, options.seed]
        done = remembered(checkpoint, [key, *names, *(entry.picture.sha256 for entry in group.attackers)], work)
        rows += judged(method, group, strength, done, thresholds, options)
    progress("attacks", len(parts), len(parts))
    return tuple(rows)


def _attacked(
    method: str,
    pairs: AttackPairs,
    strength: float,
    embed: Callable[[Pixels], NDArray[np.float32]],
    surrogate: Surrogate | None,
    options: AttackOptions,
) -> Attacked:
    wide = pairs.templates.astype(np.float64)

    def scorer(crops: Pixels) -> NDArray[np.float32]:
        return np.asarray(np.einsum("nd,nd->n", embed(crops).astype(np.float64), wide), dtype=np.float32)

    rng = generator(options.seed, method, pairs.goal, strength)
    crops = pairs.crops()
    before = scorer(crops)
    if method == "black box":
        _, course = square_search(crops, scorer, pairs.sign, strength, options.queries, rng)
        return Attacked(before, course[:, -1], course)
    if method == "transfer":
        if surrogate is None:
            raise UsageError("a transfer attack needs a surrogate.")
        references = np.stack([entry.crop for entry in pairs.references])
        changed = transfer_attack(crops, references, surrogate, pairs.sign, strength, options.steps)
    else:
        changed = random_noise(crops, strength, rng)
    after = scorer(changed)
    return Attacked(before, after, after[:, None])


def judged(
    method: str,
    pairs: AttackPairs,
    strength: float,
    done: Attacked,
    thresholds: Sequence[FixedThreshold],
    options: AttackOptions,
) -> list[AttackRow]:
    """One row a threshold; only pairs on the right side of it before the attack count."""
    rows = []
    subjects = np.array([entry.picture.subject for entry in pairs.attackers])
    for entry in thresholds:
        accepted_before, accepted = done.before >= entry.value, done.after >= entry.value
        wanted = pairs.goal == "impersonation"
        eligible = accepted_before != wanted
        crossed = eligible & (accepted == wanted)
        asked: float | None = None
        if method == "black box" and crossed.any():
            inside = (done.course >= entry.value) == wanted
            asked = float(np.median(1 + np.argmax(inside[crossed], axis=1)))
        success: RateEstimate | None = None
        if eligible.any():
            success = estimate_rate(crossed[eligible], subjects[eligible], options.bootstrap)
        rows.append(
            AttackRow(
                method=method,
                goal=pairs.goal,
                strength=float(strength),
                unit="grey levels",
                queries=options.queries if method == "black box" else 0,
                target=entry.target,
                threshold=entry.value,
                eligible=int(np.count_nonzero(eligible)),
                success=success,
                median_queries=asked,
            )
        )
    return rows


def remembered(folder: Path | None, names: Sequence[object], work: Callable[[], Attacked]) -> Attacked:
    """``work()``, or what it gave before under the same names.

    Raises:
        StorageError: ``folder`` cannot be written.
    """
    if folder is None:
        return work()
    digest = hashlib.sha256(json.dumps([str(name) for name in names]).encode()).hexdigest()[:24]
    path = folder / f"attack-{digest}.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            return Attacked(archive["before"], archive["after"], archive["course"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, or cut off: done again
    found = work()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, before=found.before, after=found.after, course=found.course)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}.", hint="Choose another --out.") from None
    return found


def options_fields(options: AttackOptions) -> dict[str, object]:
    """The options as plain values, for provenance."""
    return {key: value for key, value in asdict(options).items() if key != "bootstrap"}
