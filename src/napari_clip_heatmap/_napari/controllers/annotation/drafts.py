"""From objects to the layers that show them: Labels, Points, Shapes, and seeds for micro-sam."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Labels, Points, Shapes

from napari_clip_heatmap._napari.controllers.annotation.object_layers import LayerDraft
from napari_clip_heatmap._napari.controllers.annotation.placing import (
    class_colormap,
    color_of,
    label_features,
    labels_placement,
)
from napari_clip_heatmap._napari.inputs.layer_planes import finest, placement
from napari_clip_heatmap.annotation.polygons import label_polygons

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.job.object_stack import ObjectStack
    from napari_clip_heatmap._napari.job.object_work import ObjectRequest

__all__ = [
    "SHAPES",
    "labels_draft",
    "labels_of_passing",
    "points_draft",
    "seed_points_draft",
    "shapes_draft",
]

Index = tuple[int, ...]

SHAPES = ("outlines", "boxes", "box_prompts")
"""What a Shapes layer can hold."""

POINT_SIZE = 12
"""Pixels of the screen, about."""

POSITIVE_NEGATIVE = {"positive": "#00FF00", "negative": "#FF0000"}
"""Colors of micro-sam's prompts, by the property `label`."""


def labels_draft(image: Image, stack: ObjectStack, prompts: tuple[str, ...]) -> LayerDraft:
    """Return a Labels layer of objects; objects of several prompts are colored by prompt.

    Parameters
    ----------
    image : Image
    stack : ObjectStack
    prompts : tuple of str
        All prompts, in order, which gives them their colors.
    """
    options: dict[str, Any] = {
        **labels_placement(image, stack.factor),
        "features": label_features(stack.table.columns, image.name),
        "opacity": 0.7,
    }
    several = len(stack.record.get("prompts", ())) > 1
    if several:
        classes = [prompts.index(prompt) for prompt in stack.table["prompt"]]
        options["colormap"] = class_colormap(stack.table["label"].tolist(), classes)
    return LayerDraft(
        Labels,
        stack.key or "all",
        f"{stack.name} objects" if stack.key else stack.name,
        stack.labels,
        options,
        dict(stack.record),
        planes=stack.planes,
    )


def labels_of_passing(layer: Labels, keep: NDArray[Any]) -> LayerDraft:
    """Return a Labels layer of some objects of another, with their numbers and features."""
    data = finest(layer)
    kept = np.where(np.isin(data, keep), data, 0).astype(data.dtype)
    return LayerDraft(
        Labels,
        "passing",
        f"{layer.name} passing",
        kept,
        {**placement(layer), "features": layer.features.copy(), "colormap": layer.colormap},
        {},
    )


def points_draft(image: Image, request: ObjectRequest, axes: tuple[str, ...]) -> LayerDraft:
    """Return a Points layer of the peaks of maps, colored by prompt."""
    positions, rows = _peaks(request)
    features = pd.DataFrame(rows, columns=["prompt", "value"])
    numbers = {prompt: n for n, prompt in enumerate(request.result.scoring.prompts)}
    colors = np.array([color_of(numbers[prompt]) for prompt in features["prompt"]])
    prompts = [request.prompt_of(key) for key in request.keys]
    return LayerDraft(
        Points,
        "peaks" if len(prompts) > 1 else request.keys[0],
        "peaks" if len(prompts) > 1 else f"{prompts[0]} peaks",
        positions,
        {
            **placement(image),
            "features": features,
            "size": _point_size(image),
            "face_color": colors if len(colors) else "white",
            "ndim": image.ndim,
        },
        {**dict(request.record), "prompts": prompts, "axes": list(axes)},
        planes=request.planes,
    )


def seed_points_draft(image: Image, request: ObjectRequest) -> LayerDraft:
    """Return the layer of point prompts that micro-sam's annotators take over."""
    positions, _ = _peaks(request)
    choices = [*POSITIVE_NEGATIVE]
    return LayerDraft(
        Points,
        "point_prompts",
        "point_prompts",
        positions,
        {
            **placement(image),
            "properties": {"label": np.full(len(positions), choices[0], object)},
            "property_choices": {"label": choices},
            "border_color": "label",
            "border_color_cycle": [*POSITIVE_NEGATIVE.values()],
            "border_width": 0.5,
            "face_color": "transparent",
            "symbol": "o",
            "size": _point_size(image),
            "ndim": image.ndim,
        },
        dict(request.record),
        planes=request.planes,
        fixed_name=True,
    )


def shapes_draft(
    image: Image, stack: ObjectStack, kind: str, prompts: tuple[str, ...]
) -> LayerDraft:
    """Return a Shapes layer of objects: their outlines, or their boxes.

    Parameters
    ----------
    image : Image
    stack : ObjectStack
    kind : {"outlines", "boxes", "box_prompts"}
        "box_prompts" are boxes as micro-sam's annotators take them over.
    prompts : tuple of str
        All prompts, in order.
    """
    found = list(_outlines(stack) if kind == "outlines" else _boxes(stack))
    numbers = np.array([number for number, _ in found], int)
    frame = pd.DataFrame(dict(stack.table.columns)).set_index("label")
    features = frame.loc[numbers].reset_index() if len(found) else frame.reset_index()[:0]
    colors = [color_of(prompts.index(prompt)) for prompt in features["prompt"]]
    for_sam = kind == "box_prompts"
    options: dict[str, Any] = {
        **placement(image),
        "ndim": image.ndim,
        "shape_type": "polygon" if kind == "outlines" else "rectangle",
        "face_color": "transparent",
        "edge_width": _point_size(image) / 6,
    }
    if for_sam:
        options |= {"edge_color": "green"}
    elif colors:
        options |= {"features": features, "edge_color": np.array(colors)}
    name = "prompts" if for_sam else f"{stack.name} {kind}"
    return LayerDraft(
        Shapes, name if for_sam else f"{kind} {stack.key}", name, [shape for _, shape in found],
        options, dict(stack.record), planes=stack.planes, fixed_name=for_sam,
    )  # fmt: skip


def _peaks(request: ObjectRequest) -> tuple[NDArray[np.float64], list[tuple[str, float]]]:
    """Return positions in the image's data coordinates, (peak, axis), and prompt and value."""
    parts = [np.zeros((0, len(request.result.stack.leading) + 2))]
    rows: list[tuple[str, float]] = []
    for index in request.planes:
        for key in request.keys:
            positions, values = request.find_peaks(key, index)
            parts.append(_with_leading(positions, index))
            rows += [(request.prompt_of(key), float(value)) for value in values]
    return np.concatenate(parts), rows


def _with_leading(points: NDArray[Any], index: Index) -> NDArray[np.float64]:
    leading = np.tile(np.asarray(index, float).reshape(1, -1), (len(points), 1))
    return np.concatenate([leading, points], axis=1)


def _outlines(stack: ObjectStack) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield label and corners of each part of each object; napari's shapes have no holes."""
    from skimage.measure import approximate_polygon

    for index in stack.planes:
        for polygon in label_polygons(stack.labels[index]):
            ring = np.concatenate([polygon.shell, polygon.shell[:1]]).astype(float)
            simple = approximate_polygon(ring, tolerance=0.8)[:-1]
            corners = simple if len(simple) > 2 else ring[:-1]
            yield polygon.label, _with_leading(corners * stack.factor - 0.5, index)


def _boxes(stack: ObjectStack) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield label and corners of the box around each object."""
    table, leading = stack.table, stack.labels.ndim - 2
    places = [table[name] for name in table.names[2 : 2 + leading]]
    for row in range(len(table)):
        y0, x0, y1, x1 = (float(table[f"bbox_{name}"][row]) for name in ("y0", "x0", "y1", "x1"))
        corners = np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]]) - 0.5
        index = tuple(int(place[row]) for place in places)
        yield int(table["label"][row]), _with_leading(corners, index)


def _point_size(image: Image) -> float:
    """Return a size in image pixels that is visible when the whole image is on screen."""
    height, width = (int(n) for n in np.ptp(image.extent.data, axis=0)[-2:])
    return max(3.0, POINT_SIZE * max(height, width) / 1000)
