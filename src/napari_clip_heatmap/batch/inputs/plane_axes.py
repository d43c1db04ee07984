"""Which planes of an image with more axes than y and x are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_clip_heatmap.batch.inputs.batch_image import PlaneIndex
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import Axis, PictureChoice

__all__ = ["PlaneAxes", "chosen_axes"]


@dataclass(frozen=True)
class PlaneAxes:
    """The axes other than y, x and channels, and where they were cut to one position.

    Parameters
    ----------
    stored : tuple of (str, int)
        Name and length of each axis in the source, in its order.
    fixed : dict of int to int
        Number of an axis -> its one position; all positions of the others are meant.

    Examples
    --------
    >>> axes = PlaneAxes((("time", 5), ("z", 3)), {1: 2})
    >>> axes.names, axes.lengths, axes.in_source((4,))
    (('time',), (5,), (4, 2))
    """

    stored: tuple[tuple[str, int], ...]
    fixed: dict[int, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes of which all positions are meant."""
        return tuple(name for n, (name, _) in enumerate(self.stored) if n not in self.fixed)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Their lengths."""
        return tuple(length for n, (_, length) in enumerate(self.stored) if n not in self.fixed)

    def in_source(self, index: PlaneIndex) -> tuple[int, ...]:
        """Return the position of a plane along each axis of the source."""
        given = iter(index)
        return tuple(
            self.fixed[n] if n in self.fixed else next(given) for n in range(len(self.stored))
        )


def chosen_axes(axes: Sequence[Axis], choice: PictureChoice, name: str) -> PlaneAxes:
    """Return all planes along the axes about which nothing was said, and one along the others.

    Parameters
    ----------
    axes : sequence of Axis
        Of the source, without channels.
    choice : PictureChoice
        Its `page` is the number of a plane among those that the other choices leave.
    name : str
        What errors call the source.

    Raises
    ------
    ImageError
        What was chosen is not there.

    Examples
    --------
    >>> chosen_axes([("time", 5), ("z", 1)], PictureChoice(), "'a.tif'").names
    ('time',)
    """
    stored = _numbered(axes)
    if choice.page is not None:
        (position,) = PictureChoice(page=choice.page, time=choice.time, z=choice.z).planes(
            name, axes
        )
        return PlaneAxes(stored, dict(enumerate(position)))
    fixed = {}
    for number, (kind, length) in enumerate(axes):
        chosen = {"time": choice.time, "z": choice.z}.get(kind)
        if chosen is not None and chosen >= length:
            raise ImageError(
                f"{name} has {length} positions along {kind}, and no {kind} {chosen}; accepted: 0 "
                f"to {length - 1}, or no choice for all"
            )
        if chosen is not None or length == 1:
            fixed[number] = chosen or 0
    for kind in ("time", "z"):
        if getattr(choice, kind) and kind not in dict(axes):
            raise ImageError(f"{name} has no {kind} axis; leave out the choice of --{kind}")
    return PlaneAxes(stored, fixed)


def _numbered(axes: Sequence[Axis]) -> tuple[tuple[str, int], ...]:
    """Return axes with names that differ: several may be of pages."""
    names: list[str] = []
    for kind, _ in axes:
        same = sum(name.rstrip("0123456789") == kind for name in names)
        names.append(f"{kind}{same + 1}" if same else kind)
    return tuple((name, length) for name, (_, length) in zip(names, axes, strict=True))
