"""Tokens that large transformers use as registers, and how to remove them from a map.

Some background patches end up with a much larger norm than all others, because the tower stores
information about the whole image there (arXiv 2309.16588). Their contributions say nothing about
the position of the patch.
"""

from __future__ import annotations

from numbers import Real

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.errors import DecompositionError, shorten

__all__ = ["find_outliers", "inpaint_outliers", "require_factor"]


def require_factor(factor: float | None) -> None:
    """Raise unless the outlier factor is None or a finite number above 1.

    Raises
    ------
    DecompositionError
    """
    if factor is None:
        return
    if not _is_number(factor) or not 1 < factor < float("inf"):
        raise DecompositionError(
            f"outlier_factor is {shorten(repr(factor))}; accepted are None and finite numbers "
            "above 1: a token is left out if its norm is more than that many times the median "
            "norm (3 is usual)."
        )


def find_outliers(patches: Tensor, factor: float) -> Tensor:
    """Return which patches have a norm of more than `factor` times the median of their image.

    Parameters
    ----------
    patches : Tensor [batch, patch, d_model]
        The residual stream before the last block.
    factor : float

    Returns
    -------
    Tensor of bool [batch, patch]
    """
    norms = torch.linalg.vector_norm(patches, dim=-1)
    is_outlier: Tensor = norms > factor * norms.median(dim=1, keepdim=True).values
    return is_outlier


def inpaint_outliers(tokens: Tensor, outliers: Tensor) -> Tensor:
    """Return the map with each outlier replaced by the mean of its neighbors, edges first.

    Parameters
    ----------
    tokens : Tensor [batch, grid_y, grid_x, out]
    outliers : Tensor of bool [batch, grid_y, grid_x]
        At most half of the patches of an image, as `find_outliers` returns them.
    """
    known = ~outliers[:, None]  # [batch, 1, grid_y, grid_x]
    values = tokens.movedim(-1, 1) * known
    while not known.all():
        around, count = _sum_of_neighbors(values), _sum_of_neighbors(known.to(values))
        reached = ~known & (count > 0)
        values = torch.where(reached, around / count.clamp(min=1), values)
        known = known | reached
    return values.movedim(1, -1)


def _sum_of_neighbors(grid: Tensor) -> Tensor:
    """Return the sum over the 3 x 3 cells around each cell, zero outside the grid."""
    channels = grid.shape[1]
    return F.conv2d(grid, grid.new_ones(channels, 1, 3, 3), padding=1, groups=channels)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
