"""Batches of ingestion taken by the workers of a Ray cluster that sees the data set's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from samebody.config import Limits
from samebody.lab.data.errors import WorkerError
from samebody.lab.data.ingest import Taken, take
from samebody.lab.data.sources import Item
from samebody.lab.evaluate.errors import optional
from samebody.measure.all_pairs import usable_cores


def take_on_ray(
    batches: Sequence[Sequence[Item]],
    root: Path,
    limits: Limits,
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[list[Taken]]:
    """As :func:`samebody.lab.data.ingest.take_in_processes`, on Ray; a session that is open already is left open.

    Raises:
        MissingExtraError: Ray is not installed.
        WorkerError: the cluster cannot be reached, or workers died again and again.
    """
    ray = optional("ray", "ingesting on a cluster", "ray")
    opened = not ray.is_initialized()
    try:
        if opened:
            local: dict[str, Any] = {} if address else {"num_cpus": max(workers or usable_cores(), 2)}
            ray.init(address=address, include_dashboard=False, log_to_driver=False, configure_logging=False, **local)
        try:
            remote = ray.remote(num_cpus=1, max_retries=2)(take)
            ahead = 2 * max(int(ray.cluster_resources().get("CPU", 2)), 1)
            waiting = list(batches)
            running: list[Any] = []
            while waiting or running:
                while waiting and len(running) < ahead:
                    running.append(remote.remote(list(waiting.pop(0)), root.resolve(), limits))
                ready, running = ray.wait(running, num_returns=1)
                yield ray.get(ready[0])
        finally:
            if opened:
                ray.shutdown()
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise WorkerError(
            f"the Ray cluster failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}.",
            hint="Check the address and that its machines see the data set's folder, or run with --engine local.",
        ) from error
