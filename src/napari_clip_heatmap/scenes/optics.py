"""From drawn structures to a picture: stain or fluorescence, background, blur and camera noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.canvas import blank, smooth_noise, stroke, wander

__all__ = ["absorb", "expose", "fluoresce", "tissue"]

_Picture = NDArray[np.float32]
_Plane = NDArray[np.float32]


def fluoresce(
    rng: np.random.Generator,
    size: tuple[int, int],
    signals: Mapping[str, _Plane],
    colors: Mapping[str, tuple[float, float, float]],
) -> _Picture:
    """Add colored light on a dark, uneven background: ``(y, x, 3)``, 0..1."""
    picture = np.zeros((*size, 3), np.float32)
    for name, signal in signals.items():
        gain = rng.uniform(0.45, 1.0)
        halo = rng.uniform(0, 0.35) * cv2.GaussianBlur(signal, (0, 0), rng.uniform(3, 10))
        picture += (gain * (signal + halo))[..., None] * np.asarray(colors[name], np.float32)
    haze = rng.uniform(0, 0.14) * (1 + 0.7 * smooth_noise(rng, size, rng.uniform(20, 120)))
    tint = rng.uniform(0.3, 1, 3) if _is_colored(colors) else np.ones(3)
    # Real cameras are rarely filled: many published 8-bit images end at a fifth of the range.
    exposure = 1.0 if rng.random() < 0.6 else np.exp(rng.uniform(np.log(0.15), 0))
    return np.asarray(exposure * (picture + haze[..., None] * tint), np.float32)


def _is_colored(colors: Mapping[str, tuple[float, float, float]]) -> bool:
    return any(len(set(color)) > 1 for color in colors.values())


def tissue(rng: np.random.Generator, size: tuple[int, int], zoom: float) -> _Plane:
    """Return the stain between the objects, ``(y, x)`` 0..1: mottle and soft fibers."""
    plane = 0.5 + 0.5 * smooth_noise(rng, size, rng.uniform(15, 90) * zoom)
    if rng.random() < 0.5:
        fibres = blank(size)
        heading = rng.uniform(0, np.pi)
        for _ in range(int(rng.integers(5, 40))):
            start = (float(rng.uniform(0, size[1])), float(rng.uniform(0, size[0])))
            path = wander(rng, start, 90 * zoom, step=9, curl=0.12, angle=heading)
            stroke(fibres, path, rng.uniform(1, 6) * zoom, value=int(rng.integers(40, 160)))
        soft = cv2.GaussianBlur(fibres, (0, 0), rng.uniform(1.5, 5) * zoom)
        plane = plane + rng.uniform(0.2, 0.9) * np.asarray(soft, np.float32) / 255
    return np.asarray(plane.clip(0, 1.5), np.float32)


def absorb(
    rng: np.random.Generator,
    signals: Mapping[str, _Plane],
    absorbances: Mapping[str, tuple[float, float, float]],
    ground: tuple[float, float, float],
) -> _Picture:
    """Absorb light of a bright background (Beer-Lambert): ``(y, x, 3)``, 0..1."""
    plane = next(iter(signals.values()))
    depth = np.zeros((*plane.shape, 3), np.float32)
    for name, signal in signals.items():
        depth += signal[..., None] * np.asarray(absorbances[name], np.float32)
    height, width = plane.shape
    mottle = smooth_noise(rng, (height, width), rng.uniform(60, 200))
    shade = 1 + rng.uniform(0, 0.06) * mottle
    return np.asarray(np.asarray(ground) * shade[..., None] * np.exp(-depth), np.float32)


def expose(rng: np.random.Generator, picture: _Picture, *, sharpest: float) -> NDArray[np.uint8]:
    """Blur, add shot and read noise, stretch, and quantise to 8 bit ``(y, x, 3)``.

    Parameters
    ----------
    rng : Generator
        Source of the settings and the noise.
    picture : ndarray (y, x, 3) float32
        Light, 0..1.
    sharpest : float
        Smallest standard deviation of the blur, in pixels.
    """
    sigma = sharpest + rng.exponential(0.5)
    picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    is_gray = bool(np.allclose(picture[..., :1], picture[..., 1:], rtol=0, atol=1e-4))
    grain = rng.standard_normal((*picture.shape[:2], 1 if is_gray else 3), np.float32)
    if rng.random() < 0.4:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.7).reshape(grain.shape) * 1.6
    # A dim picture was taken with as many photons as a bright one: noise scales with the light.
    light = float(np.quantile(picture[::4, ::4], 0.995))
    read, shot = light * min(rng.exponential(0.012), 0.05), min(rng.exponential(0.016), 0.06)
    picture = picture + grain * np.asarray(
        read + shot * np.sqrt(light * np.maximum(picture, 0)), np.float32
    )
    gain, gamma, lift = rng.uniform(0.6, 1.15), rng.uniform(0.75, 1.35), rng.uniform(-0.02, 0.04)
    developed = np.maximum(picture * gain + lift, 0) ** gamma
    return np.asarray(np.round(developed.clip(0, 1) * 255), np.uint8)
