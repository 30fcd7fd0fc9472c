"""The figures of :mod:`benchmarks.iris_segmenter` as one page, and the sentence that says which segmenter is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from samebody.measure import binomial_interval

Report = dict[str, Any]
NAMES = {"classical": "classical", "network": "network", "second": "network that also saw real eyes"}


def percent(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{100 * values[0]:.2f} %"
    return f"{100 * values[0]:.2f} % [{100 * values[1]:.2f}, {100 * values[2]:.2f}]"


def page(results: Report, command: str) -> str:
    """All figures as one page."""
    people, kinds = results["people"], list(results["people"])
    lines = [
        "# The learned iris segmenter beside the classical one",
        "",
        f"Made by `{command}`. {results['machine']}",
        "",
        results["verdict"],
        "",
        "## People that no network saw",
        "",
        f"{people['classical']['pictures']} pictures of {results['persons']} people of mmu1 (every second person, from "
        f"the second on); {people['classical']['mated']:,} mated and {people['classical']['non_mated']:,} non-mated "
        "pairs of one side. GFRR counts pairs with a refused picture as non-matches. Thresholds are those of the same "
        "pairs, of each pipeline its own. 95 % intervals over people. With so few people all of it is *indicative*.",
        "",
        "| segmenter | refused | EER | GFRR at FMR 1e-2 | FNMR at FMR 1e-3 | GFRR at FMR 1e-3 | mated scores |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind in kinds:
        one = people[kind]
        refused = f"{one['refused']} of {one['pictures']}"
        lines.append(
            f"| {NAMES[kind]} | {refused} | {percent([one['eer'], *one['eer_interval']])} | "
            f"{percent(one['rates'][0]['gfrr'])} | {percent(one['rates'][1]['fnmr'])} | "
            f"{percent(one['rates'][1]['gfrr'])} | {one['mated_mean']:.4f} ± {one['mated_deviation']:.4f} |"
        )
    lines += ["", "GFRR less that of the classical segmenter, the same people resampled for both:", ""]
    lines += ["| segmenter | at FMR 1e-2 | at FMR 1e-3 |", "| --- | --- | --- |"]
    for kind, pair in results["differences"].items():
        lines.append(f"| {NAMES[kind]} | {percent(pair[0])} | {percent(pair[1])} |")
    lines += [
        "",
        "## Altered copies",
        "",
        "One picture of each eye altered, against its other pictures as they are, at the thresholds "
        "above (FMR 1e-3). Refused probes, and mated pairs missed with them, of all trials.",
        "",
        "| alteration | " + " | ".join(f"{NAMES[kind]}: refused, missed" for kind in results["altered"]) + " |",
        "| --- |" + " --- |" * len(results["altered"]),
    ]
    for name in results["altered"]["classical"]:
        cells = []
        for kind in results["altered"]:
            one = results["altered"][kind][name]
            low, high = binomial_interval(one["missed"], one["trials"])
            cells.append(
                f"{one['refused']} of {one['pictures']}, {100 * one['missed'] / one['trials']:.1f} % "
                f"[{100 * low:.1f}, {100 * high:.1f}]"
            )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "The intervals here are of counts, as if trials were independent; they are not, so they are too narrow.",
        "",
        "## Where both agree",
        "",
        "Overlap (intersection over union) of the visible iris with the classical segmenter's, on those of every "
        "fourth picture that both enrol.",
        "",
        "| segmenter | pictures | median | 5th percentile | pupil radius apart | limbus radius apart |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, one in results["agreement"].items():
        lines.append(
            f"| {NAMES[kind]} | {one['pictures']} | {one['median']:.3f} | {one['low']:.3f} | "
            f"{one['pupil_pixels']:.2f} px | {one['limbus_pixels']:.2f} px |"
        )
    lines += [
        "",
        "## Synthetic eyes held back",
        "",
        "Eyes of other seeds; *as trained* under all the appearances of training, *plain* as `samebody.synth.iris` "
        "draws them. Distances of the contours are means around the eye, medians over pictures, in iris radii; *lost*: "
        "the limbus lies more than 0.2 radii off.",
        "",
        "| pictures | segmenter | n | no iris found | overlap, median | 10th percentile | pupil | limbus | lost |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, per in results["synthetic"].items():
        for kind, one in per.items():
            lines.append(
                f"| {name} | {NAMES[kind]} | {one['pictures']} | {one['no_iris_found']} | {one['overlap']:.3f} | "
                f"{one['overlap_low']:.3f} | {one['pupil']:.4f} | {one['limbus']:.4f} | {100 * one['lost']:.1f} % |"
            )
    lines += [
        "",
        "## Time",
        "",
        "Median milliseconds of the segmentation, one thread, the pipelines taking turns beside other work:",
        "",
    ]
    lines += [f"- {NAMES[kind]}: {value:.1f}" for kind, value in results["times"].items()]
    return "\n".join(lines) + "\n"


def verdict(results: Report) -> str:
    """Whether the network may replace the classical segmenter, by the rule that was fixed before it was trained."""
    classical, network = results["people"]["classical"], results["people"]["network"]
    better = (
        network["refused"] <= classical["refused"]
        and network["eer"] < classical["eer"]
        and results["differences"]["network"][1][0] < 0
    )
    words = "better" if better else "not better"
    return (
        f"**The shipped network is {words} than the classical segmenter** by the rule that decides which one the "
        f"default pipeline uses (no more refusals, a lower EER and a lower GFRR at FMR 1e-3 on these people): refused "
        f"{network['refused']} against {classical['refused']}, EER {100 * network['eer']:.2f} % against "
        f"{100 * classical['eer']:.2f} %, GFRR {100 * network['rates'][1]['gfrr'][0]:.2f} % against "
        f"{100 * classical['rates'][1]['gfrr'][0]:.2f} %."
    )
