"""What an operator may set about the service: ``SAMEBODY_SERVICE_...`` or the options of ``samebody serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from samebody.errors import ConfigError
from samebody.jobs.outbox import BACKOFF


class ServiceSettings(BaseSettings):
    """Limits and addresses of the service. Unknown names are refused."""

    model_config = SettingsConfigDict(env_prefix="SAMEBODY_SERVICE_", extra="forbid", frozen=True)

    public_url: str = Field(default="http://127.0.0.1:8200", description="how people reach the capture page")
    galleries: Path | None = Field(default=None, description="folder of galleries; by default in the store's")
    max_body: int = Field(default=64 * 2**20, ge=1024, description="bytes of one request")
    body_seconds: float = Field(default=60, gt=0, description="from the first to the last byte of a request's body")
    head_seconds: float = Field(default=10, gt=0, description="until the headers of a request are complete")
    request_seconds: float = Field(default=180, gt=0, description="from a request to the last byte of its answer")
    max_connections: int = Field(default=512, ge=8, description="open connections; those without a request give way")
    max_bodies: int = Field(default=128, ge=1, description="bodies that are coming in; the slowest gives way")
    max_held: int = Field(default=512 * 2**20, ge=2**20, description="bytes of all bodies in memory; more get 503")
    max_requests: int = Field(default=64, ge=1, description="requests worked on at the same time; more get 503")
    threads: int = Field(default=16, ge=2, description="that work on requests; more would only take turns")
    decode_slots: int = Field(default=2, ge=1, description="uploaded pictures decoded at the same time")
    max_waiting: int = Field(default=1000, ge=1, description="submitted sessions that wait; more get 503")
    check_slots: int = Field(default=1, ge=1, description="stateless checks computed at the same time")
    rate: float = Field(default=600, gt=0, description="requests a key may send in a minute")
    token_minutes: int = Field(default=60, ge=1, le=1440, description="life of a client token")
    link_seconds: int = Field(default=120, ge=1, le=3600, description="life of a signed media link")
    private_webhooks: bool = Field(default=False, description="allow endpoints on private and loopback addresses")
    webhook_seconds: float = Field(default=15, gt=0, le=60, description="wait for an endpoint's answer")
    webhook_ca_file: Path | None = Field(default=None, description="certificates to trust instead of the public ones")
    webhook_senders: int = Field(default=4, ge=1, le=64, description="webhooks sent at the same time")
    webhook_waits: tuple[float, ...] = Field(
        default=tuple(each.total_seconds() for each in BACKOFF),
        min_length=1,
        description="seconds before each further try of a webhook, as JSON; after the last it is given up",
    )
    lease_seconds: float = Field(
        default=60, ge=3, description="silence after which a worker's session is given to another"
    )
    change_limits: Path | None = Field(default=None, description="YAML file: how much a promotion may change")
    prices: Path | None = Field(default=None, description="YAML file of prices, for the cost on the console's figures")
    traces: bool = Field(default=False, description="keep OpenTelemetry traces; OTEL_... says where they go")
    oidc: Path | None = Field(default=None, description="TOML file of identity providers for logins at the console")
    drain_seconds: float = Field(
        default=0, ge=0, le=300, description="answers go on this long after SIGTERM, while readiness says no"
    )
    sweep_seconds: float = Field(default=60, gt=0, description="between two sweeps of retention")


def load_service_settings(**arguments: Any) -> ServiceSettings:
    """Settings with ``arguments`` on top of the environment; None is ignored.

    Raises:
        ConfigError: with every mistake named at once.
    """
    try:
        return ServiceSettings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"the settings of the service are not usable: {mistakes}.") from None
