"""Section Why here: explain the value that was clicked; show heads alone, or leave them out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import show_error

from napari_clip_heatmap._napari.controllers.background import Job, UnexpectedError
from napari_clip_heatmap._napari.controllers.layers import changing, heatmaps_by_row, set_visible
from napari_clip_heatmap._napari.controllers.why.head_layer import HeadLayer
from napari_clip_heatmap._napari.inputs.layer_channels import channels_of
from napari_clip_heatmap._napari.inputs.layer_planes import is_heatmap, shown_index
from napari_clip_heatmap._napari.inputs.layer_regions import region_inside
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap._napari.views.why.head_grid import GridFigures
from napari_clip_heatmap._napari.views.why.why_controls import CLICKED, IMAGE
from napari_clip_heatmap.errors import Cancelled, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.controllers.background import Work
    from napari_clip_heatmap._napari.job.explanation_work import (
        ExplanationSession,
        HeadMapRequest,
        HeadPicture,
        PlaceAnswer,
        PlaceRequest,
    )
    from napari_clip_heatmap._napari.job.request import RunStep
    from napari_clip_heatmap._napari.job.session import Session
    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap._napari.views.why.why_view import WhyView
    from napari_clip_heatmap.pipeline.explanation.head_words import HeadWords

__all__ = ["WhySection"]

DEBOUNCE_MS = 30
"""After a click, before its value is explained."""

HINT = "Press Run, then click on the image to see which heads of the model made the map there."


class WhySection:
    """Explains values while its section is on screen; else it listens to nothing.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    view : WhyView
    session : Session
        Holds the model.
    """

    def __init__(
        self, state: DockState, viewer: ViewerModel, view: WhyView, session: Session
    ) -> None:
        self._state, self._viewer, self._view, self._session = state, viewer, view, session
        self._work: ExplanationSession | None = None
        self._answer: tuple[LayerResult, PlaceAnswer] | None = None
        self._asked_map: tuple[LayerResult, HeadMapRequest] | None = None
        self._place = CLICKED
        self._layer = HeadLayer(viewer, lambda: state.style_of(state.image))
        self._explain = Job(
            self._on_answer, self._on_error, on_step=self._on_step, debounce_ms=DEBOUNCE_MS
        )
        self._maps = Job(
            self._on_picture,
            self._on_map_error,
            on_step=self._on_map_step,
            debounce_ms=DEBOUNCE_MS,
        )
        self._words = Job(self._on_described, self._on_map_error, on_step=self._on_map_step)
        view.seen.connect(self._on_seen)
        view.changed.connect(self._on_selection)
        for job in (self._maps, self._words):
            view.cancel_requested.connect(job.cancel)
        view.words_chosen.connect(self._on_words)
        self._connections: tuple[tuple[str, Callable[[], None]], ...] = (
            ("clicked", self.update),
            ("results", self._on_results),
            ("current", self._on_current),
            ("controls", self._on_controls),
            ("status", self._on_status),
        )
        self._listening = self._hides = False
        viewer.layers.events.removed.connect(self._on_removed)
        self._show()

    def update(self) -> None:
        """Explain what is to be explained now."""
        if self._listening:
            self._explain.cancel()
            self._explain.submit(self._prepare)

    def close(self) -> None:
        """Let go of the viewer and the model."""
        self._on_seen(False)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for job in (self._explain, self._maps, self._words):
            job.close()

    def _on_seen(self, seen: bool) -> None:
        """Listen while the section is on screen."""
        if seen == self._listening:
            return
        self._listening = seen
        for name, slot in self._connections:
            emitter = getattr(self._state.events, name)
            (emitter.connect if seen else emitter.disconnect)(slot)
        if seen:
            self._on_controls()
            self.update()
        else:
            self._stop()

    def _prepare(self) -> Work | None:
        shown = self._state.result
        if shown is None or self._state.busy or shown.image not in self._viewer.layers:
            self._answer = None
            self._show()
            return None
        asked = self._asked(shown)
        if asked is None:
            self._answer = None
            self._show()
            return None
        return partial(self._session_of_work().explain, asked)

    def _asked(self, shown: LayerResult) -> PlaceRequest | None:
        """Return what is to be explained; None as long as nothing was clicked."""
        from napari_clip_heatmap._napari.job.explanation_work import PlaceRequest

        image, place, clicked = shown.image, self._place, self._state.clicked
        if place == IMAGE:
            index = shown_index(image, self._viewer.dims.point)
            return PlaceRequest(shown.request, shown.result, index, None)
        if clicked is None:
            return None
        index, y, x = clicked
        labels = None
        if isinstance(place, Labels) and place in self._viewer.layers:
            labels = region_inside(place, image, self._viewer.dims.point).mask
        spot = int(np.floor(y)), int(np.floor(x))
        return PlaceRequest(shown.request, shown.result, index, spot, labels)  # type: ignore[arg-type]

    def _session_of_work(self) -> ExplanationSession:
        if self._work is None:
            from napari_clip_heatmap._napari.job.explanation_work import ExplanationSession

            self._work = ExplanationSession(self._session.model_of)
        return self._work

    def _on_step(self, step: RunStep) -> None:
        if step.total > 1:
            self._view.value.setText(step.text)

    def _on_answer(self, answer: PlaceAnswer) -> None:
        shown = self._state.result
        if shown is not None:
            self._answer = (shown, answer)
            self._show()
            if self._view.grid.selected and self._asked_map and self._asked_map[0] is not shown:
                self._maps.submit(self._prepare_map)

    def _on_error(self, error: Exception) -> None:
        self._answer = None
        if isinstance(error, Cancelled):
            self._show()
            return
        self._view.show_value(f"Not explained: {error_message(error)}", None)

    def _show(self) -> None:
        """Show the explanation for the current prompt."""
        number = self._number()
        if self._answer is None or number is None:
            self._view.show_value(HINT, None)
            self._view.show_outcome("")
            return
        answer = self._answer[1]
        why = answer.explanation
        rest = None
        if why.parts:
            rest = np.array([values[number] for values in [*why.parts.values()][1:]], np.float32)
        figures = GridFigures(why.contributions[number], rest, dict(answer.words))
        self._view.show_value(_value_text(answer, number), figures)
        self._show_without(answer, number)

    def _show_without(self, answer: PlaceAnswer, number: int) -> None:
        """Say what the value would be without the selected heads."""
        heads = [f"L{layer}H{head}" for layer, head in sorted(self._view.grid.selected)]
        if not heads:
            self._view.show_outcome("")
            return
        why = answer.explanation
        left = float(why.without(heads=heads)[number])
        own = float(why.value[number]) - left
        self._view.show_outcome(
            f"{shorten(' + '.join(heads), 60)}: {own:+.5f}; without, {left:+.5f} "
            "(direct effect only)"
        )

    def _number(self) -> int | None:
        """Return the number of the current prompt among the explained ones."""
        if self._answer is None:
            return None
        keys = self._answer[0].result.keys
        current = self._state.current
        return keys.index(current) if current in keys else 0

    def _on_selection(self) -> None:
        if self._answer is None:
            return
        number = self._number()
        if number is not None:
            self._show_without(self._answer[1], number)
        if not self._view.grid.selected:
            self._layer.remove()
            self._show_maps(shown=True)
        self._maps.submit(self._prepare_map)

    def _prepare_map(self) -> Work | None:
        from napari_clip_heatmap._napari.job.explanation_work import HeadMapRequest

        number, heads = self._number(), self._view.grid.selected
        shown = self._state.result
        if self._answer is None or number is None or not heads or self._state.busy:
            return None
        if shown is None or shown.image not in self._viewer.layers:
            return None
        image = shown.image
        index = shown_index(image, self._viewer.dims.point)
        asked = HeadMapRequest(
            shown.request, shown.result, index, number, heads, self._view.leaves_out
        )
        self._asked_map = (shown, asked)
        return partial(self._session_of_work().head_map, asked)

    def _on_words(self, path: str) -> None:
        """Describe the heads over the open images, by the words of a file."""
        self._words.submit(lambda: self._prepare_words(Path(path)))

    def _prepare_words(self, path: Path) -> Work | None:
        from napari_clip_heatmap._napari.job.explanation_work import WordsRequest

        shown, viewer = self._state.result, self._viewer
        if shown is None or self._state.busy:
            return None
        images = [
            layer for layer in viewer.layers if isinstance(layer, Image) and not is_heatmap(layer)
        ]
        pixels = tuple(
            tuple(channels_of((image,), shown_index(image, viewer.dims.point), viewer))
            for image in images
        )
        asked = WordsRequest(shown.request, pixels, path)
        return partial(self._session_of_work().describe, asked)

    def _on_map_step(self, step: RunStep) -> None:
        self._view.show_outcome(f"All heads: {step.text.lower()}", busy=True)

    def _on_described(self, found: HeadWords) -> None:
        self._view.show_outcome(
            f"Words for each head, from {found.n_tiles} tiles of {found.n_images} images, are kept "
            "for this model; hover over a head to read them"
        )
        self.update()  # the grid reads them

    def _on_picture(self, picture: HeadPicture) -> None:
        if self._asked_map is None:
            return
        shown, asked = self._asked_map
        if shown.image not in self._viewer.layers or not self._view.grid.selected:
            self._view.show_outcome("")
            return
        keys, limits = shown.result.keys, None
        key = keys[asked.prompt]
        if asked.left_out:  # to be compared with the map itself
            style = self._state.style_of(shown.image)
            limits = style.limits(shown.result.limits, keys)[asked.prompt]
        self._layer.show(shown.image, asked.index, picture, key, limits)
        self._show_maps(shown=False)  # two maps on top of one another have the colors of neither
        self._view.show_outcome(_outcome(picture, asked))

    def _show_maps(self, *, shown: bool) -> None:
        """Hide the prompts' own maps, those that are wanted, or show again what was hidden."""
        state = self._state
        if (shown and not self._hides) or state.controls.get("compare"):
            return  # side by side each has a place of its own
        self._hides = not shown
        with changing():
            ours = heatmaps_by_row(self._viewer, state.image)
            wanted = {state.current, *state.ticked} & ours.keys()
            set_visible((ours[key] for key in wanted), visible=shown)

    def _on_removed(self, event: Any) -> None:
        """Show the prompts' maps again, where the user removed the layer of heads."""
        if event.value is self._layer.last:
            self._show_maps(shown=True)

    def _on_map_error(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self._view.show_outcome("Cancelled")
            return
        self._view.show_outcome(f"Not done: {error_message(error)}")
        if not isinstance(error, UnexpectedError):  # napari shows that one
            show_error(error_message(error))

    def _on_results(self) -> None:
        shown = self._state.result
        if self._answer is not None and (shown is None or self._answer[0] is not shown):
            self._answer = None
            self._show()
        self.update()

    def _on_current(self) -> None:
        if self._answer is not None:
            self._show()
            if self._view.grid.selected:
                self._maps.cancel()
                self._maps.submit(self._prepare_map)

    def _on_controls(self) -> None:
        place = self._state.controls.get("why_place", CLICKED)
        if place != self._place:
            self._place = place
            self.update()

    def _on_status(self) -> None:
        """Let go of the model when a run begins, which may load another."""
        if self._state.busy:
            self._stop()
        else:
            self.update()

    def _stop(self) -> None:
        """Stop what is at work, and let go of the model."""
        for job in (self._explain, self._maps, self._words):
            job.cancel()
        if self._work is not None:
            self._work.forget()


def _value_text(answer: PlaceAnswer, number: int) -> str:
    """Return the value as a sum, in words."""
    why = answer.explanation
    prompt, value = shorten(why.prompts[number], 40), float(why.value[number])
    heads = float(why.contributions[number].sum())
    of_image = "similarity to " if why.whole else ""
    if not why.parts:
        return f"{answer.place}: {prompt} {value:+.5f} = sum of all heads"
    entry = float(why.parts["input"][number])
    mlps = float(why.rest[number]) - entry
    return (
        f"{answer.place}: {of_image}{prompt} {value:+.5f} = heads {heads:+.5f} + MLPs "
        f"{mlps:+.5f} + input {entry:+.5f}"
    )


def _outcome(picture: HeadPicture, asked: HeadMapRequest) -> str:
    """Say what the layer shows, and what the heads do to the whole image's similarity."""
    after = float(picture.maps.similarity[0])
    if asked.left_out:
        return (
            f"Layer {shorten(picture.name, 60)}. Similarity of the whole image: "
            f"{picture.similarity:+.5f}, without these heads {after:+.5f} (direct effect only)."
        )
    return (
        f"Layer {shorten(picture.name, 60)}. These heads add {after:+.5f} to the whole image's "
        f"similarity of {picture.similarity:+.5f}."
    )
