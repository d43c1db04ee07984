"""Gram-stained bacteria on a pale ground: purple or pink, rods or spheres in chains and heaps."""

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
)
from napari_clip_heatmap.scenes.layout import scatter
from napari_clip_heatmap.scenes.specimens.specimen import Drawing

__all__ = ["draw_gram_stain"]

_PURPLE, _PINK = (0.30, 0.16, 0.50), (0.82, 0.32, 0.45)


def draw_gram_stain(rng: np.random.Generator, size: tuple[int, int]) -> Drawing:
    """Draw bacteria 4 to 10 pixels thick, at times over pale host cells with a nucleus."""
    zoom = float(np.exp(rng.uniform(-0.3, 0.6)))
    ground = np.asarray(rng.uniform(0.82, 0.97, 3), np.float32)
    shade = 1 + 0.05 * smooth_noise(rng, size, 60)
    light = ground * shade[..., None]
    masks: dict[str, NDArray[np.bool_]] = {}
    if rng.random() < 0.35:
        light, masks["cells"], masks["nuclei"] = _host_cells(rng, light, zoom)
    bacteria = np.zeros(size, bool)
    for color in _stains(rng):
        canvas = blank(size)
        is_round = rng.random() < 0.45
        for x, y in scatter(rng, size, rng.uniform(24, 45) * zoom, occupancy=rng.uniform(0.2, 0.9)):
            _colony(rng, canvas, np.array([x, y]), zoom, is_round=is_round)
        tint = np.clip(np.asarray(color) + rng.normal(0, 0.05, 3), 0, 1)
        light = _over(light, canvas, tint, rng.uniform(0.75, 0.98))
        bacteria |= canvas > 90
    masks["bacteria"] = bacteria
    return Drawing(np.asarray(light, np.float32), masks, "gram")


def _stains(rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """Return the colors in a picture: mostly one, at times both."""
    if rng.random() < 0.3:
        return (_PURPLE, _PINK)
    return (_PURPLE,) if rng.random() < 0.5 else (_PINK,)


def _over(
    light: NDArray[np.float32], canvas: Canvas, color: NDArray[np.float64], depth: float
) -> NDArray[np.float32]:
    cover = depth * cv2.GaussianBlur(canvas, (0, 0), 0.7).astype(np.float32)[..., None] / 255
    return np.asarray(light * (1 - cover) + color * cover, np.float32)


def _host_cells(
    rng: np.random.Generator, light: NDArray[np.float32], zoom: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    bodies, nuclei = blank(light.shape[:2]), blank(light.shape[:2])
    for x, y in scatter(rng, light.shape[:2], 130 * zoom, occupancy=0.6):
        place = (float(x), float(y))
        fill_shape(bodies, blob_outline(rng, place, rng.uniform(28, 50) * zoom, roughness=0.18))
        fill_shape(nuclei, blob_outline(rng, place, rng.uniform(9, 15) * zoom, roughness=0.15))
    light = _over(light, bodies, np.array([0.93, 0.72, 0.78]), 0.7)
    return _over(light, nuclei, np.array([0.75, 0.3, 0.45]), 0.8), bodies > 90, nuclei > 90


def _colony(
    rng: np.random.Generator,
    canvas: Canvas,
    place: NDArray[np.float64],
    zoom: float,
    *,
    is_round: bool,
) -> None:
    """Draw one bacterium, a chain, or a heap."""
    width = rng.uniform(4.5, 7.5) * zoom
    heading = rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.choice([1, 2, 4, 7], p=[0.45, 0.3, 0.15, 0.1]))):
        along = np.array([np.cos(heading), np.sin(heading)])
        if is_round:
            outline = blob_outline(rng, (float(place[0]), float(place[1])), 0.55 * width)
            fill_shape(canvas, outline)
            place = place + 1.05 * width * along
            heading += rng.normal(0, 0.8)
        else:
            length = width * rng.uniform(1.4, 3)
            rod = np.stack([place, place + length * along]).astype(np.float32)
            stroke(canvas, rod, width)
            place = place + (length + 1.2 * width) * along
            heading += rng.normal(0, 0.3)
