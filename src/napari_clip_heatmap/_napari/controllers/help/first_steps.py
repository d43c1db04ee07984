"""What to do next while there is nothing to show, and prompts that fit the look of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState

__all__ = ["BRIGHT_PROMPTS", "DARK_PROMPTS", "FirstPrompts", "first_steps", "fitting_prompts"]

DARK_PROMPTS = ("nuclei", "filaments", "mitochondria")
"""Words of the bundled model for fluorescence, to be typed over."""

BRIGHT_PROMPTS = ("nuclei", "red blood cells", "white blood cells")
"""Words of the bundled model for stained cells on a bright ground, to be typed over."""

OPEN_IMAGE = "Open an image: File > Open, or File > Open Sample > CLIP Heatmap."
PRESS_RUN = "Type what to look for, one prompt to a row, and press Run."
ASK = "The question mark beside Score says what the figures mean, and shows you around."

_BRIGHT = 0.55


def first_steps(state: DockState) -> tuple[str, ...]:
    """Return what to do while no heatmap of the chosen image is there."""
    return (OPEN_IMAGE if state.image is None else PRESS_RUN, ASK)


def fitting_prompts(image: Image) -> tuple[str, ...]:
    """Return prompts to begin with, by how bright the layer looks in the viewer.

    The thumbnail is what napari draws in its layer list, so contrast limits and colormap count.
    """
    thumbnail = np.asarray(image.thumbnail, np.float32) / 255
    colors, opacity = thumbnail[..., :3], thumbnail[..., 3:]
    if not opacity.any():
        return DARK_PROMPTS
    brightness = float((colors * opacity).sum() / (3 * opacity.sum()))
    return BRIGHT_PROMPTS if brightness > _BRIGHT else DARK_PROMPTS


class FirstPrompts:
    """Puts prompts that fit the image into a table that nobody has typed in yet.

    Parameters
    ----------
    state : DockState
    set_prompts : callable
        Replaces all rows.
    """

    def __init__(self, state: DockState, set_prompts: Callable[[Sequence[str]], None]) -> None:
        self._state, self._set_prompts = state, set_prompts
        state.events.image.connect(self._on_image)
        self._on_image()

    def close(self) -> None:
        """Let go of the state."""
        self._state.events.image.disconnect(self._on_image)

    def _on_image(self) -> None:
        state = self._state
        if state.image is None or state.results:
            return
        present = tuple(row.prompt for row in state.prompts)
        fitting = fitting_prompts(state.image)
        if present in (DARK_PROMPTS, BRIGHT_PROMPTS) and present != fitting:
            self._set_prompts(fitting)
