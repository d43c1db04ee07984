"""What layers of objects hold, so that it can be replaced, put back, and kept in other planes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Labels, Points, Shapes

from napari_clip_heatmap._napari.controllers.annotation.placing import (
    class_colormap,
    merge_features,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer
    from numpy.typing import NDArray

__all__ = ["LayerContent", "annotation_content", "color_classes", "fill", "with_other_planes"]

LayerContent = dict[str, Any]
"""Data, features and colors of a layer, by the names of its attributes."""

Planes = tuple[tuple[int, ...], ...]

POINT_STYLE, SHAPE_STYLE = ("face_color", "border_color", "size"), ("face_color", "edge_color")
"""What each point or shape has of its own."""


def annotation_content(layer: Layer) -> LayerContent:
    """Return what an update changes."""
    content = {"data": layer.data, "features": layer.features.copy()}
    if isinstance(layer, Labels):
        content["colormap"] = layer.colormap
    elif isinstance(layer, Points):
        content |= {name: np.array(getattr(layer, name)) for name in _own(layer, POINT_STYLE)}
    elif isinstance(layer, Shapes):
        content["data"] = list(layer.data)
        content["shape_type"] = list(layer.shape_type)
        content["edge_width"] = list(layer.edge_width)
        content |= {name: np.array(getattr(layer, name)) for name in _own(layer, SHAPE_STYLE)}
    return content


def fill(layer: Layer, content: LayerContent) -> None:
    """Let a layer hold what another of its kind did."""
    if isinstance(layer, Shapes):
        _fill_shapes(layer, content)
        return
    if isinstance(layer, Points):
        layer.selected_data = set()
    layer.data = content["data"]
    layer.features = content["features"]
    if isinstance(layer, Labels):
        layer.colormap = content["colormap"]
    else:
        _set_style(layer, content, POINT_STYLE)


def with_other_planes(new: LayerContent, old: Layer, planes: Planes) -> LayerContent:
    """Return new content of some planes, and what a layer has in all others.

    Parameters
    ----------
    new : LayerContent
        Of a layer of the same kind.
    old : Layer
    planes : tuple of tuple of int
        Those that `new` is of; of an image without slices, the one that has no index.
    """
    if not any(planes):
        return new
    if isinstance(old, Labels):
        same = old.data.shape == np.shape(new["data"])
        return _labels_of_all(new, old, planes) if same else new
    before = annotation_content(old)
    corners = old.data if isinstance(old, Shapes) else [point[None] for point in old.data]
    kept = [n for n, each in enumerate(corners) if _plane_of(each, planes) not in {*planes}]
    return _joined(before, new, kept) if kept else new


def _labels_of_all(new: LayerContent, old: Labels, planes: Planes) -> LayerContent:
    """Return labels of all planes; the new ones are numbered on from those that stay."""
    kept = np.array(old.data)
    for index in planes:
        kept[index] = 0
    numbers = np.unique(kept)
    top = numbers.max()
    data = np.where(new["data"] > 0, new["data"] + top, kept)
    features = merge_features(old.features, numbers[numbers > 0], new["features"], int(top))
    return {**new, "data": data, "features": features}


def color_classes(content: LayerContent, prompts: Sequence[str]) -> LayerContent:
    """Return content whose labels have the colors of their prompts."""
    named = content["features"].dropna(subset="prompt")
    classes = [prompts.index(prompt) for prompt in named["prompt"]]
    return {**content, "colormap": class_colormap(named["label"].tolist(), classes)}


def _plane_of(corners: NDArray[Any], planes: Planes) -> tuple[int, ...]:
    leading = len(planes[0])
    return tuple(int(each) for each in np.rint(corners[0, :leading]))


def _joined(before: LayerContent, new: LayerContent, kept: list[int]) -> LayerContent:
    """Return some entries of one content followed by all of another."""
    joined: LayerContent = {}
    for name, after in new.items():
        if name == "features":
            parts = [before[name].iloc[kept], after]
            full = [part for part in parts if len(part)]
            joined[name] = pd.concat(full, ignore_index=True)
        elif isinstance(after, list):
            joined[name] = [before[name][n] for n in kept] + after
        elif name in before:
            joined[name] = np.concatenate([before[name][kept], after])
    return joined


def _own(layer: Points | Shapes, names: tuple[str, ...]) -> list[str]:
    """Return what each entry has of its own, and not by its features."""
    return [name for name in names if getattr(layer, f"{name}_mode", "direct") == "direct"]


def _set_style(layer: Points | Shapes, content: LayerContent, names: tuple[str, ...]) -> None:
    if len(content["data"]):
        for name in names:
            if name in content:
                setattr(layer, name, content[name])


def _fill_shapes(layer: Shapes, content: LayerContent) -> None:
    layer.selected_data = set()
    layer.data = []
    if content["data"]:
        layer.add(
            content["data"],
            shape_type=content["shape_type"],
            edge_width=content["edge_width"],
        )
    layer.features = content["features"]
    _set_style(layer, content, SHAPE_STYLE)
