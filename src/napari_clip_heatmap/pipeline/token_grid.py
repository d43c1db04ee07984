"""The token map of an image while it grows: tiles added to the lattice, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.lattice import Axis, Lattice, blend_tile, plan_axis, reflect
from napari_clip_heatmap.imaging.source import sketch
from napari_clip_heatmap.imaging.view import Appearance
from napari_clip_heatmap.pipeline.batches import forward_tile, read_now

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = [
    "LEAST_CONTRAST",
    "CoarsePreview",
    "SeenContrast",
    "TokenAccumulator",
    "encode_coarsely",
    "known_values",
    "read_only",
]


class TokenAccumulator:
    """The token map while it grows, and the tiles it is made of.

    Tiles are only ever added, each once, so an `Encoding` of finished tiles does not change while
    others are added for another region.

    Parameters
    ----------
    lattice : Lattice
    d_embed : int

    Raises
    ------
    ImageError
        There is not enough memory for the lattice.
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
        self._patch_sums = np.zeros((rows, columns, d_embed), np.float32)
        self._done = np.zeros((rows, columns), bool)
        self.contrast = SeenContrast(lattice)

    @classmethod
    def restored(
        cls,
        lattice: Lattice,
        cells: tuple[slice, slice],
        tokens: NDArray[np.float32],
        embeddings: NDArray[np.float32],
        done: NDArray[np.bool_],
        patch_sums: NDArray[np.float32] | None = None,
    ) -> TokenAccumulator:
        """Return an accumulator as it was saved, to be read or continued.

        Parameters
        ----------
        lattice : Lattice
        cells : (slice, slice)
            The rectangle of cells (y, x) outside of which there is no tile; see `covered`.
        tokens : float32 (y, x, d_embed)
            The token map in it.
        embeddings : float32 (row, column, d_embed)
        done : bool (row, column)
        patch_sums : float32 (row, column, d_embed), optional
            Unknown in encodings of earlier versions.
        """
        accumulator = cls(lattice, embeddings.shape[-1])
        accumulator._token_map[cells] = tokens
        accumulator._embeddings[...] = embeddings
        accumulator._done[...] = done
        accumulator._patch_sums[...] = np.nan if patch_sums is None else patch_sums
        return accumulator

    @property
    def covered(self) -> tuple[slice, slice]:
        """The smallest rectangle of cells (y, x) that contains all tiles that were added."""
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
        """Weighted sum of the tiles' tokens, float32 (grid_y, grid_x, d_embed)."""
        return read_only(self._token_map)

    @property
    def tile_mask(self) -> NDArray[np.bool_]:
        """Which tiles were added, bool (row, column)."""
        return read_only(self._done)

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Unit embedding of each tile that was added, else 0; float32 (row, column, d_embed)."""
        return read_only(self._embeddings)

    @property
    def patch_sums(self) -> NDArray[np.float32]:
        """Sum of all tokens of each tile, float32 (row, column, d_embed); NaN where unknown."""
        return read_only(self._patch_sums)

    def mean_unowned(self, tiles: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the part of the mean embedding that no patch contributes, float32 (d_embed,).

        Class token, MLPs and input; NaN where it is not known, or no tile was chosen.

        Parameters
        ----------
        tiles : bool (row, column)
            Tiles that were added.
        """
        if not tiles.any():
            return np.full(self._embeddings.shape[-1], np.nan, np.float32)
        rest = self._embeddings[tiles] - self._patch_sums[tiles]
        unowned: NDArray[np.float32] = rest.mean(axis=0, dtype=np.float64).astype(np.float32)
        return unowned

    def add_tile(
        self, tile: tuple[int, int], tokens: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> None:
        """Add a tile that was not added before.

        Parameters
        ----------
        tile : (row, column)
        tokens : float32 (cells_y, cells_x, d_embed)
        embedding : float32 (d_embed,)
            Of length 1.
        """
        blend_tile(self._token_map, self.lattice, tile, tokens)
        self._embeddings[tile] = embedding
        self._patch_sums[tile] = tokens.sum(axis=(0, 1), dtype=np.float64)
        self._done[tile] = True

    def weights(self, y: slice, x: slice) -> NDArray[np.float32]:
        """Return the weight of the tiles added to each cell: 1 where all were; float32 (y, x)."""
        added = self.lattice.y.weights[:, y].T @ self._done.astype(np.float32)
        weights: NDArray[np.float32] = added @ self.lattice.x.weights[:, x]
        return weights


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of an array that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def known_values(
    accumulator: TokenAccumulator,
    coarse: CoarsePreview | None,
    directions: NDArray[np.float32],
    cells: tuple[slice, slice],
) -> NDArray[np.float32]:
    """Return products of the token map with directions, float32 (prompt, y, x).

    For tiles that are not done there is an estimate: on a finer lattice between the unshifted
    cells, elsewhere from the coarse preview; NaN where there is none.
    """
    y, x = cells
    values = np.ascontiguousarray(np.moveaxis(accumulator.token_map[y, x] @ directions.T, -1, 0))
    missing = np.clip(1 - accumulator.weights(y, x), 0, 1)
    missing[missing < 1e-5] = 0  # weights sum to 1 up to rounding
    unknown = missing > 0
    if unknown.any():
        parts = accumulator.lattice.y.parts
        shifted = parts > 1 and not (y.step == x.step == parts)
        estimate = (
            _between_unshifted(accumulator, coarse, directions, cells)
            if shifted
            else _preview_values(coarse, directions, cells)
        )
        values[:, unknown] += (missing * estimate)[:, unknown]
    return values


def _between_unshifted(
    accumulator: TokenAccumulator,
    coarse: CoarsePreview | None,
    directions: NDArray[np.float32],
    cells: tuple[slice, slice],
) -> NDArray[np.float32]:
    """Interpolate between the cells that the standard lattice has too."""
    around, weights = [], []
    for axis, each in zip((accumulator.lattice.y, accumulator.lattice.x), cells, strict=True):
        first, parts = each.start // axis.parts, axis.parts
        last = min(-(-(each.stop - 1) // parts), axis.n_patches - 1)
        around.append(slice(first * parts, last * parts + 1, parts))
        places = np.arange(each.start, each.stop)[:, np.newaxis] / parts
        distance = np.abs(places - np.arange(first, last + 1))
        weights.append(np.maximum(1 - distance, 0).astype(np.float32))
    values = known_values(accumulator, coarse, directions, (around[0], around[1]))
    known = np.isfinite(values)
    total = weights[0] @ np.where(known, values, np.float32(0)) @ weights[1].T
    weight = weights[0] @ known.astype(np.float32) @ weights[1].T
    between: NDArray[np.float32] = np.full_like(total, np.nan)
    np.divide(total, weight, out=between, where=weight > 0)
    return between


def _preview_values(
    coarse: CoarsePreview | None,
    directions: NDArray[np.float32],
    cells: tuple[slice, slice],
) -> NDArray[np.float32]:
    """Return maps of the coarse preview, of every cell or every so many; NaN without one."""
    y, x = cells
    every = slice(y.start, y.stop), slice(x.start, x.stop)
    if coarse is None:
        shape = (len(directions), *(each.stop - each.start for each in every))
        values = np.full(shape, np.nan, np.float32)
    else:
        values = coarse.values(directions, every)
    return values[:, :: y.step, :: x.step]


@dataclass(frozen=True, eq=False)
class CoarsePreview:
    """A coarse first answer for some cells of the lattice, used until their tiles are done.

    Parameters
    ----------
    tokens : float32 (coarse_y, coarse_x, d_embed)
    embedding : float32 (d_embed,)
        Of length 1.
    bounds : (slice, slice)
        The rectangle of cells that it covers.
    y, x : float32 (cell, coarse)
        Interpolation weights of the coarse cells in each cell of the rectangle; rows sum to 1.
    """

    tokens: NDArray[np.float32]
    embedding: NDArray[np.float32]
    bounds: tuple[slice, slice]
    y: NDArray[np.float32]
    x: NDArray[np.float32]

    def values(
        self, directions: NDArray[np.float32], cells: tuple[slice, slice]
    ) -> NDArray[np.float32]:
        """Return maps of some cells, float32 (prompt, y, x); NaN outside the rectangle."""
        out = np.full((len(directions), *(each.stop - each.start for each in cells)), np.nan)
        (into_y, from_y), (into_x, from_x) = (
            _common(wanted, known) for wanted, known in zip(cells, self.bounds, strict=True)
        )
        coarse = np.moveaxis(self.tokens @ directions.T, -1, 0)
        out[:, into_y, into_x] = self.y[from_y] @ coarse @ self.x[from_x].T
        return out.astype(np.float32)


def encode_coarsely(
    model: ClipModel,
    channels: Sequence[Channel],
    appearance: Appearance,
    lattice: Lattice,
    bounds: tuple[slice, slice],
) -> CoarsePreview:
    """Downsample a rectangle of cells into one tile and show it to the model."""
    axes = (lattice.y, lattice.x)
    low, high = (
        tuple(float(axis.cell_edges()[edge]) for axis, edge in zip(axes, edges, strict=True))
        for edges in zip(*((each.start, each.stop) for each in bounds), strict=True)
    )
    squeezed = []
    for axis, begin, end in zip(axes, low, high, strict=True):
        span = round((end - begin) * axis.working / axis.image)
        working = max(1, min(axis.tile, span))
        squeezed.append(plan_axis(working, working, patch=axis.patch, tile=axis.tile, overlap=0))
    shape = squeezed[0].working, squeezed[1].working
    field = ((low[0], low[1]), (high[0], high[1]))
    picture = read_now(lambda shape: sketch(channels, appearance, shape, field), shape)
    seen = picture[np.ix_(*(reflect(axis.pixels(0), axis.working) for axis in squeezed))]
    answer = forward_tile(model, seen)
    y, x = (axis.cells(0)[1] for axis in squeezed)
    weights = [
        _coarse_weights(axis, each, small, begin, end)
        for axis, each, small, begin, end in zip(axes, bounds, squeezed, low, high, strict=True)
    ]
    return CoarsePreview(answer.tokens[y, x], answer.embedding, bounds, weights[0], weights[1])


def _coarse_weights(
    axis: Axis, cells: slice, small: Axis, low: float, high: float
) -> NDArray[np.float32]:
    """Interpolate between coarse cells at the centers of some cells, (cell, coarse cell)."""
    centers = (axis.cell_centers(cells) - low) * small.working / (high - low)
    positions = np.clip((centers + small.lead) / small.patch - 0.5, 0, small.n_cells - 1)
    distance = np.abs(positions[:, np.newaxis] - np.arange(small.n_cells))
    weights: NDArray[np.float32] = np.maximum(1 - distance, 0).astype(np.float32)
    return weights


def _common(wanted: slice, known: slice) -> tuple[slice, slice]:
    """Return the intersection of two ranges, counted in each."""
    low = max(wanted.start, known.start)
    high = max(low, min(wanted.stop, known.stop))
    return (
        slice(low - wanted.start, high - wanted.start),
        slice(low - known.start, high - known.start),
    )


LEAST_CONTRAST = 0.02
"""Range of colors in 0..1 below which an image is nearly constant: five of 255 gray levels."""


class SeenContrast:
    """The smallest and the largest color that the model saw in each cell.

    Parameters
    ----------
    lattice : Lattice
    low, high : float32 (grid_y, grid_x, 3), optional
        What is known already; NaN where no tile was read.
    """

    def __init__(
        self,
        lattice: Lattice,
        low: NDArray[np.float32] | None = None,
        high: NDArray[np.float32] | None = None,
    ) -> None:
        shape = (*lattice.grid, 3)
        self._lattice = lattice
        self.low = np.full(shape, np.nan, np.float32) if low is None else low
        self.high = np.full(shape, np.nan, np.float32) if high is None else high

    def add_tile(self, tile: tuple[int, int], seen: NDArray[np.float32]) -> None:
        """Add a tile (tile_y, tile_x, 3), colors in 0..1, as the model sees it."""
        axes = self._lattice.y, self._lattice.x
        (y, in_y), (x, in_x) = (axis.cells(at) for axis, at in zip(axes, tile, strict=True))
        rows, columns = (axis.cells_per_tile for axis in axes)
        patch_y, patch_x = (axis.patch for axis in axes)
        patches = seen[: rows * patch_y, : columns * patch_x].reshape(
            rows, patch_y, columns, patch_x, 3
        )
        low, high = patches.min(axis=1).min(axis=2), patches.max(axis=1).max(axis=2)
        self.low[y, x] = np.fmin(self.low[y, x], low[in_y, in_x])
        self.high[y, x] = np.fmax(self.high[y, x], high[in_y, in_x])

    def within(self, cells: NDArray[np.bool_]) -> float:
        """Return the range of the color that varies most in some cells, 0..1; NaN if unknown.

        Cells at the edge of a region also show what is outside of it, so they count only where the
        region has no others.

        Parameters
        ----------
        cells : bool (grid_y, grid_x)
        """
        known = cells & np.isfinite(self.low[..., 0])
        if known.all():
            axes = (0, 1)
            return float((self.high.max(axis=axes) - self.low.min(axis=axes)).max())
        inner = known & _surrounded(cells)
        chosen = inner if inner.any() else known
        if not chosen.any():
            return float("nan")
        return float((self.high[chosen].max(axis=0) - self.low[chosen].min(axis=0)).max())


def _surrounded(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which cells have all their neighbors among the cells, or outside the lattice."""
    padded = np.pad(cells, 1, constant_values=True)
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    surrounded: NDArray[np.bool_] = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    return surrounded
