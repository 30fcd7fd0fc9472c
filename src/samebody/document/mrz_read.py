"""Read the machine-readable zone of a photograph: locate, follow the lines, recognise cells, decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.config import Settings
from samebody.document.mrz_cells import CellNetwork
from samebody.document.mrz_decode import Decoded, decode, margins
from samebody.document.mrz_lines import (
    CAP_OVER_PITCH,
    MARGIN_CELLS,
    Curves,
    cut_curved,
    cut_straight,
    fit_curves,
    presence,
    refine_row,
    sub_column,
    track_cells,
    vertical_offsets,
)
from samebody.document.mrz_locate import MrzLocator, Row, ZoneCandidate
from samebody.document.mrz_strip import ALPHABET, STRIP_PITCH, STRIP_STEP
from samebody.document.shrink import shrink
from samebody.document.types import MrzFormat

Grey = NDArray[np.uint8]
Vector = NDArray[np.floating[Any]]

LINE_SPACING = 6.35 / 2.54
"""Distance between lines over pitch (Doc 9303-4, -5, -6: 6.35 mm)."""

WORKING_CAP = 22.0
"""Cap height the picture is brought down to before strips are cut, pixels; smaller ones are left as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class ZoneRead:
    """A zone as read from pixels, before its fields are taken apart.

    Attributes:
        format: layout.
        decoded: the characters with their costs.
        posteriors: (lines, cells) posterior of each chosen character, 0-1.
        quads: (lines, 4, 2) corners of each line on the photograph, clockwise from its own top left.
        presence: mean log odds that the cells hold characters at all; about 4 and more for a real zone.
        cap_height: pixels of the photograph.
        variants: how many cuts of each line the posteriors are averaged over.
    """

    format: MrzFormat
    decoded: Decoded
    posteriors: Vector
    quads: Vector
    presence: float
    cap_height: float
    variants: int

    @property
    def quality(self) -> float:
        """Mean log posterior of the cells' best characters; 0 is perfect."""
        return float(np.mean(np.log(np.maximum(self.posteriors, 1e-4))))


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """One line followed on the working picture.

    Attributes:
        score: mean log odds per cell.
        points: (cells, 2) centres.
        odds: (cells,) presence.
        ratio: cap height over pitch.
        beyond: presence in the cell just outside the run, the higher of both ends: high when the run is too short.
    """

    score: float
    points: Vector
    odds: Vector
    ratio: float
    beyond: float = -6.0


class MrzReader(stage.Stage):
    """Reads the zone of a photograph, at any rotation."""

    class Parameters(stage.Stage.Parameters):
        """When a zone counts as found and how hard doubtful ones are looked at again."""

        min_presence: float = Field(
            default=1.2, ge=-6, le=6, description="log odds per cell below which there is no zone"
        )
        doubt: float = Field(
            default=0.97, ge=0, le=1, description="posterior below which a zone is read again in variants"
        )
        max_rounds: int = Field(default=4, ge=1, le=10, description="times the cells are tracked anew")
        probe_accept: float = Field(default=0.35, ge=0, le=1, description="share of clear columns for a row to be text")

    parameters: MrzReader.Parameters

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        network: CellNetwork | None = None,
        locator: MrzLocator | None = None,
        **parameters: float,
    ) -> None:
        super().__init__(**parameters)
        self.network = network or CellNetwork(settings)
        self.locator = locator or MrzLocator()

    def read(self, pixels: NDArray[np.uint8]) -> ZoneRead | None:
        """The zone of an RGB photograph, (height, width, 3) uint8; None when there is none to be read."""
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        best: ZoneRead | None = None
        for candidate in self._candidates(grey):
            zone = self._read_candidate(grey, candidate)
            if zone is None:
                continue
            if best is None or self._rank(zone) > self._rank(best):
                best = zone
            if not zone.decoded.ambiguous and zone.quality > -0.12:
                break
        return best

    @staticmethod
    def _rank(zone: ZoneRead) -> tuple[bool, float]:
        return (not zone.decoded.ambiguous, zone.quality)

    def _candidates(self, grey: Grey) -> Iterator[ZoneCandidate]:
        yield from self.locator.locate(grey)
        if max(grey.shape) > 1250:
            yield from self.locator.locate(grey, (1600,))

    # --------------------------------------------------------------------------------------------- one candidate

    def _read_candidate(self, grey: Grey, candidate: ZoneCandidate) -> ZoneRead | None:
        picture, to_photograph, rows = _working_picture(grey, candidate)
        rows = [refine_row(picture, row) for row in rows]
        probe = self._probe(picture, rows)
        if probe is None:
            return None
        pitch, flipped = probe
        if flipped:
            rows = [Row(row.end, row.start, row.height) for row in rows]
        down = np.array([-rows[0].direction[1], rows[0].direction[0]])
        rows = sorted(rows, key=lambda row: float((row.start + row.end) @ down))
        found = self._follow(picture, rows, pitch, down)
        if found is None:
            return None
        cells, tracks = found
        curves, log_posteriors, odds, beyond = self._settle(picture, _curves(tracks))
        while beyond > self.parameters.min_presence and cells < 44:
            # Characters go on past the ends: the lines are longer than they seemed.
            cells = 36 if cells == 30 else 44
            curves, log_posteriors, odds, beyond = self._settle(picture, self._extend(picture, curves, cells))
        if odds.mean() < self.parameters.min_presence:
            return None
        layout = self._layout(cells, log_posteriors)
        decoded = decode(layout, log_posteriors)
        variants = 1
        posteriors = margins(decoded)
        if decoded.ambiguous or decoded.corrected or posteriors.min() < self.parameters.doubt:
            log_posteriors, odds = self._cells(picture, curves, VARIANTS)
            layout = self._layout(cells, log_posteriors)
            decoded, variants = decode(layout, log_posteriors), len(VARIANTS)
            posteriors = margins(decoded)
        quads = np.stack([to_photograph(curves.quad(line)) for line in range(layout.line_count)])
        height = float(np.mean(np.linalg.norm(quads[:, 0] - quads[:, 3], axis=1)))
        return ZoneRead(layout, decoded, posteriors, quads, float(odds.mean()), height, variants)

    def _probe(self, picture: Grey, rows: list[Row]) -> tuple[float, bool] | None:
        """Pitch and sense of reading, from twelve cells in the middle of a row or two."""
        trials: list[tuple[float, bool]] = []
        strips: list[Grey] = []
        for row in rows[:2]:
            for factor in (0.84, 1.0, 1.19):
                pitch = row.height / CAP_OVER_PITCH * factor
                cells = min(12.0, row.length / pitch + 1)
                middle = row.length / pitch / 2
                for flipped in (False, True):
                    trials.append((factor, flipped))
                    strips.append(cut_straight(picture, row, pitch, flipped=flipped, cells=(cells / 2 - middle, cells)))
        scores: dict[tuple[float, bool], list[float]] = {}
        spread: dict[tuple[float, bool], list[float]] = {}
        for trial, output in zip(trials, self.network.read(strips), strict=True):
            best = np.exp(output[:, 1:].max(axis=1))
            scores.setdefault(trial, []).append(float(np.sort(best)[-len(best) * 2 // 5 :].mean()))
            spread.setdefault(trial, []).append(_column_pitch(output))
        winner = max(scores, key=lambda trial: max(scores[trial]))
        if max(scores[winner]) < self.parameters.probe_accept:
            return None
        place = int(np.argmax(scores[winner]))
        height = rows[place].height
        return height / CAP_OVER_PITCH * winner[0] * spread[winner][place], winner[1]

    def _follow(self, picture: Grey, rows: list[Row], pitch: float, down: Vector) -> tuple[int, list[_Track]] | None:
        """Cells of every line of the zone, lines above and below the rows given tried too."""
        tracks = self._track(picture, rows, pitch)
        cells = _likeliest(tracks)
        if any(track[cells].beyond > 0.5 for track in tracks):
            # The rows were found in part: the run of cells goes on where the strip ended.
            tracks = self._track(picture, rows, pitch, reach=17.0)
            cells = _likeliest(tracks)
        chosen = [t[cells] for t in tracks]
        solid = [k for k, track in enumerate(chosen) if track.score >= self.parameters.min_presence]
        if not solid:
            return None
        lines = [chosen[k] for k in solid]
        wanted = 3 if cells == 30 else 2
        # Lines that the locator missed: one spacing above and below those it found.
        for _ in range(wanted):
            if len(lines) >= wanted:
                break
            step = _spacing(lines, pitch, down)
            extra: list[tuple[bool, Row]] = []
            for above in (True, False):
                track = lines[0] if above else lines[-1]
                move = -step if above else step
                base = _row_of(track, rows[0].height)
                extra.append((above, refine_row(picture, Row(base.start + move, base.end + move, base.height))))
            results = self._track(picture, [row for _, row in extra], pitch)
            best = max(range(2), key=lambda k: results[k][cells].score)
            if results[best][cells].score < self.parameters.min_presence:
                break
            lines = [results[best][cells], *lines] if extra[best][0] else [*lines, results[best][cells]]
        if len(lines) < wanted:
            return None
        if len(lines) > wanted:
            starts = range(len(lines) - wanted + 1)
            first = max(starts, key=lambda s: sum(track.score for track in lines[s : s + wanted]))
            lines = lines[first : first + wanted]
        return cells, lines

    def _track(self, picture: Grey, rows: list[Row], pitch: float, reach: float = 3.0) -> list[dict[int, _Track]]:
        """For each row and each number of cells, the best run of cells along it, up to ``reach`` cells off its ends."""
        strips, origins = [], []
        for row in rows:
            before = reach
            # A row that was found in part only is searched to where the longest line could reach.
            have = row.length / pitch
            missing = max(0.0, (30 if have < 31 else 36 if have < 37 else 44) - have)
            before += min(missing, 12.0)
            length = have + 2 * before
            strips.append(cut_straight(picture, row, pitch, flipped=False, cells=(before, length)))
            origins.append(before)
        results: list[dict[int, _Track]] = []
        for row, before, output in zip(rows, origins, self.network.read(strips), strict=True):
            odds = presence(output)
            entry: dict[int, _Track] = {}
            for cells in (30, 36, 44):
                if len(odds) < cells * 4:
                    entry[cells] = _Track(-6.0, np.zeros((cells, 2)), np.full(cells, -6.0), 1.0)
                    continue
                score, path = track_cells(odds, cells)
                if not np.isfinite(score):
                    entry[cells] = _Track(-6.0, np.zeros((cells, 2)), np.full(cells, -6.0), 1.0)
                    continue
                along = (sub_column(odds, path) / STRIP_PITCH - before) * pitch
                points = row.start[None, :] + along[:, None] * row.direction[None, :]
                entry[cells] = _Track(score, points, odds[path], row.height / pitch, _beyond(odds, path))
            results.append(entry)
        return results

    def _settle(self, picture: Grey, curves: Curves) -> tuple[Curves, NDArray[np.float32], Vector, float]:
        """Cut along the curves, track the cells anew and refit, until the cells stay where they are.

        Returns:
            The best curves, what the network says along them, presence per cell, and presence just outside the ends.
        """
        best: tuple[Curves, NDArray[np.float32], Vector, float] | None = None
        for _ in range(self.parameters.max_rounds):
            curves, lifted = _recentre(picture, curves)
            outputs = self.network.read([cut_curved(picture, curves, line) for line in range(len(curves.x))])
            log_posteriors, odds = _gather(outputs, curves.cells)
            points, weights, ends, moved = [], [], [], 0.0
            for line, output in enumerate(outputs):
                column_odds = presence(output)
                _, path = track_cells(column_odds, curves.cells)
                index = sub_column(column_odds, path) / STRIP_PITCH - MARGIN_CELLS - 0.5
                moved = max(moved, float(np.abs(index - np.arange(curves.cells)).max()))
                points.append(np.column_stack(curves.centre(line, index)))
                weights.append(1 / (1 + np.exp(-column_odds[path])))
                ends.append(_beyond(column_odds, path))
            if best is None or odds.mean() > best[2].mean():
                best = curves, log_posteriors, odds, float(np.mean(ends))
            if moved < 0.15 and lifted < 0.15:
                break
            curves = fit_curves(np.stack(points), np.stack(weights), np.full(len(points), curves.ratio))
        assert best is not None
        return best

    def _extend(self, picture: Grey, curves: Curves, cells: int) -> Curves:
        """The curves continued to ``cells`` cells, wherever along them these are found."""
        margin = cells - curves.cells + MARGIN_CELLS
        strips = [cut_curved(picture, curves, line, margin=margin) for line in range(len(curves.x))]
        points, weights = [], []
        for line, output in enumerate(self.network.read(strips)):
            odds = presence(output)
            _, path = track_cells(odds, cells)
            points.append(np.column_stack(curves.centre(line, sub_column(odds, path) / STRIP_PITCH - margin - 0.5)))
            weights.append(1 / (1 + np.exp(-odds[path])))
        return fit_curves(np.stack(points), np.stack(weights), np.full(len(points), curves.ratio))

    def _cells(
        self, picture: Grey, curves: Curves, variants: tuple[tuple[float, float, float], ...]
    ) -> tuple[NDArray[np.float32], Vector]:
        """Log posteriors of the 37 characters per cell, (lines, cells, 37), and presence per cell, both averaged."""
        lines = len(curves.x)
        strips = [
            cut_curved(picture, curves, line, shift=(dx, dy), stretch=stretch)
            for dx, dy, stretch in variants
            for line in range(lines)
        ]
        outputs = self.network.read(strips)
        outputs = self.network.read(strips)
        total = np.zeros((lines, curves.cells, len(ALPHABET)))
        odds = np.zeros((lines, curves.cells))
        for start in range(0, len(outputs), lines):
            cells, present = _gather(outputs[start : start + lines], curves.cells)
            total += cells / len(variants)
            odds += present / len(variants)
        total -= np.log(np.exp(total).sum(axis=2, keepdims=True))
        return total.astype(np.float32), odds

    @staticmethod
    def _layout(cells: int, log_posteriors: NDArray[np.float32]) -> MrzFormat:
        """The format: by the number of cells, and by whether the first letter is a V."""
        if cells == 30:
            return MrzFormat.TD1
        first = log_posteriors[0, 0]
        letters = [k for k, c in enumerate(ALPHABET) if c.isalpha()]
        visa = ALPHABET[max(letters, key=lambda k: first[k])] == "V"
        if cells == 36:
            return MrzFormat.MRV_B if visa else MrzFormat.TD2
        return MrzFormat.MRV_A if visa else MrzFormat.TD3


VARIANTS: tuple[tuple[float, float, float], ...] = (
    (0.0, 0.0, 1.0),
    (1.6, -1.0, 1.0),
    (-1.6, 1.0, 1.0),
    (0.6, 0.0, 1.07),
    (-0.6, 0.0, 0.93),
)
"""Shifts right and down (strip pixels) and stretches that doubtful zones are read with."""


def _working_picture(grey: Grey, candidate: ZoneCandidate) -> tuple[Grey, Callable[[Vector], Vector], list[Row]]:
    """The surroundings of a candidate at working scale, the way back, and its rows there."""
    ends = np.concatenate([[row.start, row.end] for row in candidate.rows])
    height = float(np.mean([row.height for row in candidate.rows]))
    # A row found in part may go on by fourteen cells and more.
    reach = 19 * height
    low = np.maximum(np.floor(ends.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(ends.max(axis=0) + reach), [grey.shape[1], grey.shape[0]]).astype(int)
    crop = grey[low[1] : high[1], low[0] : high[0]]
    scale = min(1.0, WORKING_CAP / height)
    if scale < 0.85:
        crop = shrink(crop, scale)
    else:
        scale = 1.0
    rows = [Row((row.start - low) * scale, (row.end - low) * scale, row.height * scale) for row in candidate.rows]

    def back(points: Vector) -> Vector:
        moved: Vector = points / scale + low
        return moved

    return crop, back, rows


def _column_pitch(output: NDArray[np.float32]) -> float:
    """Distance between character peaks over the nominal one, from the presence's autocorrelation; 1 when unclear."""
    odds = presence(output)
    signal = odds - odds.mean()
    lags = np.arange(3, 9)
    padded = np.array([float((signal[:-lag] * signal[lag:]).mean()) for lag in lags])
    peak = int(padded.argmax())
    if peak in (0, len(lags) - 1) or padded[peak] <= 0:
        return 1.0
    a, b, c = padded[peak - 1 : peak + 2]
    shift = 0.5 * (a - c) / (a - 2 * b + c - 1e-9)
    return float(np.clip((lags[peak] + shift) / 5.0, 0.8, 1.25))


def _recentre(picture: Grey, curves: Curves) -> tuple[Curves, float]:
    """Curves moved across, onto the middle of the ink, and by how much at most, in halves of the cap height."""
    index = np.arange(curves.cells, dtype=np.float64)
    points, most = [], 0.0
    for line in range(len(curves.x)):
        offset = vertical_offsets(picture, curves, line)
        most = max(most, float(np.abs(offset).max()))
        x, y = curves.centre(line, index)
        up_x, up_y = curves.upward(line, index)
        points.append(np.column_stack([x - offset * up_x, y - offset * up_y]))
    weights = np.ones((len(points), curves.cells))
    return fit_curves(np.stack(points), weights, np.full(len(points), curves.ratio)), most


def _likeliest(tracks: list[dict[int, _Track]]) -> int:
    """The number of cells a line that explains most characters."""
    totals = {n: float(np.mean([max(0.0, track[n].score) * n for track in tracks])) for n in (30, 36, 44)}
    return max(totals, key=lambda n: totals[n])


def _beyond(odds: Vector, path: NDArray[np.intp]) -> float:
    """Presence where the next cell would be, before the first or after the last; strip ends count as occupied."""
    columns = round(STRIP_PITCH / STRIP_STEP)
    ends = []
    for place in (path[0] - columns, path[-1] + columns):
        near = odds[max(0, place - 1) : place + 2] if place >= 0 else odds[:0]
        ends.append(float(near.max()) if len(near) else 1.0)
    return max(ends)


def _gather(outputs: list[NDArray[np.float32]], cells: int) -> tuple[NDArray[np.float32], Vector]:
    """Log posteriors over the alphabet and presence at the centres of the cells; (lines, cells, 37), (lines, cells)."""
    columns = round(STRIP_PITCH / STRIP_STEP) * (MARGIN_CELLS + np.arange(cells)) + 2
    stacks = [0.25 * out[columns - 1] + 0.5 * out[columns] + 0.25 * out[columns + 1] for out in outputs]
    total = np.stack(stacks)[:, :, 1:]
    total = total - np.log(np.exp(total).sum(axis=2, keepdims=True))
    return total, np.stack([presence(out)[columns] for out in outputs])


def _row_of(track: _Track, height: float) -> Row:
    return Row(track.points[0], track.points[-1], height)


def _spacing(lines: list[_Track], pitch: float, down: Vector) -> Vector:
    """The vector from a line to the next one below."""
    if len(lines) > 1:
        step: Vector = (lines[-1].points.mean(axis=0) - lines[0].points.mean(axis=0)) / (len(lines) - 1)
        return step
    expected: Vector = down * pitch * LINE_SPACING
    return expected


def _curves(tracks: list[_Track]) -> Curves:
    points = np.stack([track.points for track in tracks])
    weights = 1 / (1 + np.exp(-np.stack([track.odds for track in tracks])))
    return fit_curves(points, weights, np.array([track.ratio for track in tracks]))
