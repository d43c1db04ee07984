"""Heatmap layers in the viewer: add them, update them in place, show and remove them together.

A layer is ours only while its mark names it: napari copies the mark into a duplicate, but a
duplicate has an id of its own and belongs to the user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_clip_heatmap._napari.record import records
from napari_clip_heatmap._napari.transforms import as_wide_as, placement

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_clip_heatmap._napari.session import Answer

__all__ = ["Change", "is_heatmap", "own_heatmaps", "remove_all", "set_visible", "show_heatmaps"]

MARK = "clip_heatmap"

# Half and half: jet is opaque and saturated, so beneath a stronger layer the image drowns, and
# "additive" turns jet's blue floor into a haze and two maps into white.
OPACITY = 0.55
BLENDING = "translucent"


@dataclass(frozen=True)
class Change:
    """How many heatmap layers a run added, updated in place and removed."""

    added: int
    updated: int
    removed: int


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
    viewer: ViewerModel, source: Image, answer: Answer, index: tuple[int, ...] = ()
) -> Generator[None, None, Change]:
    """Make our layers on a source the heatmaps of an answer, one layer a step.

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
    index : tuple of int
        The plane asked about, on the source's leading axes.

    Yields
    ------
    None
        After each layer; the generator returns the `Change`.
    """
    where = placement(source, index)
    marks = records(answer, source=source.name, source_id=str(source.unique_id), index=index)
    before = {_mark(layer)["prompt"]: layer for layer in own_heatmaps(viewer, source)}
    gone = [before.pop(prompt) for prompt in [*before] if prompt not in answer.heatmaps.prompts]
    for layer in gone:
        viewer.layers.remove(layer)
    added = 0
    maps = zip(marks, answer.heatmaps.values, answer.limits, strict=True)
    for mark, values, limits in maps:
        data = as_wide_as(values, index)
        if mark["prompt"] in before:
            _update(before[mark["prompt"]], data, limits, where, mark)
        else:
            _add(viewer, _layer(data, limits, where, mark), first=not added, old=before.values())
            added += 1
        yield
    return Change(added=added, updated=len(before), removed=len(gone))


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
        viewer.layers.remove(layer)
    return len(ours)


def _mark(layer: Layer) -> dict[str, Any]:
    mark = layer.metadata.get(MARK)
    return mark if isinstance(mark, dict) else {}


def _layer(data: Any, limits: tuple[float, float], where: dict[str, Any], mark: Any) -> Image:
    layer = Image(
        data,
        name=mark["prompt"],
        colormap="jet",
        contrast_limits=limits,
        opacity=OPACITY,
        blending=BLENDING,
        **where,
    )
    layer.metadata[MARK] = {**mark, "layer_id": str(layer.unique_id)}
    return layer


def _update(
    layer: Image, data: Any, limits: tuple[float, float], where: dict[str, Any], mark: Any
) -> None:
    layer.data = data
    for name, value in where.items():  # the source may have been moved, or its unit set, since
        setattr(layer, name, value)
    layer.contrast_limits_range = limits
    layer.contrast_limits = limits
    layer.metadata[MARK] = {**mark, "layer_id": str(layer.unique_id)}


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
