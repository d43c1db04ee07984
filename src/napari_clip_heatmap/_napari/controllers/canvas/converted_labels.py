"""Objects where napari's *Convert to Labels* would leave none; pyramids that it can save.

napari turns values into whole numbers, and the values of a heatmap are small: all would be 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers._multiscale_data import MultiScaleData

from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap.errors import OutputError

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from numpy.typing import DTypeLike, NDArray

__all__ = ["HeatmapLevels", "objects_above_otsu", "refill"]


LARGEST_ARRAY = 8 * 2**30
"""Bytes of a level that may be computed in one piece."""


class HeatmapLevels(MultiScaleData):  # type: ignore[misc] # napari ships no types
    """The levels of a heatmap, which can be converted and saved like an array."""

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[np.generic]:
        """Return the finest level, which is what a file must hold; napari's own is the coarsest.

        Raises
        ------
        OutputError
            It is larger than `LARGEST_ARRAY`.
        """
        finest = self[0]
        if finest.nbytes > LARGEST_ARRAY:
            raise OutputError(
                f"the heatmap has {finest.nbytes / 2**30:.1f} GiB at full resolution; napari "
                f"writes one that fits into memory, up to {LARGEST_ARRAY / 2**30:.0f} GiB. Save "
                "the encoding instead (in the dock): all heatmaps can be made from it"
            )
        values: NDArray[np.generic] = np.asarray(finest, dtype)
        return values.copy() if copy else values

    def astype(self, dtype: Any) -> list[Any]:
        """Return the levels with values of another type."""
        return [level.astype(dtype) for level in self]


def refill(labels: Labels, heatmap: Image) -> float:
    """Give labels that were converted from a heatmap its objects; return the threshold.

    Those of a pyramid are one object, as they are computed where they are looked at; *Annotate*
    numbers them. The layer belongs to the user from now on.

    Parameters
    ----------
    labels : Labels
        As napari made it.
    heatmap : Image
    """
    prompt = labels.metadata.pop(METADATA_KEY)["prompt"]
    if heatmap.multiscale:
        limit = _otsu(np.asarray(heatmap.data[-1]))
        labels.data = [(level > limit).astype(np.int32) for level in heatmap.data]
    else:
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
    from skimage.measure import label  # importing it takes 0.1 s, which no run needs

    limit = _otsu(values)
    return label(values > limit, connectivity=1).astype(np.int32), limit


def _otsu(values: NDArray[np.float32]) -> float:
    """Return Otsu's threshold of the known values; infinity where all are equal."""
    known = values[np.isfinite(values)]
    if not known.size or known.min() == known.max():
        return float("inf")
    from skimage.filters import threshold_otsu  # as above

    return float(threshold_otsu(known))
