"""Tiles counted by the workers of a Ray cluster, with the same function that counts them on one machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from threadpoolctl import threadpool_limits

from samebody.errors import ResourceError
from samebody.lab.evaluate.errors import optional
from samebody.measure.all_pairs import Progress, usable_cores
from samebody.measure.errors import InvalidRateError
from samebody.measure.kernels import Kernel
from samebody.measure.pair_counts import Tally, TileCounts, count_tile
from samebody.measure.pair_plan import PairPlan


class ClusterError(ResourceError):
    """The Ray cluster cannot be reached, or its workers died."""

    code = "evaluate.cluster"


class TileWorker:
    """What runs in a worker: counts the tiles it is told to."""

    def __init__(self, plan: PairPlan, kernel: Kernel, node: str) -> None:
        self._plan, self._kernel, self._node = plan, kernel, node

    def count(self, number: int, lowest: int) -> TileCounts:
        """Tile ``number`` of the plan, listed from bin ``lowest`` on."""
        with threadpool_limits(1, user_api="blas"):
            found = count_tile(self._plan, self._plan.tiles[number], lowest, self._kernel)
        return replace(found, process=f"{self._node}:{found.process}")


def count_on_ray(
    plan: PairPlan,
    tally: Tally,
    *,
    workers: int | None = None,
    address: str | None = None,
    kernel: Kernel = "auto",
    progress: Progress | None = None,
    after: Callable[[Tally], None] | None = None,
) -> int:
    """Count the tiles that ``tally`` does not hold yet, and add them.

    A session of Ray that is already open is used and left open; otherwise one is opened, at ``address`` or on this
    machine, and closed again.

    Args:
        workers: actors of one core each; None takes one for each core of the cluster, and at least two.
        address: of a running cluster, as in ``ray.init``; None stays on this machine.

    Returns:
        The number of workers.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: the cluster cannot be reached, or workers died again and again.
        InvalidRateError: fewer than one worker.
    """
    ray = optional("ray", "counting on a cluster", "ray")
    if workers is not None and workers < 1:
        raise InvalidRateError(f"at least one worker is needed, got {workers}.")
    opened = not ray.is_initialized()
    try:
        if opened:
            local: dict[str, Any] = {} if address else {"num_cpus": max(workers or usable_cores(), 2)}
            ray.init(address=address, include_dashboard=False, log_to_driver=False, configure_logging=False, **local)
        try:
            return _count(ray, plan, tally, workers, kernel, progress, after)
        finally:
            if opened:
                ray.shutdown()
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise ClusterError(
            f"the Ray cluster failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}.",
            hint="Check the address and the memory of the workers, or run with engine='local'.",
        ) from error


def _count(
    ray: Any,
    plan: PairPlan,
    tally: Tally,
    workers: int | None,
    kernel: Kernel,
    progress: Progress | None,
    after: Callable[[Tally], None] | None,
) -> int:
    waiting = [number for number in range(len(plan.tiles)) if number not in tally.done]
    every = sum(tile.size for tile in plan.tiles)
    cores = int(ray.cluster_resources().get("CPU", 2))
    count = min(workers or max(cores, 2), max(len(waiting), 1))

    class Actor(TileWorker):
        def __init__(self, plan: PairPlan, kernel: Kernel) -> None:
            super().__init__(plan, kernel, ray.get_runtime_context().get_node_id()[:8])

    remote = ray.remote(num_cpus=1, max_restarts=2, max_task_retries=2)(Actor)
    kept = ray.put(plan)
    actors = [remote.remote(kept, kernel) for _ in range(count)]
    running: dict[Any, tuple[int, Any]] = {}
    done = every - sum(plan.tiles[number].size for number in waiting)
    # Two tiles on the way to each worker, dealt out in turn, so that none waits for the driver.
    for actor in actors * 2:
        if waiting:
            number = waiting.pop(0)
            running[actor.count.remote(number, tally.floor_bin)] = (number, actor)
    while running:
        (reference,), _ = ray.wait(list(running), num_returns=1)
        number, actor = running.pop(reference)
        tally.add(number, ray.get(reference))
        done += plan.tiles[number].size
        if waiting:
            following = waiting.pop(0)
            running[actor.count.remote(following, tally.floor_bin)] = (following, actor)
        if progress is not None:
            progress(done, every)
        if after is not None:
            after(tally)
    return count
