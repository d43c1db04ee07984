"""Heatmaps as dask arrays that are interpolated where and when someone looks at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.resample import WINDOW, coarser

if TYPE_CHECKING:
    from dask.array import Array

__all__ = ["Window", "lazy_array", "lazy_pyramid"]

Window = Callable[[tuple[int, ...], slice, slice, int], NDArray[np.float32]]
"""``window(index, y, x, factor)`` returns float32 (y, x): rows and columns of the plane at an index
of the leading axes, in pixels that are `factor` image pixels wide."""


def lazy_array(
    window: Window, lattice: Lattice, leading: tuple[int, ...] = (), factor: int = 1
) -> Array:
    """Return planes as one dask array (*leading, y, x), float32.

    Parameters
    ----------
    window : callable
        Computes a part of a plane; called once per chunk that is looked at, never before.
    lattice : Lattice
        Of every plane.
    leading : tuple of int
        Lengths of the axes before the plane.
    factor : int
        Image pixels per pixel of the array.
    """
    import dask.array as da

    def block(block_info: Any = None) -> NDArray[np.float32]:
        *index, y, x = block_info[None]["array-location"]
        first = tuple(int(start) for start, _ in index)
        values = window(first, slice(*y), slice(*x), factor)
        return values.reshape((1,) * len(first) + values.shape)

    array: Array = da.map_blocks(  # type: ignore[no-untyped-call] # dask's own
        block,
        chunks=(
            *((1,) * length for length in leading),
            *map(_chunks, coarser(lattice, factor).image_shape),
        ),
        dtype=np.float32,
        meta=np.empty((0,) * (len(leading) + 2), np.float32),
        # A unique name: the default one would hash everything that the chunks are made from.
        name=f"clip-heatmap-{uuid4().hex}",
    )
    return array


def lazy_pyramid(
    window: Window, lattice: Lattice, leading: tuple[int, ...] = (), smallest: int = WINDOW
) -> list[Array]:
    """Return the planes at full resolution, then each half as wide, down to `smallest` pixels.

    Each level is interpolated from the lattice by itself: looking at a coarse level computes
    nothing of a fine one.
    """
    factors = [1]
    while max(coarser(lattice, factors[-1]).image_shape) > smallest:
        factors.append(2 * factors[-1])
    return [lazy_array(window, lattice, leading, factor) for factor in factors]


def _chunks(length: int) -> tuple[int, ...]:
    return tuple(min(WINDOW, length - first) for first in range(0, length, WINDOW))
