"""Challenges of active liveness: drawn for one attempt of a session, answered once, within a time.

No table of their own: the challenge travels as a signed text, and the audit log knows which was drawn last and which
was answered. Drawing another one ends the one before, so that nobody can collect them and answer the easiest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from samebody.attacks.active import CHECKS, InvalidRecordingError, Recording
from samebody.attacks.challenge import SECONDS, Challenge, draw_challenge, from_dict
from samebody.attacks.injection import perceptual_hash
from samebody.attacks.timing import TimingCheck
from samebody.capture import decode_image
from samebody.config import Limits
from samebody.decide import Policy
from samebody.pipeline.attacks import mentions
from samebody.service.tokens import Signer
from samebody.store.errors import ConflictError, IllegalTransitionError
from samebody.store.lifecycle import State
from samebody.store.sessions import SessionView
from samebody.store.store import Store
from samebody.store.vault import MediaView
from samebody.types import Reason

RECORDING = "recording"
"""Role of the sealed sample that holds the frames; it cannot be uploaded as a picture."""
CONTENT_TYPE = "application/vnd.samebody.recording+json"
MOST_SIDE = 1920
"""Pixels on the longer side of a frame."""
MOST_DRAWS = 5
"""Challenges of one attempt."""
MOST_KEPT = 5
"""Refused answers of one attempt that stand in the audit log; more would only fill it."""
FRAMES_A_SECOND, LONGER_SIDE = 8, 480
"""What a page is told to send: enough for the checks, and half a minute of it is about 6 MiB."""
DRAWN, ANSWERED, REFUSED = "challenge.drawn", "challenge.answered", "challenge.refused"


class ChallengeError(ConflictError):
    """An answer to a challenge that was not asked, was answered before, or is too old; or no more are drawn."""

    code = "challenge.refused"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A challenge, the text that names it when it is answered, and for how many seconds that is possible."""

    challenge: Challenge
    text: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an attempt stands with its challenge.

    Attributes:
        answered: whether a recording was taken in.
        draws_left: how many more challenges are drawn for it.
    """

    answered: bool
    draws_left: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A recording that was taken in.

    Attributes:
        doubts: why its frames cannot show enough, told by their times alone; the person may do another challenge.
        draws_left: how many more challenges are drawn for the attempt.
    """

    media: MediaView
    doubts: tuple[Reason, ...]
    draws_left: int


def asks_for_challenge(policy: Policy) -> bool:
    """Whether the policy names one of the active checks, so that the person should be asked to move."""
    return any(mentions(policy, check) for check in CHECKS)


class Challenges:
    """The challenges of all tenants."""

    def __init__(self, store: Store) -> None:
        self._store, self._signer = store, Signer(store, "challenge")

    def draw(self, tx: Session, tenant: str, session_id: str, *, actor: str) -> Drawn:
        """A new challenge for the session's attempt; the one before cannot be answered any more.

        Raises:
            NotFoundError, IllegalTransitionError: no such session, or it does not collect (no consent yet, say).
            ChallengeError: the attempt has had :data:`MOST_DRAWS`.
        """
        session = self._collecting(tx, tenant, session_id)
        if not self.standing(tx, tenant, session_id, session.attempt).draws_left:
            raise ChallengeError(
                f"this attempt has had {MOST_DRAWS} challenges.", hint="Submit the session without, or cancel it."
            )
        made, now = draw_challenge(), self._store.clock().timestamp()
        content = {**made.to_dict(), "s": session_id, "a": session.attempt, "b": now, "e": now + SECONDS}
        text = self._signer.sign(tx, tenant, content)
        self._store.audit.append(
            tx, tenant, actor, DRAWN, "session", session_id, challenge=made.nonce, attempt=session.attempt
        )
        return Drawn(made, text, SECONDS)

    def answer(
        self,
        tenant: str,
        session_id: str,
        text: str,
        at_ms: list[float],
        pictures: list[bytes],
        device: dict[str, Any],
        *,
        actor: str,
        limits: Limits,
    ) -> Answered:
        """Seal the frames of an answered challenge into the session's case. The challenge is spent before that.

        An answer that is refused for more than its age stands in the audit log, as evidence for the attempt.

        Raises:
            NotFoundError, IllegalTransitionError: no such session, or it does not collect.
            ChallengeError: changed, another session's or attempt's, answered before, replaced by a newer one, too old.
            InputError: a frame cannot be decoded, or there are too many.
        """
        with self._store.read() as tx:
            session = self._collecting(tx, tenant, session_id)
            opened = self._signer.open(tx, text)
        content = opened[1] if opened is not None and opened[0] == tenant else None
        if content is None or content.get("s") != session_id or content.get("a") != session.attempt:
            self._refuse(tenant, session_id, session.attempt, "foreign", actor)
            raise ChallengeError("this challenge was not drawn for this attempt.", hint="Draw another one.")
        now = self._store.clock().timestamp()
        if content["e"] <= now:
            raise ChallengeError("the challenge has expired.", hint="Draw another one.")
        recording = Recording(from_dict(content), tuple(at_ms), tuple(pictures), 1000 * (now - content["b"]), device)
        middle = _middle(pictures, limits)
        nonce = recording.challenge.nonce
        with self._store.write() as tx:
            session = self._collecting(tx, tenant, session_id)
            drawn = [each["challenge"] for each in self._events(tx, tenant, session_id, DRAWN)]
            spent = {each["challenge"] for each in self._events(tx, tenant, session_id, ANSWERED)}
            why = "repeated" if nonce in spent else "replaced" if drawn[-1:] != [nonce] else None
            if why is None:
                self._store.audit.append(
                    tx, tenant, actor, ANSWERED, "session", session_id, challenge=nonce, attempt=session.attempt
                )
        if why is not None:
            if why == "repeated":
                self._refuse(tenant, session_id, session.attempt, why, actor)
            raise ChallengeError(f"the challenge was {why}: it can be answered once.", hint="Draw another one.")
        kept = self._store.vault.add(
            tenant,
            session_id,
            RECORDING,
            recording.to_bytes(),
            actor=actor,
            content_type=CONTENT_TYPE,
            perceptual_hash=middle,
        )
        with self._store.read() as tx:
            left = self.standing(tx, tenant, session_id, session.attempt).draws_left
        return Answered(kept, _doubts(recording), left)

    def standing(self, tx: Session, tenant: str, session_id: str, attempt: int) -> Standing:
        """Whether the attempt's challenge was answered, and how many more are drawn."""
        count = {
            action: sum(each["attempt"] == attempt for each in self._events(tx, tenant, session_id, action))
            for action in (DRAWN, ANSWERED)
        }
        return Standing(count[ANSWERED] > 0, max(0, MOST_DRAWS - count[DRAWN]))

    def refused(self, tx: Session, tenant: str, session_id: str, attempt: int) -> list[str]:
        """Why answers of an attempt were refused: ``foreign`` or ``repeated``, oldest first."""
        events = self._events(tx, tenant, session_id, REFUSED)
        return [str(each["reason"]) for each in events if each["attempt"] == attempt]

    def was_drawn(self, tx: Session, tenant: str, session_id: str, attempt: int) -> bool:
        """Whether the attempt was asked anything."""
        return any(each["attempt"] == attempt for each in self._events(tx, tenant, session_id, DRAWN))

    def _refuse(self, tenant: str, session_id: str, attempt: int, reason: str, actor: str) -> None:
        with self._store.write() as tx:
            if len(self.refused(tx, tenant, session_id, attempt)) < MOST_KEPT:
                self._store.audit.append(
                    tx, tenant, actor, REFUSED, "session", session_id, reason=reason, attempt=attempt
                )

    def _collecting(self, tx: Session, tenant: str, session_id: str) -> SessionView:
        session = self._store.sessions.get(tx, tenant, session_id)
        if session.state is not State.COLLECTING:
            raise IllegalTransitionError(
                f"a session that is {session.state.value!r} takes no samples.", hint="Consent comes first."
            )
        return session

    def _events(self, tx: Session, tenant: str, session_id: str, action: str) -> list[dict[str, Any]]:
        return self._store.audit.details(tx, tenant, action, "session", session_id)


def _doubts(recording: Recording) -> tuple[Reason, ...]:
    """What is wrong with the frames by their times: nothing that would help anybody to guess how they are judged."""
    found = TimingCheck().check(np.array(recording.at_ms), recording.challenge, ())
    return found.reasons


def _middle(pictures: list[bytes], limits: Limits) -> bytes | None:
    """The perceptual hash of the middle frame; every frame is decoded, one at a time, and none is kept."""
    found = None
    for number, each in enumerate(pictures):
        image = decode_image(each, limits=limits, role="frame")
        if max(image.width, image.height) > MOST_SIDE:
            raise InvalidRecordingError(
                f"a frame has {image.width} x {image.height} pixels.", hint=f"At most {MOST_SIDE} a side."
            )
        if number == len(pictures) // 2:
            found = perceptual_hash(image.pixels)
    return found
