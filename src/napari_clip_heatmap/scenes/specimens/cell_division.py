"""Fluorescent nuclei of which some divide: condensed plates, separating pairs, rings."""

from __future__ import annotations

import numpy as np

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

__all__ = ["draw_cell_division"]


def draw_cell_division(rng: np.random.Generator, size: tuple[int, int]) -> Drawing:
    """Draw nuclei about 28 pixels wide; those that divide are brighter and sharper."""
    zoom = float(np.exp(rng.uniform(-0.5, 0.8)))
    resting, dividing, extent = blank(size), blank(size), blank(size)
    typical = rng.uniform(11, 16) * zoom
    often = rng.uniform(0.1, 0.7)
    for x, y in scatter(rng, size, 42 * zoom, occupancy=rng.uniform(0.3, 0.9)):
        place = (float(x), float(y))
        if rng.random() < often:
            _dividing(rng, dividing, place, typical)
            fill_shape(extent, blob_outline(rng, place, 1.15 * typical))
        else:
            outline = blob_outline(
                rng,
                place,
                typical * rng.lognormal(0, 0.12),
                elongation=rng.uniform(1, 1.5),
                angle=rng.uniform(0, np.pi),
                roughness=0.06,
            )
            fill_shape(resting, outline, int(rng.integers(70, 170)))
    grain = 0.8 + 0.2 * smooth_noise(rng, size, 4 * zoom)
    soft = cv2.GaussianBlur(resting, (0, 0), 0.8 * zoom).astype(np.float32) / 255 * grain
    sharp = cv2.GaussianBlur(dividing, (0, 0), 0.6).astype(np.float32) / 255
    signal = np.maximum(soft, sharp) + rng.uniform(0, 0.05)
    color = np.ones(3) if rng.random() < 0.6 else rng.uniform(0.1, 1, 3)
    masks = {"nuclei": (resting > 40) | (dividing > 90), "dividing cells": extent > 90}
    light = np.asarray(signal[..., None] * color / color.max(), np.float32)
    return Drawing(light, masks, "fluorescence")


def _dividing(
    rng: np.random.Generator, canvas: Canvas, place: tuple[float, float], radius: float
) -> None:
    """Draw one of four phases: a knot of threads, a plate, a ring seen from its pole, or a pair."""
    angle = rng.uniform(0, np.pi)
    phase = rng.choice(["prophase", "metaphase", "ring", "anaphase"], p=[0.2, 0.35, 0.1, 0.35])
    value = int(rng.integers(200, 256))
    if phase == "prophase":
        for _ in range(14):
            start = np.asarray(place) + rng.normal(0, 0.4 * radius, 2)
            end = start + rng.normal(0, 0.4 * radius, 2)
            path = np.stack([start, end]).astype(np.float32)
            stroke(canvas, path, max(1.5, 0.2 * radius), value=value)
        return
    if phase == "ring":
        stroke(canvas, blob_outline(rng, place, 0.75 * radius), 0.4 * radius, closed=True)
        return
    apart = rng.uniform(0.45, 0.95) * radius if phase == "anaphase" else 0.0
    across = np.array([np.cos(angle + np.pi / 2), np.sin(angle + np.pi / 2)])
    for side in (-1, 1) if apart else (0,):
        middle = np.asarray(place) + side * apart * across
        plate = blob_outline(
            rng,
            (float(middle[0]), float(middle[1])),
            0.55 * radius,
            elongation=rng.uniform(2.6, 4.5),
            angle=angle,
            roughness=0.12,
        )
        fill_shape(canvas, plate, value)
