"""The values of all maps beneath the cursor, in the table and in the status bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QTimer

from napari_clip_heatmap._napari.views.choices import ALL_SETS, PROMPTS_ONLY
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.prompting.prompt_set import shipped_set, shipped_sets

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.job.request import HeatmapResult
    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = [
    "CursorReadout",
    "PlanePosition",
    "Ranking",
    "on_click",
    "position_on",
    "rank_at",
    "words_of_list",
]


PAUSE = 30
"""Milliseconds from a move of the mouse to the table: the eye sees no more pictures a second."""

IN_STATUS_BAR = 5

PlanePosition = tuple[tuple[int, ...], float, float]
"""A plane, and y and x in image pixels."""


class CursorReadout:
    """Follows the cursor over the image that was answered for.

    Parameters
    ----------
    viewer : ViewerModel
    model : PromptModel
    answered : callable
        Returns the image and its answer, or None while there is none.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        model: PromptModel,
        answered: Callable[[], tuple[Image, HeatmapResult] | None],
    ) -> None:
        self._viewer, self._model, self._answered = viewer, model, answered
        self._told = ""
        self._status: Any = ""  # napari's own, without what is told here
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(self.tell)
        viewer.cursor.events.position.connect(self._on_moved)
        # Last: what napari itself makes of a status must not come after what is added to it.
        viewer.events.status.connect(self._on_status, position="last")

    def close(self) -> None:
        """Let go of the viewer."""
        if isalive(self._timer):  # when Python ends, Qt may have gone before
            self._timer.stop()
        self._viewer.cursor.events.position.disconnect(self._on_moved)
        self._viewer.events.status.disconnect(self._on_status)

    def tell(self) -> None:
        """Show the values beneath the cursor."""
        answered = self._answered()
        values = None
        if answered is not None and answered[0] in self._viewer.layers:
            image, answer = answered
            values = answer.stack.values_at(*position_on(image, self._viewer.cursor.position))
        if answered is None or values is None:
            self._model.set_here({})
            self._say("")
            return
        ranges = zip(answer.keys, values.tolist(), answer.limits, strict=True)
        self._model.set_here(
            {key: (value - low) / (high - low) for key, value, (low, high) in ranges}
        )
        named = sorted(zip(values.tolist(), answer.scoring.prompts, strict=True), reverse=True)
        more = f" and {len(named) - IN_STATUS_BAR} more" if len(named) > IN_STATUS_BAR else ""
        told = ", ".join(f"{prompt} {value:.2g}" for value, prompt in named[:IN_STATUS_BAR])
        self._say(told + more)

    def _say(self, told: str) -> None:
        """Add to what napari says in its status bar."""
        if told != self._told:
            self._told = told
            self._viewer.status = self._status
            self._on_status()

    def _on_status(self, _event: Any = None) -> None:
        status = self._viewer.status
        if status != self._with_told(self._status):
            self._status = status
        if self._told and status != self._with_told(self._status):
            self._viewer.status = self._with_told(self._status)

    def _with_told(self, status: Any) -> Any:
        if isinstance(status, str):
            return f"{status}  {self._told}" if self._told else status
        return {**status, "coordinates": f"{status['coordinates']}  {self._told}".rstrip()}

    def _on_moved(self, _event: Any) -> None:
        if not self._timer.isActive():
            self._timer.start()


def position_on(image: Image, position: Sequence[float]) -> PlanePosition:
    """Return where a point of the viewer's world lies on an image."""
    *leading, y, x = image.world_to_data(position)[: image.ndim]
    return tuple(round(each) for each in leading), y + 0.5, x + 0.5


@dataclass(frozen=True)
class Ranking:
    """Words in the order in which they fit a patch.

    Parameters
    ----------
    y, x : float
        In image pixels.
    words : tuple of (str, float)
        Each with its share of the cosine there, minus the mean of all; best first.
    """

    y: float
    x: float
    words: tuple[tuple[str, float], ...]

    def told(self, most: int = 8) -> str:
        """Return the first few, a line each."""
        lines = [f"At y = {self.y:.0f}, x = {self.x:.0f} px:"]
        lines += [f"{n}. {word}  {value:+.2g}" for n, (word, value) in enumerate(self.words, 1)]
        return "\n".join(lines[: most + 1])


def words_of_list(listed: str) -> tuple[str, ...]:
    """Return the words of one of `RANKING_LISTS`; none for the prompts themselves."""
    if listed == PROMPTS_ONLY:
        return ()
    names = shipped_sets() if listed == ALL_SETS else (listed,)
    return tuple(line for name in names for line in shipped_set(name).lines)


def rank_at(answer: HeatmapResult, place: PlanePosition, words: tuple[str, ...]) -> Ranking | None:
    """Rank prompts and words at a place; None where nothing is known.

    Only the text tower has work to do, and only for words that are new to it.
    """
    index, y, x = place
    encoding = answer.encodings.get(index)
    if encoding is None or answer.stack.values_at(index, y, x) is None:
        return None
    asked = (*answer.scoring.prompts, *words)
    scoring = build_scoring(encoding.text, asked, "absolute", (), answer.scoring.templates)
    cells = encoding.lattice.cell_at(y, x)
    shares = encoding.lattice_values(scoring.directions, cells)[:, 0, 0]
    order = np.argsort(-shares, kind="stable")
    beyond = shares - shares.mean()
    return Ranking(y, x, tuple((scoring.prompts[n], float(beyond[n])) for n in order))


def on_click(
    clicked: Callable[[PlanePosition], None], image: Callable[[], Image | None]
) -> Callable[[ViewerModel, Any], Iterator[None]]:
    """Return a mouse callback for a viewer: a click on the image, not a drag, is told of."""

    def watch(viewer: ViewerModel, event: Any) -> Iterator[None]:
        source = image()
        active = viewer.layers.selection.active
        moving = active is None or str(active.mode) == "pan_zoom"
        if source is None or source not in viewer.layers or event.button != 1 or not moving:
            return
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            clicked(position_on(source, event.position))

    return watch
