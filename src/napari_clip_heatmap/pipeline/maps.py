"""What every answer says of its maps, wherever their pixels are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.pipeline.scoring import Score, Scoring

__all__ = ["Maps"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Maps:
    """One map per prompt, at the true resolution, and what was asked.

    Parameters
    ----------
    scoring : Scoring
        What was asked.
    lattice_values : float32 (prompt, grid_y, grid_x)
        Once per patch, not interpolated; NaN where nothing is known.
    similarity : float32 (prompt,)
        Cosine similarity of the whole image to each prompt (the mean over its tiles); nothing
        taken off, whatever the score.
    """

    scoring: Scoring
    lattice_values: NDArray[np.float32]
    similarity: NDArray[np.float32]

    @property
    def prompts(self) -> tuple[str, ...]:
        """Each prompt once, in the order asked."""
        return self.scoring.prompts

    @property
    def score(self) -> Score:
        """What was made of each map; see `Encoding.heatmaps`."""
        return self.scoring.score

    @property
    def baseline(self) -> tuple[str, ...]:
        """The prompts whose mean was taken off, or that competed.

        The baseline given, the neutral set where "relative" or "softmax" had one prompt, else
        empty.
        """
        return self.scoring.baseline

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain sentences on how the maps are to be read; often empty."""
        return self.scoring.notes

    @property
    def unit(self) -> str:
        """Of the values: "cosine" or "probability"."""
        return self.scoring.unit

    @property
    def recipes(self) -> tuple[dict[str, list[str]], ...]:
        """Per prompt the texts whose directions were averaged, and those of its own contrast."""
        return self.scoring.recipes
