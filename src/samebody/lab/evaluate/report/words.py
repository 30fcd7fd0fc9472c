"""What a run found, in sentences for people who do not know the words of the field."""

from __future__ import annotations

from samebody.lab.evaluate.results import ThresholdRow, VerificationResult
from samebody.measure import RateEstimate

GLOSSARY = (
    ("score", "How alike two pictures look to the system, as one number. Higher means more alike."),
    ("threshold", "The score from which on two pictures are taken to show the same person. Somebody has to choose it."),
    ("mated", "A comparison of two pictures of one person."),
    ("non-mated", "A comparison of pictures of two different people."),
    ("FMR", "False match rate: of the comparisons of different people, the share that passes by mistake."),
    ("FNMR", "False non-match rate: of the comparisons of one and the same person, the share that is missed."),
    (
        "FTA",
        "Failure-to-acquire rate: pictures in which no usable face was found. They are counted apart.",
    ),
    ("FAR, FRR", "The same two mistakes for a whole attempt of a person, failures to acquire included."),
    (
        "DET",
        "Detection error trade-off: both mistakes at every threshold. Fewer of one always means more of the other.",
    ),
    (
        "interval",
        "Where the true rate lies with the confidence that is named, if other people like these were measured.",
    ),
    (
        "effective errors",
        "The mistakes that were seen share people, so they say less than as many unrelated ones would. This is how "
        "many unrelated ones they are worth. Below 30 a figure is called indicative: a hint, not a measurement.",
    ),
    (
        "not estimable",
        "No mistake was seen. That does not mean that there are none: with the people measured, the rate can be as "
        "high as the bound that is given (rule of 3).",
    ),
    (
        "EER",
        "Equal error rate: where both mistakes are equally frequent. No system should run there; it decides nothing.",
    ),
)


def share(rate: float) -> str:
    """A rate as people say it: ``3 in 1,000``."""
    if rate <= 0:
        return "0"
    if rate >= 0.0995:
        return f"{100 * rate:.0f} in 100"
    base = 100
    while rate * base < 0.995 and base < 10**9:
        base *= 10
    return f"{rate * base:.0f} in {base:,}"


def one_in(rate: float) -> str:
    """A small rate as ``1 in 12,000``, to two digits."""
    if rate <= 0:
        return "none"
    odds = 1 / rate
    digits = max(len(str(int(odds))) - 2, 0)
    return f"1 in {round(odds, -digits):,.0f}"


def plain_words(result: VerificationResult) -> list[str]:
    """Paragraphs: what was done, what came out, who is treated differently, what this does not say."""
    counts = result.counts
    people = f"{counts.subjects:,} people" if counts.subjects else "an unknown number of people"
    said = [
        f"The system was shown {counts.mated:,} pairs of pictures of the same person and {counts.non_mated:,} pairs of "
        f"pictures of two different people, {people} in all ({result.dataset.name}). It gives every pair a score; a "
        "pair passes when the score reaches a threshold. Two mistakes are possible: a pair of different people passes "
        "(a false match), and a pair of the same person does not (a false non-match)."
    ]
    chosen = [row for row in result.thresholds if row.fnmr is not None and not row.indicative][-2:]
    chosen = chosen or [row for row in result.thresholds if row.fnmr is not None][:1]
    said += [_threshold_sentence(row) for row in chosen]
    fta = result.failures.fta
    if fta is not None and fta.errors:
        said.append(
            f"In {share(fta.rate)} pictures no usable face was found. Such a person gets no score at all; these "
            "failures come on top of the mistakes above."
        )
    if chosen and result.groups:
        said += _groups_sentence(result, chosen[-1])
    said.append(_limits(result))
    return said


def _threshold_sentence(row: ThresholdRow) -> str:
    fnmr = row.fnmr
    assert fnmr is not None
    if row.fmr.estimable:
        passes = f"{one_in(row.fmr.rate)} pairs of different people passes by mistake"
    else:
        passes = (
            "not one pair of different people passed by mistake, which with so many people means that at most about "
            f"{one_in(row.fmr.interval[1])} would"
        )
    doubt = " This is a hint only: it rests on too few mistakes." if row.indicative else ""
    return f"With the threshold at {row.value:.4g}, {passes}, and {_missed(fnmr)} are missed.{doubt}"


def _missed(rate: RateEstimate) -> str:
    level = f"{100 * rate.level:.0f} %"
    low, high = rate.interval
    if not rate.estimable:
        return f"no pairs of the same person (with {level} confidence at most {share(high)})"
    return f"{share(rate.rate)} pairs of the same person (with {level} confidence {share(low)} to {share(high)})"


def _groups_sentence(result: VerificationResult, row: ThresholdRow) -> list[str]:
    index = result.thresholds.index(row)
    said = []
    for kind, what in (
        ("fmr", "different people are taken for the same"),
        ("fnmr", "people are not recognised as themselves"),
    ):
        found = [(group.name, getattr(group.rates[index], kind)) for group in result.groups]
        known = [(name, rate) for name, rate in found if rate is not None]
        seen = [(name, rate) for name, rate in known if rate.estimable]
        if len(known) < 2 or not seen:
            continue
        worst, high = max(seen, key=lambda entry: entry[1].rate)
        if len(seen) < len(known):
            none = ", ".join(name for name, rate in known if not rate.estimable)
            said.append(
                f"In the group {worst} {what} most often ({share(high.rate)}). No such mistake was seen in: {none}."
            )
            continue
        best, low = min(seen, key=lambda entry: entry[1].rate)
        overlap = high.interval[0] <= low.interval[1]
        caution = " The intervals of the two overlap, so chance may be behind it." if overlap else ""
        said.append(
            f"In the group {worst} {what} {high.rate / low.rate:.1f} times as often as in the group {best} "
            f"({share(high.rate)} against {share(low.rate)}).{caution}"
        )
    return said


def _limits(result: VerificationResult) -> str:
    text = (
        "These figures hold for pictures and people like those that were measured. They do not say whether a picture "
        "shows a living person, a print or a mask, and they do not carry over to other cameras, other ages or other "
        "countries by themselves."
    )
    if any(row.source == "same data" for row in result.thresholds):
        text += (
            " The thresholds were chosen on the same pictures that they are judged on, which flatters them a little."
        )
    return text
