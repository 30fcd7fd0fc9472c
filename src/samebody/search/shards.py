"""A gallery that outgrew one machine: its blocks dealt out to Ray actors, each shard kept by one or several of them.

Every actor opens the gallery's own segments and searches its share with the exact engine; the best of all shards are
merged, which gives what one engine over everything gives. When an actor is lost, its replica answers and another actor
is started over the same segments; without a replica the search waits for it. All shards answer from one state of the
gallery, or the answer is not used.

The gallery's folder has to be readable under its path on every machine. The key of a sealed gallery is handed to the
actors, through Ray: use a cluster that is yours, with Ray's own TLS switched on.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from samebody.errors import ResourceError, SamebodyError
from samebody.search.engines import build
from samebody.search.engines.base import check_request, merge_best, padded
from samebody.search.errors import EngineMissingError, LayoutError
from samebody.search.types import Block, Engine, Exclude, Hits, Layout, Probes, Source

TRIES = 5
"""How often a search is begun again because the gallery changed, or actors were lost, before it is given up."""


class ShardError(ResourceError):
    """The cluster cannot be reached, or its shards cannot answer; says what the shard said."""

    code = "search.shards"


class PartSource(Protocol):
    """What a shard asks of a source: its blocks in parts, and a digest of its state."""

    @property
    def layout(self) -> Layout:
        """What every record looks like."""
        ...

    def blocks(self, part: tuple[int, int] = (0, 1)) -> Iterator[Block]:
        """Every n-th block from the i-th on; the others are not touched."""
        ...

    def state(self) -> str:
        """Equal for two views of the same records in the same blocks."""
        ...


class Opener(Protocol):
    """Opens the same references in any process; pickled to the actors."""

    def open(self) -> PartSource:
        """A view of the references as they are now."""
        ...


@dataclass(slots=True)
class GalleryOpener:
    """Opens one modality of a gallery from its folder.

    Attributes:
        path: of the gallery, the same on every machine.
        modality: of the references.
        key: of a sealed gallery; never shown.
    """

    path: Path
    modality: str
    key: bytes | None = field(default=None, repr=False)
    _gallery: Any = field(default=None, repr=False)

    def open(self) -> PartSource:
        """The view now; the gallery is kept open, and what was checked before is not checked again."""
        from samebody.search.gallery import Gallery

        if self._gallery is None:
            self._gallery = Gallery.open(self.path, key=self.key)
        else:
            self._gallery.refresh()
        found: PartSource = self._gallery.source(self.modality)
        return found

    def __getstate__(self) -> tuple[Path, str, bytes | None]:
        return self.path, self.modality, self.key

    def __setstate__(self, state: tuple[Path, str, bytes | None]) -> None:
        self.path, self.modality, self.key = state
        self._gallery = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a shard holds.

    Attributes:
        layout, records, state: of its view; ``records`` of its own part.
        process: node and process id.
    """

    layout: Layout
    records: int
    state: str
    process: str


class _Part:
    """A part of a source, as a source."""

    def __init__(self, source: PartSource, part: tuple[int, int]) -> None:
        self._source, self._part = source, part
        self._live: int | None = None

    @property
    def layout(self) -> Layout:
        return self._source.layout

    def __len__(self) -> int:
        if self._live is None:
            self._live = sum(int(np.count_nonzero(block.live)) for block in self.blocks())
        return self._live

    def blocks(self) -> Iterator[Block]:
        return self._source.blocks(self._part)


@dataclass(frozen=True, slots=True)
class Fault:
    """A typed error inside a shard, carried home as text."""

    code: str
    message: str


class Shard:
    """What runs in an actor: one part of the references, searched with the engine that one machine would use.

    Args:
        opener: of the references.
        part: (i, n): every n-th block from the i-th on.
        engine: by name; None takes the exact one.
        threads: of the engine.
        node: shown with the process id.
    """

    def __init__(
        self, opener: Opener, part: tuple[int, int], engine: str | None, threads: int | None, node: str
    ) -> None:
        self._opener, self._part, self._name = opener, part, engine
        self._options: dict[str, Any] = {} if threads is None else {"threads": threads}
        self._process = f"{node}:{os.getpid()}"
        self._engine: Engine | None = None
        self._loaded: Loaded | None = None

    def load(self) -> Loaded | Fault:
        """Open the references as they are now; blocks that are known are not prepared again."""
        try:
            whole = self._opener.open()
            source: Source = _Part(whole, self._part)
            if self._engine is None:
                self._engine = build(source, self._name, **self._options)
            else:
                self._engine.refresh(source)
            self._loaded = Loaded(whole.layout, len(source), whole.state(), self._process)
            return self._loaded
        except SamebodyError as error:
            return Fault(error.code, str(error))

    def search(
        self, probes: Probes, k: int, minimum_score: float | None, exclude: Exclude | None
    ) -> tuple[str, str, Hits] | Fault:
        """State, process and the best of this part."""
        if self._engine is None or self._loaded is None:
            return Fault(ShardError.code, "the shard was not loaded.")
        try:
            hits = self._engine.search(probes, k, minimum_score=minimum_score, exclude=exclude)
            return self._loaded.state, self._process, hits
        except SamebodyError as error:
            return Fault(error.code, str(error))


@dataclass(slots=True)
class _Kept:
    """One actor: its handle, and the load that it was last told to do."""

    actor: Any
    loading: Any
    loaded: Loaded | None = None


class ShardedEngine:
    """An engine over shards in the processes of a Ray cluster; exact when the engine of the shards is.

    A session of Ray that is already open is used and left open; otherwise one is opened, at ``address`` or on this
    machine, and closed by :meth:`close`.

    Args:
        opener: of the references, in every process.
        shards: parts.
        replicas: actors for each part, spread over the nodes.
        engine: of each shard, by name; None takes the exact one.
        threads: of each shard's engine; 1 unless told.
        address: of a running cluster, as in ``ray.init``.

    Raises:
        EngineMissingError: Ray is not installed.
        ShardError: the cluster cannot be reached, or a shard cannot open its part.
        LayoutError: fewer than one shard or replica.
    """

    name = "ray"

    def __init__(
        self,
        opener: Opener,
        *,
        shards: int = 2,
        replicas: int = 1,
        engine: str | None = None,
        threads: int | None = 1,
        address: str | None = None,
    ) -> None:
        if shards < 1 or replicas < 1:
            raise LayoutError(f"{shards} shards of {replicas} replicas cannot be.", hint="Take at least one of each.")
        self._ray = _ray()
        self._opener, self._count, self._replicas = opener, shards, replicas
        self._inner, self._threads = engine, threads or 1
        self._opened = not self._ray.is_initialized()
        self._turn = 0
        self.recovered = 0
        self.processes: tuple[str, ...] = ()
        if self._opened:
            local: dict[str, Any] = {} if address else {"num_cpus": max(shards * replicas, 2)}
            try:
                self._ray.init(
                    address=address, include_dashboard=False, log_to_driver=False, configure_logging=False, **local
                )
            except (ConnectionError, OSError, RuntimeError) as error:
                raise ShardError(
                    f"the Ray cluster cannot be reached: {_first_line(error)}.", hint="Check it."
                ) from None
        self._kept = [[self._start(part) for _ in range(replicas)] for part in range(shards)]
        try:
            self._agree()
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------------------------------- as every engine

    @property
    def layout(self) -> Layout:
        """Of the references."""
        return self._any().layout

    def __len__(self) -> int:
        return sum(next(k.loaded.records for k in kept if k.loaded is not None) for kept in self._kept)

    def refresh(self, source: Source) -> None:
        """Go over to what the gallery holds now, in all shards; ``source`` says nothing that they do not read."""
        self._reload()
        self._agree()

    def search(
        self, probes: Probes, k: int, *, minimum_score: float | None = None, exclude: Exclude | None = None
    ) -> Hits:
        """The k best of all shards; see :class:`samebody.search.types.Engine`. ``processes`` names who answered.

        Raises:
            ShardError: shards were lost faster than they could be started again, or one could not answer.
        """
        check_request(self.layout, probes, k, minimum_score, exclude)
        for _ in range(TRIES):
            answers = self._ask(probes, min(k, max(len(self), 1)), minimum_score, exclude)
            if len({state for state, _, _ in answers}) == 1:
                break
            self._reload()  # the gallery changed while a shard was started again: all go on to one state
            self._agree()
        else:
            raise ShardError("the gallery changes faster than its shards can follow.", hint="Search again.")
        self.processes = tuple(process for _, process, _ in answers)
        every = [hits for _, _, hits in answers]
        scores, ids = merge_best([(hits.scores, hits.ids) for hits in every], min(k, max(len(self), 1)))
        merged = Hits(
            ids,
            scores,
            f"{self.name}({every[0].engine} x {self._count})",
            exact=all(hits.exact for hits in every),
            miss_bound=float(np.max([hits.miss_bound for hits in every])),
            notes={
                "shards": float(self._count),
                "replicas": float(self._replicas),
                "processes": float(len(set(self.processes))),
                "recovered": float(self.recovered),
            },
        )
        return padded(merged, k)

    def close(self) -> None:
        """Stop the actors, and the session of Ray if it was opened here."""
        for kept in getattr(self, "_kept", ()):
            for entry in kept:
                self._ray.kill(entry.actor)
        self._kept = []
        if self._opened and self._ray.is_initialized():
            self._ray.shutdown()

    def __enter__(self) -> ShardedEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def actors(self) -> list[list[Any]]:
        """The handles of the actors, by shard: to look at a cluster, or to take one away in a test."""
        return [[entry.actor for entry in kept] for kept in self._kept]

    # --------------------------------------------------------------------------------------------------- within

    def _start(self, part: int) -> _Kept:
        ray, opener = self._ray, self._opener
        place, name, threads = (part, self._count), self._inner, self._threads

        class Actor(Shard):
            def __init__(self) -> None:
                super().__init__(opener, place, name, threads, ray.get_runtime_context().get_node_id()[:8])

        remote = ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(Actor)
        actor = remote.remote()
        return _Kept(actor, actor.load.remote())

    def _any(self) -> Loaded:
        return next(entry.loaded for kept in self._kept for entry in kept if entry.loaded is not None)

    def _lost(self, part: int, entry: _Kept) -> None:
        """Start another actor in place of a lost one; it loads while others answer."""
        self.recovered += 1
        self._kept[part][self._kept[part].index(entry)] = self._start(part)

    def _ready(self, part: int, entry: _Kept) -> bool:
        """Whether the actor has loaded its part; waits for it. A lost one is replaced, and False."""
        if entry.loaded is not None:
            return True
        try:
            found = self._ray.get(entry.loading)
        except self._ray.exceptions.RayError:
            self._lost(part, entry)
            return False
        if isinstance(found, Fault):
            raise ShardError(f"shard {part} cannot open its part: {found.code}: {found.message}")
        entry.loaded = found
        return True

    def _reload(self) -> None:
        for kept in self._kept:
            for entry in kept:
                entry.loaded, entry.loading = None, entry.actor.load.remote()

    def _agree(self) -> None:
        """Wait until all actors hold one state of the gallery.

        Raises:
            ShardError.
        """
        for _ in range(TRIES):
            ready = True
            for part in range(self._count):
                for entry in list(self._kept[part]):
                    ready = self._ready(part, entry) and ready
            if not ready:
                continue
            states = {e.loaded.state for kept in self._kept for e in kept if e.loaded is not None}
            if len(states) == 1:
                return
            self._reload()
        raise ShardError("the shards could not be brought to one state.", hint="Look at the memory of the workers.")

    def _ask(
        self, probes: Probes, k: int, minimum_score: float | None, exclude: Exclude | None
    ) -> list[tuple[str, str, Hits]]:
        """One answer for each shard, from a replica that has loaded, or the first that comes back."""
        self._turn += 1
        held = self._ray.put(probes)
        waiting = set(range(self._count))
        answers: dict[int, tuple[str, str, Hits]] = {}
        for _ in range(TRIES + self._replicas):
            asked = []
            for part in sorted(waiting):
                entry = self._chosen(part)
                if self._ready(part, entry):
                    asked.append((part, entry, entry.actor.search.remote(held, k, minimum_score, exclude)))
            for part, entry, reference in asked:
                try:
                    found = self._ray.get(reference)
                except self._ray.exceptions.RayError:
                    self._lost(part, entry)
                    continue
                if isinstance(found, Fault):
                    raise ShardError(f"shard {part} cannot answer: {found.code}: {found.message}")
                answers[part] = found
                waiting.discard(part)
            if not waiting:
                return [answers[part] for part in range(self._count)]
        raise ShardError(
            f"{len(waiting)} of {self._count} shards are lost again and again.", hint="Look at the workers' memory."
        )

    def _chosen(self, part: int) -> _Kept:
        """The replica whose turn it is, of those that have loaded; else one that is loading."""
        kept = self._kept[part]
        order = [kept[(self._turn + number) % len(kept)] for number in range(len(kept))]
        return next((entry for entry in order if entry.loaded is not None), order[0])


def _ray() -> ModuleType:
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise EngineMissingError(
            "shards on a cluster need the package ray.", hint="Install the extra: pip install 'samebody[ray]'."
        ) from None


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
