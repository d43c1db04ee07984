"""Droplets, bubbles and beads in transmitted light: round, with a dark rim and a bright middle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.canvas import blank, blob_outline, fill_shape, smooth_noise, stroke
from napari_clip_heatmap.scenes.layout import scatter
from napari_clip_heatmap.scenes.specimens.specimen import Drawing

__all__ = ["draw_droplets"]


def draw_droplets(rng: np.random.Generator, size: tuple[int, int]) -> Drawing:
    """Draw spheres of one kind: droplets vary in size, bubbles have thick rims, beads are alike."""
    zoom = float(np.exp(rng.uniform(-0.4, 0.6)))
    kind = str(rng.choice(["droplets", "bubbles", "beads"], p=[0.5, 0.25, 0.25]))
    typical = {"droplets": 16.0, "bubbles": 20.0, "beads": 7.0}[kind] * zoom
    spread = 0.05 if kind == "beads" else rng.uniform(0.05, 0.5)
    spacing = 2.6 * typical * rng.uniform(0.9, 2)
    bodies, rims, middles, debris = blank(size), blank(size), blank(size), blank(size)
    thickness = {"droplets": 0.12, "bubbles": 0.3, "beads": 0.3}[kind]
    for x, y in scatter(rng, size, spacing, occupancy=rng.uniform(0.25, 0.95)):
        place, radius = (float(x), float(y)), typical * rng.lognormal(0, spread)
        outline = blob_outline(rng, place, radius, roughness=0.008, n_points=32)
        fill_shape(bodies, outline)
        stroke(rims, outline, max(1, thickness * radius), closed=True)
        shine = (place[0] - 0.2 * radius, place[1] - 0.2 * radius)
        fill_shape(middles, blob_outline(rng, shine, 0.35 * radius, roughness=0.02))
    masks = {kind: bodies > 90}
    if rng.random() < 0.4:
        for x, y in scatter(rng, size, 60 * zoom, occupancy=0.4):
            flake = blob_outline(rng, (x, y), rng.uniform(2, 6) * zoom, roughness=0.5, n_points=9)
            fill_shape(debris, flake, int(rng.integers(120, 256)))
        masks["debris"] = debris > 90
    ground = rng.uniform(0.55, 0.85) + 0.04 * smooth_noise(rng, size, 50)
    picture = ground * (1 + rng.uniform(-0.1, 0.1) * _soft(bodies, 1.0))
    picture = picture * (1 - rng.uniform(0.4, 0.85) * _soft(rims, 0.8))
    picture = picture + rng.uniform(0.05, 0.4) * _soft(middles, 0.15 * typical)
    picture = picture * (1 - 0.5 * _soft(debris, 1.2))
    tint = np.ones(3) if rng.random() < 0.6 else rng.uniform(0.8, 1, 3)
    light = np.asarray(picture.clip(0, 1)[..., None] * tint, np.float32)
    return Drawing(light, masks, "brightfield")


def _soft(canvas: NDArray[np.uint8], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), max(0.4, sigma)) / 255, np.float32)
