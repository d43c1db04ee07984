"""What a clicked patch is most like: the prompts, or a list of words with them, ranked there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.controllers.cursor import position_on
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap._napari.views.choices import ALL_SETS, PROMPTS_ONLY
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.prompting.prompt_set import shipped_set, shipped_sets

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.controllers.background import Work
    from napari_clip_heatmap._napari.job.request import HeatmapResult
    from napari_clip_heatmap._napari.state import DockState, PlanePosition
    from napari_clip_heatmap._napari.view_protocols import TextView
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.scoring import Scoring

__all__ = ["ClickRanking", "Ranking", "rank_at", "words_of_list"]

SUMMED = 5
"""Words of the sum that a place is written as, at most."""


@dataclass(frozen=True)
class Ranking:
    """Words in the order in which they fit a patch.

    Parameters
    ----------
    y, x : float
        In image pixels.
    words : tuple of (str, float)
        Each with its contribution to the cosine there minus the mean over all words; best first.
    sum_of : tuple of (str, float)
        The few words, with weights, whose sum is nearest to what is special at the patch.
    """

    y: float
    x: float
    words: tuple[tuple[str, float], ...]
    sum_of: tuple[tuple[str, float], ...] = ()

    def text(self, most: int = 8) -> str:
        """Return the first few, a line each."""
        lines = [f"At y = {self.y:.0f}, x = {self.x:.0f} px:"]
        lines += [f"{n}. {word}  {value:+.2g}" for n, (word, value) in enumerate(self.words, 1)]
        few = " + ".join(f"{weight:.2f} {word}" for word, weight in self.sum_of)
        return "\n".join([*lines[: most + 1], *([f"As a sum of words: {few}"] if few else [])])


class ClickRanking:
    """Ranks the prompts, or a list of words, where the user clicks.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    view : TextView
        Shows the ranking.
    """

    def __init__(self, state: DockState, viewer: ViewerModel, view: TextView) -> None:
        self._state, self._viewer, self._view = state, viewer, view
        self._list = PROMPTS_ONLY
        self._job = Job(self._on_ranked, self._on_error)
        viewer.mouse_drag_callbacks.append(self._on_press)
        state.events.clicked.connect(self.update)
        state.events.controls.connect(self._on_controls)

    def update(self) -> None:
        """Rank at the place that was clicked last."""
        self._job.submit(self._prepare)

    def close(self) -> None:
        """Let go of the viewer."""
        self._job.close()
        self._state.events.clicked.disconnect(self.update)
        self._state.events.controls.disconnect(self._on_controls)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def _prepare(self) -> Work | None:
        shown, clicked = self._state.result, self._state.clicked
        if shown is None or clicked is None or self._state.busy:
            return None
        rank = partial(rank_at, shown.result, clicked, words_of_list(self._list))
        return lambda _stopped: rank()

    def _on_press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Note a click on the image; a drag is none."""
        source = self._state.image
        active = viewer.layers.selection.active
        pan_zoom = active is None or str(active.mode) == "pan_zoom"
        if source is None or source not in viewer.layers or event.button != 1 or not pan_zoom:
            return
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            self._state.clicked = None  # a second click on one place counts, too
            self._state.clicked = position_on(source, event.position)

    def _on_controls(self) -> None:
        chosen = self._state.controls.get("ranking_list", PROMPTS_ONLY)
        if chosen != self._list:
            self._list = chosen
            self.update()

    def _on_ranked(self, ranking: Ranking | None) -> None:
        if ranking is not None:
            self._view.value = ranking.text()

    def _on_error(self, error: Exception) -> None:
        self._state.message = f"Not ranked: {error_message(error)}"


def words_of_list(name: str) -> tuple[str, ...]:
    """Return the words of one of `RANKING_LISTS`; none for the prompts themselves."""
    if name == PROMPTS_ONLY:
        return ()
    names = shipped_sets() if name == ALL_SETS else (name,)
    return tuple(line for each in names for line in shipped_set(each).lines)


def rank_at(
    result: HeatmapResult, position: PlanePosition, words: tuple[str, ...]
) -> Ranking | None:
    """Rank prompts and words at a position; None where nothing is known.

    Only the text tower has work to do, and only for words that are new to it.
    """
    index, y, x = position
    encoding = result.encodings.get(index)
    if encoding is None or result.stack.values_at(index, y, x) is None:
        return None
    texts = (*result.scoring.prompts, *words)
    scoring = build_scoring(encoding.text, texts, "absolute", (), result.scoring.templates)
    cells = encoding.lattice.cell_at(y, x)
    contributions = encoding.lattice_values(scoring.directions, cells)[:, 0, 0]
    order = np.argsort(-contributions, kind="stable")
    beyond = contributions - contributions.mean()
    summed = words and encoding.complete
    ranked = tuple((scoring.prompts[n], float(beyond[n])) for n in order)
    return Ranking(y, x, ranked, _sum_of(encoding, scoring, (int(y), int(x))) if summed else ())


def _sum_of(
    encoding: Encoding, scoring: Scoring, spot: tuple[int, int]
) -> tuple[tuple[str, float], ...]:
    """Return the few words of a list that a place is made of, with their weights."""
    # Here, because a run needs none of it.
    from napari_clip_heatmap.pipeline.explanation.word_list import list_words

    found = list_words(encoding, scoring.prompts, scoring.text, spot, SUMMED)
    return tuple(zip(found.words, found.weights, strict=True))
