"""The prompt table at work: maps that follow the words, the layers' look, cursor and click."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.controllers.background import LatestTask
from napari_clip_heatmap._napari.controllers.cursor import (
    CursorReadout,
    PlanePosition,
    Ranking,
    on_click,
    rank_at,
    words_of_list,
)
from napari_clip_heatmap._napari.controllers.layer_sync import LayerUpdater
from napari_clip_heatmap._napari.controllers.live_update import (
    LayerResult,
    LiveUpdater,
    VerdictWorker,
    figures_of,
)
from napari_clip_heatmap._napari.controllers.read_controls import read_templates, with_prompts
from napari_clip_heatmap._napari.controllers.visibility import LayerVisibility

if TYPE_CHECKING:
    from magicgui.widgets import Container
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult
    from napari_clip_heatmap.pipeline.verdicts import Assessment
    from napari_clip_heatmap.prompting.prompt_set import PromptSet

__all__ = ["PromptController", "layer_style_of"]

LINKED = ("contrast_limits",)
"""What maps on one scale share, also when the user changes it."""


def layer_style_of(parts: Container[Any]) -> LayerStyle:
    """Return how the controls want maps to become colors."""
    return LayerStyle(
        default=parts["colormap"].value,
        by_row={row.key: row.colormap for row in parts["prompts"].model.rows if row.colormap},
        scale=parts["scale"].value,
        transparent_low=parts["transparent_low"].value,
    )


class PromptController:
    """What goes on between the controls and the layers outside of runs.

    Parameters
    ----------
    parts : Container
        The dock widget's.
    viewer : ViewerModel
    busy : callable
        Tells whether a run is at work; then the layers are its own.
    shown : callable(LayerResult)
        Told when a new answer is on screen.
    judged : callable(LayerResult, Assessment)
        Told what its maps are worth.
    say : callable(str)
        Tells the user.
    """

    def __init__(
        self,
        parts: Container[Any],
        viewer: ViewerModel,
        busy: Callable[[], bool],
        shown: Callable[[LayerResult], None],
        judged: Callable[[LayerResult, Assessment], None],
        say: Callable[[str], None],
    ) -> None:
        self._parts, self._viewer, self._busy = parts, viewer, busy
        self._shown, self._judged, self._say = shown, judged, say
        self._model = parts["prompts"].model
        self._showing: LayerUpdater | None = None
        self._live = LiveUpdater(self._asked, self._on_found, self._on_refused)
        self._worth = VerdictWorker(self._on_judged, say)
        self._rank = LatestTask(self._on_ranked, say, patience=0)
        self._linked = False
        self._clicked: PlanePosition | None = None
        self._source: Image | None = None
        self.rows = LayerVisibility(viewer, self._model, self._image, self._live.submit)
        self._pointer = CursorReadout(viewer, self._model, self._answered)
        self._watch = on_click(self._on_click, self._image)
        viewer.mouse_drag_callbacks.append(self._watch)
        self._connect()

    def begin(self, image: Image, question: HeatmapRequest) -> None:
        """Leave an image's layers to a run."""
        self._source = image
        last = self._live.last
        if last is not None and last.question.loading != question.loading:
            self._live.last = None  # what it holds of the other model is to be freed
        self._stop_showing()
        self.rows.absent.clear()

    def keep(self, image: Image, question: HeatmapRequest, answer: HeatmapResult) -> None:
        """Take a run's answer for what the prompts are answered from, from now on."""
        self._live.last = answered = LayerResult(image, question, answer)
        self._tell(answered)
        if self._asked(answered) is not None:  # edited meanwhile
            self._live.submit()

    def last(self) -> LayerResult | None:
        """Return what was answered last."""
        return self._live.last

    def show(self, answered: LayerResult) -> None:
        """Show an answer that no run gave; the prompts are answered from it from now on."""
        self._live.last, self._source = answered, answered.image
        self._on_found(answered)

    def close(self) -> None:
        """Let go of the viewer."""
        self._stop_showing()
        self._live.close()
        self._rank.close()
        self._worth.close()
        self.rows.close()
        self._pointer.close()
        self._viewer.mouse_drag_callbacks.remove(self._watch)

    def _connect(self) -> None:
        parts = self._parts
        for name in ("prompts", "score", "baseline", "templates"):
            parts[name].changed.connect(self._on_words)
        for name in ("colormap", "scale", "transparent_low", "color_bar"):
            parts[name].changed.connect(self._on_look)
        parts["prompts"].loaded.connect(self._on_loaded)
        parts["ranking_list"].changed.connect(self._on_list)
        parts["templates"].changed.connect(self._on_templates)
        self._on_templates()
        self._model.coloured.connect(lambda _key: self._on_look())

    def _asked(self, last: LayerResult) -> HeatmapRequest | None:
        """Return the question as it is now, if it is another and may be answered."""
        if self._busy() or last.image not in self._viewer.layers:
            return None
        question = with_prompts(self._parts, last.question)
        same = all(
            getattr(question, name) == getattr(last.question, name)
            for name in ("prompts", "keys", "score", "baseline", "templates")
        )
        return None if same and not self._missing(last) else question

    def _missing(self, last: LayerResult) -> bool:
        """Tell whether a row has no layer, and is to have one."""
        return any(
            key not in self.rows.absent and key not in self.rows.layers()
            for key in last.answer.keys
        )

    def _on_words(self) -> None:
        last = self._live.last
        if last is not None and not self._parts["prompts"].rows and not self._busy():
            self._stop_showing()
            layers.remove_all(self._viewer, last.image)
        else:
            self._live.submit()

    def _on_found(self, answered: LayerResult) -> None:
        if self._busy():
            return
        self._stop_showing()
        self._showing = LayerUpdater(
            self._viewer,
            answered.image,
            answered.question,
            partial(self._on_shown, answered),
            partial(layer_style_of, self._parts),
            self.rows.absent,
        )
        self._showing.update(answered.answer)

    def _stop_showing(self) -> None:
        if self._showing is not None:
            self._showing.close()
            self._showing = None

    def _on_shown(self, answered: LayerResult, _answer: HeatmapResult) -> None:
        self._showing = None
        self._tell(answered)
        self._shown(answered)

    def _on_refused(self, reason: str) -> None:
        if self._parts["prompts"].rows:
            self._say(f"Not answered yet: {reason}")

    def _tell(self, answered: LayerResult) -> None:
        """Show in the table what is known of the maps."""
        self._on_look(restyle=False)
        self.rows.refresh()
        self._model.set_figures(figures_of(answered))
        self._worth.submit(answered)

    def _on_judged(self, answered: LayerResult, honesty: Assessment) -> None:
        if answered is self._live.last:
            self._model.set_figures(figures_of(answered, honesty))
            self._judged(answered, honesty)

    def _on_look(self, *_: object, restyle: bool = True) -> None:
        """Give the layers the colours and the scale that the controls say."""
        self._parts["prompts"].view.viewport().update()
        look, last, ours = layer_style_of(self._parts), self._live.last, self.rows.layers()
        if not ours:
            return
        if self._linked:
            self._viewer.layers.unlink_layers(ours.values(), LINKED)
        if last is not None:
            limits = look.limits(last.answer.limits, last.answer.keys)
            for key, each in zip(last.answer.keys, limits, strict=True):
                if key in ours:
                    layers.set_limits(ours[key], each)
        for key, layer in ours.items():
            if restyle:
                layer.colormap = look.colormap(key)
            layers.set_color_bar(layer, visible=self._parts["color_bar"].value)
        self._linked = look.scale == "shared" and len(ours) > 1
        if self._linked:
            self._viewer.layers.link_layers(ours.values(), LINKED)

    def _on_loaded(self, chosen: PromptSet) -> None:
        told = chosen.templates
        self._parts["templates"].value = told if isinstance(told, str) else "; ".join(told)

    def _on_templates(self) -> None:
        self._parts["prompts"].templates = read_templates(self._parts)

    def _image(self) -> Image | None:
        return self._source

    def _answered(self) -> tuple[Image, HeatmapResult] | None:
        last = self._live.last
        return None if last is None else (last.image, last.answer)

    def _on_list(self) -> None:
        if self._clicked is not None:
            self._on_click(self._clicked)

    def _on_click(self, place: PlanePosition) -> None:
        self._clicked = place
        last, words = self._live.last, words_of_list(self._parts["ranking_list"].value)
        if last is not None and not self._busy():
            work = partial(rank_at, last.answer, place, words)
            self._rank.submit(lambda: work)

    def _on_ranked(self, ranked: Ranking | None) -> None:
        if ranked is not None:
            self._parts["ranked"].value = ranked.told()
