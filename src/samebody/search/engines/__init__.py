"""Engines: what answers probes over a source. Found by name; the modules behind the names are imported on first use."""

from __future__ import annotations

import importlib
from typing import Any

from samebody.search.errors import LayoutError, UnknownEngineError
from samebody.search.types import Engine, Kind, Source

_ENGINES: dict[str, tuple[Kind, str, str]] = {
    "hamming": ("iris", "samebody.search.engines.hamming", "HammingEngine"),
    "hamming-cascade": ("iris", "samebody.search.engines.cascade", "CascadeEngine"),
    "hamming-numpy": ("iris", "samebody.search.engines.plain", "PlainHammingEngine"),
    "int8": ("vector", "samebody.search.engines.int8", "Int8Engine"),
    "float32": ("vector", "samebody.search.engines.float32", "Float32Engine"),
    "cosine-numpy": ("vector", "samebody.search.engines.plain", "PlainCosineEngine"),
    "usearch": ("vector", "samebody.search.engines.usearch", "UsearchEngine"),
    "faiss": ("vector", "samebody.search.engines.faiss", "FaissEngine"),
}

DEFAULT: dict[Kind, str] = {"iris": "hamming", "vector": "int8"}
"""The exact engine of each kind of template."""

APPROXIMATE = ("usearch", "faiss")
"""Engines that may miss references and say so; they need the extra ``approximate``."""


def engine_names(modality: Kind | None = None) -> tuple[str, ...]:
    """The names of all engines, or of those of one kind of template."""
    return tuple(name for name, (kind, _, _) in _ENGINES.items() if modality in (None, kind))


def build(source: Source, engine: str | None = None, **options: Any) -> Engine:
    """An engine over ``source``, by default the exact one of its modality.

    Args:
        source: references; every block is touched now if the engine prepares them, else during the first search.
        engine: one of :func:`engine_names`.
        options: of the engine, e.g. ``threads``; see its class.

    Raises:
        UnknownEngineError: no engine of that name.
        LayoutError: the engine does not search this kind of template, or does not know an option.
        EngineMissingError: the package it needs is not installed.
    """
    name = engine or DEFAULT[source.layout.modality]
    if name not in _ENGINES:
        raise UnknownEngineError(f"there is no engine {name!r}.", hint=f"Take one of {', '.join(_ENGINES)}.")
    kind, module, attribute = _ENGINES[name]
    if kind != source.layout.modality:
        known = ", ".join(engine_names(source.layout.modality))
        raise LayoutError(f"the engine {name!r} searches {kind}, not {source.layout.modality}.", hint=f"Take {known}.")
    maker = getattr(importlib.import_module(module), attribute)
    try:
        return maker(source, **options)  # type: ignore[no-any-return]
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise LayoutError(f"the engine {name!r} refuses its options: {error}.") from None
