"""The page of ``benchmarks.active_rating`` and its table in the threat model."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.machine import describe_machine
from samebody.measure.estimates import estimate_rate
from samebody.measure.intervals import RateEstimate
from samebody.types import Outcome

if TYPE_CHECKING:
    from benchmarks.active_rating import Trial

BONA_FIDE = "bona fide"
BEGIN, END = "<!-- liveness-rates:begin -->", "<!-- liveness-rates:end -->"

PHOTOGRAPHS, HEADS = "Photographs", "Heads of points"

ON_HEADS = """Heads of 48 points that move, and are lit, as the photographs are: no picture, no network, noise by
    assumption. They show what the rules make of movements, times and light, on many people at little cost; `frames`
    cannot run on them and is taken to pass, and `identity` has nothing to tell apart."""
ABOUT = """Every session here is generated. The bona fide are photographs that were moved on their own mesh and filmed
    by a simulated camera; no living person was recorded, and no attacker tried. A still that is animated live is
    made in the same manner as the bona fide: the only differences that were put in are the light of the screen, the
    noise of a sensor, and 200 ms of delay. Traces that a real program leaves (seams, teeth, hair, flicker) are not in
    it, and neither is anything that a real person does and the generator does not. The rates say which finding stands
    against which attack, not what either would do in the field."""
SET_APART = """Limits were set on other people and another maker of motion (`samebody.synth.motion`); rates come from
    `benchmarks.active_motion`."""
BY_HAND = """Limits were set by hand before any of this was rendered; rates come from `benchmarks.active_motion`."""
HOW = """One session is one presentation. A finding that abstains (`unsure`) neither lets an
    attack through nor stops a person: APCER is the share of attacks that a finding passed, BPCER the share of bona
    fide that it failed, both of all sessions. Intervals are Clopper-Pearson, 95 %, one-sided where none or all were,
    where every session is another person; loops and replays play one recording against {trials} challenges, and their
    intervals are over people."""
TOGETHER = """The policy `active-liveness` with `allow_unvalidated_pad: true`: as it is bundled, whoever would be
    accepted here goes to `review`. Every other check of the case (document, face match, the passive check of the
    selfie) is taken to pass: the face is that of the victim, and only active liveness and injection evidence stand in
    the way."""


def wrapped(text: str) -> str:
    """A paragraph with its lines filled, and an empty line after it."""
    return textwrap.fill(" ".join(text.split()), 118, break_long_words=False, break_on_hyphens=False) + "\n"


def share(trials: Sequence[Trial], wrong: Callable[[Trial], bool]) -> RateEstimate:
    """A share of sessions: exact where all show different people, over people otherwise."""
    flags = np.array([wrong(each) for each in trials])
    who = np.array([each.person for each in trials])
    return estimate_rate(flags, None if len(set(who.tolist())) == len(who) else who)


def told(rate: RateEstimate) -> str:
    """``12 % (3-28)``."""
    return f"{100 * rate.rate:.0f} % ({100 * rate.interval[0]:.0f}-{100 * rate.interval[1]:.0f})"


def by_species(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Trials by species, bona fide first."""
    found: dict[str, list[Trial]] = {BONA_FIDE: []}
    for each in trials:
        found.setdefault(each.species, []).append(each)
    return found


def short(check: str) -> str:
    """``pose`` of ``selfie.liveness.pose``."""
    return check.removeprefix("selfie.liveness.").removeprefix("selfie.")


def finding_table(trials: Sequence[Trial], checks: Sequence[str]) -> list[str]:
    """Pass / unsure / fail in per cent, and the rate that counts with its interval."""
    lines = ["| sessions | n (people) | " + " | ".join(f"`{short(each)}`" for each in checks) + " |"]
    lines.append("|" + " --- |" * (2 + len(checks)))
    for species, mine in by_species(trials).items():
        if not mine:
            continue
        wrong = Outcome.FAIL if species == BONA_FIDE else Outcome.PASS
        cells = []
        for check in checks:
            rate = share(mine, lambda each, check=check, wrong=wrong: each.outcomes.get(check) is wrong)  # type: ignore[misc]
            unsure = np.mean([each.outcomes.get(check) not in (Outcome.PASS, Outcome.FAIL) for each in mine])
            cells.append(f"{told(rate)}; {100 * unsure:.0f}")
        people = len({each.person for each in mine})
        name = f"{species}: **fail**" if species == BONA_FIDE else f"{species}: **pass**"
        lines.append(f"| {name} | {len(mine)} ({people}) | " + " | ".join(cells) + " |")
    return lines


def decision_table(trials: Sequence[Trial]) -> list[str]:
    """What the policy makes of the sessions."""
    lines = ["| sessions | n (people) | accepted | review or retry | rejected |", "|" + " --- |" * 5]
    for species, mine in by_species(trials).items():
        if not mine:
            continue
        cells = [
            told(share(mine, lambda each, which=which: each.decision in which))  # type: ignore[misc]
            for which in (("accept",), ("review", "retry"), ("reject",))
        ]
        people = len({each.person for each in mine})
        lines.append(f"| {species} | {len(mine)} ({people}) | " + " | ".join(cells) + " |")
    return lines


def parts_table(trials: Sequence[Trial]) -> list[str]:
    """Share of sessions that each part of the injection finding accuses, in the terms of CEN/TS 18099."""
    names = sorted({name for each in trials for name in each.parts})
    lines = ["| sessions | n | " + " | ".join(f"`{name}`" for name in names) + " |", "|" + " --- |" * (2 + len(names))]
    for species, mine in by_species(trials).items():
        if not mine:
            continue
        cells = [f"{100 * np.mean([each.parts.get(name, 1.0) < 1 for each in mine]):.0f} %" for name in names]
        lines.append(f"| {species} | {len(mine)} | " + " | ".join(cells) + " |")
    return lines


def lux_table(trials: Sequence[Trial]) -> list[str]:
    """Flash by the light of the room, bona fide."""
    lines = ["| light of the room | n | pass | unsure | fail |", "| --- | --- | --- | --- | --- |"]
    mine = [each for each in trials if each.species == BONA_FIDE]
    for low, high in ((0, 100), (100, 300), (300, 10_000)):
        here = [each for each in mine if low <= float(each.drawn["lux"]) < high]
        if here:
            cells = [
                f"{np.mean([each.outcomes['selfie.liveness.flash'] is which for each in here]) * 100:.0f} %"
                for which in (Outcome.PASS, Outcome.UNSURE, Outcome.FAIL)
            ]
            name = f"{low} to {high} lx" if high < 10_000 else f"from {low} lx"
            lines.append(f"| {name} | {len(here)} | " + " | ".join(cells) + " |")
    return lines


def limits_table(limits: dict[str, Any]) -> list[str]:
    """The limits and what they were set on."""
    lines = [
        "| limit | value | rule | people | bona fide on the wrong side | others on the wrong side |",
        "|" + " --- |" * 6,
    ]

    def part(value: float | None, count: int) -> str:
        return "" if value is None else f"{100 * value:.1f} % of {count}"

    for check, held in limits["limits"].items():
        for name, each in held.items():
            lost = part(each.get("bona_fide_lost"), each["bona_fide"])
            through = part(each.get("others_through"), each["others"])
            lines.append(
                f"| `{check}.{name}` | {each['value']:g} | {each['rule']} | {each['people']} | {lost} | {through} |"
            )
    return lines


def page(sets: Mapping[str, Sequence[Trial]], *, limits: dict[str, Any], checks: Sequence[str]) -> str:
    """The whole page.

    Args:
        sets: trials of photographs, and of heads of points.
        limits: content of the file of limits.
        checks: columns.
    """
    from benchmarks.active_rating import TRIALS

    machine = describe_machine()
    counted = [f"{len(t)} sessions of {len({each.person for each in t})} {name.lower()}" for name, t in sets.items()]
    made = f"Written by `python -m benchmarks.active_rating`; {', '.join(counted)} that no limit was set on; "
    made += f"{machine['processor']}, {machine['cores']} cores, commit {machine['commit']}."
    lines = ["# What active liveness stops, on generated sessions", "", wrapped(made), wrapped(ABOUT)]
    apart = BY_HAND if limits["made_by"].startswith("by hand") else SET_APART
    lines.append(wrapped(f"{apart} {HOW.format(trials=TRIALS)}"))
    for title, trials in sets.items():
        lines += [f"## {title}", "", *([wrapped(ON_HEADS)] if title == HEADS else [])]
        for name, text, rows in _parts(trials, checks):
            lines += [f"### {name}", "", wrapped(text), *rows, ""]
    set_on = "" if limits["made_by"].startswith("by hand") else "set on the other half of the people, "
    text = f"`src/samebody/attacks/limits.json`: {set_on}by the rule of each row."
    lines += ["## Limits", "", wrapped(text), *limits_table(limits)]
    return "\n".join(lines).rstrip() + "\n"


def _parts(trials: Sequence[Trial], checks: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    return [
        ("Together", TOGETHER, decision_table(trials)),
        (
            "By finding",
            "Of attacks the share that passed (APCER), of bona fide the share that failed (BPCER), with the interval; "
            "after the semicolon the share in per cent on which the finding abstained or did not run.",
            finding_table(trials, checks),
        ),
        (
            "Injection evidence by part",
            "Share of sessions that each part accuses. Method of injection (CEN/TS 18099): a camera replaced by a "
            "program under an unsuspicious name; instruments: recordings, loops, animated stills. Bona fide and the "
            "still picture went through a camera.",
            parts_table(trials),
        ),
        ("Light of the room", "Bona fide; the screen gives 25 to 70 lx on the face.", lux_table(trials)),
    ]


def with_table(document: str, sets: Mapping[str, Sequence[Trial]]) -> str:
    """``document`` with the tables of decisions between its two marks.

    Raises:
        ValueError: the marks are missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} and {END}")
    lines: list[str] = []
    for title, trials in sets.items():
        lines += [f"{title}:", "", *decision_table(trials), ""]
    return "\n".join([before + begin, *lines, end + after])
