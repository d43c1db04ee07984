"""The maps of several prompts, at the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging import colors as colours
from napari_clip_heatmap.pipeline.maps import Maps

__all__ = ["Heatmaps"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Heatmaps(Maps):
    """One map per prompt, as `Encoding.heatmaps` returns them.

    Beside `values` there are ``prompts``, ``similarity``, ``lattice_values``, ``score``,
    ``baseline``, ``unit``, ``notes`` and ``recipes``.

    Parameters
    ----------
    scoring, lattice_values, similarity
        As `Maps` takes them.
    values : float32 (prompt, y, x)
        Share of the cosine similarity that the patch under each image pixel carries (for "softmax"
        its probability), interpolated bilinearly between patch centres; NaN where the image is
        invalid, and outside the region.
    """

    values: NDArray[np.float32]

    def normalized(self) -> NDArray[np.float32]:
        """Return each map scaled to 0..1 by its own range, float32 (prompt, y, x); NaN stays NaN.

        A map that is the same everywhere says nothing and becomes 0.
        """
        return colours.min_max(self.values)

    def jet(self) -> NDArray[np.uint8]:
        """Return each normalized map in OpenCV's JET colours, uint8 RGB (prompt, y, x, 3).

        Red carries most of the score, blue least; invalid pixels are black.
        """
        return colours.jet(self.normalized())
