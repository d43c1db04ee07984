"""Keep heatmap layers in step with their result, their source layer and the chosen colors."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from napari.experimental import link_layers, unlink_layers
from napari.layers import Labels
from qtpy.QtCore import QTimer

from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, is_heatmap
from napari_clip_heatmap._napari.job.request import layer_records

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.colormaps import LayerStyle
    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult
    from napari_clip_heatmap._napari.state import DockState

__all__ = ["LayerUpdater", "LayerWatcher", "StyleController", "records_of"]

STEP_SECONDS = 0.01
"""Between two looks at what else is to be done in the window."""


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
        Called once the final state of a result is on screen.
    style : callable() -> LayerStyle
        Returns the colors and the scale as they are now.
    removed_rows : collection of str
        Rows that get no layer: the user removed it.
    current : str
        The row whose layer is shown first.
    hold : callable(bool), optional
        Called with True before layers are made, and with False when these are made, and when a
        result is drawn: a thread that computes at that time would make the window wait for Python
        and for the processor.
    drawn : collection of int
        Numbers of the prompts whose maps are on screen already.
    chosen : callable() -> bool, optional
        Tells whether the dock is about `source`: else napari's active layer stays as it is.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        source: Image,
        request: HeatmapRequest,
        on_finished: Callable[[HeatmapResult], None],
        style: Callable[[], LayerStyle],
        removed_rows: Collection[str] = (),
        current: str = "",
        hold: Callable[[bool], None] = lambda _held: None,
        drawn: Collection[int] = (),
        chosen: Callable[[], bool] = lambda: True,
    ) -> None:
        self._viewer, self._source, self._request = viewer, source, request
        self._on_finished, self._style, self._removed_rows = on_finished, style, removed_rows
        self._current, self._hold, self._drawn, self._chosen = current, hold, drawn, chosen
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
        self._next(0)  # at once: the window would first repaint the dock, and the map come after

    def align(self) -> None:
        """Move the layers to where their source is now."""
        for layer in self._shown().values():
            layers.align(layer, self._source)

    def close(self) -> None:
        """Stop; what is shown stays."""
        self._work = None
        self._result = None
        self._hold(False)

    def _begin(self) -> None:
        self._again = False
        self._work = self._steps()

    def _next(self, seconds: float = STEP_SECONDS) -> None:
        """Do a step, or several that are short, and the next when Qt is idle again."""
        end = time.perf_counter() + seconds
        while self._work is not None:
            try:
                next(self._work)
            except StopIteration:
                self._work = None
                self._on_done()
                return
            if time.perf_counter() > end:
                QTimer.singleShot(0, self._next)
                return

    def _on_done(self) -> None:
        if self._again:
            self._begin()
            QTimer.singleShot(0, self._next)
            return
        QTimer.singleShot(0, self._on_drawn)

    def _on_drawn(self) -> None:
        """Go on, now that Qt had time to draw: all that follows at once would be felt."""
        if self._work is not None:
            return  # there is more to draw, which ends here, too
        self._hold(False)
        result = self._result
        if result is not None and result.final:
            self._result = None
            self._on_finished(result)

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
            if number in self._drawn:
                shown[number].refresh(data_displayed=False, highlight=False, extent=False)
            else:
                layers.repaint(shown[number], limits[number], last=last)
            yield number
        self._drawn = ()
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
            for made in layers.show_heatmaps(
                self._viewer,
                self._source,
                result,
                self._layer_metadata(result),
                self._style(),
                self._removed_rows,
                self._current,
                self._chosen(),
            ):
                if made is not None:
                    number, layer = made
                    self._layers[number] = layer
                yield made
        finally:
            self._hold(False)

    def _layer_metadata(self, result: HeatmapResult) -> list[layers.LayerMetadata]:
        return records_of(result, self._request, self._source)

    def _shown(self) -> dict[int, Image]:
        """Return the layers that still exist, by the number of their prompt."""
        made = self._layers or {}
        return {number: layer for number, layer in made.items() if layer in self._viewer.layers}


def records_of(
    result: HeatmapResult, request: HeatmapRequest, source: Image
) -> list[layers.LayerMetadata]:
    """Return what the layers of a result say of themselves, in the order of its prompts."""
    return layer_records(result, request, source=source.name, source_id=str(source.unique_id))


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


def _set_color_bar(layer: Image, *, visible: bool) -> None:
    """Draw a layer's colors with their values and its name, where napari can."""
    for overlay in (getattr(layer, name, None) for name in ("colorbar", "name_overlay")):
        if overlay is not None and overlay.visible != visible:
            overlay.visible = visible


class StyleController:
    """Applies colors, scale and opacity to the layers of the chosen image, and hears napari's own.

    What the user sets on a heatmap layer in napari's controls is noted in `DockState.by_hand`.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    """

    def __init__(self, state: DockState, viewer: ViewerModel) -> None:
        self._state, self._viewer = state, viewer
        self._linked: list[list[Image]] = []
        self._paused = False
        self._controls: tuple[Any, ...] = ()
        self._noting = False
        state.events.style.connect(self.apply)
        state.events.controls.connect(self._on_controls)
        state.events.results.connect(self.apply)
        state.events.by_hand.connect(self.apply)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)

    def apply(self, *_: Any) -> None:
        """Give the layers their colormaps, limits, opacity, links and color bars."""
        if self._noting:
            return  # the layers are as they should be; linked ones may be half way there
        state, result = self._state, self._state.result
        ours = layers.heatmaps_by_row(self._viewer, state.image)
        if not ours:
            self._link(())
            return
        look = state.style_of(state.image)
        wanted = {}
        newer = result is not None and result.result.stack.painted_over  # and soon the result
        if result is not None and not state.busy and not newer:
            limits = look.limits(result.result.limits, result.result.keys)
            wanted = dict(zip(result.result.keys, limits, strict=True))
        if any(tuple(ours[key].contrast_limits) != wanted[key] for key in ours.keys() & wanted):
            self.pause_links()
        for key, layer in ours.items():
            if key in wanted:
                layers.set_limits(layer, wanted[key])
            layers.set_look(layer, look, key)
            _set_color_bar(layer, visible=bool(state.controls.get("color_bar")))
        self._link(ours.values() if look.scale == "shared" else ())

    def close(self) -> None:
        """Stop listening."""
        events = self._state.events
        for emitter in (events.style, events.results, events.by_hand):
            emitter.disconnect(self.apply)
        events.controls.disconnect(self._on_controls)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in layers.own_heatmaps(self._viewer):
            self._listen(layer, on=False)

    def _on_controls(self) -> None:
        values = tuple(self._state.controls.get(name) for name in ("color_bar", "score"))
        if values != self._controls:
            self._controls = values
            self.apply()

    def _on_inserted(self, event: Any) -> None:
        if layers.is_own(event.value):
            self._listen(event.value, on=True)
        elif isinstance(event.value, Labels) and is_heatmap(event.value):
            self._on_converted(event.value)

    def _on_converted(self, labels: Labels) -> None:
        """Give labels that napari made of a heatmap's small values the map's objects."""
        mark = labels.metadata[METADATA_KEY]
        ours = layers.own_heatmaps(self._viewer)
        made_from = [each for each in ours if str(each.unique_id) == mark.get("layer_id")]
        if made_from:
            from napari_clip_heatmap._napari.controllers.canvas.converted_labels import refill

            limit = refill(labels, made_from[0])
            self._state.message = f"'{labels.name}': what lies above {limit:.3g}, by Otsu's method"

    def _on_removed(self, event: Any) -> None:
        if layers.is_own(event.value):
            self._listen(event.value, on=False)

    def _listen(self, layer: Image, *, on: bool) -> None:
        for name in layers.HAND_SET:
            emitter = getattr(layer.events, name)
            if on:
                emitter.connect(self._on_set)
            else:
                emitter.disconnect(self._on_set)

    def _on_set(self, event: Any) -> None:
        """Note what the user set on a layer."""
        layer, name = event.source, event.type
        if layers.is_changing() or not layers.is_own(layer):
            return
        value = getattr(layer, name)
        kept = tuple(map(float, value)) if name == "contrast_limits" else value
        self._noting = True
        image, row = layers.source_id_of(layer), layers.row_key_of(layer)
        self._state.note_by_hand(image, row, name, kept)
        self._noting = False

    def _link(self, ours: Iterable[Image]) -> None:
        """Link the limits of layers that have the same ones, so that they stay on one scale."""
        groups: dict[tuple[float, ...], list[Image]] = {}
        for layer in ours:
            groups.setdefault(tuple(layer.contrast_limits), []).append(layer)
        linked = [group for group in groups.values() if len(group) > 1]
        if linked == self._linked:
            for group in linked if self._paused else ():
                link_layers(group, LINKED)
        else:  # by the layer list, so that napari's menus follow: it renews all its buttons, 0.1 s
            for group in self._linked_now():
                self._viewer.layers.unlink_layers(group, LINKED)
            for group in linked:
                self._viewer.layers.link_layers(group, LINKED)
        self._linked, self._paused = linked, False

    def pause_links(self) -> None:
        """Let each layer's limits change alone, which takes less time; `apply` links them again."""
        for group in self._linked_now():
            unlink_layers(group, LINKED)
        self._paused = True

    def _linked_now(self) -> list[list[Image]]:
        """Return the linked groups, as far as their layers still exist."""
        groups = [[each for each in group if each in self._viewer.layers] for group in self._linked]
        return [group for group in groups if len(group) > 1]
