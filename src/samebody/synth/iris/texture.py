"""The texture of an iris in polar coordinates: fibres, collarette, crypts, furrows and spots out of seeded noise.

The parts are those of the anatomy (stroma of radial fibres, pupillary and ciliary zone parted by the collarette,
crypts, contraction furrows, pigment spots); their statistics are chosen by eye, not fitted to a data set.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ANGLES, RADII = 1024, 192
"""Samples of a texture around the pupil and from its edge to the limbus."""

Field = NDArray[np.float32]


def iris_texture(rng: np.random.Generator, angles: int = ANGLES, radii: int = RADII) -> Field:
    """(radii, angles) float32 reflectance around 0, standard deviation 1; periodic in the angle.

    Row 0 is the edge of the pupil, the last row the limbus; column 0 lies at the right, columns run clockwise as seen
    in a picture whose y axis points down.
    """
    rho = np.linspace(0.0, 1.0, radii, dtype=np.float32)[:, None]
    collarette = 0.28 + 0.05 * periodic_noise(rng, 1, angles, 9.0)[0] + 0.02 * periodic_noise(rng, 1, angles, 40.0)[0]
    depth = rho - np.clip(collarette, 0.12, 0.45)[None, :].astype(np.float32)
    ciliary = 1.0 / (1.0 + np.exp(-depth / 0.015))
    outer, inner = _fibres(rng, radii, angles, 60.0), _fibres(rng, radii, angles, 110.0)
    texture = ciliary * outer + (1.0 - ciliary) * (0.8 * inner + 0.5)
    texture += 0.5 * anisotropic_noise(rng, radii, angles, 10.0, 3.0)
    texture += 0.45 * anisotropic_noise(rng, radii, angles, 24.0, 12.0)
    texture += 1.3 * np.exp(-0.5 * (depth / 0.02) ** 2) * (0.6 + 0.4 * periodic_noise(rng, 1, angles, 60.0))
    texture -= _crypts(rng, rho, angles, collarette)
    texture -= _furrows(rng, rho, angles)
    texture -= _spots(rng, rho, angles)
    texture -= texture.mean()
    return np.ascontiguousarray(texture / texture.std(), dtype=np.float32)


def periodic_noise(rng: np.random.Generator, rows: int, angles: int, cutoff: float) -> Field:
    """(rows, angles) float32 noise of unit variance, periodic, with frequencies up to about ``cutoff`` per turn."""
    frequency = np.fft.rfftfreq(angles, 1.0 / angles)
    shape = np.exp(-0.5 * (frequency / cutoff) ** 2)
    shape[0] = 0.0
    spectrum = np.fft.rfft(rng.standard_normal((rows, angles)), axis=1) * shape
    noise = np.fft.irfft(spectrum, angles, axis=1)
    return np.asarray(noise / max(float(noise.std()), 1e-9), dtype=np.float32)


def anisotropic_noise(rng: np.random.Generator, radii: int, angles: int, around: float, along: float) -> Field:
    """(radii, angles) float32 noise of unit variance around frequencies (``around`` per turn, ``along`` per radius)."""
    return _noise(rng, radii, angles, ((around, along, 1.0),))


def _noise(rng: np.random.Generator, radii: int, angles: int, bands: tuple[tuple[float, float, float], ...]) -> Field:
    """Noise of unit variance whose power is that of several bands (around, along, weight) added up."""
    padded = 2 * radii  # the transform is periodic along the radius too: only half of it is kept
    u = np.fft.rfftfreq(angles, 1.0 / angles).astype(np.float32)[None, :]
    v = np.fft.fftfreq(padded, 1.0 / padded).astype(np.float32)[:, None]
    power = np.zeros((padded, angles // 2 + 1), dtype=np.float32)
    for around, along, weight in bands:
        distance = (u / around) ** 2 + (v / (2.0 * along)) ** 2
        shape = distance * np.exp(-distance)
        power += (weight * weight) * shape * shape / max(float((shape * shape).sum()), 1e-9)
    white = rng.standard_normal((padded, angles), dtype=np.float32)
    noise = np.fft.irfft2(np.fft.rfft2(white) * np.sqrt(power), (padded, angles))[:radii]
    return np.asarray(noise / max(float(noise.std()), 1e-9), dtype=np.float32)


def _fibres(rng: np.random.Generator, radii: int, angles: int, density: float) -> Field:
    """Radial fibres that wave: noise of several densities, long along the radius, bent by slow noise."""
    bands = tuple((factor * density, 2.2, w) for factor, w in ((0.35, 0.9), (0.7, 0.8), (1.0, 0.6), (1.8, 0.3)))
    straight = 1.38 * _noise(rng, radii, angles, bands)
    bend = np.cumsum(anisotropic_noise(rng, radii, angles, 7.0, 2.5), axis=0) * (0.10 * angles / 1024.0)
    return _bent(straight, bend - bend.mean(axis=0, keepdims=True))


def _bent(field: Field, shift: Field) -> Field:
    """``field`` read ``shift`` columns further, linearly interpolated, periodic."""
    angles = field.shape[1]
    position = np.arange(angles, dtype=np.float32)[None, :] + shift
    low = np.floor(position).astype(np.int64)
    share = (position - low).astype(np.float32)
    first = np.take_along_axis(field, low % angles, axis=1)
    second = np.take_along_axis(field, (low + 1) % angles, axis=1)
    return np.asarray(first * (1 - share) + second * share, dtype=np.float32)


def _around(angles: int, centre: float) -> NDArray[np.float64]:
    """(angles,) distance to the angle ``centre`` in turns, -0.5..0.5."""
    return (np.arange(angles) / angles - centre + 0.5) % 1.0 - 0.5


def _crypts(rng: np.random.Generator, rho: Field, angles: int, collarette: Field) -> Field:
    """Dark lozenges with a bright rim, most of them at the collarette."""
    dark = np.zeros((rho.shape[0], angles), dtype=np.float64)
    for _ in range(int(rng.integers(8, 46))):
        centre = float(rng.random())
        base = float(collarette[int(centre * angles)])
        radius = base + abs(float(rng.normal(0.0, 0.13))) + 0.03
        width, height = float(rng.uniform(0.006, 0.022)), float(rng.uniform(0.025, 0.09))
        depth = float(rng.uniform(0.8, 2.4))
        away = np.abs(_around(angles, centre))
        near = np.flatnonzero(away < 4 * width)  # further out nothing of it is left
        d = away[None, near] / width + np.abs(rho - radius) / height
        dark[:, near] += depth / (1.0 + np.exp(np.minimum((d - 1.0) / 0.12, 50.0)))
        dark[:, near] -= 0.3 * depth * np.exp(-0.5 * ((d - 1.25) / 0.15) ** 2)
    return np.asarray(dark, dtype=np.float32)


def _furrows(rng: np.random.Generator, rho: Field, angles: int) -> Field:
    """Contraction furrows: dark arcs about the pupil in the outer half."""
    dark = np.zeros((rho.shape[0], angles), dtype=np.float64)
    for _ in range(int(rng.integers(1, 6))):
        radius = rng.uniform(0.5, 0.92) + 0.012 * periodic_noise(rng, 1, angles, 6.0)[0]
        span = float(rng.uniform(0.12, 0.5))
        beyond = (np.abs(_around(angles, float(rng.random()))) - span / 2) / 0.02
        fade = 1.0 / (1.0 + np.exp(np.minimum(beyond, 50.0)))
        dark += float(rng.uniform(0.4, 1.0)) * fade * np.exp(-0.5 * ((rho - radius) / 0.012) ** 2)
    return np.asarray(dark, dtype=np.float32)


def _spots(rng: np.random.Generator, rho: Field, angles: int) -> Field:
    """Pigment spots: a few small dark discs."""
    dark = np.zeros((rho.shape[0], angles), dtype=np.float64)
    for _ in range(int(rng.integers(0, 7))):
        d = (_around(angles, float(rng.random())) / float(rng.uniform(0.004, 0.012)))[None, :] ** 2
        d = d + ((rho - float(rng.uniform(0.3, 0.95))) / float(rng.uniform(0.015, 0.04))) ** 2
        dark += float(rng.uniform(0.6, 1.6)) * np.exp(-0.5 * d)
    return np.asarray(dark, dtype=np.float32)
