"""What callers hand in and get back: enrolments, stored records, figures about a gallery; and the checks on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from samebody.search.errors import SearchSpaceMismatchError
from samebody.search.gallery.columns import Heap, Names, Payload, Rows, subject_digests
from samebody.search.gallery.errors import InvalidEnrolmentError, UnknownModalityError
from samebody.search.types import UNIT, Kind, Layout

MAX_SUBJECT_BYTES = 256
MAX_ATTRIBUTE_BYTES = 4096
MAX_BATCH_BYTES = 1 << 29
"""Payload of one batch; a batch is one frame of the log."""
MAX_BATCH_RECORDS = 1 << 20

Attributes = Mapping[str, Any]


@runtime_checkable
class _Vector(Protocol):
    vector: NDArray[np.float32]
    space: Any


@runtime_checkable
class _Iris(Protocol):
    code: NDArray[np.uint64]
    mask: NDArray[np.uint64]
    eye: str
    space: str


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """One reference of one subject, to be enrolled.

    Attributes:
        subject: 1 to 256 bytes of UTF-8; the same subject may have several references and both modalities.
        template: :class:`samebody.types.Template`, :class:`samebody.iris.template.IrisTemplate`, a float32 vector of
            unit length (dimension,), or a pair (code, mask) of uint64 (columns,).
        attributes: small facts as JSON, 4,096 bytes at most; the eye of an iris template is added to them.
        space: digest of the embedding space, needed when ``template`` is bare numbers.
    """

    subject: str
    template: Any = field(repr=False)
    attributes: Attributes = field(default_factory=dict)
    space: str | None = None

    @property
    def modality(self) -> Kind:
        """``iris`` or ``vector``."""
        return "iris" if isinstance(self.template, (tuple, list, _Iris)) else "vector"


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A live record of a gallery, without its payload."""

    record_id: int
    subject: str
    modality: Kind
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModalityStats:
    """One modality of a gallery.

    Attributes:
        records: live ones.
        dead: deleted ones whose bytes compaction has not removed yet.
        logged: records, live or dead, that are in the log only.
        segments, segment_bytes: files.
    """

    modality: Kind
    space: str
    size: int
    records: int
    dead: int
    logged: int
    segments: int
    segment_bytes: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Facts about a gallery; no subject among them.

    Attributes:
        protection: ``plain`` (records lie open, memory-mapped) or ``sealed`` (AES-256-GCM per block).
        dropped_bytes: torn tail found when the log was opened: a write that was never acknowledged.
        snapshots, snapshots_expired: made of this gallery; those of them that may still hold deleted records.
        is_snapshot: the folder is itself a snapshot.
    """

    path: str
    gallery: str
    tenant: str
    created: str
    format: int
    protection: str
    mode: str
    generation: int
    modalities: tuple[ModalityStats, ...]
    log_bytes: int
    disk_bytes: int
    requests: int
    dropped_bytes: int
    snapshots: int
    snapshots_expired: int
    is_snapshot: bool


def rows_of(
    layout: Layout,
    subjects: Sequence[str],
    payload: Payload,
    attributes: Sequence[Attributes | None] | None,
    ids: NDArray[np.uint64],
) -> Rows:
    """Checked records, copied, so that what the caller does to its arrays afterwards changes nothing.

    Raises:
        InvalidEnrolmentError: naming the first record that cannot be enrolled.
    """
    count = len(subjects)
    if len(payload[0]) != count or (attributes is not None and len(attributes) != count):
        raise InvalidEnrolmentError(f"{count} subjects, but another number of templates or attributes.")
    encoded = encode_subjects(subjects)
    names = Names(subject_digests(encoded), Heap.of(encoded), Heap.of(_encode_attributes(attributes, count)))
    return Rows(ids, names, check_payload(layout, payload))


def check_payload(layout: Layout, payload: Payload) -> Payload:
    """A private copy of the payload when it is what the layout says.

    Raises:
        InvalidEnrolmentError.
    """
    if layout.modality == "vector":
        (vectors,) = payload
        if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[1] != layout.size:
            raise InvalidEnrolmentError(f"vectors must be (n, {layout.size}) float32, not {_found(vectors)}.")
        squared = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
        good = np.abs(np.sqrt(squared) - 1.0) < UNIT  # false for NaN and infinity too
        if not good.all():
            raise InvalidEnrolmentError(
                f"template {int(np.argmin(good))} of the batch is not a vector of finite numbers with length 1.",
                hint="Embed the sample again.",
            )
        return (np.array(vectors, dtype=np.float32, order="C"),)
    codes, masks = payload
    for array in (codes, masks):
        if array.dtype != np.uint64 or array.ndim != 2 or array.shape != (len(codes), layout.size):
            raise InvalidEnrolmentError(f"codes and masks must be (n, {layout.size}) uint64, not {_found(array)}.")
    usable = masks.any(axis=1)
    if not usable.all():
        raise InvalidEnrolmentError(
            f"template {int(np.argmin(usable))} of the batch has no usable bit.", hint="Take the picture again."
        )
    return (np.array(codes, dtype=np.uint64, order="C"), np.array(masks, dtype=np.uint64, order="C"))


def encode_subject(subject: str) -> bytes:
    """The subject as UTF-8.

    Raises:
        InvalidEnrolmentError: not a text of 1 to 256 bytes.
    """
    return encode_subjects([subject])[0]


def encode_subjects(subjects: Sequence[str]) -> list[bytes]:
    """As :func:`encode_subject`, for many."""
    try:
        names = [subject.encode() for subject in subjects]
    except (AttributeError, UnicodeEncodeError):
        raise InvalidEnrolmentError("a subject must be a text that can be written as UTF-8.") from None
    for row, name in enumerate(names):
        if not 0 < len(name) <= MAX_SUBJECT_BYTES:
            raise InvalidEnrolmentError(
                f"subject {row} of the batch has {len(name)} bytes; 1 to {MAX_SUBJECT_BYTES} are possible."
            )
    return names


def require_space(layout: Layout, space: str | None) -> None:
    """Refuse templates of another embedding space than the gallery is pinned to.

    Raises:
        SearchSpaceMismatchError, InvalidEnrolmentError (the space is not told).
    """
    if space is None:
        raise InvalidEnrolmentError("bare numbers say nothing about their embedding space.", hint="Give `space`.")
    if space != layout.space:
        raise SearchSpaceMismatchError(
            f"a template of the space {space} cannot be enrolled in a gallery of the space {layout.space}.",
            hint="Make the template with the model that the gallery is pinned to.",
        )


def split(
    batch: Sequence[Enrolment], layouts: Sequence[Layout]
) -> list[tuple[int, list[int], Payload, list[Attributes]]]:
    """A batch by modality: number of the layout, rows of the batch, payload, attributes.

    Raises:
        UnknownModalityError, InvalidEnrolmentError, SearchSpaceMismatchError.
    """
    groups: dict[int, list[int]] = {}
    for row, enrolment in enumerate(batch):
        number = next((n for n, layout in enumerate(layouts) if layout.modality == enrolment.modality), None)
        if number is None:
            raise UnknownModalityError(f"the gallery holds no templates of the kind {enrolment.modality!r}.")
        groups.setdefault(number, []).append(row)
    found = []
    for number, rows in sorted(groups.items()):
        members = [batch[row] for row in rows]
        for member in members:
            space = getattr(member.template, "space", member.space)
            require_space(layouts[number], getattr(space, "digest", space))
        found.append((number, rows, _stack(layouts[number], members), [_attributes(member) for member in members]))
    return found


def _stack(layout: Layout, members: Sequence[Enrolment]) -> Payload:
    try:
        if layout.modality == "vector":
            return (np.stack([np.asarray(getattr(each.template, "vector", each.template)) for each in members]),)
        pairs = [
            (each.template.code, each.template.mask) if isinstance(each.template, _Iris) else each.template
            for each in members
        ]
        return (np.stack([np.asarray(code) for code, _ in pairs]), np.stack([np.asarray(mask) for _, mask in pairs]))
    except (ValueError, TypeError):
        raise InvalidEnrolmentError("the templates of the batch differ in shape or are not arrays.") from None


def _attributes(enrolment: Enrolment) -> Attributes:
    eye = getattr(enrolment.template, "eye", None)
    return enrolment.attributes if eye is None else {"eye": eye, **enrolment.attributes}


def _encode_attributes(attributes: Sequence[Attributes | None] | None, count: int) -> list[bytes]:
    if attributes is None:
        return [b""] * count
    encoded = []
    for row, each in enumerate(attributes):
        if not each:
            encoded.append(b"")
            continue
        try:
            text = json.dumps(dict(each), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError):
            raise InvalidEnrolmentError(f"the attributes of record {row} of the batch are not JSON.") from None
        if len(text) > MAX_ATTRIBUTE_BYTES:
            raise InvalidEnrolmentError(
                f"the attributes of record {row} of the batch take {len(text)} bytes of {MAX_ATTRIBUTE_BYTES}."
            )
        encoded.append(text)
    return encoded


def _found(array: NDArray[Any]) -> str:
    return f"{array.shape} {array.dtype}"
