"""The measurement of an iris encoder as a page of Markdown: failures, rates with intervals, limits, credits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samebody.lab.evaluate.iris_run import FOLD_TARGETS, IrisMeasurement, Variant
from samebody.lab.evaluate.iris_scores import EerEstimate, Rates
from samebody.measure import RateEstimate

_BIN = 0.02


def iris_page(measurement: IrisMeasurement, command: str) -> str:
    """Markdown of a measurement; ``command`` is what made it."""
    record, source = measurement.record, measurement.encoded.source
    made_up = " on synthetic irises" if source.synthetic else ""
    whom = "drawn identities" if source.synthetic else "people"
    parts = [
        f"# Operating points of {record.label}{made_up}",
        f"Made by `{command}`; the same figures come out again with the same pictures, code and seed. A score is 1 "
        "minus "
        "the normalised fractional Hamming distance, the best of "
        f"{2 * measurement.comparison.rotations + 1} rotations; a comparison is accepted when `score >= threshold`. "
        f"Embedding space `{record.embedding_space().digest}`. Metrics follow ISO/IEC 19795-1:2021.",
        "**These eyes are drawn by a generator. The figures show that the software works, and say nothing about "
        "people.**"
        if source.synthetic
        else "",
        _failures(measurement),
        "## In short",
        _short(measurement),
        "## Two-fold: thresholds of one half of the people, rates on the other",
        "Every second person makes the first half; the two directions are pooled. GFRR counts mated pairs with a "
        "refused "
        f"picture as non-matches, so that quality gates cannot buy a better FNMR. {_pairs(measurement.main)}",
        _fold_table(measurement.folds),
        "## Thresholds on all people",
        "What the record carries, measured where it was set. FNMR is over the pairs that were compared; GFRR stands "
        "beside it." + (" They do not go into a model record." if source.synthetic else ""),
        _rates_table(measurement.main.rates),
        _extrapolated(measurement),
        "## Other ways to compare the same pictures",
        *(_variant(variant) for variant in measurement.variants),
        "## Scores",
        _histogram(measurement.main),
        "## Time",
        _time(measurement),
        "## What these figures do not say",
        _limits(measurement),
        "## Data",
        f"- {source.credit} {len(source.samples):,} pictures of {len(source.people)} {whom}. SHA-256 over the sorted "
        "lines "
        f"`sha256  file`: `{source.digest}`. No picture is part of this project." + _refused(measurement),
        f"- Bootstrap: {measurement.options.replicates:,} replicates, seed {measurement.options.seed}, "
        f"{100 * measurement.options.level:g} % intervals, over people for mated pairs and over the vertices of the "
        "pair "
        "graph for non-mated ones.",
        "## Machine",
        "; ".join(f"{name} {value}" for name, value in measurement.machine.items()) + ".",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _failures(m: IrisMeasurement) -> str:
    encoded = m.encoded
    low, high = encoded.failure_interval()
    reasons = ", ".join(f"{reason} {count}" for reason, count in encoded.reason_counts().items()) or "-"
    eyes = len({sample.eye_class for sample in encoded.source.samples})
    return _table(
        ["pictures", "refused", "failure to enrol, by picture [95 %]", "eyes that never enrolled", "first reasons"],
        [
            [
                f"{len(encoded.templates):,}",
                str(encoded.failed),
                f"{_share(encoded.failed / len(encoded.templates))} [{_share(low)}, {_share(high)}]",
                f"{encoded.failed_eyes} of {eyes}",
                reasons,
            ]
        ],
    )


def _short(m: IrisMeasurement) -> str:
    eer = m.main.eer
    lines = [
        f"- EER {_eer(eer)} (convention "
        f"`{eer.rate.convention}`, at {eer.rate.threshold:.4f}); with refused pictures as non-matches "
        f"{_share(eer.generalised)}. It gates nothing.",
    ]
    for rates in m.folds:
        lines.append(
            f"- FMR {rates.target:g}, two-fold: FNMR {_percentage(rates.fnmr)}, GFRR {_percentage(rates.gfrr)}, "
            f"realised FMR {_rate(rates.fmr)}."
        )
    missing = [target for target in FOLD_TARGETS if target not in {rates.target for rates in m.folds}]
    lines += [f"- FMR {target:g}, two-fold: too few non-mated pairs in a half." for target in missing]
    return "\n".join(lines)


def _pairs(variant: Variant) -> str:
    trials = variant.trials
    apart = sum(trials.not_comparable)
    return (
        f"{trials.mated.size:,} mated and {trials.non_mated.size:,} non-mated pairs of {trials.people} people; "
        f"{trials.lost_person.size:,} mated pairs were lost to refused pictures"
        + (f"; {apart} pairs share too few usable bits and count as non-matches." if apart else ".")
    )


def _fold_table(folds: Sequence[Rates]) -> str:
    rows = [
        [
            f"{rates.target:g}",
            " / ".join(f"{threshold.value:.4f}" for threshold in rates.thresholds),
            _rate(rates.fmr),
            f"{rates.fmr.errors} ({_effective(rates.fmr)})",
            _percentage(rates.fnmr),
            _percentage(rates.gfrr),
            _mark(rates),
        ]
        for rates in folds
    ]
    head = ["FMR asked", "thresholds", "FMR on the other half [95 %]", "errors (effective)"]
    return _table([*head, "FNMR [95 %]", "GFRR [95 %]", "mark"], rows)


def _rates_table(rates: Sequence[Rates]) -> str:
    rows = [
        [
            f"{found.target:g}",
            f"{found.thresholds[0].value:.4f}",
            _rate(found.fmr),
            f"{found.fmr.errors} ({_effective(found.fmr)})",
            _percentage(found.fnmr),
            _percentage(found.gfrr),
            _mark(found),
        ]
        for found in rates
    ]
    head = ["FMR asked", "threshold", "FMR realised [95 %]", "errors (effective)"]
    return _table([*head, "FNMR [95 %]", "GFRR [95 %]", "mark"], rows)


def _extrapolated(m: IrisMeasurement) -> str:
    if not m.beyond and not m.refused:
        return ""
    rows = [
        [
            f"{point.threshold.target:g}",
            f"{point.threshold.value:.4f}",
            f"{point.extrapolation.estimate:.4f}" if point.extrapolation else "-",
            _percentage(point.fnmr),
        ]
        for point in m.beyond
    ]
    text = (
        "### Beyond the measured tail\n\nExtrapolated by a generalised Pareto tail; the threshold is the upper bound "
        "of the "
        "fit, and a policy has to ask for such points.\n\n"
    )
    if rows:
        text += _table(["FMR asked", "threshold (bound)", "estimate", "FNMR there [95 %]"], rows)
    return text + "".join(f"\n\nFMR {target:g} is not given: {why}" for target, why in m.refused)


def _eer(estimate: EerEstimate) -> str:
    if estimate.rate.value == 0:
        return "0: the scores of the two classes do not overlap, which bounds nothing with so few people"
    return f"{_share(estimate.rate.value)} [{_share(estimate.interval[0])}, {_share(estimate.interval[1])}]"


def _variant(variant: Variant) -> str:
    return (
        f"### {variant.trials.name[0].upper()}{variant.trials.name[1:]}\n\n{_pairs(variant)} EER {_eer(variant.eer)}; "
        f"with refused pictures as non-matches {_share(variant.eer.generalised)}.\n\n{_rates_table(variant.rates)}"
    )


def _histogram(variant: Variant) -> str:
    trials = variant.trials
    low = np.floor(min(trials.mated.min(), trials.non_mated.min()) / _BIN) * _BIN
    high = max(trials.mated.max(), trials.non_mated.max())
    edges = np.arange(low, high + _BIN, _BIN)
    mated, non_mated = (np.histogram(scores, edges)[0] for scores in (trials.mated, trials.non_mated))
    rows = [
        [f"{edges[k]:.2f} to {edges[k + 1]:.2f}", f"{mated[k]:,}", f"{non_mated[k]:,}"]
        for k in range(len(mated))
        if mated[k] or non_mated[k]
    ]
    moments = (
        f"Mated: mean {trials.mated.mean():.4f}, standard deviation {trials.mated.std():.4f}. Non-mated: mean "
        f"{trials.non_mated.mean():.4f}, standard deviation {trials.non_mated.std():.4f}."
    )
    return f"{moments}\n\n{_table(['score', 'mated pairs', 'non-mated pairs'], rows)}"


def _time(m: IrisMeasurement) -> str:
    total = sum(m.encoded.milliseconds.values())
    stages = ", ".join(f"{name} {value:.1f}" for name, value in m.encoded.milliseconds.items())
    return f"Mean over all pictures while measuring (other work on the machine): {total:.1f} ms a picture ({stages})."


def _limits(m: IrisMeasurement) -> str:
    people = len(m.encoded.source.people)
    if m.encoded.source.synthetic:
        lines = [
            "- Nothing about people, cameras or places: texture, lids and noise are drawn, not recorded.",
            "- The generator and the encoder were written side by side; a stranger's generator would be harder.",
        ]
    else:
        lines = [
            f"- {people} people are few: from FMR 1e-3 on the tail is made of a handful of them, and points with "
            "fewer than "
            "30 effective errors are marked *indicative*.",
            "- One camera, one place, cooperative people, short time between pictures: ageing, other cameras, glasses "
            "and "
            "contact lenses are not measured here.",
            "- The parameters of the encoder were chosen while this set was at hand. The two-fold figures keep "
            "thresholds "
            "and rates apart, not the choice of parameters; a set nobody tuned on is the real test.",
        ]
    return "\n".join([*lines, "- Attacks (prints, lenses, prostheses) are not measured here."])


def _refused(m: IrisMeasurement) -> str:
    if not m.encoded.reasons:
        return ""
    names = ", ".join(f"{file} ({codes[0] if codes else 'unknown'})" for file, codes in m.encoded.reasons.items())
    return f" Refused: {names}."


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _rate(estimate: RateEstimate) -> str:
    if not estimate.estimable:
        return f"none seen, below {estimate.interval[1]:.1e}"
    return f"{estimate.rate:.2e} [{estimate.interval[0]:.1e}, {estimate.interval[1]:.1e}]"


def _effective(estimate: RateEstimate) -> str:
    return f"{estimate.effective_errors:.1f}" if estimate.estimable else "not estimable"


def _mark(rates: Rates) -> str:
    return "indicative" if not rates.fmr.estimable or rates.fmr.indicative else ""


def _percentage(estimate: RateEstimate) -> str:
    if not estimate.estimable:
        return f"none seen, below {_share(estimate.interval[1])}"
    return f"{_share(estimate.rate)} [{_share(estimate.interval[0])}, {_share(estimate.interval[1])}]"


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"
