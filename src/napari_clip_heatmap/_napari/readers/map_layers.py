"""Maps that were written as OME-Zarr, as layers: one for each prompt, and labels next to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from napari.utils.colormaps import DirectLabelColormap

from napari_clip_heatmap._napari.colormaps import OPACITY
from napari_clip_heatmap._napari.controllers.layers import BLENDING
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap.errors import ImageError

__all__ = ["map_layers"]

LayerData = tuple[Any, dict[str, Any], str]

_COLORMAP = "jet"


def map_layers(path: Path) -> list[LayerData]:
    """Return a layer for each prompt of a ``*.ome.zarr`` of maps, and one for each of its labels.

    Nothing is read before it is looked at.

    Raises
    ------
    ImageError
        The store is damaged, or holds no image.
    """
    import yaozarrs
    import zarr

    try:
        group = zarr.open_group(path, mode="r", use_consolidated=False)
        image = yaozarrs.v05.Image.model_validate(group.attrs.asdict()["ome"])
        maps = [*_maps(group, image)]
        labels = [*_labels(group)]
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ImageError(
            f"'{path}' cannot be read as maps in OME-Zarr ({reason:.200}); it is damaged or "
            "incomplete. Get another copy, or run the job again"
        ) from error
    # napari puts each layer above the one before: the first prompt is to lie on top.
    return [*labels, *reversed(maps)]


def _maps(group: Any, image: Any) -> Iterator[LayerData]:
    """Yield a layer for each channel of the image."""
    scale = image.multiscales[0]
    levels = _levels(group, scale)
    names = [axis.name for axis in scale.axes]
    channel = names.index("c")
    record: Mapping[str, Any] = group.attrs.asdict()["clip_heatmap"]["settings"]
    kept = [number for number in range(len(names)) if number != channel]
    for number, about in enumerate(image.omero.channels):
        at = (slice(None),) * channel + (number,)
        data = [level[at] for level in levels]
        yield (
            data if len(data) > 1 else data[0],
            {
                "name": about.label,
                "multiscale": len(data) > 1,
                "colormap": _COLORMAP,
                "contrast_limits": _limits(about.window),
                "opacity": OPACITY,
                "blending": BLENDING,
                "visible": number == 0,
                "metadata": {METADATA_KEY: {**record, "prompt": about.label}},
                **_placement(scale, kept),
            },
            "image",
        )


def _labels(group: Any) -> Iterator[LayerData]:
    """Yield the labels of each prompt, with what is known of each object as features."""
    import yaozarrs

    if "labels" not in group:
        return
    listed = group["labels"].attrs.asdict()["ome"].get("labels", ())
    for name in listed:
        one = group["labels"][name]
        image = yaozarrs.v05.LabelImage.model_validate(one.attrs.asdict()["ome"])
        scale = image.multiscales[0]
        levels = _levels(one, scale)
        rows = one.attrs.asdict()["ome"]["image-label"].get("properties", ())
        options = {
            "name": f"{scale.name or name} objects",
            "multiscale": len(levels) > 1,
            "features": _features(rows),
            "visible": False,
            "metadata": {"prompt": scale.name or name},
            **_placement(scale, range(len(scale.axes))),
        }
        if image.image_label.colors:
            options["colormap"] = _colors(image.image_label.colors)
        yield levels if len(levels) > 1 else levels[0], options, "labels"


def _levels(group: Any, scale: Any) -> list[Any]:
    import dask.array

    da: Any = dask.array  # parts of it have no types
    return [da.from_zarr(group[dataset.path]) for dataset in scale.datasets]


def _placement(scale: Any, kept: Any) -> dict[str, Any]:
    """Return where napari lays the finest level, along the axes that are kept."""
    factors, offsets = [1.0] * len(scale.axes), [0.0] * len(scale.axes)
    for step in scale.datasets[0].coordinateTransformations:
        if step.type == "scale":
            factors = list(step.scale)
        else:
            offsets = list(step.translation)
    axes = [scale.axes[number] for number in kept]
    return {
        "scale": [factors[number] for number in kept],
        "translate": [offsets[number] for number in kept],
        "axis_labels": [axis.name for axis in axes],
        "units": [getattr(axis, "unit", None) or "pixel" for axis in axes],
    }


def _limits(window: Any) -> tuple[float, float] | None:
    """Return the range of a map's colors; None of a flat map, for which napari needs its own."""
    if window is None or not window.start < window.end:
        return None
    return float(window.start), float(window.end)


def _features(rows: Any) -> pd.DataFrame:
    """Return a row for each object; napari finds it by the column ``index``."""
    table = pd.DataFrame(list(rows))
    return table.rename(columns={"label-value": "index"})


def _colors(colors: Any) -> DirectLabelColormap:
    table: dict[int | None, Any] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
    for each in colors:
        if each.rgba is not None:
            table[int(each.label_value)] = tuple(part / 255 for part in each.rgba)
    return DirectLabelColormap(color_dict=table)
