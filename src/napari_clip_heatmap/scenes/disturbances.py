"""What comes between a specimen and its picture: uneven light, haze, debris, camera, scale bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.canvas import blank, blob_outline, fill_shape, smooth_noise

__all__ = ["disturb"]

_Light = NDArray[np.float32]


def disturb(rng: np.random.Generator, light: _Light) -> NDArray[np.uint8]:
    """Return the picture that a camera takes, ``(y, x, 3)`` uint8, in one of many conditions.

    Parameters
    ----------
    rng : Generator
        Decides which disturbances there are, and how strong.
    light : ndarray (y, x, 3) float32
        0..1; it is not changed.
    """
    picture = light
    for odds, disturbance in (
        (0.5, _uneven_light),
        (0.3, _haze),
        (0.25, _dust),
    ):
        if rng.random() < odds:
            picture = disturbance(rng, picture)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.35 + rng.exponential(0.45))
    picture = _camera(rng, picture)
    image = np.round(picture.clip(0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.12:
        _scale_bar(rng, image)
    return image


def _uneven_light(rng: np.random.Generator, picture: _Light) -> _Light:
    """Darken one side, or the corners."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    if rng.random() < 0.5:
        turn = rng.uniform(0, 2 * np.pi)
        shade = 0.5 + 0.5 * (np.cos(turn) * x + np.sin(turn) * y) / np.sqrt(2)
    else:
        shade = ((x - rng.normal(0, 0.3)) ** 2 + (y - rng.normal(0, 0.3)) ** 2) / 2
    return np.asarray(picture * (1 - rng.uniform(0.1, 0.6) * shade.clip(0, 1))[..., None])


def _haze(rng: np.random.Generator, picture: _Light) -> _Light:
    """Add light from out of focus: the picture itself, blurred wide, and a cloud."""
    sigma = rng.uniform(6, 24)
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma)
    part = rng.uniform(0.2, 0.6)
    cloud = 0.5 + 0.5 * smooth_noise(rng, picture.shape[:2], rng.uniform(30, 120))
    hazy = (1 - part) * picture + part * blurred + rng.uniform(0, 0.08) * cloud[..., None]
    return np.asarray(hazy, np.float32)


def _dust(rng: np.random.Generator, picture: _Light) -> _Light:
    """Put a few blurred, dark or bright specks over the picture."""
    canvas = blank(picture.shape[:2])
    for _ in range(int(rng.integers(1, 7))):
        place = (rng.uniform(0, picture.shape[1]), rng.uniform(0, picture.shape[0]))
        outline = blob_outline(rng, place, rng.uniform(1.5, 10), roughness=0.25, n_points=14)
        fill_shape(canvas, outline, int(rng.integers(60, 200)))
    soft = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.8, 6)).astype(np.float32) / 255
    target = 0.0 if picture.mean() > 0.4 else rng.uniform(0.3, 1)
    return np.asarray(picture + (target - picture) * (0.8 * soft)[..., None], np.float32)


def _camera(rng: np.random.Generator, picture: _Light) -> _Light:
    """Add shot and read noise, rows that differ, and pixels that are stuck; then stretch."""
    height, width = picture.shape[:2]
    is_gray = bool(np.allclose(picture[..., :1], picture, rtol=0, atol=1e-4))
    grain = rng.standard_normal((height, width, 1 if is_gray else 3), np.float32)
    read, shot = min(rng.exponential(0.012), 0.06), min(rng.exponential(0.018), 0.08)
    noisy = picture + grain * (read + shot * np.sqrt(np.maximum(picture, 0)))
    if rng.random() < 0.15:
        noisy = noisy + rng.normal(0, 0.012, (height, 1, 1))
    if rng.random() < 0.1:
        stuck = rng.random((height, width)) < rng.uniform(1e-4, 1.5e-3)
        noisy = np.where(stuck[..., None], rng.uniform(0.6, 1), noisy)
    gain, gamma = rng.uniform(0.65, 1.15), rng.uniform(0.75, 1.35)
    return np.asarray(np.maximum(noisy * gain + rng.uniform(-0.02, 0.04), 0) ** gamma, np.float32)


def _scale_bar(rng: np.random.Generator, image: NDArray[np.uint8]) -> None:
    """Draw a bar near the lower border, mostly with a length over it, in place."""
    height, width = image.shape[:2]
    length, thickness = int(width * rng.uniform(0.12, 0.3)), max(2, height // 80)
    left = int(rng.choice([width * 0.05, width * 0.95 - length]))
    bottom = int(height * 0.94)
    color = (255, 255, 255) if image.mean() < 128 else (0, 0, 0)
    cv2.rectangle(image, (left, bottom - thickness), (left + length, bottom), color, -1)
    if rng.random() < 0.7:
        text = f"{rng.choice([1, 2, 5, 10, 20, 50, 100])} um"
        place = (left, bottom - thickness - max(3, height // 60))
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, height / 640, color, 1, 16)
