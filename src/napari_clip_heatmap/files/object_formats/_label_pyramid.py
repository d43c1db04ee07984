"""The levels and axes that labels need to lie exactly on the OME-Zarr image they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import OutputError

if TYPE_CHECKING:
    from zarr import Array, Group

__all__ = ["LabelPyramid", "Level", "new_pyramid", "pyramid_of_image", "write_level"]

_SMALLEST = 512
"""Longest side of the coarsest level where there is no image to go by."""
_CHUNK = 1024
"""Rows that are written at once, or a multiple."""
_BAND = 2**24
"""Labels that are read at once."""
_UNITS = {"µm": "micrometer", "um": "micrometer", "nm": "nanometer", "mm": "millimeter"}
"""Symbol -> the name that OME-Zarr has for it."""


@dataclass(frozen=True)
class Level:
    """One resolution: its shape, and the OME-Zarr transformations from its pixels."""

    shape: tuple[int, ...]
    transformations: list[dict[str, Any]]


@dataclass(frozen=True)
class LabelPyramid:
    """What labels are written as.

    Parameters
    ----------
    version : {"0.4", "0.5"}
        Of OME-Zarr.
    axes : list of dict
    levels : tuple of Level
        Finest first.
    transformations : list of dict
        Of all levels together; often empty.
    """

    version: str
    axes: list[dict[str, Any]]
    levels: tuple[Level, ...]
    transformations: list[dict[str, Any]]


def new_pyramid(shape: tuple[int, ...], record: Mapping[str, Any]) -> LabelPyramid:
    """Return a pyramid for labels (y, x) that no image is known for.

    Raises
    ------
    OutputError
        The labels are a stack: only an image tells what its axes are.
    """
    if len(shape) != 2:
        raise OutputError(
            f"labels of the shape {shape} are a stack, and only its image tells what its axes "
            "are; write them into the OME-Zarr of the image, or as .tif"
        )
    axes: list[dict[str, Any]] = [{"name": name, "type": "space"} for name in "yx"]
    size = record.get("pixel_size", (1.0, 1.0))
    if "unit" in record:
        unit = _UNITS.get(record["unit"], record["unit"])
        axes = [{**axis, "unit": unit} for axis in axes]
    levels = [Level(shape, [{"type": "scale", "scale": [float(each) for each in size]}])]
    while max(levels[-1].shape) > _SMALLEST:
        small = tuple(-(-length // 2) for length in levels[-1].shape)
        wide = [each * full / now for each, full, now in zip(size, shape, small, strict=True)]
        levels.append(Level(small, [{"type": "scale", "scale": wide}]))
    return LabelPyramid("0.5", axes, tuple(levels), [])


def pyramid_of_image(group: Group, shape: tuple[int, ...], path: Path) -> LabelPyramid:
    """Return a pyramid for labels of the image that a group holds: the same, without channels.

    Raises
    ------
    OutputError
        The group is no image, of another version, or of another shape than the labels.
    """
    attributes: Mapping[str, Any] = group.attrs.asdict()
    attributes = attributes.get("ome", attributes)
    multiscales = attributes.get("multiscales")
    if not multiscales:
        raise OutputError(
            f"'{path}' is no OME-Zarr image; give the path of the image that the labels belong to, "
            "or of nothing yet"
        )
    image = multiscales[0]
    version = str(attributes.get("version", image.get("version")))
    if version not in ("0.4", "0.5"):
        raise OutputError(
            f"'{path}' is an OME-Zarr of version {version}; labels can be added to 0.4 and 0.5. "
            "Convert it, or write the labels as .tif"
        )
    names = [axis["name"] for axis in image["axes"]]
    if names[-2:] != ["y", "x"]:
        raise OutputError(
            f"the axes of the image in '{path}' are {', '.join(names)}; labels can be added where "
            "the last two are y and x. Write them as .tif"
        )
    kept = [n for n, axis in enumerate(image["axes"]) if axis.get("type") != "channel"]
    levels = tuple(
        Level(
            tuple(_shape(group, dataset["path"], path)[n] for n in kept),
            _of_axes(dataset["coordinateTransformations"], kept),
        )
        for dataset in image["datasets"]
    )
    if not _fits(shape, levels[0].shape):
        raise OutputError(
            f"the labels have the shape {shape}, and the image in '{path}' {levels[0].shape} "
            "without its channels; give the OME-Zarr of the image that they belong to"
        )
    common = _of_axes(image.get("coordinateTransformations", ()), kept)
    return LabelPyramid(version, [image["axes"][n] for n in kept], levels, common)


def _shape(group: Group, name: str, path: Path) -> tuple[int, ...]:
    from zarr import Array

    array = group.get(name)
    if not isinstance(array, Array):
        raise OutputError(
            f"the image in '{path}' names a level {name!r} that is not there; it is damaged"
        )
    return array.shape


def write_level(
    labels: Any, finest: Level, level: Level, into: Array[Any], chosen: NDArray[Any] | None
) -> None:
    """Fill one level with the label in the middle of each of its pixels, read band by band.

    Parameters
    ----------
    labels : array-like of integers
        Of the shape of the finest level, but for axes of length 1.
    finest, level : Level
    into : zarr.Array
        Of the shape of the level.
    chosen : integer (label,), optional
        Only these; the rest is background. By default all.
    """
    *near, y, x = map(_nearest, finest.shape, level.shape)
    rows = max(1, _BAND // labels.shape[-1] * len(y) // labels.shape[-2])
    rows = max(1, rows // _CHUNK) * _CHUNK  # whole chunks are written once
    for index in np.ndindex(level.shape[:-2]):
        plane = _plane(labels, finest, [int(n[i]) for n, i in zip(near, index, strict=True)])
        for top in range(0, len(y), rows):
            wanted = y[top : top + rows]
            band = np.asarray(labels[(*plane, slice(int(wanted[0]), int(wanted[-1]) + 1))])
            block = band[wanted - wanted[0]][:, x]
            if chosen is not None:
                block = np.where(np.isin(block, chosen), block, 0)
            into[(*index, slice(top, top + len(wanted)))] = block


def _nearest(full: int, small: int) -> NDArray[np.intp]:
    """Return which of `full` pixels lies in the middle of each of `small` ones."""
    nearest: NDArray[np.intp] = ((np.arange(small) + 0.5) * (full / small)).astype(np.intp)
    return nearest


def _plane(labels: Any, finest: Level, index: list[int]) -> tuple[int, ...]:
    """Return where a plane of the image is in labels that may lack axes of length 1."""
    several = (i for i, n in zip(index, finest.shape, strict=False) if n != 1)
    return tuple(0 if n == 1 else next(several) for n in labels.shape[:-2])


def _fits(labels: tuple[int, ...], image: tuple[int, ...]) -> bool:
    """Tell whether two shapes are the same, but for axes of length 1 before y and x."""
    several = [[n for n in shape[:-2] if n != 1] for shape in (labels, image)]
    return several[0] == several[1] and labels[-2:] == image[-2:]


def _of_axes(transformations: Any, kept: list[int]) -> list[dict[str, Any]]:
    """Return OME-Zarr scales and translations of some of the axes."""
    return [
        {"type": each["type"], each["type"]: [each[each["type"]][n] for n in kept]}
        for each in transformations
    ]
