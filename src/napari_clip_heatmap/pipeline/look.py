"""Show tiles to the model, and take down what it says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Look", "start_looking"]


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


def start_looking(
    model: ClipModel, tiles: Sequence[NDArray[np.float32]]
) -> Callable[[], list[Look]]:
    """Show tiles (tile_y, tile_x, 3), in 0..1, to the model in one pass.

    Returns
    -------
    callable() -> list of Look
        Waits for the answer. A CPU has given it by now; CUDA is given the work and goes on by
        itself, so that others can be read and sent meanwhile.
    """
    from napari_clip_heatmap.clip.transfer import fetch

    answer = model.token_map(model.preprocess(np.stack(tiles)))
    fetched = fetch(answer.tokens.float(), answer.representation)

    def finish() -> list[Look]:
        tokens, whole = fetched()
        whole = whole.astype(np.float64)  # [tile, d_embed]
        with np.errstate(invalid="ignore"):  # half precision may overflow; the caller will see
            unit = (whole / np.linalg.norm(whole, axis=1, keepdims=True)).astype(np.float32)
        return [Look(*each) for each in zip(tokens, unit, strict=True)]

    return finish
