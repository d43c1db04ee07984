"""Keep heatmap layers in step with their result, their source layer and the chosen colors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.job.heatmap_stack import layer_records

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.colormaps import LayerStyle
    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult
    from napari_clip_heatmap._napari.state import DockState

__all__ = ["LayerUpdater", "LayerWatcher", "StyleController"]


class LayerUpdater:
    """Makes a layer per prompt, one each time Qt is idle, then repaints them.

    However often `update` is called, it repaints only when Qt has handled everything else, so a
    slow screen gets fewer repaints and no queue.

    Parameters
    ----------
    viewer : ViewerModel
    source : Image
        The layer that the heatmaps are of.
    request : HeatmapRequest
    on_finished : callable(HeatmapResult)
        Called when the final state of a result is on screen.
    style : callable() -> LayerStyle
        Returns the colors and the scale as they are now.
    removed_rows : collection of str
        Rows that get no layer: the user removed it.
    hold : callable(bool), optional
        Called before and after layers are made, with True and False: a thread that computes at that
        time would make the window wait for Python twice as long.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        source: Image,
        request: HeatmapRequest,
        on_finished: Callable[[HeatmapResult], None],
        style: Callable[[], LayerStyle],
        removed_rows: Collection[str] = (),
        hold: Callable[[bool], None] = lambda _held: None,
    ) -> None:
        self._viewer, self._source, self._request = viewer, source, request
        self._on_finished, self._style, self._removed_rows = on_finished, style, removed_rows
        self._hold = hold
        self._result: HeatmapResult | None = None
        self._layers: dict[int, Image] | None = None
        self._work: Iterator[object] | None = None
        self._again = False

    def update(self, result: HeatmapResult) -> None:
        """Show a result as far as it is; a final one is the last."""
        self._result = result
        if self._work is not None:
            self._again = True
            return
        self._begin()
        self._next()  # at once: the window would first repaint the dock, and the map come after

    def align(self) -> None:
        """Move the layers to where their source is now."""
        for layer in self._shown().values():
            layers.align(layer, self._source)

    def close(self) -> None:
        """Stop; what is shown stays."""
        self._work = None
        self._result = None

    def _begin(self) -> None:
        self._again = False
        self._work = self._steps()

    def _next(self) -> None:
        """Do one step, and the next when Qt is idle again."""
        if self._work is None:
            return
        try:
            next(self._work)
        except StopIteration:
            self._work = None
            self._on_done()
        else:
            QTimer.singleShot(0, self._next)

    def _on_done(self) -> None:
        if self._again:
            self._begin()
            QTimer.singleShot(0, self._next)
        elif self._result is not None and self._result.final:
            self._on_finished(self._result)

    def _steps(self) -> Iterator[object]:
        result = self._result
        if result is None:
            return
        if self._layers is None:
            yield from self._make(result)
        last = result.final
        limits = self._style().limits(result.limits, result.keys)
        shown = self._shown()
        for number in sorted(shown, key=lambda each: not shown[each].visible):
            layers.repaint(shown[number], limits[number], last=last)
            yield number
        if last:
            metadata = self._layer_metadata(result)
            for number, layer in self._shown().items():
                layers.set_metadata(layer, metadata[number])

    def _make(self, result: HeatmapResult) -> Iterator[object]:
        if self._source not in self._viewer.layers:
            return  # removed before there was anything to show; the result says why
        self._layers = {}
        self._hold(True)
        try:
            for number, layer in layers.show_heatmaps(
                self._viewer,
                self._source,
                result,
                self._layer_metadata(result),
                self._style(),
                self._removed_rows,
            ):
                self._layers[number] = layer
                yield number
        finally:
            self._hold(False)

    def _layer_metadata(self, result: HeatmapResult) -> list[layers.LayerMetadata]:
        return layer_records(
            result,
            self._request,
            source=self._source.name,
            source_id=str(self._source.unique_id),
        )

    def _shown(self) -> dict[int, Image]:
        """Return the layers that still exist, by the number of their prompt."""
        made = self._layers or {}
        return {number: layer for number, layer in made.items() if layer in self._viewer.layers}


PLACEMENT_EVENTS = ("scale", "translate", "rotate", "shear", "affine", "units")


class LayerWatcher:
    """Watches the layers of a run until `stop`.

    Parameters
    ----------
    viewer : ViewerModel
    layers : sequence of Image
        The layers that are read; the first is the one whose placement counts.
    on_lost : callable(str)
        Called once, with the reason, when a layer is removed or its data are replaced: what is
        still to be read is no longer what was requested.
    on_moved : callable
        Called when the first layer is moved, scaled or given another unit.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        layers: tuple[Image, ...],
        on_lost: Callable[[str], None],
        on_moved: Callable[[], None],
    ) -> None:
        self._viewer = viewer
        self._layers = layers
        self._on_lost = on_lost
        self._on_moved = on_moved
        self._reported = False
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in layers:
            layer.events.data.connect(self._on_data)
        for name in PLACEMENT_EVENTS:
            getattr(layers[0].events, name).connect(self._on_placement)

    def stop(self) -> None:
        """Disconnect; nothing is called any more."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._layers:
            layer.events.data.disconnect(self._on_data)
        for name in PLACEMENT_EVENTS:
            getattr(self._layers[0].events, name).disconnect(self._on_placement)

    def _on_removed(self, event: Any) -> None:
        if event.value in self._layers:
            self._report(f"the layer '{event.value.name}' was removed during the run")

    def _on_data(self, event: Any) -> None:
        self._report(f"the data of '{event.source.name}' was replaced during the run")

    def _on_placement(self, _: Any) -> None:
        self._on_moved()

    def _report(self, reason: str) -> None:
        if not self._reported:
            self._reported = True
            self._on_lost(reason)


LINKED = ("contrast_limits",)
"""What layers on one scale have in common, also when the user changes it."""


class StyleController:
    """Applies `DockState.style` to the layers of the chosen image.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    """

    def __init__(self, state: DockState, viewer: ViewerModel) -> None:
        self._state, self._viewer = state, viewer
        self._linked: list[Image] = []
        self._color_bar = False
        state.events.style.connect(self._on_style)
        state.events.controls.connect(self._on_controls)

    def apply(self, *, colormaps: bool = False) -> None:
        """Give the layers their limits, links and color bars; and their colormaps if asked for."""
        state, result = self._state, self._state.result
        ours = layers.heatmaps_by_row(self._viewer, state.image)
        self._unlink()
        if not ours:
            return
        if result is not None:
            limits = state.style.limits(result.result.limits, result.result.keys)
            for key, each in zip(result.result.keys, limits, strict=True):
                if key in ours:
                    layers.set_limits(ours[key], each)
        for key, layer in ours.items():
            if colormaps:
                layer.colormap = state.style.colormap(key)
            layers.set_color_bar(layer, visible=bool(state.controls.get("color_bar")))
        if state.style.scale == "shared" and len(ours) > 1:
            self._linked = list(ours.values())
            self._viewer.layers.link_layers(self._linked, LINKED)

    def close(self) -> None:
        """Stop listening."""
        self._state.events.style.disconnect(self._on_style)
        self._state.events.controls.disconnect(self._on_controls)

    def _on_style(self) -> None:
        self.apply(colormaps=True)

    def _on_controls(self) -> None:
        color_bar = bool(self._state.controls.get("color_bar"))
        if color_bar != self._color_bar:
            self._color_bar = color_bar
            self.apply()

    def _unlink(self) -> None:
        there = [layer for layer in self._linked if layer in self._viewer.layers]
        if len(there) > 1:
            self._viewer.layers.unlink_layers(there, LINKED)
        self._linked = []
