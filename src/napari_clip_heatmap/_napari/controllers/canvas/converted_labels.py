"""Objects where napari's *Convert to Labels* would leave none.

napari turns values into whole numbers, and the values of a heatmap are small: all would be 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.filters import threshold_otsu
from skimage.measure import label

from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

__all__ = ["objects_above_otsu", "refill"]


def refill(labels: Labels, heatmap: Image) -> float:
    """Give labels that were converted from a heatmap its objects; return the threshold.

    The layer belongs to the user from now on.

    Parameters
    ----------
    labels : Labels
        As napari made it.
    heatmap : Image
        Not a pyramid; napari converts none.
    """
    prompt = labels.metadata.pop(METADATA_KEY)["prompt"]
    labels.data, limit = objects_above_otsu(np.asarray(heatmap.data))
    labels.name = f"{prompt} objects"
    labels.opacity = 0.7
    labels.visible = True
    return limit


def objects_above_otsu(values: NDArray[np.float32]) -> tuple[NDArray[np.int32], float]:
    """Return connected areas above Otsu's threshold, numbered from 1, and the threshold.

    Parameters
    ----------
    values : float32 (..., y, x)
        NaN belongs to no object.

    Returns
    -------
    int32 (..., y, x), float
    """
    known = values[np.isfinite(values)]
    if not known.size or known.min() == known.max():
        return np.zeros(values.shape, np.int32), float("inf")
    limit = float(threshold_otsu(known))
    return label(values > limit, connectivity=1).astype(np.int32), limit
