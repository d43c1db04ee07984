"""How stored values become the colours that the model looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.compositing import Blend, compose_layers, with_alpha
from napari_clip_heatmap.imaging.statistics import percentiles, summarise

__all__ = ["Appearance", "Mode", "Tone", "View"]

Mode = Literal["shown", "percentile", "min-max", "raw"]
"""Where the values that become black and white come from; see `View`."""


@dataclass(frozen=True)
class View:
    """How the model is to see an image.

    Colours lie in 0..1; several channels are added and clipped at 1, as a viewer blends them.

    Parameters
    ----------
    mode : {"shown", "percentile", "min-max", "raw"}
        "shown": by each channel's own limits, gamma and colormap, as the viewer shows it. A channel
        without limits is taken as it is where its values are ``uint8`` (over 255) or booleans; all
        other types have no agreed white, so their smallest value becomes 0 and their largest 1,
        over all colours at once to keep the hue.
        "percentile", "min-max": by these of each channel's values. "raw": by the range of its type,
        floats as they are. These three look at gray: gamma and colormaps are left out, but for the
        colormaps of several channels, which tell these apart.
    invert : bool
        Show 0 as 1 and 1 as 0, last of all.
    low, high : float
        The percentiles, 0..100.

    Notes
    -----
    Ranges and percentiles come from a bounded number of values; see `summarise`.
    """

    mode: Mode = "shown"
    invert: bool = False
    low: float = 1.0
    high: float = 99.8

    def __post_init__(self) -> None:
        if self.mode not in ("shown", "percentile", "min-max", "raw"):
            raise SettingsError(
                f"the view is {self.mode!r}; accepted: 'shown', 'percentile', 'min-max', 'raw'"
            )
        if not 0 <= self.low < self.high <= 100:
            raise SettingsError(
                f"the percentiles are {self.low} and {self.high}; accepted: two ascending numbers "
                "from 0 to 100"
            )

    def appearance(self, channels: Sequence[Channel]) -> Appearance:
        """Look at the channels' values where the view depends on them."""
        several = len(channels) > 1
        tones = tuple(self._tone(channel, several=several) for channel in channels)
        blends = tuple(channel.blend for channel in channels if channel.blend is not None)
        return Appearance(tones, self.invert, blends if self.mode == "shown" else ())

    def _tone(self, channel: Channel, *, several: bool) -> Tone:
        low, high = self._limits(channel)
        if self.mode == "shown":
            return Tone(low, high, channel.gamma, channel.lut, alpha=channel.blend is not None)
        lut = channel.lut if several else None
        return Tone(low, high, 1.0, lut if lut is None else lut[:, :3])

    def _limits(self, channel: Channel) -> tuple[float, float]:
        dtype = np.dtype(channel.levels[0].dtype)
        if self.mode == "shown" and channel.limits is not None:
            return channel.limits
        if self.mode == "raw" or (self.mode == "shown" and dtype in (np.uint8, np.bool_)):
            return _range_of(dtype)
        if self.mode == "percentile":
            return percentiles(channel, self.low, self.high)
        statistics = summarise(channel)
        return statistics.low, statistics.high


@dataclass(frozen=True, eq=False)
class Tone:
    """How one channel's values become colours.

    Parameters
    ----------
    low, high : float
        Values that become 0 and 1; beyond them values are clipped. Equal: all become 0.
    gamma : float
    lut : float32 (n, 3|4), optional
        Colours at equally spaced values.
    alpha : bool
        Whether colours keep their own opacity, as `compose_layers` takes them.
    """

    low: float
    high: float
    gamma: float = 1.0
    lut: NDArray[np.float32] | None = None
    alpha: bool = False

    def __call__(
        self, colours: NDArray[Any], opacity: NDArray[Any] | None = None
    ) -> NDArray[np.float32]:
        """Return colours in 0..1, float32 (y, x, 1|3).

        Parameters
        ----------
        colours : float32 or float64 (y, x, 1|3)
            Values, times their opacity where that is given.
        opacity : float32 or float64 (y, x, 1), optional
            What is not opaque is black.
        """
        if self.alpha:
            return with_alpha(replace(self, alpha=False), colours, opacity)
        # Halved, so that the range of floats as large as 1e308 is finite too.
        number = colours.dtype.type
        low, spread = number(self.low * 0.5), number(self.high * 0.5) - number(self.low * 0.5)
        share = colours * number(0.5)
        share -= low if opacity is None else low * opacity
        share = share / spread if spread > 0 else np.zeros_like(share)
        unit = np.clip(share, 0, 1).astype(np.float32, copy=False)
        if self.gamma != 1:
            unit **= np.float32(self.gamma)
        return unit if self.lut is None else _looked_up(unit[..., 0], self.lut)


@dataclass(frozen=True, eq=False)
class Appearance:
    """A view of particular channels: the tone of each, and how they are put together."""

    tones: tuple[Tone, ...]
    invert: bool = False
    blends: tuple[Blend, ...] = ()

    def compose(self, shown: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Add the channels' colours (y, x, 1|3), clipped at 1, or blend them by `blends`."""
        colours = shown[0]
        if self.blends:
            colours = compose_layers(shown, self.blends)
        elif len(shown) > 1:
            colours = np.minimum(sum(shown[1:], start=colours), np.float32(1))
        return np.float32(1) - colours if self.invert else colours


def _range_of(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return what an integer type can hold, and 0 and 1 for booleans and floats."""
    if dtype.kind in "ui":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return 0.0, 1.0


def _looked_up(unit: NDArray[np.float32], lut: NDArray[np.float32]) -> NDArray[np.float32]:
    position = unit * np.float32(len(lut) - 1)
    left = np.minimum(position.astype(np.intp), max(len(lut) - 2, 0))
    right = np.minimum(left + 1, len(lut) - 1)
    share = (position - left).astype(np.float32)[..., np.newaxis]
    table = np.asarray(lut, np.float32)
    colours: NDArray[np.float32] = table[left] * (1 - share) + table[right] * share
    return colours
