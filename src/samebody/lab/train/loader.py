"""Batches prepared in advance, in a thread or in processes; what is in them never depends on timing."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samebody.lab.train.environment import derived
from samebody.lab.train.errors import LoaderError
from samebody.lab.train.task import Sampler, Source

DEATHS = 3
"""Times that the processes may die before the run gives up."""


@dataclass(frozen=True)
class Ready:
    """A prepared batch: its step (0-based), the samples of all processes and of this one, the tensors."""

    step: int
    indices: NDArray[np.int64]
    own: NDArray[np.int64]
    tensors: dict[str, Tensor]


class Loader:
    """Asks the sampler ahead of the training step and prepares the batches meanwhile.

    The samples of step s are drawn before the losses of step s - ``ahead`` are observed, always; so a resumed run
    draws what the uninterrupted one drew. A process that dies is replaced and its batches are prepared again: same
    indices, same seed, same tensors.

    Args:
        source: samples.
        sampler: chooses them.
        size: of the batch over all processes.
        seed: of the run.
        steps: last step + 1; nothing is prepared beyond it.
        ahead: batches in advance.
        workers: processes; 0 = a thread.
        rank, world: this process among those that train together; each takes every ``world``-th sample.
    """

    def __init__(
        self,
        source: Source,
        sampler: Sampler,
        *,
        size: int,
        seed: int,
        steps: int,
        ahead: int = 1,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.source, self.sampler = source, sampler
        self.size, self.seed, self.steps, self.ahead = size, seed, steps, ahead
        self.rank, self.world = rank, world
        self._sampler_seed = derived(seed, "sampler")
        self._waiting: deque[tuple[int, NDArray[np.int64], Future[Any]]] = deque()
        self._next = 0
        self._workers, self._deaths = workers, 0
        self._pool: ThreadPoolExecutor | ProcessPoolExecutor = self._open()

    def start(self, step: int, pending: Sequence[Any] = ()) -> None:
        """Begin at ``step`` with the batches that were drawn already (as of :meth:`pending`)."""
        self._next = step
        for indices in pending:
            self._submit(np.asarray(indices, np.int64))
        self.fill()

    def fill(self) -> None:
        """Draw and prepare as far ahead as asked for."""
        while len(self._waiting) < self.ahead and self._next < self.steps:
            drawn = self.sampler.indices(self._next, self.size, self._sampler_seed)
            self._submit(np.asarray(drawn, np.int64))

    def take(self) -> Ready:
        """The next batch; waits until it is ready.

        Raises:
            LoaderError: the processes died :data:`DEATHS` times.
            Exception: what the source raised.
        """
        while True:
            step, indices, future = self._waiting[0]
            try:
                tensors = future.result()
            except BrokenProcessPool:
                self._replace()
                continue
            self._waiting.popleft()
            if self._workers:
                tensors = {name: torch.from_numpy(array) for name, array in tensors.items()}
            return Ready(step, indices, indices[self.rank :: self.world], tensors)

    def pending(self) -> list[Tensor]:
        """The samples of the batches that were drawn and not taken, int64 each; for the checkpoint."""
        return [torch.from_numpy(indices.copy()) for _, indices, _ in self._waiting]

    def close(self) -> None:
        """Let go of threads and processes; what they prepare is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, indices: NDArray[np.int64]) -> None:
        step = self._next
        self._next += 1
        self._waiting.append((step, indices, self._prepare(step, indices)))

    def _prepare(self, step: int, indices: NDArray[np.int64]) -> Future[Any]:
        own = indices[self.rank :: self.world]
        seed = derived(self.seed, "batch", step, self.rank)
        if self._workers:
            with contextlib.suppress(BrokenProcessPool):
                return self._pool.submit(_in_process, own, seed)
            broken: Future[Any] = Future()
            broken.set_exception(BrokenProcessPool())
            return broken
        return self._pool.submit(self.source.batch, own, seed)

    def _open(self) -> ThreadPoolExecutor | ProcessPoolExecutor:
        if not self._workers:
            return ThreadPoolExecutor(1, thread_name_prefix="samebody-batches")
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._workers, mp_context=context, initializer=_open_source, initargs=(self.source,))

    def _replace(self) -> None:
        self._deaths += 1
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._deaths >= DEATHS:
            raise LoaderError(
                f"The processes that prepare batches died {self._deaths} times.",
                hint="Memory may be short: use fewer `loader.workers`, or 0. The run goes on from its checkpoint.",
            )
        self._pool = self._open()
        self._waiting = deque((step, indices, self._prepare(step, indices)) for step, indices, _ in self._waiting)


_source: Source | None = None


def _open_source(source: Source) -> None:
    global _source
    torch.set_num_threads(1)
    _source = source


def _in_process(indices: NDArray[np.int64], seed: int) -> dict[str, NDArray[Any]]:
    assert _source is not None
    return {name: tensor.numpy() for name, tensor in _source.batch(indices, seed).items()}
