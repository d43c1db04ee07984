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

__all__ = ["ROWS", "caption_shares"]

ROWS = 12
"""Rows and columns of patches in a view, as `demo` divides it."""


def caption_shares(
    captions: Sequence[Caption], contents: Sequence[Content], states: NDArray[np.int8]
) -> NDArray[np.float32]:
    """Return which share of each patch a caption covers, NaN where nobody knows.

    Parameters
    ----------
    captions : sequence of Caption
    contents : sequence of Content
        Of views whose sides are a multiple of `ROWS`.
    states : int8 (view, caption)
        As `truths` gives them.

    Returns
    -------
    float32 (view, caption, row, column)
        0 for a caption that is false of the whole view.
    """
    shares = np.full((*states.shape, ROWS, ROWS), np.nan, np.float32)
    shares[states == FALSE] = 0
    for view, content in enumerate(contents):
        covered = {name: _shares(mask) for name, mask in content.masks.items()}
        for column, caption in enumerate(captions):
            if states[view, column] != FALSE and _names_one_class(caption):
                shares[view, column] = covered.get(caption.classes[0], np.nan)
    return shares


def _shares(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    return reduce(
        mask.astype(np.float32), "(row y) (column x) -> row column", "mean", row=ROWS, column=ROWS
    )


def _names_one_class(caption: Caption) -> bool:
    """Return whether a caption names things of one class, in whatever color and density."""
    return len(caption.classes) == 1 and not caption.modality
