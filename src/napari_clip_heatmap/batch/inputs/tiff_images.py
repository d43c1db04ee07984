"""The images of a TIFF of any kind: stacks plane by plane, slides as the pyramids they are."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry, PlaneIndex
from napari_clip_heatmap.batch.inputs.file_pixel_size import tiff_pixel_size
from napari_clip_heatmap.batch.inputs.plane_axes import PlaneAxes, chosen_axes
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.files.reading.picture_choice import Axis, PictureChoice, short_name
from napari_clip_heatmap.files.reading.tiff_file import (
    AXIS_KINDS,
    read_open_tiff,
    require_sane_size,
    tiff_pictures,
)
from napari_clip_heatmap.imaging.channel import Channel, as_channels

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

__all__ = ["open_tiff", "tiff_parts"]

_LARGE = 2**24
"""Pixels from which a picture is read tile by tile, where it is stored in tiles."""

_GRAY, _RGB, _YCBCR, _JPEG = 1, 2, 6, 7
_ORIENTATION, _NODATA = 274, 42113


def tiff_parts(path: str, choice: PictureChoice) -> list[str]:
    """Return the names of the pictures of a TIFF; one empty name where it has one.

    Raises
    ------
    Exception
        Whatever tifffile raises for a damaged file.

    Examples
    --------
    >>> tifffile.imwrite("a.tif", np.zeros((5, 30, 40), np.uint8))  # doctest: +SKIP
    >>> tiff_parts("a.tif", PictureChoice())  # doctest: +SKIP
    ['']
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        count = len(tiff_pictures(tiff))
    if count <= 1 or choice.series is not None or choice.page is not None:
        return [""]
    return [f"series {number}" for number in range(count)]


def open_tiff(entry: ImageEntry, choice: PictureChoice) -> BatchImage:
    """Open one picture of a TIFF with all its planes, or those that were chosen.

    Raises
    ------
    ImageError
        It cannot be read, or several channels are there and none was chosen.

    Examples
    --------
    >>> open_tiff(ImageEntry("movie.ome.tif", reader="tiff"), PictureChoice())  # doctest: +SKIP
    """
    import tifffile

    name = short_name(entry.source)
    if choice.page is not None:
        return _one_picture(entry, choice)
    if entry.part:
        choice = replace(choice, series=int(entry.part.split()[-1]))
    with tifffile.TiffFile(entry.source) as tiff:
        pictures = tiff_pictures(tiff)
        number = choice.series if len(pictures) > 1 else 0
        if number is None or number >= len(pictures):
            # By a page of pages that are no stack, or not there: the reader says which.
            return _one_picture(entry, choice)
        series = pictures[number]
        require_sane_size(series.keyframe, name)
        size = tiff_pixel_size(tiff, series.keyframe.aspage(), number)
        axes: list[Axis] = [(AXIS_KINDS.get(name, "page"), n) for name, n in _leading(series)]
        _require_channels(dict(axes).get("channel", 1), choice, name)
        planes = chosen_axes([axis for axis in axes if axis[0] != "channel"], choice, name)
        height, width = (series.shape[series.axes.index(letter)] for letter in "YX")
        lazy = not axes and _is_readable_in_parts(tiff, series) and not choice.channels
        place = tiff.series.index(series) if lazy else 0
        about: dict[str, Any] = {
            "axes": planes.names,
            "lengths": planes.lengths,
            "dtype": str(series.dtype),
            "stored_shape": tuple(series.shape),
        }
        read = _PlaneReader(entry.source, choice, axes, planes)
        single = prod(planes.lengths) == 1 and not lazy and 0 not in series.shape
        pixels = read.pixels((), tiff) if single else None
    if lazy:
        levels = tuple(_levels(entry.source, place))
        return BatchImage(
            **about,
            shape=(height, width),
            channels=lambda index: (Channel(levels),),
            pixel_size=size,
        )
    if pixels is not None:  # an upright picture may have another shape than is stored
        about["stored_shape"] = tuple(pixels.shape)
        height, width = pixels.shape[:2]
        return BatchImage(
            **about,
            shape=(height, width),
            channels=lambda index: as_channels(pixels),
            pixel_size=size,
        )
    return BatchImage(**about, shape=read.shape, channels=read, pixel_size=size)


def _one_picture(entry: ImageEntry, choice: PictureChoice) -> BatchImage:
    from napari_clip_heatmap.batch.inputs.plain_files import open_picture

    return open_picture(entry, choice)


class _PlaneReader:
    """Reads a plane of a TIFF in the colors that the file declares."""

    def __init__(
        self, path: str, choice: PictureChoice, axes: Sequence[Axis], planes: PlaneAxes
    ) -> None:
        self._path, self._choice, self._planes = path, choice, planes
        self._lengths = [n for kind, n in axes if kind != "channel"]

    def __call__(self, index: PlaneIndex) -> tuple[Channel, ...]:
        return as_channels(self.pixels(index))

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.pixels((0,) * len(self._planes.lengths)).shape[:2]
        return height, width

    def pixels(self, index: PlaneIndex, tiff: TiffFile | None = None) -> Any:
        """Return one plane, (y, x), (y, x, 3) or (y, x, 4), of the file if it is open."""
        position = self._planes.in_source(index)
        page = int(np.ravel_multi_index(position, self._lengths)) if position else None
        if self._choice.channel is None and page == 0 and prod(self._lengths) == 1:
            page = None
        choice = replace(self._choice, time=None, z=None, page=page)
        if tiff is not None:
            return read_open_tiff(tiff, choice, short_name(self._path))
        return read_image(self._path, **asdict(choice))


def _require_channels(count: int, choice: PictureChoice, name: str) -> None:
    """Raise unless it is known which of several channels are shown."""
    if count > 1 and not choice.channels:
        three = ", three as red, green and blue: --channel 0,1,2," if count > 2 else ""
        raise ImageError(
            f"{name} has {count} channels, and none was chosen; choose with --channel 0 to "
            f"{count - 1}{three} or each in its color: --channel 0:blue,1:green (in a script "
            "channel=0)"
        )


def _leading(series: TiffPageSeries) -> Iterator[tuple[str, int]]:
    for letter, length in zip(series.axes, series.shape, strict=True):
        if letter not in "YXS":
            yield letter, int(length)


def _is_readable_in_parts(tiff: TiffFile, series: TiffPageSeries) -> bool:
    """Return whether a picture is stored in tiles, and its values are the colors as they are."""
    page = series.keyframe.aspage()
    plain = page.photometric in (_GRAY, _RGB) or (
        page.photometric == _YCBCR and page.compression == _JPEG
    )
    height, width = page.imagelength, page.imagewidth
    return bool(
        plain
        and page.is_tiled
        and height * width >= _LARGE
        and not page.extrasamples
        and page.samplesperpixel in (1, 3)
        and series.axes in ("YX", "YXS")
        and page.tags.valueof(_ORIENTATION, 1) == 1
        and page.tags.valueof(_NODATA) is None
        and not tiff.is_imagej
        and series in tiff.series
    )


class _Level:
    """One level of a pyramid, read where it is sliced; its file is open as long as it is used."""

    def __init__(self, path: str, series: int, number: int) -> None:
        import tifffile
        import zarr

        store = tifffile.imread(path, aszarr=True, series=series, level=number)
        weakref.finalize(self, store.close)
        array = zarr.open(store, mode="r")
        if not isinstance(array, zarr.Array):
            raise ImageError(f"{short_name(path)} has a level that is no picture; copy it again")
        self._array = array
        self.shape = tuple(map(int, array.shape))
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.chunks = array.chunks

    def __getitem__(self, key: Any) -> Any:
        return self._array[key]


def _levels(path: str, series: int) -> Iterator[_Level]:
    """Yield the levels of a pyramid."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        pyramid = tiff.series[series]
        same = [level for level in pyramid.levels if level.ndim == pyramid.ndim]
        count = len(same) if pyramid.levels[0] is same[0] else 1
    for number in range(count):
        yield _Level(path, series, number)
