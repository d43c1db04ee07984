"""Heatmap layers in the viewer: which are ours, how they are made, and what is set on them.

A layer is ours only while its mark names it: napari copies the mark into a duplicate, but a
duplicate has an id of its own and belongs to the user.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import ensure_colormap

from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, placement
from napari_clip_heatmap._napari.startup import collection_paused

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_clip_heatmap._napari.colormaps import LayerStyle
    from napari_clip_heatmap._napari.job.request import HeatmapResult

__all__ = [
    "BLENDING",
    "HAND_SET",
    "align",
    "arrange",
    "changing",
    "heatmaps_by_row",
    "is_changing",
    "is_own",
    "mark_of",
    "own_heatmaps",
    "remove_all",
    "renew_seen",
    "repaint",
    "row_key_of",
    "set_limits",
    "set_look",
    "set_metadata",
    "set_visible",
    "show_heatmaps",
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
        _remove(viewer, layer)
    return len(ours)


def _remove(viewer: ViewerModel, layer: Layer) -> None:
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


RENDERING = "attenuated_mip"
"""In 3-D: the highest values, fainter the deeper they lie."""

KEPT = ("name", "colormap", "opacity", "blending", "gamma", "visible")
"""What a user may have set on a layer that has to be replaced."""


def show_heatmaps(
    viewer: ViewerModel,
    source: Image,
    result: HeatmapResult,
    marks: Sequence[LayerMetadata],
    look: LayerStyle,
    absent: Collection[str] = (),
    current: str = "",
    activate: bool = True,
) -> Generator[tuple[int, Image] | None, None, None]:
    """Make our layers on a source the maps of a result; between two steps the window can breathe.

    A row that has its layer keeps it, or else takes the layer that its very words have, with
    whatever name, colormap, opacity and visibility the user gave it; a layer whose prompt is gone
    is removed. Maps on top of one another hide one another, so of new ones only the first is
    visible. In the end the layers lie as the rows do, the first on top.

    Parameters
    ----------
    viewer : ViewerModel
    source : Image
    result : HeatmapResult
    marks : sequence of dict
        What each layer is to say of itself; in the order of the result's prompts.
    look : LayerStyle
    absent : collection of str
        Rows that get no layer.
    current : str
        The row whose layer is made and shown first. If it has its layer already, new ones hide.
    activate : bool
        Whether the first new layer becomes napari's active one.

    Yields
    ------
    (int, Image) or None
        Each layer, with the number of its prompt; None between making it and adding it.
    """
    rows = [mark["row"] for mark in marks]
    before, gone = _claimed(own_heatmaps(viewer, source), marks)
    for layer in gone:
        _remove(viewer, layer)
    limits = look.limits(result.limits, result.keys)
    added = 0
    is_kept = current in {marks[number]["row"] for number in before}
    for number in sorted(range(len(marks)), key=lambda each: marks[each]["row"] != current):
        mark, old = marks[number], before.get(number)
        shown = _Map(result.stack.layer_data(number), result.stack.multiscale, limits[number], mark)
        if old is not None and old in viewer.layers:
            yield number, _renew(viewer, old, source, shown, look)
        elif mark["row"] not in absent:
            layer = _layer(source, shown, look, _name(viewer, source, mark["prompt"]))
            yield None
            at = _position(viewer, source, mark["row"], rows)
            first = not added and not is_kept
            _add(viewer, layer, at, first=first, activate=first and activate, old=before.values())
            set_metadata(layer, mark, named=True)
            added += 1
            yield number, layer
    if added:
        arrange(viewer, source, rows)


def renew_seen(
    viewer: ViewerModel,
    source: Image,
    result: HeatmapResult,
    marks: Sequence[LayerMetadata],
    look: LayerStyle,
    seen: Collection[str],
) -> frozenset[int]:
    """Draw the maps of some rows that were painted over where they lie; return their numbers.

    `show_heatmaps` shows all of a result, and lets names and thumbnails follow.
    """
    ours = heatmaps_by_row(viewer, source)
    limits = look.limits(result.limits, result.keys)
    drawn = set()
    for number, mark in enumerate(marks):
        layer = ours.get(mark["row"])
        if layer is None or mark["row"] not in seen:
            continue
        if layer.data is result.stack.layer_data(number):
            set_metadata(layer, mark)
            repaint(layer, limits[number])
            drawn.add(number)
    return frozenset(drawn)


@dataclass(frozen=True, eq=False)
class _Map:
    """What a layer is given."""

    data: Any
    multiscale: bool
    limits: tuple[float, float]
    mark: LayerMetadata


def arrange(viewer: ViewerModel, source: Layer, keys: Sequence[str]) -> None:
    """Let our layers on a source lie as their rows do, the first one on top."""
    ours = own_heatmaps(viewer, source)
    places = [viewer.layers.index(layer) for layer in ours]
    order = {key: number for number, key in enumerate(keys)}
    wanted = sorted(ours, key=lambda layer: order.get(row_key_of(layer), len(order)))
    for place, layer in zip(places, wanted, strict=True):  # from the top down
        here = viewer.layers.index(layer)
        if here != place:
            viewer.layers.move(here, place + (here < place))


def _position(viewer: ViewerModel, source: Layer, row: str, rows: Sequence[str]) -> int:
    """Return where a row's new layer belongs: moving it there later costs as much as adding it."""
    before, ours = rows[: rows.index(row)], own_heatmaps(viewer, source)
    above = [viewer.layers.index(layer) for layer in ours if row_key_of(layer) in before]
    top = viewer.layers.index(ours[0]) + 1 if ours else len(viewer.layers)
    return int(min(above, default=top))


def _name(viewer: ViewerModel, source: Layer, prompt: str, own: Layer | None = None) -> str:
    """Return a name that says of which image a map is, where it could be of another."""
    others = [layer for layer in viewer.layers if layer is not own]
    taken = any(layer.name == prompt for layer in others)
    elsewhere = any(is_own(layer) and not is_own(layer, source) for layer in others)
    return f"{prompt} - {source.name}" if taken or elsewhere else prompt


def _claimed(
    ours: Iterable[Image], marks: Sequence[LayerMetadata]
) -> tuple[dict[int, Image], list[Image]]:
    """Return which prompt keeps which layer, its row's or one of the same words; and the rest."""
    spare = list(ours)
    claimed: dict[int, Image] = {}
    for name in ("row", "prompt"):
        for number, mark in enumerate(marks):
            fits = [layer for layer in spare if mark_of(layer).get(name) == mark[name]]
            if fits and number not in claimed:
                claimed[number] = fits[0]
                spare.remove(fits[0])
    return claimed, spare


def _layer(source: Image, shown: _Map, look: LayerStyle, name: str) -> Image:
    key = shown.mark["row"]
    layer = Image(
        shown.data,
        name=name,
        colormap=look.colormap(key),
        contrast_limits=shown.limits,
        opacity=look.opacity_of(key),
        gamma=look.by_hand.get(key, {}).get("gamma", 1.0),
        blending=BLENDING,
        rendering=RENDERING,
        multiscale=shown.multiscale,
        # Each plane has its own map; a projection over planes that have none yet is empty.
        projection_mode="none",
        cache=False,  # a lazy map gives other values as tiles come
        **placement(source),
    )
    _let_convert(layer)
    set_metadata(layer, shown.mark)
    return layer


def _let_convert(layer: Image) -> None:
    """Let napari convert a pyramid to labels, and save its finest level."""
    if layer.multiscale:
        from napari_clip_heatmap._napari.controllers.canvas.converted_labels import HeatmapLevels

        layer.data.__class__ = HeatmapLevels


def _renew(
    viewer: ViewerModel, layer: Image, source: Image, shown: _Map, look: LayerStyle
) -> Image:
    """Give a layer of ours a new picture."""
    before = mark_of(layer)
    prompt, is_ours = shown.mark["prompt"], layer.name == before.get("layer_name")
    if named := is_ours and before.get("named_after") != prompt:
        layer.name = _name(viewer, source, prompt, own=layer)
    if layer.multiscale != shown.multiscale or layer.ndim != source.ndim:
        return _replace(viewer, layer, _layer(source, shown, look, layer.name))
    if layer.data is not shown.data:  # else it was painted over where it lies
        with changing():
            layer.data = shown.data
            _let_convert(layer)
    align(layer, source)  # it may have been moved, or its unit set, since
    set_limits(layer, shown.limits)
    set_metadata(layer, shown.mark, named=named)
    return layer


def _replace(viewer: ViewerModel, old: Image, new: Image) -> Image:
    """Put a layer in another's place: napari lets none become a pyramid, or cease to be one."""
    for name in KEPT:
        setattr(new, name, getattr(old, name))
    position = viewer.layers.index(old)
    _remove(viewer, old)
    viewer.layers.insert(position, new)
    return new


def _add(
    viewer: ViewerModel, layer: Image, at: int, *, first: bool, activate: bool, old: Iterable[Image]
) -> None:
    """Insert a new layer; the first hides the old ones, the others hide."""
    active = viewer.layers.selection.active
    with changing():
        # napari selects what is added, and shows its controls: a third of what it costs.
        viewer.layers._activate_on_insert = activate
        try:
            viewer.layers.insert(at, layer)
        finally:
            viewer.layers._activate_on_insert = True
        # Only now: a layer that is added hidden has no thumbnail.
        set_visible(old if first else (layer,), visible=False)
        if not activate:
            viewer.layers.selection.active = active
