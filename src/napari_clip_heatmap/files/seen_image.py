"""An image file as the model sees it: in words, and as colors under the overlays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.source import ImageSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_clip_heatmap.imaging.view import ShownRange, View

__all__ = ["describe_seen", "seen_colors"]

_SOURCES = {
    "limits": "as set",
    "type": "all of their type",
    "robust": "robust range",
    "percentile": "percentiles",
    "min-max": "smallest and largest",
}


def describe_seen(ranges: Sequence[ShownRange], downsample: float, *, automatic: bool) -> str:
    """Say which values and which resolution the model saw.

    Parameters
    ----------
    ranges : sequence of ShownRange
        Per channel, as `Encoding.ranges`.
    downsample : float
        Image pixels per pixel that the model saw.
    automatic : bool
        Whether `downsample` was chosen by "auto".

    Examples
    --------
    >>> from napari_clip_heatmap.imaging.view import ShownRange
    >>> describe_seen([ShownRange(50.0, 3939.0, "robust")], 2.5, automatic=True)
    'values 50 to 3939 as black to white (robust range); 2.5 image pixels per model pixel (auto)'
    """
    values = ", ".join(
        f"{shown.low:.6g} to {shown.high:.6g} as black to white ({_SOURCES[shown.source]})"
        for shown in ranges
    )
    pixels = "1 image pixel" if downsample == 1 else f"{downsample:.4g} image pixels"
    return f"values {values}; {pixels} per model pixel{' (auto)' if automatic else ''}"


def seen_colors(image: NDArray[Any], view: View) -> NDArray[np.float32]:
    """Return an image in the colors that the model saw, float32 (y, x, 3) in 0..1.

    Parameters
    ----------
    image : array (y, x), (y, x, 3) or (y, x, 4)
    view : View
        As it was given to `encode`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_clip_heatmap.imaging.view import View
    >>> seen_colors(np.full((1, 1), 255, np.uint8), View()).tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    channels = as_channels(image)
    height, width = channels[0].shape
    source = ImageSource(channels, view.appearance(channels), (height, width))
    return source.read(slice(0, height), slice(0, width))
