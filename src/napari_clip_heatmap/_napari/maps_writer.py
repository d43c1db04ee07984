"""napari's *File > Save* of heatmap layers as one OME-Zarr, with a channel for each prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap.batch.whole_output import writing
from napari_clip_heatmap.errors import OutputError, shown_value
from napari_clip_heatmap.files.map_store import (
    MAP_CHUNK,
    create_map_store,
    level_transforms,
    prompt_channel,
)

__all__ = ["write_maps"]

_LayerData = tuple[Any, Mapping[str, Any], str]

_AXES = {"t": "time", "z": "space"}
"""What an axis before y and x may be, and its type in OME-Zarr."""

_STACKS = ((), ("t",), ("z",), ("t", "z"))


def write_maps(path: str, layers: Sequence[_LayerData]) -> list[str]:
    """Write heatmap layers of one image as the channels of an OME-Zarr 0.5 image.

    Parameters
    ----------
    path : str
        Ends in ``.zarr``; there may be nothing yet.
    layers : sequence of (data, meta, type)
        As napari gives them to writers: float32 (*leading, y, x), or a pyramid of these.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    OutputError
        A layer is no heatmap, they do not lie on one another, an axis has no name that OME-Zarr
        knows, or the disk refuses.
    """
    target = Path(path)
    if target.exists():
        raise OutputError(f"'{target}' exists; choose another name")
    _require_maps(layers)
    # The last layer is the topmost, and the first channel is the first that is shown.
    ordered = list(reversed(layers))
    try:
        with writing(target) as draft:
            _write(draft, target.name, ordered)
    except OSError as error:
        raise OutputError(
            f"'{target}' cannot be written ({error.strerror or error}); make room or choose "
            "another folder"
        ) from error
    return [str(target)]


def _levels(layer: _LayerData) -> list[Any]:
    data, meta, _ = layer
    return list(data) if meta.get("multiscale") else [data]


def _require_maps(layers: Sequence[_LayerData]) -> None:
    """Raise unless all layers are heatmaps that one image can hold."""
    first = layers[0]
    for layer in layers:
        meta = layer[1]
        if "prompt" not in meta.get("metadata", {}).get(METADATA_KEY, {}):
            raise OutputError(
                f"{shown_value(meta['name'])} is no heatmap of this plugin; select heatmap layers "
                "alone, and save other images as .tif"
            )
        if _is_turned(meta):
            raise OutputError(
                f"{shown_value(meta['name'])} is turned or sheared, which OME-Zarr 0.5 does not "
                "hold; save it as .tif"
            )
        if _geometry(layer) != _geometry(first):
            raise OutputError(
                f"{shown_value(meta['name'])} and {shown_value(first[1]['name'])} do not lie on "
                "one another; save heatmaps of one image at a time"
            )
    if _leading(first) not in _STACKS:
        raise OutputError(
            f"the axes before y and x are named {shown_value(list(_leading(first)))}; accepted: t, "
            "z, or t and z. Name them so (layer.axis_labels), or save as .tif"
        )


def _is_turned(meta: Mapping[str, Any]) -> bool:
    """Return whether a layer lies otherwise than by its scale and translation."""
    transforms = [np.asarray(meta[name], float) for name in ("affine", "rotate") if name in meta]
    sheared = np.any(np.asarray(meta.get("shear", 0.0), float))
    return bool(sheared) or not all(np.allclose(each, np.eye(len(each))) for each in transforms)


def _geometry(layer: _LayerData) -> tuple[Any, ...]:
    """Return what has to be equal for layers to lie on one another."""
    meta = layer[1]
    shapes = tuple(tuple(level.shape) for level in _levels(layer))
    placed = (
        np.round(np.asarray(meta[name], float), 9).tolist() for name in ("scale", "translate")
    )
    return shapes, *placed, tuple(map(str, meta.get("units", ())))


def _leading(layer: _LayerData) -> tuple[str, ...]:
    """Return the names of the axes before y and x."""
    n_leading = len(_levels(layer)[0].shape) - 2
    return tuple(layer[1].get("axis_labels", ())[:n_leading])


def _channel_axis(layer: _LayerData) -> int:
    """Return where OME-Zarr wants the channels: after time, before space."""
    return _leading(layer).count("t")


def _write(draft: Path, name: str, layers: Sequence[_LayerData]) -> None:
    leading, at = len(_leading(layers[0])), _channel_axis(layers[0])
    shapes = [(*level.shape[:at], len(layers), *level.shape[at:]) for level in _levels(layers[0])]
    record = {"settings": layers[0][1]["metadata"][METADATA_KEY], "prompts": _prompts(layers)}
    arrays = create_map_store(draft, _metadata(name, layers, shapes), shapes, record)
    for channel, layer in enumerate(layers):
        for array, level in zip(arrays, _levels(layer), strict=True):
            for index, rows in _parts(level.shape, leading):
                place: Any = (*index[:at], channel, *index[at:], rows)
                array[place] = np.asarray(level[(*index, rows)])


def _prompts(layers: Sequence[_LayerData]) -> list[str]:
    return [layer[1]["metadata"][METADATA_KEY]["prompt"] for layer in layers]


def _parts(shape: Sequence[int], leading: int) -> Iterator[tuple[tuple[int, ...], slice]]:
    """Yield each plane in bands of rows, so that no whole pyramid is in memory."""
    for index in np.ndindex(*shape[:leading]):
        for top in range(0, shape[-2], MAP_CHUNK):
            yield index, slice(top, min(top + MAP_CHUNK, shape[-2]))


def _metadata(
    name: str, layers: Sequence[_LayerData], shapes: Sequence[tuple[int, ...]]
) -> dict[str, Any]:
    meta, leading, at = layers[0][1], _leading(layers[0]), _channel_axis(layers[0])
    units = [str(each) for each in meta.get("units", ())] or ["pixel"] * len(meta["scale"])
    axes = [{"name": each, "type": _AXES[each]} for each in leading]
    axes += [{"name": each, "type": "space"} for each in "yx"]
    for axis, unit in zip(axes, units, strict=True):
        if unit != "pixel":
            axis["unit"] = unit
    axes.insert(at, {"name": "c", "type": "channel"})
    scale, offset = np.insert(meta["scale"], at, 1.0), np.insert(meta["translate"], at, 0.0)
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": level_transforms(scale, offset, shapes[0], shape),
        }
        for number, shape in enumerate(shapes)
    ]
    channels = [
        prompt_channel(prompt, layer[1]["contrast_limits"], active=number == 0)
        for number, (prompt, layer) in enumerate(zip(_prompts(layers), layers, strict=True))
    ]
    multiscale = {"name": name.removesuffix(".zarr"), "axes": axes, "datasets": datasets}
    return {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": channels}}
