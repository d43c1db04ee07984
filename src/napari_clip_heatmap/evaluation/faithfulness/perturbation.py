"""Deletion and insertion: how the cosine falls and rises with the patches that a map puts first.

Petsiuk et al., "RISE", BMVC 2018, by patches: the patch is what the maps resolve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_clip_heatmap.evaluation.faithfulness.control_methods import cosines
from napari_clip_heatmap.imaging.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["FILLS", "Curves", "fill_pixels", "perturb"]

N_PARTS = 10
"""Parts in which the patches are taken away or put in."""

_BLUR = 8
"""A blurred tile's Gaussian has an eighth of the tile's side as standard deviation."""

FILLS = ("mean", "blur")
"""What stands where a patch is missing: the tile's mean color, or the tile out of focus."""


@dataclass(frozen=True)
class Curves:
    """The cosine along both ways, for one map and one fill.

    Parameters
    ----------
    deletion, insertion : float64 (part + 1,)
        Cosine after 0, 1, ... all parts of the patches are taken away, or put in.
    """

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]

    @property
    def deletion_area(self) -> float:
        """Mean cosine while patches are taken away; the lower, the better the map."""
        return float(np.trapezoid(self.deletion) / (len(self.deletion) - 1))

    @property
    def insertion_area(self) -> float:
        """Mean cosine while patches are put in; the higher, the better the map."""
        return float(np.trapezoid(self.insertion) / (len(self.insertion) - 1))

    @property
    def gain(self) -> float:
        """Insertion minus deletion: 0 for chance, negative for a map that is upside down."""
        return self.insertion_area - self.deletion_area


def fill_pixels(pixels: NDArray[np.float32], fill: str) -> NDArray[np.float32]:
    """Return what stands where patches are missing, float32 (y, x, 3).

    Parameters
    ----------
    pixels : float32 (y, x, 3)
    fill : {"mean", "blur"}
    """
    if fill == "mean":
        return np.broadcast_to(pixels.mean(axis=(0, 1)), pixels.shape).astype(np.float32)
    blurred: NDArray[np.float32] = cv2.GaussianBlur(
        pixels, (0, 0), min(pixels.shape[:2]) / _BLUR, borderType=cv2.BORDER_REFLECT
    )
    return blurred


def perturb(
    model: ClipModel,
    pixels: NDArray[np.float32],
    direction: Tensor,
    maps: Sequence[NDArray[np.floating]],
    fill: str,
) -> list[Curves]:
    """Follow the cosine while patches are taken away and put in, in each map's order.

    Parameters
    ----------
    model : ClipModel
    pixels : float32 (tile_y, tile_x, 3)
        In 0..1.
    direction : Tensor [d_embed]
        Of length 1.
    maps : sequence of float (grid_y, grid_x)
        Of equal values, the first in reading order comes first.
    fill : {"mean", "blur"}

    Returns
    -------
    list of Curves
        One a map.
    """
    whole, empty = (
        model.preprocess(each[np.newaxis])[0] for each in (pixels, fill_pixels(pixels, fill))
    )
    kept = [_kept(each) for each in maps]
    masks = np.concatenate([np.concatenate([parts, ~parts]) for parts in kept])
    both_ends = np.stack([np.ones(model.grid, bool), np.zeros(model.grid, bool)])
    batch = torch.stack([_mixed(model, whole, empty, m) for m in (*both_ends, *masks)])
    scores = cosines(model, batch, direction.expand(len(batch), -1)).double().cpu().numpy()
    full, none = scores[:2]
    curves = []
    for kept_scores, put_scores in scores[2:].reshape(len(maps), 2, N_PARTS - 1):
        curves.append(
            Curves(np.array([full, *kept_scores, none]), np.array([none, *put_scores, full]))
        )
    return curves


def _kept(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which patches are left after each part is taken away, (part - 1, grid_y, grid_x)."""
    order = np.argsort(-values.ravel(), kind="stable")
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    limits = np.round(np.arange(1, N_PARTS) / N_PARTS * len(order))
    kept: NDArray[np.bool_] = rank.reshape(values.shape) >= limits[:, np.newaxis, np.newaxis]
    return kept


def _mixed(model: ClipModel, whole: Tensor, empty: Tensor, mask: NDArray[np.bool_]) -> Tensor:
    """Return [rgb, y, x] with the patches of the mask, and the fill elsewhere."""
    (height, width), size = model.patch_size, whole.shape[1:]
    pixels = np.zeros(size, bool)  # what is beyond the last whole patch is never shown
    fine = np.kron(mask, np.ones((height, width), bool))
    pixels[: fine.shape[0], : fine.shape[1]] = fine
    return torch.where(torch.from_numpy(pixels).to(whole.device), whole, empty)
