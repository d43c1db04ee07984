"""An image as CLIP understood it: enough to answer any prompt without the image tower."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.resample import to_image_pixels
from napari_clip_heatmap.pipeline.heatmaps import Heatmaps
from napari_clip_heatmap.pipeline.scores import Score, plan_scoring

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder

__all__ = ["Encoding"]


@dataclass(frozen=True, eq=False)
class Encoding:
    """The token map of a whole image, and where it came from.

    Its arrays are read-only. Nothing here refers to the image or to the image tower.

    Parameters
    ----------
    token_map : float32 (grid_y, grid_x, d_embed)
        Per patch, its share of the unit image embedding (summed over layers and heads); times a
        unit text direction: its share of the cosine similarity. Tiles overlap and are blended.
    embedding : float32 (d_embed,)
        Mean of the tiles' unit embeddings; times a text direction: the mean cosine over tiles.
    valid : bool (y, x)
        False where the image was NaN, infinite or masked; at image pixels.
    lattice : Lattice
        Where patches and tiles lie on the image.
    downsample : float
        Image pixels per pixel that the model looked at, as asked or as chosen by "auto".
    overlap : float
        Smallest share of a tile that its neighbour covers too.
    model : mapping
        The model's own description: name, weights, device, precision, versions.
    text : TextEncoder
        The model's text tower.

    Raises
    ------
    ValueError
        The arrays do not fit the lattice or one another.
    """

    token_map: NDArray[np.float32]
    embedding: NDArray[np.float32]
    valid: NDArray[np.bool_]
    lattice: Lattice
    downsample: float
    overlap: float
    model: Mapping[str, object]
    text: TextEncoder

    def __post_init__(self) -> None:
        expected = {
            "token_map": (*self.lattice.grid, *self.embedding.shape),
            "valid": self.lattice.image_shape,
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape}")
        for name in ("token_map", "embedding", "valid"):
            locked = getattr(self, name).view()
            locked.flags.writeable = False
            object.__setattr__(self, name, locked)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the image, in pixels."""
        return self.lattice.image_shape

    def heatmaps(
        self,
        prompts: Iterable[str],
        score: Score = "relative",
        *,
        baseline: Iterable[str] = (),
    ) -> Heatmaps:
        """Answer prompts: one product with the token map, interpolated to image pixels.

        Parameters
        ----------
        prompts : iterable of str
            Spaces around a prompt and repeated prompts count for nothing.
        score : {"relative", "absolute", "contrast"}
            "absolute": each prompt's own share of the cosine. "relative": minus the mean over all
            the prompts, so the maps sum to zero over prompts; with one prompt, minus the mean over
            a built-in neutral set. "contrast": minus the mean over `baseline`.
        baseline : iterable of str
            For "contrast" only.

        Returns
        -------
        Heatmaps

        Raises
        ------
        PromptError
            There is no prompt, one is blank, the score is unknown, or the baseline does not belong
            to the score.
        """
        scoring = plan_scoring(self.text, prompts, score, baseline)
        lattice_values = np.moveaxis(self.token_map @ scoring.directions.T, -1, 0)
        values = to_image_pixels(np.ascontiguousarray(lattice_values), self.lattice)
        if not self.valid.all():
            values[:, ~self.valid] = np.nan
        return Heatmaps(
            prompts=scoring.prompts,
            score=scoring.score,
            values=values,
            lattice_values=np.ascontiguousarray(lattice_values),
            similarity=scoring.text @ self.embedding,
            baseline=scoring.baseline,
            notes=scoring.notes,
        )

    def describe(self) -> dict[str, object]:
        """Return where the encoding comes from, in values that JSON has."""
        return {
            "model": dict(self.model),
            "image_shape": list(self.image_shape),
            "working_shape": list(self.lattice.working_shape),
            "grid": list(self.lattice.grid),
            "patch": [self.lattice.y.patch, self.lattice.x.patch],
            "tile": [self.lattice.y.tile, self.lattice.x.tile],
            "tiles": [len(self.lattice.y.starts), len(self.lattice.x.starts)],
            "downsample": self.downsample,
            "overlap": self.overlap,
        }
