"""One plane of a layer's data, as an array that reads only what is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["Plane", "levels_of"]


class Plane:
    """A plane (y, x) or (y, x, colour) of a larger array; slicing it reads from that array.

    Needed for those arrays, such as zarr's, that read a whole plane as soon as one is chosen.

    Parameters
    ----------
    array : array-like
        Anything with shape, dtype and slicing.
    index : tuple of int
        Of the plane, on the leading axes.
    """

    def __init__(self, array: Any, index: tuple[int, ...]) -> None:
        self._array = array
        self._index = index

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis of the plane."""
        return tuple(int(n) for n in self._array.shape[len(self._index) :])

    @property
    def dtype(self) -> Any:
        """Type of the values."""
        return self._array.dtype

    @property
    def chunks(self) -> Any:
        """Of zarr and dask, the chunks along the plane's axes; None where there are none."""
        chunks = getattr(self._array, "chunks", None)
        return None if chunks is None else chunks[len(self._index) :]

    @property
    def ndim(self) -> int:
        """2, or 3 with colours."""
        return len(self.shape)

    def __getitem__(self, rectangle: Any) -> Any:
        chosen = rectangle if isinstance(rectangle, tuple) else (rectangle,)
        return self._array[(*self._index, *chosen)]


def levels_of(layer: Image, index: tuple[int, ...]) -> tuple[Any, ...]:
    """Return a plane of a layer at each of its levels, the finest first.

    Parameters
    ----------
    layer : Image
    index : tuple of int
        Of the plane, at the finest level. Coarser levels may have fewer planes.
    """
    if not layer.multiscale:
        return (_plane(layer.data, index),)
    finest = layer.data[0].shape
    return tuple(
        _plane(level, tuple(i * level.shape[a] // finest[a] for a, i in enumerate(index)))
        for level in layer.data
    )


def _plane(array: Any, index: tuple[int, ...]) -> Any:
    """A whole array stays what it is, so that what knows it can treat it best."""
    return Plane(array, index) if index else array
