"""What the patches beneath each object say, added up exactly, plane by plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.coverage import Coverage, measure_coverage
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.presence import top_mean
from napari_clip_heatmap.pipeline.scoring import Scoring

__all__ = ["PlaneSums", "StackSums", "merge_planes", "sum_plane"]

_Sums = NDArray[np.float64]

_MOSTLY = 0.5
"""Fraction of a patch from which it is one of the object's."""

_PATCHES = 2**13
"""Tokens that are added up at once, in double precision."""


@dataclass(frozen=True, eq=False)
class PlaneSums:
    """Sums over the objects of one plane.

    Parameters
    ----------
    coverage : Coverage
    contribution : float64 (object, prompt)
        To the similarity of the plane.
    cosine : float64 (object, prompt + null)
        Sum of the token map times each text direction, over the patches that are known, by the
        fraction of each that the object covers.
    heat : float64 (object, prompt)
        The same of the maps of the score.
    patches : float64 (object,)
        Sum of these fractions.
    rise, rise_weight : float64 (object, prompt), float64 (object,)
        Sum over the patches of how far the map of the score lies above its mean over the plane,
        nothing where it lies below, by the square of the fraction; and the sum of these squares.
        A patch that an object barely touches shows its surroundings, so it says less of it.
    strongest : float64 (object, prompt)
        Mean of the highest values over the patches of the object, times the patches of a tile;
        minus infinity where nothing is known.
    total, similarity : float64 (prompt,)
        Contribution of all patches, and the cosine of the plane with each prompt.
    map_sum, map_max : float64 (prompt,)
        Over all patches of each map of the score.
    n_known : int
        Patches of the maps that are known.
    """

    coverage: Coverage
    contribution: _Sums
    cosine: _Sums
    heat: _Sums
    patches: _Sums
    rise: _Sums
    rise_weight: _Sums
    strongest: _Sums
    total: _Sums
    similarity: _Sums
    map_sum: _Sums
    map_max: _Sums
    n_known: int


def sum_plane(
    encoding: Encoding, labels: Any, scoring: Scoring, null: NDArray[np.floating[Any]]
) -> PlaneSums:
    """Add up the patches beneath each label of a plane.

    The similarity of a plane is the mean over its tiles. A patch that ``m`` of the ``n`` tiles see
    contributes ``m / n`` times its token in the blended map; of a patch, an object contributes the
    fraction that it covers. On a finer lattice, all of it is the mean over the shifted lattices.

    Parameters
    ----------
    encoding : Encoding
    labels : array-like of integers (y, x)
        Of the shape of the image.
    scoring : Scoring
    null : float (null, d_embed)
        Unit directions of words that mean nothing.
    """
    coverage = measure_coverage(labels, encoding.lattice)
    known, weight = _known(encoding).ravel(), _tile_weight(encoding).ravel()
    tokens = encoding.token_map.reshape(len(known), -1)
    scale = np.divide(1, known, out=np.zeros_like(known), where=known > 0)
    text = scoring.text.astype(np.float64)
    maps = encoding.scored_cells(scoring).reshape(len(scoring.prompts), -1).T
    shown = np.asarray(np.isfinite(maps).all(axis=1))
    of_patch = 1 / (encoding.lattice.y.parts * encoding.lattice.x.parts)
    words = np.concatenate([text, null])
    map_sum = maps.sum(axis=0, where=shown[:, np.newaxis], dtype=np.float64)
    n_known = int(shown.sum())
    above = np.where(shown[:, np.newaxis], np.maximum(maps - map_sum / max(1, n_known), 0), 0)
    squared = replace(coverage, fraction=coverage.fraction**2)
    return PlaneSums(
        coverage=coverage,
        contribution=_token_sums(coverage, tokens, scale * weight, text),
        cosine=_token_sums(coverage, tokens, scale * shown * of_patch, words),
        heat=coverage.sum_over_patches(np.where(shown[:, np.newaxis], maps, 0)) * of_patch,
        patches=coverage.sum_over_patches(shown.astype(np.float64)) * of_patch,
        rise=squared.sum_over_patches(above),
        rise_weight=squared.sum_over_patches(shown.astype(np.float64)),
        strongest=_strongest(coverage, tokens, scale * shown, text)
        * (encoding.lattice.y.cells_per_tile * encoding.lattice.x.cells_per_tile),
        total=_weighted_sum(tokens, scale * weight) @ text.T,
        similarity=text @ encoding.embedding.astype(np.float64),
        map_sum=map_sum,
        map_max=maps.max(axis=0, where=shown[:, np.newaxis], initial=-np.inf).astype(np.float64),
        n_known=n_known,
    )


def _known(encoding: Encoding) -> _Sums:
    """Return how much of each cell's tiles is in the token map, (grid_y, grid_x); 1 where all."""
    known = encoding.accumulator.weights(*(slice(0, n) for n in encoding.lattice.grid))
    return np.where(known < 1e-5, 0, known).astype(np.float64)


def _tile_weight(encoding: Encoding) -> _Sums:
    """Return the fraction of the tiles that count which see each cell, (grid_y, grid_x)."""
    lattice: Lattice = encoding.lattice
    counted = encoding.count_tiles(np.ones_like(lattice.unshifted)).astype(np.float64)
    seen = (lattice.y.weights > 0).T @ counted @ (lattice.x.weights > 0)
    fraction: _Sums = seen / max(1.0, counted.sum())
    return fraction


def _token_sums(
    coverage: Coverage, tokens: NDArray[np.float32], factor: _Sums, directions: _Sums
) -> _Sums:
    """Return the sum over the patches of each object of token times direction times factor."""
    sums = np.zeros((len(coverage), len(directions)))
    weight = coverage.fraction * factor[coverage.cell]
    for first in range(0, len(weight), _PATCHES):
        part = slice(first, first + _PATCHES)
        owner = coverage.owner[part]
        begins = np.flatnonzero(np.diff(owner, prepend=-1))
        near = tokens[coverage.cell[part]] * weight[part, np.newaxis]
        sums[owner[begins]] += np.add.reduceat(near, begins, axis=0) @ directions.T
    return sums


def _strongest(
    coverage: Coverage, tokens: NDArray[np.float32], factor: _Sums, directions: _Sums
) -> _Sums:
    """Return the mean of the highest values over the patches that each object mostly covers.

    An object that covers no patch for the most part has the patch of which it covers most.
    """
    strongest = np.full((len(coverage), len(directions)), -np.inf)
    most = np.zeros(len(coverage))
    np.maximum.at(most, coverage.owner, coverage.fraction)
    chosen = (coverage.fraction >= np.minimum(_MOSTLY, most[coverage.owner])) & (
        factor[coverage.cell] > 0
    )
    owner, cell = coverage.owner[chosen], coverage.cell[chosen]
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    for first, stop in pairwise([*begins, len(owner)]):
        inside = cell[first:stop]
        values = directions @ (tokens[inside] * factor[inside, np.newaxis]).T
        strongest[owner[first]] = top_mean(values)
    return strongest


def _weighted_sum(tokens: NDArray[np.float32], weight: _Sums) -> _Sums:
    total = np.zeros(tokens.shape[1])
    for first in range(0, len(tokens), _PATCHES):
        part = slice(first, first + _PATCHES)
        total += weight[part] @ tokens[part]
    return total


@dataclass(frozen=True, eq=False)
class StackSums:
    """Sums over the objects of one plane or of several, each label once.

    Parameters
    ----------
    label, area, position_sum, bbox
        As `Coverage` has them.
    planes : int64 (object, 3)
        Sum over pixels of the number of the plane, the first plane, and the one after the last.
    contribution, cosine, heat, patches, rise, rise_weight, strongest, total, similarity
        As `PlaneSums` has them; the strongest over planes, and contributions to the mean
        similarity over planes.
    map_mean, map_max : float64 (prompt,)
        Over all patches of all planes.
    """

    label: NDArray[Any]
    area: NDArray[np.int64]
    position_sum: NDArray[np.int64]
    bbox: NDArray[np.int64]
    planes: NDArray[np.int64]
    contribution: _Sums
    cosine: _Sums
    heat: _Sums
    patches: _Sums
    rise: _Sums
    rise_weight: _Sums
    strongest: _Sums
    total: _Sums
    similarity: _Sums
    map_mean: _Sums
    map_max: _Sums


def merge_planes(planes: Sequence[PlaneSums]) -> StackSums:
    """Return the sums of all planes: a label in several planes is one object."""
    covers = [plane.coverage for plane in planes]
    label, owner = np.unique(np.concatenate([each.label for each in covers]), return_inverse=True)
    number = np.repeat(np.arange(len(planes)), [len(each) for each in covers])
    area = np.concatenate([each.area for each in covers])
    bbox = np.concatenate([each.bbox for each in covers])

    def summed(parts: list[NDArray[Any]]) -> NDArray[Any]:
        values = np.concatenate(parts)
        sums = np.zeros((len(label), *values.shape[1:]), values.dtype)
        np.add.at(sums, owner, values)
        return sums

    bounds = np.concatenate([bbox, np.stack([number, number + 1], axis=1)], axis=1)
    low = np.full((len(label), 6), np.iinfo(np.int64).max)
    high = np.zeros((len(label), 6), np.int64)
    np.minimum.at(low, owner, bounds)
    np.maximum.at(high, owner, bounds)
    strongest = np.full((len(label), planes[0].strongest.shape[1]), -np.inf)
    np.maximum.at(strongest, owner, np.concatenate([plane.strongest for plane in planes]))
    n_known = sum(plane.n_known for plane in planes)
    return StackSums(
        label=label,
        area=summed([area]),
        position_sum=summed([each.position_sum for each in covers]),
        bbox=np.concatenate([low[:, :2], high[:, 2:4]], axis=1),
        planes=np.stack([summed([area * number]), low[:, 4], high[:, 5]], axis=1),
        contribution=summed([plane.contribution for plane in planes]) / len(planes),
        cosine=summed([plane.cosine for plane in planes]),
        heat=summed([plane.heat for plane in planes]),
        patches=summed([plane.patches for plane in planes]),
        rise=summed([plane.rise for plane in planes]),
        rise_weight=summed([plane.rise_weight for plane in planes]),
        strongest=strongest,
        total=np.mean([plane.total for plane in planes], axis=0),
        similarity=np.mean([plane.similarity for plane in planes], axis=0),
        map_mean=np.sum([plane.map_sum for plane in planes], axis=0) / max(1, n_known),
        map_max=np.max([plane.map_max for plane in planes], axis=0),
    )
