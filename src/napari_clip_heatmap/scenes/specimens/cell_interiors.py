"""Fluorescent cells with a network of mitochondria round the nucleus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.canvas import (
    Canvas,
    blank,
    blob_outline,
    fill_shape,
    smooth_noise,
    stroke,
    wander,
)
from napari_clip_heatmap.scenes.layout import scatter
from napari_clip_heatmap.scenes.specimens.specimen import Drawing

__all__ = ["draw_cell_interiors"]

_COLORS = ((1, 0.1, 0.1), (0.1, 1, 0.15), (1, 0.1, 1), (1, 1, 0.2), (1, 0.5, 0.1), (1, 1, 1))


def draw_cell_interiors(rng: np.random.Generator, size: tuple[int, int]) -> Drawing:
    """Draw cells 60 to 150 pixels wide; mitochondria are tubes, or short and round."""
    zoom = float(np.exp(rng.uniform(-0.35, 0.5)))
    cells, nuclei, mitochondria = blank(size), blank(size), blank(size)
    is_tubular = rng.random() < 0.7
    width = rng.uniform(2.2, 4.2) * zoom
    for x, y in scatter(rng, size, 95 * zoom, occupancy=rng.uniform(0.5, 1)):
        radius = rng.uniform(34, 55) * zoom
        angle, elongation = rng.uniform(0, np.pi), rng.uniform(1, 1.7)
        body = blob_outline(rng, (x, y), radius, elongation=elongation, angle=angle, roughness=0.12)
        fill_shape(cells, body, int(rng.integers(120, 256)))
        _mitochondria(rng, mitochondria, body, width, is_tubular=is_tubular)
        core = blob_outline(rng, (x, y), 0.34 * radius, elongation=1.2, angle=angle)
        fill_shape(mitochondria, core, 0)
        fill_shape(nuclei, core, int(rng.integers(150, 256)))
    light, stained = _stain(rng, {"mitochondria": mitochondria, "nuclei": nuclei}, cells)
    masks = {"cells": cells > 60, "mitochondria": mitochondria > 90}
    if stained:
        masks["nuclei"] = nuclei > 90
    return Drawing(light, masks, "fluorescence")


def _mitochondria(
    rng: np.random.Generator,
    canvas: Canvas,
    body: NDArray[np.float32],
    width: float,
    *,
    is_tubular: bool,
) -> None:
    """Strew tubes inside a cell's outline, more of them near its middle."""
    middle = body.mean(0)
    inside = blank(canvas.shape[:2])
    fill_shape(inside, body)
    own = blank(canvas.shape[:2])
    for _ in range(int(rng.integers(18, 55))):
        toward = body[int(rng.integers(len(body)))] - middle
        start = middle + toward * np.sqrt(rng.uniform(0.1, 0.85))
        length = width * (rng.uniform(4, 14) if is_tubular else rng.uniform(1, 3))
        place = (float(start[0]), float(start[1]))
        path = wander(rng, place, length, step=max(1.5, width), curl=0.45)
        stroke(own, path, width, value=int(rng.integers(110, 256)))
    np.maximum(canvas, np.minimum(own, inside), out=canvas)


def _stain(
    rng: np.random.Generator, signals: dict[str, Canvas], cells: Canvas
) -> tuple[NDArray[np.float32], bool]:
    """Color the channels; return the light, and whether nuclei were stained."""
    has_nuclei = bool(rng.random() < 0.55)
    is_gray = rng.random() < 0.4
    color = np.ones(3) if is_gray else np.asarray(_COLORS[int(rng.integers(len(_COLORS)))])
    tubes = cv2.GaussianBlur(signals["mitochondria"], (0, 0), 0.6).astype(np.float32) / 255
    body = cv2.GaussianBlur(cells, (0, 0), 3).astype(np.float32) / 255
    haze = 1 + 0.4 * smooth_noise(rng, cells.shape, 20)
    glow = rng.uniform(0.03, 0.25) * body * haze
    light = (rng.uniform(0.5, 1) * tubes + glow)[..., None] * color
    if has_nuclei:
        blue = np.ones(3) if is_gray else np.asarray((0.15, 0.25, 1.0))
        soft = cv2.GaussianBlur(signals["nuclei"], (0, 0), 1).astype(np.float32) / 255
        light = light + (rng.uniform(0.4, 1) * soft)[..., None] * blue
    return np.asarray(light, np.float32), has_nuclei
