"""The training loop: batches in, weights out; the same whether it ran through or was killed and went on."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from samebody.errors import StorageError, UsageError
from samebody.lab.data.files import write_bytes
from samebody.lab.train.checkpoint import NEXT, plain, promote_best, save_checkpoint, save_weights
from samebody.lab.train.environment import derived, seed_everything
from samebody.lab.train.errors import DeviceError, NotFiniteError
from samebody.lab.train.loader import Loader, Ready
from samebody.lab.train.metrics import Metrics, Window
from samebody.lab.train.objective import Answer, Average, Objective
from samebody.lab.train.optimiser import make_optimiser
from samebody.lab.train.recipe import Recipe
from samebody.lab.train.samplers.base import PartSampler
from samebody.lab.train.task import Data, Sampler, Task, augmentations, samplers, teachers

Ending = Literal["finished", "stopped early", "interrupted"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, for whoever shows it.

    Attributes:
        step, steps: done, and in all.
        loss: mean since the last report.
        rate: samples a second since the last report, evaluation and checkpoints left out.
        remaining: seconds, at the rate of this session with everything counted.
        held: figures of the last evaluation; empty before the first.
        best: step of the best evaluation; 0 before the first.
        evaluated: whether ``held`` was measured at this very step.
    """

    step: int
    steps: int
    loss: float
    rate: float
    remaining: float
    held: Mapping[str, float]
    best: int
    evaluated: bool = False


@dataclass
class Standing:
    """What the loop knows at a step; all of it is kept in checkpoints.

    Attributes:
        step: steps done.
        best, best_step, best_figures: the monitored figure of the best evaluation, its step, all of its figures.
        best_sha256: of the file of its weights.
        waited: evaluations since then.
        held: figures of the last evaluation.
        seconds: of training, over all sessions.
        early: whether the run stopped because nothing became better.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    best_figures: dict[str, float] = field(default_factory=dict)
    best_sha256: str = ""
    waited: int = 0
    held: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    early: bool = False


class Group(Protocol):
    """The processes that train together; a run of one process is :class:`Alone`."""

    rank: int
    world: int

    def wrap(self, objective: Objective) -> nn.Module:
        """The objective with gradients averaged over the processes."""
        ...

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        ...

    def agree(self, value: bool) -> bool:
        """Whether any process says so."""
        ...

    def gather(self, values: Tensor) -> Tensor:
        """Values of all processes in the order of the whole batch."""
        ...

    def share(self, value: Any) -> Any:
        """What the first process has, for all."""
        ...


class Alone:
    """A group of one."""

    rank, world = 0, 1

    def wrap(self, objective: Objective) -> nn.Module:
        """The objective itself."""
        return objective

    def mean(self, values: Tensor) -> Tensor:
        """The values themselves."""
        return values

    def agree(self, value: bool) -> bool:
        """What was said."""
        return value

    def gather(self, values: Tensor) -> Tensor:
        """The values themselves."""
        return values

    def share(self, value: Any) -> Any:
        """The value itself."""
        return value


class Loop:
    """One training run between its first and its last step.

    Args:
        recipe, task, data, objective: what is trained, and on what.
        folder: of the run; only the first process of a group writes there.
        device: of the network.
        group: the processes that train together.
        report: told where the run stands, at every line of the metrics.
        stop: asked after each step; True ends the session with a checkpoint.
    """

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        data: Data,
        objective: Objective,
        folder: Path,
        device: torch.device,
        *,
        group: Group | None = None,
        report: Callable[[Progress], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self.recipe, self.task, self.data, self.folder, self.device = recipe, task, data, folder, device
        self.digest = recipe.digest
        self.group: Group = group or Alone()
        self.report, self.stop = report, stop or (lambda: False)
        memory = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.objective = objective.to(device=device, memory_format=memory)
        self.network = objective.network
        self.optimiser = make_optimiser(recipe.optimiser, self.objective)
        self.parameters = [p for p in self.objective.parameters() if p.requires_grad]
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16")
        self.average = Average(self.network, recipe.ema) if recipe.ema else None
        self.augment = [augmentations[part.name](**part.parameters) for part in recipe.augment]
        self.teacher = teachers[recipe.teacher.name](**recipe.teacher.parameters) if recipe.teacher else None
        self.sampler: Sampler = samplers[recipe.sampler.name](data.train.columns, **recipe.sampler.parameters)
        self.learns = type(self.sampler).observe is not PartSampler.observe
        self.standing = Standing()
        self.window = Window()
        self.metrics = Metrics(folder if self.group.rank == 0 else None)
        self._pending: list[Any] = []
        self._remaining, self._tried = math.nan, False

    # --------------------------------------------------------------------------------------------------- the session

    def run(self) -> Ending:
        """Train until the last step, until nothing becomes better, or until asked to stop.

        Raises:
            NotFiniteError: a loss or gradient is no number; the batch is saved.
            CheckpointError, StorageError: the folder cannot be written; the earlier checkpoint is intact.
            LoaderError: the processes that prepare batches died.
        """
        recipe, standing = self.recipe, self.standing
        wrapped = self.group.wrap(self.objective)
        loader = Loader(
            self.data.train,
            self.sampler,
            size=recipe.batch,
            seed=recipe.seed,
            steps=recipe.steps,
            ahead=recipe.loader.ahead,
            workers=recipe.loader.workers,
            rank=self.group.rank,
            world=self.group.world,
        )
        began, first, before = time.monotonic(), standing.step, standing.seconds
        try:
            loader.start(standing.step, self._pending)
            while standing.step < recipe.steps and not standing.early:
                self._step(wrapped, loader)
                step = standing.step
                last = step == recipe.steps
                standing.seconds = before + time.monotonic() - began
                if self.window.steps >= self._log_every or last:
                    self._log(began, first)
                if step % recipe.evaluations == 0 or last:
                    self._evaluate()
                stopping = self.group.agree(self.stop()) and not last and not standing.early
                if step % recipe.checkpoints == 0 or last or stopping or standing.early:
                    standing.seconds = before + time.monotonic() - began
                    self._checkpoint(loader)
                if stopping:
                    return "interrupted"
        finally:
            loader.close()
            self.metrics.close()
        return "stopped early" if standing.early else "finished"

    @property
    def _log_every(self) -> int:
        return max(1, min(self.recipe.steps // 200, 50))

    # ------------------------------------------------------------------------------------------------------ one step

    def _step(self, wrapped: nn.Module, loader: Loader) -> None:
        recipe, step = self.recipe, self.standing.step
        started = time.monotonic()
        ready = loader.take()
        loader.fill()  # before this step's losses are observed, so that the order never depends on timing
        batch = self._batch(ready)
        seed_everything(derived(recipe.seed, "step", step, self.group.rank))
        wrapped.train()
        lr = self._set_rate(step)
        self.optimiser.zero_grad(set_to_none=True)
        answer = self._answer(wrapped, batch)
        names = list(answer.parts)
        values = self.group.mean(torch.stack([answer.total.detach(), *(answer.parts[name] for name in names)]))
        if not math.isfinite(float(values[0])):  # the mean over all processes: they all stop
            raise self._not_finite("The loss", ready, batch)
        self.scaler.scale(answer.total).backward()
        self.scaler.unscale_(self.optimiser)
        norm = self._gradient_norm()
        if not self.scaler.is_enabled() and not math.isfinite(norm):
            raise self._not_finite("The gradient", ready, batch)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.network)
        if self.learns and answer.each is not None:
            losses = self.group.gather(answer.each.detach())
            self.sampler.observe(ready.indices, losses.cpu().numpy().astype(np.float32))
        self.standing.step += 1
        whole, *each = values.tolist()
        self.window.add(whole, dict(zip(names, each)), norm, lr, recipe.batch, time.monotonic() - started)

    def _batch(self, ready: Ready) -> dict[str, Tensor]:
        """The tensors on the device, augmented, with what the teacher says."""
        batch = {name: value.to(self.device, non_blocking=True) for name, value in ready.tensors.items()}
        if self.augment:
            seed = derived(self.recipe.seed, "augment", ready.step, self.group.rank)
            seed_everything(seed)
            generator = torch.Generator(self.device).manual_seed(seed)
            for part in self.augment:
                batch = dict(part(batch, generator))
        if self.teacher is not None:
            with torch.no_grad():
                batch.update(self.teacher(batch["input"]))
        if self.recipe.channels_last and batch["input"].ndim == 4:
            batch["input"] = batch["input"].contiguous(memory_format=torch.channels_last)
        return batch

    def _answer(self, wrapped: nn.Module, batch: Mapping[str, Tensor]) -> Answer:
        try:
            found: Answer = wrapped(batch, wants_each=self.learns)
        except torch.OutOfMemoryError as error:
            raise DeviceError(f"The device is out of memory: {error}", hint="Lower `batch`.") from None
        except (RuntimeError, IndexError) as error:
            if self._tried:
                raise
            shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in batch.items())
            raise UsageError(
                f"the network or a loss does not take the batches ({shapes}): {str(error).splitlines()[0]}",
                hint="Compare the task's sizes with the `network` entry of the recipe"
                + (", or set `compile: false`." if self.recipe.compile else "."),
            ) from error
        self._tried = True
        return found

    def _set_rate(self, step: int) -> float:
        factor = self.recipe.schedule.factor(step, self.recipe.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.optimiser.lr * group["share"] * factor
        return self.recipe.optimiser.lr * factor

    def _gradient_norm(self) -> float:
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if self.recipe.gradient_clip:
            return float(torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.gradient_clip))
        return float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0

    def _not_finite(self, what: str, ready: Ready, batch: Mapping[str, Tensor]) -> NotFiniteError:
        """Save the batch that caused it, as it was after augmentation."""
        step = self.standing.step + 1
        name = f"not-finite-step-{step}" + (f"-rank-{self.group.rank}" if self.group.world > 1 else "") + ".pt"
        path = self.folder / name
        stream = io.BytesIO()
        tensors = {key: value.detach().cpu() for key, value in batch.items()}
        torch.save(plain({"step": step, "indices": ready.own, "batch": tensors}), stream)
        saved = f"The batch is in {path}"
        try:
            write_bytes(path, stream.getvalue())
        except StorageError as error:
            saved = f"The batch could not be saved ({error.message})"
        return NotFiniteError(
            f"{what} of step {step} is no number.",
            step=step,
            batch=str(path),
            hint=f"{saved}: look at it, lower `optimiser.lr` or set `gradient_clip`.",
        )

    # ------------------------------------------------------------------------------- evaluation, lines, checkpoints

    def _evaluate(self) -> None:
        """Measure on the held-back samples; keep the weights if they are the best so far."""
        standing, task = self.standing, self.task
        figures = None
        if self.group.rank == 0:
            figures = self._measured()
            if task.monitor not in figures:
                raise UsageError(
                    f"the task {self.recipe.task.name} measures no {task.monitor!r}, which it wants to stop by.",
                    hint=f"It measures {', '.join(figures)}.",
                )
        figures = dict(self.group.share(figures))
        standing.held = figures
        value = figures[task.monitor]
        least = self.recipe.early_stopping.least if self.recipe.early_stopping else 0.0
        better = math.isfinite(value) and (
            standing.best is None or (value - standing.best if task.larger_is_better else standing.best - value) > least
        )
        if better:
            standing.best, standing.best_step, standing.best_figures = value, standing.step, figures
            standing.waited = 0
            if self.group.rank == 0:
                standing.best_sha256 = save_weights(self.folder / NEXT, self.weights())
        else:
            standing.waited += 1
        if self.recipe.early_stopping and standing.waited >= self.recipe.early_stopping.patience:
            standing.early = standing.step < self.recipe.steps
        self.metrics.add({"step": standing.step, "held": figures, "best": better})
        self._tell(evaluated=True)

    def _measured(self) -> dict[str, float]:
        seed_everything(derived(self.recipe.seed, "measure"))
        self.objective.eval()
        with torch.no_grad():
            if self.average is None:
                found = self.task.measure(self.network, self.data.held)
            else:
                with self.average.applied(self.network):
                    found = self.task.measure(self.network, self.data.held)
        return {name: float(value) for name, value in found.items()}

    def weights(self) -> dict[str, Tensor]:
        """Copies of the network's weights, the running mean where the recipe has one."""
        own = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        return {**own, **{k: v.clone() for k, v in self.average.values.items()}} if self.average else own

    def _log(self, began: float, first: int) -> None:
        line = {"step": self.standing.step, **self.window.summary(), "seconds": round(self.standing.seconds, 2)}
        self.metrics.add(line)
        per_step = (time.monotonic() - began) / (self.standing.step - first)
        self._remaining = per_step * (self.recipe.steps - self.standing.step)
        self._tell()
        self.window.clear()

    def _tell(self, *, evaluated: bool = False) -> None:
        if self.report is None or self.group.rank != 0:
            return
        last = self.window.last
        standing = self.standing
        self.report(
            Progress(
                standing.step,
                self.recipe.steps,
                last.get("loss", math.nan),
                last.get("samples_per_second", 0.0),
                self._remaining,
                standing.held,
                standing.best_step,
                evaluated,
            )
        )

    def _checkpoint(self, loader: Loader) -> None:
        self.metrics.sync()
        if self.group.rank == 0:
            save_checkpoint(self.folder, {**self.state(), "pending": loader.pending()})
            if self.standing.best_sha256:
                promote_best(self.folder, self.standing.best_sha256)

    def state(self) -> dict[str, Any]:
        """Everything that a later session needs to go on as if nothing had happened, but for the batches drawn."""
        return {
            "recipe": self.digest,
            "standing": vars(self.standing).copy(),
            "network": self.network.state_dict(),
            "losses": self.objective.losses.state_dict(),
            "average": self.average.state() if self.average else {},
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "sampler": self.sampler.state(),
            "window": self.window.state(),
            "metrics": self.metrics.size,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a :meth:`state`; lines of the metrics that came after it are removed."""
        self.network.load_state_dict(state["network"])
        self.objective.losses.load_state_dict(state["losses"])
        if self.average is not None:
            self.average.restore(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.sampler.restore(state["sampler"])
        self.window.restore(state["window"])
        self.standing = Standing(**state["standing"])
        self._pending = list(state["pending"])
        if self.group.rank == 0:
            promote_best(self.folder, self.standing.best_sha256)
        self.metrics.cut(int(state["metrics"]))
