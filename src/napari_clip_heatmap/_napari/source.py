"""Which layers can be asked, and what is said of those that cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap.errors import ImageError

if TYPE_CHECKING:
    from napari.layers import Image, Layer

__all__ = ["check_layer", "no_image"]

MAX_CHANNELS = 8
"""A last axis this short, behind two much longer ones, is not an image's width."""


def no_image(active: Layer | None) -> ImageError:
    """Return the error of there being no image, naming the active layer if there is another."""
    found = f"; '{active.name}' is a {type(active).__name__} layer" if active else ""
    return ImageError(
        f"there is no image layer to ask{found}. Open an image (File > Open, or Open Sample)"
    )


def check_layer(layer: Image) -> None:
    """Refuse a layer whose last two axes are no picture.

    Raises
    ------
    ImageError
        The layer has no pixel, or its last axis holds channels.
    """
    shape = tuple(int(n) for n in (layer.data[0] if layer.multiscale else layer.data).shape)
    axes = shape[:-1] if layer.rgb else shape
    if not all(shape):
        raise ImageError(f"the layer '{layer.name}' has shape {shape}, so no pixel; choose another")
    if len(axes) > 2 and axes[-1] <= MAX_CHANNELS and min(axes[-3:-1]) >= 4 * axes[-1]:
        raise ImageError(
            f"the layer '{layer.name}' has shape {shape}: its last axis, of {axes[-1]}, looks like "
            "channels, but napari takes it for the width. Open it with "
            "viewer.add_image(data, channel_axis=-1), and choose one channel"
        )
