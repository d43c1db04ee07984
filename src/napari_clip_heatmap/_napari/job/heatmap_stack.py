"""The maps of a run as arrays for napari, filled while the run goes on.

A picture is written by the thread that works and read by the window. Half a write seen is only a
map whose finer half comes with the next repaint.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from napari_clip_heatmap.pipeline.lazy_pyramid import lazy_array, lazy_pyramid

if TYPE_CHECKING:
    from dask.array import Array
    from numpy.typing import NDArray

    from napari_clip_heatmap.imaging.lattice import Axis, Lattice
    from napari_clip_heatmap.pipeline.heatmaps import LazyHeatmaps

__all__ = ["EAGER_BYTES", "HeatmapStack", "limits_of", "stripes"]


Index = tuple[int, ...]

EAGER_BYTES = 256 * 2**20
"""Up to this all maps of a run lie in memory, at image pixels; beyond, they are interpolated from
the lattice where and when napari looks."""

LARGEST_PLANE = 4096
"""A lazy plane with a longer side is a pyramid: napari would compute all of it to show it small."""

SMALLEST_LEVEL = 256
"""Pixels per side that the last level of a pyramid has at most."""


class HeatmapStack:
    """Maps of some prompts over all planes of a layer; NaN where nothing is known yet.

    Parameters
    ----------
    keys : tuple of str
        One for each prompt, in order.
    lattice : Lattice
        Of each plane.
    leading : tuple of int
        Lengths of the layer's axes before the plane.
    over : HeatmapStack, optional
        An earlier one of the same planes: arrays whose key is asked again are painted over where
        they lie, as new ones would take longer to come by than to fill.
    """

    def __init__(
        self,
        keys: tuple[str, ...],
        lattice: Lattice,
        leading: Index = (),
        over: HeatmapStack | None = None,
    ) -> None:
        self.keys = keys
        self.lattice = lattice
        self.leading = leading
        self.limits: tuple[tuple[float, float], ...] = ()
        self._planes: dict[Index, LazyHeatmaps] = {}
        self._striped: dict[Index, NDArray[np.bool_]] = {}
        self._put_off: list[tuple[Index, tuple[str, ...]]] = []
        shape = (*leading, *lattice.image_shape)
        self._token = object()
        self._painter: list[object] = [self._token] if over is None else over._painter
        self._pixels: dict[str, NDArray[np.float32]] | None = None
        if 4 * len(keys) * prod(shape) <= EAGER_BYTES:
            there = {} if over is None or over._pixels is None else over._pixels
            fit = {key: pixels for key, pixels in there.items() if pixels.shape == shape}
            self._pixels = {
                key: fit[key] if key in fit else np.full(shape, np.nan, np.float32) for key in keys
            }
        # Made here, in the thread that works: they cost the window tens of milliseconds each.
        self._lazies = [] if self._pixels is not None else [*map(self._levels, range(len(keys)))]

    @property
    def multiscale(self) -> bool:
        """Whether the layers' data are pyramids."""
        return self._pixels is None and max(self.lattice.image_shape) > LARGEST_PLANE

    @property
    def painted_over(self) -> bool:
        """Whether another stack has painted over arrays of this one."""
        return self._pixels is not None and self._painter[0] is not self._token

    @property
    def blank(self) -> bool:
        """Whether all pixels that are in memory are NaN."""
        return self._pixels is not None and not any(
            np.isfinite(pixels).any() for pixels in self._pixels.values()
        )

    @property
    def planes(self) -> tuple[Index, ...]:
        """Indices of the planes that hold values."""
        return tuple(self._planes)

    def paint(
        self,
        index: Index,
        maps: LazyHeatmaps,
        cells: tuple[slice, slice] | None = None,
        keys: Collection[str] | None = None,
    ) -> None:
        """Show maps in a plane.

        Parameters
        ----------
        index : tuple of int
            The plane.
        maps : LazyHeatmaps
            Its lattice values may change later; they are not copied.
        cells : (slice, slice), optional
            The rectangle of lattice cells that differs from what was painted before; by default
            all.
        keys : collection of str, optional
            The only maps that are painted now, unless they have gaps; `paint_rest` paints the
            others.
        """
        self._planes[index] = maps
        self._striped.pop(index, None)
        if self._pixels is None:
            return
        now = self.keys if keys is None or not maps.gapless else tuple(keys)
        self._paint_pixels(index, now, cells)
        if rest := tuple(key for key in self.keys if key not in now):
            self._put_off.append((index, rest))

    def paint_rest(self) -> None:
        """Paint the maps that `paint` put off."""
        for index, keys in self._put_off:
            self._paint_pixels(index, keys, None)
            if index in self._striped:
                self._paint_stripes(index, keys)
        self._put_off = []

    def _paint_pixels(
        self, index: Index, keys: Collection[str], cells: tuple[slice, slice] | None
    ) -> None:
        maps = self._planes[index]
        y, x = cells or (slice(0, n) for n in self.lattice.grid)
        rows, columns = _touched(self.lattice.y, y), _touched(self.lattice.x, x)
        where: Any = (*index, rows, columns)
        self._painter[0] = self._token
        for number, (key, pixels) in enumerate((self._pixels or {}).items()):
            if key in keys:
                one = slice(number, number + 1)
                maps.window(rows, columns, maps=one, out=pixels[where][np.newaxis])

    def maps_at(self, index: Index) -> LazyHeatmaps | None:
        """Return the maps of a plane; None where it has none."""
        return self._planes.get(index)

    def stripe(self, index: Index, cells: NDArray[np.bool_]) -> None:
        """Draw some cells of a plane as stripes, to distinguish them from the others.

        Parameters
        ----------
        index : tuple of int
            The plane; painted before, and whole again once it is painted again.
        cells : bool (grid_y, grid_x)
        """
        self._striped[index] = cells
        self._paint_stripes(index, self.keys)

    def _paint_stripes(self, index: Index, keys: Collection[str]) -> None:
        if self._pixels is None:
            return  # gaps are computed where a lazy map is looked at
        height, width = self.lattice.image_shape
        gaps = stripes(self.lattice, self._striped[index], slice(0, height), slice(0, width))
        for key, pixels in self._pixels.items():
            if key in keys:
                pixels[index][gaps] = np.nan

    def values_at(self, index: Index, y: float, x: float) -> NDArray[np.float32] | None:
        """Return all maps at a point of a plane, in image pixels; None where nothing is known.

        Returns
        -------
        float32 (prompt,) or None
        """
        maps = self._planes.get(index)
        height, width = self.lattice.image_shape
        if maps is None or not (0 <= y < height and 0 <= x < width):
            return None
        values = maps.at(int(y), int(x))
        return values if np.isfinite(values).all() else None

    def layer_data(self, prompt: int) -> Any:
        """Return what napari is given: an array (*leading, y, x), or a list of lazy ones."""
        if self._pixels is not None:
            return self._pixels[self.keys[prompt]]
        levels = self._lazies[prompt]
        return levels if self.multiscale else levels[0]

    def widen_limits(self) -> None:
        """Let the limits hold what is painted, with room to spare.

        Colours that moved with every tile would flicker. So limits only ever widen, and when they
        must, by a quarter of the range more than they must: a handful of changes in a whole run.
        """
        new = self._lattice_limits()
        old = self.limits or new
        self.limits = tuple(_widened(*each) for each in zip(old, new, strict=True))

    def settle_limits(self) -> None:
        """Set the limits to the range of what is painted: of its pixels, where there are any."""
        if self._pixels is None:
            self.limits = self._lattice_limits()
            return
        planes = self._planes.values()
        if all(maps.gapless for maps in planes):
            self.limits = _over_planes([maps.pixel_limits() for maps in planes])
        else:
            self.limits = tuple(limits_of(pixels) for pixels in self._pixels.values())

    def _lattice_limits(self) -> tuple[tuple[float, float], ...]:
        return _over_planes([maps.limits for maps in self._planes.values()])

    def _levels(self, prompt: int) -> list[Array]:
        window = partial(self._window, prompt)
        if not self.multiscale:
            return [lazy_array(window, self.lattice, self.leading)]
        return lazy_pyramid(window, self.lattice, self.leading, SMALLEST_LEVEL)

    def _window(
        self, prompt: int, index: Index, y: slice, x: slice, factor: int
    ) -> NDArray[np.float32]:
        """Return a part of a plane of a prompt's map, with pixels `factor` times as wide."""
        maps = self._planes.get(index)
        if maps is None:
            return np.full((y.stop - y.start, x.stop - x.start), np.nan, np.float32)
        values: NDArray[np.float32] = maps.window(
            y, x, factor=factor, maps=slice(prompt, prompt + 1)
        )
        first: NDArray[np.float32] = values[0]
        if index in self._striped:
            first[stripes(self.lattice, self._striped[index], y, x, factor)] = np.nan
        return first


STRIPE = 0.5
"""Width of a stripe, in patches."""


def stripes(
    lattice: Lattice, cells: NDArray[np.bool_], y: slice, x: slice, factor: int = 1
) -> NDArray[np.bool_]:
    """Return the gaps between diagonal stripes in some cells.

    Parameters
    ----------
    lattice : Lattice
    cells : bool (grid_y, grid_x)
        Which ones are striped.
    y, x : slice
        A window, in pixels `factor` times as wide as the image's.

    Returns
    -------
    bool (y, x)
    """
    rows, columns = ((np.arange(part.start, part.stop) + 0.5) * factor for part in (y, x))
    inside = cells[_cells_at(lattice.y, rows)][:, _cells_at(lattice.x, columns)]
    patch = lattice.x.image / lattice.x.working * lattice.x.patch
    width = max(STRIPE * patch, 2.0 * factor)
    # A row is the one above it, moved by a pixel: both depend on y + x alone.
    diagonals = (y.start + x.start + 1 + np.arange(len(rows) + len(columns) - 1)) * factor
    gaps: NDArray[np.bool_] = sliding_window_view(diagonals % (2 * width) < width, len(columns))
    return gaps & inside


def _cells_at(axis: Axis, centers: NDArray[np.float64]) -> NDArray[np.intp]:
    found = np.searchsorted(axis.cell_edges(), centers, side="right") - 1
    return np.clip(found, 0, axis.n_cells - 1)


def limits_of(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the range of the known values; its ends always differ."""
    low, high = float(np.fmin.reduce(values, None)), float(np.fmax.reduce(values, None))
    return _apart(low, high) if np.isfinite(low) else (0.0, 1.0)


def _over_planes(ranges: Sequence[NDArray[np.float32]]) -> tuple[tuple[float, float], ...]:
    """Return the limits over all planes of ranges (prompt, 2)."""
    both = np.stack(ranges)
    low, high = both[..., 0].min(axis=0), both[..., 1].max(axis=0)
    return tuple(_apart(float(a), float(b)) for a, b in zip(low, high, strict=True))


def _apart(low: float, high: float) -> tuple[float, float]:
    """Return limits that differ, also for a flat map: napari requires it."""
    return low, max(high, low + 1e-6)


def _widened(now: tuple[float, float], new: tuple[float, float]) -> tuple[float, float]:
    low, high = min(now[0], new[0]), max(now[1], new[1])
    spare = (high - low) / 4
    return (
        low if low == now[0] else low - spare,
        high if high == now[1] else high + spare,
    )


def _touched(axis: Axis, cells: slice) -> slice:
    """Return the image pixels that some cells have a say in: up to the next cell's centre."""
    edges = axis.cell_edges()
    first, last = max(cells.start - 1, 0), min(cells.stop + 1, axis.n_cells)
    return slice(int(np.floor(edges[first])), int(np.ceil(edges[last])))
