"""The calls of the API, one method a route. Generated from the OpenAPI document: do not edit.

`python -m samebody.service.client.generate docs/reference/openapi.json` writes both again.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from samebody.service.client.transport import AsyncTransport, Call, SyncTransport


class Alive(TypedDict):
    """The process answers."""

    status: str


class AnsweredChallenge(TypedDict):
    """A recording as it was taken in, and whether doing another challenge helps."""

    id: str
    role: str
    content_type: str
    size: int
    attempt: int
    created: str
    doubts: list[Doubt]
    draws_left: int


class AuditEvent(TypedDict):
    """One entry of the audit log."""

    sequence: int
    at: str
    actor: str
    action: str
    kind: str
    object: str
    details: dict[str, Any]
    digest: str


class AuditPage(TypedDict):
    """Entries of the audit log, oldest first."""

    items: list[AuditEvent]
    next: str | None


class Candidate(TypedDict):
    """An enrolled person that a search returned."""

    rank: int
    subject_id: str
    external_id: str | None
    place: str
    score: float | None
    fpir: float
    reasons: list[dict[str, str]]


class ChallengeStanding(TypedDict):
    """The policy asks for active liveness: a challenge should be drawn and answered before the session is submitted."""

    answered: bool
    draws_left: int


class ChallengeView(TypedDict):
    """What the person is asked; the start is when the page begins to show it."""

    challenge: str
    steps: list[Prompt]
    flashes: list[FlashView]
    seconds: int
    frames_a_second: int
    most_frames: int
    longer_side: int


class Check(TypedDict):
    """Every mistake of a policy, with its line."""

    valid: bool
    mistakes: list[str]


class Checked(TypedDict):
    """What was found; each finding follows the verdict schema."""

    findings: list[dict[str, Any]]
    model_ids: list[str]


class ClientToken(TypedDict):
    """A client token."""

    client_token: str
    client_token_seconds: int
    capture_url: str


class Consent(TypedDict):
    """A consent as it was recorded."""

    id: str
    purpose: str
    version: str
    language: str
    text_sha256: str
    given: str
    withdrawn: str | None


class ConsentText(TypedDict):
    """A text to consent to."""

    version: str
    language: str
    text: str
    sha256: str


class CreatedSession(TypedDict):
    """A new session, and what its person needs."""

    id: str
    case_id: str
    state: State
    reason: str
    attempt: int
    version: int
    policy: str
    policy_version: int
    reference: str | None
    created: str
    changed: str
    expires: str
    allowed: list[str]
    client_token: str
    client_token_seconds: int
    capture_url: str


class DeliveryPage(TypedDict):
    """Deliveries, newest first."""

    items: list[DeliveryView]
    next: str | None


class DeliveryView(TypedDict):
    """One message to one endpoint."""

    id: str
    message_id: str
    state: str
    tries: int
    last_status: int | None
    last_error: str | None
    next_try: str | None
    created: str
    finished: str | None


class DocumentChecked(TypedDict):
    """What was read from a document, after the document schema."""

    findings: list[dict[str, Any]]
    model_ids: list[str]
    reading: dict[str, Any]


class Doubt(TypedDict):
    """Why the frames cannot show enough."""

    code: str
    message: str
    advice: str


class EffectiveSettings(TypedDict):
    """What counts now."""

    submissions: int
    session_minutes: float
    retry_minutes: float
    token_minutes: int
    link_seconds: int
    rate: float
    longest_media_days: float | None
    longest_case_days: float | None


class Endpoint(TypedDict):
    """An endpoint."""

    id: str
    url: str
    kinds: list[str]
    created: str
    disabled: str | None


class EndpointPage(TypedDict):
    """Endpoints of a tenant, oldest first."""

    items: list[Endpoint]
    next: str | None


class EndpointSecret(TypedDict):
    """An endpoint with its secret, which is shown this once."""

    id: str
    url: str
    kinds: list[str]
    created: str
    disabled: str | None
    secret: str


class EnrolmentAnswer(TypedDict):
    """What became of an enrolment; ``subject`` is null when it was refused."""

    outcome: str
    subject: Subject | None
    search: Found | None


class FlashView(TypedDict):
    """One colour on the whole screen."""

    colour: str
    at_ms: int
    for_ms: int


class Found(TypedDict):
    """The answer to a search."""

    answer: str
    comparisons: int
    fpir: float
    extrapolated: bool
    candidates: list[Candidate]


class GalleryList(TypedDict):
    """The galleries of a tenant."""

    items: list[GalleryView]


class GalleryView(TypedDict):
    """A gallery."""

    id: str
    modality: str
    space: str
    references: int
    created: str


class KeyPage(TypedDict):
    """Keys of a tenant, oldest first."""

    items: list[KeyView]
    next: str | None


class KeySecret(TypedDict):
    """A new key with its secret, which is shown this once."""

    id: str
    name: str
    role: str
    scopes: list[str]
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None
    secret: str


class KeyView(TypedDict):
    """A key, never its secret."""

    id: str
    name: str
    role: str
    scopes: list[str]
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None


class LabelView(TypedDict):
    """A label as it was recorded."""

    id: str


class Link(TypedDict):
    """A link to a sample in plain: short-lived, for one person's eyes."""

    url: str
    seconds: int


class Live(TypedDict):
    """The model that is live in a slot."""

    slot: str
    model_id: str
    own: bool
    changes: list[ModelChange]


class LiveList(TypedDict):
    """What is live for the tenant."""

    items: list[Live]


class Media(TypedDict):
    """A sample as it was taken in; its content is sealed."""

    id: str
    role: str
    content_type: str
    size: int
    attempt: int
    created: str


class MediaList(TypedDict):
    """The samples of a session."""

    items: list[Media]


class Model(TypedDict):
    """A model record in short."""

    id: str
    task: str
    version: str
    sha256: str | None
    licence: str
    commercial_use: str
    installed: bool


class ModelChange(TypedDict):
    """One change of the live model."""

    number: int
    model_id: str
    sha256: str
    kind: str
    reason: str
    author: str
    created: str


class ModelList(TypedDict):
    """The models this service knows."""

    items: list[Model]


class OperatorSettings(TypedDict):
    """What only the operator of the service may set."""

    private_webhooks: bool
    rate: float
    token_minutes: int
    link_seconds: int
    max_body: int
    max_waiting: int


class OpinionView(TypedDict):
    """An opinion as it was recorded; the note is null once the case was redacted."""

    reviewer: str
    decision: str
    code: str
    attempt: int
    created: str
    note: str | None


class OwnSettings(TypedDict):
    """What a tenant may set; null is not set: then the operator's (or the policy's) counts."""

    submissions: int | None
    session_minutes: int | None
    retry_minutes: int | None
    token_minutes: int | None
    link_seconds: int | None
    rate: int | None
    longest_media_days: float | None
    longest_case_days: float | None


class Part(TypedDict):
    """One thing the service needs."""

    ok: bool
    detail: str


class PartView(TypedDict):
    """A part that was kept."""

    part: int
    size: int


class PolicyList(TypedDict):
    """The newest version of every policy."""

    items: list[PolicyView]


class PolicyTrial(TypedDict):
    """A candidate beside what is live."""

    cases: int
    left_out: int
    changed: float | None
    changed_interval: list[float] | None
    moves: dict[str, int]
    shifts: dict[str, ShiftView]
    examples: list[str]
    against: list[str]


class PolicyView(TypedDict):
    """A version of a policy."""

    id: str
    version: int
    sha256: str
    text: str
    retention: dict[str, Any]
    author: str
    created: str


class Prompt(TypedDict):
    """One prompt."""

    action: str
    at_ms: int
    for_ms: int


class Quality(TypedDict):
    """What was found about a face image."""

    findings: list[dict[str, Any]]
    model_ids: list[str]
    unified: float | None


class Ready(TypedDict):
    """Whether everything needed to reach verdicts is there, part by part."""

    ready: bool
    parts: dict[str, Part]


class Removed(TypedDict):
    """How many references were deleted."""

    references: int


class Review(TypedDict):
    """A session with the opinions on it."""

    session: Session
    opinions: list[OpinionView]
    hidden: int


class Rotated(TypedDict):
    """A new secret; messages are signed with the old one too until it ends."""

    secret: str
    old_ends_in_seconds: int


class Session(TypedDict):
    """A session; never a picture, a template or a field of a document."""

    id: str
    case_id: str
    state: State
    reason: str
    attempt: int
    version: int
    policy: str
    policy_version: int
    reference: str | None
    created: str
    changed: str
    expires: str
    allowed: list[str]


class SessionDetail(TypedDict):
    """A session, and what it still needs."""

    id: str
    case_id: str
    state: State
    reason: str
    attempt: int
    version: int
    policy: str
    policy_version: int
    reference: str | None
    created: str
    changed: str
    expires: str
    allowed: list[str]
    needs: list[str]
    metadata: dict[str, Any] | None
    challenge: ChallengeStanding | None


class SessionPage(TypedDict):
    """Sessions, newest first."""

    items: list[Session]
    next: str | None


class SettingsView(TypedDict):
    """The settings of a tenant."""

    version: int
    author: str | None
    changed: str | None
    settings: OwnSettings
    effective: EffectiveSettings
    operator: OperatorSettings


class ShiftView(TypedDict):
    """How much more often the candidate comes to a decision; the interval holds over the same cases."""

    live: int
    candidate: int
    difference: float
    low: float
    high: float


State = Literal[
    "created",
    "collecting",
    "submitted",
    "processing",
    "retry",
    "review",
    "accepted",
    "rejected",
    "failed",
    "cancelled",
    "expired",
    "redacted",
]


class Subject(TypedDict):
    """A person who is enrolled; after erasure only the id stays."""

    id: str
    external_id: str | None
    created: str
    expires: str | None
    erased: str | None


class SubjectPage(TypedDict):
    """Subjects, newest first."""

    items: list[Subject]
    next: str | None


class Tried(TypedDict):
    """What became of a test message."""

    accepted: bool
    status: int | None
    error: str | None


class UploadView(TypedDict):
    """An upload that was begun: send the parts, then complete it."""

    upload: str
    parts: int
    seconds: int


class Verdict(TypedDict):
    """What was decided. ``body`` follows the verdict schema; null once the case was redacted."""

    session_id: str
    case_id: str
    attempt: int
    decision: Literal["accept", "reject", "review", "retry"]
    policy: str
    policy_version: int
    policy_sha256: str
    model_ids: list[str]
    created: str
    body: dict[str, Any] | None


class Client(SyncTransport):
    """Every route of the API, blocking; see :class:`SyncTransport`."""

    def create_session(
        self,
        *,
        policy: str = "default",
        reference: str | None = None,
        metadata: dict[str, Any] | None = None,
        purpose: str = "verification",
        subject_id: str | None = None,
        priority: int = 0,
        lifetime_minutes: int | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedSession:
        """Create a session; the answer holds its person's client token. 503 while too many wait for a worker."""
        found: CreatedSession = self._send(
            Call(
                "POST",
                "/v1/sessions",
                body={
                    "policy": policy,
                    "reference": reference,
                    "metadata": metadata,
                    "purpose": purpose,
                    "subject_id": subject_id,
                    "priority": priority,
                    "lifetime_minutes": lifetime_minutes,
                },
                idempotency_key=idempotency_key,
            )
        )
        return found

    def list_sessions(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        state: Literal[
            "created",
            "collecting",
            "submitted",
            "processing",
            "retry",
            "review",
            "accepted",
            "rejected",
            "failed",
            "cancelled",
            "expired",
            "redacted",
        ]
        | None = None,
        reference: str | None = None,
    ) -> SessionPage:
        """The sessions of the tenant, newest first."""
        found: SessionPage = self._send(
            Call(
                "GET", "/v1/sessions", query={"limit": limit, "cursor": cursor, "state": state, "reference": reference}
            )
        )
        return found

    def get_session(self, session_id: str) -> SessionDetail:
        """A session as it is now, and what it still needs."""
        found: SessionDetail = self._send(Call("GET", f"/v1/sessions/{session_id}"))
        return found

    def new_client_token(self, session_id: str, *, idempotency_key: str | None = None) -> ClientToken:
        """Another client token, when the first one has expired."""
        found: ClientToken = self._send(
            Call("POST", f"/v1/sessions/{session_id}/client-token", idempotency_key=idempotency_key)
        )
        return found

    def list_consent_texts(self, session_id: str) -> list[ConsentText]:
        """The texts a person may be shown: of each language the newest version."""
        found: list[ConsentText] = self._send(Call("GET", f"/v1/sessions/{session_id}/consent-texts"))
        return found

    def give_consent(
        self,
        session_id: str,
        *,
        version: str,
        language: str,
        purpose: str = "verification",
        idempotency_key: str | None = None,
    ) -> Consent:
        """Record the person's consent; nothing is taken in before it."""
        found: Consent = self._send(
            Call(
                "POST",
                f"/v1/sessions/{session_id}/consents",
                body={"version": version, "language": language, "purpose": purpose},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def withdraw_consent(self, session_id: str, consent_id: str, *, idempotency_key: str | None = None) -> Consent:
        """Withdraw a consent: an open session ends, and the next sweep erases what rested on it."""
        found: Consent = self._send(
            Call("POST", f"/v1/sessions/{session_id}/consents/{consent_id}/withdraw", idempotency_key=idempotency_key)
        )
        return found

    def submit_session(self, session_id: str, *, idempotency_key: str | None = None) -> Session:
        """Hand the session over: once this is answered, it reaches a verdict whatever happens to the service."""
        found: Session = self._send(Call("POST", f"/v1/sessions/{session_id}/submit", idempotency_key=idempotency_key))
        return found

    def resume_session(self, session_id: str, *, idempotency_key: str | None = None) -> Session:
        """Begin the next attempt after a ``retry``; new samples are needed."""
        found: Session = self._send(Call("POST", f"/v1/sessions/{session_id}/resume", idempotency_key=idempotency_key))
        return found

    def cancel_session(self, session_id: str, *, idempotency_key: str | None = None) -> Session:
        """End a session before its verdict."""
        found: Session = self._send(Call("POST", f"/v1/sessions/{session_id}/cancel", idempotency_key=idempotency_key))
        return found

    def redact_session(self, session_id: str, *, idempotency_key: str | None = None) -> Session:
        """Erase the session's case now: samples, document fields, your reference. Decision and audit log stay."""
        found: Session = self._send(Call("POST", f"/v1/sessions/{session_id}/redact", idempotency_key=idempotency_key))
        return found

    def get_verdict(self, session_id: str, *, attempt: int | None = None) -> Verdict:
        """The verdict of an attempt, with every finding."""
        found: Verdict = self._send(Call("GET", f"/v1/sessions/{session_id}/verdict", query={"attempt": attempt}))
        return found

    def session_events(self, session_id: str, *, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """What happened to the session, oldest first, as the audit log has it."""
        found: AuditPage = self._send(
            Call("GET", f"/v1/sessions/{session_id}/events", query={"limit": limit, "cursor": cursor})
        )
        return found

    def upload_media(
        self,
        session_id: str,
        content: bytes,
        *,
        role: str,
        content_type: str = "application/octet-stream",
        idempotency_key: str | None = None,
    ) -> Media:
        """Take in one picture: the body is the encoded file, kept as it is; what cannot be decoded is refused."""
        found: Media = self._send(
            Call(
                "POST",
                f"/v1/sessions/{session_id}/media",
                query={"role": role},
                content=content,
                content_type=content_type,
                idempotency_key=idempotency_key,
            )
        )
        return found

    def list_media(self, session_id: str) -> MediaList:
        """The samples of a session, oldest first: what they are, never their content."""
        found: MediaList = self._send(Call("GET", f"/v1/sessions/{session_id}/media"))
        return found

    def begin_upload(
        self,
        session_id: str,
        *,
        role: str,
        parts: int,
        content_type: str = "application/octet-stream",
        idempotency_key: str | None = None,
    ) -> UploadView:
        """Begin an upload in parts, for lines that break."""
        found: UploadView = self._send(
            Call(
                "POST",
                f"/v1/sessions/{session_id}/uploads",
                body={"role": role, "content_type": content_type, "parts": parts},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def put_part(
        self, upload: str, number: int, content: bytes, *, content_type: str = "application/octet-stream"
    ) -> PartView:
        """Send one part, from 1; in any order, and again when in doubt."""
        found: PartView = self._send(
            Call("PUT", f"/v1/uploads/{upload}/parts/{number}", content=content, content_type=content_type)
        )
        return found

    def complete_upload(self, upload: str, *, idempotency_key: str | None = None) -> Media:
        """Join the parts into a sample; what cannot be decoded is refused."""
        found: Media = self._send(Call("POST", f"/v1/uploads/{upload}/complete", idempotency_key=idempotency_key))
        return found

    def media_link(self, session_id: str, media_id: str, *, idempotency_key: str | None = None) -> Link:
        """A link to a sample in plain, for one person's eyes; asking for it stands in the audit log."""
        found: Link = self._send(
            Call("POST", f"/v1/sessions/{session_id}/media/{media_id}/link", idempotency_key=idempotency_key)
        )
        return found

    def show_media(self, link: str) -> bytes:
        """What a signed link shows, until it expires; no key is needed, nothing may keep it."""
        found: bytes = self._send(Call("GET", f"/v1/media/{link}", raw=True))
        return found

    def draw_challenge(self, session_id: str, *, idempotency_key: str | None = None) -> ChallengeView:
        """Draw a challenge for this attempt; one that was drawn before cannot be answered any more."""
        found: ChallengeView = self._send(
            Call("POST", f"/v1/sessions/{session_id}/challenge", idempotency_key=idempotency_key)
        )
        return found

    def answer_challenge(
        self,
        session_id: str,
        *,
        challenge: str,
        frames: list[dict[str, Any]],
        device: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> AnsweredChallenge:
        """Send the frames of a challenge: once, before it expires. They are judged with the session."""
        found: AnsweredChallenge = self._send(
            Call(
                "POST",
                f"/v1/sessions/{session_id}/challenge/answer",
                body={"challenge": challenge, "device": device, "frames": frames},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def check_faces(
        self,
        *,
        one: str,
        two: str,
        fmr: float = 0.0001,
        population: str = "matched-adults",
        idempotency_key: str | None = None,
    ) -> Checked:
        """Whether the main faces of two pictures are one person's, at a false match rate."""
        found: Checked = self._send(
            Call(
                "POST",
                "/v1/checks/face-compare",
                body={"one": one, "two": two, "fmr": fmr, "population": population},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def check_quality(self, *, picture: str, idempotency_key: str | None = None) -> Quality:
        """How good the main face of a picture is for recognition, part by part, with advice for the person."""
        found: Quality = self._send(
            Call("POST", "/v1/checks/quality", body={"picture": picture}, idempotency_key=idempotency_key)
        )
        return found

    def check_liveness(self, *, picture: str, idempotency_key: str | None = None) -> Checked:
        """Whether one picture shows a presentation attack; read in the model's record what it was measured on."""
        found: Checked = self._send(
            Call("POST", "/v1/checks/liveness", body={"picture": picture}, idempotency_key=idempotency_key)
        )
        return found

    def check_document(self, *, picture: str, idempotency_key: str | None = None) -> DocumentChecked:
        """What stands on a document, and whether it agrees with itself."""
        found: DocumentChecked = self._send(
            Call("POST", "/v1/checks/document", body={"picture": picture}, idempotency_key=idempotency_key)
        )
        return found

    def list_subjects(
        self, *, limit: int = 50, cursor: str | None = None, external_id: str | None = None
    ) -> SubjectPage:
        """The subjects of the tenant, newest first."""
        found: SubjectPage = self._send(
            Call("GET", "/v1/subjects", query={"limit": limit, "cursor": cursor, "external_id": external_id})
        )
        return found

    def get_subject(self, subject_id: str) -> Subject:
        """A subject."""
        found: Subject = self._send(Call("GET", f"/v1/subjects/{subject_id}"))
        return found

    def erase_subject(self, subject_id: str) -> Subject:
        """Erase a person: their key, samples, templates, cases, and their references in every gallery."""
        found: Subject = self._send(Call("DELETE", f"/v1/subjects/{subject_id}"))
        return found

    def export_subject(self, subject_id: str) -> bytes:
        """All that is held about a person, in plain, as a ZIP; it stands in the audit log."""
        found: bytes = self._send(Call("GET", f"/v1/subjects/{subject_id}/export", raw=True))
        return found

    def create_gallery(self, *, id: str, model: str | None = None, idempotency_key: str | None = None) -> GalleryView:
        """Make an empty gallery, pinned to the embedding space of a model."""
        found: GalleryView = self._send(
            Call("POST", "/v1/galleries", body={"id": id, "model": model}, idempotency_key=idempotency_key)
        )
        return found

    def list_galleries(self) -> GalleryList:
        """The galleries of the tenant."""
        found: GalleryList = self._send(Call("GET", "/v1/galleries"))
        return found

    def delete_gallery(self, gallery_id: str) -> Removed:
        """Destroy a gallery, key and files; subjects stay."""
        found: Removed = self._send(Call("DELETE", f"/v1/galleries/{gallery_id}"))
        return found

    def enrol(
        self,
        gallery_id: str,
        *,
        session_id: str,
        external_id: str | None = None,
        fpir: float = 0.01,
        allow_duplicates: bool = False,
        idempotency_key: str | None = None,
    ) -> EnrolmentAnswer:
        """Enrol the person of an accepted session who consented to it, unless somebody enrolled looks the same."""
        found: EnrolmentAnswer = self._send(
            Call(
                "POST",
                f"/v1/galleries/{gallery_id}/enrol",
                body={
                    "session_id": session_id,
                    "external_id": external_id,
                    "fpir": fpir,
                    "allow_duplicates": allow_duplicates,
                },
                idempotency_key=idempotency_key,
            )
        )
        return found

    def identify(
        self, gallery_id: str, *, picture: str, fpir: float = 0.01, idempotency_key: str | None = None
    ) -> Found:
        """Who of the gallery a picture shows, if anybody, at a false positive identification rate; nothing is kept."""
        found: Found = self._send(
            Call(
                "POST",
                f"/v1/galleries/{gallery_id}/identify",
                body={"picture": picture, "fpir": fpir},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def remove_from_gallery(self, gallery_id: str, subject_id: str) -> Removed:
        """Take a person out of a gallery; they stay enrolled elsewhere."""
        found: Removed = self._send(Call("DELETE", f"/v1/galleries/{gallery_id}/subjects/{subject_id}"))
        return found

    def list_reviews(self, *, limit: int = 50, cursor: str | None = None) -> SessionPage:
        """Sessions that wait for a reviewer, the oldest first."""
        found: SessionPage = self._send(Call("GET", "/v1/reviews", query={"limit": limit, "cursor": cursor}))
        return found

    def get_review(self, session_id: str) -> Review:
        """A session and the opinions on it that you may see."""
        found: Review = self._send(Call("GET", f"/v1/reviews/{session_id}"))
        return found

    def decide_review(
        self,
        session_id: str,
        *,
        decision: Literal["accept", "reject", "retry"],
        code: str,
        note: str = "",
        idempotency_key: str | None = None,
    ) -> Session:
        """Decide a case; where the policy asks for a second person, the session moves when two agree."""
        found: Session = self._send(
            Call(
                "POST",
                f"/v1/reviews/{session_id}",
                body={"decision": decision, "code": code, "note": note},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def add_label(
        self, session_id: str, *, name: str, value: str, media_id: str | None = None, idempotency_key: str | None = None
    ) -> LabelView:
        """Say what a case or one of its samples shows; labels feed the lab's data sets."""
        found: LabelView = self._send(
            Call(
                "POST",
                f"/v1/reviews/{session_id}/labels",
                body={"name": name, "value": value, "media_id": media_id},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def list_policies(self) -> PolicyList:
        """The newest version of every policy of the tenant."""
        found: PolicyList = self._send(Call("GET", "/v1/policies"))
        return found

    def check_policy(self, *, text: str, idempotency_key: str | None = None) -> Check:
        """Every mistake of a policy at once; nothing is kept."""
        found: Check = self._send(
            Call("POST", "/v1/policies/check", body={"text": text}, idempotency_key=idempotency_key)
        )
        return found

    def get_policy(self, policy_id: str, *, version: int | None = None) -> PolicyView:
        """A version of a policy."""
        found: PolicyView = self._send(Call("GET", f"/v1/policies/{policy_id}", query={"version": version}))
        return found

    def put_policy(
        self,
        policy_id: str,
        *,
        text: str,
        media_days: float = 30,
        case_days: float = 365,
        second_person: bool = False,
        reason: str = "",
        idempotency_key: str | None = None,
    ) -> PolicyView:
        """Add a policy, or promote its next version: 409 unless the guard rails are kept or a `reason` is given."""
        found: PolicyView = self._send(
            Call(
                "POST",
                f"/v1/policies/{policy_id}",
                body={
                    "text": text,
                    "media_days": media_days,
                    "case_days": case_days,
                    "second_person": second_person,
                    "reason": reason,
                },
                idempotency_key=idempotency_key,
            )
        )
        return found

    def try_candidate(
        self, policy_id: str, *, text: str, last: int = 1000, idempotency_key: str | None = None
    ) -> PolicyTrial:
        """Decide the newest verdicts of a policy again under a candidate, and say what the guard rails would do."""
        found: PolicyTrial = self._send(
            Call(
                "POST",
                f"/v1/policies/{policy_id}/try",
                body={"text": text, "last": last},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def rollback(self, policy_id: str, *, to: int | None = None, idempotency_key: str | None = None) -> PolicyView:
        """Make an older text live again, as a new version: by default the newest one that differs. Asks nothing."""
        found: PolicyView = self._send(
            Call("POST", f"/v1/policies/{policy_id}/rollback", body={"to": to}, idempotency_key=idempotency_key)
        )
        return found

    def create_endpoint(
        self, *, url: str, kinds: list[str] | None = None, idempotency_key: str | None = None
    ) -> EndpointSecret:
        """Register an endpoint; the answer holds its secret."""
        found: EndpointSecret = self._send(
            Call("POST", "/v1/webhook-endpoints", body={"url": url, "kinds": kinds}, idempotency_key=idempotency_key)
        )
        return found

    def list_endpoints(self, *, limit: int = 50, cursor: str | None = None) -> EndpointPage:
        """The endpoints of the tenant, oldest first."""
        found: EndpointPage = self._send(Call("GET", "/v1/webhook-endpoints", query={"limit": limit, "cursor": cursor}))
        return found

    def get_endpoint(self, endpoint_id: str) -> Endpoint:
        """One endpoint."""
        found: Endpoint = self._send(Call("GET", f"/v1/webhook-endpoints/{endpoint_id}"))
        return found

    def disable_endpoint(self, endpoint_id: str) -> Endpoint:
        """Stop telling an endpoint: what waits for it is given up. Its deliveries stay in the log."""
        found: Endpoint = self._send(Call("DELETE", f"/v1/webhook-endpoints/{endpoint_id}"))
        return found

    def rotate_endpoint_secret(self, endpoint_id: str, *, idempotency_key: str | None = None) -> Rotated:
        """A new secret; both sign for a day, so that nothing is lost while the receiver changes over."""
        found: Rotated = self._send(
            Call("POST", f"/v1/webhook-endpoints/{endpoint_id}/rotate-secret", idempotency_key=idempotency_key)
        )
        return found

    def test_endpoint(self, endpoint_id: str, *, idempotency_key: str | None = None) -> Tried:
        """Send one signed message of the kind ``endpoint.test`` now, once, and say what became of it."""
        found: Tried = self._send(
            Call("POST", f"/v1/webhook-endpoints/{endpoint_id}/test", idempotency_key=idempotency_key)
        )
        return found

    def list_deliveries(self, endpoint_id: str, *, limit: int = 50, cursor: str | None = None) -> DeliveryPage:
        """The deliveries of an endpoint, newest first."""
        found: DeliveryPage = self._send(
            Call("GET", f"/v1/webhook-endpoints/{endpoint_id}/deliveries", query={"limit": limit, "cursor": cursor})
        )
        return found

    def resend_delivery(
        self, endpoint_id: str, delivery_id: str, *, idempotency_key: str | None = None
    ) -> DeliveryView:
        """Try a delivery again, whatever became of it: the same id and bytes. 409 when its endpoint is disabled."""
        found: DeliveryView = self._send(
            Call(
                "POST",
                f"/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/resend",
                idempotency_key=idempotency_key,
            )
        )
        return found

    def list_keys(self, *, limit: int = 50, cursor: str | None = None) -> KeyPage:
        """The keys of the tenant, oldest first."""
        found: KeyPage = self._send(Call("GET", "/v1/api-keys", query={"limit": limit, "cursor": cursor}))
        return found

    def create_key(
        self,
        *,
        name: str,
        role: Literal["admin", "integrator", "reviewer", "auditor"],
        scopes: list[str] | None = None,
        expires: str | None = None,
        idempotency_key: str | None = None,
    ) -> KeySecret:
        """Make a key; the answer holds its secret."""
        found: KeySecret = self._send(
            Call(
                "POST",
                "/v1/api-keys",
                body={"name": name, "role": role, "scopes": scopes, "expires": expires},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def revoke_key(self, key_id: str) -> KeyView:
        """End a key at once; a second time changes nothing."""
        found: KeyView = self._send(Call("DELETE", f"/v1/api-keys/{key_id}"))
        return found

    def list_models(self) -> ModelList:
        """The models, the licence of their weights, and whether these are here and verified."""
        found: ModelList = self._send(Call("GET", "/v1/models"))
        return found

    def list_live_models(self) -> LiveList:
        """Which model makes templates of faces for the tenant, and every change of it."""
        found: LiveList = self._send(Call("GET", "/v1/models/live"))
        return found

    def promote(self, *, model_id: str, reason: str = "", idempotency_key: str | None = None) -> ModelChange:
        """Make an embedder of faces live: 409 unless a comparison keeps the guard rails or a `reason` is given."""
        found: ModelChange = self._send(
            Call(
                "POST",
                "/v1/models/promote",
                body={"model_id": model_id, "reason": reason},
                idempotency_key=idempotency_key,
            )
        )
        return found

    def rollback_live_model(self, *, idempotency_key: str | None = None) -> ModelChange:
        """Make the embedder live again that was live before. Asks nothing; a second time undoes the first."""
        found: ModelChange = self._send(Call("POST", "/v1/models/rollback", idempotency_key=idempotency_key))
        return found

    def list_audit_events(
        self, *, limit: int = 50, cursor: str | None = None, kind: str | None = None, object: str | None = None
    ) -> AuditPage:
        """The audit log of the tenant, oldest first, with the digest that chains each entry."""
        found: AuditPage = self._send(
            Call("GET", "/v1/audit-events", query={"limit": limit, "cursor": cursor, "kind": kind, "object": object})
        )
        return found

    def get_settings(self) -> SettingsView:
        """The settings of the tenant: what is set, what counts, what the operator alone may set."""
        found: SettingsView = self._send(Call("GET", "/v1/settings"))
        return found

    def change_settings(self, *, settings: dict[str, Any], version: int | None = None) -> SettingsView:
        """Change settings of the tenant; it stands in the audit log. Rates hold within seconds, the rest at once."""
        found: SettingsView = self._send(Call("PATCH", "/v1/settings", body={"settings": settings, "version": version}))
        return found

    def healthz(self) -> Alive:
        """The process answers; nothing else is looked at."""
        found: Alive = self._send(Call("GET", "/v1/healthz"))
        return found

    def readyz(self) -> Ready:
        """Whether verdicts can be reached now: store, sealed files, models, workers, queue. 503 when not."""
        found: Ready = self._send(Call("GET", "/v1/readyz"))
        return found

    def metrics(self) -> bytes:
        """Figures in Prometheus' text format: counts and times, nothing about a person."""
        found: bytes = self._send(Call("GET", "/v1/metrics", raw=True))
        return found


class AsyncClient(AsyncTransport):
    """Every route of the API, for asyncio; see :class:`AsyncTransport`."""

    async def create_session(
        self,
        *,
        policy: str = "default",
        reference: str | None = None,
        metadata: dict[str, Any] | None = None,
        purpose: str = "verification",
        subject_id: str | None = None,
        priority: int = 0,
        lifetime_minutes: int | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedSession:
        """Create a session; the answer holds its person's client token. 503 while too many wait for a worker."""
        found: CreatedSession = await self._send(
            Call(
                "POST",
                "/v1/sessions",
                body={
                    "policy": policy,
                    "reference": reference,
                    "metadata": metadata,
                    "purpose": purpose,
                    "subject_id": subject_id,
                    "priority": priority,
                    "lifetime_minutes": lifetime_minutes,
                },
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def list_sessions(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        state: Literal[
            "created",
            "collecting",
            "submitted",
            "processing",
            "retry",
            "review",
            "accepted",
            "rejected",
            "failed",
            "cancelled",
            "expired",
            "redacted",
        ]
        | None = None,
        reference: str | None = None,
    ) -> SessionPage:
        """The sessions of the tenant, newest first."""
        found: SessionPage = await self._send(
            Call(
                "GET", "/v1/sessions", query={"limit": limit, "cursor": cursor, "state": state, "reference": reference}
            )
        )
        return found

    async def get_session(self, session_id: str) -> SessionDetail:
        """A session as it is now, and what it still needs."""
        found: SessionDetail = await self._send(Call("GET", f"/v1/sessions/{session_id}"))
        return found

    async def new_client_token(self, session_id: str, *, idempotency_key: str | None = None) -> ClientToken:
        """Another client token, when the first one has expired."""
        found: ClientToken = await self._send(
            Call("POST", f"/v1/sessions/{session_id}/client-token", idempotency_key=idempotency_key)
        )
        return found

    async def list_consent_texts(self, session_id: str) -> list[ConsentText]:
        """The texts a person may be shown: of each language the newest version."""
        found: list[ConsentText] = await self._send(Call("GET", f"/v1/sessions/{session_id}/consent-texts"))
        return found

    async def give_consent(
        self,
        session_id: str,
        *,
        version: str,
        language: str,
        purpose: str = "verification",
        idempotency_key: str | None = None,
    ) -> Consent:
        """Record the person's consent; nothing is taken in before it."""
        found: Consent = await self._send(
            Call(
                "POST",
                f"/v1/sessions/{session_id}/consents",
                body={"version": version, "language": language, "purpose": purpose},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def withdraw_consent(
        self, session_id: str, consent_id: str, *, idempotency_key: str | None = None
    ) -> Consent:
        """Withdraw a consent: an open session ends, and the next sweep erases what rested on it."""
        found: Consent = await self._send(
            Call("POST", f"/v1/sessions/{session_id}/consents/{consent_id}/withdraw", idempotency_key=idempotency_key)
        )
        return found

    async def submit_session(self, session_id: str, *, idempotency_key: str | None = None) -> Session:
        """Hand the session over: once this is answered, it reaches a verdict whatever happens to the service."""
        found: Session = await self._send(
            Call("POST", f"/v1/sessions/{session_id}/submit", idempotency_key=idempotency_key)
        )
        return found

    async def resume_session(self, session_id: str, *, idempotency_key: str | None = None) -> Session:
        """Begin the next attempt after a ``retry``; new samples are needed."""
        found: Session = await self._send(
            Call("POST", f"/v1/sessions/{session_id}/resume", idempotency_key=idempotency_key)
        )
        return found

    async def cancel_session(self, session_id: str, *, idempotency_key: str | None = None) -> Session:
        """End a session before its verdict."""
        found: Session = await self._send(
            Call("POST", f"/v1/sessions/{session_id}/cancel", idempotency_key=idempotency_key)
        )
        return found

    async def redact_session(self, session_id: str, *, idempotency_key: str | None = None) -> Session:
        """Erase the session's case now: samples, document fields, your reference. Decision and audit log stay."""
        found: Session = await self._send(
            Call("POST", f"/v1/sessions/{session_id}/redact", idempotency_key=idempotency_key)
        )
        return found

    async def get_verdict(self, session_id: str, *, attempt: int | None = None) -> Verdict:
        """The verdict of an attempt, with every finding."""
        found: Verdict = await self._send(Call("GET", f"/v1/sessions/{session_id}/verdict", query={"attempt": attempt}))
        return found

    async def session_events(self, session_id: str, *, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """What happened to the session, oldest first, as the audit log has it."""
        found: AuditPage = await self._send(
            Call("GET", f"/v1/sessions/{session_id}/events", query={"limit": limit, "cursor": cursor})
        )
        return found

    async def upload_media(
        self,
        session_id: str,
        content: bytes,
        *,
        role: str,
        content_type: str = "application/octet-stream",
        idempotency_key: str | None = None,
    ) -> Media:
        """Take in one picture: the body is the encoded file, kept as it is; what cannot be decoded is refused."""
        found: Media = await self._send(
            Call(
                "POST",
                f"/v1/sessions/{session_id}/media",
                query={"role": role},
                content=content,
                content_type=content_type,
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def list_media(self, session_id: str) -> MediaList:
        """The samples of a session, oldest first: what they are, never their content."""
        found: MediaList = await self._send(Call("GET", f"/v1/sessions/{session_id}/media"))
        return found

    async def begin_upload(
        self,
        session_id: str,
        *,
        role: str,
        parts: int,
        content_type: str = "application/octet-stream",
        idempotency_key: str | None = None,
    ) -> UploadView:
        """Begin an upload in parts, for lines that break."""
        found: UploadView = await self._send(
            Call(
                "POST",
                f"/v1/sessions/{session_id}/uploads",
                body={"role": role, "content_type": content_type, "parts": parts},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def put_part(
        self, upload: str, number: int, content: bytes, *, content_type: str = "application/octet-stream"
    ) -> PartView:
        """Send one part, from 1; in any order, and again when in doubt."""
        found: PartView = await self._send(
            Call("PUT", f"/v1/uploads/{upload}/parts/{number}", content=content, content_type=content_type)
        )
        return found

    async def complete_upload(self, upload: str, *, idempotency_key: str | None = None) -> Media:
        """Join the parts into a sample; what cannot be decoded is refused."""
        found: Media = await self._send(Call("POST", f"/v1/uploads/{upload}/complete", idempotency_key=idempotency_key))
        return found

    async def media_link(self, session_id: str, media_id: str, *, idempotency_key: str | None = None) -> Link:
        """A link to a sample in plain, for one person's eyes; asking for it stands in the audit log."""
        found: Link = await self._send(
            Call("POST", f"/v1/sessions/{session_id}/media/{media_id}/link", idempotency_key=idempotency_key)
        )
        return found

    async def show_media(self, link: str) -> bytes:
        """What a signed link shows, until it expires; no key is needed, nothing may keep it."""
        found: bytes = await self._send(Call("GET", f"/v1/media/{link}", raw=True))
        return found

    async def draw_challenge(self, session_id: str, *, idempotency_key: str | None = None) -> ChallengeView:
        """Draw a challenge for this attempt; one that was drawn before cannot be answered any more."""
        found: ChallengeView = await self._send(
            Call("POST", f"/v1/sessions/{session_id}/challenge", idempotency_key=idempotency_key)
        )
        return found

    async def answer_challenge(
        self,
        session_id: str,
        *,
        challenge: str,
        frames: list[dict[str, Any]],
        device: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> AnsweredChallenge:
        """Send the frames of a challenge: once, before it expires. They are judged with the session."""
        found: AnsweredChallenge = await self._send(
            Call(
                "POST",
                f"/v1/sessions/{session_id}/challenge/answer",
                body={"challenge": challenge, "device": device, "frames": frames},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def check_faces(
        self,
        *,
        one: str,
        two: str,
        fmr: float = 0.0001,
        population: str = "matched-adults",
        idempotency_key: str | None = None,
    ) -> Checked:
        """Whether the main faces of two pictures are one person's, at a false match rate."""
        found: Checked = await self._send(
            Call(
                "POST",
                "/v1/checks/face-compare",
                body={"one": one, "two": two, "fmr": fmr, "population": population},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def check_quality(self, *, picture: str, idempotency_key: str | None = None) -> Quality:
        """How good the main face of a picture is for recognition, part by part, with advice for the person."""
        found: Quality = await self._send(
            Call("POST", "/v1/checks/quality", body={"picture": picture}, idempotency_key=idempotency_key)
        )
        return found

    async def check_liveness(self, *, picture: str, idempotency_key: str | None = None) -> Checked:
        """Whether one picture shows a presentation attack; read in the model's record what it was measured on."""
        found: Checked = await self._send(
            Call("POST", "/v1/checks/liveness", body={"picture": picture}, idempotency_key=idempotency_key)
        )
        return found

    async def check_document(self, *, picture: str, idempotency_key: str | None = None) -> DocumentChecked:
        """What stands on a document, and whether it agrees with itself."""
        found: DocumentChecked = await self._send(
            Call("POST", "/v1/checks/document", body={"picture": picture}, idempotency_key=idempotency_key)
        )
        return found

    async def list_subjects(
        self, *, limit: int = 50, cursor: str | None = None, external_id: str | None = None
    ) -> SubjectPage:
        """The subjects of the tenant, newest first."""
        found: SubjectPage = await self._send(
            Call("GET", "/v1/subjects", query={"limit": limit, "cursor": cursor, "external_id": external_id})
        )
        return found

    async def get_subject(self, subject_id: str) -> Subject:
        """A subject."""
        found: Subject = await self._send(Call("GET", f"/v1/subjects/{subject_id}"))
        return found

    async def erase_subject(self, subject_id: str) -> Subject:
        """Erase a person: their key, samples, templates, cases, and their references in every gallery."""
        found: Subject = await self._send(Call("DELETE", f"/v1/subjects/{subject_id}"))
        return found

    async def export_subject(self, subject_id: str) -> bytes:
        """All that is held about a person, in plain, as a ZIP; it stands in the audit log."""
        found: bytes = await self._send(Call("GET", f"/v1/subjects/{subject_id}/export", raw=True))
        return found

    async def create_gallery(
        self, *, id: str, model: str | None = None, idempotency_key: str | None = None
    ) -> GalleryView:
        """Make an empty gallery, pinned to the embedding space of a model."""
        found: GalleryView = await self._send(
            Call("POST", "/v1/galleries", body={"id": id, "model": model}, idempotency_key=idempotency_key)
        )
        return found

    async def list_galleries(self) -> GalleryList:
        """The galleries of the tenant."""
        found: GalleryList = await self._send(Call("GET", "/v1/galleries"))
        return found

    async def delete_gallery(self, gallery_id: str) -> Removed:
        """Destroy a gallery, key and files; subjects stay."""
        found: Removed = await self._send(Call("DELETE", f"/v1/galleries/{gallery_id}"))
        return found

    async def enrol(
        self,
        gallery_id: str,
        *,
        session_id: str,
        external_id: str | None = None,
        fpir: float = 0.01,
        allow_duplicates: bool = False,
        idempotency_key: str | None = None,
    ) -> EnrolmentAnswer:
        """Enrol the person of an accepted session who consented to it, unless somebody enrolled looks the same."""
        found: EnrolmentAnswer = await self._send(
            Call(
                "POST",
                f"/v1/galleries/{gallery_id}/enrol",
                body={
                    "session_id": session_id,
                    "external_id": external_id,
                    "fpir": fpir,
                    "allow_duplicates": allow_duplicates,
                },
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def identify(
        self, gallery_id: str, *, picture: str, fpir: float = 0.01, idempotency_key: str | None = None
    ) -> Found:
        """Who of the gallery a picture shows, if anybody, at a false positive identification rate; nothing is kept."""
        found: Found = await self._send(
            Call(
                "POST",
                f"/v1/galleries/{gallery_id}/identify",
                body={"picture": picture, "fpir": fpir},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def remove_from_gallery(self, gallery_id: str, subject_id: str) -> Removed:
        """Take a person out of a gallery; they stay enrolled elsewhere."""
        found: Removed = await self._send(Call("DELETE", f"/v1/galleries/{gallery_id}/subjects/{subject_id}"))
        return found

    async def list_reviews(self, *, limit: int = 50, cursor: str | None = None) -> SessionPage:
        """Sessions that wait for a reviewer, the oldest first."""
        found: SessionPage = await self._send(Call("GET", "/v1/reviews", query={"limit": limit, "cursor": cursor}))
        return found

    async def get_review(self, session_id: str) -> Review:
        """A session and the opinions on it that you may see."""
        found: Review = await self._send(Call("GET", f"/v1/reviews/{session_id}"))
        return found

    async def decide_review(
        self,
        session_id: str,
        *,
        decision: Literal["accept", "reject", "retry"],
        code: str,
        note: str = "",
        idempotency_key: str | None = None,
    ) -> Session:
        """Decide a case; where the policy asks for a second person, the session moves when two agree."""
        found: Session = await self._send(
            Call(
                "POST",
                f"/v1/reviews/{session_id}",
                body={"decision": decision, "code": code, "note": note},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def add_label(
        self, session_id: str, *, name: str, value: str, media_id: str | None = None, idempotency_key: str | None = None
    ) -> LabelView:
        """Say what a case or one of its samples shows; labels feed the lab's data sets."""
        found: LabelView = await self._send(
            Call(
                "POST",
                f"/v1/reviews/{session_id}/labels",
                body={"name": name, "value": value, "media_id": media_id},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def list_policies(self) -> PolicyList:
        """The newest version of every policy of the tenant."""
        found: PolicyList = await self._send(Call("GET", "/v1/policies"))
        return found

    async def check_policy(self, *, text: str, idempotency_key: str | None = None) -> Check:
        """Every mistake of a policy at once; nothing is kept."""
        found: Check = await self._send(
            Call("POST", "/v1/policies/check", body={"text": text}, idempotency_key=idempotency_key)
        )
        return found

    async def get_policy(self, policy_id: str, *, version: int | None = None) -> PolicyView:
        """A version of a policy."""
        found: PolicyView = await self._send(Call("GET", f"/v1/policies/{policy_id}", query={"version": version}))
        return found

    async def put_policy(
        self,
        policy_id: str,
        *,
        text: str,
        media_days: float = 30,
        case_days: float = 365,
        second_person: bool = False,
        reason: str = "",
        idempotency_key: str | None = None,
    ) -> PolicyView:
        """Add a policy, or promote its next version: 409 unless the guard rails are kept or a `reason` is given."""
        found: PolicyView = await self._send(
            Call(
                "POST",
                f"/v1/policies/{policy_id}",
                body={
                    "text": text,
                    "media_days": media_days,
                    "case_days": case_days,
                    "second_person": second_person,
                    "reason": reason,
                },
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def try_candidate(
        self, policy_id: str, *, text: str, last: int = 1000, idempotency_key: str | None = None
    ) -> PolicyTrial:
        """Decide the newest verdicts of a policy again under a candidate, and say what the guard rails would do."""
        found: PolicyTrial = await self._send(
            Call(
                "POST",
                f"/v1/policies/{policy_id}/try",
                body={"text": text, "last": last},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def rollback(
        self, policy_id: str, *, to: int | None = None, idempotency_key: str | None = None
    ) -> PolicyView:
        """Make an older text live again, as a new version: by default the newest one that differs. Asks nothing."""
        found: PolicyView = await self._send(
            Call("POST", f"/v1/policies/{policy_id}/rollback", body={"to": to}, idempotency_key=idempotency_key)
        )
        return found

    async def create_endpoint(
        self, *, url: str, kinds: list[str] | None = None, idempotency_key: str | None = None
    ) -> EndpointSecret:
        """Register an endpoint; the answer holds its secret."""
        found: EndpointSecret = await self._send(
            Call("POST", "/v1/webhook-endpoints", body={"url": url, "kinds": kinds}, idempotency_key=idempotency_key)
        )
        return found

    async def list_endpoints(self, *, limit: int = 50, cursor: str | None = None) -> EndpointPage:
        """The endpoints of the tenant, oldest first."""
        found: EndpointPage = await self._send(
            Call("GET", "/v1/webhook-endpoints", query={"limit": limit, "cursor": cursor})
        )
        return found

    async def get_endpoint(self, endpoint_id: str) -> Endpoint:
        """One endpoint."""
        found: Endpoint = await self._send(Call("GET", f"/v1/webhook-endpoints/{endpoint_id}"))
        return found

    async def disable_endpoint(self, endpoint_id: str) -> Endpoint:
        """Stop telling an endpoint: what waits for it is given up. Its deliveries stay in the log."""
        found: Endpoint = await self._send(Call("DELETE", f"/v1/webhook-endpoints/{endpoint_id}"))
        return found

    async def rotate_endpoint_secret(self, endpoint_id: str, *, idempotency_key: str | None = None) -> Rotated:
        """A new secret; both sign for a day, so that nothing is lost while the receiver changes over."""
        found: Rotated = await self._send(
            Call("POST", f"/v1/webhook-endpoints/{endpoint_id}/rotate-secret", idempotency_key=idempotency_key)
        )
        return found

    async def test_endpoint(self, endpoint_id: str, *, idempotency_key: str | None = None) -> Tried:
        """Send one signed message of the kind ``endpoint.test`` now, once, and say what became of it."""
        found: Tried = await self._send(
            Call("POST", f"/v1/webhook-endpoints/{endpoint_id}/test", idempotency_key=idempotency_key)
        )
        return found

    async def list_deliveries(self, endpoint_id: str, *, limit: int = 50, cursor: str | None = None) -> DeliveryPage:
        """The deliveries of an endpoint, newest first."""
        found: DeliveryPage = await self._send(
            Call("GET", f"/v1/webhook-endpoints/{endpoint_id}/deliveries", query={"limit": limit, "cursor": cursor})
        )
        return found

    async def resend_delivery(
        self, endpoint_id: str, delivery_id: str, *, idempotency_key: str | None = None
    ) -> DeliveryView:
        """Try a delivery again, whatever became of it: the same id and bytes. 409 when its endpoint is disabled."""
        found: DeliveryView = await self._send(
            Call(
                "POST",
                f"/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/resend",
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def list_keys(self, *, limit: int = 50, cursor: str | None = None) -> KeyPage:
        """The keys of the tenant, oldest first."""
        found: KeyPage = await self._send(Call("GET", "/v1/api-keys", query={"limit": limit, "cursor": cursor}))
        return found

    async def create_key(
        self,
        *,
        name: str,
        role: Literal["admin", "integrator", "reviewer", "auditor"],
        scopes: list[str] | None = None,
        expires: str | None = None,
        idempotency_key: str | None = None,
    ) -> KeySecret:
        """Make a key; the answer holds its secret."""
        found: KeySecret = await self._send(
            Call(
                "POST",
                "/v1/api-keys",
                body={"name": name, "role": role, "scopes": scopes, "expires": expires},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def revoke_key(self, key_id: str) -> KeyView:
        """End a key at once; a second time changes nothing."""
        found: KeyView = await self._send(Call("DELETE", f"/v1/api-keys/{key_id}"))
        return found

    async def list_models(self) -> ModelList:
        """The models, the licence of their weights, and whether these are here and verified."""
        found: ModelList = await self._send(Call("GET", "/v1/models"))
        return found

    async def list_live_models(self) -> LiveList:
        """Which model makes templates of faces for the tenant, and every change of it."""
        found: LiveList = await self._send(Call("GET", "/v1/models/live"))
        return found

    async def promote(self, *, model_id: str, reason: str = "", idempotency_key: str | None = None) -> ModelChange:
        """Make an embedder of faces live: 409 unless a comparison keeps the guard rails or a `reason` is given."""
        found: ModelChange = await self._send(
            Call(
                "POST",
                "/v1/models/promote",
                body={"model_id": model_id, "reason": reason},
                idempotency_key=idempotency_key,
            )
        )
        return found

    async def rollback_live_model(self, *, idempotency_key: str | None = None) -> ModelChange:
        """Make the embedder live again that was live before. Asks nothing; a second time undoes the first."""
        found: ModelChange = await self._send(Call("POST", "/v1/models/rollback", idempotency_key=idempotency_key))
        return found

    async def list_audit_events(
        self, *, limit: int = 50, cursor: str | None = None, kind: str | None = None, object: str | None = None
    ) -> AuditPage:
        """The audit log of the tenant, oldest first, with the digest that chains each entry."""
        found: AuditPage = await self._send(
            Call("GET", "/v1/audit-events", query={"limit": limit, "cursor": cursor, "kind": kind, "object": object})
        )
        return found

    async def get_settings(self) -> SettingsView:
        """The settings of the tenant: what is set, what counts, what the operator alone may set."""
        found: SettingsView = await self._send(Call("GET", "/v1/settings"))
        return found

    async def change_settings(self, *, settings: dict[str, Any], version: int | None = None) -> SettingsView:
        """Change settings of the tenant; it stands in the audit log. Rates hold within seconds, the rest at once."""
        found: SettingsView = await self._send(
            Call("PATCH", "/v1/settings", body={"settings": settings, "version": version})
        )
        return found

    async def healthz(self) -> Alive:
        """The process answers; nothing else is looked at."""
        found: Alive = await self._send(Call("GET", "/v1/healthz"))
        return found

    async def readyz(self) -> Ready:
        """Whether verdicts can be reached now: store, sealed files, models, workers, queue. 503 when not."""
        found: Ready = await self._send(Call("GET", "/v1/readyz"))
        return found

    async def metrics(self) -> bytes:
        """Figures in Prometheus' text format: counts and times, nothing about a person."""
        found: bytes = await self._send(Call("GET", "/v1/metrics", raw=True))
        return found
