"""What active liveness stops: APCER by species and finding, and BPCER, on generated sessions.

    python -m benchmarks.active_rating render --minutes 10     # renders and looks; goes on where it stopped
    python -m benchmarks.active_rating limits                  # sets the limits on one half of the people
    python -m benchmarks.active_rating rate                    # rates the other half, writes the page
    python -m benchmarks.active_rating page                    # the page again, from the kept trials
    python -m benchmarks.active_rating --quick                 # two drawn heads, nothing written

Photographs come from the development data (``--data`` or ``SAMEBODY_DATA``); no picture is kept but small frames in
the user's cache. Limits are set on ``samebody.synth.motion``; rates come from ``benchmarks.active_motion``, on other
people.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import active_limits
from benchmarks.active_page import HEADS, PHOTOGRAPHS, page, with_table
from benchmarks.active_render import KINDS, Gallery, cache_folder, render
from benchmarks.active_sessions import Half, Seen, challenge_of, front_faces, half_of, looped, replayed
from samebody.attacks.active import CHECKS
from samebody.attacks.active_identity import identity_finding
from samebody.attacks.active_passive import frames_finding
from samebody.attacks.active_pose import PoseCheck
from samebody.attacks.challenge import Challenge
from samebody.attacks.flash import FlashCheck
from samebody.attacks.injection import CHECK as INJECTION
from samebody.attacks.injection import InjectionCheck, Replays, looks_alike
from samebody.attacks.limits import LIMITS_FILE
from samebody.attacks.pad import PassivePad
from samebody.attacks.parallax import ParallaxCheck
from samebody.attacks.timing import TimingCheck
from samebody.decide import Policy, decide
from samebody.decide.load import load_policy
from samebody.face import FaceAnalyser
from samebody.models import ModelRecord
from samebody.types import Finding, Outcome, Template

ROOT = Path(__file__).parents[1]
LIMITS = ROOT / "src" / "samebody" / "attacks" / LIMITS_FILE
RESULTS = ROOT / "docs" / "results"
KEPT = RESULTS / "active-liveness.json"
POLICY = "active-liveness"
TRIALS = 4
"""Challenges that one recording is played against, for loops and replays; they are not independent."""
DESK = {"user_agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0", "camera": "HD Webcam", "width": 0, "height": 0}

Maker = Callable[[Seen, Challenge, np.random.Generator], Seen]


@dataclass(frozen=True, slots=True)
class Trial:
    """One session and what was said of it.

    Attributes:
        person: whose face it shows.
        species: of the attack, or ``bona fide``.
        outcomes: of each check.
        parts: of the injection finding, 0-1.
        decision: of :data:`POLICY`, its passes taken at their word.
        drawn: what was drawn for it.
    """

    person: str
    species: str
    outcomes: dict[str, Outcome]
    parts: dict[str, float]
    decision: str
    drawn: dict[str, Any]


class Judge:
    """All active checks, the injection check and the policy over kept sessions.

    Args:
        faces: gives the embedder's record; no model runs but the passive detector.
    """

    def __init__(self, faces: FaceAnalyser) -> None:
        self.record: ModelRecord = faces.embedder
        self._passive = PassivePad(faces.settings)
        self._scored: dict[tuple[bytes, ...], Finding] = {}
        self.policy = load_policy(POLICY).model_copy(update={"allow_unvalidated_pad": True})
        demand = self.policy.face_match
        self._fmr, self._population = demand.fmr, demand.population

    def findings(self, seen: Seen, selfie: np.ndarray, replays: Replays | None) -> tuple[Finding, ...]:
        """The findings of one session, as the service would make them; no passive one without frames from the front."""
        pose, track, challenge = PoseCheck(), seen.track, seen.challenge
        space = self.record.embedding_space()
        templates = [Template(each, space) for each in seen.templates]
        found = (
            pose.check(track, challenge),
            ParallaxCheck().check(track),
            FlashCheck().check(track, challenge),
            TimingCheck().check(track.at_ms, challenge, pose.follow(track, challenge), challenge.duration_ms + 2000.0),
            identity_finding(templates, Template(selfie, space), self.record, self._fmr, self._population),
            InjectionCheck().check(seen.traces(), DESK, replays),
        )
        if not seen.front:
            return found
        if seen.front not in self._scored:
            self._scored[seen.front] = frames_finding(self._passive, front_faces(seen))
        return (*found, self._scored[seen.front])

    def trial(self, person: str, species: str, seen: Seen, selfie: np.ndarray, replays: Replays | None = None) -> Trial:
        """One session, judged; everything else of the case passes, so that the decision is that of these checks."""
        found = self.findings(seen, selfie, replays)
        rest = others_pass(self.policy, self.record, {each.check for each in found})
        verdict = decide(self.policy, [*found, *rest], case_id="rating")
        return Trial(
            person,
            species,
            {each.check: each.outcome for each in found},
            dict(next(each for each in found if each.check == INJECTION).details["parts"]),
            verdict.decision.value,
            seen.drawn,
        )


def others_pass(policy: Policy, record: ModelRecord, made: set[str]) -> list[Finding]:
    """A pass of every check that the policy asks for and that is not rated here."""
    point = record.operating_point(policy.face_match.fmr, population=policy.face_match.population)
    found = []
    for _, layer in policy.layers.items():
        for check in layer.checks:
            if check in made or "*" in check:
                continue
            score = 100.0 if check.endswith(".quality") else 1.0
            details = {"validated": "synthetic"} if check.startswith("selfie.liveness") else {}
            made_by = (f"{check}@1",)
            passed = Finding(check, Outcome.PASS, score=score, model_ids=made_by, details=details)
            found.append(replace(passed, operating_point=point) if check == "face.match" else passed)
    return found


def trials_of(person: str, kept: dict[str, Seen], selfie: np.ndarray, judge: Judge) -> Iterator[Trial]:
    """Bona fide and every species that one person's recordings allow."""
    bona_fide = kept["bona_fide"]
    yield judge.trial(person, "bona fide", bona_fide, selfie, Replays())
    if "still" in kept:
        yield judge.trial(person, "still picture, held by hand", kept["still"], selfie, Replays())
    makers: tuple[tuple[str, Maker], ...] = (("loop", looped), ("replay of a genuine session", replayed))
    for species, made in makers:
        for number in range(TRIALS):
            rng = np.random.default_rng([number, *person.encode()])
            other = made(bona_fide, challenge_of(rng), rng)
            yield judge.trial(person, species, other, selfie, remembered(bona_fide, other))
    if "dark" in kept:
        feed = bona_fide.with_tail(kept["dark"])
        yield judge.trial(person, "virtual camera without the screen's light", feed, selfie, Replays())
    if "puppet" in kept:
        noisy = "noise added" if kept["puppet"].drawn["added_noise"] else "no noise"
        yield judge.trial(person, f"still animated live, {noisy}", kept["puppet"], selfie, Replays())
        if "puppet_lit" in kept:
            lit = kept["puppet"].with_tail(kept["puppet_lit"])
            yield judge.trial(person, f"still animated live and lit in software, {noisy}", lit, selfie, Replays())


def remembered(original: Seen, sent: Seen) -> Replays:
    """What the service knows when the original was a session of the same tenant: the hash of its middle frame."""
    one, two = (each.hashes[len(each.hashes) // 2].tobytes() for each in (original, sent))
    return Replays(lookalikes=int(any(one) and any(two) and looks_alike(one, two)))


def load(cache: Path, half: Half) -> Iterator[tuple[str, dict[str, Seen]]]:
    """People of a half and their kept sessions."""
    for folder in sorted((cache / half).glob("*")):
        kept = {path.stem: Seen.load(path) for path in sorted(folder.glob("*.npz")) if ".part" not in path.name}
        if "bona_fide" in kept:
            yield folder.name, kept


def rate(cache: Path, data: Path, faces: FaceAnalyser) -> list[Trial]:
    """All trials of the reported half.

    Raises:
        ValueError: a session of the other half lies among them.
    """
    judge, gallery = Judge(faces), Gallery(data, cache, faces)
    found: list[Trial] = []
    for name, kept in load(cache, "report"):
        file = f"images/{name}.jpg"
        if half_of(file) != "report":
            raise ValueError(f"{file} belongs to the half that limits were set on")
        who = gallery.open(file)
        if who is not None:
            found += trials_of(name, kept, who.template, judge)
    return found


def as_rows(trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """JSON-ready."""
    return [
        {
            "person": each.person,
            "species": each.species,
            "outcomes": {name: outcome.value for name, outcome in each.outcomes.items()},
            "parts": each.parts,
            "decision": each.decision,
            "drawn": each.drawn,
        }
        for each in trials
    ]


def from_rows(rows: Iterable[dict[str, Any]]) -> list[Trial]:
    """What :func:`as_rows` made."""
    return [
        Trial(**{**each, "outcomes": {name: Outcome(value) for name, value in each["outcomes"].items()}})
        for each in rows
    ]


def publish(sets: dict[str, list[Trial]]) -> str:
    """Write the page and the table of the threat model."""
    from samebody.lab.evaluate.files import write_text

    text = page(sets, limits=json.loads(LIMITS.read_text()), checks=(*CHECKS, INJECTION))
    write_text(RESULTS / "active-liveness.md", text)
    model = ROOT / "docs" / "threat-model.md"
    write_text(model, with_table(model.read_text(encoding="utf-8"), sets))
    return text


def heads(count: int, strength: float | None = None) -> list[Trial]:
    """Heads of points without pictures and models: what the rules make of movements, times and light alone."""
    from benchmarks.active_quick import drawn_sessions

    judge = Judge(FaceAnalyser(threads=1))
    found = drawn_sessions(count, strength)
    return [trial for name, kept, selfie in found for trial in trials_of(name, kept, selfie, judge)]


def quick() -> list[Trial]:
    """Two heads of points, so that the way from a session to a page is walked."""
    return heads(2, 0.4)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="?", choices=("render", "limits", "rate", "page", "all"), default="all")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SAMEBODY_DATA", "data")))
    parser.add_argument("--cache", type=Path, default=cache_folder())
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--people", type=int, default=1000, help="at most, of each half")
    parser.add_argument("--heads", type=int, default=40, help="of points, that are rated beside the photographs")
    parser.add_argument("--quick", action="store_true", help="two drawn heads, nothing written")
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        print(page({HEADS: quick()}, limits=json.loads(LIMITS.read_text()), checks=(*CHECKS, INJECTION)))
        return
    faces = FaceAnalyser(threads=1)
    if chosen.what in ("render", "all"):
        made = render(chosen.data, chosen.cache, 60 * chosen.minutes, most=chosen.people, faces=faces)
        print(f"{made} sessions of {sum(len(kinds) for kinds in KINDS.values())} kinds rendered")
    if chosen.what in ("limits", "all"):
        kept = [(name, kind, seen) for name, each in load(chosen.cache, "set") for kind, seen in each.items()]
        print(json.dumps(active_limits.write(LIMITS, kept)["limits"], indent=1))
    if chosen.what == "all":  # another process: the checks read their limits when they are imported
        again = [sys.executable, "-m", "benchmarks.active_rating", "rate", "--data", str(chosen.data)]
        subprocess.run([*again, "--cache", str(chosen.cache)], check=True, cwd=ROOT)
    if chosen.what == "rate":
        from samebody.lab.evaluate.files import write_text

        trials = {HEADS: heads(chosen.heads)}
        if photographs := rate(chosen.cache, chosen.data, faces):
            trials = {PHOTOGRAPHS: photographs, **trials}
        write_text(KEPT, json.dumps({name: as_rows(each) for name, each in trials.items()}) + "\n")
        print(publish(trials))
    if chosen.what == "page":
        print(publish({name: from_rows(each) for name, each in json.loads(KEPT.read_text()).items()}))


if __name__ == "__main__":
    main()
