"""Microscopes' own files (Zeiss CZI, Leica LIF, Nikon ND2), by BioIO and its readers."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.geometry import PixelSize
from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry, PlaneIndex
from napari_clip_heatmap.batch.inputs.plane_axes import PlaneAxes, chosen_axes
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import Axis, PictureChoice, short_name
from napari_clip_heatmap.imaging.channel import Channel, as_channels

__all__ = ["BIOIO_SUFFIXES", "bioio_parts", "open_bioio"]

BIOIO_SUFFIXES = frozenset((".czi", ".lif", ".nd2"))
"""Files that are given to BioIO."""

_KINDS = {"T": "time", "Z": "z"}
_SCENE = "scene"
_PLANES_KEPT = 4
"""Planes that stay in memory, as many tiles are cut from each."""

_DAMAGE = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError, struct.error)
"""What the readers raise when they look into a damaged file."""


def bioio_parts(path: Path, choice: PictureChoice) -> list[str]:
    """Return the names of the scenes of a file; one empty name where it has one.

    Raises
    ------
    ImageError
        It cannot be read.

    Examples
    --------
    >>> bioio_parts(Path("positions.nd2"), PictureChoice())  # doctest: +SKIP
    ['scene 0', 'scene 1']
    """
    count = len(_open(path).scenes)
    if count <= 1 or choice.series is not None:
        return [""]
    return [f"{_SCENE} {number}" for number in range(count)]


def open_bioio(entry: ImageEntry, choice: PictureChoice) -> BatchImage:
    """Open a scene of a file, mosaics put together; pixels are read plane by plane.

    Raises
    ------
    ImageError
        BioIO is not installed or cannot read the file, the chosen planes are not there, or
        several channels are there and none was chosen.

    Examples
    --------
    >>> open_bioio(ImageEntry("cells.czi", reader="bioio"), PictureChoice())  # doctest: +SKIP
    """
    path, name = Path(entry.source), short_name(entry.label)
    image = _open(path)
    names = [str(scene) for scene in image.scenes]
    chosen = int(entry.part.split()[-1]) if entry.part else choice.series
    scene = choice.number(name, "series", chosen, names)
    image.set_scene(scene)
    try:
        pixels = image.xarray_dask_data
        sizes = image.physical_pixel_sizes
    except _DAMAGE as error:
        raise _unreadable(name, error) from error
    lengths = dict(zip(map(str, pixels.dims), map(int, pixels.shape), strict=True))
    leading = [axis for axis in lengths if axis not in "CYXS"]
    kinds: list[Axis] = [
        (_KINDS.get(axis, "page"), lengths[axis])  # type: ignore[misc]
        for axis in leading
    ]
    y, x = float(sizes.Y or 0), float(sizes.X or 0)
    planes = chosen_axes(kinds, choice, name)
    read = _PlaneReader(pixels, tuple(leading), planes, _channels(name, lengths, choice), name)
    if path.suffix.lower() == ".czi" and "S" in lengths:
        read.colors = partial(_czi_colors, path, scene)
    return BatchImage(
        axes=planes.names,
        lengths=planes.lengths,
        shape=(lengths["Y"], lengths["X"]),
        dtype=str(np.dtype(pixels.dtype)),
        stored_shape=tuple(map(int, pixels.shape)),
        channels=read,
        # The readers of these formats give micrometers.
        pixel_size=PixelSize(y, x, "micrometer") if y > 0 and x > 0 else None,
    )


class _PlaneReader:
    """Reads a plane of a scene: one channel, three as red, green and blue, or stored colors."""

    def __init__(
        self,
        pixels: Any,
        leading: tuple[str, ...],
        planes: PlaneAxes,
        channels: tuple[int, ...],
        name: str,
    ) -> None:
        self._pixels, self._leading, self._planes = pixels, leading, planes
        self._channels, self._name = channels, name
        self.colors: Callable[[dict[str, int]], NDArray[Any]] | None = None
        self._read = lru_cache(_PLANES_KEPT)(self._plane)

    def __call__(self, index: PlaneIndex) -> tuple[Channel, ...]:
        return as_channels(self._read(index))

    def _plane(self, index: PlaneIndex) -> NDArray[Any]:
        at: dict[str, Any] = dict(zip(self._leading, self._planes.in_source(index), strict=True))
        dims = ["Y", "X"]
        if "C" in self._pixels.dims:
            at["C"] = self._channels[0] if len(self._channels) == 1 else list(self._channels)
            dims += ["C"] if len(self._channels) > 1 else []
        if "S" in self._pixels.dims:
            dims += ["S"]
        try:
            if self.colors is not None:
                return self.colors(at)
            plane = np.asarray(self._pixels.isel(at).transpose(*dims).data)
        except _DAMAGE as error:
            raise _unreadable(self._name, error) from error
        return plane[..., 0] if plane.ndim == 3 and plane.shape[-1] == 1 else plane


def _czi_colors(path: Path, scene: int, at: dict[str, int]) -> NDArray[Any]:
    """Return a plane of a color CZI, red first: BioIO 3 gives one of its colors three times."""
    from pylibCZIrw.czi import open_czi

    position = {axis: number for axis, number in at.items() if axis in "CTZ"}
    with open_czi(str(path)) as czi:
        scenes = czi.scenes_bounding_rectangle
        pixels = czi.read(plane=position, scene=scene if scenes else None)
    return np.ascontiguousarray(pixels[..., ::-1])  # stored as blue, green, red


def _channels(name: str, lengths: dict[str, int], choice: PictureChoice) -> tuple[int, ...]:
    """Return the numbers of the channels that are shown, checked against what is there."""
    count, chosen = lengths.get("C", 1), choice.channels
    if chosen and max(chosen) >= count:
        raise ImageError(
            f"{name} has {count} channels and no channel {max(chosen)}; accepted: 0 to {count - 1}"
        )
    if len(chosen) > 1 and "S" in lengths:
        raise ImageError(f"{name} is in colors already; choose one channel, or none")
    if count > 1 and not chosen:
        three = ", three as red, green and blue: --channel 0,1,2," if count > 2 else ""
        raise ImageError(
            f"{name} has {count} channels, and none was chosen; choose with --channel 0 to "
            f"{count - 1}{three} or each in its color: --channel 0:blue,1:green"
        )
    return chosen or (0,)


def _open(path: Path) -> Any:
    """Return the file as BioIO has it."""
    name = short_name(str(path))
    try:
        from bioio import BioImage
        from bioio_base.exceptions import UnsupportedFileFormatError

        reader = _reader(path.suffix.lower())
    except ImportError as error:
        raise ImageError(
            f"{name} is read by BioIO, which is not here ({error}); install it: pip install "
            "'napari-clip-heatmap[formats]'"
        ) from error
    logging.getLogger("bioio").setLevel(logging.CRITICAL)  # what matters is raised
    try:
        return BioImage(path, reader=reader)
    except (UnsupportedFileFormatError, *_DAMAGE) as error:
        raise _unreadable(name, error) from error


def _reader(suffix: str) -> Any:
    if suffix == ".czi":
        from bioio_czi import Reader
    elif suffix == ".lif":
        from bioio_lif import Reader
    else:
        from bioio_nd2 import Reader
    return Reader


def _unreadable(name: str, error: Exception) -> ImageError:
    return ImageError(
        f"{name} could not be read by BioIO ({' '.join(str(error).split()):.200}); copy it again, "
        "or save it as OME-TIFF in the program of the microscope"
    )
