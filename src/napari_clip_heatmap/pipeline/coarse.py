"""One look at a whole region, squeezed into one tile: a first map at the cost of one forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.lattice import Axis, Lattice, plan_axis
from napari_clip_heatmap.imaging.sketch import sketch
from napari_clip_heatmap.imaging.tiles import reflect
from napari_clip_heatmap.imaging.view import Appearance
from napari_clip_heatmap.pipeline.batches import look_once
from napari_clip_heatmap.pipeline.readahead import read_now

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Coarse", "look_coarsely"]


@dataclass(frozen=True, eq=False)
class Coarse:
    """What a coarse look says of some cells of the lattice, until tiles do.

    Parameters
    ----------
    tokens : float32 (coarse_y, coarse_x, d_embed)
    embedding : float32 (d_embed,)
        Of length 1.
    bounds : (slice, slice)
        The rectangle of cells that was looked at.
    y, x : float32 (cell, coarse)
        Shares of the coarse cells in each cell of the rectangle; rows sum to 1.
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


def look_coarsely(
    model: ClipModel,
    channels: Sequence[Channel],
    appearance: Appearance,
    lattice: Lattice,
    bounds: tuple[slice, slice],
) -> Coarse:
    """Squeeze a rectangle of cells into one tile and show it to the model."""
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
    answer = look_once(model, seen)
    y, x = (axis.cells(0)[1] for axis in squeezed)
    shares = [
        _shares(axis, each, small, begin, end)
        for axis, each, small, begin, end in zip(axes, bounds, squeezed, low, high, strict=True)
    ]
    return Coarse(answer.tokens[y, x], answer.embedding, bounds, shares[0], shares[1])


def _shares(axis: Axis, cells: slice, small: Axis, low: float, high: float) -> NDArray[np.float32]:
    """Interpolate between coarse cells at the centres of some cells, (cell, coarse cell)."""
    centres = (axis.cell_centres(cells) - low) * small.working / (high - low)
    positions = np.clip((centres + small.lead) / small.patch - 0.5, 0, small.n_cells - 1)
    distance = np.abs(positions[:, np.newaxis] - np.arange(small.n_cells))
    shares: NDArray[np.float32] = np.maximum(1 - distance, 0).astype(np.float32)
    return shares


def _common(wanted: slice, known: slice) -> tuple[slice, slice]:
    """Return what two ranges share, counted in each."""
    low = max(wanted.start, known.start)
    high = max(low, min(wanted.stop, known.stop))
    return (
        slice(low - wanted.start, high - wanted.start),
        slice(low - known.start, high - known.start),
    )
