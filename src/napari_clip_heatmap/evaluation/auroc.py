"""The area under the ROC curve of a heatmap against a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["auroc"]


def auroc(inside: NDArray[np.floating], outside: NDArray[np.floating]) -> float:
    """Return the probability that a pixel inside scores above one outside; ties count half.

    Parameters
    ----------
    inside, outside : ndarray (pixel,)
        Heatmap values of the pixels that are, and are not, of the class; neither is empty.

    Returns
    -------
    float
        0.5 for a map without information, 1 for a perfect separation.
    """
    ranks = rankdata(np.concatenate([inside, outside]))
    excess = ranks[: inside.size].sum() - inside.size * (inside.size + 1) / 2
    return float(excess / (inside.size * outside.size))
