"""Positions of the objects of each class: all mixed, or each class in its own territory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.scenes.canvas import Points

__all__ = ["scatter", "territories"]


def territories(
    rng: np.random.Generator, size: tuple[int, int], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Divide the picture among ``classes``: ``(y, x)`` index of the owner, or -1 for all.

    Half of the scenes are mixed; in the others each class holds the pixels nearest to its seeds.
    """
    if len(classes) < 2 or rng.random() < 0.4:
        return np.full(size, -1)
    n_seeds = len(classes) * int(rng.integers(1, 4))
    seeds = rng.uniform(0, 1, (n_seeds, 2)) * size
    rows, columns = np.mgrid[: size[0], : size[1]]
    distance = (rows[..., None] - seeds[:, 0]) ** 2 + (columns[..., None] - seeds[:, 1]) ** 2
    owner: NDArray[np.int64] = distance.argmin(-1) % len(classes)
    return owner


def scatter(
    rng: np.random.Generator,
    size: tuple[int, int],
    spacing: float,
    *,
    occupancy: float,
    allowed: NDArray[np.bool_] | None = None,
) -> Points:
    """Return object centers on a jittered grid, ``(object, 2)`` x and y in pixels.

    Parameters
    ----------
    rng : Generator
        Source of the jitter.
    size : (int, int)
        Height and width of the picture; centers reach half a spacing beyond it.
    spacing : float
        Distance between neighbors, in pixels.
    occupancy : float
        Fraction of the grid's places with an object.
    allowed : ndarray (y, x) bool, optional
        Where objects may lie.
    """
    margin = spacing / 2
    rows = np.arange(-margin, size[0] + margin, spacing) + rng.uniform(0, spacing)
    columns = np.arange(-margin, size[1] + margin, spacing) + rng.uniform(0, spacing)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    centers = np.stack([x.ravel(), y.ravel()], 1)
    centers = centers[rng.random(len(centers)) < occupancy]
    centers = centers + rng.normal(0, 0.27 * spacing, centers.shape)
    if allowed is not None and len(centers):
        row = centers[:, 1].astype(int).clip(0, size[0] - 1)
        column = centers[:, 0].astype(int).clip(0, size[1] - 1)
        centers = centers[allowed[row, column]]
    return centers.astype(np.float32)
