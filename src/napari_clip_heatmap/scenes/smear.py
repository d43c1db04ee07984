"""A stained blood smear: red cells, white cells and platelets on a bright, uneven ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.canvas import (
    Canvas,
    Points,
    blank,
    blob_outline,
    fill_shape,
    smooth_noise,
)
from napari_clip_heatmap.scenes.layout import scatter

__all__ = ["draw_smear"]

_Picture = NDArray[np.float32]
_Masks = dict[str, NDArray[np.bool_]]


def _blurred(canvas: Canvas, sigma: float) -> NDArray[np.float32]:
    """Return the canvas as 0..1, its edges softened over ``sigma`` pixels."""
    soft = cv2.GaussianBlur(canvas, (0, 0), max(sigma, 0.3))
    return np.asarray(soft / 255, np.float32)[..., None]


def _tint(rng: np.random.Generator, color: Sequence[float], spread: float = 0.05) -> _Picture:
    return np.asarray(np.clip(np.asarray(color) + rng.normal(0, spread, 3), 0, 1), np.float32)


def _stain(picture: _Picture, coverage: _Picture, color: _Picture) -> _Picture:
    return np.asarray(picture * (1 - coverage) + color * coverage, np.float32)


def _red_cells(
    rng: np.random.Generator, picture: _Picture, zoom: float, centers: Points
) -> tuple[_Picture, NDArray[np.bool_]]:
    size = picture.shape[:2]
    radius = rng.uniform(17, 22) * zoom
    pallor = rng.uniform(0.25, 0.6) if rng.random() < 0.8 else 0.0
    hue = _tint(rng, (0.80, 0.58, 0.52), 0.07)
    depth = rng.uniform(0.4, 1.0)
    layers = [(blank(size), blank(size)) for _ in range(3)]
    for number, (x, y) in enumerate(centers):
        body, center = layers[number % 3]
        own = radius * rng.lognormal(0, 0.08)
        angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.45)
        outline = blob_outline(
            rng, (x, y), own, elongation=stretch, angle=angle, roughness=rng.uniform(0.02, 0.14)
        )
        fill_shape(center, outline, 0)
        fill_shape(body, outline, int(rng.integers(215, 256)))
        if pallor and rng.random() < 0.85:
            shift = rng.normal(0, 0.08 * own, 2)
            middle = (float(x + shift[0]), float(y + shift[1]))
            inner = blob_outline(
                rng, middle, own * pallor, elongation=stretch, angle=angle, roughness=0.08
            )
            fill_shape(center, inner, int(rng.integers(130, 256)))
    softness = rng.uniform(0.5, 1.5) * zoom
    mask = np.zeros(size, bool)
    for body, center in layers:
        pale = _blurred(center, rng.uniform(1.5, 4.5) * zoom)
        coverage = depth * _blurred(body, softness) * (1 - rng.uniform(0.55, 0.95) * pale)
        picture = picture * (1 - coverage * (1 - hue))
        mask |= body > 100
    return picture, mask


def _nucleus_lobes(
    rng: np.random.Generator, canvas: Canvas, center: tuple[float, float], radius: float
) -> None:
    """Fill one round nucleus, or two to five lobes in an arc."""
    if rng.random() < 0.35:
        share = rng.uniform(0.6, 0.92)
        fill_shape(
            canvas, blob_outline(rng, center, radius * share, elongation=rng.uniform(1, 1.3))
        )
        return
    n_lobes = int(rng.integers(2, 6))
    turns = rng.uniform(0, 2 * np.pi) + np.arange(n_lobes) * rng.uniform(0.9, 1.5)
    for turn in turns:
        middle = (
            center[0] + 0.42 * radius * np.cos(turn),
            center[1] + 0.42 * radius * np.sin(turn),
        )
        lobe = radius * rng.uniform(0.3, 0.45)
        fill_shape(
            canvas,
            blob_outline(rng, middle, lobe, elongation=rng.uniform(1, 1.8), angle=turn + np.pi / 2),
        )


def _white_cells(
    rng: np.random.Generator, picture: _Picture, zoom: float, centers: Points
) -> tuple[_Picture, NDArray[np.bool_]]:
    size = picture.shape[:2]
    body, nucleus = blank(size), blank(size)
    for x, y in centers:
        radius = rng.uniform(25, 38) * zoom
        fill_shape(
            body, blob_outline(rng, (x, y), radius, elongation=rng.uniform(1, 1.2), roughness=0.05)
        )
        _nucleus_lobes(rng, nucleus, (float(x), float(y)), radius)
    nucleus = np.minimum(nucleus, body)
    softness = rng.uniform(0.5, 1.8) * zoom
    grain = 1 + rng.uniform(0.02, 0.25) * smooth_noise(rng, size, rng.uniform(2, 4) * zoom)
    clots = 1 + rng.uniform(0.05, 0.3) * smooth_noise(rng, size, rng.uniform(4, 9) * zoom)
    cytoplasm = _tint(rng, (0.76, 0.66, 0.82), 0.06) * grain[..., None]
    chromatin = _tint(rng, (0.40, 0.26, 0.64), 0.07) * clots[..., None]
    picture = _stain(picture, rng.uniform(0.6, 1.0) * _blurred(body, softness), cytoplasm)
    picture = _stain(picture, rng.uniform(0.85, 1.0) * _blurred(nucleus, softness), chromatin)
    return picture, body > 100


def _platelets(
    rng: np.random.Generator, picture: _Picture, zoom: float, centers: Points
) -> tuple[_Picture, NDArray[np.bool_]]:
    size = picture.shape[:2]
    canvas, extent = blank(size), blank(size)
    for x, y in centers:
        radius = rng.uniform(4, 8.5) * zoom
        outline = blob_outline(
            rng, (x, y), radius, elongation=rng.uniform(1, 1.7), angle=rng.uniform(0, np.pi),
            roughness=0.2,
        )  # fmt: skip
        fill_shape(canvas, outline, int(rng.integers(150, 256)))
        fill_shape(extent, outline)
    grain = 1 + rng.uniform(0.05, 0.35) * smooth_noise(rng, size, rng.uniform(2, 4) * zoom)
    color = _tint(rng, (0.56, 0.42, 0.72), 0.07) * grain[..., None]
    coverage = rng.uniform(0.7, 1.0) * _blurred(canvas, rng.uniform(0.5, 2.0) * zoom)
    return _stain(picture, coverage, color), extent > 100


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> _Picture:
    base = _tint(rng, (0.85, 0.85, 0.80), 0.06) + rng.uniform(-0.1, 0.08)
    shade = rng.uniform(0, 0.05) * smooth_noise(rng, size, rng.uniform(60, 200))
    return np.asarray(base + shade[..., None], np.float32)


def _dirt(rng: np.random.Generator, picture: _Picture, zoom: float) -> _Picture:
    """Add stain precipitate: specks smaller and grayer than a platelet, of no class."""
    canvas = blank(picture.shape[:2])
    for x, y in scatter(rng, picture.shape[:2], 60 * zoom, occupancy=rng.uniform(0, 0.5)):
        fill_shape(canvas, blob_outline(rng, (x, y), rng.uniform(0.8, 2.6) * zoom, n_points=8))
    coverage = rng.uniform(0.3, 0.8) * _blurred(canvas, rng.uniform(0.4, 1.5))
    return _stain(picture, coverage, _tint(rng, (0.55, 0.55, 0.5), 0.12))


_SPACING = {"red blood cells": 43.0, "white blood cells": 95.0, "platelets": 52.0}
_DRAWERS = (
    ("red blood cells", _red_cells),
    ("white blood cells", _white_cells),
    ("platelets", _platelets),
)


def draw_smear(
    rng: np.random.Generator, size: tuple[int, int], zoom: float, classes: Sequence[str]
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.bool_]]]:
    """Draw a smear that shows ``classes``.

    Returns
    -------
    picture : ndarray (y, x, 3) float32
        0..1, before the camera.
    masks : dict of str to ndarray (y, x) bool
        The pixels of each class; a cell that covers another owns the pixels.
    """
    picture = _dirt(rng, _ground(rng, size), zoom)
    masks: _Masks = {}
    for name, drawer in _DRAWERS:
        if name not in classes:
            continue
        spacing = _SPACING[name] * zoom * rng.uniform(0.8, 1.4)
        centers = scatter(rng, size, spacing, occupancy=rng.uniform(0.25, 1.0))
        rng.shuffle(centers)
        picture, mask = drawer(rng, picture, zoom, centers)
        for covered in masks.values():
            covered &= ~mask
        masks[name] = mask
    return picture, masks
