"""Writes the values of one oracle, run inside its own virtual environment: ``python make_values.py bob``.

Environments (Python 3.11, never shipped, never a dependency):
    bob:       bob.measure==6.1.1
    pyeer:     pyeer==0.5.6 "setuptools<81"
    audmetric: audmetric==1.4.2
    lir:       lir==1.3.1
    fairlearn: fairlearn scikit-learn
An oracle that raises on a case has the name of its exception frozen instead of a value.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
warnings.simplefilter("ignore")


def attempt(function, *arguments, **named):
    try:
        return plain(function(*arguments, **named))
    except Exception as error:
        return {"raised": type(error).__name__}


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else repr(float(value))
    if isinstance(value, np.integer):
        return int(value)
    return value


def bob(cases):
    import bob.measure
    import bob.measure.calibration

    found = {}
    for name, case in cases["scores"].items():
        same, other = np.array(case["mated"]), np.array(case["non_mated"])
        found[name] = {
            "farfrr": [attempt(bob.measure.farfrr, other, same, t) for t in case["thresholds"]],
            "far_threshold": [attempt(bob.measure.far_threshold, other, same, t) for t in case["targets"]],
            "eer_threshold": attempt(bob.measure.eer_threshold, other, same),
            "cllr": attempt(bob.measure.calibration.cllr, other, same),
            "min_cllr": attempt(bob.measure.calibration.min_cllr, other, same),
        }
    matrix = np.array(cases["searches"])
    mated = [(np.delete(row, number), row[number : number + 1]) for number, row in enumerate(matrix[:40])]
    every = mated + [(row, None) for row in matrix[40:]]
    thresholds = [-0.2, 0.0, 0.3, 0.5]
    found["searches"] = {
        "thresholds": thresholds,
        "cmc": attempt(bob.measure.cmc, mated),
        "dir": [
            [attempt(bob.measure.detection_identification_rate, every, t, rank) for t in thresholds] for rank in (1, 3)
        ],
        "far": [attempt(bob.measure.false_alarm_rate, every, t) for t in thresholds],
    }
    return found, {"bob.measure": version("bob.measure"), "numpy": version("numpy")}


def pyeer(cases):
    from pyeer.eer_info import get_eer_stats

    def stats(same, other):
        found = get_eer_stats(list(same), list(other))
        return {
            "eer": plain(found.eer),
            "eer_low": plain(found.eer_low),
            "eer_high": plain(found.eer_high),
            "fmr0": plain(found.fmr0),
            "fmr100": plain(found.fmr100),
            "fmr1000": plain(found.fmr1000),
            "fnmr0": plain(found.fnmr0),
            "thresholds": plain(list(found.thrs)) if found.thrs is not None else None,
            "fmr": plain(list(found.fmr)) if found.fmr is not None else None,
            "fnmr": plain(list(found.fnmr)) if found.fnmr is not None else None,
        }

    found = {name: attempt(stats, case["mated"], case["non_mated"]) for name, case in cases["scores"].items()}
    return found, {"pyeer": version("pyeer"), "numpy": version("numpy")}


def audmetric(cases):
    import audmetric

    found = {}
    for name, case in cases["scores"].items():
        truth = [1] * len(case["mated"]) + [0] * len(case["non_mated"])
        scores = case["mated"] + case["non_mated"]
        found[name] = {
            "linkability": {
                str(omega): attempt(audmetric.linkability, truth, scores, omega=omega) for omega in (1.0, 0.25)
            },
            "linkability_7": attempt(audmetric.linkability, truth, scores, nbins=7),
        }
    return found, {"audmetric": version("audmetric"), "numpy": version("numpy")}


def lir(cases):
    from lir.algorithms.isotonic_regression import IsotonicCalibrator
    from lir.data.models import LLRData
    from lir.metrics import cllr, cllr_min

    found = {}
    for name, case in cases["scores"].items():
        scores = np.array(case["mated"] + case["non_mated"])
        truth = np.r_[np.ones(len(case["mated"])), np.zeros(len(case["non_mated"]))]

        def data(scores=scores, truth=truth):
            return LLRData(features=scores[:, None], labels=truth)

        found[name] = {
            # scores are taken as decimal log-likelihood ratios
            "cllr": attempt(lambda data=data: cllr(data())),
            "cllr_min": attempt(lambda data=data: cllr_min(data())),
            "isotonic": attempt(
                lambda scores=scores, truth=truth: IsotonicCalibrator().fit(scores, truth).transform(np.unique(scores))
            ),
        }
    return found, {"lir": version("lir"), "numpy": version("numpy")}


def fairlearn(cases):
    import fairlearn.metrics as fm
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import det_curve

    data = cases["groups"]
    frame = fm.MetricFrame(
        metrics={
            "count": fm.count,
            "fmr": fm.false_positive_rate,
            "fnmr": fm.false_negative_rate,
        },
        y_true=data["mated"],
        y_pred=data["accepted"],
        sensitive_features=data["group"],
    )
    found = {
        "groups": {
            "names": list(frame.by_group.index),
            "fmr": plain(frame.by_group["fmr"].tolist()),
            "fnmr": plain(frame.by_group["fnmr"].tolist()),
            "overall": plain([frame.overall["fmr"], frame.overall["fnmr"]]),
            "min_over_max": plain([frame.ratio()["fmr"], frame.ratio()["fnmr"]]),
            "max_minus_min": plain([frame.difference()["fmr"], frame.difference()["fnmr"]]),
        },
        "scores": {},
    }

    def logistic(same, other):
        scores = np.concatenate([same, other])[:, None]
        truth = np.r_[np.ones(len(same)), np.zeros(len(other))]
        weight = np.r_[np.full(len(same), 0.5 / len(same)), np.full(len(other), 0.5 / len(other))] * len(truth)
        model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=100_000).fit(scores, truth, sample_weight=weight)
        return [model.coef_[0, 0], model.intercept_[0]]

    def isotonic(same, other):
        scores, truth = np.concatenate([same, other]), np.r_[np.ones(len(same)), np.zeros(len(other))]
        model = IsotonicRegression(out_of_bounds="clip").fit(scores, truth)
        return model.predict(np.unique(scores))

    def det(same, other):
        scores, truth = np.concatenate([same, other]), np.r_[np.ones(len(same)), np.zeros(len(other))]
        return det_curve(truth, scores)

    for name, case in cases["scores"].items():
        same, other = np.array(case["mated"]), np.array(case["non_mated"])
        found["scores"][name] = {
            "logistic": attempt(logistic, same, other) if name != "separated" and "constant" not in name else None,
            "isotonic": attempt(isotonic, same, other),
            "det": attempt(det, same, other),
        }
    return found, {name: version(name) for name in ("fairlearn", "scikit-learn", "numpy")}


def main() -> None:
    name = sys.argv[1]
    cases = json.loads((HERE / "cases.json").read_text())
    values, versions = {"bob": bob, "pyeer": pyeer, "audmetric": audmetric, "lir": lir, "fairlearn": fairlearn}[name](
        cases
    )
    (HERE / f"{name}.json").write_text(json.dumps({"versions": versions, "values": values}) + "\n")


if __name__ == "__main__":
    main()
