"""A right click on a place: make an example of it, or of the label that lies there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Points

from napari_clip_heatmap._napari.controllers.cursor import position_on
from napari_clip_heatmap._napari.inputs.layer_regions import image_shape
from napari_clip_heatmap._napari.views.examples.example_controls import NEGATIVE, POSITIVE
from napari_clip_heatmap._napari.views.examples.place_menu import open_menu

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.controllers.examples.example_section import ExampleSection
    from napari_clip_heatmap._napari.state import DockState

__all__ = ["entries_at", "offer_place"]

STILL = 4
"""Pixels of the screen that the mouse may move in a click; further, napari zooms."""


def offer_place(
    state: DockState, viewer: ViewerModel, section: ExampleSection, event: Any, parent: Any
) -> Iterator[None]:
    """Wait for the button to be released, and open a menu if the mouse was not moved.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    section : ExampleSection
    event : napari mouse event
    parent : QWidget
        Owner of the menu.
    """
    start, world = np.array(event.pos, float), tuple(event.position)
    layer = viewer.layers.selection.active
    adds = isinstance(layer, Points) and layer.mode == "add"
    if adds:
        layer.mode = "pan_zoom"  # napari adds a point with any button
    yield
    while event.type == "mouse_move":
        yield
    if adds:
        layer.mode = "add"
    if np.abs(np.array(event.pos, float) - start).max() > STILL:
        return
    if entries := entries_at(state, viewer, section, world):
        open_menu(entries, parent)


def entries_at(
    state: DockState, viewer: ViewerModel, section: ExampleSection, world: tuple[float, ...]
) -> list[tuple[str, Callable[[], Any]]]:
    """Return what can be done with a point of the viewer's world; nothing outside the image."""
    image = state.image
    if image is None or image not in viewer.layers:
        return []
    index, y, x = position_on(image, world)
    height, width = image_shape(image)
    if not (0 <= y < height and 0 <= x < width):
        return []
    entries: list[tuple[str, Callable[[], Any]]] = [
        ("More like this", partial(section.add_place, (index, y, x)))
    ]
    if name := section.current:
        for text, sign in ((f"'{name}' is here", POSITIVE), (f"'{name}' is not here", NEGATIVE)):
            entries.append((text, partial(section.add_place, (index, y, x), sign, new=False)))
    layer = viewer.layers.selection.active
    label = layer.get_value(world, world=True) if isinstance(layer, Labels) else 0
    if label := int(label or 0):
        entries.insert(1, (f"More like label {label}", partial(section.take_layer, label)))
    return entries
