"""Wrong labels by confident learning: out-of-sample probabilities on embeddings, held against each class's own bar.

Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70 (2021): a sample with
the given label i counts as truly j when its probability of j is at least the mean probability of j over the samples
labelled j, j being the likeliest of the classes for which that holds. Off-diagonal counts are suspected errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from samebody.lab.data.errors import TooFewError

FOLDS = 5
REGULARISATION = 1e-2
"""L2 weight on standardised features, per sample."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelNoise:
    """What confident learning found.

    Attributes:
        classes: names, in the order of the matrices.
        probabilities: (n, classes) float64 out-of-sample probabilities.
        joint: (classes, classes) int64 confident counts: given label in rows, what it seems to be in columns.
        suspects: (s,) int64 rows off the diagonal, the surest first.
        suggested: (s,) class index each seems to be.
        margins: (s,) float64 probability of the suggested class less that of the given one, 0-1.
        accuracy: share of samples whose likeliest class is the given one.
        expected_errors: estimated number of wrong labels (the calibrated joint's off-diagonal mass).
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.float64] = field(repr=False)
    joint: NDArray[np.int64]
    suspects: NDArray[np.int64]
    suggested: NDArray[np.int64]
    margins: NDArray[np.float64]
    accuracy: float
    expected_errors: float


def find_label_noise(
    features: NDArray[np.floating[Any]],
    labels: Sequence[str] | NDArray[Any],
    *,
    blocks: Sequence[str] | NDArray[Any] | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    margin: float = 0.0,
) -> LabelNoise:
    """Samples whose label their features contradict.

    Args:
        features: (n, d) embeddings.
        labels: (n,) given classes.
        blocks: (n,) samples of one block (a subject, a capture session) are held out together; ``''`` stands alone.
        folds: of the cross-validation.
        seed: of the folds.
        margin: least difference of probabilities for a suspect, 0-1.

    Raises:
        TooFewError: fewer than two classes, or a class with fewer than two samples or blocks: it cannot be held out.
    """
    given = np.asarray(labels, object)
    classes, target = np.unique(given.astype(str), return_inverse=True)
    names = tuple(classes.tolist())
    held = fold_numbers(target, blocks, folds, seed, names)
    probabilities = out_of_sample(np.asarray(features, np.float64), target, len(names), held)
    return confident_learning(probabilities, target, names, margin)


def confident_learning(
    probabilities: NDArray[np.float64], target: NDArray[np.int64], names: tuple[str, ...], margin: float = 0.0
) -> LabelNoise:
    """The confident joint of out-of-sample ``probabilities`` (n, classes) and given class numbers ``target`` (n,)."""
    count, classes = probabilities.shape
    rows = np.arange(count)
    bars = np.array([probabilities[target == k, k].mean() if (target == k).any() else 1.0 for k in range(classes)])
    above = np.where(probabilities >= bars[None, :] - 1e-12, probabilities, -1.0)
    likely = above.argmax(axis=1)
    counted = above[rows, likely] >= 0
    joint = np.zeros((classes, classes), np.int64)
    np.add.at(joint, (target[counted], likely[counted]), 1)
    margins = probabilities[rows, likely] - probabilities[rows, target]
    suspect = counted & (likely != target) & (margins > margin)
    chosen = np.flatnonzero(suspect)
    chosen = chosen[np.argsort(-margins[chosen], kind="stable")]
    sizes = np.bincount(target, minlength=classes)
    share = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1) * sizes[:, None]
    return LabelNoise(
        names,
        probabilities,
        joint,
        chosen,
        likely[chosen],
        margins[chosen],
        float((probabilities.argmax(axis=1) == target).mean()),
        float(share.sum() - np.trace(share)),
    )


def fold_numbers(
    target: NDArray[np.int64],
    blocks: Sequence[str] | NDArray[Any] | None,
    folds: int,
    seed: int,
    names: tuple[str, ...] = (),
) -> NDArray[np.int64]:
    """(n,) the fold in which each sample is held out: blocks whole, classes spread evenly.

    Raises:
        TooFewError: as :func:`find_label_noise`.
    """
    given = np.arange(len(target)).astype(str) if blocks is None else np.asarray(blocks, object).astype(str)
    alone = given == ""
    given = np.where(alone, np.char.add("\0", np.arange(len(target)).astype(str)), given)
    _, number = np.unique(given, return_inverse=True)
    classes = int(target.max(initial=-1)) + 1
    if classes < 2:
        raise TooFewError("confident learning needs two classes and more.", hint="Check the column.")
    thin = [k for k in range(classes) if len(np.unique(number[target == k])) < 2]
    if thin:
        shown = ", ".join(repr(names[k]) if names else str(k) for k in thin[:5])
        raise TooFewError(
            f"{len(thin)} classes have a single sample or a single subject ({shown}), so they cannot be held out.",
            hint="Leave them out (--least), or add samples.",
        )
    random = np.random.default_rng(seed)
    order = random.permutation(int(number.max()) + 1)
    members = [np.flatnonzero(number == block) for block in order]
    members.sort(key=len, reverse=True)
    held = np.zeros((folds, classes))
    fold = np.zeros(len(target), np.int64)
    for rows in members:
        count = np.bincount(target[rows], minlength=classes)
        load = (held[:, count > 0] * count[count > 0]).sum(axis=1) + 1e-6 * held.sum(axis=1)
        chosen = int(load.argmin())
        held[chosen] += count
        fold[rows] = chosen
    return fold


def out_of_sample(
    features: NDArray[np.float64], target: NDArray[np.int64], classes: int, fold: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n, classes) probabilities of a logistic regression that saw no sample of the fold it speaks about."""
    found = np.zeros((len(features), classes))
    for number in np.unique(fold):
        inside = fold == number
        model = LogisticRegression.fit(features[~inside], target[~inside], classes)
        found[inside] = model.probabilities(features[inside])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class LogisticRegression:
    """Multinomial logistic regression with an L2 penalty, fitted by L-BFGS on standardised features.

    Attributes:
        mean, scale: (d,) of the training features.
        weights: (d + 1, classes); the last row is the intercept, which is not penalised.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64] = field(repr=False)

    @classmethod
    def fit(
        cls,
        features: NDArray[np.float64],
        target: NDArray[np.int64],
        classes: int,
        regularisation: float = REGULARISATION,
    ) -> LogisticRegression:
        """Minimise the mean cross-entropy plus half ``regularisation`` times the squared weights."""
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale > 1e-12, scale, 1.0)
        inputs = np.hstack([(features - mean) / scale, np.ones((len(features), 1))])
        wanted = np.eye(classes)[target]

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            weights = flat.reshape(-1, classes)
            logits = inputs @ weights
            log_sum = logsumexp(logits, axis=1)
            value = float((log_sum - (logits * wanted).sum(axis=1)).mean())
            penalised = weights.copy()
            penalised[-1] = 0.0
            value += 0.5 * regularisation * float((penalised**2).sum())
            slope = inputs.T @ (np.exp(logits - log_sum[:, None]) - wanted) / len(inputs) + regularisation * penalised
            return value, slope.ravel()

        start = np.zeros(inputs.shape[1] * classes)
        fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
        return cls(mean, scale, np.asarray(fitted.x, np.float64).reshape(-1, classes))

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, classes) probabilities of (n, d) features."""
        inputs = np.hstack([(features - self.mean) / self.scale, np.ones((len(features), 1))])
        logits = inputs @ self.weights
        shifted: NDArray[np.float64] = np.exp(logits - logsumexp(logits, axis=1)[:, None])
        return shifted
