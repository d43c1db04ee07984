"""How to draw each structure of a fluorescence or brightfield scene.

Every drawer takes a generator, a canvas size, a ``zoom`` (1: a nucleus is about 28 px wide) and the
centers of its objects, and returns a :class:`Structure`: where there is signal, and how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    stroke,
    wander,
)

__all__ = ["SPACING", "STRUCTURES", "Structure", "draw_cell_bodies"]

Drawer = Callable[[np.random.Generator, tuple[int, int], float, Points], "Structure"]

SPACING: Mapping[str, float] = {
    "nuclei": 34.0,
    "filaments": 30.0,
    "mitochondria": 30.0,
    "bacteria": 17.0,
    "vesicles": 15.0,
    "membranes": 42.0,
}
"""Typical distance between the centers of neighbors at zoom 1, in pixels."""


@dataclass(frozen=True, slots=True)
class Structure:
    """One class as it was drawn.

    Attributes
    ----------
    signal : ndarray (y, x) float32
        Stain or fluorophore, 0..1.
    mask : ndarray (y, x) bool
        The pixels that belong to the objects.
    """

    signal: NDArray[np.float32]
    mask: NDArray[np.bool_]


def _finish(signal: Canvas, extent: Canvas | None = None) -> Structure:
    mask = (signal if extent is None else extent) > 100
    return Structure(np.asarray(signal / 255, np.float32), mask)


def _brightness(rng: np.random.Generator) -> int:
    return int(rng.integers(150, 256))


def draw_nuclei(
    rng: np.random.Generator, size: tuple[int, int], zoom: float, centers: Points
) -> Structure:
    """Draw smooth, rounded blobs with mottled chromatin; some touch, some have dark nucleoli."""
    canvas, extent = blank(size), blank(size)
    typical = rng.uniform(10, 17) * zoom
    elongation = rng.uniform(1.0, 1.7)
    roughness = rng.choice([0.03, 0.08, 0.18], p=[0.5, 0.35, 0.15])
    for x, y in centers:
        radius = typical * rng.lognormal(0, 0.15)
        outline = blob_outline(
            rng,
            (x, y),
            radius,
            elongation=elongation * rng.uniform(1, 1.25),
            angle=rng.uniform(0, np.pi),
            roughness=roughness,
        )
        fill_shape(canvas, outline, _brightness(rng))
        fill_shape(extent, outline)
    structure = _finish(canvas, extent)
    grain = smooth_noise(rng, size, rng.uniform(3, 8) * zoom)
    depth = rng.uniform(0, 0.35)
    mottled = structure.signal * (1 - depth + depth * grain).clip(0.2, 1)
    return Structure(np.asarray(mottled, np.float32), structure.mask)


def draw_filaments(
    rng: np.random.Generator, size: tuple[int, int], zoom: float, centers: Points
) -> Structure:
    """Draw long, thin, gently curved threads; in some scenes they run in parallel bundles."""
    canvas = blank(size)
    width = rng.uniform(1.4, 2.8) * zoom
    common = rng.uniform(0, np.pi) if rng.random() < 0.5 else None
    for x, y in centers:
        angle = None if common is None else common + rng.normal(0, 0.15)
        path = wander(
            rng,
            (x, y),
            rng.uniform(60, 160) * zoom,
            step=6 * zoom,
            curl=rng.uniform(0.02, 0.16),
            angle=angle,
        )
        path -= path.mean(0) - (x, y)
        stroke(canvas, path, width * rng.uniform(0.8, 1.25), value=_brightness(rng))
    return _finish(canvas)


def draw_mitochondria(
    rng: np.random.Generator, size: tuple[int, int], zoom: float, centers: Points
) -> Structure:
    """Draw short, thick, wriggling worms with faint cross-stripes, some of them branched."""
    canvas, extent = blank(size), blank(size)
    width = rng.uniform(4.2, 6.5) * zoom
    striped = rng.random() < 0.5
    for x, y in centers:
        value = _brightness(rng)
        for _branch in range(1 + int(rng.random() < 0.35)):
            path = wander(
                rng,
                (x, y),
                rng.uniform(28, 70) * zoom,
                step=4 * zoom,
                curl=rng.uniform(0.35, 0.6),
            )
            stroke(canvas, path, width, value=value)
            stroke(extent, path, width)
            if striped:
                for point in path[1:-1]:
                    offset = rng.normal(0, 0.15 * width, 2)
                    center = (float(point[0] + offset[0]), float(point[1] + offset[1]))
                    notch = blob_outline(rng, center, 0.16 * width, n_points=6)
                    fill_shape(canvas, notch, int(0.45 * value))
    return _finish(canvas, extent)


def draw_bacteria(
    rng: np.random.Generator, size: tuple[int, int], zoom: float, centers: Points
) -> Structure:
    """Draw straight rods with round ends, often in pairs end to end, each with a clear rim."""
    canvas, extent = blank(size), blank(size)
    width = rng.uniform(4.5, 7) * zoom
    ratio = rng.uniform(1.8, 2.8)
    hollow = rng.random() < 0.3
    for x, y in centers:
        angle = rng.uniform(0, np.pi)
        direction = np.array([np.cos(angle), np.sin(angle)])
        length = width * ratio * rng.uniform(0.8, 1.2)
        for link in range(1 + int(rng.random() < 0.3)):
            middle = np.array([x, y]) + link * (length + 0.9 * width) * direction
            half = 0.5 * (length - width) * direction
            rod = np.stack([middle - half, middle + half]).astype(np.float32)
            value = _brightness(rng)
            stroke(canvas, rod, width, value=value)
            stroke(extent, rod, width)
            if hollow:
                stroke(canvas, rod, 0.5 * width, value=int(0.5 * value))
    return _finish(canvas, extent)


def draw_vesicles(
    rng: np.random.Generator, size: tuple[int, int], zoom: float, centers: Points
) -> Structure:
    """Draw small round dots, in some scenes little rings, of varied size."""
    canvas, extent = blank(size), blank(size)
    typical = rng.uniform(2.6, 4.2) * zoom
    ring = rng.random() < 0.35
    for x, y in centers:
        radius = typical * rng.lognormal(0, 0.25)
        outline = blob_outline(rng, (x, y), radius, roughness=0.02, n_points=12)
        value = _brightness(rng)
        fill_shape(canvas, outline, value)
        fill_shape(extent, outline)
        if ring and radius > 2.5:
            core = blob_outline(rng, (x, y), 0.5 * radius, roughness=0.02, n_points=12)
            fill_shape(canvas, core, int(0.25 * value))
    return _finish(canvas, extent)


def draw_membranes(
    rng: np.random.Generator, size: tuple[int, int], zoom: float, centers: Points
) -> Structure:
    """Draw the outlines of cells: a shared honeycomb, or loops round separate cells."""
    canvas = blank(size)
    width = rng.uniform(3.0, 5.0) * zoom
    if rng.random() < 0.5 and len(centers) > 3:
        for outline in _honeycomb(size, zoom, centers):
            stroke(canvas, outline, width, closed=True, value=_brightness(rng))
    else:
        for x, y in centers:
            outline = blob_outline(
                rng,
                (x, y),
                rng.uniform(15, 24) * zoom,
                elongation=rng.uniform(1, 1.6),
                angle=rng.uniform(0, np.pi),
                roughness=0.12,
            )
            stroke(canvas, outline, width, closed=True, value=_brightness(rng))
    return _finish(canvas)


def _honeycomb(size: tuple[int, int], zoom: float, centers: Points) -> list[Points]:
    """Return the Voronoi cells of ``centers``, each cut to a disc so that it stays near its own."""
    height, width = size
    margin = 200
    plane = cv2.Subdiv2D((-margin, -margin, width + 2 * margin, height + 2 * margin))
    inside = np.clip(centers, -margin + 1, max(size) + margin - 1)
    plane.insert([(float(x), float(y)) for x, y in inside])
    facets, middles = plane.getVoronoiFacetList([])
    reach = 30 * zoom
    outlines: list[Points] = []
    for facet, middle in zip(facets, middles, strict=True):
        spokes = np.asarray(facet, np.float32) - middle
        distance = np.linalg.norm(spokes, axis=1, keepdims=True)
        cut = spokes * np.minimum(1, reach / (distance + 1e-6))
        outlines.append(np.asarray(middle + cut, np.float32))
    return outlines


def draw_cell_bodies(
    rng: np.random.Generator, size: tuple[int, int], zoom: float, centers: Points
) -> NDArray[np.float32]:
    """Return the pale, folded cytoplasm round some nuclei, ``(y, x)`` 0..1; it has no class."""
    canvas = blank(size)
    for x, y in centers:
        outline = blob_outline(
            rng,
            (x + rng.normal(0, 6 * zoom), y + rng.normal(0, 6 * zoom)),
            rng.uniform(24, 55) * zoom,
            elongation=rng.uniform(1, 1.8),
            angle=rng.uniform(0, np.pi),
            roughness=0.15,
            n_points=int(rng.integers(7, 16)),
        )
        fill_shape(canvas, outline, int(rng.integers(90, 256)))
    texture = smooth_noise(rng, size, 10 * zoom)
    return np.asarray(canvas / 255 * (0.85 + 0.15 * texture), np.float32)


STRUCTURES: Mapping[str, Drawer] = {
    "nuclei": draw_nuclei,
    "filaments": draw_filaments,
    "mitochondria": draw_mitochondria,
    "bacteria": draw_bacteria,
    "vesicles": draw_vesicles,
    "membranes": draw_membranes,
}
"""Class name -> its drawer."""
