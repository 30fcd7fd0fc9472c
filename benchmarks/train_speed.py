"""Throughput of the training loop over that of a bare torch loop on the same network and batches, alternating.

    python -m benchmarks.train_speed [--rounds 7] [--steps 25] [--network minifas] [--threads 1]

The bare loop is what a person writes in ten lines: batch, forward, loss, backward, step, ``loss.item()``. Ours also
prepares batches ahead, checks loss and gradient, seeds each step, writes metrics, draws curves, keeps checkpoints.
A ratio of 1 means that all this costs nothing. Evaluation is no part of either; a checkpoint every 25 steps is of ours.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine, spread

SIDE, SAMPLES = 80, 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--network", default="minifas")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        figures = measure(Path(place), chosen)
    ratio, processor = figures["ratio"], figures["processor_ratio"]
    print(
        f"{chosen.network}, batch {chosen.batch}, {SIDE} px, {chosen.threads} thread(s), {chosen.rounds} rounds of "
        f"{chosen.steps} steps: ours over bare {ratio['median']:.3f} "
        f"({ratio['minimum']:.3f} to {ratio['maximum']:.3f}); by processor time "
        f"{processor['median']:.3f} ({processor['minimum']:.3f} to {processor['maximum']:.3f}); "
        f"bare {figures['bare']['median']:.1f} samples/s, ours {figures['ours']['median']:.1f}"
    )
    if chosen.json:
        chosen.json.write_text(json.dumps({**figures, "machine": describe_machine()}, indent=1) + "\n")


def measure(place: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Samples a second of both loops in turn, and their ratio in each round."""
    import torch

    from samebody.lab.train.classify import Pictures
    from samebody.lab.train.environment import repeatable
    from samebody.lab.train.loop import Loop
    from samebody.lab.train.objective import make_network, make_objective
    from samebody.lab.train.recipe import parse_recipe
    from samebody.lab.train.task import Data, losses, samplers, tasks

    random = np.random.default_rng(0)
    np.save(place / "pixels.npy", random.integers(0, 256, (SAMPLES, SIDE, SIDE, 3), np.uint8))
    columns = {"label": np.arange(SAMPLES) % 2}
    source = Pictures(place / "pixels.npy", np.arange(SAMPLES), columns)
    data = Data(source, Pictures(place / "pixels.npy", np.arange(2), {"label": np.arange(2)}), {}, 2)
    text = (
        "recipe: 1\nid: speed\ntask: {name: classify, data_set: none, classes: [a, b], "
        f"size: [{SIDE}, {SIDE}]}}\nnetwork: {{name: {chosen.network}}}\nlosses: [{{name: cross-entropy}}]\n"
        f"batch: {chosen.batch}\nsteps: {chosen.steps}\nthreads: {chosen.threads}\ncheckpoint_every: 25\n"
    )
    recipe = parse_recipe(text)
    task = tasks["classify"](**recipe.task.parameters)

    def ours(number: int) -> tuple[float, float]:
        folder = place / f"run{number}"
        folder.mkdir()
        objective = make_objective(task, recipe, data)
        loop = Loop(recipe, task, data, objective, folder, torch.device("cpu"))
        spent = Clock()
        evaluate = loop._evaluate

        def left_out() -> None:
            start = Clock()
            evaluate()
            spent.leave_out(start)

        loop._evaluate = left_out  # type: ignore[method-assign]
        loop.run()
        return spent.seconds()

    def bare(number: int) -> tuple[float, float]:
        network, loss = make_network(task, recipe, data), losses["cross-entropy"]()
        sampler = samplers["uniform"](columns)
        optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
        network.train()
        clock = Clock()
        for step in range(chosen.steps):
            batch = source.batch(sampler.indices(step, chosen.batch, 0), step)
            optimiser.zero_grad()
            value = loss(network(batch["input"]), batch)
            value.backward()
            optimiser.step()
            value.item()
        return clock.seconds()

    samples = chosen.steps * chosen.batch
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
    with repeatable(chosen.threads, True):
        bare(0), ours(-1)  # warm up
        for number in range(chosen.rounds):
            pair = (("ours", ours), ("bare", bare)) if number % 2 else (("bare", bare), ("ours", ours))
            for name, run in pair:
                found[name].append(run(number))
    pairs = list(zip(found["ours"], found["bare"]))
    figures = {name: spread([samples / wall for wall, _ in values]) for name, values in found.items()}
    figures["ratio"] = spread([theirs[0] / mine[0] for mine, theirs in pairs])
    figures["processor_ratio"] = spread([theirs[1] / mine[1] for mine, theirs in pairs])
    return figures


class Clock:
    """Seconds on the wall and of the processor since it was made."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def seconds(self) -> tuple[float, float]:
        """On the wall, of the processor (all threads)."""
        return time.perf_counter() - self.wall, time.process_time() - self.processor

    def leave_out(self, start: Clock) -> None:
        """Do not count what passed since ``start``."""
        wall, processor = start.seconds()
        self.wall += wall
        self.processor += processor


if __name__ == "__main__":
    main()
