"""How stored values become the colors that the model looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError, shown_value
from napari_clip_heatmap.imaging.channel import Channel, stretched
from napari_clip_heatmap.imaging.compositing import Blend, compose_layers, with_alpha
from napari_clip_heatmap.imaging.statistics import (
    count_lines,
    percentiles,
    robust_range,
    summarize,
)
from napari_clip_heatmap.validation import ascending, boolean, number, one_of

__all__ = ["MODES", "Appearance", "Mode", "ShownRange", "Tone", "View", "seen_notes"]

Mode = Literal["shown", "percentile", "min-max", "raw"]
"""Where the values that become black and white come from; see `View`."""

MODES: tuple[Mode, ...] = get_args(Mode)

_NARROW = 0.003
"""Part of the largest value: a range below it is as good as none."""

Source = Literal["limits", "type", "robust", "percentile", "min-max"]
"""What set the range of a channel: the user, the values' type, or the values themselves."""


@dataclass(frozen=True, repr=False)
class View:
    """How the model is to see an image.

    Colors are in 0..1; several channels are added and clipped at 1, as a viewer blends them.

    Parameters
    ----------
    mode : {"shown", "percentile", "min-max", "raw"}
        "shown": by each channel's own contrast limits, gamma and colormap, as the viewer shows it.
        A channel without limits keeps the full range of its type if it is ``uint8`` or boolean.
        Other types have no agreed white, so their robust range is used: defects one pixel wide
        (hot pixels, dead columns) and no-data values such as -9999 do not count; see
        `robust_range`. All colors unit one range, which keeps the hue.
        "percentile", "min-max": by these of each channel's values. "raw": by the range of its type,
        floats as they are. These three look at gray: gamma and colormaps are left out, except the
        colormaps of several channels, which tell these apart.
    invert : bool
        Show 0 as 1 and 1 as 0, after everything else.
    low, high : float
        The percentiles of mode "percentile", 0..100.
    limits : (low, high), optional
        Values shown as 0 and as 1 in every channel, whatever the mode; the smaller first.

    Raises
    ------
    SettingsError
        A setting has a wrong type or is outside its range.

    Examples
    --------
    >>> encoding = nch.encode(model, image, view=nch.View("percentile", low=2, high=99))
    >>> encoding = nch.encode(model, image, view=nch.View(limits=(100, 4000)))

    Notes
    -----
    Ranges and percentiles come from a bounded number of values; see `summarize`.
    """

    mode: Mode = "shown"
    invert: bool = False
    low: float = 1.0
    high: float = 99.8
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        one_of("view", self.mode, MODES)
        boolean("invert", self.invert)
        numbers = number("low", self.low), number("high", self.high)
        if not 0 <= numbers[0] < numbers[1] <= 100:
            raise SettingsError(
                f"the percentiles are {self.low} and {self.high}; accepted: two ascending numbers "
                "from 0 to 100"
            )
        if self.limits is not None:
            object.__setattr__(self, "limits", ascending("limits", self.limits))

    def __repr__(self) -> str:
        changed = (
            f"{each.name}={getattr(self, each.name)!r}"
            for each in fields(self)[1:]
            if getattr(self, each.name) != each.default
        )
        return f"View({', '.join([repr(self.mode), *changed])})"

    @classmethod
    def parse(cls, text: object) -> View:
        """Return the view that a text names: a mode, or two values "LOW,HIGH".

        Raises
        ------
        SettingsError
            It is neither.

        Examples
        --------
        >>> View.parse("percentile"), View.parse("100,4000")
        (View('percentile'), View('shown', limits=(100.0, 4000.0)))
        """
        words = text.strip().lower() if isinstance(text, str) else ""
        for mode in MODES:
            if words == mode:
                return cls(mode)
        try:
            low, high = (float(part) for part in words.split(","))
        except ValueError as error:
            raise SettingsError(
                f"the view is {shown_value(text)}; accepted: {', '.join(MODES)}, or two values "
                "that become black and white, such as 100,4000"
            ) from error
        return cls(limits=(low, high))

    def appearance(self, channels: Sequence[Channel]) -> Appearance:
        """Return the tone of each channel; reads values where the view depends on them."""
        several = len(channels) > 1
        tones = tuple(self._tone(channel, several=several) for channel in channels)
        blends = tuple(channel.blend for channel in channels if channel.blend is not None)
        return Appearance(tones, self.invert, blends if self.mode == "shown" else ())

    def _tone(self, channel: Channel, *, several: bool) -> Tone:
        low, high, source = self._range(channel)
        lines = count_lines(channel, low, high) if source == "robust" else 0
        if self.mode == "shown":
            alpha = channel.blend is not None
            return Tone(low, high, channel.gamma, channel.lut, source, alpha, lines)
        colors = None if channel.lut is None else channel.lut[:, :3]
        return Tone(low, high, 1.0, colors if several else None, source, lines=lines)

    def _range(self, channel: Channel) -> tuple[float, float, Source]:
        dtype = np.dtype(channel.levels[0].dtype)
        if self.limits is not None:
            return *self.limits, "limits"
        if self.mode == "shown" and channel.limits is not None:
            return *channel.limits, "limits"
        if self.mode == "raw" or (self.mode == "shown" and dtype in (np.uint8, np.bool_)):
            return *_range_of(dtype), "type"
        if self.mode == "percentile":
            return *percentiles(channel, self.low, self.high), "percentile"
        if self.mode == "min-max":
            statistics = summarize(channel)
            return statistics.low, statistics.high, "min-max"
        return *robust_range(channel), "robust"


@dataclass(frozen=True)
class ShownRange:
    """The values of a channel that the model sees as black and as white.

    Parameters
    ----------
    low, high : float
        In the unit of the values.
    source : str
        What set them: "limits" (the user or the viewer), "type" (the values' type), or "robust",
        "percentile" or "min-max" (the values themselves).
    lines : int
        Rows and columns that look like defects of the detector.
    """

    low: float
    high: float
    source: Source
    lines: int = 0

    @property
    def is_measured(self) -> bool:
        """Whether the values themselves set the range."""
        return self.source not in ("limits", "type")

    @property
    def is_narrow(self) -> bool:
        """Whether the values hardly differ, so that stretching them shows rounding or noise."""
        low, high = self.low / 2, self.high / 2  # the range of two doubles may be no double
        return self.source != "type" and high - low <= _NARROW * max(abs(low), abs(high))


@dataclass(frozen=True, eq=False)
class Tone:
    """How one channel's values become colors.

    Parameters
    ----------
    low, high : float
        Values that become 0 and 1; beyond them values are clipped. Equal: all become 0.
    gamma : float
    lut : float32 (n, 3|4), optional
        Colors at equally spaced values.
    source : str
        What set the range.
    alpha : bool
        Whether colors keep their own opacity, as `compose_layers` needs it.
    lines : int
        As `ShownRange` has them.
    """

    low: float
    high: float
    gamma: float = 1.0
    lut: NDArray[np.float32] | None = None
    source: Source = "limits"
    alpha: bool = False
    lines: int = 0

    def __call__(
        self, colors: NDArray[Any], opacity: NDArray[Any] | None = None
    ) -> NDArray[np.float32]:
        """Return colors in 0..1, float32 (y, x, 1|3).

        Parameters
        ----------
        colors : float32 or float64 (y, x, 1|3)
            Values, times their opacity where that is given.
        opacity : float32 or float64 (y, x, 1), optional
            Transparent pixels are black.
        """
        if self.alpha:
            return with_alpha(replace(self, alpha=False), colors, opacity)
        unit = stretched(colors, self.low, self.high, opacity)
        if self.gamma != 1:
            unit **= np.float32(self.gamma)
        return unit if self.lut is None else _looked_up(unit[..., 0], self.lut)


@dataclass(frozen=True, eq=False)
class Appearance:
    """A view of particular channels: the tone of each, and how they are put together."""

    tones: tuple[Tone, ...]
    invert: bool = False
    blends: tuple[Blend, ...] = ()

    @property
    def ranges(self) -> tuple[ShownRange, ...]:
        """Per channel the values that become 0 and 1, and what set them."""
        return tuple(
            ShownRange(tone.low, tone.high, tone.source, tone.lines) for tone in self.tones
        )

    def compose(self, shown: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Add the channels' colors (y, x, 1|3), clipped at 1, or draw them by `blends`."""
        colors = shown[0]
        if self.blends:
            colors = compose_layers(shown, self.blends)
        elif len(shown) > 1:
            colors = np.minimum(sum(shown[1:], start=colors), np.float32(1))
        return np.float32(1) - colors if self.invert else colors


def _range_of(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return what an integer type can hold, and 0 and 1 for booleans and floats."""
    if dtype.kind in "ui":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return 0.0, 1.0


def _looked_up(unit: NDArray[np.float32], lut: NDArray[np.float32]) -> NDArray[np.float32]:
    position = unit * np.float32(len(lut) - 1)
    left = np.minimum(position.astype(np.intp), max(len(lut) - 2, 0))
    right = np.minimum(left + 1, len(lut) - 1)
    fraction = (position - left).astype(np.float32)[..., np.newaxis]
    table = np.asarray(lut, np.float32)
    colors: NDArray[np.float32] = table[left] * (1 - fraction) + table[right] * fraction
    return colors


_SOURCES = {
    "robust": "the range of the data without single defects and no-data values",
    "percentile": "percentiles of the data",
    "min-max": "the smallest and the largest value",
}


def seen_notes(
    ranges: Sequence[ShownRange], downsample: float, *, nothing: bool, part: str
) -> Iterator[str]:
    """Say what users must know of how the model saw their image.

    Parameters
    ----------
    ranges : sequence of ShownRange
        Per channel.
    downsample : float
    nothing : bool
        Whether there was nothing to see.
    part : str
        "image" or "region".
    """
    if nothing:
        yield (
            f"The {part} is nearly constant as the model sees it: there is nothing to see, so the "
            "maps are drawn without contrast."
        )
    several = len(ranges) > 1
    for channel, shown in enumerate(ranges, start=1):
        if shown.is_measured:
            yield _range_note(shown, f"channel {channel} " if several else "")
        if shown.lines:
            yield (
                f"{shown.lines} rows or columns are unlike both their neighbors along most of "
                "their length, as a defective line of a detector is: the model sees them, so maps "
                "may follow them. Repair them before, such as by a median filter."
            )
    if downsample > 1:
        yield (
            f"The model sees one pixel for every {downsample:.3g} image pixels along each "
            "axis (downsample); smaller things may be missed."
        )
    if downsample < 1:
        yield f"The image was enlarged {1 / downsample:.3g} times for the model."


def _range_note(shown: ShownRange, channel: str) -> str:
    return (
        f"The model sees the {channel}values {shown.low:.5g} to {shown.high:.5g} as black to white "
        f"({_SOURCES[shown.source]}); another range can be set as the view."
    )
