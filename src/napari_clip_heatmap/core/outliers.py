"""Tokens that large transformers use as registers, and a map without them.

Some patches of plain background end up with a far larger norm than all others: the tower keeps
something there about the whole image (arXiv 2309.16588). Their shares say nothing about the place
where they stand.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.errors import DecompositionError

__all__ = ["find_outliers", "inpaint_outliers", "require_factor"]


def require_factor(factor: float | None) -> None:
    """Raise unless the factor is None or a number over 1.

    Raises
    ------
    DecompositionError
    """
    if factor is not None and not factor > 1:
        raise DecompositionError(
            f"outlier_factor is {factor!r}; accepted: None, or how many times the median norm a "
            "token must have to be left out, over 1 (3 is usual)."
        )


def find_outliers(patches: Tensor, factor: float) -> Tensor:
    """Tell which patches' norm is over `factor` times the image's median.

    Parameters
    ----------
    patches : Tensor [batch, patch, d_model]
        The residual stream where the last block reads it.
    factor : float

    Returns
    -------
    Tensor of bool [batch, patch]
    """
    norms = torch.linalg.vector_norm(patches, dim=-1)
    over: Tensor = norms > factor * norms.median(dim=1, keepdim=True).values
    return over


def inpaint_outliers(tokens: Tensor, outliers: Tensor) -> Tensor:
    """Return a map whose outliers hold the mean of their neighbours, from the edge inwards.

    Parameters
    ----------
    tokens : Tensor [batch, grid_y, grid_x, out]
    outliers : Tensor of bool [batch, grid_y, grid_x]
        At most half of an image's patches, as `find_outliers` returns them.
    """
    known = ~outliers[:, None]  # [batch, 1, grid_y, grid_x]
    values = tokens.movedim(-1, 1) * known
    while not known.all():
        around, count = _neighbours(values), _neighbours(known.to(values))
        reached = ~known & (count > 0)
        values = torch.where(reached, around / count.clamp(min=1), values)
        known = known | reached
    return values.movedim(1, -1)


def _neighbours(grid: Tensor) -> Tensor:
    """Return the sum over the 3 x 3 cells around each cell; nothing beyond the border."""
    channels = grid.shape[1]
    return F.conv2d(grid, grid.new_ones(channels, 1, 3, 3), padding=1, groups=channels)
