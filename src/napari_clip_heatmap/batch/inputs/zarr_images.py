"""The images of a Zarr store: OME-Zarr images, wells and plates, and plain arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_clip_heatmap.annotation.geometry import PixelSize
from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry, PlaneIndex
from napari_clip_heatmap.batch.inputs.colored_channels import ramp_to
from napari_clip_heatmap.batch.inputs.plain_files import array_image
from napari_clip_heatmap.batch.inputs.plane_axes import chosen_axes
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import Axis, PictureChoice, short_name
from napari_clip_heatmap.imaging.channel import Channel, Plane

__all__ = ["ome_attributes", "open_zarr", "zarr_parts"]

_KINDS = {"time": "time", "t": "time", "z": "z"}
_WELL_DEPTH = 3
"""Parts of the path of a field: row, column, number."""


def zarr_parts(source: Path) -> list[str]:
    """Return the paths of the images in a store: one empty path where it is an image itself.

    Examples
    --------
    >>> zarr_parts(Path("plate.ome.zarr"))  # doctest: +SKIP
    ['A/1/0', 'A/1/1', 'A/2/0', 'A/2/1']
    """
    try:
        return list(_parts(source))
    except ImageError:  # said again when it is opened
        return []


def open_zarr(entry: ImageEntry, choice: PictureChoice) -> BatchImage:
    """Open an image of a store with all its levels; nothing of its pixels is read.

    Raises
    ------
    ImageError
        It is damaged, or its channels have no colors and none was chosen.

    Examples
    --------
    >>> open_zarr(ImageEntry("cells.ome.zarr", reader="zarr"), PictureChoice())  # doctest: +SKIP
    """
    import zarr

    name = short_name(entry.label)
    path = Path(entry.source) / entry.part
    try:
        node = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise ImageError(f"{name} could not be opened as Zarr ({error}); copy it again") from error
    if isinstance(node, zarr.Array):
        known = getattr(node.metadata, "dimension_names", None)
        return array_image(node, name=name, choice=choice, axes=_named(known, node.shape))
    about = ome_attributes(path)
    multiscales = about.get("multiscales")
    if not multiscales:
        raise ImageError(
            f"{name} is a Zarr store that holds no image; accepted: an OME-Zarr image, plate or "
            "well, or an array. Give the path of the array in it"
        )
    choice.number(name, "series", choice.series, ["image"])
    return _OmeImage(node, multiscales[0], about.get("omero") or {}, name, choice).opened(
        _place(entry)
    )


class _OmeImage:
    """A multiscale image and its metadata."""

    def __init__(
        self,
        group: Any,
        multiscale: Mapping[str, Any],
        omero: Mapping[str, Any],
        name: str,
        choice: PictureChoice,
    ) -> None:
        self._omero, self._name, self._choice = omero, name, choice
        self._axes = [_axis_name(axis) for axis in multiscale.get("axes", "tczyx")]
        try:
            self._levels = [group[each["path"]] for each in multiscale["datasets"]]
        except KeyError as error:
            raise ImageError(
                f"{name} names a level {error} that is not there; copy the store again"
            ) from error
        self._multiscale = multiscale
        if self._axes[-2:] != ["y", "x"]:
            raise ImageError(
                f"{name} has the axes {', '.join(self._axes)}; accepted: y and x as the last two"
            )

    def opened(self, place: dict[str, Any]) -> BatchImage:
        finest = self._levels[0]
        lengths = dict(zip(self._axes, map(int, finest.shape), strict=True))
        axes: list[Axis] = [
            (_KINDS.get(axis, "page"), lengths[axis])  # type: ignore[misc]
            for axis in self._axes[:-2]
            if axis != "c"
        ]
        planes = chosen_axes(axes, self._choice, self._name)
        chosen = self._channels(lengths.get("c", 1))

        def channels(index: PlaneIndex) -> tuple[Channel, ...]:
            position = planes.in_source(index)
            return tuple(
                Channel(
                    tuple(Plane(level, self._index(position, number)) for level in self._levels),
                    limits=limits,
                    lut=lut,
                )
                for number, limits, lut in chosen
            )

        return BatchImage(
            axes=planes.names,
            lengths=planes.lengths,
            shape=(lengths["y"], lengths["x"]),
            dtype=str(np.dtype(finest.dtype)),
            stored_shape=tuple(map(int, finest.shape)),
            channels=channels,
            pixel_size=self._pixel_size(),
            place=place,
        )

    def _index(self, position: tuple[int, ...], channel: int) -> tuple[int, ...]:
        others = iter(position)
        return tuple(channel if axis == "c" else next(others) for axis in self._axes[:-2])

    def _channels(self, count: int) -> list[tuple[int, Any, Any]]:
        """Return number, limits and colors of each channel that is shown."""
        described = list(self._omero.get("channels") or [])
        chosen = self._choice.channels
        if chosen and max(chosen) >= count:
            raise ImageError(
                f"{self._name} has {count} channels and no channel {max(chosen)}; accepted: 0 to "
                f"{count - 1}"
            )
        if len(chosen) == 3:
            return [
                (number, _limits(described, number), ramp_to(color))
                for number, color in zip(chosen, ("ff0000", "00ff00", "0000ff"), strict=True)
            ]
        if len(chosen) == 1 or count == 1:
            number = chosen[0] if chosen else 0
            return [(number, _limits(described, number), None)]
        if len(described) != count or not all(each.get("color") for each in described):
            raise ImageError(
                f"{self._name} has {count} channels, and its metadata do not say in which colors "
                "they are shown; choose with channel=0, or three as red, green and blue (in the "
                "shell --channel 0, --channel 0,1,2, or each in its color: --channel "
                "0:blue,1:green)"
            )
        return [
            (number, _limits(described, number), ramp_to(each["color"]))
            for number, each in enumerate(described)
            if each.get("active", True)
        ]

    def _pixel_size(self) -> PixelSize | None:
        """Return what a pixel of the finest level measures; None without a unit."""
        scale = np.ones(len(self._axes))
        steps = [
            *self._multiscale["datasets"][0].get("coordinateTransformations", ()),
            *self._multiscale.get("coordinateTransformations", ()),
        ]
        for each in steps:
            if each.get("type") == "scale" and "scale" in each:
                scale = scale * np.asarray(each["scale"], float)
        units = {axis.get("unit") for axis in self._multiscale.get("axes", [])[-2:] if axis}
        unit = units.pop() if len(units) == 1 else None
        y, x = (float(each) for each in scale[-2:])
        return PixelSize(y, x, str(unit)) if unit and unit != "pixel" and y > 0 and x > 0 else None


def _parts(source: Path, inner: str = "") -> Iterator[str]:
    """Yield the images below a group: itself, the fields of its wells, or its series."""
    path = source / inner
    about = ome_attributes(path)
    if "plate" in about:
        for well in about["plate"].get("wells", ()):
            yield from _parts(source, f"{inner}/{well['path']}".strip("/"))
    elif "well" in about:
        for image in about["well"].get("images", ()):
            yield f"{inner}/{image['path']}".strip("/")
    elif "multiscales" in about or _is_array(path):
        yield inner
    else:
        for number in range(10**6):  # bioformats2raw: images are numbered from 0
            if not (path / str(number)).is_dir() or inner:
                return
            yield from _parts(source, str(number))


def _place(entry: ImageEntry) -> dict[str, Any]:
    parts = entry.part.split("/")
    if len(parts) != _WELL_DEPTH:
        return {}
    return {"row": parts[0], "column": parts[1], "field": parts[2]}


def ome_attributes(path: Path) -> dict[str, Any]:
    """Return the OME metadata of a group, of version 0.4 or 0.5; an empty dict where it has none.

    Raises
    ------
    ImageError
        They are damaged.

    Examples
    --------
    >>> ome_attributes(Path("cells.ome.zarr"))["multiscales"]  # doctest: +SKIP
    """
    for name in ("zarr.json", ".zattrs"):
        try:
            content = json.loads((path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ImageError(
                f"the metadata {short_name(path / name)} cannot be read ({error}); copy the store "
                "again"
            ) from error
        attributes = content.get("attributes", content)
        found: dict[str, Any] = attributes.get("ome", attributes)
        return found
    return {}


def _is_array(path: Path) -> bool:
    if (path / ".zarray").is_file():
        return True
    try:
        content = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(content.get("node_type") == "array")


def _axis_name(axis: Any) -> str:
    return str(axis["name"] if isinstance(axis, dict) else axis)


def _named(names: Sequence[str | None] | None, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the axes before y and x, where all axes have one."""
    if not names or not all(names):
        return ()
    known = [str(each) for each in names]
    if known[-2:] == ["y", "x"] and "c" not in known:
        return tuple(_KINDS.get(each, each) for each in known[:-2])
    return ()


def _limits(described: Sequence[Mapping[str, Any]], number: int) -> tuple[float, float] | None:
    window = described[number].get("window") if number < len(described) else None
    if not window or "start" not in window or "end" not in window:
        return None
    low, high = float(window["start"]), float(window["end"])
    return (low, high) if low < high else None
