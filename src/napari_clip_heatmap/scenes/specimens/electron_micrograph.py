"""Electron micrographs of tissue: profiles bounded by dark membranes, mitochondria, vesicles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.canvas import Canvas, blank, blob_outline, fill_shape, smooth_noise
from napari_clip_heatmap.scenes.canvas import stroke as draw_stroke
from napari_clip_heatmap.scenes.layout import scatter
from napari_clip_heatmap.scenes.specimens.specimen import Drawing

__all__ = ["draw_electron_micrograph"]


def draw_electron_micrograph(rng: np.random.Generator, size: tuple[int, int]) -> Drawing:
    """Draw gray profiles of 20 to 90 pixels; dark is dense, as in a transmission micrograph."""
    zoom = float(np.exp(rng.uniform(-0.5, 0.6)))
    membranes, gray = _profiles(rng, size, zoom)
    picture = gray * (0.9 + 0.1 * smooth_noise(rng, size, 3.0))
    mitochondria, ridges = blank(size), blank(size)
    if rng.random() < 0.75:
        for x, y in scatter(rng, size, 70 * zoom, occupancy=rng.uniform(0.2, 0.8)):
            _mitochondrion(rng, mitochondria, ridges, (float(x), float(y)), zoom)
    inside = _soft(mitochondria, 0.7)
    picture = picture * (1 - inside) + inside * rng.uniform(0.35, 0.5)
    vesicles, lumens = _vesicles(rng, size, zoom)
    picture = picture + _soft(lumens, 0.5) * 0.1
    dark = np.maximum.reduce([_soft(membranes, 0.6), _soft(ridges, 0.5), _soft(vesicles, 0.5)])
    picture = picture * (1 - rng.uniform(0.5, 0.85) * dark)
    masks = {
        "membranes": membranes > 90,
        "mitochondria": mitochondria > 90,
        "vesicles": (vesicles > 90) | (lumens > 90),
    }
    if rng.random() < 0.1:
        picture = 1 - picture
    light = np.asarray(np.repeat(picture[..., None], 3, 2), np.float32)
    return Drawing(light, masks, "EM")


def _soft(canvas: Canvas, sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), sigma) / 255, np.float32)


def _profiles(
    rng: np.random.Generator, size: tuple[int, int], zoom: float
) -> tuple[Canvas, NDArray[np.float32]]:
    """Divide the picture into cell profiles; return their membranes and their gray values."""
    spacing = rng.uniform(28, 60) * zoom
    centers = scatter(rng, size, spacing, occupancy=0.9)
    sizes = rng.lognormal(0, 0.35, len(centers)).astype(np.float32) * spacing / 2
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    # Wavy borders: the distance is taken from a place that is shifted by smooth noise.
    rows = rows + 0.3 * spacing * smooth_noise(rng, size, 0.6 * spacing)
    columns = columns + 0.3 * spacing * smooth_noise(rng, size, 0.6 * spacing)
    nearest = np.full(size, np.inf, np.float32)
    owner = np.zeros(size, np.int32)
    for number, (x, y) in enumerate(centers):
        distance = np.sqrt((columns - x) ** 2 + (rows - y) ** 2) - sizes[number]
        closer = distance < nearest
        nearest[closer], owner[closer] = distance[closer], number
    edges = np.zeros(size, np.uint8)
    edges[:, 1:] |= ((owner[:, 1:] != owner[:, :-1]) * 255).astype(np.uint8)
    edges[1:] |= ((owner[1:] != owner[:-1]) * 255).astype(np.uint8)
    thick = max(1, round(rng.uniform(1.2, 3) * zoom))
    membranes = cv2.dilate(edges, np.ones((thick, thick), np.uint8))
    grays = rng.uniform(0.55, 0.85, max(1, len(centers))).astype(np.float32)
    return np.asarray(membranes), grays[owner]


def _mitochondrion(
    rng: np.random.Generator,
    canvas: Canvas,
    ridges: Canvas,
    place: tuple[float, float],
    zoom: float,
) -> None:
    """Fill an oval, draw its border, and cristae across it."""
    radius, angle = rng.uniform(8, 15) * zoom, rng.uniform(0, np.pi)
    elongation = rng.uniform(1, 2.6)
    outline = blob_outline(rng, place, radius, elongation=elongation, angle=angle, roughness=0.07)
    fill_shape(canvas, outline)
    draw_stroke(ridges, outline, max(1, 1.3 * zoom), closed=True)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    half_length, half_width = radius * np.sqrt(elongation), radius / np.sqrt(elongation)
    for step in np.arange(-0.75, 0.76, rng.uniform(0.18, 0.35)):
        middle = np.asarray(place) + step * half_length * along
        reach = 0.75 * half_width * np.sqrt(1 - step**2) * across
        path = np.stack([middle - reach * rng.uniform(0.2, 1), middle + reach]).astype(np.float32)
        draw_stroke(ridges, path, max(1, 0.8 * zoom), value=170)


def _vesicles(
    rng: np.random.Generator, size: tuple[int, int], zoom: float
) -> tuple[Canvas, Canvas]:
    """Draw clusters of small rings, in half of the pictures; return rims and lumens."""
    rims, lumens = blank(size), blank(size)
    if rng.random() < 0.5:
        return rims, lumens
    for x, y in scatter(rng, size, 110 * zoom, occupancy=0.5):
        for _ in range(int(rng.integers(6, 25))):
            place = (float(x + rng.normal(0, 10 * zoom)), float(y + rng.normal(0, 10 * zoom)))
            outline = blob_outline(rng, place, rng.uniform(1.8, 2.8) * zoom, n_points=10)
            fill_shape(lumens, outline)
            draw_stroke(rims, outline, max(1, zoom), closed=True)
    return rims, lumens
