"""Cells in phase contrast: gray bodies with a bright halo, on a gray ground."""

from __future__ import annotations

import numpy as np

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.canvas import blank, blob_outline, fill_shape, smooth_noise
from napari_clip_heatmap.scenes.layout import scatter
from napari_clip_heatmap.scenes.specimens.specimen import Drawing

__all__ = ["draw_phase_contrast"]


def draw_phase_contrast(rng: np.random.Generator, size: tuple[int, int]) -> Drawing:
    """Draw adherent cells, round yeast with buds, or rods: dark or bright, each with its halo."""
    zoom = float(np.exp(rng.uniform(-0.4, 0.5)))
    kind = str(rng.choice(["cells", "yeast", "bacteria"], p=[0.55, 0.25, 0.2]))
    canvas, cores = blank(size), blank(size)
    spacing = {"cells": 62.0, "yeast": 26.0, "bacteria": 20.0}[kind] * zoom
    for x, y in scatter(rng, size, spacing, occupancy=rng.uniform(0.2, 0.85)):
        place, angle = (float(x), float(y)), rng.uniform(0, np.pi)
        value = int(rng.integers(140, 256))
        if kind == "cells":
            radius, elongation = rng.uniform(14, 26) * zoom, rng.uniform(1, 3.5)
            outline = blob_outline(
                rng, place, radius, elongation=elongation, angle=angle, roughness=0.2
            )
            fill_shape(cores, blob_outline(rng, place, 0.35 * radius), value)
        elif kind == "yeast":
            radius = rng.uniform(8, 12) * zoom
            outline = blob_outline(rng, place, radius, elongation=1.15, angle=angle, roughness=0.02)
            if rng.random() < 0.4:
                bud = (x + 1.35 * radius * np.cos(angle), y + 1.35 * radius * np.sin(angle))
                small = blob_outline(rng, bud, rng.uniform(0.35, 0.7) * radius, roughness=0.02)
                fill_shape(canvas, small, value)
        else:
            outline = blob_outline(
                rng, place, 4.5 * zoom, elongation=rng.uniform(2.5, 4), angle=angle, roughness=0.02
            )
        fill_shape(canvas, outline, value)
    body = cv2.GaussianBlur(canvas, (0, 0), 0.8).astype(np.float32) / 255
    # The phase plate passes what varies slowly only in part: so a bright rim round dark bodies.
    wide = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(3, 7) * zoom).astype(np.float32) / 255
    texture = 1 + rng.uniform(0.05, 0.35) * smooth_noise(rng, size, rng.uniform(2, 5) * zoom)
    phase = (body * texture - rng.uniform(0.6, 1.0) * wide) + 0.5 * body * (
        cv2.GaussianBlur(cores, (0, 0), 1.0).astype(np.float32) / 255
    )
    sign = -1.0 if rng.random() < 0.75 else 1.0
    ground = rng.uniform(0.4, 0.6) + 0.03 * smooth_noise(rng, size, 40)
    picture = ground + sign * rng.uniform(0.25, 0.5) * phase
    light = np.asarray(np.repeat(picture.clip(0, 1)[..., None], 3, 2), np.float32)
    return Drawing(light, {kind: canvas > 90}, "phase")
