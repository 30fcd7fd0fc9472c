"""Sets the limits of the active checks on one half of the people: ``python -m benchmarks.active_rating limits``.

Three rules, each of which takes quantiles of bona fide values and of what must not pass:

- *middle*: half way (geometric mean) between the 99 % quantile of the others and the 5 % quantile of bona fide;
- *above others*: the 99 % quantile of the others; *below bona fide*: the 1 % quantile of bona fide;
- a bound that is a multiple of a quantile says so.

Limits of injection evidence stay as they are: the maker's noise is an assumption.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.active_sessions import Seen
from benchmarks.machine import describe_machine
from samebody.attacks.active_pose import PoseCheck
from samebody.attacks.challenge import Action, Challenge, Flash
from samebody.attacks.flash import FlashCheck, chromaticity, correlation, shown
from samebody.attacks.limits import Limit, measured_limits
from samebody.attacks.parallax import ParallaxCheck, plane_residual

UNITS = PoseCheck(turn_degrees=1, nod_degrees=1, blink=1, smile=1, closer=1)
"""Movements in degrees, shares and growth."""
NAMES = {
    Action.TURN_LEFT: "turn_degrees",
    Action.TURN_RIGHT: "turn_degrees",
    Action.NOD: "nod_degrees",
    Action.BLINK: "blink",
    Action.SMILE: "smile",
    Action.CLOSER: "closer",
}
OTHER_COLOURS = 20
"""Challenges of which each recording's light is held against the colours."""

FEWEST_PEOPLE = 10
"""Limits are not replaced by ones that fewer people stand behind."""

Kept = tuple[str, str, Seen]
"""Person, kind of session, what was kept of it."""


def movements(sessions: Iterable[Kept]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Largest movement of each kind in prompts of bona fide that asked for it, and in those that must not count.

    The others are movements beside the one that was asked for (bona fide), and all of a flat picture, but that it comes
    closer when that is asked: any picture can be brought closer. Blinks are taken of pictures alone: people blink
    without being asked.
    """
    asked: dict[str, list[float]] = {name: [] for name in NAMES.values()}
    others: dict[str, list[float]] = {name: [] for name in NAMES.values()}
    for _, kind, seen in sessions:
        if kind not in ("bona_fide", "flat"):
            continue
        for step in seen.challenge.steps:
            amounts = UNITS.movements(seen.track, step)
            if amounts is None:
                continue
            for action, name in NAMES.items():
                most = float(amounts[action].max())
                bona_fide, wanted = kind == "bona_fide", action is step.action
                if bona_fide and wanted:
                    asked[name].append(most)
                elif not (wanted and action is Action.CLOSER) and not (bona_fide and action is Action.BLINK):
                    others[name].append(most)
    return asked, others


def reliefs(sessions: Iterable[Kept]) -> tuple[list[float], list[float]]:
    """Relief of heads; and of planes, where one was seen to turn, with what is left between two views at rest over the
    sine of the least turn that is looked at."""
    check = ParallaxCheck()
    heads: list[float] = []
    planes: list[float] = []
    for _, kind, seen in sessions:
        if kind == "bona_fide" and (found := check.relief(seen.track)) is not None:
            heads.append(found)
        if kind == "flat":
            if (found := check.relief(seen.track)) is not None:
                planes.append(found)
            rest = [n for n in np.flatnonzero(seen.track.seen) if _at_rest(seen, int(n))]
            for one, two in itertools.pairwise(rest):
                left = plane_residual(seen.track.points[one], seen.track.points[two])
                if left is not None:
                    planes.append(left / math.sin(math.radians(check.parameters.turned_degrees)))
    return heads, planes


def _at_rest(seen: Seen, frame: int) -> bool:
    at_ms = seen.track.at_ms[frame]
    return not any(step.at_ms <= at_ms < step.until_ms for step in seen.challenge.steps)


def recoloured(seen: Seen, rng: np.random.Generator) -> Challenge:
    """The recording's challenge with other colours at the same times."""
    flashes: list[Flash] = []
    for each in seen.challenge.flashes:
        names = [name for name in _COLOURS if not flashes or name != flashes[-1].colour]
        flashes.append(Flash(str(rng.choice(names)), each.at_ms, each.for_ms))
    return Challenge(seen.challenge.nonce, seen.challenge.steps, tuple(flashes))


_COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan")


def lights(sessions: Iterable[Kept], visible: float | None = None) -> dict[str, list[float]]:
    """Spread of a face that no screen lights; correlation of the colours with lit faces, and of other colours.

    Sessions with too few frames of the face for the check are left out.
    """
    found: dict[str, list[float]] = {"dark_spread": [], "lit_spread": [], "right": [], "wrong": []}
    check = FlashCheck()
    for name, kind, seen in sessions:
        if kind not in ("bona_fide", "dark"):
            continue
        shown_in = seen.track.between(seen.challenge.flashes[0].at_ms, seen.challenge.flashes[-1].until_ms)
        if len(shown_in) < check.parameters.least_frames:
            continue
        spread, _, best = check.measure(seen.track, seen.challenge)
        found["dark_spread" if kind == "dark" else "lit_spread"].append(spread)
        if kind == "dark" or (visible is not None and spread < visible):
            continue
        found["right"].append(best)
        rng = np.random.default_rng([len(name), int(1000 * best)])
        for _ in range(OTHER_COLOURS):
            other = recoloured(seen, rng)
            inside = seen.track.between(other.flashes[0].at_ms, other.flashes[-1].until_ms)
            answer = chromaticity(seen.track, inside)
            found["wrong"].append(
                max(correlation(answer, shown(other, seen.track.at_ms[inside] - n)) for n in check.parameters.lags_ms)
            )
    return found


def middle(bona_fide: Sequence[float], others: Sequence[float], people: int) -> Limit:
    """The first rule, with what lies on the wrong side."""
    low, high = float(np.quantile(others, 0.99)), float(np.quantile(bona_fide, 0.05))
    value = _rounded(math.sqrt(max(low, 1e-6) * high) if low < high else low)
    rule = "middle" if low < high else "above others, which reach into bona fide"
    return _limit(value, rule, people, bona_fide, others)


def _limit(value: float, rule: str, people: int, bona_fide: Sequence[float], others: Sequence[float]) -> Limit:
    def share(values: Sequence[float], *, below: bool) -> float | None:
        if not len(values):
            return None
        return round(float(np.mean(np.asarray(values) < value if below else np.asarray(values) >= value)), 4)

    return Limit(
        value,
        rule,
        people,
        len(bona_fide),
        len(others),
        share(bona_fide, below=True),
        share(others, below=False),
    )


def _rounded(value: float) -> float:
    """Two figures."""
    return float(f"{value:.2g}")


def fit(sessions: Sequence[Kept]) -> dict[str, dict[str, Limit]]:
    """All limits.

    Raises:
        ValueError: a kind of session is missing.
    """
    people = len({name for name, _, _ in sessions})
    asked, others = movements(sessions)
    if not all(asked.values()) or not all(others.values()):
        raise ValueError("some movement was never seen; render more people first")
    limits = {"pose": {name: middle(asked[name], others[name], people) for name in asked}}
    heads, planes = reliefs(sessions)
    low = math.floor(100 * float(np.quantile(heads, 0.05))) / 100  # down: rounded up it would lose more of them
    solid = _limit(low, "5 % quantile of bona fide, down", people, heads, planes)
    ceiling = min(float(np.quantile(planes, 0.99)), 0.9 * solid.value)
    flat = _limit(_rounded(ceiling), "above others, at most 0.9 of solid", people, heads, planes)
    limits["parallax"] = {"flat": flat, "solid": solid}
    dark = lights(sessions)
    visible = _rounded(float(np.quantile(dark["dark_spread"], 0.99)))
    seen = lights(sessions, visible)
    passes = _rounded(float(np.quantile(seen["wrong"], 0.99)))
    # so few people say little of the light in the field: what may be bona fide goes to review rather than out
    fails = min(float(np.quantile(seen["right"], 0.01)), float(np.quantile(seen["wrong"], 0.5)), passes - 0.1)
    limits["flash"] = {
        "visible": _limit(visible, "above others", people, dark["lit_spread"], dark["dark_spread"]),
        "passes": _limit(passes, "above others", people, seen["right"], seen["wrong"]),
        "fails": _limit(
            _rounded(fails), "below bona fide and half of the others", people, seen["right"], seen["wrong"]
        ),
    }
    # noise and times of a camera are assumptions of the maker: what they would set says nothing of cameras
    limits["injection"] = dict(measured_limits()["injection"])
    return limits


def write(path: Path, sessions: Sequence[Kept]) -> dict[str, Any]:
    """Fit and write the file that the checks read.

    Raises:
        ValueError: fewer than :data:`FEWEST_PEOPLE` people, or a movement that was never seen.
    """
    from samebody.lab.evaluate.files import write_text

    people = len({name for name, _, _ in sessions})
    if people < FEWEST_PEOPLE:
        raise ValueError(f"{people} people were rendered for the limits, {FEWEST_PEOPLE} are needed: render more")

    machine = describe_machine()
    content = {
        "made_by": "python -m benchmarks.active_rating limits",
        "made_on": "samebody.synth.motion, adults of fairface, one half of the people; generated motion, no attack",
        "commit": machine["commit"],
        "limits": {
            check: {name: asdict(limit) for name, limit in held.items()} for check, held in fit(sessions).items()
        },
    }
    write_text(path, json.dumps(content, indent=1) + "\n")
    return content
