"""The layers of one run, from its first map to its last repaint; on the GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.controllers.layer_metadata import layer_records

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.colormaps import LayerStyle
    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult

__all__ = ["LayerUpdater", "LayerWatcher"]


class LayerUpdater:
    """Makes a layer per prompt, one each time Qt has nothing else to do, then repaints them.

    However often it is told of something new, it repaints once Qt has seen to all else, so a slow
    screen sees fewer pictures and no queue.

    Parameters
    ----------
    viewer : ViewerModel
    source : Image
        The layer asked about.
    question : HeatmapRequest
    finished : callable(HeatmapResult)
        Called when an answer's last state is on screen.
    look : callable
        Returns the colours and the scale, as they are to be now.
    absent : collection of str
        Rows that get no layer: the user removed it.
    hold : callable(bool), optional
        Told when layers are about to be made, and when they are: a thread that computes meanwhile
        would make the window wait for Python twice as long.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        source: Image,
        question: HeatmapRequest,
        finished: Callable[[HeatmapResult], None],
        look: Callable[[], LayerStyle],
        absent: Collection[str] = (),
        hold: Callable[[bool], None] = lambda _held: None,
    ) -> None:
        self._viewer, self._source, self._question = viewer, source, question
        self._finished, self._look, self._absent = finished, look, absent
        self._hold = hold
        self._answer: HeatmapResult | None = None
        self._layers: dict[int, Image] | None = None
        self._work: Iterator[object] | None = None
        self._again = False

    def update(self, answer: HeatmapResult) -> None:
        """Show an answer as far as it is; one that is complete, or never will be, is the last."""
        self._answer = answer
        if self._work is None:
            self._begin()
        else:
            self._again = True

    def align(self) -> None:
        """Follow the source, which has been moved."""
        for layer in self._shown().values():
            layers.align(layer, self._source)

    def close(self) -> None:
        """Do no more; what is shown stays."""
        self._work = None
        self._answer = None

    def _begin(self) -> None:
        self._again = False
        self._work = self._steps()
        QTimer.singleShot(0, self._next)

    def _next(self) -> None:
        """Do one step, and the next when Qt has seen to everything else."""
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
        elif self._answer is not None and _is_last(self._answer):
            self._finished(self._answer)

    def _steps(self) -> Iterator[object]:
        answer = self._answer
        if answer is None:
            return
        if self._layers is None:
            yield from self._make(answer)
        last = _is_last(answer)
        limits = self._look().limits(answer.limits, answer.keys)
        shown = self._shown()
        for number in sorted(shown, key=lambda each: not shown[each].visible):
            layers.repaint(shown[number], limits[number], last=last)
            yield number
        if last:
            marks = self._marks(answer)
            for number, layer in self._shown().items():
                layers.set_metadata(layer, marks[number])

    def _make(self, answer: HeatmapResult) -> Iterator[object]:
        if self._source not in self._viewer.layers:
            return  # removed before there was anything to see; the reason comes with the answer
        self._layers = {}
        self._hold(True)
        try:
            for number, layer in layers.show_heatmaps(
                self._viewer, self._source, answer, self._marks(answer), self._look(), self._absent
            ):
                self._layers[number] = layer
                yield number
        finally:
            self._hold(False)

    def _marks(self, answer: HeatmapResult) -> list[layers.LayerMetadata]:
        return layer_records(
            answer,
            self._question,
            source=self._source.name,
            source_id=str(self._source.unique_id),
        )

    def _shown(self) -> dict[int, Image]:
        """Return the layers that the user has not removed, by the number of their prompt."""
        made = self._layers or {}
        return {number: layer for number, layer in made.items() if layer in self._viewer.layers}


def _is_last(answer: HeatmapResult) -> bool:
    return answer.complete or bool(answer.reason)


PLACE = ("scale", "translate", "rotate", "shear", "affine", "units")


class LayerWatcher:
    """Connected to layers from its making until `stop`.

    Parameters
    ----------
    viewer : ViewerModel
    layers : sequence of Image
        Those that are read; the first is the one whose place counts.
    lost : callable(str)
        Called with the reason, once, when a layer was removed or its data replaced: what is still
        to be read is no longer what was asked about.
    moved : callable
        Called when the first layer has been moved, scaled or given a unit.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        layers: tuple[Image, ...],
        lost: Callable[[str], None],
        moved: Callable[[], None],
    ) -> None:
        self._viewer = viewer
        self._layers = layers
        self._lost = lost
        self._moved = moved
        self._lost_already = False
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in layers:
            layer.events.data.connect(self._on_data)
        for name in PLACE:
            getattr(layers[0].events, name).connect(self._on_moved)

    def stop(self) -> None:
        """Disconnect; nothing is called any more."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._layers:
            layer.events.data.disconnect(self._on_data)
        for name in PLACE:
            getattr(self._layers[0].events, name).disconnect(self._on_moved)

    def _on_removed(self, event: Any) -> None:
        if event.value in self._layers:
            self._tell(f"the layer '{event.value.name}' was removed meanwhile")

    def _on_data(self, event: Any) -> None:
        self._tell(f"the data of '{event.source.name}' was replaced meanwhile")

    def _on_moved(self, _: Any) -> None:
        self._moved()

    def _tell(self, reason: str) -> None:
        if not self._lost_already:
            self._lost_already = True
            self._lost(reason)
