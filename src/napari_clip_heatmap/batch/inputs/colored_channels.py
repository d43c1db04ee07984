"""Channels of an image in colors that were asked for, whatever kind of file holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, PlaneIndex
from napari_clip_heatmap.errors import ImageError, SettingsError, shorten
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
from napari_clip_heatmap.imaging.channel import Channel

__all__ = ["ChannelColor", "in_colors", "ramp_to"]


@dataclass(frozen=True)
class ChannelColor:
    """A channel, and the color that its brightest values are shown in.

    Parameters
    ----------
    number : int
        Of the channel, from 0.
    color : str
        Any that Pillow reads: a name such as "cyan", "#00ffff", "hsl(180, 100%, 50%)". It is kept
        as "#rrggbb".

    Raises
    ------
    SettingsError
        There is no such color, or it is black.

    Examples
    --------
    >>> ChannelColor(0, "cyan")
    ChannelColor(number=0, color='#00ffff')
    """

    number: int
    color: str

    def __post_init__(self) -> None:
        from PIL import ImageColor

        try:
            red, green, blue = ImageColor.getrgb(self.color)[:3]
        except ValueError as error:
            raise SettingsError(
                f"there is no color '{shorten(self.color, 40)}'; accepted: a name such as blue, "
                "cyan, magenta or gray, or #rrggbb"
            ) from error
        if not red + green + blue:
            raise SettingsError(
                f"channel {self.number} is shown in black, so it would not be seen; choose "
                "another color, or leave it out"
            )
        object.__setattr__(self, "color", f"#{red:02x}{green:02x}{blue:02x}")


def ramp_to(color: str) -> NDArray[np.float32]:
    """Return the colors from black to one in hexadecimal, with or without a "#".

    Returns
    -------
    float32 (2, 3)
        In 0..1.

    Examples
    --------
    >>> ramp_to("#0000ff").tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    digits = color.lstrip("#")
    rgb = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    return np.array([[0, 0, 0], rgb], np.float32)


def in_colors(
    open_choice: Callable[[PictureChoice], BatchImage],
    choice: PictureChoice,
    colors: Sequence[ChannelColor],
) -> BatchImage:
    """Open channels one by one, and show their sum, each in its color.

    Parameters
    ----------
    open_choice : callable(PictureChoice) -> BatchImage
        Opens the image, with one channel chosen.
    choice : PictureChoice
        Of anything but channels.
    colors : sequence of ChannelColor

    Raises
    ------
    ImageError
        A channel is not there, or has colors of its own.

    Examples
    --------
    >>> image = in_colors(open_it, PictureChoice(), [ChannelColor(0, "blue")])  # doctest: +SKIP
    """
    opened = [open_choice(replace(choice, channel=each.number)) for each in colors]

    def channels(index: PlaneIndex) -> tuple[Channel, ...]:
        return tuple(
            _colored(channel, each)
            for image, each in zip(opened, colors, strict=True)
            for channel in image.channels(index)
        )

    return replace(opened[0], channels=channels)


def _colored(channel: Channel, wanted: ChannelColor) -> Channel:
    if channel.n_colors != 1:
        raise ImageError(
            f"channel {wanted.number} is in colors already, so it cannot be shown in "
            f"{wanted.color}; leave out --channel"
        )
    return replace(channel, lut=ramp_to(wanted.color))
