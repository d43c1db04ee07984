"""From what was typed to a list of images: files, globs, folders, and what lies in each of them."""

from __future__ import annotations

import glob
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry
from napari_clip_heatmap.batch.inputs.bioio_images import (
    BIOIO_SUFFIXES,
    bioio_parts,
    open_bioio,
)
from napari_clip_heatmap.batch.inputs.colored_channels import ChannelColor, in_colors
from napari_clip_heatmap.batch.inputs.openslide_images import SLIDE_SUFFIXES, open_slide
from napari_clip_heatmap.batch.inputs.plain_files import open_array_file, open_picture
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice, short_name

__all__ = ["find_sources", "list_images", "open_image"]

_TIFF = frozenset(
    (".tif", ".tiff", ".btf", ".tf8", ".stk", ".lsm", ".qptiff", ".svs", ".ndpi", ".scn", ".bif")
)
_PICTURES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".webp", ".gif", ".bmp", ".avif", ".psd", ".npy")
)
_OTHERS = BIOIO_SUFFIXES | SLIDE_SUFFIXES
"""In a folder they are images, too; those that cannot be read say what to do."""

_DAMAGE = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError, struct.error)
"""What tifffile raises when it looks into a damaged file."""


def find_sources(inputs: Iterable[str], *, recursive: bool = False) -> list[Path]:
    """Return the files and stores that were named, each once, in order.

    Parameters
    ----------
    inputs : iterable of str
        Files, globs and folders. In a folder, files with an image's ending count, and stores that
        end in ``.zarr``; hidden ones do not.
    recursive : bool
        Whether folders within folders are looked into.

    Raises
    ------
    ImageError
        No file matches a glob.

    Examples
    --------
    >>> find_sources(["cells.tif", "cells.tif"])
    [PosixPath('cells.tif')]
    """
    found: dict[Path, Path] = {}
    for text in inputs:
        for path in _of_input(text, recursive=recursive):
            found.setdefault(path.absolute(), path)
    return list(found.values())


def list_images(source: Path, choice: PictureChoice) -> list[ImageEntry]:
    """Return the images of a file or store: its series, or the fields of its wells.

    What cannot be looked into is one image; what is wrong is said when it is opened.

    Examples
    --------
    >>> list_images(Path("cells.png"), PictureChoice())  # doctest: +SKIP
    [ImageEntry(source='/data/cells.png', part='', reader='picture')]
    """
    path = str(source.absolute())
    reader = _reader_of(source)
    if reader == "zarr":
        from napari_clip_heatmap.batch.inputs.zarr_images import zarr_parts

        return [ImageEntry(path, part, "zarr") for part in zarr_parts(source) or [""]]
    if reader == "tiff":
        from napari_clip_heatmap.batch.inputs.tiff_images import tiff_parts

        try:
            parts = tiff_parts(path, choice)
        except (*_DAMAGE, zlib.error):
            parts = [""]
        return [ImageEntry(path, part, "tiff") for part in parts]
    if reader == "bioio":
        try:
            parts = bioio_parts(source, choice)
        except ImageError:  # said again when it is opened
            parts = [""]
        return [ImageEntry(path, part, "bioio") for part in parts]
    return [ImageEntry(path, "", reader)]


def open_image(
    entry: ImageEntry, choice: PictureChoice, colors: Sequence[ChannelColor] = ()
) -> BatchImage:
    """Open an image of a job.

    Parameters
    ----------
    entry : ImageEntry
    choice : PictureChoice
    colors : sequence of ChannelColor
        Channels to be shown in colors of their own, instead of those that were chosen.

    Raises
    ------
    ImageError
        It cannot be read, or the chosen planes or channels are not there.

    Examples
    --------
    >>> open_image(ImageEntry("cells.png", reader="picture"), PictureChoice())  # doctest: +SKIP
    """
    if colors:
        return in_colors(partial(open_image, entry), choice, colors)
    if entry.reader == "zarr":
        from napari_clip_heatmap.batch.inputs.zarr_images import open_zarr

        return open_zarr(entry, choice)
    if entry.reader == "tiff":
        from napari_clip_heatmap.batch.inputs.tiff_images import open_tiff

        try:
            return open_tiff(entry, choice)
        except (*_DAMAGE, zlib.error) as error:
            if isinstance(error, ImageError):
                raise
            return open_picture(entry, choice)  # says what is wrong, as for any other file
    if entry.reader == "slide":
        return open_slide(entry)
    if entry.reader == "bioio":
        return open_bioio(entry, choice)
    if entry.reader == "array":
        return open_array_file(entry, choice)
    if Path(entry.source).is_dir():
        raise ImageError(
            f"the folder {short_name(entry.source)} holds no image file; accepted are TIFF, PNG, "
            "JPEG, NPY, OME-Zarr and others. Give another folder, or add --recursive for the "
            "folders in it"
        )
    return open_picture(entry, choice)


def _of_input(text: str, *, recursive: bool) -> Iterator[Path]:
    path = Path(text)
    if text and (path.is_file() or _is_store(path)):
        yield path
    elif text and path.is_dir():
        # An empty folder is said to be one when it is opened, and other images are done.
        yield from list(_in_folder(path, recursive=recursive)) or [path]
    elif glob.has_magic(text):
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob wants a root
        if not matches:
            raise ImageError(f"no file matches {short_name(text)}; give another pattern")
        for match in map(Path, matches):
            if match.is_file() or _is_store(match):
                yield match
    else:
        yield path  # it is not there: that is said of this image, and the others are done


def _in_folder(folder: Path, *, recursive: bool) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if _is_store(path):
                yield path
            elif recursive:
                yield from _in_folder(path, recursive=True)
        elif path.suffix.lower() in _TIFF | _PICTURES | _OTHERS:
            yield path


def _is_store(path: Path) -> bool:
    """Return whether a folder is a Zarr store."""
    return path.is_dir() and any(
        (path / name).is_file() for name in ("zarr.json", ".zattrs", ".zgroup", ".zarray")
    )


def _reader_of(path: Path) -> str:
    if _is_store(path):
        return "zarr"
    if not path.is_file():
        return "picture"
    from napari_clip_heatmap.files.reading.tiff_file import TIFF_MAGIC

    try:
        with path.open("rb") as stream:
            start = stream.read(6)
    except OSError:
        return "picture"
    if path.suffix.lower() in SLIDE_SUFFIXES:
        return "slide"
    if path.suffix.lower() in BIOIO_SUFFIXES:
        return "bioio"
    if start.startswith(TIFF_MAGIC):
        return "tiff"
    return "array" if start == b"\x93NUMPY" else "picture"
