"""One picture of a TIFF, of whatever kind the file is: plain, OME, ImageJ, pyramid, slide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.imagej_lut import lookup_table
from napari_clip_heatmap.files.reading.picture_choice import Axis, PictureChoice
from napari_clip_heatmap.files.reading.tiff_samples import TiffPlane, tiff_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffFile, TiffPage, TiffPageSeries

__all__ = [
    "AXIS_KINDS",
    "TIFF_MAGIC",
    "read_open_tiff",
    "read_tiff",
    "require_sane_size",
    "tiff_pictures",
]

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF or BigTIFF begins, whatever its name ends in."""

AXIS_KINDS: dict[str, Literal["time", "z", "channel"]] = {"T": "time", "Z": "z", "C": "channel"}
"""tifffile's letters; any other counts as pages."""

_LONGEST_SIDE = 2**24
"""Pixels; a hundred times the longest slides."""

_GUESSED_PYRAMIDS = ("generic", "shaped", "uniform")
"""Kinds of files in which tifffile takes smaller pages for levels by their size alone."""


def read_tiff(path: Path, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Read the one picture that a TIFF holds, or the chosen one.

    Parameters
    ----------
    path : Path
    choice : PictureChoice
    name : str
        What errors call the file.

    Returns
    -------
    ndarray (y, x), (y, x, 3) or (y, x, 4)
        See `tiff_picture`. Of a pyramid the finest level.

    Raises
    ------
    ImageError
        There are several pictures and none was chosen, or the chosen one is not there or is no
        picture.

    Examples
    --------
    >>> read_tiff(Path("stack.tif"), PictureChoice(z=3), "'stack.tif'")  # doctest: +SKIP
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        return read_open_tiff(tiff, choice, name)


def read_open_tiff(tiff: TiffFile, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Read what `read_tiff` reads, of a file that is open.

    Examples
    --------
    >>> read_open_tiff(tiff, PictureChoice(), "'stack.tif'")  # doctest: +SKIP
    """
    pictures = tiff_pictures(tiff)
    if not pictures:
        raise ImageError(f"{name} is a TIFF without a picture; choose another file")
    for series in pictures:
        require_sane_size(series.keyframe, name)
    if len(pictures) > 1 and choice.series is None and choice.page is not None:
        return _read_page(tiff, choice, name)
    described = [_described(series) for series in pictures]
    series = pictures[choice.number(name, "series", choice.series, described)]
    return _read_series(tiff, series, choice, name)


def tiff_pictures(tiff: TiffFile) -> list[TiffPageSeries]:
    """Return the series that are pictures of their own: no levels, thumbnails or masks.

    Examples
    --------
    >>> import numpy as np, tifffile
    >>> tifffile.imwrite("a.tif", np.zeros((2, 3), np.uint8))
    >>> with tifffile.TiffFile("a.tif") as tiff:
    ...     len(tiff_pictures(tiff))
    1
    """
    found = [each for series in tiff.series for each in (series, *_not_levels(series))]
    own = [each for each in found if not (each.keyframe.is_reduced or each.keyframe.is_mask)]
    top = [each for each in own if not each.keyframe.is_subifd]
    return top or own or found  # a camera's raw picture lies below its thumbnail


def _not_levels(series: TiffPageSeries) -> Iterator[TiffPageSeries]:
    """Yield what tifffile takes for levels of a pyramid and no tag declares as such."""
    if series.kind in _GUESSED_PYRAMIDS:
        for level in series.levels[1:]:
            if not (level.keyframe.is_reduced or level.keyframe.is_subifd):
                yield level


def require_sane_size(page: TiffPage, name: str) -> None:
    """Refuse a size that only a damaged file has, before time and memory go into it.

    Raises
    ------
    ImageError
        A side is longer than any detector's or slide's.

    Examples
    --------
    >>> require_sane_size(tiff.pages[0], "'a.tif'")  # doctest: +SKIP
    """
    height, width = page.imagelength, page.imagewidth
    if max(height, width) > _LONGEST_SIDE:
        raise ImageError(
            f"{name} says that it is {height} x {width} pixels; accepted: at most {_LONGEST_SIDE} "
            "a side. The file is damaged; export it again"
        )


def _belongs_to_another(page: TiffPage) -> bool:
    return page.is_reduced or page.is_mask or page.is_subifd


def _described(series: TiffPageSeries) -> str:
    """Say in a few words what a series is."""
    shape = " x ".join(str(length) for length in series.shape)
    label = f"'{series.name[:30]}', " if series.name else ""
    return f"{label}{shape} {series.dtype}"


def _read_page(tiff: TiffFile, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Read a page by its number in the file, where pages are no stack of one shape."""
    pages = [page for page in map(_full, tiff.pages) if not _belongs_to_another(page)]
    described = [f"{page.imagelength} x {page.imagewidth}" for page in pages]
    page = pages[choice.number(name, "page", choice.page, described)]
    axes, samples = _squeezed(page.axes, _decoded(page, name))
    return _of_planes(tiff, page, [_colors_last(axes, samples, name)], choice, name)


def _read_series(
    tiff: TiffFile, series: TiffPageSeries, choice: PictureChoice, name: str
) -> NDArray[Any]:
    axes: list[Axis] = [
        (AXIS_KINDS.get(letter, "page"), length)
        for letter, length in zip(series.axes, series.shape, strict=True)
        if letter not in "YXS"
    ]
    planes = choice.planes(name, axes)
    pages = [_page_of(series, axes, index) for index in planes]
    if all(page is not None for page in pages):
        samples = [_colors_last(page.axes, _decoded(page, name), name) for page in pages if page]
    else:
        samples = list(_slices(series, planes, name))
    table_page = pages[0] or series.keyframe
    n_channels = dict(axes).get("channel", 1)
    first = planes[0][[kind for kind, _ in axes].index("channel")] if n_channels > 1 else None
    return _of_planes(tiff, _full(table_page), samples, choice, name, first)


def _of_planes(
    tiff: TiffFile,
    page: TiffPage,
    samples: list[NDArray[Any]],
    choice: PictureChoice,
    name: str,
    channel: int | None = None,
) -> NDArray[Any]:
    """Return the picture of one plane, or of three as red, green and blue."""
    if len(samples) == 1:
        table = lookup_table(tiff.imagej_metadata, channel)
        of_samples = choice if channel is None else PictureChoice()
        return tiff_picture(TiffPlane(samples[0], page, table), of_samples, name)
    shown = [tiff_picture(TiffPlane(each, page), PictureChoice(), name) for each in samples]
    if any(each.ndim != 2 for each in shown):
        raise ImageError(f"{name} has channels that are colors; choose one channel")
    return np.stack(shown, axis=-1)


def _page_of(series: TiffPageSeries, axes: list[Axis], index: tuple[int, ...]) -> TiffPage | None:
    """Return the page that holds a plane and no other; None where a page holds several."""
    lengths = [length for _, length in axes]
    own = series.keyframe.axes
    leading = [letter for letter in series.axes if letter not in "YXS"]
    if len(series.pages) != np.prod(lengths, dtype=int) or series.axes != "".join(leading) + own:
        return None
    if set(own) - set("YXS"):
        return None
    page = series.pages[int(np.ravel_multi_index(index, lengths)) if lengths else 0]
    return None if page is None else _full(page)


def _slices(
    series: TiffPageSeries, planes: tuple[tuple[int, ...], ...], name: str
) -> Iterator[NDArray[Any]]:
    """Yield planes of a series that is stored as one block, mapped where that is possible."""
    if any(page is None for page in series.pages):
        raise ImageError(f"{name} lacks planes that its description lists; export it again")
    mapped = series.dataoffset is not None and series.keyframe.is_memmappable
    whole = series.asarray(out="memmap") if mapped else series.asarray()
    for index in planes:
        positions = iter(index)
        key = tuple(slice(None) if letter in "YXS" else next(positions) for letter in series.axes)
        axes = "".join(letter for letter in series.axes if letter in "YXS")
        yield _colors_last(axes, np.array(whole[key]), name)


def _decoded(page: TiffPage, name: str) -> NDArray[Any]:
    """Return the samples of a page; what a damaged one lacks would be 0, with no error."""
    n_stored, n_needed = len(page.dataoffsets), math.prod(page.chunked)
    if n_stored < n_needed:
        raise ImageError(
            f"{name} is damaged: it has {n_stored} of {n_needed} strips or tiles; copy it again"
        )
    return page.asarray()


def _squeezed(axes: str, samples: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Leave out axes other than y, x and samples, which have one position here."""
    if any(n > 1 and axis not in "YXS" for axis, n in zip(axes, samples.shape, strict=True)):
        return axes, samples
    key = tuple(slice(None) if letter in "YXS" else 0 for letter in axes)
    return "".join(letter for letter in axes if letter in "YXS"), samples[key]


def _colors_last(axes: str, samples: NDArray[Any], name: str) -> NDArray[Any]:
    """Return samples as (y, x) or (y, x, sample), whichever way the file is laid out."""
    if sorted(axes) not in (["X", "Y"], ["S", "X", "Y"]):
        raise ImageError(
            f"{name} has the axes {axes}; accepted: a picture with y and x, and its colors"
        )
    order = [axes.index(letter) for letter in "YXS" if letter in axes]
    return samples.transpose(order)


def _full(page: Any) -> TiffPage:
    """Return a page with all its tags; tifffile reads only offsets of pages that look alike."""
    full: TiffPage = page.aspage()
    return full
