"""Explanations from inside a trained network: Grad-CAM and integrated gradients, by captum."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import captum.attr
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from samebody.errors import UsageError
from samebody.explain import Saliency
from samebody.explain.errors import ScoreFunctionError
from samebody.explain.masks import Fill, covered
from samebody.explain.score import PictureScore
from samebody.lab.train.run import OpenedRun
from samebody.types import Pixels

LEAST_MAP = 2
"""Shorter side of a layer's maps from which on they say where something is."""


class Score(nn.Module):
    """One number of a network's answer: [n, c, h, w] to [n].

    Args:
        network: as a task exports it; answers [n], or [n, k].
        index: which of the k numbers; None where there is only one.
        against: float [k]: the answer is an embedding, and the number is its cosine with this one.
    """

    def __init__(self, network: nn.Module, *, index: int | None = None, against: Tensor | None = None) -> None:
        super().__init__()
        self.network, self.index, self.against = network, index, against

    def forward(self, x: Tensor) -> Tensor:
        """The number of each sample."""
        answer = self.network(x)
        flat: Tensor = answer.reshape(len(x), -1)
        if self.against is not None:
            return functional.cosine_similarity(flat, self.against.reshape(1, -1).expand_as(flat), dim=1)
        if self.index is None and flat.shape[1] != 1:
            raise UsageError(
                f"the network answers with {flat.shape[1]} numbers.",
                hint="Name one (--index), or compare embeddings with those of another picture (--against).",
            )
        if not 0 <= (self.index or 0) < flat.shape[1]:
            raise UsageError(f"the network has no number {self.index}: it answers with {flat.shape[1]}.")
        return flat[:, self.index or 0]


class RunExplainer:
    """Maps of one training run.

    Args:
        run: as :func:`samebody.lab.train.run.open_run` gives it.
        index: which number of the answer is explained; None where there is only one.
        against: (h, w, 3) uint8: explain the cosine with the embedding of this picture.

    Raises:
        UsageError: the run's network does not take one colour picture.
    """

    def __init__(self, run: OpenedRun, *, index: int | None = None, against: Pixels | None = None) -> None:
        self.run = run
        network, example = run.task.exported(run.network)
        if example.input.ndim != 4 or example.input.shape[1] != 3:
            raise UsageError(
                f"this run takes an input of shape {list(example.input.shape)}, not a colour picture.",
                hint="Export it (`samebody ship`) and explain the record.",
            )
        self.size = (int(example.input.shape[2]), int(example.input.shape[3]))
        self.network = network.eval()
        template = None
        if against is not None:
            with torch.no_grad():
                template = self.network(self.tensor(self.fitted(against)[None])).reshape(-1)
        self.score = Score(self.network, index=index, against=template)

    @property
    def what(self) -> str:
        """Name of the number in running text."""
        if self.score.against is not None:
            return "similarity"
        return "score" if self.score.index is None else f"output {self.score.index}"

    def choose_largest(self, picture: Pixels) -> None:
        """Explain the largest number of the answer to ``picture``, where there are several."""
        with torch.no_grad():
            answer = self.network(self.tensor(picture[None])).reshape(-1)
        if answer.numel() > 1:
            self.score.index = int(answer.argmax())

    def fitted(self, picture: Pixels) -> Pixels:
        """The picture at the network's size: (h, w, 3) uint8."""
        height, width = self.size
        shrinks = picture.shape[0] * picture.shape[1] > height * width
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, (width, height), interpolation=how), dtype=np.uint8)

    def tensor(self, pictures: Pixels) -> Tensor:
        """(n, h, w, 3) uint8 of the network's size to its input."""
        return self.run.task.pictures(pictures)

    def picture_score(self) -> PictureScore:
        """The number as a score function, for the methods of :mod:`samebody.explain` and for judging."""

        def score(pictures: Pixels) -> NDArray[np.float64]:
            with torch.no_grad():
                found = self.score(self.tensor(pictures))
            return np.asarray(found.double().numpy())

        return score

    def grad_cam(self, picture: Pixels, layer: str = "") -> Saliency:
        """Grad-CAM (Selvaraju et al., ICCV 2017): maps of a layer, weighted by the mean gradient of the score.

        The sum is kept signed (the paper cuts it at 0), so that what opposes the score is seen too. Unit: of the score
        times that of the layer.

        Args:
            picture: (h, w, 3) uint8 of the network's size.
            layer: name of a module of the exported network; by default the last one whose maps have at least
                :data:`LEAST_MAP` pixels a side.

        Raises:
            UsageError: there is no such layer, or it has no maps.
        """
        x = self.tensor(picture[None])
        maps = self.layers(x)
        name = layer or next(reversed(maps), "")
        if name not in maps:
            raise UsageError(
                f"the network has no layer {layer!r} with maps." if layer else "the network has no layer with maps.",
                hint=f"It has: {', '.join(list(maps)[-8:])}." if maps else "Use integrated gradients.",
            )
        module = dict(self.network.named_modules())[name]
        method = captum.attr.LayerGradCam(self.score, module)
        found = method.attribute(x, relu_attributions=False)
        large = functional.interpolate(found.detach(), size=self.size, mode="bilinear", align_corners=False)
        return self._map(large[0, 0], x, "gradcam", 1, {"layer": name, "side": min(found.shape[2:])})

    def integrated_gradients(self, picture: Pixels, *, steps: int = 64, fill: Fill = "mean") -> Saliency:
        """Integrated gradients (Sundararajan, Taly and Yan, ICML 2017) from the covered picture to the picture.

        The map adds up to the difference of the two scores, but for the error of the sum over ``steps``, which stands
        in the parameters as ``completeness_error``. Unit: of the score.

        Args:
            picture: (h, w, 3) uint8 of the network's size.
            steps: points on the way, at least 8.
            fill: the picture the way begins at.

        Raises:
            UsageError: too few steps.
        """
        if steps < 8:
            raise UsageError(f"{steps} steps are too few for an integral.", hint="Take 32 or more.")
        x, base = self.tensor(picture[None]), self.tensor(covered(picture, fill)[None])
        method = captum.attr.IntegratedGradients(self.score)
        found, delta = method.attribute(
            x, baselines=base, n_steps=steps, internal_batch_size=16, return_convergence_delta=True
        )
        settings = {"steps": steps, "fill": fill, "completeness_error": float(delta.abs().max())}
        return self._map(found[0].detach().sum(dim=0), x, "integrated-gradients", steps, settings)

    def layers(self, x: Tensor) -> dict[str, tuple[int, int]]:
        """Convolutions that answer with maps, in the order they run: name to height and width of the maps."""
        sizes: dict[str, tuple[int, int]] = {}

        def noted(name: str) -> Callable[[nn.Module, object, object], None]:
            def hook(module: nn.Module, given: object, answer: object) -> None:
                if isinstance(answer, Tensor) and answer.ndim == 4 and min(answer.shape[2:]) >= LEAST_MAP:
                    sizes[name] = (int(answer.shape[2]), int(answer.shape[3]))

            return hook

        hooks = [
            module.register_forward_hook(noted(name))
            for name, module in self.network.named_modules()
            if isinstance(module, nn.Conv2d)
        ]
        try:
            with torch.no_grad():
                self.network(x)
        finally:
            for handle in hooks:
                handle.remove()
        return sizes

    def _map(self, values: Tensor, x: Tensor, name: str, evaluations: int, settings: Mapping[str, object]) -> Saliency:
        with torch.no_grad():
            score = float(self.score(x)[0])
        if not np.isfinite(score) or not torch.isfinite(values).all():
            raise ScoreFunctionError("the network answered with NaN or infinity.", hint="Check the run's curves.")
        return Saliency(values.float().numpy(), name, score, evaluations, 0.0, settings)
