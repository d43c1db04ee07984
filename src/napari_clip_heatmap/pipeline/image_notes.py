"""What the model saw of an image: its contrast, cell by cell, and sentences for the user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Lattice

if TYPE_CHECKING:
    from napari_clip_heatmap.imaging.view import ShownRange
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["LEAST_CONTRAST", "SeenContrast", "image_notes"]


_SOURCES = {
    "robust": "the range of the data without single defects and no-data values",
    "percentile": "percentiles of the data",
    "min-max": "the smallest and the largest value",
}


def image_notes(encoding: Encoding) -> Iterator[str]:
    """Return what users must know of how the model saw their image."""
    if encoding.nothing_to_see:
        what = "image" if encoding.region.is_whole else "region"
        yield (
            f"The {what} is nearly constant as the model sees it: there is nothing to see, so the "
            "maps are drawn without contrast."
        )
    several = len(encoding.ranges) > 1
    for number, shown in enumerate(encoding.ranges, start=1):
        if shown.is_measured:
            yield _range_note(shown, f"channel {number} " if several else "")
    if encoding.downsample > 1:
        yield (
            f"The model sees one pixel for every {encoding.downsample:.3g} image pixels along each "
            "axis (downsample); smaller things may be missed."
        )
    if encoding.downsample < 1:
        yield f"The image was enlarged {1 / encoding.downsample:.3g} times for the model."


def _range_note(shown: ShownRange, channel: str) -> str:
    return (
        f"The model sees the {channel}values {shown.low:.5g} to {shown.high:.5g} as black to white "
        f"({_SOURCES[shown.source]}); another range can be set as the view."
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
