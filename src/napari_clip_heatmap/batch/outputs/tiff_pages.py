"""Planes as pages of a TIFF: in tiles, compressed, with the size of a pixel and named axes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.resolution import unit_symbol

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.inputs.batch_image import BatchImage

__all__ = ["TILE", "TiffPages"]

TILE = 512
"""Side of a tile in pixels; a smaller image is one strip."""

_CLASSIC = 2**32 - 2**25
"""Bytes from which a TIFF needs 64-bit offsets."""

_BUFFER = 2**25
"""Bytes of tiles that are compressed at a time, on all cores."""

_LETTERS = {"time": "T", "z": "Z"}
_IN_CENTIMETERS = {"µm": 1e4, "mm": 10.0, "nm": 1e7, "cm": 1.0}
_CENTIMETER = 3


class TiffPages:
    """A TIFF that is written plane by plane; memory holds a row of tiles.

    Parameters
    ----------
    path : Path
    opened : BatchImage
        Whose planes are written.
    dtype : dtype
    metadata : dict
        Said in the description of the first page, as JSON.

    Examples
    --------
    >>> with TiffPages(Path("maps.tif"), opened, np.float32, {}) as pages:  # doctest: +SKIP
    ...     pages.add(lambda y, x: values[y, x])
    """

    def __init__(
        self, path: Path, opened: BatchImage, dtype: Any, metadata: dict[str, Any]
    ) -> None:
        import tifffile

        self._opened, self._dtype = opened, np.dtype(dtype)
        size = prod((*opened.lengths, *opened.shape)) * self._dtype.itemsize
        self._writer = tifffile.TiffWriter(path, bigtiff=size > _CLASSIC)
        self._description: str | None = json.dumps(
            {"shape": [*opened.lengths, *opened.shape], "axes": _axes(opened), **metadata}
        )

    def add(self, read: Callable[[slice, slice], NDArray[Any]]) -> None:
        """Write a plane; `read` returns its values in some rows and columns."""
        height, width = self._opened.shape
        in_tiles = max(height, width) > TILE
        self._writer.write(
            _tiles(read, height, width) if in_tiles else read(slice(0, height), slice(0, width)),
            shape=(height, width) if in_tiles else None,
            dtype=self._dtype if in_tiles else None,
            tile=(TILE, TILE) if in_tiles else None,
            photometric="minisblack",
            compression="zlib",
            # No predictor: ImageJ ignores that of floats, and would show noise.
            compressionargs={"level": 1},
            # Values of 4 bytes with little in common: deflate takes longer than all else here.
            maxworkers=os.cpu_count(),
            buffersize=_BUFFER,
            metadata=None,
            description=self._description,
            software="napari-clip-heatmap",
            **_resolution(self._opened),
        )
        self._description = None

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def _tiles(
    read: Callable[[slice, slice], NDArray[Any]], height: int, width: int
) -> Iterator[NDArray[Any]]:
    """Yield tiles row by row, filled up with 0 at the edges, each row of tiles read at once."""
    for top in range(0, height, TILE):
        rows = read(slice(top, min(top + TILE, height)), slice(0, width))
        for left in range(0, width, TILE):
            tile = rows[:, left : left + TILE]
            yield np.pad(tile, [(0, TILE - length) for length in tile.shape])


def _axes(opened: BatchImage) -> str:
    others = iter("QRUVW")
    letters = [_LETTERS.get(axis) or next(others) for axis in opened.axes]
    return "".join(letters) + "YX"


def _resolution(opened: BatchImage) -> dict[str, Any]:
    size = opened.pixel_size
    per_centimeter = None if size is None else _IN_CENTIMETERS.get(unit_symbol(size.unit))
    if size is None or per_centimeter is None:
        return {}
    return {
        "resolution": (per_centimeter / size.x, per_centimeter / size.y),
        "resolutionunit": _CENTIMETER,
    }
