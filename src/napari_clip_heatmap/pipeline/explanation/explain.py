"""Compute the contributions of layers and heads, at a place and for the whole image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import Cancelled, PromptError, SettingsError, shown_value
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.lattice import OVERLAP
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.explanation.explanation import Explanation
from napari_clip_heatmap.pipeline.explanation.place import CellWeights, read_place
from napari_clip_heatmap.pipeline.explanation.tile_heads import TiledImage, TileIndex, tile_heads
from napari_clip_heatmap.pipeline.scoring import Scoring, build_scoring

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.score_registry import Score

__all__ = ["explain", "explain_place", "explain_whole", "require_sum", "stop_if"]

Progress = Callable[[int, int], None]
Stopped = Callable[[], bool]


def explain(
    model: ClipModel,
    image: ArrayLike | Channel | Sequence[Channel],
    prompts: Iterable[str],
    *,
    at: Any = None,
    score: Score = "relative",
    baseline: Iterable[str] = (),
    templates: str | Iterable[str] = "plain",
    view: View | None = None,
    region: Region | None = None,
    downsample: float | Literal["auto"] = "auto",
    overlap: float = OVERLAP,
    progress: Progress | None = None,
    cancelled: Stopped | None = None,
) -> Explanation:
    """Do what `napari_clip_heatmap.explain` says."""
    if not hasattr(model, "head_vectors"):
        raise SettingsError(
            f"model is {shown_value(model)}; accepted: what load_model returns, such as "
            "load_model('demo')"
        )
    scoring = build_scoring(model.text, prompts, score, baseline, templates)
    settings = {"view": view, "region": region, "downsample": downsample, "overlap": overlap}
    tiled = TiledImage(model, image, **settings)  # type: ignore[arg-type] # each of its own type
    if at is None:
        return explain_whole(tiled, scoring, progress=progress, cancelled=cancelled)
    return explain_place(tiled, scoring, at, progress=progress, cancelled=cancelled)


def explain_place(
    tiled: TiledImage,
    scoring: Scoring,
    at: Any,
    *,
    progress: Progress | None = None,
    cancelled: Stopped | None = None,
) -> Explanation:
    """Explain the maps' value at a pixel, or their mean over a mask.

    Parameters
    ----------
    tiled : TiledImage
    scoring : Scoring
        From `build_scoring`.
    at : (int, int) or bool array (y, x)
    progress, cancelled : callable, optional
        As `encode` takes them.

    Raises
    ------
    PromptError
        The score is no sum of contributions.
    SettingsError, ImageError
        The place is not on the image, or the maps have no value there.
    Cancelled
    """
    require_sum(scoring)
    place = read_place(at, tiled.lattice.image_shape)
    tiles = tiled.tiles_over(*place.cells(tiled.lattice))
    for tile in tiles:  # what is invalid is known only once it was read
        stop_if(cancelled)
        tiled.read(tile)
    touched = tiled.region.cells(tiled.lattice)
    cells = place.weights(tiled.lattice, touched, tiled.validity.read, tiled.region.inside)
    weighted = [(tile, _in_tile(tiled, tile, cells)) for tile in tiles]
    weighted = [(tile, weights) for tile, weights in weighted if weights.any()]
    total: NDArray[np.float64] | float = 0.0
    for number, (tile, weights) in enumerate(weighted):
        _report(progress, number, len(weighted))
        stop_if(cancelled)
        total = total + _contributions(tiled, tile, scoring.directions, weights)
    _report(progress, len(weighted), len(weighted))
    return Explanation(
        prompts=scoring.prompts,
        score=scoring.score,
        contributions=np.asarray(total, np.float32),
        tiles=len(weighted),
        n_pixels=cells.n_pixels,
    )


def explain_whole(
    tiled: TiledImage,
    scoring: Scoring,
    *,
    progress: Progress | None = None,
    cancelled: Stopped | None = None,
) -> Explanation:
    """Explain the similarity of the whole image, or of its region: the mean over its tiles.

    Parameters
    ----------
    tiled, scoring, progress, cancelled
        As `explain_place` takes them.

    Raises
    ------
    Cancelled
    """
    import torch

    for tile in tiled.tiles:
        stop_if(cancelled)
        tiled.read(tile)
    counted = tiled.counted()
    text = torch.from_numpy(scoring.text)
    heads_sum: Any = 0.0
    direct_sum: Any = 0.0
    for number, tile in enumerate(counted):
        _report(progress, number, len(counted))
        stop_if(cancelled)
        heads = tile_heads(tiled.model, tiled.read(tile))
        ones = torch.ones(1, heads.n_tokens)
        heads_sum = heads_sum + heads.contributions(ones, text)[0].double().cpu().numpy()
        direct_sum = direct_sum + heads.direct_contributions(text)[0].double().cpu().numpy()
    _report(progress, len(counted), len(counted))
    direct = (direct_sum / len(counted)).astype(np.float32)  # [prompt, layer + 1]
    names = ["input", *(f"L{layer} MLP" for layer in range(direct.shape[1] - 1))]
    return Explanation(
        prompts=scoring.prompts,
        score=scoring.score,
        contributions=(heads_sum / len(counted)).astype(np.float32),
        parts=dict(zip(names, direct.T, strict=True)),
        whole=True,
        tiles=len(counted),
        n_pixels=tiled.lattice.image_shape[0] * tiled.lattice.image_shape[1],
    )


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


def stop_if(cancelled: Stopped | None) -> None:
    """Raise `Cancelled` if the caller asks for it."""
    if cancelled is not None and cancelled():
        raise Cancelled("cancelled before the explanation was complete; tiles that were done stay")


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _in_tile(tiled: TiledImage, tile: TileIndex, cells: CellWeights) -> NDArray[np.float64]:
    """Return the weight of each patch of a tile in a sum over cells, (cells_y, cells_x)."""
    axes = tiled.lattice.y, tiled.lattice.x
    weights = np.zeros([axis.cells_per_tile for axis in axes])
    (y, in_y), (x, in_x) = (axis.cells(at) for axis, at in zip(axes, tile, strict=True))
    rows, from_y = _common(y, cells.rows)
    columns, from_x = _common(x, cells.columns)
    blended = np.outer(axes[0].weights[tile[0], y][rows], axes[1].weights[tile[1], x][columns])
    weights[in_y, in_x][rows, columns] = blended * cells.weights[from_y, from_x]
    return weights


def _common(covered: slice, wanted: slice) -> tuple[slice, slice]:
    """Return the intersection of two ranges of cells, counted in each."""
    low = max(covered.start, wanted.start)
    high = max(low, min(covered.stop, wanted.stop))
    return (
        slice(low - covered.start, high - covered.start),
        slice(low - wanted.start, high - wanted.start),
    )


def _contributions(
    tiled: TiledImage,
    tile: TileIndex,
    directions: NDArray[np.float32],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return one tile's contributions to a weighted sum of its patches, (prompt, layer, head)."""
    import torch

    heads = tile_heads(tiled.model, tiled.read(tile))
    by_token = heads.patch_weights(torch.from_numpy(weights)[None].float())
    found = heads.contributions(by_token, torch.from_numpy(directions))[0]
    contributions: NDArray[np.float64] = found.double().cpu().numpy()
    return contributions
