"""The maps of several prompts, at the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging import colours
from napari_clip_heatmap.pipeline.scores import Score

__all__ = ["Heatmaps"]


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """One map per prompt.

    Parameters
    ----------
    prompts : tuple of str
        Each prompt once, in the order asked.
    score : {"relative", "absolute", "contrast", "softmax"}
        What was made of each map; see `Encoding.heatmaps`.
    values : float32 (prompt, y, x)
        Share of the cosine similarity that the patch under each image pixel carries (for "softmax"
        its probability), interpolated bilinearly between patch centres; NaN where the image is
        invalid.
    lattice_values : float32 (prompt, grid_y, grid_x)
        The same, once per patch, not interpolated: the true resolution.
    similarity : float32 (prompt,)
        Cosine similarity of the whole image to each prompt (the mean over its tiles); nothing
        taken off, whatever the score.
    baseline : tuple of str
        The prompts whose mean was taken off, or that competed: the baseline given, the neutral set
        where "relative" or "softmax" had one prompt, else empty.
    notes : tuple of str
        Plain sentences on how the maps are to be read; often empty.
    unit : {"cosine", "probability"}
        Of the values.
    recipes : tuple of dict
        Per prompt the texts whose directions were averaged, and those of its own contrast.
    """

    prompts: tuple[str, ...]
    score: Score
    values: NDArray[np.float32]
    lattice_values: NDArray[np.float32]
    similarity: NDArray[np.float32]
    baseline: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unit: str = "cosine"
    recipes: tuple[dict[str, list[str]], ...] = ()

    def normalized(self) -> NDArray[np.float32]:
        """Return each map scaled to 0..1 by its own range, float32 (prompt, y, x); NaN stays NaN.

        A map that is the same everywhere says nothing and becomes 0.
        """
        return colours.min_max(self.values)

    def jet(self) -> NDArray[np.uint8]:
        """Return each normalized map in OpenCV's JET colours, uint8 RGB (prompt, y, x, 3).

        Red carries most of the score, blue least; invalid pixels are black.
        """
        return colours.jet(self.normalized())
