"""Compute the contributions of layers and heads, at a place and for the whole image."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import Cancelled, PromptError, SettingsError, shown_value
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.lattice import OVERLAP, Axis, Quality
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.explanation.explanation import Explanation
from napari_clip_heatmap.pipeline.explanation.place import CellWeights, read_place
from napari_clip_heatmap.pipeline.explanation.tile_heads import (
    TiledImage,
    TileIndex,
    computed,
    tile_heads,
)
from napari_clip_heatmap.pipeline.scoring import Scoring, build_scoring

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.score_registry import Score
    from napari_clip_heatmap.prompting.example import Example

__all__ = [
    "Step",
    "explain",
    "explain_place",
    "explain_whole",
    "finish",
    "require_model",
    "require_own_examples",
    "require_sum",
]

Step = tuple[int, int]
"""Tiles that are done, and all of them."""

Result = TypeVar("Result")


def explain(
    model: ClipModel,
    image: ArrayLike | Channel | Sequence[Channel],
    prompts: Iterable[str | Example],
    *,
    at: Any = None,
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
) -> Explanation:
    """Return the contribution of every layer and head to the maps' value at one place.

    The contributions, plus what belongs to no head, sum to the value that ``encode(model,
    image).heatmaps(prompts)`` has there, where tiles overlap too: each tile's contributions count
    as much as the tile does in the map (arXiv 2310.05916). Only the tiles over the place go through
    the model, and each only once: the last ones are kept.

    Parameters
    ----------
    model : ClipModel
    image : array, Channel or sequence of Channel
        As `encode` takes it.
    prompts : iterable of str or Example
    at : (int, int), bool array (y, x) or None
        A pixel as (row, column); a mask, over whose pixels the maps' mean is explained; or None:
        the similarity of the whole image, which is the mean over its tiles.
    score, baseline, templates
        As `Encoding.heatmaps` takes them; not "softmax", whose probabilities are no sums.
    view, region, downsample, overlap, quality
        As `encode` takes them.
    progress : callable(done_tiles, total_tiles), optional
    cancelled : callable() -> bool, optional
        Called before each tile; true stops the work.

    Returns
    -------
    Explanation
        ``contributions`` float32 (prompt, layer, head), ``rest`` and ``value`` float32 (prompt,).
        Models that pool the tokens of their last layer (SigLIP, CoCa, ResNet) have that one layer;
        those that take a mean over places (ConvNeXt, Swin, FastViT) have one head as well.

    Raises
    ------
    PromptError
        The prompts cannot be read, or the score is no sum of contributions.
    SettingsError
        `at` names no place of the image, or a setting is invalid.
    ImageError
        The image cannot be used, or the maps have no value at the place.
    Cancelled
        `cancelled` returned true.

    Examples
    --------
    >>> why = nch.explain(model, image, ["nuclei", "filaments"], at=(40, 52))
    >>> why.contributions.shape
    (2, 5, 8)
    >>> maps = nch.encode(model, image).heatmaps(["nuclei", "filaments"])
    >>> bool(abs(why.value - maps.values[:, 40, 52]).max() < 1e-5)
    True
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
    steps = explain_whole(tiled, scoring) if at is None else explain_place(tiled, scoring, at)
    return finish(steps, progress, cancelled)


def finish(
    steps: Generator[Step, None, Result],
    progress: Callable[[int, int], None] | None,
    cancelled: Callable[[], bool] | None,
) -> Result:
    """Run all steps and return the result; report each step that is new, and ask whether to stop.

    Raises
    ------
    Cancelled
        `cancelled` returned true.
    """
    last: Step | None = None
    while True:
        if cancelled is not None and cancelled():
            raise Cancelled("cancelled before all tiles were done; those that were are kept")
        try:
            step = next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        if progress is not None and step != last:
            progress(*step)
        last = step


def explain_place(
    tiled: TiledImage, scoring: Scoring, at: Any
) -> Generator[Step, None, Explanation]:
    """Explain the maps' value at a pixel, or their mean over a mask, tile by tile.

    Parameters
    ----------
    tiled : TiledImage
    scoring : Scoring
        From `build_scoring`.
    at : (int, int) or bool array (y, x)

    Yields
    ------
    (int, int)
        Tiles that are done, and all of them.

    Raises
    ------
    PromptError
        The score is no sum of contributions.
    SettingsError, ImageError
        The place is not on the image, or the maps have no value there.
    """
    require_sum(scoring)
    place = read_place(at, tiled.lattice.image_shape)
    tiles = tiled.tiles_over(*place.cells(tiled.lattice))
    for tile in tiles:  # what is invalid is known only once it was read
        tiled.read(tile)
        yield 0, len(tiles)
    touched = tiled.region.cells(tiled.lattice)
    cells = place.weights(tiled.lattice, touched, tiled.validity.read, tiled.region.inside)
    weighted = [(tile, _in_tile(tiled, tile, cells)) for tile in tiles]
    weighted = [(tile, weights) for tile, weights in weighted if weights.any()]
    heads_sum: Any = 0.0
    direct_sum: Any = None
    for number, (tile, weights) in enumerate(weighted, 1):
        heads, direct = _contributions(tiled, tile, scoring.directions, weights)
        heads_sum = heads_sum + heads
        if direct is not None:
            direct_sum = direct if direct_sum is None else direct_sum + direct
        yield number, len(weighted)
    return Explanation(
        prompts=scoring.prompts,
        score=scoring.score,
        contributions=np.asarray(heads_sum, np.float32),
        parts={} if direct_sum is None else _named(direct_sum),
        tiles=len(weighted),
        n_pixels=cells.n_pixels,
    )


def explain_whole(tiled: TiledImage, scoring: Scoring) -> Generator[Step, None, Explanation]:
    """Explain the similarity of the image, or of its region: the mean over tiles, tile by tile.

    Parameters
    ----------
    tiled, scoring
        As `explain_place` takes them.

    Yields
    ------
    (int, int)
        Tiles that are done, and all of them.
    """
    import torch

    tiles = tiled.tiles
    for tile in tiles:  # which tiles count is known only once they were read
        tiled.read(tile)
        yield 0, len(tiles)
    counted = tiled.counted()
    text = torch.from_numpy(scoring.text)
    heads_sum: Any = 0.0
    direct_sum: Any = 0.0
    for number, tile in enumerate(counted, 1):
        heads = tile_heads(tiled.model, tiled.read(tile))
        ones = torch.ones(1, heads.n_tokens)
        heads_sum = heads_sum + computed(partial(heads.contributions, ones, text))[0]
        direct_sum = direct_sum + computed(partial(heads.direct_contributions, text))[0]
        yield number, len(counted)
    return Explanation(
        prompts=scoring.prompts,
        score=scoring.score,
        contributions=(heads_sum / len(counted)).astype(np.float32),
        parts=_named(direct_sum / len(counted)),
        whole=True,
        tiles=len(counted),
        n_pixels=tiled.lattice.image_shape[0] * tiled.lattice.image_shape[1],
    )


def require_model(model: object) -> None:
    """Raise `SettingsError` unless it is a model that was loaded."""
    if not hasattr(model, "head_vectors"):
        raise SettingsError(
            f"model is {shown_value(model)}; accepted: what load_model returns, such as "
            "load_model('demo')"
        )


def require_own_examples(model: ClipModel, scoring: Scoring) -> None:
    """Raise `PromptError` if a prompt is an example that was made with another model."""
    if scoring.examples:  # else the hash of the weights is not needed
        scoring.require_model(model.describe())


def require_sum(scoring: Scoring) -> None:
    """Check that a score's maps are sums of contributions.

    Raises
    ------
    PromptError
        They are probabilities.
    """
    if scoring.unit != "cosine":
        raise PromptError(
            f"the score '{scoring.score}' is a {scoring.unit}, which is no sum of contributions of "
            "layers and heads; choose 'relative', 'balanced', 'absolute' or 'contrast'"
        )


def _in_tile(tiled: TiledImage, tile: TileIndex, cells: CellWeights) -> NDArray[np.float64]:
    """Return the weight of each patch of a tile in a sum over cells, (cells_y, cells_x)."""
    axes = tiled.lattice.y, tiled.lattice.x
    weights = np.zeros([axis.cells_per_tile for axis in axes])
    (y, in_y), (x, in_x) = (
        _common(axis, at, wanted)
        for axis, at, wanted in zip(axes, tile, (cells.rows, cells.columns), strict=True)
    )
    blended = np.outer(axes[0].weights[tile[0], y], axes[1].weights[tile[1], x])
    inside = cells.weights[np.ix_(y - cells.rows.start, x - cells.columns.start)]
    weights[np.ix_(in_y, in_x)] = blended * inside
    return weights


def _common(axis: Axis, tile: int, wanted: slice) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of some cells a tile covers: counted on the lattice, and in the tile."""
    on_lattice, in_tile = axis.cells(tile)
    cells = np.arange(on_lattice.start, on_lattice.stop, on_lattice.step)
    near = (cells >= wanted.start) & (cells < wanted.stop)
    return cells[near], np.arange(in_tile.start, in_tile.stop)[near]


def _contributions(
    tiled: TiledImage,
    tile: TileIndex,
    directions: NDArray[np.float32],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return what a weighted sum of a tile's patches is made of.

    Returns
    -------
    float64 (prompt, layer, head), float64 (prompt, layer + 1)
        Of heads, and of input and MLPs where these belong to tokens.
    """
    import torch

    heads = tile_heads(tiled.model, tiled.read(tile))
    by_token = heads.patch_weights(torch.from_numpy(weights)[None].float())
    text = torch.from_numpy(directions)
    of_heads = computed(partial(heads.contributions, by_token, text))[0]
    if heads.direct_by_token is None:
        return of_heads, None
    return of_heads, computed(partial(heads.direct_of_tokens, by_token, text))[0]


def _named(direct: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    """Return input and MLPs by their names, from (prompt, layer + 1)."""
    names = ["input", *(f"L{layer} MLP" for layer in range(direct.shape[1] - 1))]
    return dict(zip(names, direct.T.astype(np.float32), strict=True))
