"""An encoded image: all that is needed to answer any prompt without the image tower."""

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
from napari_clip_heatmap.imaging.view import ShownRange, View, seen_notes
from napari_clip_heatmap.pipeline.examples.example_maker import ExampleMaker
from napari_clip_heatmap.pipeline.heatmaps import Heatmaps, LazyHeatmaps, refuse_heads
from napari_clip_heatmap.pipeline.score_registry import Score
from napari_clip_heatmap.pipeline.scoring import Scoring, build_scoring
from napari_clip_heatmap.pipeline.token_grid import (
    LEAST_CONTRAST,
    TokenAccumulator,
    known_values,
    read_only,
)
from napari_clip_heatmap.prompting.example import Example

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.text import TextEncoder
    from napari_clip_heatmap.pipeline.token_grid import CoarsePreview

__all__ = ["Encoding"]


@dataclass(frozen=True, eq=False, repr=False)
class Encoding(ExampleMaker):
    """The token map of an image, and how it was made.

    It keeps neither the image nor the image tower: any number of prompts can be answered later.

    Parameters
    ----------
    accumulator : TokenAccumulator
        The tiles that were added to the lattice.
    validity : Validity
        Where the image was NaN, infinite or masked.
    region : Region
        The part of the image that the maps are made of.
    view : View
        How values became colors.
    downsample : float
        Image pixels per pixel that the model looked at, as given or as "auto" chose it.
    overlap : float
        Smallest fraction of a tile that its neighbor covers too.
    model : mapping
        The model's own description: name, weights, device, precision, versions.
    text : TextEncoder
        The model's text tower.
    coarse : CoarsePreview, optional
        A coarse answer, used where tiles are not done.
    notices : tuple of str
        What the model's device could not do as wanted.
    ranges : tuple of ShownRange
        Per channel the values that the model saw as black and as white.

    Examples
    --------
    >>> encoding = nch.encode(model, image)
    >>> encoding
    Encoding(model='demo', image=96 x 96, patches=12 x 12, tiles=1 of 1)
    >>> maps = encoding.heatmaps(["nuclei", "filaments"])
    """

    accumulator: TokenAccumulator
    validity: Validity
    region: Region
    view: View
    downsample: float
    overlap: float
    model: Mapping[str, object]
    text: TextEncoder
    coarse: CoarsePreview | None = None
    notices: tuple[str, ...] = ()
    ranges: tuple[ShownRange, ...] = ()

    def __repr__(self) -> str:
        (height, width), (rows, columns) = self.image_shape, self.lattice.grid
        done = sum(bool(self.accumulator.tile_mask[tile]) for tile in self.tiles)
        return (
            f"Encoding(model={self.model.get('name')!r}, image={height} x {width}, "
            f"patches={rows} x {columns}, tiles={done} of {len(self.tiles)})"
        )

    @property
    def lattice(self) -> Lattice:
        """Positions of patches and tiles on the image."""
        return self.accumulator.lattice

    @property
    def token_map(self) -> NDArray[np.float32]:
        """Contribution of each patch to the unit embedding, float32 (grid_y, grid_x, d_embed).

        Summed over layers and heads. Times a unit text direction it is the patch's contribution to
        the cosine similarity. Overlapping tiles are blended; where no tile was done yet, it is 0.
        On a finer lattice a cell has the contribution of the whole patch around its center.
        """
        return self.accumulator.token_map

    @cached_property
    def tiles(self) -> tuple[tuple[int, int], ...]:
        """The tiles of the region, as (row, column), row by row."""
        return self.region.tiles(self.lattice)

    @cached_property
    def bounds(self) -> tuple[slice, slice]:
        """The smallest rectangle of cells (y, x) that contains the region."""
        return self.region.bounds(self.lattice)

    @property
    def complete(self) -> bool:
        """Whether all tiles of the region are done."""
        return self.n_done == len(self.tiles)

    @property
    def n_done(self) -> int:
        """How many tiles of the region are done."""
        return int(self.accumulator.tile_mask[self._tile_places].sum())

    @cached_property
    def _tile_places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of `tiles`, as an index."""
        rows, columns = np.transpose(self.tiles)
        return rows, columns

    @property
    def embedding(self) -> NDArray[np.float32]:
        """Mean of the region's tiles' unit embeddings, float32 (d_embed,).

        Times a text direction it is the mean cosine similarity over tiles. Tiles of which more
        than half is NaN, infinite or masked do not count, unless all are. Where no tile is done
        yet, it is that of the coarse preview, or 0 if there is none.
        """
        known = self.tile_embeddings
        if not len(known):
            nothing = np.zeros_like(self.token_map[0, 0])
            return nothing if self.coarse is None else self.coarse.embedding
        return read_only(known.mean(axis=0, dtype=np.float64).astype(np.float32))

    @property
    def unowned(self) -> NDArray[np.float32]:
        """The part of `embedding` that no patch contributes, float32 (d_embed,); NaN if unknown."""
        return self.accumulator.mean_unowned(self.counted_tiles)

    @property
    def tile_embeddings(self) -> NDArray[np.float32]:
        """Unit embedding of each tile that counts for `embedding`, float32 (tile, d_embed)."""
        return self.accumulator.embeddings[self.counted_tiles]

    @property
    def counted_tiles(self) -> NDArray[np.bool_]:
        """Tiles of the region that are done and of which most is valid, bool (row, column).

        All that are done, where most of every one is invalid. Only unshifted ones, so that a finer
        lattice changes no similarity.
        """
        return self.count_tiles(self.lattice.unshifted)

    def count_tiles(self, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of some tiles (row, column) are done, and mostly valid if any of them is."""
        inside = np.zeros(self.accumulator.tile_mask.shape, bool)
        inside[self._tile_places] = True
        return self.validity.counted(self.lattice, inside & among & self.accumulator.tile_mask)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """False where the image was NaN, infinite or masked, bool (y, x)."""
        centers = [np.arange(length, dtype=np.float64) + 0.5 for length in self.image_shape]
        known = self.validity.read(centers[0], centers[1])
        return np.broadcast_to(np.True_, self.image_shape) if known is None else read_only(known)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the image, in pixels."""
        return self.lattice.image_shape

    @property
    def nothing_to_see(self) -> bool:
        """Whether the image, or its region, is nearly constant as the model saw it.

        False as long as not all tiles are done, and where it is not known.
        """
        return self.complete and self._is_constant

    @cached_property
    def _is_constant(self) -> bool:
        """Whether all that the model saw is nearly constant; asked only once it is complete."""
        if self.ranges and all(shown.is_narrow for shown in self.ranges):
            return True
        return self.accumulator.contrast.within(self.touched) < LEAST_CONTRAST

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain sentences on what the model saw: which values, how finely, and whether nothing."""
        part = "image" if self.region.is_whole else "region"
        nothing = self.nothing_to_see
        return tuple(seen_notes(self.ranges, self.downsample, nothing=nothing, part=part))

    def lattice_values(
        self, directions: NDArray[np.float32], cells: tuple[slice, slice] | None = None
    ) -> NDArray[np.float32]:
        """Return products of the token map with directions, as far as they are known.

        A cell whose tiles are not all done takes the missing part from the coarse preview.

        Parameters
        ----------
        directions : float32 (prompt, d_embed)
            From `build_scoring`.
        cells : (slice, slice), optional
            A rectangle of cells (y, x), such as `Progress.changed`; by default all.

        Returns
        -------
        float32 (prompt, y, x)
            NaN outside the region, and where nothing is known.
        """
        y, x = cells or (slice(0, length) for length in self.lattice.grid)
        values = known_values(self.accumulator, self.coarse, directions, (y, x))
        if not self.region.is_whole:
            values[:, ~self.touched[y, x]] = np.nan
        return values

    def scored_cells(
        self, scoring: Scoring, cells: tuple[slice, slice] | None = None
    ) -> NDArray[np.float32]:
        """Return the maps of a scoring, float32 (prompt, y, x); NaN as in `lattice_values`."""
        scoring.require_model(self.model)
        n_patches = self.lattice.y.cells_per_tile * self.lattice.x.cells_per_tile
        return scoring.apply(self.lattice_values(scoring.directions, cells), n_patches)

    @cached_property
    def touched(self) -> NDArray[np.bool_]:
        """Cells that the region touches, bool (grid_y, grid_x)."""
        return self.region.cells(self.lattice)

    def heatmaps(
        self,
        prompts: Iterable[str | Example],
        score: Score = "relative",
        *,
        baseline: Iterable[str] = (),
        templates: str | Iterable[str] = "plain",
        layers: object = None,
        heads: object = None,
    ) -> Heatmaps:
        """Return one heatmap per prompt: a product with the token map, at image pixels.

        Parameters
        ----------
        prompts : iterable of str or Example
            Repeated prompts and surrounding spaces are ignored. "nuclei | cell nuclei" are names
            of one thing; "nuclei - background", and an example, are not compared with the others.
        score : {"relative", "balanced", "absolute", "contrast", "softmax"}
            "absolute": the patch's contribution to the cosine similarity. "relative": minus the
            mean over the prompts, so that the maps sum to zero over prompts; with one prompt,
            minus the mean over built-in neutral prompts. "balanced": minus half the mean over the
            things that the prompts name. "contrast": minus the mean over `baseline`. "softmax":
            the softmax over prompts of the contribution times the number of patches in a tile and
            the model's logit scale; with one prompt, against the neutral prompts.
        baseline : iterable of str
            For "contrast", and for "softmax", where they compete but get no map.
        templates : str or iterable of str
            Sentences that names are put into, averaged in embedding space: the name of a set
            ("plain", "photo", "fluorescence", "brightfield", "histology", "electron microscopy")
            or sentences of your own, such as "a photo of {}".
        layers, heads : None
            An encoding holds the sum over all of them; `head_maps` has the maps of single ones.

        Returns
        -------
        Heatmaps

        Raises
        ------
        PromptError
            There is no prompt, one cannot be read, the score or the templates are unknown, or the
            baseline does not fit the score.

        Examples
        --------
        >>> maps = encoding.heatmaps(["nuclei | cell nuclei", "filaments", "background"])
        >>> maps.similarity.shape, maps.values.shape
        ((3,), (3, 96, 96))
        """
        refuse_heads(layers, heads)
        scoring = build_scoring(self.text, prompts, score, baseline, templates)
        return self.lazy_maps(scoring).eager(self)

    def lazy_heatmaps(
        self,
        prompts: Iterable[str | Example],
        score: Score = "relative",
        *,
        baseline: Iterable[str] = (),
        templates: str | Iterable[str] = "plain",
    ) -> LazyHeatmaps:
        """Return heatmaps that are interpolated only where they are looked at.

        Parameters
        ----------
        prompts, score, baseline, templates
            As `heatmaps` takes them.

        Raises
        ------
        PromptError
            As `heatmaps` does.

        Examples
        --------
        >>> levels = encoding.lazy_heatmaps(["nuclei", "background"]).pyramid()
        """
        return self.lazy_maps(build_scoring(self.text, prompts, score, baseline, templates))

    def lazy_maps(self, scoring: Scoring) -> LazyHeatmaps:
        """Return lazy heatmaps for prompts that `build_scoring` has turned into directions."""
        return LazyHeatmaps(
            scoring=scoring,
            lattice_values=self.scored_cells(scoring),
            similarity=scoring.text @ self.embedding,
            unowned=scoring.text @ self.unowned,
            lattice=self.lattice,
            region=self.region,
            validity=self.validity,
            image_notes=self.notes,
            flat=self.nothing_to_see,
        )

    def save(self, path: str | Path, *, compact: bool = False, overwrite: bool = False) -> Path:
        """Write the encoding as Zarr, to be opened with `open_encoding` on any machine.

        Everything needed for scoring is saved except the text tower, which is found by the model's
        name. Nothing of the image is saved. Checksums prove that what is read is what was written.

        Parameters
        ----------
        path : str or Path
            One file where it ends in ``.zip`` ("scan.zarr.zip"), else a folder ("scan.zarr").
        compact : bool
            Save the token map in half precision, if that changes no map by more than a thousandth
            of its range.
        overwrite : bool
            Replace a saved encoding of that name.

        Returns
        -------
        Path
            The file or folder that was written.

        Raises
        ------
        OutputError
            The name is taken, or the disk refuses; what was there is kept.

        Examples
        --------
        >>> path = encoding.save("scan.zarr.zip")
        >>> maps = nch.open_encoding(path).heatmaps(["nuclei", "background"])
        """
        from napari_clip_heatmap.pipeline.storage.records import save_encoding

        return save_encoding(self, path, compact=compact, overwrite=overwrite)

    def describe(self) -> dict[str, object]:
        """Return how the encoding was made, as JSON-able values.

        Examples
        --------
        >>> encoding.describe()["downsample"]
        1.0
        """
        return {
            "model": dict(self.model),
            "image_shape": list(self.image_shape),
            "working_shape": list(self.lattice.working_shape),
            "grid": list(self.lattice.grid),
            "patch": [self.lattice.y.patch, self.lattice.x.patch],
            "tile": [self.lattice.y.tile, self.lattice.x.tile],
            "tiles_done": int(self.accumulator.tile_mask.sum()),
            "region": self.region.describe(),
            "view": asdict(self.view),
            "ranges": [asdict(shown) for shown in self.ranges],
            "tiles": [len(self.lattice.y.starts), len(self.lattice.x.starts)],
            "downsample": self.downsample,
            "overlap": self.overlap,
            "quality": self.lattice.quality,
            "notices": list(self.notices),
        }
