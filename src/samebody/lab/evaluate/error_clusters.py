"""Errors that resemble each other, by the embeddings of the pictures behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

MOST_CLUSTERS = 12
LEAST_SILHOUETTE = 0.08
"""Below this mean silhouette a division says nothing, and everything stays in one cluster."""


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """Which error belongs to which cluster.

    Attributes:
        labels: (n,) int64 from 0, the largest cluster first; -1 for an error without an embedding.
        silhouette: mean silhouette of the division (Rousseeuw 1987), -1 to 1; 0 for a single cluster.
        medoids: for each cluster, the position of the error that lies closest to all others of it.
        cohesion: for each cluster, the mean cosine of its errors; 1 for a cluster of one.
    """

    labels: NDArray[np.int64]
    silhouette: float
    medoids: tuple[int, ...]
    cohesion: tuple[float, ...]


def pair_features(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, d) unit vectors halfway between the templates of each pair: the look that both pictures share.

    It is symmetric, so that it does not matter which picture was the probe. Opposite templates give zeros.
    """
    middle = first.astype(np.float64) + second.astype(np.float64)
    length = np.linalg.norm(middle, axis=1, keepdims=True)
    return np.asarray(np.divide(middle, length, out=np.zeros_like(middle), where=length > 1e-9))


def cluster(features: NDArray[np.float64], most: int = MOST_CLUSTERS) -> Clustering:
    """Average linkage on cosine distances, cut where the mean silhouette is highest.

    Args:
        features: (n, d) rows of unit length; a row with NaN has no embedding and no cluster.
        most: clusters at most.

    Returns:
        One cluster where no cut reaches a mean silhouette of :data:`LEAST_SILHOUETTE`.
    """
    known = np.flatnonzero(np.isfinite(features).all(axis=1))
    labels = np.full(len(features), -1, dtype=np.int64)
    if not len(known):
        return Clustering(labels, 0.0, (), ())
    distance = np.clip(1 - features[known] @ features[known].T, 0, 2)
    np.fill_diagonal(distance, 0)
    found, best = np.zeros(len(known), dtype=np.int64), 0.0
    if len(known) > 3:
        tree = linkage(squareform(distance, checks=False), method="average")
        for count in range(2, min(most, len(known) - 1) + 1):
            cut = np.unique(fcluster(tree, count, criterion="maxclust"), return_inverse=True)[1].astype(np.int64)
            value = silhouette(distance, cut)
            if value > max(best, LEAST_SILHOUETTE):
                found, best = cut, value
    order = np.argsort(-np.bincount(found), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    labels[known] = rank[found]
    medoids, cohesion = [], []
    for number in range(len(order)):
        inside = np.flatnonzero(labels[known] == number)
        part = distance[np.ix_(inside, inside)]
        medoids.append(int(known[inside[int(part.sum(axis=1).argmin())]]))
        pairs = len(inside) * (len(inside) - 1)
        cohesion.append(1.0 if pairs == 0 else float(1 - part.sum() / pairs))
    return Clustering(labels, best, tuple(medoids), tuple(cohesion))


def silhouette(distance: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean silhouette width (Rousseeuw 1987) of a division; a cluster of one counts 0, a single cluster is 0.

    Args:
        distance: (n, n) symmetric.
        labels: (n,) from 0.
    """
    count = int(labels.max()) + 1
    if count < 2:
        return 0.0
    member = np.eye(count)[labels]
    sizes = member.sum(axis=0)
    sums = distance @ member
    own = sizes[labels]
    rows = np.arange(len(labels))
    inside = sums[rows, labels] / np.maximum(own - 1, 1)
    others = sums / sizes
    others[rows, labels] = np.inf
    nearest = others.min(axis=1)
    width = (nearest - inside) / np.maximum(np.maximum(nearest, inside), 1e-12)
    return float(np.where(own > 1, width, 0.0).mean())
