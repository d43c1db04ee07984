"""An image as CLIP understood it: enough to answer any prompt without the image tower."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.validity import Validity
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.board import Board, read_only
from napari_clip_heatmap.pipeline.heatmaps import Heatmaps
from napari_clip_heatmap.pipeline.lazy import LazyHeatmaps
from napari_clip_heatmap.pipeline.scores import Score, Scoring, plan_scoring

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder
    from napari_clip_heatmap.pipeline.coarse import Coarse

__all__ = ["Encoding"]


@dataclass(frozen=True, eq=False)
class Encoding:
    """The token map of an image, and where it came from.

    Nothing here refers to the image or to the image tower.

    Parameters
    ----------
    board : Board
        The tiles that were laid on the lattice.
    validity : Validity
        Where the image was NaN, infinite or masked.
    region : Region
        What was asked about.
    view : View
        How values became colours.
    downsample : float
        Image pixels per pixel that the model looked at, as asked or as chosen by "auto".
    overlap : float
        Smallest share of a tile that its neighbour covers too.
    model : mapping
        The model's own description: name, weights, device, precision, versions.
    text : TextEncoder
        The model's text tower.
    coarse : Coarse, optional
        What stands in for tiles that are not done.
    notices : tuple of str
        What the model's device could not do as asked.
    """

    board: Board
    validity: Validity
    region: Region
    view: View
    downsample: float
    overlap: float
    model: Mapping[str, object]
    text: TextEncoder
    coarse: Coarse | None = None
    notices: tuple[str, ...] = ()

    @property
    def lattice(self) -> Lattice:
        """Where patches and tiles lie on the image."""
        return self.board.lattice

    @property
    def token_map(self) -> NDArray[np.float32]:
        """Per patch, its share of the unit image embedding; float32 (grid_y, grid_x, d_embed).

        Summed over layers and heads; times a unit text direction: its share of the cosine
        similarity. Tiles overlap and are blended; where none was done yet, 0.
        """
        return self.board.token_map

    @cached_property
    def tiles(self) -> tuple[tuple[int, int], ...]:
        """The tiles of the region, as (row, column), row by row."""
        return self.region.tiles(self.lattice)

    @cached_property
    def bounds(self) -> tuple[slice, slice]:
        """The smallest rectangle of cells (y, x) that holds the region."""
        return self.region.bounds(self.lattice)

    @property
    def complete(self) -> bool:
        """Whether all tiles of the region are done."""
        rows, columns = np.transpose(self.tiles)
        return bool(self.board.done[rows, columns].all())

    @property
    def embedding(self) -> NDArray[np.float32]:
        """Mean of the region's tiles' unit embeddings, float32 (d_embed,).

        Times a text direction: the mean cosine over tiles. Of the coarse look where no tile is
        done yet, and 0 where there was none.
        """
        rows, columns = np.transpose(self.tiles)
        done = self.board.done[rows, columns]
        if not done.any():
            nothing = np.zeros(self.token_map.shape[-1], np.float32)
            return nothing if self.coarse is None else self.coarse.embedding
        known = self.board.embeddings[rows[done], columns[done]]
        return read_only(known.mean(axis=0, dtype=np.float64).astype(np.float32))

    @property
    def valid(self) -> NDArray[np.bool_]:
        """False where the image was NaN, infinite or masked, bool (y, x)."""
        centres = [np.arange(length, dtype=np.float64) + 0.5 for length in self.image_shape]
        known = self.validity.read(centres[0], centres[1])
        return np.broadcast_to(np.True_, self.image_shape) if known is None else read_only(known)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the image, in pixels."""
        return self.lattice.image_shape

    def lattice_values(
        self, directions: NDArray[np.float32], cells: tuple[slice, slice] | None = None
    ) -> NDArray[np.float32]:
        """Return maps on the lattice, as far as they are known.

        A cell whose tiles are not all done has what is missing from the coarse look.

        Parameters
        ----------
        directions : float32 (prompt, d_embed)
            From `plan_scoring`.
        cells : (slice, slice), optional
            A rectangle of cells (y, x), such as `Progress.changed`; by default all.

        Returns
        -------
        float32 (prompt, y, x)
            NaN outside the region, and where nothing is known.
        """
        whole = slice(0, self.lattice.grid[0]), slice(0, self.lattice.grid[1])
        y, x = cells or whole
        values = np.ascontiguousarray(np.moveaxis(self.token_map[y, x] @ directions.T, -1, 0))
        if not (self.region.is_whole and self.complete):
            missing = np.clip(1 - self.board.weights(y, x), 0, 1)
            missing[missing < 1e-5] = 0  # weights sum to 1 but for rounding
            if self.coarse is not None:
                instead = missing * self.coarse.values(directions, (y, x))
                values[:, missing > 0] += instead[:, missing > 0]
            else:
                values[:, missing > 0] = np.nan
            values[:, ~self._touched[y, x]] = np.nan
        return values

    def scored(
        self, scoring: Scoring, cells: tuple[slice, slice] | None = None
    ) -> NDArray[np.float32]:
        """Return the maps of a scoring on the lattice, as far as they are known.

        Parameters
        ----------
        scoring : Scoring
            From `plan_scoring`.
        cells : (slice, slice), optional
            A rectangle of cells (y, x); by default all.

        Returns
        -------
        float32 (prompt, y, x)
            NaN outside the region, and where nothing is known.
        """
        n_patches = self.lattice.y.cells_per_tile * self.lattice.x.cells_per_tile
        return scoring.finish(self.lattice_values(scoring.directions, cells), n_patches)

    @cached_property
    def _touched(self) -> NDArray[np.bool_]:
        return self.region.cells(self.lattice)

    def heatmaps(
        self,
        prompts: Iterable[str],
        score: Score = "relative",
        *,
        baseline: Iterable[str] = (),
        templates: str | Iterable[str] = "plain",
    ) -> Heatmaps:
        """Answer prompts: one product with the token map, interpolated to image pixels.

        Parameters
        ----------
        prompts : iterable of str
            Spaces around a prompt and repeated prompts count for nothing. "nuclei | cell nuclei"
            are names for one thing; "nuclei - background" is what is found beyond the background,
            whatever the score.
        score : {"relative", "absolute", "contrast", "softmax"}
            "absolute": each prompt's own share of the cosine. "relative": minus the mean over all
            the prompts, so the maps sum to zero over prompts; with one prompt, minus the mean over
            a built-in neutral set. "contrast": minus the mean over `baseline`. "softmax": the
            probability of each prompt, by the model's own logit scale, if the whole tile were like
            the patch; with one prompt, against the neutral set.
        baseline : iterable of str
            For "contrast", and for "softmax", where they compete but get no map.
        templates : str or iterable of str
            Sentences that names are put into, averaged in embedding space: the name of a set
            ("plain", "photo", "fluorescence", "brightfield", "histology", "electron microscopy")
            or one's own, such as "a photo of {}".

        Returns
        -------
        Heatmaps

        Raises
        ------
        PromptError
            There is no prompt, one cannot be read, the score or the templates are unknown, or the
            baseline does not belong to the score.
        """
        return self.maps(plan_scoring(self.text, prompts, score, baseline, templates)).eager(self)

    def lazy_heatmaps(
        self,
        prompts: Iterable[str],
        score: Score = "relative",
        *,
        baseline: Iterable[str] = (),
        templates: str | Iterable[str] = "plain",
    ) -> LazyHeatmaps:
        """Answer prompts as `heatmaps` does, but interpolate only what is looked at.

        Parameters
        ----------
        prompts, score, baseline, templates
            As `heatmaps` takes them.

        Returns
        -------
        LazyHeatmaps

        Raises
        ------
        PromptError
            As `heatmaps` does.
        """
        return self.maps(plan_scoring(self.text, prompts, score, baseline, templates))

    def maps(self, scoring: Scoring) -> LazyHeatmaps:
        """Answer prompts that `plan_scoring` has turned into directions, for many images once."""
        return LazyHeatmaps(
            scoring=scoring,
            lattice_values=self.scored(scoring),
            similarity=scoring.text @ self.embedding,
            lattice=self.lattice,
            region=self.region,
            validity=self.validity,
        )

    def save(self, path: str | Path, *, compact: bool = False, overwrite: bool = False) -> Path:
        """Write the encoding as Zarr, to be opened by `open_encoding`, here or elsewhere.

        All that scoring takes goes along, but for the text tower, which is found by the model's
        name; nothing of the image does. What is read back is proven to be what was written.

        Parameters
        ----------
        path : str or Path
            One file where it ends in ``.zip`` ("scan.zarr.zip"), else a folder ("scan.zarr").
        compact : bool
            Keep the token map in half precision, where that changes no map by more than a
            thousandth of its range; otherwise, and by default, as it is.
        overwrite : bool
            Replace a saved encoding of that name.

        Returns
        -------
        Path
            What was written.

        Raises
        ------
        OutputError
            The name is taken, or the disk refuses; what was there still is.
        """
        from napari_clip_heatmap.pipeline.stored.saving import save_encoding

        return save_encoding(self, path, compact=compact, overwrite=overwrite)

    def describe(self) -> dict[str, object]:
        """Return where the encoding comes from, in values that JSON has."""
        return {
            "model": dict(self.model),
            "image_shape": list(self.image_shape),
            "working_shape": list(self.lattice.working_shape),
            "grid": list(self.lattice.grid),
            "patch": [self.lattice.y.patch, self.lattice.x.patch],
            "tile": [self.lattice.y.tile, self.lattice.x.tile],
            "tiles_done": int(self.board.done.sum()),
            "region": self.region.describe(),
            "view": asdict(self.view),
            "tiles": [len(self.lattice.y.starts), len(self.lattice.x.starts)],
            "downsample": self.downsample,
            "overlap": self.overlap,
            "notices": list(self.notices),
        }
