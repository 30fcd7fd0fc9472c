"""What a session adds to the pictures of its case: the frames of its challenge, and what earlier uploads say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from samebody.attacks.active import CHECKS as ACTIVE
from samebody.attacks.active import ActiveLiveness, Recording, read_recording
from samebody.attacks.injection import CHECK as INJECTION
from samebody.attacks.injection import InjectionCheck, Replays, looks_alike
from samebody.attacks.injection_frames import traces_of
from samebody.decide import Policy
from samebody.face import FaceAnalyser, FaceAnalysis
from samebody.pipeline.attacks import mentions
from samebody.service.challenges import RECORDING, Challenges
from samebody.service.misuse import misused
from samebody.store.store import Store
from samebody.store.vault import MediaView
from samebody.types import Finding, Outcome, Reason

COMPARED = (RECORDING, "selfie")
"""Roles whose samples are looked for among earlier ones; documents come again rightly."""
MOST_COMPARED = 5000
"""Perceptual hashes of the newest samples of a role that a session is held against: unsealing takes time."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Further findings of one attempt; called by the pipeline once the selfie's face is known."""

    store: Store
    tenant: str
    session_id: str
    attempt: int
    policy: Policy
    media: Sequence[MediaView]

    def __call__(self, faces: FaceAnalyser, selfie: FaceAnalysis) -> tuple[Finding, ...]:
        """The active checks, when a challenge was drawn; ``selfie.injection``, when the policy mentions it."""
        with self.store.read() as tx:
            challenges = Challenges(self.store)
            asked = challenges.was_drawn(tx, self.tenant, self.session_id, self.attempt)
            refused = challenges.refused(tx, self.tenant, self.session_id, self.attempt)
            tried = misused(self.store, tx, self.tenant, self.session_id)
        recording = self._recording()
        found: list[Finding] = []
        if recording is not None:
            demand = self.policy.face_match
            found += ActiveLiveness(faces).check(
                recording, selfie.template, fmr=demand.fmr, population=demand.population
            )
        elif asked:
            reason = Reason(
                "attacks.active_not_answered",
                "A challenge was drawn and never answered.",
                "Do what the screen asks until the colours end.",
            )
            found += [Finding(check, Outcome.NOT_RUN, reasons=(reason,)) for check in ACTIVE]
        if mentions(self.policy, INJECTION):
            traces = None if recording is None else traces_of(recording.frames())
            device = None if recording is None else recording.device
            found.append(InjectionCheck().check(traces, device, self._replays(), refused, tried))
        return tuple(found)

    def _recording(self) -> Recording | None:
        newest = [each.id for each in self.media if each.role == RECORDING][-1:]
        return read_recording(self.store.vault.read(self.tenant, newest[0])) if newest else None

    def _replays(self) -> Replays:
        """How many samples of this attempt another case of the tenant has, to the byte or by their looks."""
        mine = [each for each in self.media if each.role in COMPARED]
        case = {each.case_id for each in mine}
        same = alike = 0
        with self.store.read() as tx:
            for each in mine:
                earlier = self.store.vault.with_same_hash(tx, self.tenant, each.id)
                same += any(other not in case for other in earlier)
            all_of_case = {
                each.id for found in case if found for each in self.store.vault.of_case(tx, self.tenant, found)
            }
            for role in {each.role for each in mine}:
                own_ids = {each.id for each in mine if each.role == role}
                hashes = list(
                    itertools.islice(self.store.vault.perceptual_hashes(tx, self.tenant, role), MOST_COMPARED)
                )
                own = [value for name, value in hashes if name in own_ids]
                others = [value for name, value in hashes if name not in all_of_case]
                alike += sum(any(looks_alike(value, other) for other in others) for value in own)
        return Replays(same, alike)
