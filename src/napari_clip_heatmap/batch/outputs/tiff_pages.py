"""Planes as pages of a TIFF: in tiles, compressed, with the size of a pixel and named axes."""

from __future__ import annotations

import json
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

_SAMPLE = 32
"""Of so many rows one is deflated to see whether all of them shall be."""

_WORTH = 0.75
"""Part of the bytes that deflate must come below to be worth its time. It leaves nine tenths of a
map, for more than half of the time that everything after the model took; of labels, and where
nothing is known, it leaves next to nothing. What is not worth it is stored as it is, in the same
format. A predictor would leave a third of a map, and few programs read floats with one: ImageJ and
Bio-Formats, with which QuPath and Fiji read, refuse that for floats (3), and ImageJ shows noise for
that for whole numbers (2), as versions of Bio-Formats do in tiles."""

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
        whole = slice(0, height), slice(0, width)
        in_tiles = max(height, width) > TILE
        parts = _tiles(read, height, width) if in_tiles else iter([read(*whole)])
        self._writer.write(
            map(_deflated, parts),
            shape=(height, width),
            dtype=self._dtype,
            tile=(TILE, TILE) if in_tiles else None,
            rowsperstrip=None if in_tiles else height,
            photometric="minisblack",
            compression="zlib",
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
            missing = [(0, TILE - length) for length in tile.shape]
            yield np.pad(tile, missing) if np.any(missing) else tile


def _deflated(values: NDArray[Any]) -> bytes:
    """Return what deflate makes of values, or the values as they are, in its format."""
    from imagecodecs import deflate_encode

    # Arrays are taken as they are; only the types of imagecodecs do not say so.
    deflated: Callable[[Any, int], bytes | bytearray] = deflate_encode
    sample = np.ascontiguousarray(values[::_SAMPLE])
    level = 1 if len(deflated(sample, 1)) < _WORTH * sample.nbytes else 0
    return bytes(deflated(np.ascontiguousarray(values), level))


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
