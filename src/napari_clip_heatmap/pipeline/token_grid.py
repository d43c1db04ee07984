"""What the model has said so far: tiles laid on the lattice, one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.tiles import lay_tile

__all__ = ["Board", "read_only"]


class Board:
    """The token map in the making, and which tiles it is made of.

    Tiles are only ever added, each once, so an `Encoding` of finished tiles does not change while
    others are added for another region.

    Parameters
    ----------
    lattice : Lattice
    d_embed : int

    Raises
    ------
    ImageError
        There is no memory for the lattice.
    """

    def __init__(self, lattice: Lattice, d_embed: int) -> None:
        rows, columns = len(lattice.y.starts), len(lattice.x.starts)
        self.lattice = lattice
        try:
            # Zeros cost no memory before they are written to.
            self._token_map = np.zeros((*lattice.grid, d_embed), np.float32)
        except MemoryError as error:
            size = 4e-9 * lattice.grid[0] * lattice.grid[1] * d_embed
            raise ImageError(
                f"the lattice of {lattice.grid[0]} x {lattice.grid[1]} patches would take "
                f"{size:.0f} GB; choose a larger downsample"
            ) from error
        self._embeddings = np.zeros((rows, columns, d_embed), np.float32)
        self._done = np.zeros((rows, columns), bool)

    @classmethod
    def restored(
        cls,
        lattice: Lattice,
        cells: tuple[slice, slice],
        tokens: NDArray[np.float32],
        embeddings: NDArray[np.float32],
        done: NDArray[np.bool_],
    ) -> Board:
        """Return a board as it stood before, to be read or carried on.

        Parameters
        ----------
        lattice : Lattice
        cells : (slice, slice)
            The rectangle of cells (y, x) outside of which no tile was laid; see `laid`.
        tokens : float32 (y, x, d_embed)
            The token map in it.
        embeddings : float32 (row, column, d_embed)
        done : bool (row, column)
        """
        board = cls(lattice, embeddings.shape[-1])
        board._token_map[cells] = tokens
        board._embeddings[...] = embeddings
        board._done[...] = done
        return board

    @property
    def laid(self) -> tuple[slice, slice]:
        """The smallest rectangle of cells (y, x) that holds all tiles that were laid."""
        if not self._done.any():
            return slice(0, 0), slice(0, 0)
        spans = []
        for axis, other in ((self.lattice.y, 1), (self.lattice.x, 0)):
            tiles = np.flatnonzero(self._done.any(axis=other))
            first, last = axis.cells(int(tiles[0]))[0], axis.cells(int(tiles[-1]))[0]
            spans.append(slice(first.start, last.stop))
        return spans[0], spans[1]

    @property
    def token_map(self) -> NDArray[np.float32]:
        """Sum of the tiles' tokens by their weights, float32 (grid_y, grid_x, d_embed)."""
        return read_only(self._token_map)

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which tiles were laid, bool (row, column)."""
        return read_only(self._done)

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Unit embedding of each tile that was laid, else 0; float32 (row, column, d_embed)."""
        return read_only(self._embeddings)

    def lay(
        self, tile: tuple[int, int], tokens: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> None:
        """Add a tile that was not laid before.

        Parameters
        ----------
        tile : (row, column)
        tokens : float32 (cells_y, cells_x, d_embed)
        embedding : float32 (d_embed,)
            Of length 1.
        """
        lay_tile(self._token_map, self.lattice, tile, tokens)
        self._embeddings[tile] = embedding
        self._done[tile] = True

    def weights(self, y: slice, x: slice) -> NDArray[np.float32]:
        """Return how much of each cell's tiles was laid: 1 where all were; float32 (y, x)."""
        laid = self.lattice.y.weights[:, y].T @ self._done.astype(np.float32)
        weights: NDArray[np.float32] = laid @ self.lattice.x.weights[:, x]
        return weights


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of an array that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
