"""From the dock's state to a request; nothing of the image is read yet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.inputs.layer_channels import channels_of, view_notes
from napari_clip_heatmap._napari.inputs.layer_planes import (
    SliceChoice,
    check_layer,
    describe_origin,
    finest,
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
from napari_clip_heatmap._napari.inputs.pixel_size import read_resolution
from napari_clip_heatmap._napari.job.request import HeatmapRequest, PlaneRequest
from napari_clip_heatmap._napari.views.choices import AS_SAID, VIEWPORT, WHOLE
from napari_clip_heatmap.errors import ClipHeatmapError, ImageError, PromptError
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.score_registry import SCORES
from napari_clip_heatmap.prompting.example import checked_example_name
from napari_clip_heatmap.prompting.language import parse_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState, PromptRow
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.imaging.region import Region

__all__ = [
    "WITH_BASELINE",
    "changed_since",
    "input_layers",
    "problem_of",
    "read_request",
    "read_templates",
    "read_view",
    "repeated_rows",
    "same_prompts",
    "view_center",
    "with_prompts",
]

WITH_BASELINE = tuple(name for name, method in SCORES.items() if method.takes_baseline)
"""Scores that take baseline prompts."""


def read_request(state: DockState, viewer: ViewerModel) -> HeatmapRequest:
    """Return what the controls request.

    Raises
    ------
    ClipHeatmapError
        There is no image, no prompt, or a setting that cannot be met.
    """
    layers = input_layers(state, viewer)
    image, controls = layers[0], state.controls
    shown = shown_index(image, viewer.dims.point)
    region, region_record = _region(controls["where"], image, viewer)
    return HeatmapRequest(
        planes=tuple(
            PlaneRequest(index, channels_of(layers, index, viewer))
            for index in requested_planes(image, shown, _slice_choice(state))
        ),
        **_prompt_fields(state, None if state.result is None else state.result.request),
        leading=leading_shape(image),
        stores=tuple(map(finest, layers)),
        model=controls["model"],
        device=controls["device"],
        precision=controls["precision"],
        preprocess=_preprocess(state),
        view=read_view(state),
        downsample=read_resolution(controls["resolution"], image.scale[-2:], image.units[-2:]),
        quality=controls["quality"],
        region=region,
        focus=view_center(image, viewer),
        channel_names=tuple(layer.name for layer in layers),
        origins=tuple(describe_origin(layer) for layer in layers),
        region_record=region_record,
        view_notes=view_notes(layers, viewer),
    )


def with_prompts(state: DockState, request: HeatmapRequest) -> HeatmapRequest:
    """Return a request with the prompts, score and templates that the controls have now.

    A row whose words cannot be read keeps those that it had in the request.

    Raises
    ------
    PromptError
        There is no prompt that can be read.
    """
    return replace(request, **_prompt_fields(state, request))


def changed_since(
    request: HeatmapRequest, state: DockState, viewer: ViewerModel
) -> tuple[str, ...]:
    """Return what the dock and the layers now say otherwise than a request, in the dock's words."""
    try:
        layers = input_layers(state, viewer)
        image, controls = layers[0], state.controls
        shown = shown_index(image, viewer.dims.point)
        now = {
            "model": controls["model"],
            "precision": controls["precision"],
            "preprocessing": _preprocess(state),
            "resolution": read_resolution(
                controls["resolution"], image.scale[-2:], image.units[-2:]
            ),
            "quality": controls["quality"],
            "view": read_view(state),
            "choice of channels": [id(finest(layer)) for layer in layers],
            "contrast or colormap": _look(channels_of(layers, shown, viewer), read_view(state)),
        }
    except ClipHeatmapError:
        return ()  # Run says what cannot be read
    before = {
        "model": request.model,
        "precision": request.precision,
        "preprocessing": request.preprocess,
        "resolution": request.downsample,
        "quality": request.quality,
        "view": request.view,
        "choice of channels": [*map(id, request.stores)],
        "contrast or colormap": _look(request.planes[0].channels, request.view),
    }
    return tuple(name for name, value in now.items() if value != before[name])


def _look(channels: Sequence[Channel], view: View) -> object:
    """Return how values become colors, where the model sees them so."""
    styles = [channel.style for channel in channels]
    return styles if view.mode == "shown" or len(styles) > 1 else None


def _preprocess(state: DockState) -> str:
    preprocess: str = state.controls["preprocess"].strip()
    return "" if preprocess == AS_SAID else preprocess


def problem_of(row: PromptRow) -> str:
    """Return why a row cannot be read; empty where it can."""
    try:
        if row.example is None:
            parse_prompt(row.prompt)
        else:
            checked_example_name(row.prompt)
    except PromptError as error:
        return str(error)
    return ""


def repeated_rows(rows: Sequence[PromptRow]) -> frozenset[str]:
    """Return the keys of rows whose words mean the same as those of a row above, which has the map.

    Rows that cannot be read, and examples, are no such rows.
    """
    seen: set[str] = set()
    repeated = set()
    for row in rows:
        if row.example is None and not problem_of(row):
            words = parse_prompt(row.prompt).canonical
            if words in seen:
                repeated.add(row.key)
            seen.add(words)
    return frozenset(repeated)


def same_prompts(one: HeatmapRequest, other: HeatmapRequest) -> bool:
    """Tell whether two requests of one encoding have the same heatmaps."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("prompts", "keys", "score", "baseline", "templates")
    )


def _prompt_fields(state: DockState, before: HeatmapRequest | None) -> dict[str, Any]:
    """Return the fields of a request that need no image tower."""
    if not state.prompts:
        raise PromptError("there is no prompt: type at least one, a row each, such as nuclei")
    known = {} if before is None else dict(zip(before.keys, before.prompts, strict=False))
    prompts = {
        row.key: known.get(row.key, "") if problem_of(row) else row.asked for row in state.prompts
    }
    readable = {key: prompt for key, prompt in prompts.items() if prompt}
    if not readable:
        raise PromptError(problem_of(state.prompts[0]))
    score = state.controls["score"]
    return {
        "prompts": tuple(readable.values()),
        "keys": tuple(readable),
        "score": score,
        "baseline": tuple(state.controls["baseline"]) if score in WITH_BASELINE else (),
        "templates": read_templates(state),
    }


def read_templates(state: DockState) -> str | tuple[str, ...]:
    """Return a set's name, or the sentences that were typed, separated by semicolons."""
    text = state.controls["templates"].strip()
    return tuple(each.strip() for each in text.split(";")) if "{}" in text else text


def input_layers(state: DockState, viewer: ViewerModel) -> tuple[Image, ...]:
    """Return the image and the channels that are shown to the model with it.

    Raises
    ------
    ImageError
        There is no image, or a layer of a kind that cannot be encoded.
    """
    image = state.image
    if image is None:
        raise no_image_error(viewer.layers.selection.active)
    layers = (image, *(layer for layer in state.channels if layer is not image))
    for layer in layers:
        check_layer(layer)
    return layers


def read_view(state: DockState) -> View:
    """Return how pixel values become colors."""
    return View(mode=state.controls["view"], invert=state.controls["invert"])


def view_center(image: Image, viewer: ViewerModel) -> tuple[float, float] | None:
    """Return the center of the view, as (y, x) in image pixels; None where it has no such part."""
    try:
        y0, y1, x0, x1 = viewport(image, viewer)
    except ImageError:
        return None
    return (y0 + y1) / 2, (x0 + x1) / 2


def _slice_choice(state: DockState) -> SliceChoice:
    controls = state.controls
    return SliceChoice(
        over=controls["slices"],
        along=controls["along"] or "",
        first=controls["first"],
        last=controls["last"],
    )


def _region(where: Any, image: Image, viewer: ViewerModel) -> tuple[Region | None, object]:
    """Return the region, and how the layers' metadata describe it."""
    if where in (WHOLE, None):
        return None, WHOLE
    if where == VIEWPORT:
        y0, y1, x0, x1 = viewport(image, viewer)
        if (y0, y1, x0, x1) == (0, image_shape(image)[0], 0, image_shape(image)[1]):
            return None, WHOLE
        return region_of_rectangle((y0, y1, x0, x1)), {"y": [y0, y1], "x": [x0, x1]}
    return region_inside(where, image, viewer.dims.point), {"inside": where.name}
