"""What a clicked patch is most like: the prompts, or a whole list of words, ranked there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap._napari.controllers.cursor import Place, place_on
from napari_clip_heatmap.pipeline.scoring import plan_scoring
from napari_clip_heatmap.prompting.prompt_set import shipped_set, shipped_sets

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.job.request import Answer

__all__ = ["LISTS", "PROMPTS_ONLY", "Ranked", "on_click", "ranked_at", "words_in"]

PROMPTS_ONLY, ALL_SETS = "the prompts", "all shipped sets"
LISTS = (PROMPTS_ONLY, *shipped_sets(), ALL_SETS)
"""What a click ranks: the prompts alone, or a list of words with them."""


@dataclass(frozen=True)
class Ranked:
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


def words_in(listed: str) -> tuple[str, ...]:
    """Return the words of one of `LISTS`; none for the prompts themselves."""
    if listed == PROMPTS_ONLY:
        return ()
    names = shipped_sets() if listed == ALL_SETS else (listed,)
    return tuple(line for name in names for line in shipped_set(name).lines)


def ranked_at(answer: Answer, place: Place, words: tuple[str, ...]) -> Ranked | None:
    """Rank prompts and words at a place; None where nothing is known.

    Only the text tower has work to do, and only for words that are new to it.
    """
    index, y, x = place
    encoding = answer.encodings.get(index)
    if encoding is None or answer.picture.values_at(index, y, x) is None:
        return None
    asked = (*answer.scoring.prompts, *words)
    scoring = plan_scoring(encoding.text, asked, "absolute", (), answer.scoring.templates)
    cells = encoding.lattice.cell_at(y, x)
    shares = encoding.lattice_values(scoring.directions, cells)[:, 0, 0]
    order = np.argsort(-shares, kind="stable")
    beyond = shares - shares.mean()
    return Ranked(y, x, tuple((scoring.prompts[n], float(beyond[n])) for n in order))


def on_click(
    clicked: Callable[[Place], None], image: Callable[[], Image | None]
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
            clicked(place_on(source, event.position))

    return watch
