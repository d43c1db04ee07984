"""From the controls, as they stand, to a question."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.inputs.layer_channels import channels_of
from napari_clip_heatmap._napari.inputs.layer_planes import (
    SliceChoice,
    check_layer,
    leading_shape,
    no_image_error,
    requested_planes,
    shown_index,
)
from napari_clip_heatmap._napari.inputs.layer_regions import (
    image_shape,
    region_inside,
    region_of_rectangle,
    viewport,
)
from napari_clip_heatmap._napari.inputs.layer_source import describe_origin, finest
from napari_clip_heatmap._napari.inputs.pixel_size import read_resolution
from napari_clip_heatmap._napari.job.request import HeatmapRequest, PlaneRequest
from napari_clip_heatmap._napari.views.choices import AS_SAID, VIEWPORT, WHOLE
from napari_clip_heatmap.errors import ImageError, PromptError
from napari_clip_heatmap.imaging.view import View

if TYPE_CHECKING:
    from magicgui.widgets import Container
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap.imaging.region import Region

__all__ = [
    "WITH_BASELINE",
    "input_layers",
    "read_request",
    "read_templates",
    "read_view",
    "view_center",
    "with_prompts",
]

WITH_BASELINE = ("contrast", "softmax")
"""Scores that prompts of a baseline have a part in."""


def read_request(parts: Container[Any], viewer: ViewerModel | None) -> HeatmapRequest:
    """Return what is asked. Nothing is read of the image yet.

    Raises
    ------
    ClipHeatmapError
        In words for the user: there is no image, no prompt, or a setting that cannot be met.
    """
    layers = input_layers(parts, viewer)
    image = layers[0]
    if viewer is None:
        raise no_image_error(None)
    shown = shown_index(image, viewer.dims.point)
    region, told = _region(parts["where"].value, image, viewer)
    return HeatmapRequest(
        planes=tuple(
            PlaneRequest(index, channels_of(layers, index, viewer))
            for index in requested_planes(image, shown, _slide(parts))
        ),
        **_words(parts),
        leading=leading_shape(image),
        stores=tuple(map(finest, layers)),
        model=parts["model"].value,
        device=parts["device"].value,
        precision=parts["precision"].value,
        preprocess=""
        if parts["preprocess"].value == AS_SAID
        else parts["preprocess"].value.strip(),
        view=read_view(parts),
        downsample=read_resolution(parts["resolution"].value, image.scale[-2:], image.units[-2:]),
        region=region,
        focus=view_center(image, viewer),
        channel_names=tuple(layer.name for layer in layers),
        origins=tuple(describe_origin(layer) for layer in layers),
        region_record=told,
    )


def with_prompts(parts: Container[Any], question: HeatmapRequest) -> HeatmapRequest:
    """Return a question with the prompts and the score that the controls have now.

    Raises
    ------
    PromptError
        There is no prompt.
    """
    return replace(question, **_words(parts))


def _words(parts: Container[Any]) -> dict[str, Any]:
    """Return what of a question no image tower has to know."""
    rows = parts["prompts"].rows
    if not rows:
        raise PromptError("there is no prompt: type at least one, a row each, such as nuclei")
    score = parts["score"].value
    return {
        "prompts": tuple(row.prompt for row in rows),
        "keys": tuple(row.key for row in rows),
        "score": score,
        "baseline": tuple(parts["baseline"].value) if score in WITH_BASELINE else (),
        "templates": read_templates(parts),
    }


def read_templates(parts: Container[Any]) -> str | tuple[str, ...]:
    """Return the name of a set, or the sentences that were typed, told apart by semicolons."""
    told = parts["templates"].value.strip()
    return tuple(each.strip() for each in told.split(";")) if "{}" in told else told


def input_layers(parts: Container[Any], viewer: ViewerModel | None) -> tuple[Image, ...]:
    """Return the image and the further channels chosen with it.

    Raises
    ------
    ImageError
        There is no image, or it cannot be asked.
    """
    image = parts["image"].value
    if viewer is None or image is None:
        raise no_image_error(None if viewer is None else viewer.layers.selection.active)
    layers = (image, *(layer for layer in parts["channels"].value if layer is not image))
    for layer in layers:
        check_layer(layer)
    return layers


def read_view(parts: Container[Any]) -> View:
    """Return how values are to become colours."""
    return View(mode=parts["view"].value, invert=parts["invert"].value)


def view_center(image: Image, viewer: ViewerModel) -> tuple[float, float] | None:
    """Return what the user looks at, as (y, x) in image pixels; None where the view tells not."""
    try:
        y0, y1, x0, x1 = viewport(image, viewer)
    except ImageError:
        return None
    return (y0 + y1) / 2, (x0 + x1) / 2


def _slide(parts: Container[Any]) -> SliceChoice:
    return SliceChoice(
        over=parts["slices"].value,
        along=parts["along"].value or "",
        first=parts["first"].value,
        last=parts["last"].value,
    )


def _region(where: Any, image: Image, viewer: ViewerModel) -> tuple[Region | None, object]:
    """Return the region, and what a layer is to say of it."""
    if where in (WHOLE, None):
        return None, WHOLE
    if where == VIEWPORT:
        y0, y1, x0, x1 = viewport(image, viewer)
        if (y0, y1, x0, x1) == (0, image_shape(image)[0], 0, image_shape(image)[1]):
            return None, WHOLE
        return region_of_rectangle((y0, y1, x0, x1)), {"y": [y0, y1], "x": [x0, x1]}
    return region_inside(where, image, viewer.dims.point), {"inside": where.name}
