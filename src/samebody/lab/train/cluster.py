"""Several processes that train together: on this machine, under ``torchrun``, or on a cluster by Ray Train.

Each takes its share of every batch, gradients are averaged (DistributedDataParallel), the first process measures and
writes; the run folder is that of a run of one process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from samebody.errors import SamebodyError
from samebody.lab.evaluate.errors import optional
from samebody.lab.train.errors import ClusterError
from samebody.lab.train.loop import Progress
from samebody.lab.train.objective import Objective
from samebody.lab.train.recipe import LoadedRecipe
from samebody.lab.train.run import RunResult, read_result, train

_BROKEN = "The run goes on from its last checkpoint when the same command is given again."


class Together:
    """The processes of torch's default process group."""

    def __init__(self, device: torch.device) -> None:
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.device = device

    def wrap(self, objective: Objective) -> nn.Module:
        """Gradients averaged over the processes; batch norms on accelerators count over all of them."""
        ids = [self.device.index or 0] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(objective, device_ids=ids, find_unused_parameters=True)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes."""
        found = values.detach().clone()
        dist.all_reduce(found)
        return found / self.world

    def agree(self, value: bool) -> bool:
        """Whether any process says so."""
        found = torch.tensor(float(value), device=self.device)
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return bool(found.item() > 0)

    def gather(self, values: Tensor) -> Tensor:
        """[n] of each process to [n * world], in the order of the whole batch."""
        parts = [torch.empty_like(values) for _ in range(self.world)]
        dist.all_gather(parts, values.contiguous())
        return torch.stack(parts, dim=1).reshape(-1)

    def share(self, value: Any) -> Any:
        """What the first process has, for all."""
        held = [value]
        dist.broadcast_object_list(held, src=0, device=self.device)
        return held[0]


def under_torchrun() -> bool:
    """Whether ``torchrun`` (or another launcher) started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


@contextlib.contextmanager
def joined(device: str) -> Iterator[Together]:
    """The group that the launcher describes in the environment, joined and left again.

    Raises:
        ClusterError: the processes cannot reach each other.
    """
    accelerated = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device("cuda", local) if accelerated else torch.device("cpu")
    if accelerated:
        torch.cuda.set_device(chosen)
    try:
        dist.init_process_group("nccl" if accelerated else "gloo")
    except (RuntimeError, ValueError) as error:
        raise ClusterError(f"The processes cannot reach each other: {str(error).splitlines()[0]}") from None
    try:
        yield Together(chosen)
    finally:
        dist.destroy_process_group()


def train_together(
    recipe: LoadedRecipe,
    out: Path,
    *,
    workers: int,
    engine: str = "local",
    device: str = "auto",
    threads: int = 1,
    cache: Path | None = None,
    report: Callable[[Progress], None] | None = None,
    address: str | None = None,
) -> RunResult:
    """Train with ``workers`` processes.

    Args:
        recipe: loaded; its ``batch`` is that of all processes together and must divide by ``workers``.
        out: the run's folder, seen by the first process.
        workers: processes; with accelerators one for each.
        engine: ``local`` (this machine) or ``ray`` (Ray Train).
        device, threads, cache: as :func:`samebody.lab.train.run.train`, for each process.
        report: told where the run stands; only with ``local``.
        address: of a running Ray cluster; this machine otherwise.

    Raises:
        ClusterError: a process failed or died.
        MissingExtraError: Ray is not installed.
    """
    work = {
        "recipe": recipe,
        "out": str(out.resolve()),
        "device": device,
        "threads": threads,
        "cache": str(cache.resolve()) if cache else None,
    }
    if engine == "ray":
        _on_ray(work, workers, address)
    else:
        _here(work, workers, report)
    result = read_result(out)
    if result is None:
        raise ClusterError("The processes ended without a result.", hint=_BROKEN)
    return result


# ------------------------------------------------------------------------------------------------------ this machine


def _here(work: Mapping[str, Any], workers: int, report: Callable[[Progress], None] | None) -> None:
    context = torch.multiprocessing.get_context("spawn")
    messages = context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="samebody-train-") as place, _patient():
        processes = [
            context.Process(target=_process, args=(rank, workers, f"file://{place}/meet", dict(work), messages))
            for rank in range(workers)
        ]
        for process in processes:
            process.start()
        try:
            failed = _wait(processes, messages, report)
        finally:
            for process in processes:
                if process.is_alive():
                    process.terminate()
                process.join(10)
                if process.is_alive():
                    process.kill()
    if failed:
        raise ClusterError(failed, hint=_BROKEN)


def _wait(processes: list[Any], messages: Any, report: Callable[[Progress], None] | None) -> str:
    """Hand on progress until all are done; the sentence about the first that failed, or nothing."""
    while True:
        alive = [process for process in processes if process.is_alive()]
        while not messages.empty():
            kind, content = messages.get()
            if kind == "error":
                return str(content)
            if report is not None:
                report(Progress(**content))
        dead = [number for number, process in enumerate(processes) if process.exitcode not in (None, 0)]
        if dead:  # the others fail for want of it: name the one that was killed, if one was
            dead.sort(key=lambda number: (processes[number].exitcode or 0) >= 0)
            return f"Process {dead[0]} of {len(processes)} died ({_ending(processes[dead[0]].exitcode)})."
        if not alive:
            return ""
        alive[0].join(0.2)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _process(rank: int, world: int, meeting: str, work: dict[str, Any], messages: Any) -> None:
    device = work["device"]
    accelerated = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    chosen = torch.device("cuda", rank % max(torch.cuda.device_count(), 1)) if accelerated else torch.device("cpu")
    if accelerated:
        torch.cuda.set_device(chosen)
    try:
        dist.init_process_group("nccl" if accelerated else "gloo", init_method=meeting, rank=rank, world_size=world)
        report = (lambda at: messages.put(("progress", _fields(at)))) if rank == 0 else None
        _work(work, Together(chosen), report)
        dist.destroy_process_group()
    except SamebodyError as error:
        messages.put(("error", f"Process {rank} of {world}: {error.code}: {error}"))
        os._exit(1)


def _fields(at: Progress) -> dict[str, Any]:
    return {name: getattr(at, name) for name in at.__slots__}


def _work(work: Mapping[str, Any], group: Together, report: Callable[[Progress], None] | None = None) -> None:
    train(
        work["recipe"],
        work["out"],
        cache=work["cache"],
        device=str(group.device),
        threads=work["threads"],
        report=report,
        group=group,
    )


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """Control-C goes to the processes, which end with a checkpoint; this one waits for them.

    They inherit that it is ignored until the run takes it over.
    """
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# ------------------------------------------------------------------------------------------------------------ cluster


def _on_ray(work: Mapping[str, Any], workers: int, address: str | None) -> None:
    ray = optional("ray", "training on a cluster", "ray")
    optional("ray.train", "training on a cluster", "ray")
    trainers = optional("ray.train.torch", "training on a cluster", "ray")
    options = optional("ray.train", "training on a cluster", "ray")
    started = not ray.is_initialized()
    if started:
        here = {} if address else {"num_cpus": workers, "include_dashboard": False}
        ray.init(address=address, ignore_reinit_error=True, **here)
    accelerated = str(work["device"]).startswith("cuda") or (work["device"] == "auto" and torch.cuda.is_available())
    try:
        with tempfile.TemporaryDirectory(prefix="samebody-ray-") as place:
            trainer = trainers.TorchTrainer(
                _ray_worker,
                train_loop_config=dict(work),
                scaling_config=options.ScalingConfig(num_workers=workers, use_gpu=accelerated),
                run_config=options.RunConfig(name="samebody", storage_path=place),
            )
            trainer.fit()
    except SamebodyError:
        raise
    except Exception as error:  # Ray wraps what its workers raise in types of its own
        raise ClusterError(f"Training on the cluster failed: {_last_line(error)}", hint=_BROKEN) from None
    finally:
        if started:
            ray.shutdown()


def _ray_worker(work: dict[str, Any]) -> None:
    """One process of Ray Train: it has joined the process group already."""
    device = optional("ray.train.torch", "training on a cluster", "ray").get_device()
    _work(work, Together(device))


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
