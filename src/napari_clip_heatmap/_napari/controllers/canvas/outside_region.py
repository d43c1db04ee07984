"""What was computed outside the region of interest stays on the canvas, dimmed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from superqt.utils import QSignalDebouncer

from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.controllers.layers import changing, heatmaps_by_row
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, placement
from napari_clip_heatmap._napari.job.heatmap_stack import (
    EAGER_BYTES,
    LARGEST_PLANE,
    SMALLEST_LEVEL,
)
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.pipeline.lazy_pyramid import lazy_array, lazy_pyramid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.controllers.background import Work
    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap.pipeline.heatmaps import LazyHeatmaps

__all__ = ["DIMMED", "OutsideView", "map_outside"]

DIMMED = 0.35
"""Opacity, as part of that of the map inside."""

DEBOUNCE_MS = 120
"""The map inside comes first."""

FOLLOWED = ("results", "image", "status", "visible_rows", "style", "by_hand", "current")
"""Fields of the state."""

Index = tuple[int, ...]


class OutsideView:
    """Shows, beneath the current row's map, what it is outside the region.

    The heatmap layer itself holds the region alone, and so do files, figures and objects.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    """

    def __init__(self, state: DockState, viewer: ViewerModel) -> None:
        self._state, self._viewer = state, viewer
        self._layer: Image | None = None
        self._shown: tuple[object, str] | None = None
        self._job = Job(self._on_made, self._on_error, debounce_ms=DEBOUNCE_MS)
        # Later: napari may be removing one layer after another, and this one is among them.
        self._later = QSignalDebouncer()
        self._later.setTimeout(0)
        self._later.triggered.connect(self.update)
        self._emitters = tuple(getattr(state.events, name) for name in FOLLOWED)
        for emitter in self._emitters:
            emitter.connect(self._on_changed)

    @property
    def layer(self) -> Image | None:
        """The layer of what lies outside, while there is one."""
        there = self._layer is not None and self._layer in self._viewer.layers
        return self._layer if there else None

    def update(self) -> None:
        """Follow the current row's map, its colors, and whether it is visible."""
        key, above = self._current()
        shown = self._state.result
        if above is None or shown is None or shown.request.region is None:
            self._remove()
        elif self._shown != (shown.result, key):
            self._job.submit(partial(self._prepare, shown, key))
        elif self.layer is not None:
            self._dress(self.layer, above)

    def close(self) -> None:
        """Take the layer away, and follow no more."""
        self._later.cancel()
        for emitter in self._emitters:
            emitter.disconnect(self._on_changed)
        self._job.close()
        self._remove()

    def _on_changed(self, *_: Any) -> None:
        self._later.throttle()

    def _current(self) -> tuple[str, Image | None]:
        """Return the row whose map is shown, and its layer; of several the current one."""
        ours = heatmaps_by_row(self._viewer, self._state.image)
        visible = [key for key, layer in ours.items() if layer.visible]
        key = self._state.current if self._state.current in visible else next(iter(visible), "")
        return key, ours.get(key)

    def _prepare(self, shown: LayerResult, key: str) -> Work | None:
        if self._state.result is not shown or key not in shown.result.keys:
            return None
        return lambda _stopped: (shown, key, map_outside(shown, key))

    def _on_made(self, made: tuple[LayerResult, str, Any]) -> None:
        shown, key, data = made
        current, above = self._current()
        if self._state.result is not shown or key != current or above is None:
            self.update()
            return
        self._remove()
        self._shown = (shown.result, key)
        if data is not None:
            self._add(shown, above, data)

    def _on_error(self, error: Exception) -> None:
        self._state.message = f"What lies outside is not shown: {error_message(error)}"

    def _add(self, shown: LayerResult, above: Image, data: Any) -> None:
        layers = self._viewer.layers
        active = layers.selection.active
        layer = Image(
            data,
            name=f"{above.name}, outside the region",
            multiscale=isinstance(data, list),
            contrast_limits=above.contrast_limits,
            projection_mode="none",
            metadata={METADATA_KEY: {"outside_of": str(shown.image.unique_id)}},
            **placement(shown.image),
        )
        self._dress(layer, above)
        with changing():
            layers.insert(layers.index(above), layer)
            layers.selection.active = active
        self._layer = layer

    def _dress(self, layer: Image, above: Image) -> None:
        """Give the layer the colors of the map inside."""
        for name in ("colormap", "contrast_limits", "gamma", "blending", "rendering"):
            if getattr(layer, name) != getattr(above, name):
                setattr(layer, name, getattr(above, name))
        layer.opacity = DIMMED * above.opacity

    def _remove(self) -> None:
        layer, self._layer, self._shown = self.layer, None, None
        if layer is not None:
            with changing():
                self._viewer.layers.remove(layer)


def map_outside(shown: LayerResult, key: str) -> Any:
    """Return a row's map where it was computed outside the region; None where it was not.

    Parameters
    ----------
    shown : LayerResult
        Of a region.
    key : str

    Returns
    -------
    float32 (..., y, x), a dask array, a pyramid of them, or None
        NaN inside the region, and where nothing was computed.
    """
    result = shown.result
    number = result.keys.index(key)
    planes: dict[Index, tuple[LazyHeatmaps, Region]] = {}
    for index, encoding in result.encodings.items():
        maps = replace(encoding, region=Region(), coarse=None).lazy_maps(result.scoring)
        if (np.isfinite(maps.lattice_values[number]) & ~encoding.touched).any():
            planes[index] = maps, encoding.region
    if not planes:
        return None
    lattice, leading = result.stack.lattice, result.stack.leading
    window = _window_of(planes, number)
    shape = (*leading, *lattice.image_shape)
    if 4 * prod(shape) > EAGER_BYTES:
        if max(lattice.image_shape) > LARGEST_PLANE:
            return lazy_pyramid(window, lattice, leading, SMALLEST_LEVEL)
        return lazy_array(window, lattice, leading)
    height, width = lattice.image_shape
    pixels = np.full(shape, np.nan, np.float32)
    for index in planes:
        pixels[index] = window(index, slice(0, height), slice(0, width), 1)
    return pixels


def _window_of(
    planes: Mapping[Index, tuple[LazyHeatmaps, Region]], number: int
) -> Callable[[Index, slice, slice, int], NDArray[np.float32]]:
    """Return a function that computes a part of a plane of one prompt's map."""

    def window(index: Index, y: slice, x: slice, factor: int) -> NDArray[np.float32]:
        if index not in planes:
            return np.full((y.stop - y.start, x.stop - x.start), np.nan, np.float32)
        maps, region = planes[index]
        values: NDArray[np.float32] = maps.window(
            y, x, factor=factor, maps=slice(number, number + 1)
        )[0]
        rows, columns = ((np.arange(each.start, each.stop) + 0.5) * factor for each in (y, x))
        inside = region.inside(rows, columns)
        values[slice(None) if inside is None else inside] = np.nan
        return values

    return window
