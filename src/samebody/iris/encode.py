"""Texture to bits: phases of log-Gabor responses along the rings, with a mask of the bits not to be trusted.

The transfer function along the angle is a log-Gabor (Field, JOSA A 4(12), 1987), across the rings a Gaussian: a 2-D
wavelet that is separable in the unwrapped iris, without response to constant brightness. The two signs of its complex
response are the bits (Daugman 2004). Bits whose response lies close to 0 flip between captures and are masked
(Hollingsworth, Bowyer, Flynn, "The best bits in an iris code", IEEE PAMI 31(6), 2009).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.results import CodeBits, Responses, Texture
from samebody.iris.stages import IrisStage, stages
from samebody.iris.template import COLUMNS, FILTERS, MAX_COLUMNS, ROWS


@stages.register("log_gabor")
class LogGabor(IrisStage):
    """Complex responses at 16 rings and two wavelengths."""

    class Parameters(stage.Stage.Parameters):
        """Frequencies are cycles over the whole circle, lengths across rings are shares of pupil to limbus."""

        columns: int = Field(default=COLUMNS, ge=32, le=MAX_COLUMNS, description="angles of the code")
        cycles_low: float = Field(default=12.0, ge=2, le=64, description="centre frequency of the first filter")
        cycles_high: float = Field(default=30.0, ge=2, le=128, description="centre frequency of the second filter")
        bandwidth: float = Field(default=0.4, gt=0.1, lt=0.95, description="sigma over centre of the log-Gabor")
        first_ring: float = Field(default=0.08, ge=0, lt=0.5, description="innermost ring")
        last_ring: float = Field(default=0.92, gt=0.5, le=1, description="outermost ring")
        ring_blur: float = Field(default=0.03, gt=0, lt=0.5, description="standard deviation across the rings")
        least_seen: float = Field(
            default=0.6, ge=0, le=1, description="share of a response's support that must be visible"
        )

    parameters: Parameters

    takes = (Texture,)
    gives = Responses

    def run(self, texture: Texture) -> Responses:
        """Responses (16, columns, 2) and whether enough of each one's support was visible."""
        options = self.parameters
        rows, columns = texture.values.shape
        usable = texture.usable.astype(np.float32)
        place = (np.arange(rows) + 0.5) / rows
        rings = np.linspace(options.first_ring, options.last_ring, ROWS)
        window = np.exp(-0.5 * ((rings[:, None] - place) / options.ring_blur) ** 2).astype(np.float32)
        window /= window.sum(axis=1, keepdims=True)
        count = np.maximum(usable.sum(axis=1, keepdims=True), 1.0)
        centred = (texture.values - (texture.values * usable).sum(axis=1, keepdims=True) / count) * usable
        seen = window @ usable
        level = (window @ centred) / np.maximum(seen, 1e-3)
        level *= seen > 0.3
        spectrum = np.fft.fft(level.astype(np.float64), axis=1)
        values = np.empty((ROWS, options.columns, FILTERS), dtype=np.complex64)
        mask = np.empty((ROWS, options.columns, FILTERS), dtype=np.bool_)
        for index, centre in enumerate((options.cycles_low, options.cycles_high)):
            transfer = log_gabor(columns, centre, options.bandwidth)
            values[..., index] = _resampled(spectrum * transfer, options.columns)
            # Spatial width of the envelope: standard deviation in angle is about 1 / (2 pi bandwidth centre) turns.
            deviation = columns / (2 * np.pi * (1 - options.bandwidth) * centre)
            visible = _blur_around(seen, deviation)
            at = (np.arange(options.columns) * columns / options.columns).round().astype(np.intp) % columns
            mask[..., index] = visible[:, at] >= options.least_seen
        return Responses(values, mask)


def log_gabor(columns: int, centre: float, bandwidth: float) -> NDArray[np.float64]:
    """(columns,) transfer function ``exp(-ln(f/f0)^2 / (2 ln(bandwidth)^2))`` for 0 < f < columns/2, 0 elsewhere."""
    transfer = np.zeros(columns)
    half = columns // 2
    f = np.arange(1, half)
    transfer[1:half] = np.exp(-(np.log(f / centre) ** 2) / (2 * np.log(bandwidth) ** 2))
    return transfer


def _resampled(spectrum: NDArray[np.complex128], columns: int) -> NDArray[np.complex128]:
    """Inverse transform of a one-sided spectrum at ``columns`` evenly spaced angles."""
    rows, length = spectrum.shape
    folds = -(-length // columns)
    padded = np.zeros((rows, folds * columns), dtype=np.complex128)
    padded[:, :length] = spectrum
    folded = padded.reshape(rows, folds, columns).sum(axis=1)
    return np.asarray(np.fft.ifft(folded, axis=1) * (columns / length))


def _blur_around(values: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    """Gaussian blur along the columns, closed over the circle."""
    reach = min(values.shape[1], int(np.ceil(3 * deviation)))
    wrapped = np.concatenate((values[:, -reach:], values, values[:, :reach]), axis=1)
    blurred = cv2.GaussianBlur(wrapped, (2 * reach + 1, 1), sigmaX=deviation, sigmaY=0.1)
    return np.asarray(blurred[:, reach:-reach])


@stages.register("phase_bits")
class PhaseBits(IrisStage):
    """Signs of the real and imaginary parts; the weakest share of the visible ones is masked as fragile."""

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        fragile: float = Field(default=0.1, ge=0, lt=0.9, description="share of the visible bits masked as fragile")

    parameters: Parameters

    takes = (Responses,)
    gives = CodeBits

    def run(self, responses: Responses) -> CodeBits:
        """Code and mask, bool (16, columns, 2 filters, 2 parts)."""
        parts = np.stack((responses.values.real, responses.values.imag), axis=-1)
        mask = np.repeat(responses.usable[..., None], 2, axis=-1)
        if self.parameters.fragile > 0:
            strength = np.abs(parts)
            for index in range(parts.shape[2]):
                chosen = responses.usable[:, :, index]
                if chosen.any():
                    limit = np.quantile(strength[:, :, index][chosen], self.parameters.fragile)
                    mask[:, :, index] &= strength[:, :, index] > limit
        return CodeBits(parts > 0, mask)
