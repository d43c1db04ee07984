"""Read tiles from an image, and blend their tokens on the lattice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.source import ImageSource

__all__ = ["blend_tile", "is_blank", "read_tile", "reflect"]


def reflect(positions: range, length: int) -> NDArray[np.intp]:
    """Map positions on an endless line to an axis that is mirrored at both ends, again and again.

    The outermost pixel is repeated (``c b a | a b c | c b a``), so even an axis of length 1 works.
    """
    folded = np.asarray(positions) % (2 * length)
    mirrored: NDArray[np.intp] = np.minimum(folded, 2 * length - 1 - folded)
    return mirrored


def read_tile(source: ImageSource, lattice: Lattice, tile: tuple[int, int]) -> NDArray[np.float32]:
    """Return what the model sees in one tile, float32 (tile_y, tile_x, 3) in 0..1.

    Only the tile's pixels are read; outside the image it sees the image's reflection.
    """
    y = reflect(lattice.y.pixels(tile[0]), lattice.y.working)
    x = reflect(lattice.x.pixels(tile[1]), lattice.x.working)
    block = source.read(slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1))
    return block[np.ix_(y - y.min(), x - x.min())]


def is_blank(tile: NDArray[np.float32]) -> bool:
    """Return whether all pixels of a tile, (tile_y, tile_x, 3), have the same color."""
    first = tile[0, 0]
    # For nearly every tile the first row decides, at a hundredth of the cost.
    return bool((tile[0] == first).all() and (tile == first).all())


def blend_tile(
    total: NDArray[np.float32],
    lattice: Lattice,
    tile: tuple[int, int],
    tokens: NDArray[np.float32],
) -> None:
    """Add a tile's tokens to the lattice; over all tiles, the weights in each cell sum to 1.

    Parameters
    ----------
    total : float32 (grid_y, grid_x, d_embed)
        The token map, zeros at first; changed in place.
    lattice : Lattice
    tile : (row, column)
    tokens : float32 (cells_y, cells_x, d_embed)
        The tile's own token map.
    """
    (row, column), (y, y_in_tile), (x, x_in_tile) = (
        tile,
        lattice.y.cells(tile[0]),
        lattice.x.cells(tile[1]),
    )
    weights = lattice.y.weights[row, y, np.newaxis] * lattice.x.weights[column, x]
    total[y, x] += weights[..., np.newaxis] * tokens[y_in_tile, x_in_tile]
