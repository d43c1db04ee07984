"""Which prompt fits best at each place: one color a prompt, as a labels layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from superqt.utils import QSignalDebouncer

from napari_clip_heatmap._napari.controllers.layers import changing, heatmaps_by_row, set_visible
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, placement

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = ["COLORS", "BestPromptView", "best_prompt"]

COLORS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442"),
    *("#8c564b", "#9467bd", "#7f7f7f", "#bcbd22", "#17becf"),
)
"""Colors that most people can tell apart, also with a color vision deficiency; then more."""

OPACITY = 0.6


class BestPromptView:
    """Shows a layer whose labels are the numbers of the rows, and their colors in the table.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    model : PromptModel
        The table's rows.
    """

    def __init__(self, state: DockState, viewer: ViewerModel, model: PromptModel) -> None:
        self._state, self._viewer, self._model = state, viewer, model
        self._layer: Labels | None = None
        self._shown: LayerResult | None = None
        self._hidden: list[Any] = []
        # Later: napari may be removing one layer after another, and this one is among them.
        self._later = QSignalDebouncer()
        self._later.setTimeout(0)
        self._later.triggered.connect(self.update)
        self._wanted = False
        state.events.controls.connect(self._on_controls)
        for emitter in (state.events.results, state.events.image):
            emitter.connect(self._on_changed)

    def update(self) -> None:
        """Show the view of the chosen image's latest result, or take it away."""
        result = self._state.result if self._state.controls.get("best") else None
        same = (
            result is not None and self._shown is not None and result.result is self._shown.result
        )
        if same or result is self._shown:
            return
        self._remove()
        self._shown = result
        if result is not None and result.image in self._viewer.layers:
            self._add(result)

    def close(self) -> None:
        """Take the view away."""
        self._later.cancel()
        self._state.events.controls.disconnect(self._on_controls)
        for emitter in (self._state.events.results, self._state.events.image):
            emitter.disconnect(self._on_changed)
        self._remove()

    def _on_controls(self, *_: Any) -> None:
        wanted = bool(self._state.controls.get("best"))
        if wanted != self._wanted:  # others change when layers go
            self._wanted = wanted
            self.update()

    def _on_changed(self, *_: Any) -> None:
        self._later.throttle()

    def _add(self, shown: LayerResult) -> None:
        result, image = shown.result, shown.image
        maps = [result.stack.layer_data(number) for number in range(len(result.keys))]
        even = result.scoring.method.zero_is_even
        colors = [COLORS[number % len(COLORS)] for number in range(len(maps))]
        active = self._viewer.layers.selection.active
        layer = Labels(
            _levels(maps, even) if result.stack.multiscale else best_prompt(maps, even),
            name=f"best prompt - {image.name}",
            multiscale=result.stack.multiscale,
            opacity=OPACITY,
            colormap=_label_colors(colors),
            features={"prompt": ["no prompt", *result.scoring.prompts]},
            metadata={METADATA_KEY: {"best_of": str(image.unique_id)}},
            **placement(image),
        )
        with changing():
            ours = heatmaps_by_row(self._viewer, image).values()
            self._hidden = [each for each in ours if each.visible]
            set_visible(self._hidden, visible=False)
            self._viewer.add_layer(layer)
            layer.editable = False
            self._viewer.layers.selection.active = active
        self._layer = layer
        self._model.set_swatches(dict(zip(result.keys, colors, strict=True)))

    def _remove(self) -> None:
        layer, self._layer, self._shown = self._layer, None, None
        if layer is None:
            return
        with changing():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
            left = [each for each in self._hidden if each in self._viewer.layers]
            set_visible(left, visible=True)
        self._hidden = []
        self._model.set_swatches({})


def _label_colors(colors: Sequence[str]) -> DirectLabelColormap:
    """Return the colors of the labels from 1 on; all else is clear."""
    by_label: dict[int | None, str] = {None: "transparent", 0: "transparent"}
    by_label.update(enumerate(colors, 1))
    return DirectLabelColormap(color_dict=by_label)


def best_prompt(maps: Sequence[Any], zero_is_even: bool) -> Any:
    """Return the number of the prompt with the highest value, from 1; 0 where none is known.

    Parameters
    ----------
    maps : sequence of arrays or dask arrays (..., y, x)
        NaN where nothing is known.
    zero_is_even : bool
        Whether a value up to zero means that a prompt fits no better than others; then it is 0 too.

    Returns
    -------
    uint8 (..., y, x)
        An array, or a dask array where the maps are.
    """
    if all(isinstance(each, np.ndarray) for each in maps):
        return _best(*maps, zero_is_even=zero_is_even)
    return da.map_blocks(  # type: ignore[no-untyped-call] # dask ships no types for it
        _best, *maps, zero_is_even=zero_is_even, dtype=np.uint8
    )


def _best(*maps: NDArray[np.float32], zero_is_even: bool) -> NDArray[np.uint8]:
    """Compare one map after another, so that no stack of all is ever in memory."""
    highest = np.full(maps[0].shape, 0.0 if zero_is_even else -np.inf, np.float32)
    best = np.zeros(maps[0].shape, np.uint8)
    for number, values in enumerate(maps, 1):
        higher = values > highest  # never where a value is NaN
        best[higher] = number
        np.copyto(highest, values, where=higher)
    return best


def _levels(pyramids: Sequence[Sequence[Any]], zero_is_even: bool) -> list[Any]:
    return [best_prompt(level, zero_is_even) for level in zip(*pyramids, strict=True)]
