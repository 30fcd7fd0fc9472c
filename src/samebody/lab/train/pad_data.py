"""Pairs as samples of training: pictures decoded from their shards, viewed by draws that both of a pair share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samebody.errors import StorageError
from samebody.lab.train.pad_redraw import HOSTS, redrawn
from samebody.lab.train.pad_views import Change, ViewParameters, draw_view, straight_view
from samebody.types import Pixels


class PadSource:
    """Pictures of pairs; sample 2k and 2k + 1 are the bona fide twin and the attack of pair k.

    Attributes:
        columns: ``label`` (1 = bona fide), ``species`` and ``family`` (of the attack, for its twin too), ``pair``,
            ``subject``.
        rows: of the pair set.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], views: ViewParameters) -> None:
        self.rows = rows
        self.view_parameters = views
        self._boxes = np.array([row["box"] for row in rows], np.float32).reshape(-1, 4)
        self._pair = np.array([row["pair"] for row in rows], np.int64)
        self.columns: Mapping[str, NDArray[Any]] = {
            "label": np.array([row["label"] for row in rows], np.int64),
            "species": np.array([row["species"] for row in rows]),
            "family": np.array([f"{row['species']}/{row['family']}" for row in rows]),
            "pair": self._pair,
            "subject": np.array([row["person"] for row in rows]),
        }

    def __len__(self) -> int:
        return len(self.rows)

    def picture(self, index: int) -> Pixels:
        """(h, w, 3) uint8 RGB: the decoded file.

        Raises:
            StorageError: the shard is damaged.
        """
        row = self.rows[index]
        data = _shard(row["file"])[row["offset"] : row["offset"] + row["bytes"]]
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if decoded is None:
            raise StorageError(f"{row['file']} is damaged.", hint="Delete it and its .jsonl; they are made again.")
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)

    def batch(self, indices: NDArray[np.int64], seed: int) -> dict[str, Tensor]:
        """``input`` float32 [n, 3, side, side] 0-255 and ``label`` int64 [n]."""
        side = self.view_parameters.side
        views = np.empty((len(indices), side, side, 3), np.uint8)
        for place, index in enumerate(indices):
            random = np.random.default_rng([seed, int(self._pair[index])])
            shown, change = int(index), self._redraw(int(index), seed)
            if change is not None and not self.columns["label"][index]:
                shown -= 1  # drawn over its twin
            views[place] = draw_view(self.picture(shown), self._boxes[index], self.view_parameters, random, change)
        return {
            "input": torch.from_numpy(views).permute(0, 3, 1, 2).float(),
            "label": torch.from_numpy(self.columns["label"][indices]),
        }

    def _redraw(self, index: int, seed: int) -> Change | None:
        """What both of a pair go through when its attack is drawn anew; the twin is left as it is."""
        random = np.random.default_rng([seed, int(self._pair[index]), 1])
        if random.random() >= self.view_parameters.redraw or self.columns["species"][index] not in HOSTS:
            return None
        if self.columns["label"][index]:
            return lambda part: part
        return lambda part: redrawn(part, random)

    def straight(self, indices: Iterable[int], reaches: Sequence[float]) -> NDArray[np.uint8]:
        """(n, views, side, side, 3): what the runtime looks at, without draws."""
        side = self.view_parameters.side
        found = []
        for index in indices:
            picture = self.picture(int(index))
            found.append(np.stack([straight_view(picture, self._boxes[index], side, reach) for reach in reaches]))
        return np.stack(found)


@lru_cache(maxsize=512)
def _shard(path: str) -> NDArray[np.uint8]:
    try:
        return np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {error}.", hint="Delete its .jsonl; it is made again.") from None
