"""All maps side by side, each over the image, in napari's grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from superqt.utils import QSignalDebouncer

from napari_clip_heatmap._napari.controllers.layers import changing, heatmaps_by_row, set_visible
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap._napari.inputs.layer_regions import camera_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState

__all__ = ["CompareView", "grid_of"]

REST_MS = 60
"""After a change of layers, before the grid is laid out again: several often come together."""

GRID = ("enabled", "stride", "shape")


class CompareView:
    """Shows every map in a cell of its own, with its name and with the image beneath it.

    The image is there once per cell as a layer that shares its data. All is as it was when the
    control is unticked.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    """

    def __init__(self, state: DockState, viewer: ViewerModel) -> None:
        self._state, self._viewer = state, viewer
        self._copies: list[Layer] = []
        self._visible: dict[Layer, bool] = {}
        self._grid: dict[str, Any] = {}
        self._compared: tuple[Image, ...] = ()
        self._shrunk = 1.0
        self._rest = QSignalDebouncer()
        self._rest.setTimeout(REST_MS)
        self._rest.triggered.connect(self.update)
        self._emitters = (
            *(getattr(state.events, name) for name in ("results", "image", "status")),
            viewer.layers.events.inserted,
            viewer.layers.events.removed,
        )
        for emitter in self._emitters:
            emitter.connect(self._on_changed)
        state.events.controls.connect(self._on_controls)

    def update(self) -> None:
        """Lay out the grid again where other maps are to be compared, or none."""
        wanted = self._wanted()
        if wanted != self._compared:
            self._leave()
            if wanted:
                self._enter(wanted)

    def close(self) -> None:
        """Leave all as it was."""
        self._rest.cancel()
        for emitter in self._emitters:
            emitter.disconnect(self._on_changed)
        self._state.events.controls.disconnect(self._on_controls)
        self._leave()

    def _on_controls(self) -> None:
        """Leave at once, as the view that comes instead keeps what it finds visible."""
        if self._state.controls.get("compare"):
            self._rest.throttle()
        else:
            self._leave()

    def _on_changed(self, *_: Any) -> None:
        if self._compared or self._state.controls.get("compare"):
            self._rest.throttle()

    def _wanted(self) -> tuple[Image, ...]:
        """Return the maps to compare, from the first row on."""
        state = self._state
        if state.busy or not state.controls.get("compare"):
            return ()
        return tuple(heatmaps_by_row(self._viewer, state.image).values())

    def _enter(self, maps: tuple[Image, ...]) -> None:
        viewer, layers, grid = self._viewer, self._viewer.layers, grid_of(self._viewer)
        active = layers.selection.active
        shown = {self._state.image, *self._state.channels}
        beneath = [layer for layer in layers if layer in shown and layer.visible]
        self._visible = {layer: layer.visible for layer in layers}
        self._grid = {name: getattr(grid, name) for name in GRID}
        self._compared = maps
        with changing():
            set_visible(maps, visible=True)
            set_visible((each for each in layers if each not in maps), visible=False)
            for each in reversed(maps):  # from the bottom up: a cell is its image and its map
                for source in beneath:
                    self._copies.append(copy := _copy(source, each))
                    viewer.add_layer(copy)
                layers.move(layers.index(each), len(layers))
                _set_title(each, visible=True)
            grid.stride = -1 - len(beneath)  # counted from the top
            grid.shape = (-1, -1)
            grid.enabled = True
            self._zoom_out(math.ceil(math.sqrt(len(maps))))
            layers.selection.active = active if active in layers else maps[0]

    def _zoom_out(self, times: float) -> None:
        """Let each cell of a grid show what the whole canvas showed."""
        self._shrunk = times
        camera_of(self._viewer).zoom /= times

    def _leave(self) -> None:
        if not self._compared:
            return
        layers = self._viewer.layers
        with changing():
            self._zoom_out(1 / self._shrunk)
            for name, value in self._grid.items():
                setattr(grid_of(self._viewer), name, value)
            for layer in [each for each in self._copies if each in layers]:
                layers.remove(layer)
            for layer in [each for each in self._visible if each in layers]:
                set_visible((layer,), visible=self._visible[layer])
            for layer in self._compared:
                _set_title(layer, visible=False)
        self._copies, self._visible, self._compared = [], {}, ()


def grid_of(viewer: ViewerModel) -> Any:
    """Return the viewer's grid, which napari 0.9 moved."""
    return getattr(viewer, "canvas", viewer).grid


def _copy(source: Image, over: Image) -> Layer:
    """Return another layer of the same data, to lie beneath a map."""
    data, settings, kind = source.as_layer_data_tuple()
    settings.update(
        name=f"{source.name} beneath {over.name}",
        metadata={METADATA_KEY: {"copy_of": str(source.unique_id)}},
        visible=True,
    )
    return Layer.create(data, settings, kind)


def _set_title(layer: Layer, *, visible: bool) -> None:
    """Write a layer's name in its cell, where napari can."""
    title = getattr(layer, "name_overlay", None)
    if title is not None:
        title.visible = visible
