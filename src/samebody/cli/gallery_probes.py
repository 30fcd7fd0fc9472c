"""Files to probes: pictures, iris templates and sets of templates, for the gallery commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samebody.errors import InputError, UsageError

if TYPE_CHECKING:
    from samebody.search.types import Layout, Probes


class TemplateFileError(InputError):
    """A file of templates cannot be read, or lacks what it must hold."""

    code = "gallery.template_file"


@dataclass(frozen=True, slots=True)
class Asked:
    """One search: its name, its probes by modality, or why there are none."""

    name: str
    probes: dict[str, Probes] = field(default_factory=dict)
    reasons: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TemplateFile:
    """Templates of a .npz: payload, subjects (or None), space.

    The file holds ``vectors`` (n, dimension) float32, or ``codes`` and ``masks`` (n, columns) uint64; ``space``, the
    digest of their embedding space; and for enrolment ``subjects`` (n,) text.
    """

    modality: str
    payload: Any
    subjects: list[str] | None
    space: str
    digest: str

    def __len__(self) -> int:
        return len(self.payload[0] if isinstance(self.payload, tuple) else self.payload)


def read_templates(path: Path, space: str | None = None) -> TemplateFile:
    """Read a .npz or .parquet of templates; nothing in it is executed.

    Args:
        path: the file. A Parquet table has the columns ``subject`` and ``vector``.
        space: of the templates, where the file does not say.

    Raises:
        TemplateFileError.
    """
    from samebody.crypto import sha256_file

    digest = sha256_file(path)
    if path.suffix == ".parquet":
        return _parquet(path, space, digest)
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except Exception as error:  # numpy raises many kinds on a file that is none of its own
        raise TemplateFileError(f"{path} is no .npz of templates ({type(error).__name__}).") from None
    found = str(arrays["space"]) if "space" in arrays else space
    if not found:
        raise TemplateFileError(f"{path} does not name its embedding space.", hint="Give it with --space.")
    subjects = [str(name) for name in arrays["subjects"].tolist()] if "subjects" in arrays else None
    if "vectors" in arrays:
        vectors = arrays["vectors"]
        if vectors.ndim != 2 or vectors.dtype.kind != "f":
            raise TemplateFileError(f"{path}: vectors must be (n, dimension) float, not {_shape(vectors)}.")
        return TemplateFile("vector", vectors.astype(np.float32), subjects, found, digest)
    if "codes" in arrays and "masks" in arrays:
        for array in (arrays["codes"], arrays["masks"]):
            if array.ndim != 2 or array.dtype != np.uint64 or array.shape != arrays["codes"].shape:
                raise TemplateFileError(f"{path}: codes and masks must be (n, columns) uint64, not {_shape(array)}.")
        return TemplateFile("iris", (arrays["codes"], arrays["masks"]), subjects, found, digest)
    raise TemplateFileError(f"{path} holds neither vectors nor codes and masks.", hint="Name its arrays so.")


def _shape(array: Any) -> str:
    return f"{array.shape} {array.dtype}"


def _parquet(path: Path, space: str | None, digest: str) -> TemplateFile:
    try:
        from pyarrow import parquet
    except ImportError:
        raise TemplateFileError(
            "reading Parquet needs the package pyarrow.", hint="Install the extra: pip install 'samebody[lab]'."
        ) from None
    if not space:
        raise TemplateFileError(f"{path} does not name its embedding space.", hint="Give it with --space.")
    try:
        table = parquet.read_table(path, columns=["subject", "vector"])
        vectors = np.array(table["vector"].to_pylist(), dtype=np.float32)
        subjects = [str(name) for name in table["subject"].to_pylist()]
        if vectors.ndim != 2:
            raise ValueError("lengths differ")
    except Exception as error:  # pyarrow's own errors, and lists of different lengths
        raise TemplateFileError(f"{path} has no columns subject and vector ({type(error).__name__}).") from None
    return TemplateFile("vector", vectors, subjects, space, digest)


def joined(probes: Sequence[Probes]) -> Probes:
    """Probes of several searches as one batch."""
    from samebody.search.types import Probes

    if probes[0].vectors is not None:
        return Probes(probes[0].space, vectors=np.concatenate([p.vectors for p in probes if p.vectors is not None]))
    return Probes(
        probes[0].space,
        codes=np.concatenate([p.codes for p in probes if p.codes is not None]),
        masks=np.concatenate([p.masks for p in probes if p.masks is not None]),
    )


def read_probes(gallery: Any, files: Sequence[Path], options: dict[str, Any]) -> list[Asked]:
    """What to search for.

    Raises:
        UsageError: nothing, or more than can go together.
        TemplateFileError and what decoding raises for files that are no pictures.
    """
    layouts: dict[str, Layout] = {layout.modality: layout for layout in gallery.layouts}
    iris, people = options["iris"], options["synthetic_person"]
    if not files and iris is None and not people:
        raise UsageError("whom to search for?", hint="Name a picture, a template, or --synthetic-person.")
    if iris is not None and len(files) > 1:
        raise UsageError("--iris goes with one picture of a face.")
    asked: list[Asked] = []
    for path in files:
        asked += _file(path, layouts, "vector" if "vector" in layouts else "iris", options)
    if iris is not None:
        (eye,) = _file(iris, layouts, "iris", options)
        asked = [
            Asked(entry.name, {**entry.probes, **eye.probes}, (*entry.reasons, *eye.reasons)) for entry in asked
        ] or [eye]
    for number in people:
        asked.append(_synthetic(number, layouts, options["seed"]))
    return asked


def _synthetic(number: int, layouts: dict[str, Layout], seed: int) -> Asked:
    from samebody.cli.gallery_create import synthetic_probes

    return Asked(
        f"synthetic person {number}",
        {name: synthetic_probes(layout, seed, [number]) for name, layout in layouts.items()},
    )


def _file(path: Path, layouts: dict[str, Layout], kind: str, options: dict[str, Any]) -> list[Asked]:
    from samebody.search.types import Probes

    if path.suffix == ".npz":
        held = read_templates(path, layouts[kind].space if kind in layouts else None)
        rows = range(len(held))
        if held.modality == "vector":
            return [
                Asked(f"{path}:{row}", {"vector": Probes.of_vectors(held.payload[row], held.space)}) for row in rows
            ]
        codes, masks = held.payload
        return [Asked(f"{path}:{row}", {"iris": Probes.of_codes(codes[row], masks[row], held.space)}) for row in rows]
    if path.suffix == ".irt":
        from samebody.iris.template import IrisTemplate

        template = IrisTemplate.from_bytes(path.read_bytes())
        return [Asked(str(path), {"iris": Probes.of_codes(template.code, template.mask, template.space)})]
    return [_picture(path, kind, options)]


def _picture(path: Path, kind: str, options: dict[str, Any]) -> Asked:
    from samebody.search.bulk import Item
    from samebody.search.types import Probes

    embedder = embedders((kind,), options)[kind]
    (made,) = embedder.embed([Item("", path, kind, options.get("eye", "unknown"))])
    if made.reasons:
        return Asked(str(path), reasons=tuple((reason.code, reason.message) for reason in made.reasons))
    if made.vector is not None:
        return Asked(str(path), {"vector": Probes.of_vectors(made.vector, embedder.space)})
    codes, masks = made.iris
    return Asked(str(path), {"iris": Probes.of_codes(codes, masks, embedder.space)})


_MADE: dict[tuple[str, str], Any] = {}


def embedders(kinds: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """What makes templates, by modality; models are opened once."""
    from samebody.search.bulk import FaceEmbedder, IrisEmbedder

    found = {}
    for kind in kinds:
        name = options["face_model"] if kind == "vector" else options["pipeline"]
        if (kind, name) not in _MADE:
            _MADE[kind, name] = FaceEmbedder(name) if kind == "vector" else IrisEmbedder(name)
        found[kind] = _MADE[kind, name]
    return found
