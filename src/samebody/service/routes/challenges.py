"""Active liveness of a session: ask for a challenge, send the frames that were taken while it ran."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Base64Bytes, Field

from samebody.attacks.active import MOST_FRAMES
from samebody.service import schemas, views
from samebody.service.access import Caller, anyone
from samebody.service.challenges import FRAMES_A_SECOND, LONGER_SIDE, Challenges
from samebody.service.once import OnceOnly
from samebody.service.state import service_of

router = APIRouter(prefix="/sessions", tags=["liveness"])
SessionId = Annotated[str, Path(max_length=64)]


class Prompt(schemas.Answer):
    """One prompt."""

    action: str = Field(description="turn_left, turn_right, nod, blink, smile or closer; sides are the person's own")
    at_ms: int = Field(description="shown so long after the start")
    for_ms: int = Field(description="and for so long")


class FlashView(schemas.Answer):
    """One colour on the whole screen."""

    colour: str = Field(description="red, green, blue, yellow, magenta or cyan, fully saturated")
    at_ms: int
    for_ms: int


class ChallengeView(schemas.Answer):
    """What the person is asked; the start is when the page begins to show it."""

    challenge: str = Field(description="names it when it is answered")
    steps: list[Prompt]
    flashes: list[FlashView]
    seconds: int = Field(description="until it must be answered")
    frames_a_second: int = Field(description="to take, evenly")
    most_frames: int = Field(description="that an answer may hold")
    longer_side: int = Field(description="pixels of a frame to send; at most 1920")


class TakenFrame(schemas.Request):
    """One frame."""

    at_ms: float = Field(ge=0, le=120_000, allow_inf_nan=False, description="taken so long after the start")
    picture: Annotated[Base64Bytes, Field(max_length=2 * 2**20, description="an encoded picture, in base64")]


class DeviceView(schemas.Request):
    """What the browser says about the camera; all of it can be forged, and is evidence only where it accuses."""

    camera: str = Field(default="", max_length=200, description="MediaStreamTrack.label")
    width: int = Field(default=0, ge=0, le=20_000, description="of the track's settings")
    height: int = Field(default=0, ge=0, le=20_000)
    colours: bool = Field(
        default=True, description="false when the person wanted no colours shown: a person looks then"
    )


class NewAnswer(schemas.Request):
    """The frames of a challenge."""

    challenge: str = Field(max_length=8000)
    device: DeviceView = Field(default_factory=DeviceView)
    frames: list[TakenFrame] = Field(min_length=1, max_length=MOST_FRAMES, description="in order, six a second or more")


class Doubt(schemas.Answer):
    """Why the frames cannot show enough."""

    code: str = Field(description="stable, as in findings")
    message: str
    advice: str


class AnsweredChallenge(schemas.Media):
    """A recording as it was taken in, and whether doing another challenge helps."""

    doubts: list[Doubt] = Field(description="told by the times of the frames alone; empty says nothing of the verdict")
    draws_left: int = Field(description="challenges that may still be drawn for this attempt; the newest answer counts")


@router.post("/{session_id}/challenge", status_code=201, response_model=ChallengeView)
def draw_challenge(
    request: Request, session_id: SessionId, once: OnceOnly, who: Annotated[Caller, anyone()]
) -> Response:
    """Draw a challenge for this attempt; one that was drawn before cannot be answered any more."""
    who.require_session(session_id, "sessions:write")
    challenges = Challenges(service_of(request).store)

    def work(tx: Any) -> dict[str, Any]:
        drawn = challenges.draw(tx, who.tenant, session_id, actor=who.actor)
        shown = drawn.challenge.to_dict()
        return {
            "challenge": drawn.text,
            "steps": shown["steps"],
            "flashes": shown["flashes"],
            "seconds": drawn.seconds,
            "frames_a_second": FRAMES_A_SECOND,
            "most_frames": MOST_FRAMES,
            "longer_side": LONGER_SIDE,
        }

    return once.inside(who, 201, work)


@router.post("/{session_id}/challenge/answer", status_code=201, response_model=AnsweredChallenge)
def answer_challenge(
    request: Request, session_id: SessionId, given: NewAnswer, once: OnceOnly, who: Annotated[Caller, anyone()]
) -> Response:
    """Send the frames of a challenge: once, before it expires. They are judged with the session."""
    who.require_session(session_id, "sessions:write")
    service = service_of(request)
    agent = request.headers.get("user-agent", "")[:400]

    def work() -> dict[str, Any]:
        with service.decode_slot():
            kept = Challenges(service.store).answer(
                who.tenant,
                session_id,
                given.challenge,
                [each.at_ms for each in given.frames],
                [each.picture for each in given.frames],
                {**given.device.model_dump(), "user_agent": agent},
                actor=who.actor,
                limits=service.runtime.limits,
            )
        doubts = [{"code": each.code, "message": each.message, "advice": each.advice} for each in kept.doubts]
        return {**views.media(kept.media), "doubts": doubts, "draws_left": kept.draws_left}

    return once.outside(who, 201, work)
