"""Train the MRZ cell network on seeded pictures of lines and export it as ONNX.

    python -m benchmarks.mrz_cells.train --font OCRB.otf:0.6 --font OCRBS.otf:0.4 --out mrz_cells.onnx

Needs torch (2.13.0 was used) beside what samebody needs, in an environment of its own; the runtime never needs torch.
The network sees grey strips, 32 pixels high, 20 per character, and gives for every 4 pixels a distribution over a gap
and the 37 characters of Doc 9303-3 clause 4.3.
"""

from __future__ import annotations

import argparse
import queue
import time
from pathlib import Path

import numpy as np
import torch
from torch import multiprocessing, nn

from benchmarks.mrz_cells.lines import load_cut, sample
from samebody.document.mrz_strip import ALPHABET, STRIP_HEIGHT


def block(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]
) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def network() -> nn.Module:
    """About 0.2 million weights; sees two and a half cells; one output column per 4 pixels."""
    return nn.Sequential(
        block(1, 16, (5, 5), (2, 2), (2, 2)),
        block(16, 32, (3, 3), (2, 1), (1, 1)),
        block(32, 48, (3, 3), (1, 1), (1, 1)),
        block(48, 64, (3, 3), (2, 2), (1, 1)),
        block(64, 64, (3, 3), (1, 1), (1, 1)),
        block(64, 96, (4, 3), (1, 1), (0, 1)),
        block(96, 96, (1, 5), (1, 1), (0, 2)),
        nn.Dropout2d(0.05),
        nn.Conv2d(96, 1 + len(ALPHABET), (1, 1)),
    )


def produce(fonts: list[tuple[str, float]], seed: int, out: multiprocessing.Queue, batch: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    cuts = [load_cut(Path(path), share) for path, share in fonts]
    rng = np.random.default_rng(seed)
    while True:
        pairs = [pair for _ in range(batch // 4) for pair in sample(cuts, rng)]
        out.put((np.stack([p[0] for p in pairs]).astype(np.float16), np.stack([p[1] for p in pairs]).astype(np.int8)))


def export(model: nn.Module, path: Path) -> None:
    """Softmax over the classes, (batch, columns, 38); batch and width are free."""
    model.eval()

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = model

        def forward(self, strips: torch.Tensor) -> torch.Tensor:
            return torch.log_softmax(self.body(strips)[:, :, 0], dim=1).transpose(1, 2)

    example = torch.zeros(1, 1, STRIP_HEIGHT, 640)
    torch.onnx.export(
        Reader(),
        (example,),
        str(path),
        dynamo=False,
        input_names=["strips"],
        output_names=["log_posteriors"],
        dynamic_axes={"strips": {0: "batch", 3: "width"}, "log_posteriors": {0: "batch", 1: "columns"}},
        opset_version=17,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--font", action="append", required=True, help="PATH:SHARE, shares add up to 1")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--producers", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--keep", type=int, default=250, help="batches kept for replay")
    parser.add_argument("--resume", type=Path)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    fonts = [(path, float(share)) for path, share in (text.rsplit(":", 1) for text in options.font)]
    context = multiprocessing.get_context("fork")
    feed: multiprocessing.Queue = context.Queue(maxsize=30)
    workers = [
        context.Process(target=produce, args=(fonts, options.seed + 1000 * (k + 1), feed, options.batch), daemon=True)
        for k in range(options.producers)
    ]
    for worker in workers:
        worker.start()
    model = network()
    if options.resume:
        model.load_state_dict(torch.load(options.resume, weights_only=True))
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=1e-3)
    loss_of = nn.CrossEntropyLoss(ignore_index=-1, label_smoothing=0.01)
    model.train().to(memory_format=torch.channels_last)
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    start, steps, running, right, total, saved = time.monotonic(), 0, 0.0, 0, 0, 0.0
    while (spent := time.monotonic() - start) < options.seconds:
        # One cosine over the time given, with a short warm-up: the budget is in seconds, machines differ.
        progress = spent / options.seconds
        rate = options.rate * min(1.0, (steps + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * progress)) + 1e-5
        for group in optimiser.param_groups:
            group["lr"] = rate
        # Producers are slower than the network learns: a batch is seen again, mixed with others, before it is dropped.
        try:
            kept.append(feed.get(timeout=60 if not kept else 0.001))
            kept = kept[-options.keep :]
        except queue.Empty:
            if not kept:
                continue
        draws = [
            (int(torch.randint(len(kept), ())), torch.randperm(options.batch)[: options.batch // 4]) for _ in range(4)
        ]
        strips = np.concatenate([kept[which][0][order.numpy()] for which, order in draws])
        labels = np.concatenate([kept[which][1][order.numpy()] for which, order in draws])
        inputs = torch.from_numpy(strips.astype(np.float32))[:, None].to(memory_format=torch.channels_last)
        goal = torch.from_numpy(labels.astype(np.int64))
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(inputs)[:, :, 0].float()
        loss = loss_of(logits, goal)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
        running += float(loss.detach())
        mask = goal > 0
        right += int((logits.argmax(1)[mask] == goal[mask]).sum())
        total += int(mask.sum())
        if steps % 200 == 0:
            print(
                f"{spent:6.0f} s step {steps} loss {running / 200:.4f} right {right / total:.4f} queue {feed.qsize()}",
                flush=True,
            )
            running, right, total = 0.0, 0, 0
        if spent - saved > 240:
            saved = spent
            torch.save(model.state_dict(), options.out.with_suffix(".pt"))
            export(model, options.out)
            model.train()
    torch.save(model.state_dict(), options.out.with_suffix(".pt"))
    export(model, options.out)


if __name__ == "__main__":
    main()
