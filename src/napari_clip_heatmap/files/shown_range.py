"""Which values of an image file become black and white: the one place where this is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ViewSetting", "channel_and_view", "describe_range", "seen_colors", "shown_range"]

ViewSetting = Literal["percentile", "min-max", "raw"] | tuple[float, float] | None
"""A mode of `View`, two values, or None for the library's default."""


def channel_and_view(image: NDArray[Any], setting: ViewSetting) -> tuple[Channel, View]:
    """Return an image and a view for `encode`, from what was set.

    Parameters
    ----------
    image : array (y, x), (y, x, 3) or (y, x, 4)
    setting : "percentile", "min-max", "raw" or (low, high), optional
        How `View` finds the range, or the values themselves that become black and white.

    Returns
    -------
    Channel, View

    Examples
    --------
    >>> import numpy as np
    >>> channel, view = channel_and_view(np.zeros((4, 5)), (0.0, 9.0))
    >>> shown_range(channel, view)
    (0.0, 9.0)
    """
    if setting is None:
        return Channel((image,)), View()
    if isinstance(setting, tuple):
        return Channel((image,), limits=setting), View()
    return Channel((image,)), View(setting)


def shown_range(channel: Channel, view: View) -> tuple[float, float]:
    """Return the values that become black and white.

    Examples
    --------
    >>> import numpy as np
    >>> shown_range(Channel((np.zeros((4, 5), np.uint8),)), View())
    (0.0, 255.0)
    """
    tone = view.appearance([channel]).tones[0]
    return float(tone.low), float(tone.high)


def describe_range(limits: tuple[float, float], downsample: float, *, automatic: bool) -> str:
    """Say which values and which resolution the model saw.

    Parameters
    ----------
    limits : (low, high)
        From `shown_range`.
    downsample : float
        Image pixels per pixel that the model saw.
    automatic : bool
        Whether `downsample` was chosen by "auto".

    Examples
    --------
    >>> describe_range((0.0, 255.0), 2.5, automatic=True)
    'values from 0 (black) to 255 (white); 2.5 image pixels per model pixel (chosen automatically)'
    """
    low, high = (f"{value:.6g}" for value in limits)
    pixels = "1 image pixel" if downsample == 1 else f"{downsample:.4g} image pixels"
    chosen = " (chosen automatically)" if automatic else ""
    return f"values from {low} (black) to {high} (white); {pixels} per model pixel{chosen}"


def seen_colors(channel: Channel, view: View) -> NDArray[np.float32]:
    """Return the image in the colors that the model saw, float32 (y, x, 3) in 0..1.

    Examples
    --------
    >>> import numpy as np
    >>> seen_colors(Channel((np.full((1, 1), 255, np.uint8),)), View()).tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    height, width = channel.shape
    source = ImageSource([channel], view.appearance([channel]), (height, width))
    return source.read(slice(0, height), slice(0, width))
