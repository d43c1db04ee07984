"""Rows of the table and their layers, kept in agreement: shown, soloed, removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.controllers.layers import is_own, own_heatmaps, row_key_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = ["LayerVisibility"]

NEXT_KEY, LAST_KEY, SOLO_KEY = "N", "Shift-N", "Alt-N"
"""In the viewer: step to the next prompt and the previous one, solo the one that is seen."""


class LayerVisibility:
    """Shows in the table what is visible, and does to layers what the table is told.

    Parameters
    ----------
    viewer : ViewerModel
    model : PromptModel
    source : callable
        Returns the image whose layers the rows stand for, or None; those of another image, which
        was asked the same prompts before, are left alone.
    wanted : callable
        Called when a row is to be shown whose layer the user had removed.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        model: PromptModel,
        source: Callable[[], Image | None],
        wanted: Callable[[], None],
    ) -> None:
        self._viewer, self._model = viewer, model
        self._source, self._wanted = source, wanted
        self.absent: set[str] = set()
        self._soloed = ""
        self._before: dict[str, bool] = {}
        self._busy = False
        self._bound: list[str] = []
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        model.show.connect(self.show)
        model.solo.connect(self.solo)
        for layer in viewer.layers:
            layer.events.visible.connect(self._on_visible)
        self._bind(NEXT_KEY, lambda _viewer: self.step(1))
        self._bind(LAST_KEY, lambda _viewer: self.step(-1))
        self._bind(SOLO_KEY, lambda _viewer: self.solo(self._soloed or self._seen()))
        self.refresh()

    def close(self) -> None:
        """Let go of the viewer."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._viewer.layers:
            layer.events.visible.disconnect(self._on_visible)
        for key in self._bound:
            self._viewer.bind_key(key, None)

    def layers(self) -> dict[str, Image]:
        """Return our layers, by the key of their row."""
        source = self._source()
        ours = [] if source is None else own_heatmaps(self._viewer, source)
        return {row_key_of(layer): layer for layer in ours}

    def refresh(self) -> None:
        """Show in the table what is visible."""
        visible = {key: layer.visible for key, layer in self.layers().items()}
        self._model.set_visible(visible, self._soloed)

    def show(self, key: str, visible: bool) -> None:
        """Show or hide a row's layer; one that was removed is asked for again."""
        layer = self.layers().get(key)
        if layer is not None:
            layer.visible = visible
        elif visible and key in self.absent:
            self.absent.discard(key)
            self._wanted()
        self.refresh()

    def solo(self, key: str) -> None:
        """Show one row's layer alone; when asked again, what was shown before."""
        layers = self.layers()
        if key == self._soloed:
            self._soloed = ""
            self._set(self._before)
        elif key in layers:
            if not self._soloed:
                self._before = {each: layer.visible for each, layer in layers.items()}
            self._soloed = key
            self._set({each: each == key for each in layers})
        self.refresh()

    def step(self, step: int) -> None:
        """Show the next prompt's layer alone."""
        keys = [row.key for row in self._model.rows if row.key in self.layers()]
        seen = self._soloed or self._seen()
        place = keys.index(seen) + step if seen in keys else 0
        if keys and keys[place % len(keys)] != self._soloed:
            self.solo(keys[place % len(keys)])

    def _seen(self) -> str:
        """Return the first row whose layer is visible."""
        layers = self.layers()
        visible = (
            row.key for row in self._model.rows if row.key in layers and layers[row.key].visible
        )
        return next(visible, "")

    def _set(self, visible: dict[str, bool]) -> None:
        layers = self.layers()
        self._busy = True
        for key, shown in visible.items():
            if key in layers:
                layers[key].visible = shown
        self._busy = False

    def _on_visible(self, event: Any) -> None:
        if not self._busy and self._is_of_source(event.source):
            self._soloed = ""  # shown or hidden by hand: what was before is no longer wanted
            self.refresh()

    def _on_inserted(self, event: Any) -> None:
        event.value.events.visible.connect(self._on_visible)
        if self._is_of_source(event.value):
            self.absent.discard(row_key_of(event.value))
            self.refresh()

    def _on_removed(self, event: Any) -> None:
        event.value.events.visible.disconnect(self._on_visible)
        if self._is_of_source(event.value):
            key = row_key_of(event.value)
            if key in {row.key for row in self._model.rows}:  # else the row went first
                self.absent.add(key)
            self._soloed = "" if key == self._soloed else self._soloed
            self.refresh()

    def _is_of_source(self, layer: Image) -> bool:
        source = self._source()
        return source is not None and is_own(layer, source)

    def _bind(self, key: str, slot: Callable[[Any], None]) -> None:
        try:
            self._viewer.bind_key(key, slot)
        except ValueError:
            return  # bound by the user, or by a second widget like this one: that stays
        self._bound.append(key)
