"""``/v1/settings``: what a tenant may set for itself, and what the operator has set."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from samebody.service import schemas, views
from samebody.service.access import Caller, needs
from samebody.service.state import service_of

router = APIRouter(prefix="/settings", tags=["settings"])
Minutes = Annotated[int, Field(ge=1, le=43_200)]
Days = Annotated[float, Field(ge=0, le=3650)]


class OwnSettings(schemas.Request):
    """What a tenant may set; null is not set: then the operator's (or the policy's) counts."""

    submissions: Annotated[int, Field(ge=1, le=10)] | None = Field(
        default=None, description="how often a person may submit one session; a retry at the last one goes to review"
    )
    session_minutes: Minutes | None = Field(default=None, description="until a session that nobody submits expires")
    retry_minutes: Minutes | None = Field(default=None, description="the same, from a retry on")
    token_minutes: Annotated[int, Field(ge=1, le=1440)] | None = Field(
        default=None, description="life of a client token, at most the operator's"
    )
    link_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        default=None, description="life of a link to a sample, at most the operator's"
    )
    rate: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="requests a key may send in a minute, at most the operator's"
    )
    longest_media_days: Days | None = Field(
        default=None, description="samples of cases made from now on are deleted after this, or earlier by their policy"
    )
    longest_case_days: Days | None = Field(default=None, description="the same for the whole case")


class EffectiveSettings(schemas.Answer):
    """What counts now."""

    submissions: int
    session_minutes: float
    retry_minutes: float
    token_minutes: int
    link_seconds: int
    rate: float
    longest_media_days: float | None
    longest_case_days: float | None


class OperatorSettings(schemas.Answer):
    """What only the operator of the service may set."""

    private_webhooks: bool = Field(description="whether endpoints may be on private addresses")
    rate: float
    token_minutes: int
    link_seconds: int
    max_body: int
    max_waiting: int


class SettingsView(schemas.Answer):
    """The settings of a tenant."""

    version: int = Field(description="grows with every change; 0 when nothing was ever set")
    author: str | None
    changed: datetime | None
    settings: OwnSettings
    effective: EffectiveSettings
    operator: OperatorSettings


class SettingsChange(schemas.Request):
    """Settings to change."""

    settings: OwnSettings = Field(description="only what is named changes; null unsets it")
    version: int | None = Field(default=None, ge=0, description="refused with 409 when they changed since this one")


@router.get("", response_model=SettingsView)
def get_settings(request: Request, who: Annotated[Caller, needs("settings:read")]) -> dict[str, Any]:
    """The settings of the tenant: what is set, what counts, what the operator alone may set."""
    service = service_of(request)
    with service.store.read() as tx:
        return _view(service.tenancy.described(tx, who.tenant))


@router.patch("", response_model=SettingsView)
def change_settings(
    request: Request, wanted: SettingsChange, who: Annotated[Caller, needs("settings:write")]
) -> dict[str, Any]:
    """Change settings of the tenant; it stands in the audit log. Rates hold within seconds, the rest at once."""
    service = service_of(request)
    changes = wanted.settings.model_dump(include=wanted.settings.model_fields_set)
    with service.store.write() as tx:
        found = service.tenancy.change(tx, who.tenant, changes, actor=who.actor, expected=wanted.version)
    return _view(found)


def _view(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "changed": views.at(found["changed"])}
