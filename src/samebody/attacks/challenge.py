"""What a person is asked to do in front of the camera: actions and flashes of colour, drawn for one attempt.

A challenge is worth something because nobody knows it beforehand: actions, their order, their times and the colours
come from the operating system's generator of random numbers.
"""

from __future__ import annotations

import itertools
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from samebody.errors import InputError

SECONDS = 90
"""How long a challenge may be answered."""

FEWEST_ACTIONS, MOST_ACTIONS = 3, 5
FIRST_MS = 800
"""Before the first prompt: this long the person only looks into the camera, which gives the baseline."""
GAPS_MS = (700, 1600)
"""Rest before the next prompt, least and most; the person looks into the camera again."""
WINDOWS_MS = (2400, 3200)
"""How long a prompt stays, least and most."""
FLASHES = (6, 8)
FLASH_MS = (400, 800)
"""How long a colour stays, least and most."""


class InvalidChallengeError(InputError):
    """A challenge does not have the form in which it was drawn."""

    code = "attacks.invalid_challenge"


class Action(StrEnum):
    """What a person is asked to do; left and right are their own."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    NOD = "nod"
    BLINK = "blink"
    SMILE = "smile"
    CLOSER = "closer"


TURNS = frozenset({Action.TURN_LEFT, Action.TURN_RIGHT})

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 255, 255),
}
"""sRGB values that fill the screen. At most one change in 400 ms: below the three flashes a second of WCAG 2.3.1."""


@dataclass(frozen=True, slots=True)
class Step:
    """One prompt: shown ``at_ms`` after the start, for ``for_ms``."""

    action: Action
    at_ms: int
    for_ms: int

    @property
    def until_ms(self) -> int:
        """When the prompt goes."""
        return self.at_ms + self.for_ms


@dataclass(frozen=True, slots=True)
class Flash:
    """One colour on the whole screen: shown ``at_ms`` after the start, for ``for_ms``."""

    colour: str
    at_ms: int
    for_ms: int

    @property
    def until_ms(self) -> int:
        """When the next colour comes."""
        return self.at_ms + self.for_ms


@dataclass(frozen=True, slots=True)
class Challenge:
    """Everything a person is asked in one attempt.

    Attributes:
        nonce: 128 random bits in hexadecimal digits; it is answered once.
        steps: in the order in which they are shown, never overlapping.
        flashes: after the last step, one directly after the other.
    """

    nonce: str
    steps: tuple[Step, ...]
    flashes: tuple[Flash, ...]

    @property
    def duration_ms(self) -> int:
        """From the start to the end of the last colour."""
        return self.flashes[-1].until_ms

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; :func:`from_dict` reads it."""
        return {
            "nonce": self.nonce,
            "steps": [{"action": s.action.value, "at_ms": s.at_ms, "for_ms": s.for_ms} for s in self.steps],
            "flashes": [{"colour": f.colour, "at_ms": f.at_ms, "for_ms": f.for_ms} for f in self.flashes],
        }


class Draw(Protocol):
    """Where the numbers come from."""

    def __call__(self, below: int, /) -> int:
        """A whole number of 0 to ``below`` - 1, each as likely."""


def draw_challenge(draw: Draw = secrets.randbelow) -> Challenge:
    """A new challenge: 3 to 5 different actions with a turn among them, since only a turn shows depth; 6 to 8 colours.

    Args:
        draw: only tests give another one than the operating system's generator.
    """
    count = FEWEST_ACTIONS + draw(MOST_ACTIONS - FEWEST_ACTIONS + 1)
    pool = list(Action)
    chosen = [pool.pop(draw(2))]  # the first two are the turns
    chosen += [pool.pop(draw(len(pool))) for _ in range(count - 1)]
    shuffled = [chosen.pop(draw(len(chosen))) for _ in range(count)]
    steps, now = [], FIRST_MS
    for action in shuffled:
        begin = now + _between(draw, GAPS_MS)
        steps.append(Step(action, begin, _between(draw, WINDOWS_MS)))
        now = steps[-1].until_ms
    now += _between(draw, GAPS_MS)
    flashes: list[Flash] = []
    for _ in range(_between(draw, FLASHES)):
        names = [name for name in COLOURS if not flashes or name != flashes[-1].colour]
        flashes.append(Flash(names[draw(len(names))], now, _between(draw, FLASH_MS)))
        now = flashes[-1].until_ms
    return Challenge(secrets.token_hex(16), tuple(steps), tuple(flashes))


def guess_bits() -> float:
    """Bits that whoever guesses actions and their order has against them, at the least: the shortest challenge.

    Ordered choices of 3 of 6 actions with at least one of the two turns: 6*5*4 - 4*3*2 = 96. Times and colours come on
    top and are not counted, since an attacker need not hit them exactly.
    """
    return math.log2(6 * 5 * 4 - 4 * 3 * 2)


def from_dict(content: Any) -> Challenge:
    """The challenge of :meth:`Challenge.to_dict`.

    Raises:
        InvalidChallengeError: it has another form, or its times overlap.
    """
    try:
        steps = tuple(Step(Action(s["action"]), int(s["at_ms"]), int(s["for_ms"])) for s in content["steps"])
        flashes = tuple(Flash(str(f["colour"]), int(f["at_ms"]), int(f["for_ms"])) for f in content["flashes"])
        made = Challenge(str(content["nonce"]), steps, flashes)
    except (KeyError, TypeError, ValueError):
        raise InvalidChallengeError("the challenge is not one of this release.", hint="Draw another one.") from None
    shown: list[Step | Flash] = [*steps, *flashes]
    ordered = all(one.until_ms <= two.at_ms for one, two in itertools.pairwise(shown))
    named = all(flash.colour in COLOURS for flash in flashes)
    if not (steps and flashes and ordered and named and all(each.for_ms > 0 <= each.at_ms for each in shown)):
        raise InvalidChallengeError("the challenge contradicts itself.", hint="Draw another one.")
    return made


def _between(draw: Draw, limits: tuple[int, int]) -> int:
    return limits[0] + draw(limits[1] - limits[0] + 1)
