"""One plane of an array of more axes, without reading it."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Plane"]


class Plane:
    """The last axes of an array at fixed positions on its leading ones; read only where sliced.

    ``array[index]`` would do for a lazy array, but reads a whole plane of a zarr or a memory map.

    Parameters
    ----------
    array : array-like (*leading, y, x) or (*leading, y, x, 3|4)
        Anything with a shape, a dtype and slicing.
    index : tuple of int
        One position per leading axis.
    """

    def __init__(self, array: Any, index: tuple[int, ...]) -> None:
        self.array = array
        self.index = index

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the plane."""
        return tuple(self.array.shape)[len(self.index) :]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        return self.array[(*self.index, *key)]
