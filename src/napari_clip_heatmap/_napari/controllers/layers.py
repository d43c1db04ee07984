"""Heatmap layers in the viewer: which are ours, and what is set on them.

A layer is ours only while its mark names it: napari copies the mark into a duplicate, but a
duplicate has an id of its own and belongs to the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import ensure_colormap

from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, placement
from napari_clip_heatmap._napari.startup import collection_paused

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_clip_heatmap._napari.colormaps import LayerStyle

__all__ = [
    "BLENDING",
    "HAND_SET",
    "LayerMetadata",
    "align",
    "changing",
    "heatmaps_by_row",
    "is_changing",
    "is_own",
    "mark_of",
    "own_heatmaps",
    "remove",
    "remove_all",
    "repaint",
    "row_key_of",
    "set_limits",
    "set_look",
    "set_metadata",
    "set_visible",
    "source_id_of",
]

BLENDING = "translucent_no_depth"
"""Additive, jet's floor would be a haze; with depth, a map would hide in its volume in 3-D."""

HAND_SET = ("colormap", "contrast_limits", "opacity", "gamma")
"""What of a heatmap layer stays as the user set it in napari's own controls."""

LayerMetadata = dict[str, Any]

_changing: ContextVar[bool] = ContextVar("changing", default=False)


@contextmanager
def changing() -> Iterator[None]:
    """Mark what this block sets on layers as set by the dock, not by the user."""
    token = _changing.set(True)
    try:
        yield
    finally:
        _changing.reset(token)


def is_changing() -> bool:
    """Tell whether the dock, and not the user, is setting something on layers."""
    return _changing.get()


def is_own(layer: Layer, source: Layer | None = None) -> bool:
    """Tell whether a layer is one of ours, and made from `source`, if given."""
    mark = mark_of(layer)
    ours = mark.get("layer_id") == str(layer.unique_id)
    return ours and (source is None or mark.get("source_id") == str(source.unique_id))


def own_heatmaps(viewer: ViewerModel, source: Layer | None = None) -> list[Image]:
    """Return our layers, from the top down; only those made from `source`, if given."""
    return [layer for layer in reversed(viewer.layers) if is_own(layer, source)]


def heatmaps_by_row(viewer: ViewerModel, source: Layer | None) -> dict[str, Image]:
    """Return our layers on an image, by the key of their row; from the top down."""
    ours = [] if source is None else own_heatmaps(viewer, source)
    return {row_key_of(layer): layer for layer in ours}


def repaint(layer: Image, limits: tuple[float, float], *, last: bool = False) -> None:
    """Show what has been painted into a layer's picture since; thumbnails follow the last time."""
    set_limits(layer, limits)
    # Neither extent nor what lies beneath the cursor has changed.
    layer.refresh(thumbnail=last, highlight=False, extent=False, force=last)


def set_limits(layer: Image, limits: tuple[float, float]) -> None:
    """Let a layer's colors run from a value to another."""
    if tuple(layer.contrast_limits) != tuple(limits):
        with changing():
            layer.contrast_limits_range = limits
            layer.contrast_limits = limits


def set_look(layer: Image, look: LayerStyle, key: str) -> None:
    """Give a layer the colormap and the opacity of its row."""
    with changing():
        colormap = ensure_colormap(look.colormap(key))
        if layer.colormap.name != colormap.name:  # each costs a repaint
            layer.colormap = colormap
        opacity = look.opacity_of(key)
        if layer.opacity != opacity:
            layer.opacity = opacity


def align(layer: Image, source: Image) -> None:
    """Lay a heatmap where its source lies now."""
    here = placement(layer)
    for name, value in placement(source).items():
        if not np.array_equal(here[name], value):  # each costs a repaint
            setattr(layer, name, value)


def set_metadata(layer: Image, mark: LayerMetadata, *, named: bool = False) -> None:
    """Let a layer say of itself where it comes from; `named`: its name was just given by us."""
    before = {} if named else mark_of(layer)
    layer.metadata[METADATA_KEY] = {
        **mark,
        "layer_id": str(layer.unique_id),
        "layer_name": before.get("layer_name", layer.name),
        "named_after": before.get("named_after", mark["prompt"]),
    }


def set_visible(layers: Iterable[Layer], *, visible: bool) -> None:
    """Show or hide layers; a visible one that is to be shown would cost napari a repaint."""
    for layer in layers:
        if layer.visible != visible:
            layer.visible = visible


def remove_all(viewer: ViewerModel, source: Layer | None = None) -> int:
    """Remove our layers, of one source or all; return how many there were."""
    ours = own_heatmaps(viewer, source)
    for layer in ours:
        remove(viewer, layer)
    return len(ours)


def remove(viewer: ViewerModel, layer: Layer) -> None:
    """Remove a layer."""
    with collection_paused():  # napari lets a full one follow
        viewer.layers.remove(layer)


def row_key_of(layer: Layer) -> str:
    """Return the key of the row that a layer of ours shows; empty of others."""
    return str(mark_of(layer).get("row", ""))


def source_id_of(layer: Layer) -> str:
    """Return the unique id of the image that a layer of ours is of; empty of others."""
    return str(mark_of(layer).get("source_id", ""))


def mark_of(layer: Layer) -> LayerMetadata:
    """Return what a heatmap layer says of itself; of others nothing."""
    mark = layer.metadata.get(METADATA_KEY)
    return mark if isinstance(mark, dict) else {}
