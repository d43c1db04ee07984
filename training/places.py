"""Where a drawn view shows what its captions name: the share of each patch that it covers.

A drawn picture knows where everything lies. So each of its patches has captions of its own, as if
it had been cut out and described. Of a real picture only what it does not show at all has a place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from einops import reduce
from numpy.typing import NDArray

from training.captions import FALSE, Caption, Content

__all__ = ["caption_shares"]


def caption_shares(
    captions: Sequence[Caption],
    contents: Sequence[Content],
    states: NDArray[np.int8],
    n_rows: int,
) -> NDArray[np.float32]:
    """Return which share of each patch a caption covers, NaN where nobody knows.

    Parameters
    ----------
    captions : sequence of Caption
    contents : sequence of Content
    states : int8 (view, caption)
        As `truths` gives them.
    n_rows : int
        Rows, and columns, of patches in a view; its side is a multiple of them. 0 asks nothing.

    Returns
    -------
    float32 (view, caption, row, column)
        0 for a caption that is false of the whole view.
    """
    shares = np.full((*states.shape, n_rows, n_rows), np.nan, np.float32)
    if not n_rows:
        return shares
    shares[states == FALSE] = 0
    for view, content in enumerate(contents):
        covered = {name: _shares(mask, n_rows) for name, mask in content.masks.items()}
        for column, caption in enumerate(captions):
            if states[view, column] != FALSE and _names_one_class(caption):
                shares[view, column] = covered.get(caption.classes[0], np.nan)
    return shares


def _shares(mask: NDArray[np.bool_], n_rows: int) -> NDArray[np.float32]:
    pixels = mask.astype(np.float32)
    return reduce(pixels, "(row y) (column x) -> row column", "mean", row=n_rows, column=n_rows)


def _names_one_class(caption: Caption) -> bool:
    """Return whether a caption names things of one class, in whatever color and density."""
    return len(caption.classes) == 1 and not caption.modality
