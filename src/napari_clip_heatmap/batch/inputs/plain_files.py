"""Pictures in single files: what Pillow reads, and NumPy arrays with any number of planes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry, PlaneIndex
from napari_clip_heatmap.batch.inputs.plane_axes import chosen_axes
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.files.reading.picture_choice import Axis, PictureChoice, short_name
from napari_clip_heatmap.imaging.channel import Channel, Plane, as_channels

__all__ = ["array_image", "open_array_file", "open_picture"]


def open_picture(entry: ImageEntry, choice: PictureChoice) -> BatchImage:
    """Open a file that holds one picture, or the one that was chosen of it.

    Raises
    ------
    ImageError
        It cannot be read, or holds several pictures and none was chosen.

    Examples
    --------
    >>> open_picture(ImageEntry("cells.png"), PictureChoice())  # doctest: +SKIP
    """
    pixels = read_image(entry.source, **asdict(choice))
    height, width = pixels.shape[:2]
    return BatchImage(
        axes=(),
        lengths=(),
        shape=(height, width),
        dtype=str(pixels.dtype),
        stored_shape=tuple(pixels.shape),
        channels=lambda index: as_channels(pixels),
    )


def open_array_file(entry: ImageEntry, choice: PictureChoice) -> BatchImage:
    """Open a ``.npy``, which is mapped and read where it is needed.

    Raises
    ------
    ImageError
        It is no array of pictures, or the chosen plane is not there.

    Examples
    --------
    >>> open_array_file(ImageEntry("stack.npy"), PictureChoice())  # doctest: +SKIP
    """
    name = short_name(entry.source)
    if Path(entry.source).stat().st_size == 0:
        raise ImageError(f"{name} is empty; copy it again")
    try:
        array = np.load(entry.source, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return open_picture(entry, choice)  # says what is wrong, as for any other file
    choice.number(name, "series", choice.series, ["array"])
    return array_image(array, name=name, choice=choice)


def array_image(
    array: Any,
    *,
    name: str,
    choice: PictureChoice,
    axes: tuple[str, ...] = (),
) -> BatchImage:
    """Return an array (*pages, y, x) or (*pages, y, x, 3 or 4) as an image.

    Parameters
    ----------
    array : array-like
        Read where it is sliced.
    name : str
        What errors call it.
    choice : PictureChoice
    axes : tuple of str
        Names of the leading axes: "time", "z"; others count as pages. By default all do.

    Raises
    ------
    ImageError
        It has another shape or type, or the chosen plane is not there.

    Examples
    --------
    >>> stack = array_image(np.zeros((5, 30, 40)), name="a stack", choice=PictureChoice())
    >>> stack.axes, stack.lengths, stack.shape
    (('page',), (5,), (30, 40))
    """
    shape = tuple(int(length) for length in array.shape)
    if np.dtype(array.dtype).kind not in "buif" or len(shape) < 2 or 0 in shape:
        raise ImageError(
            f"{name} holds an array {shape} of {array.dtype}; accepted: (y, x) or (y, x, 3 or 4), "
            "or a stack of these, of booleans, integers or real floats"
        )
    if not axes:
        n_own = (
            3 if len(shape) > 2 and shape[-1] in ((1, 3, 4) if len(shape) == 3 else (3, 4)) else 2
        )
        axes = ("page",) * (len(shape) - n_own)
    known: dict[str, Any] = {"time": "time", "z": "z"}
    kinds: list[Axis] = [(known.get(axis, "page"), n) for axis, n in zip(axes, shape, strict=False)]
    planes = chosen_axes(kinds, choice, name)
    height, width = shape[len(axes) : len(axes) + 2]

    def channels(index: PlaneIndex) -> tuple[Channel, ...]:
        plane: Any = Plane(array, planes.in_source(index)) if axes else array
        if choice.channels:
            whole = plane[(slice(None),) * len(plane.shape)]
            return as_channels(choice.of_channels(np.asarray(whole), name))
        return as_channels(plane)

    return BatchImage(
        axes=planes.names,
        lengths=planes.lengths,
        shape=(height, width),
        dtype=str(np.dtype(array.dtype)),
        stored_shape=shape,
        channels=channels,
    )
