"""The maps of several prompts, interpolated only where they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.resample import WINDOW, at_pixel, coarser, to_image_pixels
from napari_clip_heatmap.imaging.validity import Validity
from napari_clip_heatmap.pipeline.heatmaps import Heatmaps
from napari_clip_heatmap.pipeline.maps import Maps

if TYPE_CHECKING:
    from dask.array import Array

    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["LazyHeatmaps"]


@dataclass(frozen=True, eq=False, kw_only=True)
class LazyHeatmaps(Maps):
    """One map per prompt: its lattice values, and the way from there to image pixels.

    Parameters
    ----------
    scoring, lattice_values, similarity
        As `Maps` takes them.
    lattice : Lattice
    region : Region
        Outside of it, maps are NaN.
    validity : Validity
        Where the image is invalid, maps are NaN.
    """

    lattice: Lattice
    region: Region
    validity: Validity

    @property
    def limits(self) -> NDArray[np.float32]:
        """Smallest and largest lattice value of each map, which bound it; float32 (prompt, 2)."""
        known = np.isfinite(self.lattice_values)
        low = np.min(self.lattice_values, axis=(1, 2), where=known, initial=np.inf)
        high = np.max(self.lattice_values, axis=(1, 2), where=known, initial=-np.inf)
        limits = np.stack([low, high], axis=1)
        limits[~known.any(axis=(1, 2))] = 0
        return limits

    def window(
        self,
        y: slice | None = None,
        x: slice | None = None,
        *,
        factor: int = 1,
        maps: slice = slice(None),
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return a rectangle of the maps, float32 (prompt, y, x).

        Parameters
        ----------
        y, x : slice, optional
            Rows and columns; by default all.
        factor : int
            Of pixels this many image pixels wide, rows and columns counted in these.
        maps : slice
            Which prompts.
        out : float32 (prompt, y, x), optional
            Filled, and returned.
        """
        lattice = coarser(self.lattice, factor)
        height, width = lattice.image_shape
        rows, columns = y or slice(0, height), x or slice(0, width)
        values = to_image_pixels(self.lattice_values[maps], lattice, rows, columns, out)
        at_y = (np.arange(rows.start, rows.stop) + 0.5) * (self.lattice.y.image / height)
        at_x = (np.arange(columns.start, columns.stop) + 0.5) * (self.lattice.x.image / width)
        for shown in (self.validity.read(at_y, at_x), self.region.inside(at_y, at_x)):
            if shown is not None:
                values[:, ~shown] = np.nan
        return values

    def at(self, y: int, x: int) -> NDArray[np.float32]:
        """Return all maps at one image pixel, float32 (prompt,); NaN where nothing is known."""
        values = at_pixel(self.lattice_values, self.lattice, y, x)
        point = np.array([y + 0.5]), np.array([x + 0.5])
        for shown in (self.validity.read(*point), self.region.inside(*point)):
            if shown is not None and not shown.all():
                values[:] = np.nan
        return values

    def eager(self, encoding: Encoding) -> Heatmaps:
        """Return the maps with all their pixels; `encoding` is what they were made of."""
        return Heatmaps(
            encoding=encoding,
            scoring=self.scoring,
            lattice_values=self.lattice_values,
            similarity=self.similarity,
            values=self.window(),
        )

    def dask(self, factor: int = 1) -> Array:
        """Return the maps as a dask array (prompt, y, x), computed in chunks on demand.

        Equal to the eager ones, exactly. The chunks are windows of one map.
        """
        import dask.array as da

        height, width = coarser(self.lattice, factor).image_shape
        chunks = ((1,) * len(self.prompts), _cut(height), _cut(width))
        compute = partial(_chunk, maps=self, factor=factor)
        # A name of its own: the default one would hash all that the chunks are made from.
        lazy: Array = da.map_blocks(  # type: ignore[no-untyped-call]
            compute, chunks=chunks, dtype=np.float32, meta=_EMPTY, name=f"heatmaps-{uuid4().hex}"
        )
        return lazy

    def pyramid(self, smallest: int = WINDOW) -> list[Array]:
        """Return the maps at full resolution and, halved again and again, down to one window.

        Each level is interpolated by itself: a coarse one costs no fine ones.
        """
        levels = [self.dask()]
        while max(levels[-1].shape[1:]) > smallest:
            levels.append(self.dask(2 ** len(levels)))
        return levels


_EMPTY = np.empty((0, 0, 0), np.float32)


def _cut(length: int) -> tuple[int, ...]:
    return tuple(min(WINDOW, length - first) for first in range(0, length, WINDOW))


def _chunk(*, maps: LazyHeatmaps, factor: int, block_info: dict[Any, Any]) -> NDArray[np.float32]:
    ((first, last), y, x) = block_info[None]["array-location"]
    return maps.window(slice(*y), slice(*x), factor=factor, maps=slice(first, last))
