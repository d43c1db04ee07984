"""One image of a job: its planes by the names of their axes, read only where they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from napari_clip_heatmap.annotation.geometry import PixelSize
from napari_clip_heatmap.imaging.channel import Channel

__all__ = ["BatchImage", "ImageEntry", "PlaneIndex"]

PlaneIndex = tuple[int, ...]
"""Position of a plane along each leading axis."""


@dataclass(frozen=True)
class ImageEntry:
    """Where an image of a job is.

    Parameters
    ----------
    source : str
        Absolute path of the file or folder.
    part : str
        Which of its images, such as "A/1/0" of a plate or "series 2"; empty where it has one.
    reader : str
        The kind of source, of `READERS`.

    Examples
    --------
    >>> ImageEntry("/data/plate.ome.zarr", "A/1/0", "ome-zarr").label
    '/data/plate.ome.zarr A/1/0'
    """

    source: str
    part: str = ""
    reader: str = "file"

    @property
    def label(self) -> str:
        """The source and its part, as messages and records have it."""
        return f"{self.source} {self.part}" if self.part else self.source


@dataclass(frozen=True, eq=False)
class BatchImage:
    """An image that is open.

    Parameters
    ----------
    axes : tuple of str
        Names of the axes before y and x that the results have too, such as ("time", "z").
    lengths : tuple of int
        Their lengths.
    shape : (y, x)
    dtype : str
        Of the stored values.
    stored_shape : tuple of int
        As the source has it, with channels.
    channels : callable(index) -> sequence of Channel
        Opens one plane.
    pixel_size : PixelSize, optional
        As the source says it.
    place : dict
        Row, column and field of an image of a plate.

    Examples
    --------
    >>> image = array_image(np.zeros((2, 30, 40)), ("time",))
    >>> image.planes
    [(0,), (1,)]
    """

    axes: tuple[str, ...]
    lengths: tuple[int, ...]
    shape: tuple[int, int]
    dtype: str
    stored_shape: tuple[int, ...]
    channels: Callable[[PlaneIndex], Sequence[Channel]]
    pixel_size: PixelSize | None = None
    place: dict[str, Any] = field(default_factory=dict)

    @property
    def planes(self) -> list[PlaneIndex]:
        """The index of each plane, in order."""
        return list(np.ndindex(self.lengths))

    @property
    def n_planes(self) -> int:
        """How many planes there are."""
        return prod(self.lengths)

    def number(self, index: PlaneIndex) -> int:
        """Return the number of a plane, from 0."""
        return int(np.ravel_multi_index(index, self.lengths)) if index else 0
