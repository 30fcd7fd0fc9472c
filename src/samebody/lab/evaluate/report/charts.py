"""Charts as inline SVG: distributions, DET on probit axes, intervals, heat map, step curves, cost, reliability."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape
from scipy.special import ndtri

from samebody.measure import ScoreHistogram

Scale = Callable[[float], float]
Point = tuple[float, float]

_PROBIT_TICKS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8)


@dataclass(frozen=True, slots=True)
class Frame:
    """A plotting area in pixels with its two scales (data to the unknown quantity that is linear on paper).

    Attributes:
        x, y: scales; identity for linear axes.
        x_range, y_range: data at the edges.
        width, height: of the whole picture.
        left, right, top, bottom: margins.
    """

    x: Scale
    y: Scale
    x_range: Point
    y_range: Point
    width: float = 720
    height: float = 330
    left: float = 62
    right: float = 16
    top: float = 14
    bottom: float = 46

    def at_x(self, value: float) -> float:
        """Pixel of a datum; clipped to the area."""
        low, high = (self.x(end) for end in self.x_range)
        share = (self.x(min(max(value, self.x_range[0]), self.x_range[1])) - low) / ((high - low) or 1.0)
        return self.left + share * (self.width - self.left - self.right)

    def at_y(self, value: float) -> float:
        """Pixel of a datum; clipped to the area."""
        low, high = (self.y(end) for end in self.y_range)
        share = (self.y(min(max(value, self.y_range[0]), self.y_range[1])) - low) / ((high - low) or 1.0)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)

    def axes(self, x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str, y_label: str) -> str:
        """Grid, ticks and labels."""
        base, right = self.height - self.bottom, self.width - self.right
        parts = []
        for tick in x_ticks:
            place = self.at_x(tick)
            parts.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{self.top}" y2="{base}"/>')
            parts.append(f'<text class="tick" x="{place:.1f}" y="{base + 15}">{number(tick)}</text>')
        for tick in y_ticks:
            place = self.at_y(tick)
            parts.append(f'<line class="grid" x1="{self.left}" x2="{right}" y1="{place:.1f}" y2="{place:.1f}"/>')
            parts.append(f'<text class="end" x="{self.left - 6}" y="{place + 4:.1f}">{number(tick)}</text>')
        parts.append(f'<line class="axis" x1="{self.left}" x2="{right}" y1="{base}" y2="{base}"/>')
        parts.append(f'<line class="axis" x1="{self.left}" x2="{self.left}" y1="{self.top}" y2="{base}"/>')
        middle = (self.left + right) / 2
        parts.append(f'<text class="tick label" x="{middle:.1f}" y="{self.height - 8}">{escape(x_label)}</text>')
        half = (self.top + base) / 2
        parts.append(
            f'<text class="tick label" transform="rotate(-90)" x="{-half:.1f}" y="13">{escape(y_label)}</text>'
        )
        return "".join(parts)

    def line(self, points: Sequence[Point], kind: str) -> str:
        """A line through data points."""
        steps = " ".join(f"{self.at_x(x):.1f},{self.at_y(y):.1f}" for x, y in points)
        return f'<polyline class="{kind}" points="{steps}"/>'

    def area(self, points: Sequence[Point], kind: str) -> str:
        """A filled polygon."""
        steps = " ".join(f"{self.at_x(x):.1f},{self.at_y(y):.1f}" for x, y in points)
        return f'<polygon class="{kind}" points="{steps}"/>'

    def picture(self, label: str, parts: Sequence[str]) -> Markup:
        """The whole SVG."""
        return svg(self.width, self.height, label, parts)


def svg(width: float, height: float, label: str, parts: Sequence[str], *, most: float = 1.5) -> Markup:
    """An SVG element with a label for those who cannot see it; shown at most ``most`` times its own size."""
    head = (
        f'<svg class="chart" style="max-width:{width * most:.0f}px" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label="{escape(label)}">'
    )
    return Markup(head + "".join(parts) + "</svg>")


def number(value: float) -> str:
    """A short number: 0.01, 1e-4, 12,000."""
    if value == 0:
        return "0"
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    if abs(value) < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.3g}"


def linear(value: float) -> float:
    """A linear scale."""
    return value


def probit(rate: float) -> float:
    """Probit of a rate, held inside (1e-12, 1 - 1e-12)."""
    return float(ndtri(min(max(rate, 1e-12), 1 - 1e-12)))


def log10(value: float) -> float:
    """A logarithmic scale, held above 1e-12."""
    return math.log10(max(value, 1e-12))


def nice_ticks(low: float, high: float, count: int = 7) -> list[float]:
    """Round numbers between two ends."""
    span = (high - low) or 1.0
    raw = span / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten from ``low`` to ``high``, with 2 and 5 between when there are few."""
    exponents = range(math.floor(log10(low)), math.ceil(log10(high)) + 1)
    steps = (1,) if len(exponents) > 3 else (1, 2, 5)
    found = [m * 10.0**e for e in exponents for m in steps]
    return [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def distributions(
    mated: ScoreHistogram | None, non_mated: ScoreHistogram, thresholds: Sequence[tuple[str, float]]
) -> Markup:
    """Densities of both kinds of scores, each scaled to its own peak, with thresholds as lines."""
    frame = Frame(linear, linear, (non_mated.low, non_mated.high), (0, 1.0), height=300, left=24, top=16 + 14 * 3)
    parts = [frame.axes(nice_ticks(non_mated.low, non_mated.high), (), "score (similarity)", "")]
    for histogram, kind in ((non_mated, "non-mated"), (mated, "mated")):
        if histogram is None or not histogram.total:
            continue
        peak = max(histogram.counts)
        points = [(histogram.low, 0.0)]
        edges = histogram.edges.tolist()
        for left, right, count in zip(edges[:-1], edges[1:], histogram.counts):
            points += [(left, count / peak), (right, count / peak)]
        parts.append(frame.area([*points, (histogram.high, 0.0)], kind))
    for place, (name, value) in enumerate(thresholds):
        x, row = frame.at_x(value), 14 + 14 * (place % 3)
        base = frame.height - frame.bottom
        parts.append(f'<line class="threshold" x1="{x:.1f}" x2="{x:.1f}" y1="{row + 4}" y2="{base}"/>')
        parts.append(f'<text class="threshold" x="{x:.1f}" y="{row}">{escape(name)}</text>')
    y = frame.height - 17
    parts.append(
        f'<rect class="non-mated" x="24" y="{y}" width="12" height="10"/>'
        f'<text x="41" y="{y + 9}">different people</text>'
    )
    if mated is not None:
        parts.append(
            f'<rect class="mated" x="150" y="{y}" width="12" height="10"/><text x="167" y="{y + 9}">same person</text>'
        )
    return frame.picture("distributions of mated and non-mated scores", parts)


@dataclass(frozen=True, slots=True)
class DetLine:
    """One DET curve.

    Attributes:
        name: for the legend.
        fmr, fnmr: of the points, zero where none was seen.
        fmr_band, fnmr_band: (low, high) for each point; may be empty.
        zero_fmr, zero_fnmr: upper bounds that stand for a rate of zero.
        marks: thresholds of the table.
    """

    name: str
    fmr: Sequence[float]
    fnmr: Sequence[float]
    fmr_band: Sequence[Point]
    fnmr_band: Sequence[Point]
    zero_fmr: float
    zero_fnmr: float
    marks: Sequence[DetMark] = ()


@dataclass(frozen=True, slots=True)
class DetMark:
    """One threshold on a DET: rates with intervals, and whether each was seen at all and is more than indicative."""

    name: str
    fmr: float
    fnmr: float
    fmr_interval: Point
    fnmr_interval: Point
    seen: bool
    indicative: bool


def det(lines: Sequence[DetLine]) -> Markup:
    """DET curves on probit axes with bands; a rate of zero is drawn at its upper bound, with a hollow mark."""
    low_x = min([min([f for f in line.fmr if f > 0], default=line.zero_fmr) for line in lines])
    low_y = min([min([f for f in line.fnmr if f > 0], default=line.zero_fnmr) for line in lines])
    low_x, low_y = min([low_x, *(line.zero_fmr for line in lines)]), min([low_y, *(line.zero_fnmr for line in lines)])
    shown = [y for line in lines for x, y in zip(line.fmr, line.fnmr) if x > 0 and y < 1]
    marked = [y for line in lines for mark in line.marks for y in (mark.fnmr, mark.fnmr_interval[1])]
    high_y = 1.4 * max([*shown, *marked, *(line.zero_fnmr for line in lines)])
    frame = Frame(probit, probit, (low_x / 1.6, 0.6), (low_y / 1.6, min(high_y, 0.9)), height=520)
    ticks = [[t for t in _PROBIT_TICKS if ends[0] <= t <= ends[1]] for ends in (frame.x_range, frame.y_range)]
    parts = [
        frame.axes(
            ticks[0], ticks[1], "FMR, false match rate (probit axis)", "FNMR, false non-match rate (probit axis)"
        )
    ]
    for place, line in enumerate(lines):
        colour = f"c{place % 6}"
        seen = [i for i, (x, y) in enumerate(zip(line.fmr, line.fnmr)) if x > 0 and y > 0]
        points = [(line.fmr[i], line.fnmr[i]) for i in seen]
        if line.fmr_band and seen:
            bands = [line.fmr_band[i] for i in seen]
            upper = [(band[1], y) for band, (_, y) in zip(bands, points)]
            lower = [(band[0] or frame.x_range[0], y) for band, (_, y) in zip(bands, points)]
            parts.append(frame.area([*upper, *lower[::-1]], f"band {colour}"))
        if line.fnmr_band and seen:
            bands = [line.fnmr_band[i] for i in seen]
            upper = [(x, band[1]) for band, (x, _) in zip(bands, points)]
            lower = [(x, band[0] or frame.y_range[0]) for band, (x, _) in zip(bands, points)]
            parts.append(frame.area([*upper, *lower[::-1]], f"band {colour}"))
        if points:
            parts.append(frame.line(points, f"curve {colour}"))
        parts += _zero_ends(frame, line, colour)
        parts += _bound_marks(frame, line, colour, with_text=place == 0)
        taken: list[Point] = []
        for mark in line.marks:
            parts.append(_det_mark(frame, line, mark, colour, taken, labelled=len(lines) == 1))
    if len(lines) > 1:
        for place, line in enumerate(lines):
            y = 30 + 18 * place
            parts.append(f'<rect class="fill c{place % 6}" x="{frame.width - 240}" y="{y - 9}" width="14" height="4"/>')
            parts.append(f'<text x="{frame.width - 220}" y="{y - 3}">{escape(line.name)}</text>')
    return frame.picture("detection error trade-off on probit axes", parts)


def _zero_ends(frame: Frame, line: DetLine, colour: str) -> list[str]:
    """Hollow marks for the ends of a curve where one of the rates is zero, drawn at its upper bound."""
    ends = []
    no_match = [y for x, y in zip(line.fmr, line.fnmr) if x == 0 < y]
    no_miss = [x for x, y in zip(line.fmr, line.fnmr) if y == 0 < x]
    if no_match:
        ends.append((line.zero_fmr, min(no_match), "no false match seen: FMR drawn at its upper bound"))
    if no_miss:
        ends.append((min(no_miss), line.zero_fnmr, "no false non-match seen: FNMR drawn at its upper bound"))
    return [
        f'<circle class="mark hollow {colour}" cx="{frame.at_x(x):.1f}" cy="{frame.at_y(y):.1f}" r="4.5">'
        f"<title>{text}</title></circle>"
        for x, y, text in ends
    ]


def _bound_marks(frame: Frame, line: DetLine, colour: str, *, with_text: bool) -> list[str]:
    """Where a rate of zero is drawn: the rule of 3."""
    x, y = frame.at_x(line.zero_fmr), frame.at_y(line.zero_fnmr)
    base, right = frame.height - frame.bottom, frame.width - frame.right
    parts = [
        f'<line class="bound {colour}" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{base}"/>',
        f'<line class="bound {colour}" x1="{frame.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>',
    ]
    if with_text:
        parts.append(
            f'<text class="note" x="{x + 5:.1f}" y="{base - 8}">none seen: FMR at most {number(line.zero_fmr)}</text>'
        )
        parts.append(
            f'<text class="note" x="{frame.left + 6}" y="{y - 5:.1f}">'
            f"none seen: FNMR at most {number(line.zero_fnmr)}</text>"
        )
    return parts


def _det_mark(frame: Frame, line: DetLine, mark: DetMark, colour: str, taken: list[Point], *, labelled: bool) -> str:
    at_x = mark.fmr or line.zero_fmr
    at_y = mark.fnmr or line.zero_fnmr
    x, y = frame.at_x(at_x), frame.at_y(at_y)
    left, right = frame.at_x(mark.fmr_interval[0] or frame.x_range[0]), frame.at_x(mark.fmr_interval[1])
    low, high = frame.at_y(mark.fnmr_interval[0] or frame.y_range[0]), frame.at_y(mark.fnmr_interval[1])
    kind = "hollow" if not mark.seen else "faint" if mark.indicative else "full"
    text = ""
    if labelled:
        place = y - 9
        while any(abs(place - other[1]) < 13 and abs(x - other[0]) < 70 for other in taken):
            place -= 13
        taken.append((x, place))
        text = f'<text class="markname" x="{x + 8:.1f}" y="{place:.1f}">{escape(mark.name)}</text>'
    return (
        f'<line class="whisker {colour}" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<line class="whisker {colour}" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        f'<circle class="mark {kind} {colour}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>{text}'
    )


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One row of an interval chart; ``seen`` is False when the value is zero and only bounded."""

    name: str
    value: float
    low: float
    high: float
    seen: bool = True
    indicative: bool = False
    text: str = ""
    kind: str = ""


def _left(rows: Sequence[IntervalRow]) -> float:
    """Room for the longest name."""
    return 22 + 6.4 * max((len(row.name) for row in rows), default=1)


def intervals(rows: Sequence[IntervalRow], label: str, *, reference: float | None = None) -> Markup:
    """Rates with intervals on one logarithmic axis; a zero rate is a hollow mark at its upper bound."""
    shown = [v for row in rows for v in (row.value, row.low, row.high) if v > 0]
    low, high = (min(shown) / 1.5, max(shown) * 1.5) if shown else (1e-4, 1.0)
    low = max(low, high / 1e5)
    height = 22 * len(rows) + 58
    frame = Frame(
        log10, linear, (low, min(high, 1.0)), (0, 1), width=520, height=height, left=_left(rows), right=158, top=10
    )
    parts = [frame.axes(decades(*frame.x_range), (), label, "")]
    if reference:
        x = frame.at_x(reference)
        parts.append(
            f'<line class="threshold" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{height - frame.bottom}"/>'
        )
    for place, row in enumerate(rows):
        y = frame.top + 14 + 22 * place
        left, right = frame.at_x(row.low or low), frame.at_x(row.high)
        kind = "hollow" if not row.seen else "faint" if row.indicative else "full"
        centre = frame.at_x(row.value if row.seen else row.high)
        parts.append(f'<text class="end" x="{frame.left - 8}" y="{y + 4}">{escape(row.name)}</text>')
        parts.append(f'<line class="whisker c0" x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="mark {kind} c0" cx="{centre:.1f}" cy="{y}" r="4.5"/>')
        parts.append(f'<text x="{frame.width - frame.right + 8}" y="{y + 4}">{escape(row.text)}</text>')
    return frame.picture(label, parts)


def differences(rows: Sequence[IntervalRow], label: str) -> Markup:
    """Differences with intervals around zero; ``kind`` of a row is ``worse``, ``better`` or empty."""
    reach = max([max(abs(row.low), abs(row.high)) for row in rows], default=0.0) or 1.0
    height = 22 * len(rows) + 58
    frame = Frame(
        linear, linear, (-reach * 1.05, reach * 1.05), (0, 1), height=height, left=_left(rows), right=150, top=10
    )
    parts = [frame.axes(nice_ticks(-reach, reach, 6), (), label, "")]
    zero = frame.at_x(0.0)
    parts.append(f'<line class="axis" x1="{zero:.1f}" x2="{zero:.1f}" y1="10" y2="{height - frame.bottom}"/>')
    for place, row in enumerate(rows):
        y = frame.top + 14 + 22 * place
        parts.append(f'<text class="end" x="{frame.left - 8}" y="{y + 4}">{escape(row.name)}</text>')
        parts.append(
            f'<line class="whisker {row.kind}" x1="{frame.at_x(row.low):.1f}" x2="{frame.at_x(row.high):.1f}" '
            f'y1="{y}" y2="{y}"/>'
        )
        kind = "faint" if row.indicative else "full"
        parts.append(f'<circle class="mark {kind} {row.kind}" cx="{frame.at_x(row.value):.1f}" cy="{y}" r="4.5"/>')
        parts.append(f'<text x="{frame.width - frame.right + 8}" y="{y + 4}">{escape(row.text)}</text>')
    return frame.picture(label, parts)


def heat_map(
    names: Sequence[str],
    rates: Sequence[Sequence[float | None]],
    bounds: Sequence[Sequence[float | None]],
    trials: Sequence[Sequence[int]],
) -> Markup:
    """FMR between groups: darker is higher, on a logarithmic scale; without an error ``<`` and the upper bound."""
    count = len(names)
    cell = min(64.0, 620.0 / max(count, 1))
    left = 8 + 6.4 * max([len(name) for name in names], default=1)
    top = left if count > 6 else 26
    seen = [math.log10(rate) for row in rates for rate in row if rate]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    small = cell < 46
    parts = []
    for one, name in enumerate(names):
        y, x = top + cell * (one + 0.5), left + cell * (one + 0.5)
        parts.append(f'<text class="end" x="{left - 6:.1f}" y="{y + 4:.1f}">{escape(name)}</text>')
        turn = f' transform="rotate(-60 {x:.1f} {top - 6:.1f})"' if count > 6 else ""
        parts.append(
            f'<text class="{"start" if turn else "tick"}" x="{x:.1f}" y="{top - 6:.1f}"{turn}>{escape(name)}</text>'
        )
        for two in range(count):
            rate, bound = rates[one][two], bounds[one][two]
            place = (
                f'x="{left + cell * two:.1f}" y="{top + cell * one:.1f}" width="{cell - 2:.1f}" height="{cell - 2:.1f}"'
            )
            middle = f'x="{left + cell * (two + 0.5) - 1:.1f}" y="{top + cell * (one + 0.5) + 3:.1f}"'
            hint = f"<title>{escape(name)} with {escape(names[two])}: {trials[one][two]:,} comparisons</title>"
            size = ' style="font-size:8.5px"' if small else ""
            if rate is None:
                parts.append(
                    f'<rect class="cell none" {place}>{hint}</rect><text class="tick"{size} {middle}>none</text>'
                )
            elif rate == 0:
                text = f"&lt;{number(bound or 1.0)}"
                parts.append(
                    f'<rect class="cell none" {place}>{hint}</rect><text class="tick"{size} {middle}>{text}</text>'
                )
            else:
                share = (math.log10(rate) - low) / (high - low) if high > low else 0.5
                tone = "dark" if share > 0.55 else "tone"
                parts.append(f'<rect class="cell" style="fill-opacity:{0.1 + 0.85 * share:.2f}" {place}>{hint}</rect>')
                parts.append(f'<text class="tick {tone}"{size} {middle}>{number(float(f"{rate:.2g}"))}</text>')
    width = left + cell * count + 10
    return svg(width, top + cell * count + 8, "false match rate between groups", parts, most=1.25)


def curves(
    lines: Sequence[tuple[str, Sequence[Point], str]], x_label: str, y_label: str, *, stepped: bool = False
) -> Markup:
    """Lines (name, points, CSS class) on linear axes; as steps that hold to the next point where ``stepped``."""
    every = [point for _, points, _ in lines for point in points]
    high_x, high_y = max(x for x, _ in every), max(y for _, y in every) or 1e-6
    frame = Frame(linear, linear, (min(x for x, _ in every), high_x), (0.0, high_y * 1.05))
    ticks = nice_ticks(*frame.x_range), nice_ticks(*frame.y_range, 5)
    parts = [frame.axes(ticks[0], ticks[1], x_label, y_label)]
    for place, (name, points, kind) in enumerate(lines):
        drawn = list(points)
        if stepped:
            drawn = [q for (x, y), (z, _) in pairwise(points) for q in ((x, y), (z, y))] + [points[-1]]
        parts.append(frame.line(drawn, f"curve {kind}"))
        y = frame.top + 16 + 16 * place
        parts.append(f'<rect class="fill {kind}" x="{frame.width - 200}" y="{y - 7}" width="14" height="4"/>')
        parts.append(f'<text x="{frame.width - 180}" y="{y}">{escape(name)}</text>')
    return frame.picture(y_label, parts)


def cost(thresholds: Sequence[float], costs: Sequence[float], optimum: Point, trivial: float) -> Markup:
    """Expected cost against the threshold, with the optimum and the cost of treating everybody alike."""
    low, high = thresholds[0], thresholds[-1]
    top = max(min(max(costs), 3 * trivial), trivial * 1.15, optimum[1] * 1.2) or 1.0
    frame = Frame(linear, linear, (low, high), (0.0, top))
    parts = [
        frame.axes(nice_ticks(low, high), nice_ticks(0, top, 5), "threshold (score)", "expected cost of a transaction"),
        frame.line([(low, trivial), (high, trivial)], "curve dashed"),
        frame.line(list(zip(thresholds, costs)), "curve c0"),
        f'<circle class="mark full c0" cx="{frame.at_x(optimum[0]):.1f}" cy="{frame.at_y(optimum[1]):.1f}" r="5"/>',
        f'<text class="markname tick" x="{frame.at_x(optimum[0]):.1f}" y="{frame.at_y(optimum[1]) - 30:.1f}">cheapest: '
        f"{number(optimum[1])} at score {optimum[0]:.4g}</text>",
        f'<text class="note" x="{frame.left + 8}" y="{frame.at_y(trivial) - 5:.1f}">'
        f"everybody treated alike: {number(trivial)}</text>",
    ]
    return frame.picture("expected cost against the threshold", parts)


def reliability(bins: Sequence[tuple[float, float, int]]) -> Markup:
    """Predicted probability against the observed share, with the diagonal of perfect calibration."""
    frame = Frame(linear, linear, (0.0, 1.0), (0.0, 1.0), height=360)
    ticks = (0, 0.2, 0.4, 0.6, 0.8, 1.0)
    parts = [
        frame.axes(ticks, ticks, "predicted probability that it is the same person", "observed share"),
        frame.line([(0, 0), (1, 1)], "curve dashed"),
        frame.line([(predicted, observed) for predicted, observed, _ in bins], "curve c0"),
    ]
    largest = max((count for _, _, count in bins), default=1)
    for predicted, observed, count in bins:
        radius = 2.5 + 4 * math.sqrt(count / largest)
        parts.append(
            f'<circle class="mark full c0" cx="{frame.at_x(predicted):.1f}" cy="{frame.at_y(observed):.1f}" '
            f'r="{radius:.1f}"><title>{count:,} comparisons</title></circle>'
        )
    return frame.picture("reliability of the calibrated probabilities", parts)
