"""Brushes: the few strokes and shapes from which every structure is drawn.

All brushes work on 8-bit canvases ``(y, x)``, because OpenCV antialiases only those, and take
sub-pixel coordinates in pixels, x before y as OpenCV does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2

__all__ = [
    "Canvas",
    "Points",
    "blank",
    "blob_outline",
    "fill_shape",
    "smooth_noise",
    "stroke",
    "wander",
]

Canvas = NDArray[np.uint8]
"""8-bit picture plane, ``(y, x)``."""
Points = NDArray[np.float32]
"""Vertices in pixels, ``(point, 2)``, x before y."""

_SUBPIXEL_BITS = 4


def blank(size: tuple[int, int]) -> Canvas:
    """Return an empty canvas of ``size = (height, width)`` pixels."""
    return np.zeros(size, np.uint8)


def _fixed_point(points: Points) -> NDArray[np.int32]:
    return np.round(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def fill_shape(canvas: Canvas, outline: Points, value: int = 255) -> None:
    """Fill a closed outline with ``value``, antialiased, in place."""
    cv2.fillPoly(canvas, [_fixed_point(outline)], value, cv2.LINE_AA, _SUBPIXEL_BITS)


def stroke(
    canvas: Canvas, points: Points, width: float, *, closed: bool = False, value: int = 255
) -> None:
    """Draw a line of ``width`` pixels through ``points``, antialiased, in place."""
    cv2.polylines(
        canvas,
        [_fixed_point(points)],
        closed,
        value,
        max(1, round(width)),
        cv2.LINE_AA,
        _SUBPIXEL_BITS,
    )


def blob_outline(
    rng: np.random.Generator,
    center: tuple[float, float],
    radius: float,
    *,
    elongation: float = 1.0,
    angle: float = 0.0,
    roughness: float = 0.1,
    n_points: int = 20,
) -> Points:
    """Return a closed, smooth, irregular outline: an ellipse whose radius wobbles.

    Parameters
    ----------
    rng : Generator
        Source of the wobble.
    center : (float, float)
        x and y in pixels.
    radius : float
        Geometric mean of the two half-axes, in pixels.
    elongation : float
        Ratio of the half-axes, at least 1.
    angle : float
        Direction of the long axis in radians.
    roughness : float
        Standard deviation of the wobble, relative to the radius.
    n_points : int
        Number of vertices.
    """
    turn = np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    order = np.arange(2, 5)
    amplitude = rng.normal(0, roughness, order.size) / np.sqrt(order)
    phase = rng.uniform(0, 2 * np.pi, order.size)
    wobble = 1 + (amplitude[:, None] * np.cos(order[:, None] * turn + phase[:, None])).sum(0)
    long_axis = radius * np.sqrt(elongation) * wobble * np.cos(turn)
    short_axis = radius / np.sqrt(elongation) * wobble * np.sin(turn)
    cos, sin = np.cos(angle), np.sin(angle)
    x = center[0] + cos * long_axis - sin * short_axis
    y = center[1] + sin * long_axis + cos * short_axis
    return np.stack([x, y], 1).astype(np.float32)


def wander(
    rng: np.random.Generator,
    start: tuple[float, float],
    length: float,
    *,
    step: float,
    curl: float,
    angle: float | None = None,
) -> Points:
    """Return a path whose direction changes at random by about ``curl`` radians per step."""
    n_steps = max(2, round(length / step))
    heading = rng.uniform(0, 2 * np.pi) if angle is None else angle
    headings = heading + np.cumsum(rng.normal(0, curl, n_steps))
    moves = step * np.stack([np.cos(headings), np.sin(headings)], 1)
    path = np.concatenate([[start], np.asarray(start) + np.cumsum(moves, 0)])
    return path.astype(np.float32)


def smooth_noise(
    rng: np.random.Generator, size: tuple[int, int], cell: float
) -> NDArray[np.float32]:
    """Return smooth random values in about -1..1, ``(y, x)``, that vary over ``cell`` pixels."""
    coarse = (max(2, round(size[0] / cell) + 1), max(2, round(size[1] / cell) + 1))
    values = rng.uniform(-1, 1, coarse).astype(np.float32)
    return np.asarray(
        cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), np.float32
    )
