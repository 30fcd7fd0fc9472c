"""The states of a session as one table: what may happen in which state, where it leads, and why.

Nothing else in the project writes a state. ``docs/store.md`` prints the same table, and a test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from samebody.store.errors import IllegalTransitionError


class State(StrEnum):
    """Where a session stands."""

    CREATED = "created"
    COLLECTING = "collecting"
    SUBMITTED = "submitted"
    PROCESSING = "processing"
    RETRY = "retry"
    REVIEW = "review"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REDACTED = "redacted"


class Event(StrEnum):
    """What happens to a session."""

    CONSENT = "consent"
    UPLOAD = "upload"
    SUBMIT = "submit"
    CLAIM = "claim"
    RELEASE = "release"
    LEASE_LOST = "lease_lost"
    FAULT = "fault"
    GIVE_UP = "give_up"
    ACCEPT = "accept"
    REJECT = "reject"
    ASK_REVIEW = "ask_review"
    ASK_RETRY = "ask_retry"
    EXHAUST = "exhaust"
    RESUME = "resume"
    OPINION = "opinion"
    REVIEW_ACCEPT = "review_accept"
    REVIEW_REJECT = "review_reject"
    REVIEW_RETRY = "review_retry"
    REQUEUE = "requeue"
    CANCEL = "cancel"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    REDACT = "redact"


Actor = Literal["client", "integrator", "worker", "sweeper", "reviewer", "operator"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of the table.

    Attributes:
        sources: states it may happen in.
        target: the state after it.
        reason: stable code that stands on the session afterwards; "" keeps the one before.
        actors: who may do it.
        announced: whether the integrator is told by webhook.
    """

    event: Event
    sources: tuple[State, ...]
    target: State
    reason: str
    actors: tuple[Actor, ...]
    announced: bool = False


_WAITING = (State.CREATED, State.COLLECTING, State.RETRY)
_OPEN = (*_WAITING, State.SUBMITTED, State.PROCESSING, State.REVIEW)
_CLOSED = (State.ACCEPTED, State.REJECTED, State.FAILED, State.CANCELLED, State.EXPIRED)

_E, _S = Event, State
TRANSITIONS: tuple[Transition, ...] = (
    Transition(_E.CONSENT, (_S.CREATED,), _S.COLLECTING, "consent.given", ("client",)),
    Transition(_E.UPLOAD, (_S.COLLECTING,), _S.COLLECTING, "", ("client", "integrator")),
    Transition(_E.SUBMIT, (_S.COLLECTING,), _S.SUBMITTED, "session.submitted", ("client", "integrator")),
    Transition(_E.CLAIM, (_S.SUBMITTED,), _S.PROCESSING, "work.claimed", ("worker",)),
    Transition(_E.RELEASE, (_S.PROCESSING,), _S.SUBMITTED, "work.released", ("worker",)),
    Transition(_E.LEASE_LOST, (_S.PROCESSING,), _S.SUBMITTED, "work.lease_lost", ("sweeper",)),
    Transition(_E.FAULT, (_S.PROCESSING,), _S.SUBMITTED, "work.fault", ("worker",)),
    Transition(_E.GIVE_UP, (_S.PROCESSING,), _S.FAILED, "work.given_up", ("worker", "sweeper"), True),
    Transition(_E.ACCEPT, (_S.PROCESSING,), _S.ACCEPTED, "verdict.accept", ("worker",), True),
    Transition(_E.REJECT, (_S.PROCESSING,), _S.REJECTED, "verdict.reject", ("worker",), True),
    Transition(_E.ASK_REVIEW, (_S.PROCESSING,), _S.REVIEW, "verdict.review", ("worker",), True),
    Transition(_E.ASK_RETRY, (_S.PROCESSING,), _S.RETRY, "verdict.retry", ("worker",), True),
    Transition(_E.EXHAUST, (_S.PROCESSING,), _S.REVIEW, "session.resubmissions_exhausted", ("worker",), True),
    Transition(_E.RESUME, (_S.RETRY,), _S.COLLECTING, "session.resumed", ("client", "integrator")),
    Transition(_E.OPINION, (_S.REVIEW,), _S.REVIEW, "review.second_person_needed", ("reviewer",)),
    Transition(_E.REVIEW_ACCEPT, (_S.REVIEW,), _S.ACCEPTED, "review.accept", ("reviewer",), True),
    Transition(_E.REVIEW_REJECT, (_S.REVIEW,), _S.REJECTED, "review.reject", ("reviewer",), True),
    Transition(_E.REVIEW_RETRY, (_S.REVIEW,), _S.RETRY, "review.retry", ("reviewer",), True),
    Transition(_E.REQUEUE, (_S.FAILED,), _S.SUBMITTED, "session.requeued", ("operator",)),
    Transition(_E.CANCEL, _OPEN, _S.CANCELLED, "session.cancelled", ("client", "integrator"), True),
    Transition(_E.WITHDRAW, _OPEN, _S.CANCELLED, "consent.withdrawn", ("client", "integrator"), True),
    Transition(_E.EXPIRE, (*_WAITING, _S.REVIEW), _S.EXPIRED, "session.expired", ("sweeper",), True),
    Transition(_E.REDACT, _CLOSED, _S.REDACTED, "session.redacted", ("integrator", "operator", "sweeper"), True),
)

_TABLE = {(source, each.event): each for each in TRANSITIONS for source in each.sources}

CONCLUSIONS = {
    "accept": Event.ACCEPT,
    "reject": Event.REJECT,
    "review": Event.ASK_REVIEW,
    "retry": Event.ASK_RETRY,
}
"""The event of a verdict's decision; ``retry`` becomes ``exhaust`` at the last attempt."""

UNTIL_EXPIRY = frozenset({Event.CONSENT, Event.UPLOAD, Event.SUBMIT, Event.RESUME})
"""What a person does, and cannot do any more from the moment their session expires, whenever the sweeper comes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How often and how long.

    Attributes:
        submissions: attempts of one session; a ``retry`` at the last one goes to a reviewer.
        lifetime: from creation until a session that waits for its person expires.
        retry_lifetime: the same from a ``retry`` on; never shortens what is left.
        failures: leases lost and faults of one submission before it is given up.
        backoff: wait after the first of them; doubled each time.
        samples, sample_bytes: of one attempt; whoever holds a session's token could fill the disk otherwise.
    """

    submissions: int = 3
    lifetime: timedelta = timedelta(hours=24)
    retry_lifetime: timedelta = timedelta(hours=24)
    failures: int = 5
    backoff: timedelta = timedelta(seconds=2)
    samples: int = 100
    sample_bytes: int = 256 * 2**20


def transition(state: State | str, event: Event) -> Transition:
    """What ``event`` does in ``state``.

    Raises:
        IllegalTransitionError: it cannot happen there.
    """
    found = _TABLE.get((State(state), event))
    if found is None:
        allowed = ", ".join(each.value for each in allowed_events(State(state))) or "nothing"
        raise IllegalTransitionError(
            f"a session that is {State(state).value!r} cannot {event.value!r}.", hint=f"It allows: {allowed}."
        )
    return found


def allowed_events(state: State) -> tuple[Event, ...]:
    """What may happen in ``state``, in the order of the table."""
    return tuple(each.event for each in TRANSITIONS if state in each.sources)


def is_final(state: State) -> bool:
    """Nothing but redaction (or an operator's requeue) can happen any more."""
    return state in _CLOSED or state is State.REDACTED


def as_markdown() -> str:
    """The table as ``docs/store.md`` prints it."""
    lines = ["| event | in | leads to | reason code | by | webhook |", "| --- | --- | --- | --- | --- | --- |"]
    for each in TRANSITIONS:
        sources = ", ".join(f"`{source.value}`" for source in each.sources)
        reason = f"`{each.reason}`" if each.reason else "(kept)"
        told = f"`session.{each.target.value}`" if each.announced else ""
        by = ", ".join(each.actors)
        lines.append(f"| `{each.event.value}` | {sources} | `{each.target.value}` | {reason} | {by} | {told} |")
    return "\n".join(lines)
