"""The typed errors of the search room."""

from __future__ import annotations

from samebody.errors import EmbeddingSpaceMismatchError, InputError, ResourceError, UsageError


class SearchSpaceMismatchError(EmbeddingSpaceMismatchError):
    """A probe and the gallery come from different embedding spaces and must never be compared."""

    code = "search.space_mismatch"


class InvalidProbeError(InputError):
    """Probes cannot be searched with: wrong shape or type, not finite, not of unit length, too few usable bits."""

    code = "search.invalid_probe"


class InvalidBlockError(InputError):
    """A block of references does not hold what its layout promises, so no score of it may leave."""

    code = "search.invalid_block"


class LayoutError(UsageError):
    """An engine was asked for a kind of template, a size or a setting that it does not search."""

    code = "search.layout"


class UnknownEngineError(UsageError):
    """There is no engine of that name for this kind of template."""

    code = "search.unknown_engine"


class EngineMissingError(ResourceError):
    """An optional engine needs a package that is not installed."""

    code = "search.engine_missing"
