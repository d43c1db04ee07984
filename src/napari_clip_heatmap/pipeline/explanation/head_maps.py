"""The map of every head of an image: sums of some of them, or the map without some, at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import OVERLAP, Lattice, Quality
from napari_clip_heatmap.pipeline.explanation.explain import (
    Step,
    finish,
    require_model,
    require_own_examples,
    require_sum,
)
from napari_clip_heatmap.pipeline.explanation.explanation import HeadName, head_label, label_mask
from napari_clip_heatmap.pipeline.explanation.tile_heads import (
    TiledImage,
    TileIndex,
    computed,
    tile_heads,
)
from napari_clip_heatmap.pipeline.heatmaps import LazyHeatmaps
from napari_clip_heatmap.pipeline.scoring import Scoring, build_scoring

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.core.head_vectors import HeadVectors
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.imaging.region import Region
    from napari_clip_heatmap.imaging.validity import Validity
    from napari_clip_heatmap.imaging.view import View
    from napari_clip_heatmap.pipeline.score_registry import Score
    from napari_clip_heatmap.prompting.example import Example

__all__ = ["HeadHeatmaps", "HeadMaps", "head_maps", "map_heads"]

MEMORY = 4 * 2**30
"""Bytes of head maps that are made at most."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class HeadHeatmaps(LazyHeatmaps):
    """Heatmaps of some heads alone, or of all but some.

    Parameters
    ----------
    scoring, lattice_values, similarity, unowned, image_notes, flat, lattice, region, validity
        As `LazyHeatmaps` has them. The similarity of some heads alone is what they contribute to
        the image's; without some heads, the image's minus that: their direct effect, no more.
    heads : tuple of str
        Labels such as "L4H2".
    left_out : bool
        Whether the maps are those of all other heads.

    Examples
    --------
    >>> maps = nch.head_maps(model, image, ["nuclei", "filaments"]).only(heads=["L3H1"])
    >>> maps.heads, maps.values.shape
    (('L3H1',), (2, 96, 96))
    """

    heads: tuple[str, ...]
    left_out: bool = False

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """The maps at all image pixels, float32 (prompt, y, x)."""
        return self.window()


@dataclass(frozen=True, eq=False, repr=False)
class HeadMaps:
    """The map of every head of every layer, for some prompts.

    Parameters
    ----------
    scoring : Scoring
    lattice_values : float32 (prompt, layer, head, grid_y, grid_x)
        Summed over layers and heads, the maps of the prompts; NaN outside the region.
    contributions : float32 (prompt, layer, head)
        Of each head to the image's similarity.
    similarity : float32 (prompt,)
        Of the image: `contributions` summed, plus what belongs to no head.
    lattice : Lattice
    region : Region
    validity : Validity
    direct_values : float32 (prompt, grid_y, grid_x), optional
        The part of the maps that belongs to no head, of a model loaded with ``mlp_by_token``.

    Examples
    --------
    >>> every = nch.head_maps(model, image, ["nuclei", "filaments"])
    >>> every.lattice_values.shape
    (2, 5, 8, 12, 12)
    >>> every.without(layers=["L3"]).similarity.shape
    (2,)
    """

    scoring: Scoring
    lattice_values: NDArray[np.float32]
    contributions: NDArray[np.float32]
    similarity: NDArray[np.float32]
    lattice: Lattice
    region: Region
    validity: Validity
    direct_values: NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        n_prompts, n_layers, n_heads, rows, columns = self.lattice_values.shape
        return (
            f"HeadMaps(prompts={n_prompts}, layers={n_layers}, heads={n_heads}, "
            f"patches={rows} x {columns})"
        )

    @property
    def prompts(self) -> tuple[str, ...]:
        """Each prompt once, in the order given."""
        return self.scoring.prompts

    def only(
        self,
        layers: Sequence[HeadName] | HeadName | None = None,
        heads: Sequence[HeadName] | HeadName | None = None,
    ) -> HeadHeatmaps:
        """Return the maps of some heads alone: their sum.

        Parameters
        ----------
        layers, heads : int or str, or sequence of them
            ``heads=["L4H2", "L5H0"]``, ``layers=["L4"]``, or heads of these layers alone.

        Raises
        ------
        DecompositionError
            There is no such layer or head, or none is named.
        """
        chosen = label_mask(layers, heads, self.contributions.shape[1:])
        return self._maps(chosen, self.contributions[:, chosen].sum(axis=1), chosen, left_out=False)

    def without(
        self,
        layers: Sequence[HeadName] | HeadName | None = None,
        heads: Sequence[HeadName] | HeadName | None = None,
    ) -> HeadHeatmaps:
        """Return the maps without some heads: their direct effect is left out, no more.

        What later layers made of these heads' output is not taken back, and the norm of the
        embedding is left as it is.

        Parameters
        ----------
        layers, heads
            As `only` takes them.

        Raises
        ------
        DecompositionError
            As `only` does.
        """
        chosen = label_mask(layers, heads, self.contributions.shape[1:])
        left = self.similarity - self.contributions[:, chosen].sum(axis=1)
        return self._maps(~chosen, left, chosen, left_out=True)

    def _maps(
        self,
        summed: NDArray[np.bool_],
        similarity: NDArray[np.float32],
        named: NDArray[np.bool_],
        *,
        left_out: bool,
    ) -> HeadHeatmaps:
        values = np.zeros((len(self.prompts), *self.lattice.grid), np.float32)
        if left_out and self.direct_values is not None:
            values += self.direct_values
        for layer, head in zip(*np.nonzero(summed), strict=True):
            values += self.lattice_values[:, layer, head]
        if not summed.any():
            values[np.isnan(self.lattice_values[:, 0, 0])] = np.nan
        return HeadHeatmaps(
            scoring=self.scoring,
            lattice_values=values,
            similarity=similarity.astype(np.float32),
            unowned=np.full(len(self.prompts), np.nan, np.float32),
            lattice=self.lattice,
            region=self.region,
            validity=self.validity,
            heads=tuple(head_label(*map(int, at)) for at in np.argwhere(named)),
            left_out=left_out,
        )


def head_maps(
    model: ClipModel,
    image: ArrayLike | Channel | Sequence[Channel],
    prompts: Iterable[str | Example],
    *,
    score: Score = "relative",
    baseline: Iterable[str] = (),
    templates: str | Iterable[str] = "plain",
    view: View | None = None,
    region: Region | None = None,
    downsample: float | Literal["auto"] = "auto",
    overlap: float = OVERLAP,
    quality: Quality = "standard",
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> HeadMaps:
    """Return the map of every head of every layer; sums and differences of them cost nothing more.

    Each tile goes through the model once. Summed over layers and heads the maps are those of
    ``encode(model, image).heatmaps(prompts)``.

    Parameters
    ----------
    model, image, prompts, score, baseline, templates, view, region, downsample, overlap, quality
        As `explain` takes them.
    progress : callable(done_tiles, total_tiles), optional
    cancelled : callable() -> bool, optional
        Called before each tile; true stops the work.

    Returns
    -------
    HeadMaps
        ``only(layers=["L3"])`` and ``only(heads=["L3H1", "L2H0"])`` are the maps of those heads,
        ``without(heads=["L3H1"])`` the maps of all others.

    Raises
    ------
    PromptError
        The prompts cannot be read, or the score is no sum of contributions.
    ImageError
        The image cannot be used, or the maps take too much memory.
    SettingsError
        A setting is outside the accepted range.
    Cancelled
        `cancelled` returned true.

    Examples
    --------
    >>> every = nch.head_maps(model, image, ["nuclei", "filaments"])
    >>> every.only(layers=["L3"]).values.shape
    (2, 96, 96)
    """
    require_model(model)
    scoring = build_scoring(model.text, prompts, score, baseline, templates)
    require_own_examples(model, scoring)
    tiled = TiledImage(
        model,
        image,
        view=view,
        region=region,
        downsample=downsample,
        overlap=overlap,
        quality=quality,
    )
    return finish(map_heads(tiled, scoring), progress, cancelled)


def map_heads(tiled: TiledImage, scoring: Scoring) -> Generator[Step, None, HeadMaps]:
    """Send all tiles through the model and keep the map of every head, tile by tile.

    Parameters
    ----------
    tiled : TiledImage
    scoring : Scoring
        From `build_scoring`.

    Yields
    ------
    (int, int)
        Tiles that are done, and all of them.

    Raises
    ------
    PromptError
        The score is no sum of contributions.
    ImageError
        The maps of all heads take too much memory.
    """
    require_sum(scoring)
    sums = _HeadSums(tiled, scoring)
    tiles = tiled.tiles
    yield 0, len(tiles)
    for number, tile in enumerate(tiles, 1):
        sums.add(tile, tile_heads(tiled.model, tiled.read(tile)))
        yield number, len(tiles)
    return sums.finished()


class _HeadSums:
    """The maps of all heads while they grow."""

    def __init__(self, tiled: TiledImage, scoring: Scoring) -> None:
        import torch

        self._tiled, self._scoring = tiled, scoring
        model, grid = tiled.model, tiled.lattice.grid
        heads = model.n_layers, model.n_heads
        shape = (len(scoring.prompts), *heads, *grid)
        size = 4 * int(np.prod(shape, dtype=np.int64))
        if size > MEMORY:
            raise ImageError(
                f"the maps of {heads[0]} x {heads[1]} heads for {shape[0]} prompts on {grid[0]} x "
                f"{grid[1]} patches would take {size / 2**30:.0f} GB of memory; at most "
                f"{MEMORY // 2**30} GB are used: choose fewer prompts, a region or a larger "
                "downsample"
            )
        self._values = np.zeros(shape, np.float32)
        self._text = torch.from_numpy(scoring.text)
        self._directions = torch.from_numpy(scoring.directions)
        self._direct: NDArray[np.float32] | None = None
        self._whole: dict[TileIndex, tuple[Any, Any]] = {}

    def add(self, tile: TileIndex, heads: HeadVectors) -> None:
        """Add a tile."""
        import torch

        lattice = self._tiled.lattice
        (y, in_y), (x, in_x) = lattice.y.cells(tile[0]), lattice.x.cells(tile[1])
        weights = lattice.y.weights[tile[0], y, np.newaxis] * lattice.x.weights[tile[1], x]
        maps = computed(partial(heads.maps, self._directions))[0].astype(np.float32)
        self._values[..., y, x] += weights * maps[..., in_y, in_x]
        if heads.direct_by_token is not None:
            if self._direct is None:
                self._direct = np.zeros((len(self._values), *lattice.grid), np.float32)
            direct_map = computed(partial(heads.direct_map, self._directions))[0]
            self._direct[:, y, x] += weights * direct_map[:, in_y, in_x].astype(np.float32)
        ones = torch.ones(1, heads.n_tokens)
        every = computed(partial(heads.contributions, ones, self._text))[0]
        direct = computed(partial(heads.direct_contributions, self._text))[0].sum(axis=1)
        self._whole[tile] = every, direct

    def finished(self) -> HeadMaps:
        """Return the maps once all tiles were added."""
        tiled = self._tiled
        counted = [self._whole[tile] for tile in tiled.counted()]
        heads = np.mean([each for each, _ in counted], axis=0)
        direct = np.mean([each for _, each in counted], axis=0)
        self._values[..., ~tiled.region.cells(tiled.lattice)] = np.nan
        return HeadMaps(
            scoring=self._scoring,
            lattice_values=self._values,
            contributions=heads.astype(np.float32),
            similarity=(heads.sum(axis=(1, 2)) + direct).astype(np.float32),
            lattice=tiled.lattice,
            region=tiled.region,
            validity=tiled.validity,
            direct_values=self._direct,
        )
