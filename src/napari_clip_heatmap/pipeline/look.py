"""Show tiles to the model, and take down what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Look", "look"]


@dataclass(frozen=True, eq=False)
class Look:
    """What the model says of one tile.

    Parameters
    ----------
    tokens : float32 (cells_y, cells_x, d_embed)
        Each patch's share of the tile's unit embedding.
    embedding : float32 (d_embed,)
        Of length 1.
    """

    tokens: NDArray[np.float32]
    embedding: NDArray[np.float32]


def look(model: ClipModel, tiles: Sequence[NDArray[np.float32]]) -> list[Look]:
    """Show tiles (tile_y, tile_x, 3), in 0..1, to the model in one pass."""
    answer = model.token_map(model.preprocess(np.stack(tiles)))
    whole = answer.representation.double().cpu().numpy()  # [tile, d_embed]
    unit = (whole / np.linalg.norm(whole, axis=1, keepdims=True)).astype(np.float32)
    tokens = answer.tokens.float().cpu().numpy()
    return [Look(*each) for each in zip(tokens, unit, strict=True)]
