"""What passes between galleries, engines and the commands above them: layouts, blocks, probes, hits.

A *source* hands out blocks of references; an *engine* is built over a source and answers probes with hits. Scores are
similarities everywhere: higher means more alike.

**Vectors.** The score is the cosine: the inner product of two unit vectors taken in float64, rounded once to float32
and clipped to -1..1, the same number as :func:`samebody.match.compare`.

**Iris codes.** For the probe turned by r columns (:func:`numpy.roll` of the words by r), D(r) = popcount((cp ^ cr) &
mp & mr), n(r) = popcount(mp & mr), HD(r) = D(r) / n(r); normalised by usable bits (Daugman 2007, "New methods in iris
recognition", eq. 5) HDn(r) = 0.5 - (0.5 - HD(r)) sqrt(n(r) / N0). A rotation with n(r) below the declared minimum is
left out; a pair without a rotation left is not comparable and never returned. The score is the largest
1 - HDn(r) over the rotations, computed in float64 and rounded once to float32.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.search.errors import InvalidBlockError, InvalidProbeError, LayoutError, SearchSpaceMismatchError

Kind = Literal["iris", "vector"]
"""How templates are compared: masked Hamming distance over rotations, or cosine."""

Exclude = NDArray[np.integer] | Sequence[NDArray[np.integer]]
"""Record ids that must not be returned: one array for all probes, or one array per probe."""

UNIT = 1e-3
"""How far the length of a vector may be from 1 (the same as in :mod:`samebody.match.compare`)."""

MAX_COLUMNS = 4096
MAX_DIMENSION = 8192


@dataclass(frozen=True, slots=True)
class Layout:
    """What every record of a source looks like.

    Attributes:
        modality: ``iris`` (packed codes and masks) or ``vector`` (unit vectors).
        space: digest of the embedding space; a source is pinned to one.
        size: columns of an iris code (uint64 words, a multiple of 8), or dimension of a vector.

    Raises:
        LayoutError: unknown modality, empty space, or a size that cannot be.
    """

    modality: Kind
    space: str
    size: int

    def __post_init__(self) -> None:
        if self.modality not in ("iris", "vector"):
            raise LayoutError(f"there is no modality {self.modality!r}.", hint="Take iris or vector.")
        if not self.space:
            raise LayoutError("a layout needs the digest of its embedding space.")
        if self.modality == "iris" and not (8 <= self.size <= MAX_COLUMNS and self.size % 8 == 0):
            raise LayoutError(f"an iris code of {self.size} columns is not 8..{MAX_COLUMNS} and a multiple of 8.")
        if self.modality == "vector" and not 1 <= self.size <= MAX_DIMENSION:
            raise LayoutError(f"a vector of {self.size} numbers is not 1..{MAX_DIMENSION}.")

    @property
    def bytes_per_record(self) -> int:
        """Bytes of one record's payload: code and mask of an iris, or the float32 vector."""
        return 16 * self.size if self.modality == "iris" else 4 * self.size


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """References that lie together, ready to be searched; arrays may be memory-mapped and are never written to.

    Attributes:
        key: stable name of the payload bytes. Two blocks of one key hold the same records; only ``live`` may differ, so
            an engine keeps what it prepared for a key.
        record_ids: (n,) uint64 below 2**63, strictly increasing within the block, unique within the source.
        live: (n,) bool; a deleted record is never returned.
        vectors: (n, dimension) float32, rows of unit length; None for iris.
        codes, masks: (n, columns) uint64; a mask bit of 1 says usable; None for vectors.

    Raises:
        InvalidBlockError: arrays whose shapes or dtypes do not fit together. Values are checked by engines.
    """

    key: Hashable
    record_ids: NDArray[np.uint64] = field(repr=False)
    live: NDArray[np.bool_] = field(repr=False)
    vectors: NDArray[np.float32] | None = field(default=None, repr=False)
    codes: NDArray[np.uint64] | None = field(default=None, repr=False)
    masks: NDArray[np.uint64] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        n = len(self.record_ids)
        if self.record_ids.dtype != np.uint64 or self.record_ids.shape != (n,):
            raise InvalidBlockError(f"block {self.key}: record ids must be (n,) uint64.")
        if self.live.dtype != np.bool_ or self.live.shape != (n,):
            raise InvalidBlockError(f"block {self.key}: live must be ({n},) bool.")
        if self.vectors is not None:
            if self.codes is not None or self.masks is not None:
                raise InvalidBlockError(f"block {self.key}: a block holds vectors or codes, not both.")
            if self.vectors.dtype != np.float32 or self.vectors.ndim != 2 or len(self.vectors) != n:
                raise InvalidBlockError(f"block {self.key}: vectors must be ({n}, dimension) float32.")
        elif self.codes is None or self.masks is None:
            raise InvalidBlockError(f"block {self.key}: a block needs vectors, or codes and masks.")
        else:
            for array in (self.codes, self.masks):
                if array.dtype != np.uint64 or array.ndim != 2 or array.shape != (n, self.codes.shape[1]):
                    raise InvalidBlockError(f"block {self.key}: codes and masks must be ({n}, columns) uint64.")

    def __len__(self) -> int:
        return len(self.record_ids)

    def check_layout(self, layout: Layout) -> None:
        """Raise :class:`InvalidBlockError` unless the payload is what ``layout`` promises."""
        payload = self.vectors if layout.modality == "vector" else self.codes
        if payload is None or payload.shape[1] != layout.size:
            shape = None if payload is None else payload.shape
            raise InvalidBlockError(
                f"block {self.key} holds {shape}, its source promises {layout.modality} of {layout.size}.",
                hint="Run `samebody gallery verify`.",
            )


class Source(Protocol):
    """References of one modality and embedding space, in blocks; a consistent view that does not change."""

    @property
    def layout(self) -> Layout:
        """What every record looks like."""
        ...

    def __len__(self) -> int:
        """Number of live records."""
        ...

    def blocks(self) -> Iterator[Block]:
        """All blocks, touched (read, checked, decrypted) one by one as the iterator moves on."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """What is searched for: q templates of one embedding space.

    Attributes:
        space: digest of their embedding space.
        vectors: (q, dimension) float32 of unit length, C-contiguous; None for iris.
        codes, masks: (q, columns) uint64, C-contiguous; None for vectors.

    Raises:
        InvalidProbeError: shapes or dtypes that do not fit, numbers that are not finite, vectors not of unit length.
    """

    space: str
    vectors: NDArray[np.float32] | None = field(default=None, repr=False)
    codes: NDArray[np.uint64] | None = field(default=None, repr=False)
    masks: NDArray[np.uint64] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.vectors is not None and self.codes is None and self.masks is None:
            if self.vectors.dtype != np.float32 or self.vectors.ndim != 2:
                raise InvalidProbeError("vector probes must be (q, dimension) float32.")
            squared = np.einsum("ij,ij->i", self.vectors, self.vectors, dtype=np.float64)
            if not (np.abs(np.sqrt(squared) - 1.0) < UNIT).all():  # also refuses NaN and infinity
                raise InvalidProbeError(
                    "a probe must be a vector of finite numbers with length 1.", hint="Embed the sample again."
                )
            object.__setattr__(self, "vectors", np.ascontiguousarray(self.vectors))
        elif self.vectors is None and self.codes is not None and self.masks is not None:
            for array in (self.codes, self.masks):
                if array.dtype != np.uint64 or array.ndim != 2 or array.shape != self.codes.shape:
                    raise InvalidProbeError("iris probes must be codes and masks of (q, columns) uint64 each.")
            object.__setattr__(self, "codes", np.ascontiguousarray(self.codes))
            object.__setattr__(self, "masks", np.ascontiguousarray(self.masks))
        else:
            raise InvalidProbeError("probes are vectors, or codes and masks: not both, not neither.")

    @classmethod
    def of_vectors(cls, vectors: ArrayLike, space: str) -> Probes:
        """Probes from one vector (d,) or several (q, d); numbers are taken as float32."""
        return cls(space, vectors=np.atleast_2d(np.asarray(vectors, dtype=np.float32)))

    @classmethod
    def of_codes(cls, codes: NDArray[np.uint64], masks: NDArray[np.uint64], space: str) -> Probes:
        """Probes from one packed code and mask (columns,) or several (q, columns)."""
        return cls(space, codes=np.atleast_2d(codes), masks=np.atleast_2d(masks))

    def __len__(self) -> int:
        payload = self.vectors if self.vectors is not None else self.codes
        return 0 if payload is None else len(payload)

    def check_layout(self, layout: Layout) -> None:
        """Raise unless these probes may be compared with records of ``layout``.

        Raises:
            SearchSpaceMismatchError: another embedding space.
            InvalidProbeError: the other kind of template, or another size.
        """
        if self.space != layout.space:
            raise SearchSpaceMismatchError(
                f"probes of the space {self.space} cannot be searched in a gallery of the space {layout.space}.",
                hint="Make the probes with the model that the gallery is pinned to.",
            )
        payload = self.vectors if layout.modality == "vector" else self.codes
        if payload is None or payload.shape[1] != layout.size:
            held = "another kind of template" if payload is None else f"size {payload.shape[1]}"
            raise InvalidProbeError(f"the gallery holds {layout.modality} of size {layout.size}, the probes {held}.")


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The best references for each probe, best first; ties by the lower record id.

    Attributes:
        ids: (q, k) int64 record ids, padded with -1.
        scores: (q, k) float32 similarities, padded with -inf.
        engine: name of the engine that answered.
        exact: True when no reference with a higher score can have been missed (up to ``miss_bound``).
        miss_bound: upper bound on the probability that a given reference scoring at least ``minimum_score`` was
            missed, over the draw of the gallery's subset; 0.0 for exact engines without a cascade, nan when the engine
            can give none (approximate ones: their recall is measured instead).
        notes: JSON-ready facts about the run (compared records, candidates re-ranked, subset survivors ...).
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    engine: str
    exact: bool = True
    miss_bound: float = 0.0
    notes: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def found(self, probe: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and scores of one probe without the padding."""
        kept = self.ids[probe] >= 0
        return self.ids[probe][kept], self.scores[probe][kept]


class Engine(Protocol):
    """Answers probes over one source. Built by :func:`samebody.search.engines.build`."""

    @property
    def name(self) -> str:
        """Stable name, as in ``--engine``."""
        ...

    @property
    def layout(self) -> Layout:
        """Of the source."""
        ...

    def __len__(self) -> int:
        """Live records in the source at the last build or refresh."""
        ...

    def search(
        self, probes: Probes, k: int, *, minimum_score: float | None = None, exclude: Exclude | None = None
    ) -> Hits:
        """The k best live references of each probe.

        Args:
            probes: q templates of the source's embedding space.
            k: at least 1; may exceed the number of references.
            minimum_score: references below it are not returned; compared after rounding it to float32.
            exclude: record ids not to return, for all probes or one array per probe.

        Raises:
            SearchSpaceMismatchError, InvalidProbeError: the probes do not fit the source.
            LayoutError: k below 1, a minimum that is not finite, or ``exclude`` of another length than the probes.
        """
        ...

    def refresh(self, source: Source) -> None:
        """Go over to another view of the same gallery; blocks of known keys are not prepared again."""
        ...
