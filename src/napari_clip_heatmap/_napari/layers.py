"""Heatmap layers in the viewer: add them, repaint them in place, show and remove them together.

A layer is ours only while its mark names it: napari copies the mark into a duplicate, but a
duplicate has an id of its own and belongs to the user.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_clip_heatmap._napari.garbage import collection_paused
from napari_clip_heatmap._napari.transforms import placement

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_clip_heatmap._napari.question import Answer

__all__ = [
    "MARK",
    "is_heatmap",
    "own_heatmaps",
    "place",
    "remove_all",
    "repaint",
    "set_mark",
    "set_visible",
    "show_heatmaps",
]

MARK = "clip_heatmap"

# Half and half: jet is opaque and saturated, so beneath a stronger layer the image drowns, and
# "additive" turns jet's blue floor into a haze and two maps into white.
OPACITY = 0.55
BLENDING = "translucent"

KEPT = ("name", "colormap", "opacity", "blending", "gamma", "visible")
"""What a user may have set on a layer that has to be made anew."""

Mark = dict[str, Any]


def is_heatmap(layer: Layer) -> bool:
    """Tell whether a layer is, or was duplicated from, one of our heatmaps."""
    return MARK in layer.metadata


def own_heatmaps(viewer: ViewerModel, source: Layer | None = None) -> list[Image]:
    """Return our layers, from the bottom up; only those made from `source`, if given."""
    return [
        layer
        for layer in viewer.layers
        if _mark(layer).get("layer_id") == str(layer.unique_id)
        and (source is None or _mark(layer).get("source_id") == str(source.unique_id))
    ]


def show_heatmaps(
    viewer: ViewerModel, source: Image, answer: Answer, marks: Sequence[Mark]
) -> Generator[Image, None, None]:
    """Make our layers on a source the maps of an answer, one layer a step.

    A layer costs napari a tenth of a second; between two steps the window can breathe.

    A prompt that has its layer keeps it, with whatever name, colormap, opacity and visibility the
    user gave it; a new one is added on top; a layer whose prompt was not asked again goes.
    Maps laid over one another hide one another, so of new ones only the first is visible.

    Parameters
    ----------
    viewer : ViewerModel
    source : Image
        The layer asked about; it is not touched.
    answer : Answer
        As far as it is.
    marks : sequence of dict
        What each layer is to say of itself; in the order of the answer's prompts.

    Yields
    ------
    Image
        Each layer, in the order of the prompts.
    """
    before = {_mark(layer)["prompt"]: layer for layer in own_heatmaps(viewer, source)}
    gone = [before.pop(prompt) for prompt in [*before] if prompt not in answer.prompts]
    for layer in gone:
        _remove(viewer, layer)
    added = 0
    for number, mark in enumerate(marks):
        old = before.get(mark["prompt"])
        if old is not None and old in viewer.layers:
            yield _renew(viewer, old, source, answer, number, mark)
            continue
        layer = _layer(source, answer, number, mark)
        _add(viewer, layer, first=not added, old=before.values())
        added += 1
        yield layer


def repaint(layer: Image, limits: tuple[float, float], *, last: bool = False) -> None:
    """Show what has been painted into a layer's picture since; hidden layers cost nothing.

    The thumbnail, and those of hidden layers, are only renewed the last time.
    """
    if tuple(layer.contrast_limits) != limits:
        layer.contrast_limits_range = limits
        layer.contrast_limits = limits
    # Neither extent nor what lies beneath the cursor has changed.
    layer.refresh(thumbnail=last, highlight=False, extent=False, force=last)


def place(layer: Image, source: Image) -> None:
    """Lay a heatmap where its source lies now."""
    here = placement(layer)
    for name, value in placement(source).items():
        if not np.array_equal(here[name], value):  # each costs a repaint
            setattr(layer, name, value)


def set_mark(layer: Image, mark: Mark) -> None:
    """Let a layer say of itself where it comes from."""
    layer.metadata[MARK] = {**mark, "layer_id": str(layer.unique_id)}


def set_visible(viewer: ViewerModel, *, visible: bool) -> int:
    """Show or hide all our layers; return how many there are."""
    ours = own_heatmaps(viewer)
    for layer in ours:
        layer.visible = visible
    return len(ours)


def remove_all(viewer: ViewerModel) -> int:
    """Remove all our layers; return how many there were."""
    ours = own_heatmaps(viewer)
    for layer in ours:
        _remove(viewer, layer)
    return len(ours)


def _remove(viewer: ViewerModel, layer: Layer) -> None:
    """Remove a layer without the full garbage collection that napari lets follow."""
    with collection_paused():
        viewer.layers.remove(layer)


def _mark(layer: Layer) -> Mark:
    mark = layer.metadata.get(MARK)
    return mark if isinstance(mark, dict) else {}


def _layer(source: Image, answer: Answer, number: int, mark: Mark) -> Image:
    layer = Image(
        answer.picture.layer_data(number),
        name=mark["prompt"],
        colormap="jet",
        contrast_limits=answer.limits[number],
        opacity=OPACITY,
        blending=BLENDING,
        multiscale=answer.picture.multiscale,
        cache=False,  # a lazy map gives other values as tiles come
        **placement(source),
    )
    set_mark(layer, mark)
    return layer


def _renew(
    viewer: ViewerModel, layer: Image, source: Image, answer: Answer, number: int, mark: Mark
) -> Image:
    """Give a layer of ours a new picture."""
    if layer.multiscale != answer.picture.multiscale or layer.ndim != source.ndim:
        return _replace(viewer, layer, _layer(source, answer, number, mark))
    limits = answer.limits[number]
    layer.data = answer.picture.layer_data(number)
    place(layer, source)  # it may have been moved, or its unit set, since
    layer.contrast_limits_range = limits
    layer.contrast_limits = limits
    set_mark(layer, mark)
    return layer


def _replace(viewer: ViewerModel, old: Image, new: Image) -> Image:
    """Put a layer in another's place: napari lets none become a pyramid, or cease to be one."""
    for name in KEPT:
        setattr(new, name, getattr(old, name))
    position = viewer.layers.index(old)
    _remove(viewer, old)
    viewer.layers.insert(position, new)
    return new


def _add(viewer: ViewerModel, layer: Image, *, first: bool, old: Iterable[Image]) -> None:
    """Put a new layer on top; the first hides the old ones and is selected, the others hide."""
    active = viewer.layers.selection.active
    viewer.add_layer(layer)  # napari numbers a name that is taken; nothing is replaced
    if first:
        for other in old:
            other.visible = False
    else:
        layer.visible = False  # only now: a layer that is added hidden has no thumbnail
        viewer.layers.selection.active = active
