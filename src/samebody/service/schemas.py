"""The bodies of requests and answers, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from samebody.store.lifecycle import State

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]


class Request(BaseModel):
    """Base of what is sent to the service; unknown fields are refused, and texts that PostgreSQL does not hold."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, sent: Any) -> Any:
        if _holds_null(sent):
            raise ValueError("a text holds the character U+0000")
        return sent


def _holds_null(sent: Any) -> bool:
    """Whether a text in it holds U+0000, however deep it is nested."""
    left = [sent]
    while left:
        value = left.pop()
        if isinstance(value, str) and "\0" in value:
            return True
        if isinstance(value, dict):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            left += value
    return False


class Answer(BaseModel):
    """Base of what the service sends."""


class Problem(Answer):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="stable, for programs; the other texts are for people")
    request_id: str


class NewSession(Request):
    """A session to create."""

    policy: Name = Field(default="default", description="the policy that decides; its newest version counts")
    reference: str | None = Field(default=None, min_length=1, max_length=200, description="your id for it")
    metadata: dict[str, Any] | None = Field(default=None, description="anything of yours, at most 16 KiB; kept sealed")
    purpose: Name = Field(default="verification", description="what the person is asked to consent to")
    subject_id: str | None = Field(default=None, max_length=64, description="the enrolled person it is about")
    priority: int = Field(default=0, ge=-100, le=100, description="higher ones are worked on first")
    lifetime_minutes: int | None = Field(default=None, ge=1, le=43_200, description="until it expires unsubmitted")


class Session(Answer):
    """A session; never a picture, a template or a field of a document."""

    id: str
    case_id: str
    state: State = Field(description="see the state machine in the guide")
    reason: str = Field(description="stable code: why it is in this state")
    attempt: int = Field(description="counts submissions, from 1")
    version: int = Field(description="grows with every change")
    policy: str
    policy_version: int
    reference: str | None
    created: datetime
    changed: datetime
    expires: datetime
    allowed: list[str] = Field(description="events that may happen next")


class ChallengeStanding(Answer):
    """The policy asks for active liveness: a challenge should be drawn and answered before the session is submitted."""

    answered: bool = Field(description="in this attempt")
    draws_left: int = Field(description="challenges that may still be drawn for this attempt")


class SessionDetail(Session):
    """A session, and what it still needs."""

    needs: list[str] = Field(description="roles of samples without which it cannot be submitted")
    metadata: dict[str, Any] | None = Field(description="what you attached; null for a client token, and once redacted")
    challenge: ChallengeStanding | None = Field(
        default=None, description="null when the policy does not ask for active liveness, or nothing is taken any more"
    )


class CreatedSession(Session):
    """A new session, and what its person needs."""

    client_token: str = Field(description="opens this session only; hand it to the capture page")
    client_token_seconds: int
    capture_url: str = Field(description="where to send the person")


class ClientToken(Answer):
    """A client token."""

    client_token: str
    client_token_seconds: int
    capture_url: str


class NewConsent(Request):
    """That the person agreed to a text."""

    version: Name
    language: Name
    purpose: Name = "verification"


class Consent(Answer):
    """A consent as it was recorded."""

    id: str
    purpose: str
    version: str
    language: str
    text_sha256: str
    given: datetime
    withdrawn: datetime | None


class ConsentText(Answer):
    """A text to consent to."""

    version: str
    language: str
    text: str
    sha256: str


class Media(Answer):
    """A sample as it was taken in; its content is sealed."""

    id: str
    role: str
    content_type: str
    size: int
    attempt: int
    created: datetime


class MediaList(Answer):
    """The samples of a session."""

    items: list[Media]


class Link(Answer):
    """A link to a sample in plain: short-lived, for one person's eyes."""

    url: str
    seconds: int


class Verdict(Answer):
    """What was decided. ``body`` follows the verdict schema; null once the case was redacted."""

    session_id: str
    case_id: str
    attempt: int
    decision: Literal["accept", "reject", "review", "retry"]
    policy: str
    policy_version: int
    policy_sha256: str
    model_ids: list[str]
    created: datetime
    body: dict[str, Any] | None


class AuditEvent(Answer):
    """One entry of the audit log."""

    sequence: int
    at: str
    actor: str
    action: str
    kind: str
    object: str
    details: dict[str, Any]
    digest: str


class SessionPage(Answer):
    """Sessions, newest first."""

    items: list[Session]
    next: str | None


class AuditPage(Answer):
    """Entries of the audit log, oldest first."""

    items: list[AuditEvent]
    next: str | None
