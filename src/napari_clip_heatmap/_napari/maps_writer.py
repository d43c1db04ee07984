"""napari's *File > Save* of heatmap layers as one OME-Zarr, with a channel for each prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap.batch.whole_output import writing
from napari_clip_heatmap.errors import OutputError, shown_value

__all__ = ["write_maps"]

_LayerData = tuple[Any, Mapping[str, Any], str]

_CHUNK = 1024

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
    from yaozarrs import v05
    from yaozarrs.write.v05 import prepare_image

    leading = len(_leading(layers[0]))
    at = _channel_axis(layers[0])
    shapes = [(*level.shape[:at], len(layers), *level.shape[at:]) for level in _levels(layers[0])]
    image = v05.Image.model_validate(_metadata(name, layers, shapes))
    record = {"settings": layers[0][1]["metadata"][METADATA_KEY], "prompts": _prompts(layers)}
    _, arrays = prepare_image(
        draft,
        image,
        [(shape, np.dtype(np.float32)) for shape in shapes],
        chunks=(*(1,) * (leading + 1), *(min(_CHUNK, length) for length in shapes[0][-2:])),
        writer="zarr",
        extra_attributes={"clip_heatmap": record},
    )
    for channel, layer in enumerate(layers):
        for number, level in enumerate(_levels(layer)):
            for index, rows in _parts(level.shape, leading):
                place: Any = (*index[:at], channel, *index[at:], rows)
                arrays[str(number)][place] = np.asarray(level[(*index, rows)])


def _prompts(layers: Sequence[_LayerData]) -> list[str]:
    return [layer[1]["metadata"][METADATA_KEY]["prompt"] for layer in layers]


def _parts(shape: Sequence[int], leading: int) -> Iterator[tuple[tuple[int, ...], slice]]:
    """Yield each plane in bands of rows, so that no whole pyramid is in memory."""
    for index in np.ndindex(*shape[:leading]):
        for top in range(0, shape[-2], _CHUNK):
            yield index, slice(top, min(top + _CHUNK, shape[-2]))


def _metadata(
    name: str, layers: Sequence[_LayerData], shapes: Sequence[tuple[int, ...]]
) -> dict[str, Any]:
    meta, leading = layers[0][1], _leading(layers[0])
    units = [str(each) for each in meta.get("units", ())] or ["pixel"] * len(meta["scale"])
    axes = [{"name": each, "type": _AXES[each]} for each in leading]
    axes += [{"name": each, "type": "space"} for each in "yx"]
    for axis, unit in zip(axes, units, strict=True):
        if unit != "pixel":
            axis["unit"] = unit
    axes.insert(_channel_axis(layers[0]), {"name": "c", "type": "channel"})
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": _placed(meta, _channel_axis(layers[0]), shapes[0], now),
        }
        for number, now in enumerate(shapes)
    ]
    channels = [_channel(layer, active=number == 0) for number, layer in enumerate(layers)]
    multiscale = {"name": name.removesuffix(".zarr"), "axes": axes, "datasets": datasets}
    return {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": channels}}


def _placed(
    meta: Mapping[str, Any], channel: int, full: Sequence[int], now: Sequence[int]
) -> list[dict[str, Any]]:
    """Return where a level lies: the first pixel of a coarser one has its center further in."""
    scale, offset = (
        np.insert(np.asarray(meta[name], float), channel, default)
        for name, default in (("scale", 1.0), ("translate", 0.0))
    )
    steps = scale * np.asarray(full) / np.asarray(now)
    return [
        {"type": "scale", "scale": steps.tolist()},
        {"type": "translation", "translation": (offset + (steps - scale) / 2).tolist()},
    ]


def _channel(layer: _LayerData, *, active: bool) -> dict[str, Any]:
    meta = layer[1]
    low, high = (float(each) for each in meta["contrast_limits"])
    return {
        "label": meta["metadata"][METADATA_KEY]["prompt"],
        "color": "FFFFFF",
        "active": active,
        "window": {"min": low, "start": low, "max": high, "end": high},
    }
