"""Settings: defaults < file < environment < argument.

The file is ``samebody.toml`` in the working folder, or what ``SAMEBODY_CONFIG`` names; environment variables
start with ``SAMEBODY_`` and nest with ``__`` (``SAMEBODY_LIMITS__MAX_PIXELS``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from samebody.errors import ConfigError


def _user_folder(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "samebody"


class Limits(BaseModel):
    """What is refused before a decoder allocates anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(default=64 * 2**20, gt=0, description="encoded size of one picture, bytes")
    max_pixels: int = Field(default=100_000_000, gt=0, description="width times height of one picture")
    min_side: int = Field(default=16, gt=0, description="shorter side of one picture, pixels")
    max_video_bytes: int = Field(default=512 * 2**20, gt=0, description="encoded size of one video, bytes")
    max_video_pixels: int = Field(default=4096 * 2304, gt=0, description="width times height of one frame")
    max_frames: int = Field(default=3_600, gt=0, description="frames read from one video")
    max_seconds: float = Field(default=120.0, gt=0, description="length of one video, seconds")


class Settings(BaseSettings):
    """Everything an operator may set. Unknown names are refused, so that a typing error does not pass silently."""

    model_config = SettingsConfigDict(
        env_prefix="SAMEBODY_", env_nested_delimiter="__", extra="forbid", frozen=True, toml_file=None
    )

    models_dir: Path = Field(
        default_factory=lambda: _user_folder("XDG_CACHE_HOME", ".cache") / "models",
        description="folder with verified weights",
    )
    records_dirs: tuple[Path, ...] = Field(
        default_factory=lambda: (_user_folder("XDG_CONFIG_HOME", ".config") / "records",),
        description="folders with your own model records, searched after the bundled ones",
    )
    policies_dirs: tuple[Path, ...] = Field(
        default_factory=lambda: (_user_folder("XDG_CONFIG_HOME", ".config") / "policies",),
        description="folders with your own policies",
    )
    mirror_dir: Path | None = Field(default=None, description="folder filled by `samebody models pull --mirror`")
    trusted_keys: tuple[str, ...] = Field(
        default=(), description="public keys whose model bundles are accepted: 64 hex digits each, or a .pub file"
    )
    require_signed_models: bool = Field(
        default=False, description="open no model of your own that was not signed by a trusted key"
    )
    embedder: str = Field(
        default="face/sface", description="record id of the face embedder that `verify` compares people with"
    )
    offline: bool = Field(default=False, description="never open a network connection")
    network_timeout: float = Field(default=10.0, gt=0, le=600, description="seconds to connect, and between two bytes")
    threads: int = Field(default=0, ge=0, description="threads per model session; 0 = the cores this process may use")
    limits: Limits = Field(default_factory=Limits)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then environment, then the file."""
        path = Path(os.environ.get("SAMEBODY_CONFIG") or "samebody.toml")
        if not path.is_file():
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)

    @property
    def session_threads(self) -> int:
        """Threads a model session uses, resolved against the cores this process may run on."""
        return self.threads or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0] * 2)


def load_settings(**arguments: Any) -> Settings:
    """Settings with ``arguments`` on top of environment and file; ``None`` values are ignored.

    Raises:
        ConfigError: with every mistake named at once.
    """
    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"The settings are not usable: {mistakes}.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"The settings file cannot be read: {error}.") from None
