"""Charts for the report, drawn as SVG: the score on its distributions, bars, a time line."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape


def score_chart(
    edges: Sequence[float],
    mated: Sequence[float],
    non_mated: Sequence[float],
    score: float,
    threshold: float | None,
    threshold_label: str,
) -> Markup:
    """The score as a line on the densities of mated and non-mated scores, with the operating point as another line.

    Args:
        edges: (bins + 1,) bin edges of the score axis.
        mated, non_mated: (bins,) counts; each curve is scaled to its own peak.
        score: the similarity of this comparison.
        threshold: score at the operating point, None when there was none.
    """
    width, height, base = 720.0, 230.0, 190.0
    low, high = float(edges[0]), float(edges[-1])

    def x(value: float) -> float:
        return 20 + (width - 40) * (min(max(value, low), high) - low) / (high - low)

    def area(counts: Sequence[float], kind: str) -> str:
        peak = max(max(counts, default=0.0), 1e-12)
        steps = [f"M{x(low):.1f} {base}"]
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
            y = base - 150 * count / peak
            steps.append(f"L{x(left):.1f} {y:.1f}L{x(right):.1f} {y:.1f}")
        return f'<path class="{kind}" d="{"".join(steps)}L{x(high):.1f} {base}Z"/>'

    parts = [
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="score {score:.3f} on the distributions of mated and non-mated scores">',
        area(non_mated, "non-mated"),
        area(mated, "mated"),
        f'<line class="axis" x1="20" x2="{width - 20}" y1="{base}" y2="{base}"/>',
    ]
    ticks = 8
    for index in range(ticks + 1):
        value = low + (high - low) * index / ticks
        parts.append(f'<text class="tick" x="{x(value):.1f}" y="{base + 16}">{value:.2f}</text>')
    if threshold is not None:
        parts.append(f'<line class="threshold" x1="{x(threshold):.1f}" x2="{x(threshold):.1f}" y1="30" y2="{base}"/>')
        parts.append(
            f'<text class="threshold" x="{x(threshold):.1f}" y="24">{escape(threshold_label)} {threshold:.3f}</text>'
        )
    parts.append(f'<line class="score" x1="{x(score):.1f}" x2="{x(score):.1f}" y1="14" y2="{base}"/>')
    parts.append(f'<text class="score" x="{x(score):.1f}" y="10">this comparison {score:.3f}</text>')
    parts.append(
        f'<g class="legend"><rect class="non-mated" x="20" y="{height - 14}" width="12" height="10"/>'
        f'<text x="38" y="{height - 5}">different people</text>'
        f'<rect class="mated" x="160" y="{height - 14}" width="12" height="10"/>'
        f'<text x="178" y="{height - 5}">same person</text></g></svg>'
    )
    return Markup("".join(parts))


def time_line(entries: Sequence[tuple[str, float, float]]) -> Markup:
    """Stages as bars on one time axis: (name, start ms, length ms)."""
    if not entries:
        return Markup("")
    end = max(start + length for _, start, length in entries) or 1.0
    row, label, width = 20, 190, 720
    parts = [f'<svg class="chart" viewBox="0 0 {width} {row * len(entries) + 6}" role="img" aria-label="time line">']
    for index, (name, start, length) in enumerate(entries):
        y = index * row + 4
        left = label + (width - label - 80) * start / end
        bar = max(1.5, (width - label - 80) * length / end)
        parts.append(f'<text class="name" x="0" y="{y + 11}">{escape(name)}</text>')
        parts.append(f'<rect class="bar" x="{left:.1f}" y="{y}" width="{bar:.1f}" height="13" rx="2"/>')
        parts.append(f'<text class="value" x="{left + bar + 6:.1f}" y="{y + 11}">{length:.0f} ms</text>')
    parts.append("</svg>")
    return Markup("".join(parts))
