"""The maps of several prompts, at the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging import colours
from napari_clip_heatmap.pipeline.heatmap_objects import HeatmapObjects
from napari_clip_heatmap.pipeline.maps import Maps

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["Heatmaps"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Heatmaps(HeatmapObjects, Maps):
    """One map per prompt, as `Encoding.heatmaps` returns them.

    Beside `values` there are ``prompts``, ``similarity``, ``lattice_values``, ``score``,
    ``baseline``, ``unit``, ``notes`` and ``recipes``.

    Parameters
    ----------
    scoring, lattice_values, similarity
        As `Maps` takes them.
    encoding : Encoding
        What they were made of.
    values : float32 (prompt, y, x)
        Share of the cosine similarity that the patch under each image pixel carries (for "softmax"
        its probability), interpolated bilinearly between patch centres; NaN where the image is
        invalid, and outside the region.
    """

    encoding: Encoding
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

    @cached_property
    def verdicts(self) -> tuple[str, ...]:
        """What each map is worth, as far as its text goes; see `PromptCheck`."""
        # Not above: both import `Encoding`, which imports this module.
        from napari_clip_heatmap.pipeline.honesty import judge
        from napari_clip_heatmap.pipeline.yardstick import make_yardstick

        null = make_yardstick(self.encoding, self.scoring.templates)
        checks = judge(self.encoding, self.scoring, null).checks
        return tuple(str(check.verdict) for check in checks)
