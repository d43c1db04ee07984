"""Which of several pictures of a file is meant; none is ever taken in silence."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError, SettingsError, shorten

__all__ = ["Axis", "PictureChoice", "short_name"]

Axis = tuple[Literal["page", "time", "z", "channel"], int]
"""What the positions along an axis of a file are, and how many there are."""


@dataclass(frozen=True)
class PictureChoice:
    """What was chosen of a file that holds several pictures; all count from 0.

    Parameters
    ----------
    page : int, optional
        Page of a TIFF, frame of an animation, or the number of a plane in the order of the file,
        among those that the other choices leave.
    series : int, optional
        Series of a TIFF, such as the positions of a microscope's stage.
    channel : int or three int, optional
        One channel as gray, or three as red, green and blue.
    time, z : int, optional
        Time point and focal plane.

    Raises
    ------
    SettingsError
        One of them is no whole number from 0 up, or `channel` is neither one nor three.

    Examples
    --------
    >>> PictureChoice(time=2).planes("'a.tif'", [("time", 3)])
    ((2,),)
    """

    page: int | None = None
    series: int | None = None
    channel: int | tuple[int, ...] | None = None
    time: int | None = None
    z: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                object.__setattr__(self, field.name, _checked(field.name, value))

    @property
    def channels(self) -> tuple[int, ...]:
        """The chosen channels: none, one or three."""
        if self.channel is None:
            return ()
        return self.channel if isinstance(self.channel, tuple) else (self.channel,)

    def planes(self, name: str, axes: Sequence[Axis]) -> tuple[tuple[int, ...], ...]:
        """Return the position of each chosen plane: one, or three for three channels.

        Parameters
        ----------
        name : str
            What errors call the file.
        axes : sequence of Axis
            The axes of the file other than y, x and colors, in its order.

        Returns
        -------
        tuple of tuple of int
            Per plane an index into each axis.

        Raises
        ------
        ImageError
            There are several planes and none was chosen, or the chosen one is not there.
        """
        for kind in ("time", "z"):
            value = getattr(self, kind)
            if value and kind not in dict(axes):
                raise ImageError(f"{name} has no {kind} axis; {_how_to_choose(axes)}")
        if "channel" not in dict(axes):  # then it is one of the samples of each pixel
            return (self._plane(name, axes, None),)
        return tuple(self._plane(name, axes, channel) for channel in self.channels or (None,))

    def number(self, name: str, what: str, value: int | None, pictures: Sequence[str]) -> int:
        """Return which of several pictures is meant, where one number identifies them.

        Parameters
        ----------
        name : str
            What errors call the file.
        what : str
            What the number is called: "series" or "page".
        value : int or None
            What was chosen.
        pictures : sequence of str
            What each of them is, in a few words.

        Raises
        ------
        ImageError
            There are several and none was chosen, or there are not so many.
        """
        count = len(pictures)
        if value is None and count == 1:
            return 0
        if value is not None and value < count:
            return value
        listed = ", ".join(f"{n}: {text}" for n, text in enumerate(pictures[:4]))
        more = ", ..." if count > 4 else ""
        asked = "" if value is None else f", and no {what} {value}"
        also = ", or with page" if what == "series" and count > 1 else ""
        raise ImageError(
            f"{name} holds {_count(count, 'picture')}{asked} ({listed}{more}); choose with "
            f"{_range(what, count)}{also} (in the shell --{what})"
        )

    def of_channels(self, pixels: NDArray[Any], name: str) -> NDArray[Any]:
        """Return the chosen channels of a picture whose colors are known, or all of it.

        Parameters
        ----------
        pixels : ndarray (y, x) or (y, x, n)
        name : str
            What errors call the file.

        Raises
        ------
        ImageError
            There is no such channel.
        """
        chosen, count = self.channels, pixels.shape[2] if pixels.ndim == 3 else 1
        if not chosen or (chosen == (0,) and count == 1):
            return pixels
        if max(chosen) >= count:
            raise ImageError(
                f"{name} has {_count(count, 'channel')} and no channel {max(chosen)}; accepted: "
                f"{_range('channel', count)}, or no choice for all"
            )
        index = chosen[0] if len(chosen) == 1 else list(chosen)
        return np.ascontiguousarray(np.atleast_3d(pixels)[..., index])

    def _plane(self, name: str, axes: Sequence[Axis], channel: int | None) -> tuple[int, ...]:
        chosen = {"time": self.time, "z": self.z, "channel": channel, "page": None}
        index = {}
        for number, (kind, length) in enumerate(axes):
            position = 0 if length == 1 and not chosen[kind] else chosen[kind]
            if position is not None and position >= length:
                raise ImageError(
                    f"{name} has {_count(length, kind)} and no {kind} {position}; "
                    f"{_how_to_choose(axes)}"
                )
            if position is not None:
                index[number] = position
        open_axes = [number for number in range(len(axes)) if number not in index]
        lengths = tuple(axes[number][1] for number in open_axes)
        page = self._page(name, axes, lengths)
        index |= dict(zip(open_axes, map(int, np.unravel_index(page, lengths)), strict=True))
        return tuple(index[number] for number in range(len(axes)))

    def _page(self, name: str, axes: Sequence[Axis], lengths: tuple[int, ...]) -> int:
        """Return the number of the plane along the axes about which nothing was said."""
        count = math.prod(lengths)
        page = self.page
        if page is None and count == 1:
            return 0
        if page is not None and page < count:
            return page
        several = ", ".join(_count(length, kind) for kind, length in axes if length > 1)
        within = f" ({several})" if several else ""
        total = _count(math.prod(length for _, length in axes), "picture")
        asked = "" if page is None else f", and no page {page} among what is chosen"
        raise ImageError(f"{name} holds {total}{within}{asked}; {_how_to_choose(axes)}")


def short_name(path: object) -> str:
    """Return a quoted path for a message, its middle left out where it is long.

    Examples
    --------
    >>> short_name("cells.tif")
    "'cells.tif'"
    """
    return f"'{shorten(path)}'"


def _how_to_choose(axes: Sequence[Axis]) -> str:
    """Say which choices there are, for a script and for the shell."""
    several = [(kind, length) for kind, length in axes if length > 1]
    if not several:
        return "it holds one picture: leave the choice out"
    named = dict.fromkeys(kind for kind, _ in several if kind != "page")
    count = math.prod(length for _, length in several)
    ways = " and ".join(_range(kind, dict(several)[kind]) for kind in named)
    page = _range("page", count)
    options = ", ".join(f"--{kind}" for kind in (*named, "page"))
    return f"choose with {f'{ways}, or {page}' if ways else page} (in the shell {options})"


def _range(what: str, count: int) -> str:
    return f"{what}=0" if count == 1 else f"{what}=0 to {count - 1}"


def _count(count: int, what: str) -> str:
    plural = {"z": "focal planes", "time": "time points", "series": "series"}
    single = {"z": "focal plane", "time": "time point"}
    if count == 1:
        return f"1 {single.get(what, what)}"
    return f"{count} {plural.get(what, f'{what}s')}"


def _checked(name: str, value: Any) -> int | tuple[int, ...]:
    """Return a choice as int, or three of them."""
    if name == "channel" and isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if len(value) == 3:
            return tuple(_whole(name, each) for each in value)
        raise SettingsError(
            f"channel has {len(value)} numbers; accepted: one channel, or three to show as red, "
            "green and blue"
        )
    return _whole(name, value)


def _whole(name: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise SettingsError(f"{name} is {value!r:.60}; accepted: a whole number, counted from 0")
    return number
