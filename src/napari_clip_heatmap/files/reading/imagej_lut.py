"""Lookup tables that ImageJ keeps with gray values, and what they make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.files.reading.color_conversion import inverted

__all__ = ["LookupTable", "lookup_table"]

_RAMP = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Colors of gray values.

    Parameters
    ----------
    colors : uint8 (256, 3)
        Red, green and blue, from the smallest shown value to the largest.
    limits : (low, high), optional
        The display range; by default that of the values.
    only : bool
        Whether the image has one channel. A color that was given to one of several channels tells
        it from the others and is no part of the picture.

    Examples
    --------
    >>> import numpy as np
    >>> table = LookupTable(np.repeat(np.arange(255, -1, -1)[:, None], 3, axis=1))
    >>> table.apply(np.array([[0, 255]], np.uint8)).tolist()
    [[255, 0]]
    """

    colors: NDArray[np.uint8]
    limits: tuple[float, float] | None = None
    only: bool = True

    def apply(self, gray: NDArray[Any]) -> NDArray[Any]:
        """Return gray values as the table shows them.

        Parameters
        ----------
        gray : ndarray (y, x)
            Real numbers.

        Returns
        -------
        ndarray (y, x) or (y, x, 3)
            The values themselves under a plain gray table; inverted under an inverting one; colors
            as uint8 for 8-bit values, else as uint16 over the display range.
        """
        table = self.colors
        is_gray = bool((table == table[:, :1]).all())
        if is_gray and np.array_equal(table[:, 0], _RAMP[::-1]):
            return inverted(gray, 8 * gray.dtype.itemsize)
        if not self.only or (is_gray and np.array_equal(table[:, 0], _RAMP)):
            return gray
        shown = table[gray] if gray.dtype == np.uint8 else self._stretched(gray)
        return shown[..., 0] if is_gray else shown

    def _stretched(self, gray: NDArray[Any]) -> NDArray[np.uint16]:
        finite = gray[np.isfinite(gray)]
        low, high = self.limits or (finite.min(initial=0), finite.max(initial=1))
        unit = np.clip(
            (gray.astype(np.float64) - low) / max(float(high) - float(low), 1e-300), 0, 1
        )
        steps = np.nan_to_num(unit) * 255
        colors = [np.interp(steps, _RAMP, self.colors[:, n]) for n in range(3)]
        return np.rint(np.stack(colors, axis=-1) * 257).astype(np.uint16)


def lookup_table(metadata: Mapping[str, Any] | None, channel: int | None) -> LookupTable | None:
    """Return the table that ImageJ's metadata holds for a channel.

    Parameters
    ----------
    metadata : mapping or None
        As tifffile reads it, ``TiffFile.imagej_metadata``.
    channel : int or None
        Which of several channels; None where there is one.

    Examples
    --------
    >>> lookup_table({"images": 1}, None) is None
    True
    """
    tables = (metadata or {}).get("LUTs", [])
    number = channel or 0
    if isinstance(tables, np.ndarray) and tables.ndim == 2:  # of one channel
        tables = [tables]
    if number >= len(tables):
        return None
    colors = np.asarray(tables[number])
    if colors.shape != (3, 256) or colors.dtype != np.uint8:
        return None
    ranges = (metadata or {}).get("Ranges") or ()
    limits = tuple(float(value) for value in ranges[2 * number : 2 * number + 2])
    known = (limits[0], limits[1]) if len(limits) == 2 and limits[0] < limits[1] else None
    return LookupTable(colors.T, known, only=channel is None)
