"""Challenges: what is drawn, that nobody can foresee it, that it is read as it was written."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.attacks.challenge import (
    COLOURS,
    TURNS,
    Action,
    InvalidChallengeError,
    draw_challenge,
    from_dict,
    guess_bits,
)
from tests.attacks.active_motion import drawn


@given(st.integers(0, 2**32 - 1))
def test_a_challenge_keeps_its_promises(seed: int) -> None:
    made = drawn(seed)
    actions = [step.action for step in made.steps]
    assert 3 <= len(actions) == len(set(actions)) <= 5 and TURNS & set(actions)
    shown = [*made.steps, *made.flashes]
    assert all(one.until_ms <= two.at_ms for one, two in itertools.pairwise(shown))
    assert all(one.colour != two.colour for one, two in itertools.pairwise(made.flashes))
    assert all(flash.for_ms >= 400 and flash.colour in COLOURS for flash in made.flashes)  # WCAG 2.3.1: 3 a second
    assert made.duration_ms < 40_000
    assert from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_the_operating_system_draws_and_never_the_same() -> None:
    made = [draw_challenge() for _ in range(200)]
    assert len({each.nonce for each in made}) == 200
    assert len({each.steps for each in made}) == 200
    first = Counter(each.steps[0].action for each in made)
    assert set(first) == set(Action) and max(first.values()) < 100


def test_guessing_is_counted() -> None:
    orders = [each for each in itertools.permutations(Action, 3) if TURNS & set(each)]
    assert guess_bits() == pytest.approx(math.log2(len(orders)))


@pytest.mark.parametrize(
    "change",
    [
        {"steps": []},
        {"steps": [{"action": "jump", "at_ms": 1, "for_ms": 1}]},
        {"steps": "no"},
        {"flashes": [{"colour": "ultraviolet", "at_ms": 99_000, "for_ms": 400}]},
        {"flashes": [{"colour": "red", "at_ms": 0, "for_ms": 400}]},
        {"flashes": [{"colour": "red", "at_ms": 99_000, "for_ms": 0}]},
    ],
)
def test_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidChallengeError):
        from_dict({**drawn(1).to_dict(), **change})
